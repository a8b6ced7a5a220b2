"""The backbones by their names: how each is built, and where its trained weights come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minifcn.data.transforms import IMAGENET, Normalisation
from minifcn.models.backbone import VGG, Backbone
from minifcn.models.efficientnet_lite import AROUND_ZERO, EfficientNetLite0Backbone
from minifcn.models.pretrained import NETWORKS
from minifcn.models.squeezenet import WITHOUT_MEAN_COLOUR, SqueezeNetBackbone
from minifcn.models.vgg_fcn import DEPTHS as VGG16_DEPTHS
from minifcn.models.vgg_fcn import convolutions
from minifcn.weights import check_like, read_weights

SMALL = "small"
"""The one that is always trained from scratch."""

VGG16_WIDTHS = (64, 128, 256, 512, 512)


class Known(NamedTuple):
    """A backbone that can be asked for by its name.

    build: makes it, with random weights; normalisation: of its images; read: its trained weights,
    from a file, or without one from where they are installed.
    """

    build: Callable[..., Backbone]
    normalisation: Normalisation
    read: Callable[[Backbone, Path | None], Mapping[str, np.ndarray]]


def build_backbone(
    name: str,
    widths: Sequence[int] = (),
    depths: Sequence[int] = (),
    batch_norm: bool = True,
    *,
    generator: np.random.Generator,
) -> Backbone:
    """Build a backbone with random weights; widths, depths and batch_norm are the small one's.

    Raises:
        ValueError: there is no such backbone, or widths or depths are given for one that has its
            own.
    """
    check_name(name)
    if name == SMALL:
        return VGG(widths, depths, batch_norm, generator=generator)
    if widths or depths:
        raise ValueError(f"widths and depths are those of {name} itself; got {widths}, {depths}")
    return PRETRAINED[name].build(generator=generator)


def load_pretrained(backbone: Backbone, name: str, path: Path | None = None) -> None:
    """Load weights that were trained on ImageNet into a backbone that was built by its name.

    path: a file with them, under the names that they have in the network's usual files; by
    default the file of an installed package.

    Raises:
        ValueError: the backbone is the small one, no file is given or installed, or it is not what
            was expected; nothing has changed then.
    """
    check_name(name)
    if name == SMALL:
        raise ValueError(
            f"the backbone {SMALL} has no pretrained weights; choose {', '.join(PRETRAINED)}"
        )
    try:
        state = PRETRAINED[name].read(backbone, path)
    except ValueError as error:
        if path is None:
            raise
        what = "a folder" if path.is_dir() else str(error)
        raise ValueError(
            f"backbone_weights must be a file with the trained weights of {name}; got {path}:"
            f" {what.removeprefix(f'{path}: ')}"
        ) from error
    backbone.load_state_dict(state)


def normalisation_of(name: str) -> Normalisation:
    """Return what makes an image the input of the backbone of this name."""
    check_name(name)
    return IMAGENET if name == SMALL else PRETRAINED[name].normalisation


def check_name(name: str) -> None:
    """Raise ValueError unless a backbone has this name."""
    if name not in NAMES:
        raise ValueError(f"backbone must be one of {', '.join(NAMES)}; got {name!r}")


def _part_of(name: str) -> Callable[[Backbone, Path | None], Mapping[str, np.ndarray]]:
    """Read the classifier of this name in pretrained.NETWORKS, and take what the backbone has."""

    def read(backbone: Backbone, path: Path | None) -> Mapping[str, np.ndarray]:
        state = NETWORKS[name].read(path)
        return {own: state[own] for own in backbone.state_dict()}

    return read


def _vgg16(*, generator: np.random.Generator) -> VGG:
    return VGG(VGG16_WIDTHS, VGG16_DEPTHS, batch_norm=False, generator=generator)


def _read_vgg16(backbone: Backbone, path: Path | None) -> Mapping[str, np.ndarray]:
    """Read torchvision's VGG16; its linear layers, 'classifier.', have no place in a backbone."""
    if path is None:
        raise ValueError(
            "backbone vgg16 needs --backbone-weights FILE with torchvision's weights, as no"
            " package brings them; or train it --from-scratch"
        )
    names = {f"{theirs}.{part}": f"{ours}.{part}" for ours, theirs in _vgg16_names() for part in
             ("weight", "bias")}  # fmt: skip
    arrays = {n: a for n, a in read_weights(path).items() if not n.startswith("classifier.")}
    own = backbone.state_dict()
    try:
        check_like(arrays, {theirs: own[ours] for theirs, ours in names.items()})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return {ours: arrays[theirs] for theirs, ours in names.items()}


def _vgg16_names() -> list[tuple[str, str]]:
    """Pairs of a convolution's names, here and in torchvision."""
    pairs, first = [], dict[int, int]()
    for number, (_, stage, theirs) in enumerate(convolutions()):
        place = number - first.setdefault(stage, number)
        pairs.append((f"stage{stage + 1}.{place}", theirs))
    return pairs


PRETRAINED = {
    "efficientnet-lite0": Known(
        EfficientNetLite0Backbone, AROUND_ZERO, _part_of("efficientnet-lite0")
    ),
    "squeezenet1.1": Known(SqueezeNetBackbone, WITHOUT_MEAN_COLOUR, _part_of("squeezenet1.1")),
    "vgg16": Known(_vgg16, IMAGENET, _read_vgg16),
}
NAMES = (SMALL, *PRETRAINED)
