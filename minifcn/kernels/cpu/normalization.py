"""Batch normalisation in NumPy, a few channels at a time: all that is done to them, in the cache.

The numbers of some channels, of all images, are read from memory once: their mean, their variance
and the result are computed while they are in the cache of a core.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, prod
from typing import TypeAlias

import numpy as np

from minifcn.kernels.cpu.pointwise import keep_inside
from minifcn.kernels.cpu.threads import share

WORK_ELEMENTS = 2**17
"""About so many numbers are worked on at a time: some channels of all images, or of some."""

FEWEST_TASKS = 4
"""Where there are as many channels: so that threads that take them end at about the same time."""

Task: TypeAlias = tuple[slice, list[slice]]
"""Some channels, and the images to take at a time."""

LONG_ROW = 1024
"""Sums of more numbers than this are summed row by row first, to lose less in rounding."""


def batch_norm(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
    limit: float | None = None,
    mean: np.ndarray | None = None,
    var: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normalise: y = (x - mean) / sqrt(var + eps) * weight + bias a channel; y, mean and var.

    The variance sums squares around the mean: <x^2> - <x>^2 would cancel.
    """
    y = np.empty(x.shape, x.dtype)
    given = mean is not None and var is not None
    means, variances = np.empty_like(weight), np.empty_like(weight)
    if mean is not None and var is not None:
        means[...], variances[...] = mean, var
    count = max(1, x[:, :1].size)

    def work(tasks: Iterator[Task]) -> None:
        for some, parts in tasks:
            views = [(_by_channel(x[n, some]), _by_channel(y[n, some])) for n in parts]
            if not given:
                means[some] = sum(_sums(images) for images, _ in views) / count
            centred = [_subtract(images, means[some]) for images, _ in views]
            if not given:
                variances[some] = sum(_products(part, part) for part in centred) / count
            scale = _each(weight[some] / np.sqrt(variances[some] + eps))
            for part, (_, result) in zip(centred, views, strict=True):
                part *= scale
                if limit is None:
                    np.add(part, _each(bias[some]), out=result)
                else:
                    part += _each(bias[some])
                    np.clip(part, 0, limit, out=result)

    share(work, _tasks(x), 4 * x.size, multiplies=False)
    return y, means, variances


def batch_norm_gradient(
    gradient: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    eps: float,
    y: np.ndarray | None = None,
    limit: float = inf,
    frozen: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Send back weight / std * (g - <g> - x^ <g x^>), sum of g x^, and sum of g."""
    to_x, to_weight, to_bias = np.empty(x.shape, x.dtype), np.empty_like(mean), np.empty_like(mean)
    count = max(1, x[:, :1].size)

    def work(tasks: Iterator[Task]) -> None:
        for some, parts in tasks:
            kept = [_by_channel(gradient[n, some]) for n in parts]
            if y is not None:
                results = (_by_channel(y[n, some]) for n in parts)
                kept = [keep_inside(g, r, limit) for g, r in zip(kept, results, strict=True)]
            centred = [_subtract(_by_channel(x[n, some]), mean[some]) for n in parts]
            std = np.sqrt(var[some] + eps)
            to_bias[some] = sum(map(_sums, kept))
            to_weight[some] = sum(map(_products, kept, centred)) / std
            slope, shift = -to_weight[some] / (std * count), -to_bias[some] / count
            for n, g, part in zip(parts, kept, centred, strict=True):
                if not frozen:
                    part *= _each(slope)
                    part += g
                    part += _each(shift)
                send = g if frozen else part
                np.multiply(send, _each(weight[some] / std), out=_by_channel(to_x[n, some]))

    share(work, _tasks(x), 6 * x.size, multiplies=False)
    return to_x, to_weight, to_bias


def _tasks(x: np.ndarray) -> list[Task]:
    """Cut x into parts of about WORK_ELEMENTS numbers: channels, and if need be images."""
    n, c = x.shape[:2]
    plane = max(1, prod(x.shape[2:]))
    channels = max(1, min(WORK_ELEMENTS // (plane * max(1, n)), c // FEWEST_TASKS))
    images = max(1, WORK_ELEMENTS // (plane * channels))
    parts = [slice(i, i + images) for i in range(0, n, images)]
    return [(slice(i, i + channels), parts) for i in range(0, c, channels)]


def _by_channel(x: np.ndarray) -> np.ndarray:
    """(N, C, H, W) as a view (C, N, H, W)."""
    return x.swapaxes(0, 1)


def _subtract(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Subtract one number a channel from a view (C, N, H, W), into an array of that order."""
    return np.subtract(x, _each(values), out=np.empty(x.shape, x.dtype))


def _each(values: np.ndarray) -> np.ndarray:
    return values[:, None, None, None]


def _sums(x: np.ndarray) -> np.ndarray:
    """Sum over all but the first axis of x (C, N, H, W)."""
    return np.einsum("cnhw->cnh", _rows(x)).sum((1, 2))  # three times as fast as sum


def _products(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sum x * y over all but the first axis of two arrays (C, N, H, W)."""
    return np.einsum("cnhw,cnhw->cnh", _rows(x), _rows(y)).sum((1, 2))


def _rows(x: np.ndarray) -> np.ndarray:
    """Take each image of few pixels as one row: sums of many short rows are slow."""
    pixels = prod(x.shape[2:])
    return x if pixels > LONG_ROW else x.reshape(*x.shape[:2], 1, pixels)
