"""Small networks of every family, with weights that all count, for the tests of ONNX."""

import numpy as np

from minifcn.models import FCN, VGG, VGGFCN, Classifier, EncoderDecoder, SegNet
from minifcn.models.decoders import DECODERS
from minifcn.models.efficientnet_lite import EfficientNetLite0, EfficientNetLite0Backbone
from minifcn.models.squeezenet import SqueezeNet, SqueezeNetBackbone
from minifcn.models.vgg_fcn import DEPTHS


def generator():
    return np.random.default_rng(0)


def fcn(stride=8, backbone=None, **settings):
    small = VGG((3, 4, 5, 6, 7), (1, 1, 2, 1, 1), generator=generator())
    return FCN(
        5, stride, backbone=backbone or small, head_width=8, generator=generator(), **settings
    )


def plain(depths=(1, 1, 2, 1, 1)):
    """A backbone without BatchNorm."""
    return VGG((3, 4, 5, 6, 7), depths, False, generator=generator())


def vgg_fcn(stride, at_once=False):
    small = {"widths": (2, 2, 3, 3, 4), "fc_width": 5}
    return VGGFCN(5, stride, at_once, **small, generator=generator())


def decoder(name):
    return EncoderDecoder(4, name, widths=(6, 6), depths=(1, 2), generator=generator())


def classifier():
    return Classifier(4, widths=(3, 4), depths=(1, 1), head_width=5, generator=generator())


NETWORKS = {
    **{f"FCN-{s}s": lambda s=s: fcn(s) for s in (32, 16, 8, 4)},
    "learned upsampling": lambda: fcn(4, upsampling="learned", dropout=0.5),
    "without batch_norm": lambda: fcn(backbone=plain(), batch_norm=False),
    "vgg16": lambda: fcn(backbone=plain(DEPTHS)),
    "efficientnet-lite0": lambda: fcn(4, backbone=EfficientNetLite0Backbone(generator=generator())),
    "squeezenet1.1": lambda: fcn(4, backbone=SqueezeNetBackbone(generator=generator())),
    **{f"VGGFCN-{s}s": lambda s=s: vgg_fcn(s) for s in (32, 16, 8)},
    "VGGFCN-8s at once": lambda: vgg_fcn(8, at_once=True),
    "SegNet": lambda: SegNet(4, widths=(4, 5), depths=(1, 2), generator=generator()),
    **{name: lambda name=name: decoder(name) for name in DECODERS},
    "classifier": classifier,
    "score maps": lambda: classifier().fully_convolutional(),
    "EfficientNet-Lite0": lambda: EfficientNetLite0(10, generator=generator()),
    "SqueezeNet": lambda: SqueezeNet(10, generator=generator()),
}
"""A function for each that builds it."""


def shaken(model):
    """The model in evaluation mode, with no weight or statistic left at 0 or 1."""
    noise = np.random.default_rng(1)
    for name, tensor in model.named_tensors():
        if tensor.dtype == np.float32 and (tensor.ndim == 1 or "score" in name):
            tensor.data[...] += 0.1 * np.abs(noise.standard_normal(tensor.shape))
    return model.eval()


def build(name):
    """Build a network, shaken."""
    return shaken(NETWORKS[name]())
