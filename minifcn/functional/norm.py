"""Batch normalisation."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np

from minifcn import kernels
from minifcn.backend import Array
from minifcn.functional.activation import ACTIVATIONS
from minifcn.functional.arguments import check_tensors
from minifcn.kernels import checks
from minifcn.tensor import Tensor, is_grad_enabled, record

_AXES = (0, 2, 3)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    activation: str | None = None,
) -> Tensor:
    """Normalise each channel: (x - mean) / sqrt(var + eps) * weight + bias.

    In training, mean and (biased) variance are those of the batch, over N, H and W, and the
    running ones move towards them in place: r += momentum * (batch - r), with the unbiased
    variance. Otherwise the running ones are used; without any, those of the batch.

    Args:
        input: (N, C, H, W).
        running_mean: (C,), or None.
        running_var: (C,), or None.
        weight: (C,), or None for 1.
        bias: (C,), or None for 0.
        training: whether to use the batch's own statistics.
        momentum: how fast the running statistics move.
        eps: keeps the division finite.
        activation: 'relu' or 'relu6', to be applied in the same pass over memory; or None.

    Raises:
        ValueError: a misshaped argument, an unknown activation, or a single value a channel in
            training.

    Source: Ioffe and Szegedy (2015), Batch Normalization, algorithm 1.
    """
    check_tensors(4, input=input)
    c = input.shape[1]
    named = {"weight": weight, "bias": bias, "running_mean": running_mean,
             "running_var": running_var}  # fmt: skip
    for name, value in named.items():
        if value is not None:
            check_tensors(**{"input": input, name: value})
            checks.check_shape(value.data, (c,), name)
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var go together; got only one of them")
    if weight is None:
        weight = Tensor(np.ones_like(input.data, shape=c))
    if bias is None:
        bias = Tensor(np.zeros_like(input.data, shape=c))
    if activation not in (None, *ACTIVATIONS):
        raise ValueError(
            f"activation must be one of {', '.join(ACTIVATIONS)}, or None; got {activation!r}"
        )
    if training or running_mean is None or running_var is None:
        y, mean, var = _by_batch(input, weight, bias, eps, activation)
        count = input.shape[0] * input.shape[2] * input.shape[3]
        _move(running_mean, mean, momentum)
        _move(running_var, var * (count / (count - 1)), momentum)
        return y
    # Copies: the running ones may move before backward.
    mean, var = running_mean.data.copy(), running_var.data.copy()
    return _normalise(input, weight, bias, eps, activation, mean, var)[0]


def _by_batch(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float, activation: str | None
) -> tuple[Tensor, Array, Array]:
    if x.shape[0] * x.shape[2] * x.shape[3] < 2:
        raise ValueError(f"input must have more than 1 value a channel in training; got {x.shape}")
    return _normalise(x, weight, bias, eps, activation)


def _normalise(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float,
    activation: str | None,
    mean: Array | None = None,
    var: Array | None = None,
) -> tuple[Tensor, Array, Array]:
    """Normalise with the statistics of the batch, or with these.

    With x^ the normalised input, M values a channel and < > the mean over them:
    dx = weight / std * (g - <g> - x^ <g x^>), dweight = sum g x^, dbias = sum g; with given
    statistics, dx = weight / std * g.
    """
    frozen = mean is not None
    limit, back = ACTIVATIONS[activation] if activation else (None, None)
    y, mean, var = kernels.batch_norm(x.data, weight.data, bias.data, eps, limit, mean, var)
    latest: list[Gradients] = []  # one kernel computes all three; backward asks one after another

    def gradients(g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if is_grad_enabled():
            inside = back(g, y) if back else g
            return _differentiable_gradients(inside, x, weight, eps, (mean, var) if frozen else ())
        if not (latest and latest[0].of is g):
            arrays = kernels.batch_norm_gradient(
                g.data,
                x.data,
                weight.data,
                mean,
                var,
                eps,
                None if limit is None else y,
                inf if limit is None else limit,
                frozen,
            )
            latest[:] = [Gradients(g, *map(Tensor, arrays))]
        return latest[0][1:]

    recorded = record(
        "batch_norm",
        y,
        (x, lambda g: gradients(g)[0]),
        (weight, lambda g: gradients(g)[1]),
        (bias, lambda g: gradients(g)[2]),
    )
    return recorded, mean, var


class Gradients(NamedTuple):
    """What batch normalisation sends back for the gradient `of` its output."""

    of: Tensor
    to_x: Tensor
    to_weight: Tensor
    to_bias: Tensor


def _differentiable_gradients(
    g: Tensor, x: Tensor, weight: Tensor, eps: float, given: tuple[Array, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients to x, weight and bias, as Tensors that remember how they were made.

    given: mean and variance, where they are not those of x.
    """
    mean, var = (Tensor(a.reshape((-1, 1, 1))) for a in given) if given else _statistics(x)
    std = (var + eps) ** 0.5
    xhat, to_x = (x - mean) / std, g
    if not given:
        to_x = g - g.mean(_AXES, keepdims=True) - xhat * (g * xhat).mean(_AXES, keepdims=True)
    return to_x * (weight.reshape((1, -1, 1, 1)) / std), (g * xhat).sum(_AXES), g.sum(_AXES)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    mean = x.mean(_AXES, keepdims=True)
    centred = x - mean
    return mean, (centred * centred).mean(_AXES, keepdims=True)


def _move(running: Tensor | None, batch: np.ndarray, momentum: float) -> None:
    if running is not None:
        running.data += momentum * (batch - running.data)
        running.changed()
