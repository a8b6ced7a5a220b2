"""Sums in a fixed order: over the pixels of each channel, and over parts."""

from __future__ import annotations

from math import prod

from minifcn.backend import Array
from minifcn.kernels.gpu.launch import contiguous, empty, launch_each, launch_planes


def channel_sums(x: Array) -> Array:
    """y[c] = sum of x[n, c, h, w]: one block a plane, then the sum over the images."""
    return sum_parts(plane_sums(x))


def plane_sums(x: Array) -> Array:
    """y[n, c] = sum of x[n, c, h, w] over (h, w)."""
    y = empty(x.shape[:2], x)
    launch_planes("reductions.cu", "plane_sums", y.size, contiguous(x), y, prod(x.shape[2:]))
    return y


def sum_parts(parts: Array, divisor: float = 1.0) -> Array:
    """Sum over the first axis, divided by a number."""
    if len(parts) == 1 and divisor == 1:
        return parts[0]
    total = empty(parts.shape[1:], parts)
    sizes = (total.size, len(parts), float(divisor))
    launch_each("reductions.cu", "sum_parts", total.size, parts, total, *sizes)
    return total
