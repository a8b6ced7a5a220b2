"""Max-pooling with indices, and gather and unpool, which use them."""

from __future__ import annotations

from math import prod

import numpy as np

from minifcn.backend import Array
from minifcn.kernels import geometry
from minifcn.kernels.geometry import Pair
from minifcn.kernels.gpu.launch import (
    LARGEST,
    contiguous,
    empty,
    launch_each,
    launch_planes,
    windows,
)


def max_pool2d(
    x: Array,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
    with_indices: bool = True,
) -> tuple[Array, Array | None]:
    """The maximum of each window and its place in the plane, one thread a window."""
    settings = (kernel_size, stride, padding, dilation)
    out = geometry.pool_output_pair(x.shape[2:], *settings, ceil_mode)
    values = empty((*x.shape[:2], *out), x)
    indices = empty(values.shape, x, np.int64) if with_indices else None
    where = windows(x.shape[2:], out, *settings)
    arrays = (contiguous(x), values, indices)
    launch_each("pooling.cu", "max_pool2d", values.size, *arrays, values.size, where)
    return values, indices


def gather(x: Array, indices: Array) -> Array:
    """y[n, c, oh, ow] = x[n, c, indices[n, c, oh, ow]], one thread an element of y."""
    y = empty(indices.shape, x)
    arrays, areas = (contiguous(x), contiguous(indices), y), (prod(y.shape[2:]), prod(x.shape[2:]))
    launch_each("pooling.cu", "gather", y.size, *arrays, y.size, *areas)
    return y


def unpool(y: Array, indices: Array, size: Pair) -> Array:
    """x[n, c, indices[n, c, oh, ow]] += y[n, c, oh, ow], one block a plane; no float atomics."""
    x = empty((*y.shape[:2], *size), y)
    last, following = (empty(x.shape, x, np.int32) for _ in range(2))
    arrays = (contiguous(y), contiguous(indices), x, last, following)
    pixels, area = prod(y.shape[2:]), prod(size)
    if pixels > LARGEST:
        raise ValueError(f"a GPU unpools up to {LARGEST} values a plane; got {pixels}")
    launch_planes("pooling.cu", "unpool", prod(y.shape[:2]), *arrays, pixels, area)
    return x
