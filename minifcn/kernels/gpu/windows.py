"""im2col and col2im; and col2im by scattering, which is how one thinks of it."""

from __future__ import annotations

from minifcn.backend import Array, library
from minifcn.kernels import geometry
from minifcn.kernels.geometry import Pair
from minifcn.kernels.gpu.launch import contiguous, empty, launch_each, windows


def im2col(x: Array, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """columns[n, c, i, j, oh, ow] = x[n, c, h, w], one thread an element of columns."""
    size, settings = x.shape[2:], (kernel_size, stride, padding, dilation)
    out = geometry.output_pair(size, *settings)
    columns = empty((*x.shape[:2], *kernel_size, *out), x)
    where = windows(size, out, *settings)
    launch_each("windows.cu", "im2col", columns.size, contiguous(x), columns, columns.size, where)
    return columns


def col2im(columns: Array, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """x[n, c, h, w] += columns[n, c, i, j, oh, ow], one thread a pixel of x: gather."""
    x = empty((*columns.shape[:2], *size), columns)
    where = windows(size, columns.shape[4:], columns.shape[2:4], stride, padding, dilation)
    launch_each("windows.cu", "col2im_gather", x.size, contiguous(columns), x, x.size, where)
    return x


def col2im_scatter(
    columns: Array, size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """col2im with one thread an element of columns, which adds to x by atomicAdd.

    The last bits of a sum depend on the order in which the threads come: nothing in the library
    uses it. It is here to be compared with the other.
    """
    x = library(columns).zeros((*columns.shape[:2], *size), columns.dtype)
    where = windows(size, columns.shape[4:], columns.shape[2:4], stride, padding, dilation)
    count = columns.size
    launch_each("windows.cu", "col2im_scatter", count, contiguous(columns), x, count, where)
    return x
