"""Losses over the pixels of a label map."""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array, is_array
from minifcn.functional.activation import log_softmax
from minifcn.functional.arguments import check_tensors
from minifcn.tensor import Tensor, record

REDUCTIONS = ("none", "mean", "sum")


def cross_entropy(
    input: Tensor,
    target: Tensor | Array,
    weight: Tensor | Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Compare scores with labels: the mean of -log softmax(input)[target] over the pixels.

    Args:
        input: scores (logits), (N, C, H, W), or (N, C) for whole images.
        target: integer labels in [0, C), (N, H, W) or (N,).
        weight: (C,), how much a pixel of each class counts; all the same by default.
        ignore_index: pixels with this label do not count at all.
        reduction: 'mean' (over the weights of the pixels that count), 'sum' or 'none'.

    Returns:
        A scalar, or (N, H, W) for 'none'. The mean over no pixels at all is 0 with a gradient of
        0, where PyTorch gives NaN: a training step on a crop that is all void must survive.

    Raises:
        ValueError: a label out of range, or shapes that do not fit.
        TypeError: labels that are not integers.
    """
    return nll_loss(log_softmax(input, 1), target, weight, ignore_index, reduction)


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
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}; got {reduction!r}")
    check_tensors(input=input)
    labels = _array(target, "target")
    counts = _check_labels(input, labels, ignore_index)
    labels = np.where(counts, labels, 0)
    share = counts.astype(input.dtype)
    if weight is not None:
        share *= _class_weights(weight, input)[labels]
    losses = _pick(input, labels, counts) * Tensor(-share)
    if reduction == "none":
        return losses
    total = share.sum() if reduction == "mean" else 1
    return losses.sum() / (float(total) or 1.0)


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
    counts = labels != ignore_index
    wrong = counts & ((labels < 0) | (labels >= x.shape[1]))
    if wrong.any():
        raise ValueError(
            f"target must be in [0, {x.shape[1]}) or {ignore_index} (ignored);"
            f" got {labels[wrong][0]}"
        )
    return counts


def _class_weights(weight: Tensor | Array, x: Tensor) -> Array:
    values = _array(weight, "weight")
    if values.shape != (x.shape[1],):
        raise ValueError(f"weight must have one number a class, {x.shape[1]}; got {values.shape}")
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
