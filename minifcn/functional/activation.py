"""Nonlinearities, softmax and dropout."""

from __future__ import annotations

from math import inf

import numpy as np

from minifcn import kernels
from minifcn.backend import Array, library
from minifcn.functional.arguments import check_dim, check_tensors
from minifcn.tensor import Tensor, record


def relu(input: Tensor) -> Tensor:
    """Keep what is positive: max(x, 0). The gradient at 0 is 0."""
    check_tensors(input=input)
    return record_relu(input, kernels.relu(input.data))


def record_relu(x: Tensor, y: Array) -> Tensor:
    """Record that y is relu(x); y may be the array of x itself, which has had relu applied."""
    return record("relu", y, (x, lambda g: _relu_gradient(g, y)))


def _relu_gradient(x: Tensor, y: Array) -> Tensor:
    data = kernels.relu_gradient(x.data, y)
    return record("relu_gradient", data, (x, lambda g: _relu_gradient(g, y)))


def relu6(input: Tensor) -> Tensor:
    """Keep what is between 0 and 6: min(max(x, 0), 6). The gradients at 0 and 6 are 0."""
    check_tensors(input=input)
    y = kernels.relu6(input.data)
    return record("relu6", y, (input, lambda g: _relu6_gradient(g, y)))


def _relu6_gradient(x: Tensor, y: Array) -> Tensor:
    data = kernels.relu6_gradient(x.data, y)
    return record("relu6_gradient", data, (x, lambda g: _relu6_gradient(g, y)))


ACTIVATIONS = {"relu": (inf, _relu_gradient), "relu6": (6.0, _relu6_gradient)}
"""What an operation can apply to its result y in the same pass over memory: the largest value that
it leaves, and how a gradient goes back through it, given y."""


def sigmoid(input: Tensor) -> Tensor:
    """Squash into (0, 1): 1 / (1 + e^-x), computed without overflow."""
    check_tensors(input=input)
    decay = np.exp(-np.abs(input.data))  # in (0, 1], whatever the sign
    data = np.where(input.data >= 0, 1, decay) / (1 + decay)

    def gradient(g: Tensor) -> Tensor:
        y = sigmoid(input)
        return g * y * (1 - y)

    return record("sigmoid", data, (input, gradient))


def softmax(input: Tensor, dim: int) -> Tensor:
    """Turn scores into probabilities along an axis: e^x_i / sum over j of e^x_j."""
    check_tensors(input=input)
    check_dim(dim, input.ndim)
    data = np.exp(input.data - input.data.max(dim, keepdims=True))
    data /= data.sum(dim, keepdims=True)

    def gradient(g: Tensor) -> Tensor:
        y = softmax(input, dim)
        return y * (g - (g * y).sum(dim, keepdims=True))

    return record("softmax", data, (input, gradient))


def log_softmax(input: Tensor, dim: int) -> Tensor:
    """Take the logarithm of softmax, x_i - log(sum over j of e^x_j), exact for large scores too."""
    check_tensors(input=input)
    check_dim(dim, input.ndim)
    data = input.data - input.data.max(dim, keepdims=True)
    data -= np.log(np.exp(data).sum(dim, keepdims=True))
    return record(
        "log_softmax",
        data,
        (input, lambda g: g - softmax(input, dim) * g.sum(dim, keepdims=True)),
    )


def dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Set each element to 0 with probability p, and divide the others by 1 - p.

    Without `training` the input is returned as it is. The generator decides which elements.

    Raises:
        ValueError: p outside [0, 1], or no generator where one is needed.

    Source: Srivastava et al. (2014), Dropout.
    """
    check_tensors(input=input)
    return _dropout(input, input.shape, p, training, generator)


def dropout2d(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Like dropout, for whole channels of (N, C, H, W) at a time (Tompson et al. 2015)."""
    check_tensors(4, input=input)
    return _dropout(input, (*input.shape[:2], 1, 1), p, training, generator)


def _dropout(
    x: Tensor,
    shape: tuple[int, ...],
    p: float,
    training: bool,
    generator: np.random.Generator | None,
) -> Tensor:
    if not 0 <= p <= 1:
        raise ValueError(f"p must be between 0 and 1; got {p}")
    if not training or p == 0:
        return x
    if not isinstance(generator, np.random.Generator):
        raise ValueError(f"generator must be a numpy.random.Generator in training; got {generator}")
    kept = generator.random(shape) >= p
    factor = kept / (1 - p) if p < 1 else np.zeros(shape)
    return x * Tensor(library(x.data).asarray(factor, dtype=x.dtype))
