"""What an FCN stands on: a network that turns an image into feature maps of four strides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from minifcn import nn
from minifcn.data.transforms import IMAGENET, Normalisation
from minifcn.models.blocks import block, stage
from minifcn.tensor import Tensor

STRIDES = (4, 8, 16, 32)
"""Of the feature maps: so many pixels of the image, along each axis, share a cell."""

MAX_WEIGHTS = 2**28
"""The most weights of a backbone or a head, 1 GiB; the paper's network, on VGG-16, has half."""


class Backbone(nn.Module):
    """The base of backbones.

    Cell i of a feature map of stride s should tell of pixel s i + (s - 1) / 2 of the image, along
    each axis: its middle. Then maps of all strides land on each other where coarser ones are
    upsampled around the middles of their cells.

    Attributes:
        widths: the channels of the feature maps, by stride (see STRIDES).
        normalisation: what makes an image the input that this network was trained on.
    """

    widths: Mapping[int, int]
    normalisation: Normalisation = IMAGENET

    def feature_maps(self, x: Tensor) -> dict[int, Tensor]:
        """Return the features of x (N, 3, H, W) by stride s: (N, widths[s], H / s, W / s).

        H and W are multiples of 32. Every backbone defines its own.
        """
        raise TypeError(f"{type(self).__name__} defines no feature_maps")


class VGG(Backbone):
    """Five stages of 3x3 convolutions, each with a pooling that halves the size.

    With widths of (64, 128, 256, 512, 512), depths of (2, 2, 3, 3, 3) and without BatchNorm these
    are the convolutions of VGG16. All windows are centred on their cells, so alignment is exact.
    Source: Simonyan and Zisserman (2015), table 1.

    Args:
        widths: channels of the five stages.
        depths: 3x3 convolutions of each stage.
        batch_norm: whether BatchNorm follows each convolution; otherwise the convolution has a
            bias, and applies the relu itself.
        generator: draws the initial weights.
    """

    def __init__(
        self,
        widths: Sequence[int] = (12, 24, 48, 64, 64),
        depths: Sequence[int] = (1, 1, 2, 2, 1),
        batch_norm: bool = True,
        *,
        generator: np.random.Generator,
    ) -> None:
        _check(widths, depths)
        self.widths = dict(zip(STRIDES, widths[1:], strict=True))
        new_block = partial(block, batch_norm=batch_norm, generator=generator)
        self.stage1 = stage(3, widths[0], depths[0], new_block)
        self.stage2 = stage(widths[0], widths[1], depths[1], new_block)
        self.stage3 = stage(widths[1], widths[2], depths[2], new_block)
        self.stage4 = stage(widths[2], widths[3], depths[3], new_block)
        self.stage5 = stage(widths[3], widths[4], depths[4], new_block)

    def feature_maps(self, x: Tensor) -> dict[int, Tensor]:
        """Return what the last four poolings make of x (N, 3, H, W), by stride."""
        pool2 = self.stage2(self.stage1(x))
        pool3 = self.stage3(pool2)
        pool4 = self.stage4(pool3)
        return {4: pool2, 8: pool3, 16: pool4, 32: self.stage5(pool4)}


def _check(widths: Sequence[int], depths: Sequence[int]) -> None:
    """Refuse what is no network, or would not fit into memory, before any of it is made."""
    for name, numbers, most in (("widths", widths, 2**16), ("depths", depths, 100)):
        if len(numbers) != 5 or min(numbers) < 1 or max(numbers) > most:
            raise ValueError(f"{name} must be five numbers from 1 to {most}; got {tuple(numbers)}")
    stages = zip((3, *widths), widths, depths, strict=False)
    check_weights(
        "widths and depths",
        sum(9 * out * (into + (depth - 1) * out) for into, out, depth in stages),
    )


def check_weights(what: str, weights: int) -> None:
    """Raise ValueError where settings would make more than MAX_WEIGHTS weights."""
    if weights > MAX_WEIGHTS:
        raise ValueError(f"{what} must make at most {MAX_WEIGHTS:,} weights; got {weights:,}")
