"""The steps of the optimisers, each one launch a parameter; in place."""

from __future__ import annotations

from minifcn.backend import Array
from minifcn.kernels.gpu.launch import contiguous, launch_each


def sgd_update(
    parameter: Array,
    gradient: Array,
    velocity: Array,
    lr: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """Step: g = gradient + weight_decay * p; v = momentum * v + g; p -= lr * v."""
    arrays = (parameter, contiguous(gradient), velocity)
    settings = map(float, (lr, momentum, weight_decay))
    launch_each("updates.cu", "sgd_update", parameter.size, *arrays, parameter.size, *settings)


def adam_update(
    parameter: Array,
    gradient: Array,
    mean: Array,
    square: Array,
    steps: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> None:
    """Move m and v towards g and g^2; p -= lr * m^ / (sqrt(v^) + eps)."""
    arrays = (parameter, contiguous(gradient), mean, square)
    rates, start = (1 - beta for beta in betas), (1 - beta**steps for beta in betas)
    settings = map(float, (lr, *rates, eps, weight_decay, *start))
    launch_each("updates.cu", "adam_update", parameter.size, *arrays, parameter.size, *settings)
