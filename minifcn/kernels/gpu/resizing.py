"""Resizing, nearest and bilinear, and its adjoint: one thread a pixel of the result."""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.kernels.geometry import Pair
from minifcn.kernels.gpu.launch import contiguous, empty, launch_each, struct

AXIS = np.dtype(
    [
        ("step", np.float64),
        *((name, np.int32) for name in ("size", "out", "nearest", "align_corners", "exact")),
    ],
    align=True,
)
"""struct Axis of cuda/resizing.cu."""


def resize(
    x: Array, size: Pair, steps: tuple[float, float], mode: str, align_corners: bool
) -> Array:
    """Each pixel of y is a weighted sum of at most four pixels of x."""
    y = empty((*x.shape[:2], *size), x)
    axes = _axes(x.shape[2:], size, steps, mode, align_corners)
    launch_each("resizing.cu", "resize", y.size, contiguous(x), y, y.size, *axes)
    return y


def resize_adjoint(
    y: Array, size: Pair, steps: tuple[float, float], mode: str, align_corners: bool
) -> Array:
    """Each pixel of x collects from the pixels of y that it had a share in."""
    x = empty((*y.shape[:2], *size), y)
    axes = _axes(size, y.shape[2:], steps, mode, align_corners)
    launch_each("resizing.cu", "resize_adjoint", x.size, contiguous(y), x, x.size, *axes)
    return x


def _axes(
    size: Pair, out: Pair, steps: tuple[float, float], mode: str, align_corners: bool
) -> list[np.ndarray]:
    nearest = mode == "nearest"
    return [
        struct(AXIS, step, n, o, nearest, align_corners, step == n / max(o, 1))
        for n, o, step in zip(size, out, steps, strict=True)
    ]
