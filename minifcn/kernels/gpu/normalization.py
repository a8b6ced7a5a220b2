"""Batch normalisation, and its gradient."""

from __future__ import annotations

from math import inf, prod

from minifcn.backend import Array
from minifcn.kernels.gpu.launch import contiguous, empty, launch_each, launch_planes
from minifcn.kernels.gpu.reductions import plane_sums, sum_parts

FILE = "normalization.cu"


def batch_norm(
    x: Array,
    weight: Array,
    bias: Array,
    eps: float,
    limit: float | None = None,
    mean: Array | None = None,
    var: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Statistics with one block a plane, then y with one thread a number; y, mean, var."""
    x, y = contiguous(x), empty(x.shape, x)
    if mean is None or var is None:
        mean, var = _statistics(x)
    else:
        mean, var = mean.copy(), var.copy()
    arrays = (x, mean, var, contiguous(weight), contiguous(bias), y)
    sizes = (x.size, x.shape[1], prod(x.shape[2:]))
    clip = (limit is not None, inf if limit is None else float(limit))
    launch_each(FILE, "normalize", x.size, *arrays, *sizes, float(eps), *clip)
    return y, mean, var


def _statistics(x: Array) -> tuple[Array, Array]:
    (images, channels), pixels = x.shape[:2], prod(x.shape[2:])
    squares, mean = empty(x.shape[:2], x), sum_parts(plane_sums(x), images * pixels)
    launch_planes(FILE, "plane_squares", squares.size, x, mean, squares, channels, pixels)
    return mean, sum_parts(squares, images * pixels)


def batch_norm_gradient(
    gradient: Array,
    x: Array,
    weight: Array,
    mean: Array,
    var: Array,
    eps: float,
    y: Array | None = None,
    limit: float = inf,
    frozen: bool = False,
) -> tuple[Array, Array, Array]:
    """Sums with one block a plane, then to_x with one thread a number; to_x, _weight, _bias."""
    gradient, x, weight, mean, var = map(contiguous, (gradient, x, weight, mean, var))
    y = None if y is None else contiguous(y)
    (images, channels), pixels, floats = x.shape[:2], prod(x.shape[2:]), (float(eps), float(limit))
    to_x, sums = empty(x.shape, x), empty((images, 2, channels), x)
    given = (gradient, x, mean, var, y, sums)
    launch_planes(FILE, "batch_norm_sums", images * channels, *given, channels, pixels, *floats)
    to_weight, to_bias = sum_parts(sums)
    arrays = (gradient, x, weight, mean, var, to_weight, to_bias, y, to_x)
    sizes = (x.size, channels, pixels, 0 if frozen else images * pixels)
    launch_each(FILE, "batch_norm_gradient", x.size, *arrays, *sizes, *floats)
    return to_x, to_weight, to_bias
