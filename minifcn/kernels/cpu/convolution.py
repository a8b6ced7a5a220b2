"""The convolutions in NumPy: matrix products over the windows of one tile at a time."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, prod

import numpy as np

from minifcn.kernels import geometry
from minifcn.kernels.cpu.pointwise import relu_in_place
from minifcn.kernels.cpu.threads import share
from minifcn.kernels.cpu.windows import ONE, Tile, Windows, col2im
from minifcn.kernels.geometry import Pair

PARTIAL_SUMS = 8
"""In how many parts a gradient of the weights is summed, by as many threads; then they are added."""


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
    windows = Windows(x, weight.shape[2:], stride, padding, dilation, groups)
    y = np.empty((len(x), len(weight), *windows.out), x.dtype)
    matrices = [_as_matrix(weight, rows, groups) for rows in windows.kernel_rows]
    shift = None if bias is None else bias.reshape(groups, -1, 1)

    def work(tiles: Iterator[Tile]) -> None:
        workspace = windows.workspace()
        spare = np.empty((groups, len(weight) // groups, windows.most), x.dtype)
        for tile in tiles:
            columns = windows.lay_out(tile, workspace)
            total = windows.columns(y, tile)
            part = spare[:, :, : total.shape[2]]
            np.matmul(matrices[0], columns[0], out=total)
            for matrix, shifted in zip(matrices[1:], columns[1:], strict=True):
                total += np.matmul(matrix, shifted, out=part)
            if shift is not None:
                total += shift
            if rectify:
                relu_in_place(total)
            if not np.may_share_memory(total, y):
                y[tile[0]] = total.reshape(len(weight), -1, *windows.out).swapaxes(0, 1)

    share(work, windows.tiles)
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
    windows = Windows(x, kernel_size, stride, padding, dilation, groups)
    products = len(windows.kernel_rows)
    f, c = y.shape[1], x.shape[1] // groups
    shape = (products, groups, f // groups, c * prod(windows.laid_out))
    tiles_each = max(1, ceil(len(windows.tiles) / PARTIAL_SUMS))
    parts = [
        windows.tiles[i : i + tiles_each] for i in range(0, len(windows.tiles), tiles_each)
    ]
    sums = np.zeros((max(1, len(parts)), *shape), x.dtype)

    def work(numbers: Iterator[int]) -> None:
        workspace, product = windows.workspace(), np.empty(shape[1:], x.dtype)
        for number in numbers:
            for tile in parts[number]:
                columns = windows.lay_out(tile, workspace)
                matrix = windows.columns(y, tile)
                for total, shifted in zip(sums[number], columns, strict=True):
                    total += np.matmul(matrix, shifted.swapaxes(1, 2), out=product)

    share(work, range(len(parts)))
    weight = sums.sum(0).reshape(products, f, c, -1, kernel_size[1])
    return np.ascontiguousarray(weight.transpose(1, 2, 0, 3, 4)).reshape(f, c, *kernel_size)


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
    if stride == ONE and output_padding == (0, 0) and min(rest) >= 0:
        return conv2d(y, _flipped(weight, groups), ONE, rest, dilation, groups)
    size = geometry.transpose_output_pair(
        y.shape[2:], kernel_size, stride, padding, output_padding, dilation
    )
    c = weight.shape[1] * groups
    x = np.empty((len(y), c, *size), y.dtype)
    matrix = _as_matrix(weight, slice(None), groups).transpose(0, 2, 1)

    def work(images: Iterator[int]) -> None:
        for n in images:
            columns = matrix @ y[n].reshape(groups, len(weight) // groups, -1)
            columns = columns.reshape(1, c, *kernel_size, *y.shape[2:])
            x[n] = col2im(columns, size, stride, padding, dilation)[0]

    share(work, range(len(y)))
    return x


def _as_matrix(weight: np.ndarray, rows: slice, groups: int) -> np.ndarray:
    """Some rows of the kernels as a matrix (groups, F / groups, C / groups * rows * KW)."""
    return weight[:, :, rows].reshape(groups, len(weight) // groups, -1)


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
