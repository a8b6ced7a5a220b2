"""What networks are built from: blocks of convolutions, scores, padding that lets any size work."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minifcn import functional as F
from minifcn import nn
from minifcn.tensor import Tensor


def block(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    batch_norm: bool,
    generator: np.random.Generator,
) -> nn.Module:
    """Convolve at the same size, normalise, rectify."""
    convolution = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        padding=kernel_size // 2,
        bias=not batch_norm,  # BatchNorm would take a bias out again
        relu=not batch_norm,
        generator=generator,
    )
    if not batch_norm:
        return convolution
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels, activation="relu"))


def stage(
    in_channels: int, out_channels: int, depth: int, block: Callable[..., nn.Module]
) -> nn.Sequential:
    """Convolutions, then a pooling that halves the size."""
    channels = (in_channels, *[out_channels] * depth)
    blocks = [block(channels[i], channels[i + 1], 3) for i in range(depth)]
    return nn.Sequential(*blocks, nn.MaxPool2d(2))


def score(in_channels: int, num_classes: int, generator: np.random.Generator) -> nn.Conv2d:
    """A 1x1 convolution that starts at 0, so that every class starts equally likely."""
    layer = nn.Conv2d(in_channels, num_classes, 1, generator=generator)
    layer.weight.data[...] = 0
    return layer


def check_images(x: Tensor) -> None:
    """Raise ValueError unless x is (N, 3, H, W)."""
    if x.ndim != 4 or x.shape[1] != 3:
        raise ValueError(f"images must be (N, 3, H, W); got shape {x.shape}")


def padded(x: Tensor, multiple: int) -> Tensor:
    """Pad images with zeros at the bottom and right, to a multiple of so many pixels.

    Raises:
        ValueError: x is not (N, 3, H, W).
    """
    check_images(x)
    right, bottom = -x.shape[3] % multiple, -x.shape[2] % multiple
    return F.pad(x, (0, right, 0, bottom)) if right or bottom else x


def cropped(scores: Tensor, shape: Sequence[int]) -> Tensor:
    """Cut off what `padded` added to images of this shape: scores (N, C, H, W) of their size."""
    right, bottom = shape[3] - scores.shape[3], shape[2] - scores.shape[2]
    return F.pad(scores, (0, right, 0, bottom)) if right or bottom else scores
