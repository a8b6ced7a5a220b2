"""Every kernel in NumPy, fast: the same names and arguments as reference.py.

Two tricks carry the convolutions. With stride 1, only the horizontal shifts of an image are
stacked (`_row_shifts`): a third of the bytes of im2col for a 3x3 kernel. With a larger stride,
all kernel elements that land on the same block of stride x stride pixels are moved at once
(`_blocks` and `_moves`). Both work image by image, so that what they write is still in the cache
when the matrix product reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, product

import numpy as np

from minifcn.kernels import geometry
from minifcn.kernels.geometry import Pair

ONE = (1, 1)


# --- Windows laid out as columns, and back ------------------------------------------------------


def im2col(
    x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """Lay the windows of x (N, C, H, W) out as columns (N, C, KH, KW, OH, OW)."""
    out = geometry.output_pair(x.shape[2:], kernel_size, stride, padding, dilation)
    columns = np.empty((*x.shape[:2], *kernel_size, *out), x.dtype)
    blocks = _blocks(columns, stride, dilation)
    plane, kept = _overlap_with_padding(blocks, x, padding)
    plane[...] = kept
    for taps, place in _moves(kernel_size, out, stride, dilation):
        columns[taps] = blocks[place].transpose(0, 1, 3, 5, 2, 4)
    return columns


def col2im(
    columns: np.ndarray, size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """Add columns (N, C, KH, KW, OH, OW) back into x (N, C, *size): the adjoint of im2col."""
    blocks = _blocks(columns, stride, dilation)
    for taps, place in _moves(columns.shape[2:4], columns.shape[4:], stride, dilation):
        blocks[place] += columns[taps].transpose(0, 1, 4, 2, 5, 3)
    x = np.zeros((*columns.shape[:2], *size), columns.dtype)
    plane, kept = _overlap_with_padding(blocks, x, padding)
    kept[...] = plane
    return x


def _blocks(columns: np.ndarray, stride: Pair, dilation: Pair) -> np.ndarray:
    """Zeros for the padded image of `columns`, cut into blocks: (N, C, BH, SH, BW, SW).

    Padded row r is row r % SH of block r // SH, so window oh starts at row 0 of block oh.
    """
    kernel_size, out = columns.shape[2:4], columns.shape[4:]
    bh, bw = (
        o + d * (k - 1) // s for o, k, s, d in zip(out, kernel_size, stride, dilation, strict=True)
    )
    return np.zeros((*columns.shape[:2], bh, stride[0], bw, stride[1]), columns.dtype)


def _overlap_with_padding(
    blocks: np.ndarray, x: np.ndarray, padding: Pair
) -> tuple[np.ndarray, np.ndarray]:
    """Return matching views: where x lies in the padded blocks, and the part of x they reach."""
    n, c, bh, sh, bw, sw = blocks.shape
    (top, left), (h, w) = padding, x.shape[2:]
    plane = blocks.reshape(n, c, bh * sh, bw * sw)[:, :, top : top + h, left : left + w]
    return plane, x[:, :, : plane.shape[2], : plane.shape[3]]


def _moves(
    kernel_size: Pair, out: Pair, stride: Pair, dilation: Pair
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Yield pairs (index into columns, index into blocks) that together cover the kernel.

    Kernel row i meets row (i * dilation) % stride of a block that is (i * dilation) // stride
    blocks further down: rows with the same quotient touch different rows of the same block, so
    one addition handles them all, ceil(k / s) along an axis instead of k.
    """
    everything = (slice(None), slice(None))
    rows, columns = (
        _taps_by_block(*axis) for axis in zip(kernel_size, stride, dilation, strict=True)
    )
    for (q, i, a), (r, j, b) in product(rows, columns):
        yield (*everything, i, j), (*everything, slice(q, q + out[0]), a, slice(r, r + out[1]), b)


