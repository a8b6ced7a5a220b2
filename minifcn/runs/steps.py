"""What a network does with batches: one step of training, predicting, evaluating."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minifcn import functional as F
from minifcn import nn, optim
from minifcn.backend import to_device
from minifcn.data import VOID, Dataset
from minifcn.data.transforms import normalise
from minifcn.metrics import ConfusionMatrix
from minifcn.tensor import Tensor, no_grad


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """The loss by default: functional.cross_entropy, a mean over the labels that are not VOID."""
    return F.cross_entropy(scores, labels, ignore_index=VOID)


def train_step(
    model: nn.Module,
    optimizer: optim.Optimizer,
    images: np.ndarray,
    labels: np.ndarray,
    compute_loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
) -> float:
    """Forward, loss, backward, update; return the loss.

    Raises:
        FloatingPointError: the loss is not finite; the weights are as they were.
    """
    device = next(model.parameters()).device
    with np.errstate(all="ignore"):  # what is not finite is found and named below
        scores = model(Tensor(to_device(images, device)))
        loss = compute_loss(scores, Tensor(to_device(labels, device)))
        value = loss.item()
        if not np.isfinite(value):
            raise FloatingPointError(f"loss is {value}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return value


def predict(model: nn.Module, images: Sequence[np.ndarray]) -> np.ndarray:
    """Return the class of each pixel, uint8 (N, H, W), of images, uint8 (H, W, 3), of one size.

    Raises:
        FloatingPointError: a score is not finite; the largest of such scores means nothing.
    """
    device = next((p.device for p in model.parameters()), "cpu")
    batch = to_device(np.stack([normalise(image) for image in images]), device)
    with no_grad(), np.errstate(all="ignore"):
        scores = model(Tensor(batch)).data
    if not np.isfinite(scores).all():
        raise FloatingPointError("a score of the network is not finite")
    return to_device(scores.argmax(1).astype(np.uint8), "cpu")


def evaluate(model: nn.Module, dataset: Dataset, batch_size: int = 16) -> ConfusionMatrix:
    """Count, over all pixels of a data set, which class was predicted for which.

    Leaves the model in evaluation mode. Samples that differ in size are predicted one by one.
    """
    model.eval()
    matrix = ConfusionMatrix(len(dataset.classes), VOID)
    for first in range(0, len(dataset), batch_size):
        samples = [dataset[i] for i in range(first, min(first + batch_size, len(dataset)))]
        one_size = len({truth.shape for _, truth in samples}) == 1
        for part in [samples] if one_size else [[sample] for sample in samples]:
            images, truths = zip(*part, strict=True)
            matrix.update(np.stack(truths), predict(model, images))
    return matrix
