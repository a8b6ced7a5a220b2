"""Convolutions whose kernels are whole numbers of strides, as those of upsampling, block by block.

Cut the padded image into blocks of stride x stride pixels, and call the pixels of a block channels
of it. Then a kernel of k x k pixels is one of k / s x k / s blocks, and moves by one block: the
image is not laid out as windows, in which each pixel would stand (k / s)^2 times.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from minifcn.kernels import geometry
from minifcn.kernels.cpu.pointwise import relu_in_place
from minifcn.kernels.cpu.threads import share
from minifcn.kernels.geometry import Pair


def fits_blocks(kernel_size: Pair, stride: Pair, dilation: Pair, groups: int) -> bool:
    """Whether windows overlap by whole strides: what the functions of this file are for."""
    axes = list(zip(kernel_size, stride, strict=True))
    whole, overlap = all(k % s == 0 for k, s in axes), any(k > s > 1 for k, s in axes)
    return whole and overlap and (dilation, groups) == ((1, 1), 1)


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    stride: Pair,
    padding: Pair,
    bias: np.ndarray | None,
    rectify: bool,
) -> np.ndarray:
    """y[n, f, oh, ow] = sum over (c, i, j) of weight[f, c, i, j] * x[n, c, h, w].

    Each kernel element, of blocks, is multiplied by all blocks; then its products are added where
    they belong, one block further for each element.
    """
    (oh, ow), taps, grid = _sizes(x.shape[2:], weight.shape[2:], stride, padding)
    matrix = _matrix(weight, taps, stride)
    y = np.empty((len(x), len(weight), oh, ow), x.dtype)

    def work(images: Iterator[int]) -> None:
        padded = np.zeros((x.shape[1], grid[0] * stride[0], grid[1] * stride[1]), x.dtype)
        inside, seen = _overlap(padded, x, padding)
        for n in images:
            padded[inside] = x[n][seen]
            products = matrix @ _to_blocks(padded, stride)
            products = products.reshape(*taps, len(weight), *grid)
            y[n] = 0 if bias is None else bias[:, None, None]
            for i, j in np.ndindex(*taps):
                y[n] += products[i, j, :, i : i + oh, j : j + ow]
            if rectify:
                relu_in_place(y[n])

    share(work, range(len(x)), 4 * x.size)
    return y


def conv_transpose2d(
    y: np.ndarray, weight: np.ndarray, stride: Pair, padding: Pair, size: Pair
) -> np.ndarray:
    """x[n, c, h, w] = sum over (f, i, j) of weight[f, c, i, j] * y[n, f, oh, ow].

    y is laid out once for each kernel element, of blocks, shifted as far as that is.
    """
    oh, ow = y.shape[2:]
    taps = (weight.shape[2] // stride[0], weight.shape[3] // stride[1])
    grid = (oh + taps[0] - 1, ow + taps[1] - 1)
    matrix = np.ascontiguousarray(_matrix(weight, taps, stride).T)
    x = np.zeros((len(y), weight.shape[1], *size), y.dtype)

    def work(images: Iterator[int]) -> None:
        shifted = np.zeros((*taps, len(weight), *grid), y.dtype)
        for n in images:
            for i, j in np.ndindex(*taps):
                shifted[i, j, :, i : i + oh, j : j + ow] = y[n]
            blocks = matrix @ shifted.reshape(-1, prod(grid))
            padded = _from_blocks(blocks, stride, grid)
            inside, seen = _overlap(padded, x, padding)
            x[n][seen] = padded[inside]

    share(work, range(len(y)), 4 * x.size)
    return x


def _sizes(size: Pair, kernel_size: Pair, stride: Pair, padding: Pair) -> tuple[Pair, Pair, Pair]:
    """Rows and columns: of the output, of the kernel in blocks, and of all blocks that it meets."""
    out = geometry.output_pair(size, kernel_size, stride, padding, (1, 1))
    taps = (kernel_size[0] // stride[0], kernel_size[1] // stride[1])
    return out, taps, (out[0] + taps[0] - 1, out[1] + taps[1] - 1)


def _matrix(weight: np.ndarray, taps: Pair, stride: Pair) -> np.ndarray:
    """The weight (F, C, KH, KW) as (taps * F, C * SH * SW)."""
    f, c = weight.shape[:2]
    parts = weight.reshape(f, c, taps[0], stride[0], taps[1], stride[1])
    return parts.transpose(2, 4, 0, 1, 3, 5).reshape(prod(taps) * f, c * prod(stride))


def _to_blocks(image: np.ndarray, stride: Pair) -> np.ndarray:
    """An image (C, BH * SH, BW * SW) as (C * SH * SW, BH * BW)."""
    c, (h, w), (sh, sw) = len(image), image.shape[1:], stride
    parts = image.reshape(c, h // sh, sh, w // sw, sw)
    return parts.transpose(0, 2, 4, 1, 3).reshape(c * sh * sw, -1)


def _from_blocks(blocks: np.ndarray, stride: Pair, grid: Pair) -> np.ndarray:
    """The inverse of `_to_blocks`."""
    parts = blocks.reshape(-1, *stride, *grid).transpose(0, 3, 1, 4, 2)
    return parts.reshape(len(parts), grid[0] * stride[0], grid[1] * stride[1])


def _overlap(padded: np.ndarray, x: np.ndarray, padding: Pair) -> tuple[tuple, tuple]:
    """Where both have pixels: indices of a padded image (C, ., .), and of an image of x."""
    inside, seen = [], []
    for p, long, size in zip(padding, padded.shape[1:], x.shape[2:], strict=True):
        count = max(0, min(long - p, size))
        inside.append(slice(p, p + count))
        seen.append(slice(0, count))
    return (..., *inside), (..., *seen)