def _taps_by_block(kernel: int, stride: int, dilation: int) -> list[tuple[int, slice, slice]]:
    """Along one axis: [(block offset, kernel elements, their positions in the block)]."""
    found = []
    for block, members in groupby(range(kernel), key=lambda i: i * dilation // stride):
        taps = list(members)
        start = taps[0] * dilation % stride
        positions = slice(start, start + (len(taps) - 1) * dilation + 1, dilation)
        found.append((block, slice(taps[0], taps[-1] + 1), positions))
    return found


# --- Convolution: matrix products over the windows of one image at a time ---------------------


def conv2d(
    x: np.ndarray, weight: np.ndarray, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> np.ndarray:
    """y[n, f, oh, ow] = sum over (c, i, j) of weight[f, c, i, j] * x[n, c, h, w]."""
    kernel_size = weight.shape[2:]
    out = geometry.output_pair(x.shape[2:], kernel_size, stride, padding, dilation)
    y = np.empty((len(x), groups, len(weight) // groups, out[0] * out[1]), x.dtype)
    matrices = [_as_matrix(weight, rows, groups) for rows in _kernel_rows(kernel_size, stride)]
    part = np.empty_like(y[0]) if len(x) else y
    for image, windows in zip(
        y, _windows(x, kernel_size, stride, padding, dilation, groups), strict=True
    ):
        np.matmul(matrices[0], windows[0], out=image)
        for matrix, window in zip(matrices[1:], windows[1:], strict=True):
            image += np.matmul(matrix, window, out=part)
    return y.reshape(len(x), len(weight), *out)


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
    weight = np.zeros((y.shape[1], x.shape[1] // groups, *kernel_size), x.dtype)
    y = y.reshape(len(y), groups, y.shape[1] // groups, y.shape[2] * y.shape[3])
    for image, windows in zip(
        y, _windows(x, kernel_size, stride, padding, dilation, groups), strict=True
    ):
        for rows, window in zip(_kernel_rows(kernel_size, stride), windows, strict=True):
            part = weight[:, :, rows]
            part += (image @ window.transpose(0, 2, 1)).reshape(part.shape)
    return weight


def conv_transpose2d(
    y: np.ndarray,
    weight: np.ndarray,
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """x[n, c, h, w] = sum over (f, i, j) of weight[f, c, i, j] * y[n, f, oh, ow]."""
    kernel_size = weight.shape[2:]
    full = tuple(d * (k - 1) for d, k in zip(dilation, kernel_size, strict=True))
    if (
        stride == ONE
        and output_padding == (0, 0)
        and padding[0] <= full[0]
        and padding[1] <= full[1]
    ):
        rest = (full[0] - padding[0], full[1] - padding[1])
        return conv2d(y, _flipped(weight, groups), ONE, rest, dilation, groups)
    size = geometry.transpose_output_pair(
        y.shape[2:], kernel_size, stride, padding, output_padding, dilation
    )
    c = weight.shape[1] * groups
    x = np.empty((len(y), c, *size), y.dtype)
    matrix = _as_matrix(weight, slice(None), groups).transpose(0, 2, 1)
    for image, stamps in zip(x, y, strict=True):
        columns = matrix @ stamps.reshape(groups, len(weight) // groups, -1)
        columns = columns.reshape(1, c, *kernel_size, *y.shape[2:])
        image[...] = col2im(columns, size, stride, padding, dilation)[0]
    return x


def _windows(
    x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Iterator[list[np.ndarray]]:
    """For each image yield its windows as matrices, one for each of `_kernel_rows`.

    A matrix is (groups, C / groups * rows * KW, OH * OW). The next image reuses its memory.
    """
    if stride == ONE:
        yield from _row_shifts(x, kernel_size, padding, dilation, groups)
        return
    for n in range(len(x)):
        columns = im2col(x[n : n + 1], kernel_size, stride, padding, dilation)
        yield [columns.reshape(groups, x.shape[1] // groups * kernel_size[0] * kernel_size[1], -1)]


def _row_shifts(
    x: np.ndarray, kernel_size: Pair, padding: Pair, dilation: Pair, groups: int
) -> Iterator[list[np.ndarray]]:
    """For each image, the windows that each kernel row meets, for stride 1, without a copy a row.

    The stack (C, KW, rows, OW) holds a padded image shifted horizontally by each kernel column.
    Moving down by one row is then moving by OW in memory: the windows of kernel row i are one
    contiguous range of columns that starts at i * dilation * OW.
    """
    n, c, h, w = x.shape
    (kh, kw), (dh, dw), (top, left) = kernel_size, dilation, padding
    oh, ow = geometry.output_pair((h, w), kernel_size, ONE, padding, dilation)
    stack = np.zeros((c, kw, oh + (kh - 1) * dh, ow), x.dtype)
    columns = [_overlap(ow, w, j * dw - left) for j in range(kw)]
    to_rows, from_rows = _overlap(stack.shape[2], h, -top)
    matrix = stack.reshape(groups, c // groups * kw, -1)
    windows = [matrix[:, :, i * dh * ow : (i * dh + oh) * ow] for i in range(kh)]
    for image in x:
        for j, (to_columns, from_columns) in enumerate(columns):
            stack[:, j, to_rows, to_columns] = image[:, from_rows, from_columns]
        yield windows


def _overlap(count: int, size: int, offset: int) -> tuple[slice, slice]:
    """Of `count` positions o, those with 0 <= o + offset < size; as slices of o and o + offset."""
    first = min(max(0, -offset), count)
    last = max(first, min(count, size - offset))
    return slice(first, last), slice(first + offset, last + offset)


def _kernel_rows(kernel_size: Pair, stride: Pair) -> list[slice]:
    """The kernel rows that share a matrix product: one at a time for `_row_shifts`, else all."""
    return [slice(i, i + 1) for i in range(kernel_size[0])] if stride == ONE else [slice(None)]


def _as_matrix(weight: np.ndarray, rows: slice, groups: int) -> np.ndarray:
    """Some rows of the kernels as a matrix (groups, F / groups, C / groups * rows * KW)."""
    return weight[:, :, rows].reshape(groups, len(weight) // groups, -1)


def _flipped(weight: np.ndarray, groups: int) -> np.ndarray:
    """Turn the kernels by 180 degrees and exchange input and output channels in each group."""
    f, cg, kh, kw = weight.shape
    flipped = weight[:, :, ::-1, ::-1].reshape(groups, f // groups, cg, kh, kw)
    return flipped.transpose(0, 2, 1, 3, 4).reshape(groups * cg, f // groups, kh, kw)


def conv1x1(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """y[n, f, h, w] = sum over c of weight[f, c] * x[n, c, h, w]: a matrix product."""
    n, c, h, w = x.shape
    return (weight @ x.reshape(n, c, h * w)).reshape(n, len(weight), h, w)


def conv1x1_weight(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """weight[f, c] = sum over (n, h, w) of x[n, c, h, w] * y[n, f, h, w]."""
    weight = np.zeros((y.shape[1], x.shape[1]), x.dtype)
    for image, grad in zip(x, y, strict=True):
        weight += grad.reshape(len(grad), -1) @ image.reshape(len(image), -1).T
    return weight


# --- Pooling and unpooling --------------------------------------------------------------------


def max_pool2d(
    x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the maximum of every window, and its flat index in the unpadded (H, W) plane.

    The winner of each window is kept as the number of its kernel element, one byte, and becomes
    an index at the end. Element numbers only grow, so `winner` takes the new one by a maximum.
    """
    size = x.shape[2:]
    out = geometry.pool_output_pair(size, kernel_size, stride, padding, dilation, ceil_mode)
    values = np.full((*x.shape[:2], *out), -np.inf, x.dtype)
    start, steps = _window_starts(out, size, kernel_size, stride, padding, dilation)
    winner = np.empty(values.shape, np.min_scalar_type(len(steps) - 1))
    winner[...] = _first_inside(out, kernel_size, stride, padding, dilation)
    taps = list(_pool_taps(out, size, kernel_size, stride, padding, dilation))
    for tap, (window, pixels) in enumerate(taps):
        candidate, best = x[pixels], values[window]
        better = (candidate > best) * winner.dtype.type(tap)
        np.maximum(best, candidate, out=best)
        np.maximum(winner[window], better, out=winner[window])
    if np.isnan(values).any():  # a NaN is not larger than anything, but it wins
        for tap, (window, pixels) in enumerate(taps):
            np.copyto(winner[window], winner.dtype.type(tap), where=np.isnan(x[pixels]))
    indices = steps.take(winner)
    indices += start
    return values, indices


def _pool_taps(
    out: Pair, size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Iterator[tuple[tuple, tuple]]:
    """For each kernel element yield (index of the windows that it lies inside for, its pixels)."""
    for i, j in np.ndindex(*kernel_size):
        to_rows, rows = _strided_overlap(out[0], size[0], stride[0], i * dilation[0] - padding[0])
        to_cols, cols = _strided_overlap(out[1], size[1], stride[1], j * dilation[1] - padding[1])
        yield (..., to_rows, to_cols), (..., rows, cols)


def _window_starts(
    out: Pair, size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> tuple[np.ndarray, np.ndarray]:
    """Flat index of each window's first element, and the step from there to each element."""
    rows, columns = (np.arange(o) * s - p for o, s, p in zip(out, stride, padding, strict=True))
    i, j = (np.arange(k) * d for k, d in zip(kernel_size, dilation, strict=True))
    return rows[:, None] * size[1] + columns, (i[:, None] * size[1] + j).ravel()


def _first_inside(
    out: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """The first element of each window that lies inside: the winner where all of it is -inf."""
    i, j = (
        (geometry.first_inside(o, s, p, d) - (np.arange(o) * s - p)) // d
        for o, s, p, d in zip(out, stride, padding, dilation, strict=True)
    )
    return i[:, None] * kernel_size[1] + j


def _strided_overlap(count: int, size: int, stride: int, offset: int) -> tuple[slice, slice]:
    """Of `count` positions o, those with 0 <= o * stride + offset < size, and where they lead."""
    first = max(0, -(offset // stride))
    last = max(first, min(count, (size - 1 - offset) // stride + 1))
    start = first * stride + offset
    return slice(first, last), slice(start, start + (last - first) * stride, stride)


def gather(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """y[n, c, oh, ow] = x[n, c, indices[n, c, oh, ow]], the index counting along rows."""
    return x.ravel().take(_flat(indices, x.shape)).reshape(indices.shape)


def unpool(y: np.ndarray, indices: np.ndarray, size: Pair) -> np.ndarray:
    """x[n, c, indices[n, c, oh, ow]] += y[n, c, oh, ow]; zero where no index points."""
    x = np.zeros((*y.shape[:2], *size), y.dtype)
    # On flat arrays, and only there, np.add.at is as fast as an assignment.
    np.add.at(x.reshape(-1), _flat(indices, x.shape), y.ravel())
    return x


def _flat(indices: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Turn indices within the (H, W) planes of `shape` into indices of the whole flat array."""
    n, c, h, w = shape
    return (indices + np.arange(n * c).reshape(n, c, 1, 1) * (h * w)).ravel()


# --- Resizing ---------------------------------------------------------------------------------


def resize(
    x: np.ndarray, size: Pair, steps: tuple[float, float], mode: str, align_corners: bool
) -> np.ndarray:
    """Resize (N, C, H, W) to (N, C, *size): rows first, then columns, since it is separable."""
    for axis in (2, 3):
        n, out, step = x.shape[axis], size[axis - 2], steps[axis - 2]
        if mode == "nearest":
            x = x.take(geometry.nearest_positions(n, out, step), axis)
            continue
        position = geometry.source_positions(n, out, step, align_corners)
        low = position.astype(np.int64)
        share = (position - low).astype(x.dtype)
        share = share[:, None] if axis == 2 else share
        x = x.take(low, axis) * (1 - share) + x.take(np.minimum(low + 1, n - 1), axis) * share
    return x


def resize_adjoint(
    y: np.ndarray, size: Pair, steps: tuple[float, float], mode: str, align_corners: bool
) -> np.ndarray:
    """Send (N, C, OH, OW) back to (N, C, *size): with resize = R_h x R_w^T, R_h^T y R_w."""
    rows, columns = (
        _resize_matrix(size[a], y.shape[2 + a], steps[a], mode, align_corners, y.dtype)
        for a in (0, 1)
    )
    return rows.T @ y @ columns


def _resize_matrix(
    size: int, out: int, step: float, mode: str, align_corners: bool, dtype: np.dtype
) -> np.ndarray:
    """The matrix (out, size) that resizes along one axis: the resized identity."""
    identity = np.eye(size, dtype=dtype)[None, None]
    return resize(identity, (out, size), (step, 1.0), mode, align_corners)[0, 0]
