"""An FCN on a VGG of given widths and depths, as tests want it: as small as can be."""

from minifcn.models import FCN, VGG


def small_fcn(num_classes, stride=8, *, widths, depths, batch_norm=True, generator, **choices):
    backbone = VGG(widths, depths, batch_norm, generator=generator)
    return FCN(
        num_classes,
        stride,
        backbone=backbone,
        batch_norm=batch_norm,
        generator=generator,
        **choices,
    )
