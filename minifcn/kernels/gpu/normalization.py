"""Batch normalisation with the statistics of the batch, and its gradient."""

from __future__ import annotations

from math import prod

from minifcn.backend import Array
from minifcn.kernels.gpu.launch import contiguous, empty, launch_each, launch_each_channel

FILE = "normalization.cu"


def batch_norm(x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, Array, Array]:
    """Statistics with one block a channel, then y with one thread a number; y, mean, var."""
    x, y = contiguous(x), empty(x.shape, x)
    mean, var = empty(weight.shape, x), empty(weight.shape, x)
    channels, pixels = x.shape[1], prod(x.shape[2:])
    launch_each_channel(FILE, "batch_moments", channels, x, mean, var, len(x), pixels)
    arrays = (x, mean, var, contiguous(weight), contiguous(bias), y)
    launch_each(FILE, "normalize", x.size, *arrays, x.size, channels, pixels, float(eps))
    return y, mean, var


def batch_norm_gradient(
    gradient: Array, x: Array, weight: Array, mean: Array, var: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Sums with one block a channel, then to_x with one thread a number; to_x, _weight, _bias."""
    gradient, x, weight, mean, var = map(contiguous, (gradient, x, weight, mean, var))
    to_x, to_weight, to_bias = (empty(a.shape, x) for a in (x, weight, weight))
    images, channels, pixels, eps = len(x), x.shape[1], prod(x.shape[2:]), float(eps)
    sums = (mean, var, to_weight, to_bias)
    launch_each_channel(FILE, "batch_norm_sums", channels, gradient, x, *sums, images, pixels, eps)
    arrays, sizes = (gradient, x, weight, *sums, to_x), (x.size, channels, pixels, images * pixels)
    launch_each(FILE, "batch_norm_gradient", x.size, *arrays, *sizes, eps)
    return to_x, to_weight, to_bias
