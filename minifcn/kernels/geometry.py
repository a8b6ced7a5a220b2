"""Sizes and positions: output sizes, coordinate maps and receptive fields.

Names used throughout: N images, C channels, H and W height and width of the input; F output
channels; OH and OW height and width of the output; KH and KW those of the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import numpy as np

Pair: TypeAlias = tuple[int, int]


# --- Output sizes -----------------------------------------------------------------------------


def conv_output_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """Size of a convolution's output along one axis.

    floor((i + 2p - d(k - 1) - 1) / s) + 1, relationship 15 of Dumoulin and Visin (2016); the
    relationships 1 to 7 are its special cases.
    """
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def conv_transpose_output_size(
    size: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    dilation: int = 1,
) -> int:
    """Size of a transposed convolution's output along one axis.

    s(i - 1) + d(k - 1) + 1 - 2p + output_padding; relationships 8 to 14 are its special cases.
    """
    return stride * (size - 1) + dilation * (kernel - 1) + 1 - 2 * padding + output_padding


def is_depthwise(groups: int, channels: int, outputs: int) -> bool:
    """Whether a convolution is a depthwise one: as many groups as channels, and as outputs."""
    return 1 < groups == channels == outputs


def conv_remainder(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Rows at the end of the padded input that the last window of a convolution does not reach.

    a = (i + 2p - d(k - 1) - 1) mod s: the output_padding with which the transposed convolution
    gets back to the size i (relationship 14).
    """
    return (size + 2 * padding - dilation * (kernel - 1) - 1) % stride


