"""Kernels that compute each pixel by itself: relu, sums over pixels, and softmax cross-entropy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from minifcn.kernels.cpu.threads import share

CHUNK = 2**18
"""Elements that are worked on at a time, in the cache."""


def relu(x: np.ndarray) -> np.ndarray:
    """Return max(x, 0)."""
    y = np.empty(x.shape, x.dtype)

    def work(chunks: Iterator[tuple[np.ndarray, ...]]) -> None:
        for values, result in chunks:
            np.maximum(values, np.zeros_like(values), out=result)

    share(work, _chunks(x, y), x.size)
    return y


def relu_in_place(x: np.ndarray) -> None:
    """Change x to max(x, 0): with an array of zeros, as NumPy vectorises that and no number."""
    np.maximum(x, np.zeros(x.shape[-1:], x.dtype), out=x)


def relu_gradient(gradient: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient where y = relu(x) is positive, 0 elsewhere."""
    result = np.empty(y.shape, y.dtype)

    def work(chunks: Iterator[tuple[np.ndarray, ...]]) -> None:
        for upstream, values, out in chunks:
            np.multiply(upstream, values > 0, out=out)

    share(work, _chunks(gradient, y, result), y.size)
    return result


def _chunks(*arrays: np.ndarray) -> Sequence[tuple[np.ndarray, ...]]:
    """Cut arrays of one shape into flat parts of CHUNK elements; the last is written to."""
    flat = [array.reshape(-1) for array in arrays]
    starts = range(0, flat[0].size, CHUNK)
    return [tuple(part[start : start + CHUNK] for part in flat) for start in starts]


def channel_sums(x: np.ndarray) -> np.ndarray:
    """y[c] = sum over (n, h, w) of x[n, c, h, w]: the adjoint of adding a bias."""
    sums = np.empty(x.shape[:2], x.dtype)

    def work(images: Iterator[slice]) -> None:
        for some in images:
            np.einsum("nchw->nc", x[some], out=sums[some])  # three times as fast as sum((2, 3))

    share(work, _some_images(x), x.size)
    return sums.sum(0)


def _some_images(x: np.ndarray) -> list[slice]:
    """Cut a batch into parts of about CHUNK elements."""
    count = max(1, CHUNK // max(1, x[:1].size))
    return [slice(n, n + count) for n in range(0, len(x), count)]


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
            np.subtract(logs[n], np.take_along_axis(x[n], labels[n][None], 0)[0], out=losses[n])

    share(work, range(len(x)), 8 * x.size)
    return losses, logs


def cross_entropy_gradient(
    x: np.ndarray, labels: np.ndarray, logs: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """scale[n, h, w] * (softmax(x)[n, c, h, w] - (1 where c is the label, else 0))."""
    result = np.empty(x.shape, x.dtype)

    def work(images: Iterator[int]) -> None:
        for n in images:
            out, pixels = result[n], np.arange(labels[n].size)
            np.subtract(x[n], logs[n], out=out)
            np.exp(out, out=out)
            out.reshape(len(out), -1)[labels[n].ravel(), pixels] -= 1
            out *= scale[n]

    share(work, range(len(x)), 8 * x.size)
    return result
