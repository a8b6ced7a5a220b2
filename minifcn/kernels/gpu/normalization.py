"""Batch normalisation with the statistics of the batch, and its gradient."""

from __future__ import annotations

from math import prod

from minifcn.backend import Array
from minifcn.kernels.gpu.launch import contiguous, empty, launch_each, launch_planes
from minifcn.kernels.gpu.reductions import plane_sums, sum_parts

FILE = "normalization.cu"


def batch_norm(x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, Array, Array]:
    """Statistics with one block a plane, then y with one thread a number; y, mean, var."""
    x, y, squares = contiguous(x), empty(x.shape, x), empty(x.shape[:2], x)
    (images, channels), pixels = x.shape[:2], prod(x.shape[2:])
    mean = sum_parts(plane_sums(x), images * pixels)
    launch_planes(FILE, "plane_squares", squares.size, x, mean, squares, channels, pixels)
    var = sum_parts(squares, images * pixels)
    arrays = (x, mean, var, contiguous(weight), contiguous(bias), y)
    launch_each(FILE, "normalize", x.size, *arrays, x.size, channels, pixels, float(eps))
    return y, mean, var


def batch_norm_gradient(
    gradient: Array, x: Array, weight: Array, mean: Array, var: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Sums with one block a plane, then to_x with one thread a number; to_x, _weight, _bias."""
    gradient, x, weight, mean, var = map(contiguous, (gradient, x, weight, mean, var))
    (images, channels), pixels, eps = x.shape[:2], prod(x.shape[2:]), float(eps)
    to_x, sums = empty(x.shape, x), empty((images, 2, channels), x)
    given = (gradient, x, mean, var, sums)
    launch_planes(FILE, "batch_norm_sums", images * channels, *given, channels, pixels, eps)
    to_weight, to_bias = sum_parts(sums)
    arrays = (gradient, x, weight, mean, var, to_weight, to_bias, to_x)
    sizes = (x.size, channels, pixels, images * pixels)
    launch_each(FILE, "batch_norm_gradient", x.size, *arrays, *sizes, eps)
    return to_x, to_weight, to_bias