def pool_output_size(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> int:
    """Size of a pooling's output along one axis.

    With `ceil_mode` the division rounds up, but the last window must start inside the input or
    its left padding, as in PyTorch.
    """
    if not ceil_mode:
        return conv_output_size(size, kernel, stride, padding, dilation)
    out = -((size + 2 * padding - dilation * (kernel - 1) - 1) // -stride) + 1
    return out - 1 if (out - 1) * stride >= size + padding else out


def output_pair(size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """Height and width of a convolution's output (see `conv_output_size`)."""
    oh, ow = map(conv_output_size, size, kernel_size, stride, padding, dilation)
    return oh, ow


def transpose_output_pair(
    size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, output_padding: Pair, dilation: Pair
) -> Pair:
    """Height and width of a transposed convolution's output."""
    axes = zip(size, kernel_size, stride, padding, output_padding, dilation, strict=True)
    h, w = (conv_transpose_output_size(*axis) for axis in axes)
    return h, w


def pool_output_pair(
    size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> Pair:
    """Height and width of a pooling's output (see `pool_output_size`)."""
    axes = zip(size, kernel_size, stride, padding, dilation, strict=True)
    oh, ow = (pool_output_size(*axis, ceil_mode) for axis in axes)
    return oh, ow


class Relationship(NamedTuple):
    """One of the 15 relationships of convolution arithmetic: when it holds and what it says."""

    number: int
    name: str
    holds: Callable[..., bool]
    output_size: Callable[..., int]
    transposed: bool = False


# The arguments are those of the direct convolution: i input size, k kernel, s stride, p padding,
# d dilation. A transposed one (8 to 14) starts from the direct convolution's output size `i`.
# Its `a` is the remainder of the direct convolution: the output_padding.
RELATIONSHIPS = (
    Relationship(
        1, "no padding, stride 1", lambda i, k, s, p, d: (s, p, d) == (1, 0, 1),
        lambda i, k, s, p, d: i - k + 1,
    ),
    Relationship(
        2, "padding, stride 1", lambda i, k, s, p, d: (s, d) == (1, 1),
        lambda i, k, s, p, d: i - k + 2 * p + 1,
    ),
    Relationship(
        3, "half (same) padding", lambda i, k, s, p, d: (s, d) == (1, 1) and k == 2 * p + 1,
        lambda i, k, s, p, d: i,
    ),
    Relationship(
        4, "full padding", lambda i, k, s, p, d: (s, d) == (1, 1) and p == k - 1,
        lambda i, k, s, p, d: i + k - 1,
    ),
    Relationship(
        5, "no padding, strides", lambda i, k, s, p, d: (p, d) == (0, 1),
        lambda i, k, s, p, d: (i - k) // s + 1,
    ),
    Relationship(
        6, "padding, strides", lambda i, k, s, p, d: d == 1,
        lambda i, k, s, p, d: (i + 2 * p - k) // s + 1,
    ),
    Relationship(
        7, "pooling", lambda i, k, s, p, d: (p, d) == (0, 1),
        lambda i, k, s, p, d: (i - k) // s + 1,
    ),
    Relationship(
        8, "transposed, no padding, stride 1", lambda i, k, s, p, d, a: (s, p, d) == (1, 0, 1),
        lambda i, k, s, p, d, a: i + k - 1, transposed=True,
    ),
    Relationship(
        9, "transposed, padding, stride 1", lambda i, k, s, p, d, a: (s, d) == (1, 1),
        lambda i, k, s, p, d, a: i + k - 1 - 2 * p, transposed=True,
    ),
    Relationship(
        10, "transposed, half padding",
        lambda i, k, s, p, d, a: (s, d) == (1, 1) and k == 2 * p + 1,
        lambda i, k, s, p, d, a: i, transposed=True,
    ),
    Relationship(
        11, "transposed, full padding", lambda i, k, s, p, d, a: (s, d) == (1, 1) and p == k - 1,
        lambda i, k, s, p, d, a: i - (k - 1), transposed=True,
    ),
    Relationship(
        12, "transposed, no padding, strides",
        lambda i, k, s, p, d, a: (p, d) == (0, 1) and a == 0,
        lambda i, k, s, p, d, a: s * (i - 1) + k, transposed=True,
    ),
    Relationship(
        13, "transposed, padding, strides", lambda i, k, s, p, d, a: d == 1 and a == 0,
        lambda i, k, s, p, d, a: s * (i - 1) + k - 2 * p, transposed=True,
    ),
    Relationship(
        14, "transposed, padding, strides, odd", lambda i, k, s, p, d, a: d == 1,
        lambda i, k, s, p, d, a: s * (i - 1) + a + k - 2 * p, transposed=True,
    ),
    Relationship(
        15, "dilated", lambda i, k, s, p, d: True,
        lambda i, k, s, p, d: (i + 2 * p - k - (k - 1) * (d - 1)) // s + 1,
    ),
)  # fmt: skip
"""The 15 relationships, each in the words and the order of Dumoulin and Visin (2016)."""


# --- Where things are: coordinate maps and receptive fields -------------------------------------


class Window(NamedTuple):
    """A layer as geometry sees it: a window that slides along one axis, or stamps its output."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    transposed: bool = False


class CoordinateMap(NamedTuple):
    """The affine map x -> scale * x + offset from positions in one tensor to those in another."""

    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)

    def __call__(self, position: int | Fraction) -> Fraction:
        """Return where `position` of the first tensor lies in the second."""
        return self.scale * position + self.offset

    def then(self, following: CoordinateMap) -> CoordinateMap:
        """Return this map followed by another."""
        return CoordinateMap(self.scale * following.scale, following(self.offset))

    def inverse(self) -> CoordinateMap:
        """Return the map from the second tensor back to the first."""
        return CoordinateMap(1 / self.scale, -self.offset / self.scale)


def coordinate_map(windows: Iterable[Window]) -> CoordinateMap:
    """Map positions in a network's input to positions in its output, window centre to centre.

    A convolution or pooling takes x to (x + p - d(k - 1)/2) / s, a transposed convolution takes
    x to s x + d(k - 1)/2 - p. Source: the crop layers of the FCN release (Long et al. 2015).
    """
    total = CoordinateMap()
    for kernel, stride, padding, dilation, transposed in windows:
        shift = padding - Fraction(dilation * (kernel - 1), 2)
        direct = CoordinateMap(Fraction(1, stride), shift / stride)
        total = total.then(direct.inverse() if transposed else direct)
    return total


def crop_offset(larger: Iterable[Window], smaller: Iterable[Window] = ()) -> int:
    """How many pixels to crop at the top and left of one tensor to align it with another.

    Both tensors are made from the same input, one through the windows `larger`, the other
    through `smaller` (none: the input itself). The crop is where the first pixel of the smaller
    tensor lies in the larger one.

    Raises:
        ValueError: the two tensors have different strides, or lie half a pixel apart.
    """
    step = coordinate_map(smaller).inverse().then(coordinate_map(larger))
    if step.scale != 1 or step.offset.denominator != 1:
        raise ValueError(f"no whole crop aligns them: x -> {step.scale} x + {step.offset}")
    return int(step.offset)


class ReceptiveField(NamedTuple):
    """What one output cell sees along one axis of the input, in pixels.

    size: how many pixels; stride: how far it moves from one cell to the next; start: the first
    pixel that cell 0 sees (negative inside the padding).
    """

    size: int
    stride: int
    start: int


def receptive_field(windows: Iterable[Window]) -> ReceptiveField:
    """Return the receptive field of a chain of convolutions and poolings.

    With j the product of the strides so far: size += d(k - 1) j, start -= p j, then j *= s
    (Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks").
    """
    size, jump, start = 1, 1, 0
    for kernel, stride, padding, dilation, transposed in windows:
        if transposed:
            raise ValueError("windows must be convolutions and poolings; got a transposed one")
        size += dilation * (kernel - 1) * jump
        start -= padding * jump
        jump *= stride
    return ReceptiveField(size, jump, start)


def source_positions(size: int, out: int, step: float, align_corners: bool) -> np.ndarray:
    """Where the `out` pixels of a bilinear resize lie in an input of `size` pixels.

    align_corners: j * step, with step = (size - 1) / (out - 1). Otherwise pixel centres are
    aligned: max((j + 0.5) * step - 0.5, 0), with step = size / out. As in PyTorch.
    """
    j = np.arange(out, dtype=np.int64)
    positions = j * step if align_corners else np.maximum((j + 0.5) * step - 0.5, 0)
    return np.minimum(positions, size - 1)


def nearest_positions(size: int, out: int, step: float) -> np.ndarray:
    """The input pixel that each of `out` pixels of a nearest resize copies: floor(j * step)."""
    j = np.arange(out, dtype=np.int64)
    exact = j * size // out  # in whole numbers, where no rounding can go wrong
    return exact if step == size / out else np.minimum((j * step).astype(np.int64), size - 1)


def first_inside(out: int, stride: int, padding: int, dilation: int) -> np.ndarray:
    """The first input position at or after 0 that each of `out` windows meets along an axis."""
    start = window_starts(out, stride, padding)
    return np.maximum(start, start % dilation)


def window_starts(out: int, stride: int, padding: int) -> np.ndarray:
    """Where along an axis each of `out` windows starts: negative inside the padding; int64."""
    return np.arange(out, dtype=np.int64) * stride - padding
