"""The steps of the optimisers, in place."""

from __future__ import annotations

import numpy as np


def sgd_update(
    parameter: np.ndarray,
    gradient: np.ndarray,
    velocity: np.ndarray,
    lr: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """Step: g = gradient + weight_decay * p; v = momentum * v + g; p -= lr * v."""
    velocity *= momentum
    velocity += _decayed(parameter, gradient, weight_decay)
    parameter -= lr * velocity


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
    """Move m and v towards g and g^2; p -= lr * m^ / (sqrt(v^) + eps)."""
    gradient = _decayed(parameter, gradient, weight_decay)
    mean += (1 - betas[0]) * (gradient - mean)
    square += (1 - betas[1]) * (gradient * gradient - square)
    corrected = np.sqrt(square / (1 - betas[1] ** steps)) + eps
    parameter -= lr / (1 - betas[0] ** steps) * mean / corrected


def _decayed(parameter: np.ndarray, gradient: np.ndarray, weight_decay: float) -> np.ndarray:
    return gradient + weight_decay * parameter if weight_decay else gradient
