"""Max pooling, gather and unpool in NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache

import numpy as np

from minifcn.kernels import geometry
from minifcn.kernels.cpu.threads import planes, share
from minifcn.kernels.cpu.windows import strided_overlap
from minifcn.kernels.geometry import Pair

KEPT = 8
"""For so many sizes it is known where windows lie: a network meets the same few at each step."""


def max_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
    with_indices: bool = True,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the maximum of every window, and its flat index in the unpadded (H, W) plane."""
    size = x.shape[2:]
    window = (kernel_size, stride, padding, dilation)
    out = geometry.pool_output_pair(size, *window, ceil_mode)
    values = np.empty((*x.shape[:2], *out), x.dtype)
    indices = np.empty(values.shape, np.int64) if with_indices else None
    first = _first_inside(out, *window)
    start, steps = _window_starts(out, size, *window)
    taps = _pool_taps(out, size, *window)

    def work(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for pixels, best, *places in parts:
            best[...] = -np.inf
            if not places:
                for window, candidates in taps:
                    np.maximum(best[window], pixels[candidates], out=best[window])
                continue
            winner = _pool(pixels, best, taps, first)
            np.take(steps, winner, out=places[0], mode="clip")  # the mode that needs no buffer
            places[0] += start

    arrays = (x, values) if indices is None else (x, values, indices)
    share(work, planes(*arrays), 4 * x.size, multiplies=False)
    return values, indices


def _pool(x: np.ndarray, best: np.ndarray, taps: list, first: np.ndarray) -> np.ndarray:
    """Raise `best` to the maxima of planes x; return which element of each window has won.

    An element's number takes one byte, and the elements come in the order of their numbers: where
    the new one is better its number is the largest yet, so the winner is a maximum as well.
    Picking every other pixel is slow, and done once: the candidates are copied, then compared.
    """
    winner = np.empty(best.shape, np.min_scalar_type(len(taps)))
    winner[...] = first
    for tap, (window, pixels) in enumerate(taps):
        candidate = np.ascontiguousarray(x[pixels])
        better = (candidate > best[window]) * winner.dtype.type(tap)
        np.maximum(best[window], candidate, out=best[window])
        np.maximum(winner[window], better, out=winner[window])
    if np.isnan(best).any():  # a NaN is not larger than anything, but it wins
        for tap, (window, pixels) in enumerate(taps):
            np.copyto(winner[window], winner.dtype.type(tap), where=np.isnan(x[pixels]))
    return winner


@cache
def _pool_taps(
    out: Pair, size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> list[tuple[tuple, tuple]]:
    """For each kernel element: (index of the windows that it lies inside for, its pixels)."""
    taps = []
    for i, j in np.ndindex(*kernel_size):
        to_rows, rows = strided_overlap(out[0], size[0], stride[0], i * dilation[0] - padding[0])
        to_cols, cols = strided_overlap(out[1], size[1], stride[1], j * dilation[1] - padding[1])
        taps.append(((..., to_rows, to_cols), (..., rows, cols)))
    return taps


@lru_cache(KEPT)
def _window_starts(
    out: Pair, size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> tuple[np.ndarray, np.ndarray]:
    """Flat index of each window's first element, and the step from there to each element."""
    rows, columns = (
        geometry.window_starts(o, s, p) for o, s, p in zip(out, stride, padding, strict=True)
    )
    i, j = (geometry.window_starts(k, d, 0) for k, d in zip(kernel_size, dilation, strict=True))
    return rows[:, None] * size[1] + columns, (i[:, None] * size[1] + j).ravel()


@lru_cache(KEPT)
def _first_inside(
    out: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """The first element of each window that lies inside: the winner where all of it is -inf."""
    i, j = (
        (geometry.first_inside(o, s, p, d) - geometry.window_starts(o, s, p)) // d
        for o, s, p, d in zip(out, stride, padding, dilation, strict=True)
    )
    return i[:, None] * kernel_size[1] + j


def gather(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """y[n, c, oh, ow] = x[n, c, indices[n, c, oh, ow]], the index counting along rows."""
    y = np.empty(indices.shape, x.dtype)

    def work(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for pixels, places, values in parts:
            np.take(pixels.reshape(-1), _flat(places, pixels), out=values, mode="clip")

    share(work, planes(x, indices, y), 4 * y.size, multiplies=False)
    return y


def unpool(y: np.ndarray, indices: np.ndarray, size: Pair) -> np.ndarray:
    """x[n, c, indices[n, c, oh, ow]] += y[n, c, oh, ow]; zero where no index points."""
    x = np.empty((*y.shape[:2], *size), y.dtype)

    def work(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for values, places, pixels in parts:
            pixels[...] = 0
            # On flat arrays, and only there, np.add.at is as fast as an assignment.
            np.add.at(pixels.reshape(-1), _flat(places, pixels).reshape(-1), values.reshape(-1))

    share(work, planes(y, indices, x), 4 * x.size, multiplies=False)
    return x


def _flat(indices: np.ndarray, planes: np.ndarray) -> np.ndarray:
    """Turn indices within each of the planes (P, H, W) into indices of the whole flat array."""
    count, h, w = planes.shape
    return indices + np.arange(count, dtype=np.int64).reshape(count, 1, 1) * (h * w)
