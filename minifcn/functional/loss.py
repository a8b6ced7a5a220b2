"""Losses over the pixels of a label map."""

from __future__ import annotations

from math import prod

import numpy as np

from minifcn import kernels
from minifcn.backend import Array, is_array
from minifcn.functional.activation import softmax
from minifcn.functional.arguments import check_tensors
from minifcn.kernels import checks
from minifcn.tensor import Tensor, record

REDUCTIONS = ("none", "mean", "sum")


def cross_entropy(
    input: Tensor,
    target: Tensor | Array,
    weight: Tensor | Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Compare scores with labels: the mean of -log softmax(input)[target] over the pixels.

    With `label_smoothing` e the truth of a pixel is 1 - e of its label and e / C of every class,
    each counted by the weight w of its class; as in PyTorch, the mean still divides by the sum of
    the labels' weights:

        loss = (1 - e) w[target] -log p[target] + e / C * sum over c of w[c] -log p[c]

    Args:
        input: scores (logits), (N, C, H, W), or (N, C) for whole images.
        target: integer labels in [0, C), (N, H, W) or (N,).
        weight: (C,), how much a pixel of each class counts; all the same by default.
        ignore_index: pixels with this label do not count at all.
        reduction: 'mean' (over the weights of the pixels that count), 'sum' or 'none'.
        label_smoothing: e, from 0 (none) to 1 (all classes alike).

    Returns:
        A scalar, or (N, H, W) for 'none'. The mean over no pixels at all is 0 with a gradient of
        0, where PyTorch gives NaN: a training step on a crop that is all void must survive.

    Raises:
        ValueError: a label or `label_smoothing` out of range, or shapes that do not fit.
        TypeError: labels that are not integers, or a `label_smoothing` that is no number.

    Source of label smoothing: Szegedy et al. (2016), Rethinking the Inception architecture, 7.
    """
    _check_smoothing(label_smoothing)
    labels, share = _labels_and_shares(input, target, weight, ignore_index, reduction)
    n, c, *size = input.shape
    pixels = (n, *size) if len(size) == 2 else (n, prod(size), 1)
    scores = input.reshape((n, c, *pixels[1:]))
    if label_smoothing:
        counts = _array(target, "target") != ignore_index
        each = np.ones_like(share, shape=c) if weight is None else _class_weights(weight, input)
        truth = scores, labels.reshape(pixels), share.reshape(pixels), counts.reshape(pixels)
        losses = _smoothed_cross_entropy(*truth, each, float(label_smoothing))
    else:
        losses = _cross_entropy(scores, labels.reshape(pixels), share.reshape(pixels))
    return _reduced(losses.reshape(labels.shape), share, reduction)


def nll_loss(
    input: Tensor,
    target: Tensor | Array,
    weight: Tensor | Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Compare log-probabilities with labels: the mean of -input[target] over the pixels.

    The arguments, results and errors are those of cross_entropy, but for log-probabilities.
    """
    labels, share = _labels_and_shares(input, target, weight, ignore_index, reduction)
    losses = _pick(input, labels, share != 0) * Tensor(-share)
    return _reduced(losses, share, reduction)


def _labels_and_shares(
    x: Tensor,
    target: Tensor | Array,
    weight: Tensor | Array | None,
    ignore_index: int,
    reduction: str,
) -> tuple[Array, Array]:
    """Check the arguments of a loss; return labels that index classes, and what a pixel counts."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}; got {reduction!r}")
    check_tensors(input=x)
    labels = _array(target, "target")
    counts = _check_labels(x, labels, ignore_index)
    share = counts.astype(x.dtype)
    labels = np.where(counts, labels, 0).astype(np.int64)
    if weight is not None:
        share *= _class_weights(weight, x)[labels]
    return labels, share


def _reduced(losses: Tensor, share: Array, reduction: str) -> Tensor:
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    total = share.sum()  # stays where it is: a Python number would have to wait for a GPU
    return losses.sum() / Tensor(total + (total == 0))


def _cross_entropy(x: Tensor, labels: Array, share: Array) -> Tensor:
    """Weigh -log softmax(x)[label] by share: one kernel, and no array of log-probabilities."""
    data, logs = kernels.cross_entropy(x.data, labels, checked=True)
    data *= share
    data[share == 0] = 0  # a pixel that does not count may be NaN
    gradient = lambda g: _cross_entropy_gradient(x, labels, logs, g * Tensor(share))
    return record("cross_entropy", data, (x, gradient))


def _cross_entropy_gradient(x: Tensor, labels: Array, logs: Array, scale: Tensor) -> Tensor:
    """Return scale * (p - 1 at the label), with p = softmax(x).

    It is differentiable: dp_c = p_c (dx_c - sum over k of p_k dx_k).
    """

    def input_gradient(g: Tensor) -> Tensor:
        p, each = softmax(x, 1), scale.reshape((len(labels), 1, *labels.shape[1:]))
        return p * (g - (p * g).sum(1, keepdims=True)) * each

    def scale_gradient(g: Tensor) -> Tensor:
        return (softmax(x, 1) * g).sum(1) - _pick(g, labels, np.ones_like(labels, bool))

    data = kernels.cross_entropy_gradient(x.data, labels, logs, scale.data, checked=True)
    return record("cross_entropy_gradient", data, (x, input_gradient), (scale, scale_gradient))


def _smoothed_cross_entropy(
    x: Tensor, labels: Array, share: Array, counts: Array, weights: Array, smoothing: float
) -> Tensor:
    """Return the loss of smoothed labels, by the kernel of those that are not.

    With L = log(sum over c of exp(x_c)), -log p_c = L - x_c = -log p_label + x_label - x_c. So

        loss = ((1 - e) w_label + e / C * sum of w) -log p_label + e / C * margins

    where margins = sum over c of w_c (x_label - x_c) is linear in the scores.
    """
    even = smoothing / x.shape[1]
    total = (1 - smoothing) * share + even * weights.sum() * counts
    margins = _margins(x, labels, counts, even * weights)
    return _cross_entropy(x, labels, total.astype(x.dtype)) + margins


def _margins(x: Tensor, labels: Array, counts: Array, weights: Array) -> Tensor:
    """Sum over the classes of w_c (x_label - x_c), and 0 where a pixel does not count."""
    at_label = np.take_along_axis(x.data, labels[:, None], 1)[:, 0]
    data = np.zeros_like(at_label)
    for c in range(x.shape[1]):
        data += weights[c] * (at_label - x.data[:, c])
    data[~counts] = 0  # what is not finite there must not spread
    return record("margins", data, (x, lambda g: _margins_adjoint(g, labels, counts, weights)))


def _margins_adjoint(y: Tensor, labels: Array, counts: Array, weights: Array) -> Tensor:
    """Return x_c = (the sum of w at the label, else 0) y - w_c y: the adjoint of _margins."""
    upstream, places = (y.data * counts)[:, None], labels[:, None]
    data = upstream * -weights.reshape(-1, 1, 1)
    at_label = np.take_along_axis(data, places, 1) + upstream * weights.sum()
    np.put_along_axis(data, places, at_label, 1)
    return record("margins_adjoint", data, (y, lambda g: _margins(g, labels, counts, weights)))


def _check_smoothing(value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"label_smoothing must be a number from 0 to 1; got {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"label_smoothing must be from 0 to 1; got {value!r}")


def _array(value: Tensor | Array, name: str) -> Array:
    array = value.data if isinstance(value, Tensor) else value
    if not is_array(array):
        raise TypeError(f"{name} must be a Tensor or an array; got {type(value).__name__}")
    return array


def _check_labels(x: Tensor, labels: Array, ignore_index: int) -> Array:
    """Return which pixels count; raise where a label is no class."""
    if labels.dtype.kind not in "iu":
        raise TypeError(f"target must hold integer labels; got {labels.dtype}")
    if x.ndim < 2 or labels.shape != (x.shape[0], *x.shape[2:]):
        raise ValueError(
            f"target must have the shape of input {x.shape} without axis 1; got {labels.shape}"
        )
    checks.check_device(x.data, labels, ("input", "target"))
    counts = labels != ignore_index
    wrong = counts & ((labels < 0) | (labels >= x.shape[1]))
    if wrong.any():
        raise ValueError(
            f"target must be in [0, {x.shape[1]}) or {ignore_index} (ignored);"
            f" got {int(labels[wrong][0])}"
        )
    return counts


def _class_weights(weight: Tensor | Array, x: Tensor) -> Array:
    values = _array(weight, "weight")
    if values.shape != (x.shape[1],):
        raise ValueError(f"weight must have one number a class, {x.shape[1]}; got {values.shape}")
    checks.check_device(x.data, values, ("input", "weight"))
    return values.astype(x.dtype)


def _pick(x: Tensor, labels: Array, counts: Array) -> Tensor:
    """Take the channel that each pixel's label names: y[n, ...] = x[n, labels[n, ...], ...].

    0 where a pixel does not count, even where x is not finite.
    """
    data = np.take_along_axis(x.data, labels[:, None], 1)[:, 0]
    data[~counts] = 0
    return record("pick", data, (x, lambda g: _place(g, labels, counts, x.shape)))


def _place(y: Tensor, labels: Array, counts: Array, shape: tuple[int, ...]) -> Tensor:
    """Put each pixel that counts into the channel that its label names: the adjoint of _pick."""
    data = np.zeros_like(y.data, shape=shape)
    np.put_along_axis(data, labels[:, None], np.where(counts, y.data, 0)[:, None], 1)
    return record("place", data, (y, lambda g: _pick(g, labels, counts)))
