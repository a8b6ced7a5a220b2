"""Depthwise convolutions: every channel by itself, one thread a number (see cuda/depthwise.cu)."""

from __future__ import annotations

from math import prod

from minifcn.backend import Array
from minifcn.kernels import geometry
from minifcn.kernels.geometry import Pair
from minifcn.kernels.gpu.launch import contiguous, empty, launch_each, launch_planes, windows

FILE = "depthwise.cu"


def conv2d(
    x: Array,
    weight: Array,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    bias: Array | None,
    rectify: bool,
) -> Array:
    """y[n, c, oh, ow] = bias[c] + sum of weight[c, 0, i, j] * x[n, c, h, w]; then relu."""
    settings = (weight.shape[2:], stride, padding, dilation)
    y = empty((*x.shape[:2], *geometry.output_pair(x.shape[2:], *settings)), x)
    where = windows(x.shape[2:], y.shape[2:], *settings)
    arrays = (contiguous(x), contiguous(weight), None if bias is None else contiguous(bias), y)
    sizes = (y.size, x.shape[1], where, bool(rectify))
    launch_each(FILE, "depthwise_conv2d", y.size, *arrays, *sizes)
    return y


def conv_transpose2d(
    y: Array, weight: Array, size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """x[n, c, h, w] = sum of weight[c, 0, i, j] * y[n, c, oh, ow]; x has this size."""
    x = empty((*y.shape[:2], *size), y)
    where = windows(size, y.shape[2:], weight.shape[2:], stride, padding, dilation)
    arrays = (contiguous(y), contiguous(weight), x)
    sizes = (x.size, y.shape[1], where)
    launch_each(FILE, "depthwise_conv_transpose2d", x.size, *arrays, *sizes)
    return x


def conv2d_weight(x: Array, y: Array, kernel_size: Pair, *settings: Pair) -> Array:
    """weight[c, 0, i, j] = sum of x[n, c, h, w] * y[n, c, oh, ow] over the pixels of y."""
    weight = empty((x.shape[1], 1, *kernel_size), x)
    where = windows(x.shape[2:], y.shape[2:], kernel_size, *settings)
    arrays = (contiguous(x), contiguous(y), weight)
    sizes = (*x.shape[:2], where)
    launch_planes(FILE, "depthwise_conv2d_weight", prod(weight.shape), *arrays, *sizes)
    return weight
