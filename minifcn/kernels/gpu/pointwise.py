"""Kernels that compute each pixel by itself: relu, and softmax cross-entropy."""

from __future__ import annotations

from math import prod

from minifcn.backend import Array
from minifcn.kernels.gpu.launch import contiguous, empty, launch_each


def relu(x: Array) -> Array:
    """max(x, 0), one thread a number."""
    y = empty(x.shape, x)
    launch_each("pointwise.cu", "relu", x.size, contiguous(x), y, x.size)
    return y


def relu_gradient(gradient: Array, y: Array) -> Array:
    """The gradient where y = relu(x) is positive, 0 elsewhere; one thread a number."""
    x = empty(y.shape, y)
    arrays = (contiguous(gradient), contiguous(y), x)
    launch_each("pointwise.cu", "relu_gradient", y.size, *arrays, y.size)
    return x


def relu6(x: Array) -> Array:
    """min(max(x, 0), 6), one thread a number."""
    y = empty(x.shape, x)
    launch_each("pointwise.cu", "relu6", x.size, contiguous(x), y, x.size)
    return y


def relu6_gradient(gradient: Array, y: Array) -> Array:
    """The gradient where y = relu6(x) is between 0 and 6, 0 elsewhere; one thread a number."""
    x = empty(y.shape, y)
    arrays = (contiguous(gradient), contiguous(y), x)
    launch_each("pointwise.cu", "relu6_gradient", y.size, *arrays, y.size)
    return x


def cross_entropy(x: Array, labels: Array) -> tuple[Array, Array]:
    """-log softmax(x)[label] and log(sum of exp(x)) of each pixel, one thread a pixel."""
    losses, logs = empty(labels.shape, x), empty(labels.shape, x)
    arrays = (contiguous(x), contiguous(labels), losses, logs)
    launch_each("pointwise.cu", "cross_entropy", labels.size, *arrays, *_sizes(x))
    return losses, logs


def cross_entropy_gradient(x: Array, labels: Array, logs: Array, scale: Array) -> Array:
    """Compute scale * (softmax(x) - (1 where the channel is the label)), one thread a pixel."""
    gradient = empty(x.shape, x)
    arrays = (*map(contiguous, (x, labels, logs, scale)), gradient)
    launch_each("pointwise.cu", "cross_entropy_gradient", labels.size, *arrays, *_sizes(x))
    return gradient


def _sizes(x: Array) -> tuple[int, int, int]:
    """How many pixels there are, channels, and pixels an image."""
    pixels = prod(x.shape[2:])
    return len(x) * pixels, x.shape[1], pixels
