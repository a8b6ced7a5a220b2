"""The steps of the optimisers, in place, a part of the arrays at a time."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import numpy as np

from minifcn.kernels.cpu.threads import chunks, share

Parts = tuple[np.ndarray, ...]


def sgd_update(
    parameter: np.ndarray,
    gradient: np.ndarray,
    velocity: np.ndarray,
    lr: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """Step: g = gradient + weight_decay * p; v = momentum * v + g; p -= lr * v."""

    def work(parts: Iterator[Parts]) -> None:
        for p, g, v in parts:
            v *= momentum
            v += _decayed(p, g, weight_decay)
            p -= lr * v

    share(work, _parts(parameter, gradient, velocity), 6 * parameter.size, multiplies=False)


def adam_update(
    parameter: np.ndarray,
    gradient: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    steps: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> None:
    """Move m and v towards g and g^2; p -= lr * m^ / (sqrt(v^) + eps).

    What is the same for all elements is computed once: m^ / (sqrt(v^) + eps) is
    m / (sqrt(v) + eps * r) * r / (1 - beta1^steps), with r = sqrt(1 - beta2^steps).
    """
    root = sqrt(1 - betas[1] ** steps)
    rate = lr * root / (1 - betas[0] ** steps)

    def work(parts: Iterator[Parts]) -> None:
        for p, g, m, v in parts:
            g = _decayed(p, g, weight_decay)
            change = np.subtract(g, m)
            change *= 1 - betas[0]
            m += change
            np.multiply(g, g, out=change)
            change -= v
            change *= 1 - betas[1]
            v += change
            np.sqrt(v, out=change)
            change += eps * root
            np.divide(m, change, out=change)
            change *= rate
            p -= change

    share(work, _parts(parameter, gradient, mean, square), 12 * parameter.size, multiplies=False)


def _parts(*arrays: np.ndarray) -> list[Parts]:
    """Parts to work on at a time; all at once where parts would be copies of a changed array."""
    contiguous = all(array.flags.c_contiguous for array in arrays)
    return chunks(*arrays) if contiguous else [arrays]


def _decayed(parameter: np.ndarray, gradient: np.ndarray, weight_decay: float) -> np.ndarray:
    return gradient + weight_decay * parameter if weight_decay else gradient
