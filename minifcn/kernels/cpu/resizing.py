"""Resizing and its adjoint in NumPy."""

from __future__ import annotations

import numpy as np

from minifcn.kernels import geometry
from minifcn.kernels.geometry import Pair


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
