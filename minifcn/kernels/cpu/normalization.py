"""Batch normalisation with the statistics of the batch, and its gradient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minifcn.kernels.cpu.pointwise import channel_sums
from minifcn.kernels.cpu.threads import planes, share


def batch_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normalise: y = (x - mean) / sqrt(var + eps) * weight + bias a channel; y, mean and var.

    The variance sums squares around the mean: <x^2> - <x>^2 would cancel.
    """
    count = x[:, :1].size
    mean = channel_sums(x) / count
    squares, y = np.empty((*x.shape[:2], x.shape[2]), x.dtype), np.empty(x.shape, x.dtype)

    def centre(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for images, middle, centred, sums in parts:
            np.subtract(images, middle, out=centred)
            np.einsum("phw,phw->ph", centred, centred, out=sums)

    share(centre, planes(x, _each_image(mean, x), y, squares), 2 * x.size)
    var = squares.sum((0, 2)) / count
    scale = weight / np.sqrt(var + eps)

    def stretch(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for centred, factor, shift in parts:
            centred *= factor
            centred += shift

    share(stretch, planes(y, _each_image(scale, x), _each_image(bias, x)), 2 * x.size)
    return y, mean, var


def batch_norm_gradient(
    gradient: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    eps: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Send back weight / std * (g - <g> - x^ <g x^>), sum of g x^, and sum of g."""
    count, std = max(1, x[:, :1].size), np.sqrt(var + eps)
    products, to_x = np.empty(x.shape[:3], x.dtype), np.empty(x.shape, x.dtype)

    def centre(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for upstream, images, middle, centred, sums in parts:
            np.subtract(images, middle, out=centred)
            np.einsum("phw,phw->ph", upstream, centred, out=sums)

    share(centre, planes(gradient, x, _each_image(mean, x), to_x, products), 2 * x.size)
    to_bias, to_weight = channel_sums(gradient), products.sum((0, 2)) / std
    slope, shift = -to_weight / (std * count), -to_bias / count

    def combine(parts: Iterator[tuple[np.ndarray, ...]]) -> None:
        for upstream, result, a, b, factor in parts:
            result *= a
            result += upstream
            result += b
            result *= factor

    channels = (_each_image(values, x) for values in (slope, shift, weight / std))
    share(combine, planes(gradient, to_x, *channels), 4 * x.size)
    return to_x, to_weight, to_bias


def _each_image(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    """One number a channel as (N, C, 1, 1), to be cut into planes with x."""
    return np.tile(values, len(x)).reshape(*x.shape[:2], 1, 1)
