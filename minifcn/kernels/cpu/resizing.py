"""Resizing and its adjoint in NumPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minifcn.kernels import geometry
from minifcn.kernels.cpu.threads import planes, share
from minifcn.kernels.geometry import Pair


def resize(
    x: np.ndarray, size: Pair, steps: tuple[float, float], mode: str, align_corners: bool
) -> np.ndarray:
    """Resize (N, C, H, W) to (N, C, *size): rows first, then columns, since it is separable."""
    y = np.empty((*x.shape[:2], *size), x.dtype)

    def work(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for pixels, result in parts:
            rows = _resize_axis(pixels, 1, size[0], steps[0], mode, align_corners)
            result[...] = _resize_axis(rows, 2, size[1], steps[1], mode, align_corners)

    share(work, planes(x, y), 4 * y.size, multiplies=False)
    return y


def _resize_axis(
    x: np.ndarray, axis: int, out: int, step: float, mode: str, align_corners: bool
) -> np.ndarray:
    """Resize one axis of planes (P, H, W)."""
    n = x.shape[axis]
    if mode == "nearest":
        return x.take(geometry.nearest_positions(n, out, step), axis)
    position = geometry.source_positions(n, out, step, align_corners)
    low = position.astype(np.int64)
    part = (position - low).astype(x.dtype)
    part = part[:, None] if axis == 1 else part
    return x.take(low, axis) * (1 - part) + x.take(np.minimum(low + 1, n - 1), axis) * part


def resize_adjoint(
    y: np.ndarray, size: Pair, steps: tuple[float, float], mode: str, align_corners: bool
) -> np.ndarray:
    """Send (N, C, OH, OW) back to (N, C, *size): with resize = R_h x R_w^T, R_h^T y R_w."""
    rows, columns = (
        _resize_matrix(size[a], y.shape[2 + a], steps[a], mode, align_corners, y.dtype)
        for a in (0, 1)
    )
    x = np.empty((*y.shape[:2], *size), y.dtype)

    def work(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for pixels, result in parts:
            np.matmul(rows.T @ pixels, columns, out=result)

    share(work, planes(y, x), y.size)
    return x


def _resize_matrix(
    size: int, out: int, step: float, mode: str, align_corners: bool, dtype: np.dtype
) -> np.ndarray:
    """The matrix (out, size) that resizes along one axis: the resized identity."""
    identity = np.eye(size, dtype=dtype)[None]
    return _resize_axis(identity, 1, out, step, mode, align_corners)[0]
