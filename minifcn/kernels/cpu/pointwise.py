"""Kernels that compute each pixel by itself: relu, sums over pixels, and softmax cross-entropy."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import numpy as np

from minifcn.kernels.cpu.threads import chunks, planes, share


def relu(x: np.ndarray) -> np.ndarray:
    """Return max(x, 0)."""
    y = np.empty(x.shape, x.dtype)

    def work(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for values, result in parts:
            np.maximum(values, np.zeros_like(values), out=result)

    share(work, chunks(x, y), x.size, multiplies=False)
    return y


def relu_in_place(x: np.ndarray) -> None:
    """Change x to max(x, 0): with an array of zeros, as NumPy vectorises that and no number."""
    np.maximum(x, np.zeros(x.shape[-1:], x.dtype), out=x)


def relu_gradient(gradient: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Keep the gradient where y = relu(x) is positive, 0 elsewhere.

    All bits of a number are kept, or none: a product would turn infinity times 0 into NaN.
    """
    result = np.empty(y.shape, y.dtype)

    def work(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for upstream, values, kept in parts:
            keep_inside(upstream, values, inf, kept)

    share(work, chunks(gradient, y, result), y.size, multiplies=False)
    return result


def keep_inside(
    x: np.ndarray, y: np.ndarray, limit: float, out: np.ndarray | None = None
) -> np.ndarray:
    """Keep x where 0 < y < limit, all bits of it, and 0 elsewhere."""
    inside = y > 0
    if limit < inf:
        inside &= y < limit
    kept = np.empty(y.shape, y.dtype) if out is None else out
    mask = np.negative(inside.view(np.int8))  # -1 has all bits set
    bits = np.dtype(f"i{y.itemsize}")
    np.bitwise_and(x.view(bits), mask, out=kept.view(bits))
    return kept


def relu6(x: np.ndarray) -> np.ndarray:
    """Return min(max(x, 0), 6)."""
    y = np.empty(x.shape, x.dtype)

    def work(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for values, result in parts:
            np.clip(values, 0, 6, out=result)

    share(work, chunks(x, y), x.size, multiplies=False)
    return y


def relu6_gradient(gradient: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Keep the gradient where y = relu6(x) is between 0 and 6, 0 elsewhere."""
    result = np.empty(y.shape, y.dtype)

    def work(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for upstream, values, kept in parts:
            keep_inside(upstream, values, 6, kept)

    share(work, chunks(gradient, y, result), y.size, multiplies=False)
    return result


def channel_sums(x: np.ndarray) -> np.ndarray:
    """y[c] = sum over (n, h, w) of x[n, c, h, w]: the adjoint of adding a bias."""
    rows = np.empty((*x.shape[:3], 1), x.dtype)

    def work(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for images, sums in parts:
            np.einsum("phw->ph", images, out=sums[..., 0])  # three times as fast as sum(2)

    share(work, planes(x, rows), x.size, multiplies=False)
    return rows.sum((0, 2, 3))


def cross_entropy(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log(sum over c of exp(x[n, c, h, w])) - x[n, label, h, w], and that logarithm."""
    losses, logs = np.empty(labels.shape, x.dtype), np.empty(labels.shape, x.dtype)

    def work(images: Iterator[int]) -> None:
        for n in images:
            largest = x[n].max(0)
            exponentials = x[n] - largest
            np.exp(exponentials, out=exponentials)
            np.log(exponentials.sum(0), out=logs[n])
            logs[n] += largest
            np.subtract(logs[n], x[n].reshape(-1)[_of_labels(labels[n])], out=losses[n])

    share(work, range(len(x)), 8 * x.size, multiplies=False)
    return losses, logs


def cross_entropy_gradient(
    x: np.ndarray, labels: np.ndarray, logs: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """scale[n, h, w] * (softmax(x)[n, c, h, w] - (1 where c is the label, else 0))."""
    result = np.empty(x.shape, x.dtype)

    def work(images: Iterator[int]) -> None:
        for n in images:
            out = result[n]
            np.subtract(x[n], logs[n], out=out)
            np.exp(out, out=out)
            # On a flat array, and only there, ufunc.at is faster than -= at an index.
            np.subtract.at(out.reshape(-1), _of_labels(labels[n]).reshape(-1), out.dtype.type(1))
            out *= scale[n]

    share(work, range(len(x)), 8 * x.size, multiplies=False)
    return result


def _of_labels(labels: np.ndarray) -> np.ndarray:
    """Where the scores (C, H, W) of the labels (H, W) are in one flat array."""
    pixels = np.arange(labels.size, dtype=np.int64).reshape(labels.shape)
    return labels * labels.size + pixels
