"""What the animations show, as numbers: each step of a convolution, each stamp of its transpose."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from minifcn import kernels
from minifcn.kernels import IntOrPair
from minifcn.kernels.checks import pair
from minifcn.kernels.geometry import Pair, transpose_output_pair

Numbers: TypeAlias = ArrayLike
"""Numbers of shape (H, W); or their size, a whole number or a pair: they are then made up."""

_Settings: TypeAlias = tuple[Pair, Pair, Pair, IntOrPair]
"""Stride, padding, output padding and dilation."""

LARGEST_INPUT, LARGEST_GRID = 12, 48
"""Rows and columns of an input or a kernel at most; and of a grid as drawn, with its padding."""


class WindowStep(NamedTuple):
    """One step of a convolution: a window of the input, times the kernel, summed up.

    place: the output pixel (oh, ow); corner: the window's first pixel, (oh * s - p, ow * s - p),
    negative in the padding; window, products: (KH, KW), the numbers under the window, and those
    times the kernel; output: (OH, OW), NaN where nothing is computed yet.
    """

    place: Pair
    corner: Pair
    window: np.ndarray
    products: np.ndarray
    output: np.ndarray


class Stamp(NamedTuple):
    """One step of a transposed convolution: the kernel, times an input pixel, added to the output.

    place: the input pixel (h, w); corner: where the stamp's first number lands on the output,
    (h * s - p, w * s - p); products: (KH, KW), the kernel times the pixel; lands: the cells that
    it reaches; hits: how many stamps have reached each cell; before, after: the sums. These four
    have the shape of the canvas, which is the output with the p rows and columns that the padding
    cuts off on each side; output: (OH, OW), `after` without them.
    """

    place: Pair
    corner: Pair
    products: np.ndarray
    lands: np.ndarray
    hits: np.ndarray
    before: np.ndarray
    after: np.ndarray
    output: np.ndarray


def convolution_steps(
    x: np.ndarray,
    weight: np.ndarray,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
) -> list[WindowStep]:
    """Return every step of kernels.conv2d, row by row: what its window reads, and its sum.

    Args:
        x: (H, W).
        weight: (KH, KW).
        stride: as in kernels.conv2d.
        padding: likewise.
        dilation: likewise.

    Raises:
        ValueError: no window fits.
    """
    stride, padding = pair(stride, "stride", 1), pair(padding, "padding")
    y = kernels.conv2d(x[None, None], weight[None, None], stride, padding, dilation)[0, 0]
    columns = kernels.im2col(x[None, None], weight.shape, stride, padding, dilation)[0, 0]
    steps = []
    for n, place in enumerate(np.ndindex(y.shape)):
        window = columns[:, :, *place]
        known = np.arange(y.size).reshape(y.shape) <= n
        corner = _corner(place, stride, padding)
        steps.append(WindowStep(place, corner, window, window * weight, np.where(known, y, np.nan)))
    return steps


def stamps(
    x: np.ndarray,
    weight: np.ndarray,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    output_padding: IntOrPair = 0,
) -> list[Stamp]:
    """Return every stamp of kernels.conv_transpose2d, pixel by pixel.

    Each stamp is the kernel's own output for an image with a single pixel that is not zero.

    Args:
        x: (H, W).
        weight: (KH, KW).
        stride: as in kernels.conv_transpose2d.
        padding: likewise.
        dilation: likewise.
        output_padding: likewise.

    Raises:
        ValueError: the padding leaves nothing of the output, or output_padding is too large.
    """
    stride, padding = pair(stride, "stride", 1), pair(padding, "padding")
    settings = (stride, padding, pair(output_padding, "output_padding"), dilation)
    inside = kept(_output_shape(x, weight, settings), padding)
    units = np.eye(x.size).reshape(x.size, 1, *x.shape)
    landed = _stamp_all(units * x, weight, settings)
    reached = _stamp_all(units, np.ones(weight.shape), settings) > 0
    steps, hits = [], np.zeros(landed.shape[1:], np.int64)
    before = np.zeros(landed.shape[1:])
    for place, stamp, lands in zip(np.ndindex(x.shape), landed, reached, strict=True):
        after, hits = before + stamp, hits + lands
        corner, products = _corner(place, stride, padding), x[place] * weight
        steps.append(Stamp(place, corner, products, lands, hits, before, after, after[inside]))
        before = after
    return steps


def kept(shape: Pair, padding: IntOrPair) -> tuple[slice, slice]:
    """Return the rows and columns of a canvas that are the output: its first is (p, p).

    shape: (OH, OW) of the output.
    """
    (top, left), (height, width) = pair(padding, "padding"), shape
    return slice(top, top + height), slice(left, left + width)


def made_up(numbers: Numbers, name: str, least: int, most: int, seed: int) -> np.ndarray:
    """Return numbers as float64 (H, W); given a size, draw whole numbers from `least` to `most`.

    Raises:
        TypeError: they are not numbers, or seed is not a whole number.
        ValueError: they are not finite, not of two axes, or more than LARGEST_INPUT of one; or
            seed is negative.
    """
    array = None if isinstance(numbers, tuple) else _array(numbers, name)
    if array is None or array.ndim == 0:
        size = pair(numbers, name, 1)
        _check_largest(name, size, LARGEST_INPUT)
        return np.random.default_rng(seed).integers(least, most + 1, size).astype(np.float64)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must hold numbers; got {array.dtype}")
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{name} must be a size or have 2 axes (H, W); got shape {array.shape}")
    _check_largest(name, array.shape, LARGEST_INPUT)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must hold finite numbers")
    return array.astype(np.float64)


def check_convolution(x: np.ndarray, weight: np.ndarray, padding: Pair) -> None:
    """Raise ValueError unless the steps can be drawn. The output is no larger than the input."""
    height, width = (n + 2 * p for n, p in zip(x.shape, padding, strict=True))
    _check_largest("the padded input", (height, width), LARGEST_GRID)
    _check_products(x, weight)


def check_transposed(
    x: np.ndarray, weight: np.ndarray, stride: Pair, padding: Pair, dilation: Pair, extra: Pair
) -> None:
    """Raise ValueError unless the stamps can be drawn. extra: the output padding."""
    size, kernel = pair(x.shape, "i"), pair(weight.shape, "k")
    uncut = transpose_output_pair(size, kernel, stride, (0, 0), extra, dilation)
    canvas = tuple(n - min(a, p) for n, a, p in zip(uncut, extra, padding, strict=True))
    _check_largest("the output, with what the padding cuts off,", canvas, LARGEST_GRID)
    _check_products(x, weight)


def _array(numbers: Numbers, name: str) -> np.ndarray:
    try:
        return np.asarray(numbers)
    except ValueError as error:
        raise ValueError(f"{name} must have rows of one length") from error


def _check_products(x: np.ndarray, weight: np.ndarray) -> None:
    """Raise ValueError unless the largest sum of products that there could be is finite."""
    largest, heaviest = float(np.abs(x).max()), float(np.abs(weight).max())
    if not math.isfinite(largest * heaviest * max(x.size, weight.size)):
        raise ValueError(
            "the products of i and k, and their sums, must be finite;"
            f" got numbers up to {largest:.3g} in i and {heaviest:.3g} in k"
        )


def _check_largest(name: str, size: tuple[int, ...], largest: int) -> None:
    if max(size) > largest:
        raise ValueError(f"{name} must be at most {largest}x{largest}; got {size[0]}x{size[1]}")


def _corner(place: tuple[int, ...], stride: Pair, padding: Pair) -> Pair:
    return place[0] * stride[0] - padding[0], place[1] * stride[1] - padding[1]


def _output_shape(x: np.ndarray, weight: np.ndarray, settings: _Settings) -> Pair:
    """Return (OH, OW), and let the kernel object where there is no output."""
    height, width = kernels.conv_transpose2d(x[None, None], weight[None, None], *settings).shape[2:]
    return height, width


def _stamp_all(images: np.ndarray, weight: np.ndarray, settings: _Settings) -> np.ndarray:
    """Return the canvas of each image (N, 1, H, W): what the kernel gives without cutting.

    An output_padding above p reaches beyond the last stamp; one up to p only cuts less.
    """
    stride, padding, extra, dilation = settings
    uncut = kernels.conv_transpose2d(images, weight[None, None], stride, 0, extra, dilation)
    rows, columns = (n - min(a, p) for n, a, p in zip(uncut.shape[2:], extra, padding, strict=True))
    return uncut[:, 0, :rows, :columns]
