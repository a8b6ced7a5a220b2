"""The convolutions in NumPy: matrix products over the windows of one tile at a time."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, prod

import numpy as np

from minifcn.kernels import geometry
from minifcn.kernels.cpu import blocks, depthwise
from minifcn.kernels.cpu.pointwise import relu_in_place
from minifcn.kernels.cpu.threads import share
from minifcn.kernels.cpu.windows import ONE, TILE_BYTES, Tile, Windows, col2im
from minifcn.kernels.geometry import Pair

PARTIAL_SUMS, PARTIAL_BYTES = 8, 2**26
"""A gradient of the weights is summed in so many parts, by as many threads, and then added up;
in fewer where they would take more than these bytes."""


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    bias: np.ndarray | None = None,
    rectify: bool = False,
) -> np.ndarray:
    """y[n, f, oh, ow] = sum over (c, i, j) of weight[f, c, i, j] * x[n, c, h, w].

    The bias is added, and what is negative set to 0, while a tile is still in the cache.
    """
    if blocks.fits_blocks(weight.shape[2:], stride, dilation, groups):
        return blocks.conv2d(x, weight, stride, padding, bias, rectify)
    if geometry.is_depthwise(groups, x.shape[1], len(weight)):
        result = depthwise.conv2d(x, weight, stride, padding, dilation, bias, rectify)
        if result is not None:
            return result
    windows = Windows(x, weight.shape[2:], stride, padding, dilation, groups, len(weight))
    y = np.empty((len(x), len(weight), *windows.out), x.dtype)
    matrices = windows.matrices(weight)
    shift = None if bias is None else bias.reshape(groups, -1, 1)

    def work(tiles: Iterator[Tile]) -> None:
        workspace = windows.workspace()
        parts = np.empty((*matrices.shape[:3], windows.most_columns), x.dtype)
        for tile in tiles:
            total = windows.matrix_of(y, tile)
            products = np.matmul(
                matrices, windows.lay_out(tile, workspace), out=parts[..., : total.shape[-1]]
            )
            np.add.reduce(products, axis=1, out=total)
            if shift is not None:
                total += shift
            if rectify:
                relu_in_place(total)
            windows.store(total, y, tile)

    share(work, windows.tiles, windows.elements)
    return y


def conv2d_weight(
    x: np.ndarray,
    y: np.ndarray,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """weight[f, c, i, j] = sum over (n, oh, ow) of x[n, c, h, w] * y[n, f, oh, ow]."""
    if geometry.is_depthwise(groups, x.shape[1], y.shape[1]):
        result = depthwise.conv2d_weight(x, y, kernel_size, stride, padding, dilation)
        if result is not None:
            return result
    windows = Windows(x, kernel_size, stride, padding, dilation, groups, y.shape[1])
    f, rows = y.shape[1] // groups, x.shape[1] // groups * prod(windows.laid_out)
    # Of two large matrices, y is the one that BLAS reads transposed; of two small ones the windows,
    # so that the sums are in the order of the weight.
    large = windows.products > 1
    shape = (groups, windows.products, *((rows, f) if large else (f, rows)))
    most = min(PARTIAL_SUMS, max(1, PARTIAL_BYTES // max(1, prod(shape) * x.itemsize)))
    count = max(1, ceil(len(windows.tiles) / most))
    parts = [windows.tiles[i : i + count] for i in range(0, len(windows.tiles), count)]
    sums = np.empty((len(parts), *shape), x.dtype)

    def work(numbers: Iterator[int]) -> None:
        workspace, product = windows.workspace(), np.empty(shape if count > 1 else 0, x.dtype)
        for number in numbers:
            for i, tile in enumerate(parts[number]):
                pair = windows.lay_out(tile, workspace), windows.matrix_of(y, tile)[:, None]
                left, right = pair if large else pair[::-1]
                np.matmul(left, right.swapaxes(2, 3), out=product if i else sums[number])
                if i:
                    sums[number] += product

    share(work, range(len(parts)), windows.elements)
    total = sums[0] if len(sums) == 1 else sums.sum(0)
    return windows.weight(total.swapaxes(2, 3) if large else total)


def conv_transpose2d(
    y: np.ndarray,
    weight: np.ndarray,
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """x[n, c, h, w] = sum over (f, i, j) of weight[f, c, i, j] * y[n, f, oh, ow].

    With stride 1 this is a convolution with the flipped kernels.
    """
    kernel_size = weight.shape[2:]
    full = tuple(d * (k - 1) for d, k in zip(dilation, kernel_size, strict=True))
    rest = (full[0] - padding[0], full[1] - padding[1])
    if stride == ONE and output_padding == (0, 0):
        return conv2d(y, _flipped(weight, groups), ONE, rest, dilation, groups)
    if geometry.is_depthwise(groups, weight.shape[1] * groups, len(weight)):
        result = depthwise.conv_transpose2d(y, weight, stride, padding, output_padding, dilation)
        if result is not None:
            return result
    size = geometry.transpose_output_pair(
        y.shape[2:], kernel_size, stride, padding, output_padding, dilation
    )
    if blocks.fits_blocks(kernel_size, stride, dilation, groups):
        return blocks.conv_transpose2d(y, weight, stride, padding, size)
    c = weight.shape[1] * groups
    x = np.empty((len(y), c, *size), y.dtype)
    matrix = weight.reshape(groups, len(weight) // groups, -1).swapaxes(1, 2)
    columns_bytes = matrix.shape[1] * groups * prod(y.shape[2:]) * y.itemsize
    some = max(1, min(TILE_BYTES // max(1, columns_bytes), ceil(len(y) / 2)))

    def work(images: Iterator[slice]) -> None:
        for few in images:
            stamps = y[few].reshape(-1, groups, len(weight) // groups, prod(y.shape[2:]))
            columns = (matrix @ stamps).reshape(len(stamps), c, *kernel_size, *y.shape[2:])
            x[few] = col2im(columns, size, stride, padding, dilation)

    tasks = [slice(n, n + some) for n in range(0, len(y), some)]
    share(work, tasks, y.size * weight[0].size)
    return x


def _flipped(weight: np.ndarray, groups: int) -> np.ndarray:
    """Turn the kernels by 180 degrees and exchange input and output channels in each group."""
    f, cg, kh, kw = weight.shape
    flipped = weight[:, :, ::-1, ::-1].reshape(groups, f // groups, cg, kh, kw)
    return flipped.transpose(0, 2, 1, 3, 4).reshape(groups * cg, f // groups, kh, kw)


def conv1x1(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None, rectify: bool = False
) -> np.ndarray:
    """y[n, f, h, w] = sum over c of weight[f, c] * x[n, c, h, w]: a matrix product."""
    return conv2d(x, weight[:, :, None, None], ONE, (0, 0), ONE, 1, bias, rectify)


def conv1x1_weight(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """weight[f, c] = sum over (n, h, w) of x[n, c, h, w] * y[n, f, h, w]."""
    return conv2d_weight(x, y, ONE, ONE, (0, 0), ONE, 1)[:, :, 0, 0]
