"""What a network does with batches: one step of training, predicting, evaluating."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from minifcn import functional as F
from minifcn import nn, optim
from minifcn.backend import Array, to_device
from minifcn.data import VOID, Dataset
from minifcn.data.dataset import Sample
from minifcn.data.transforms import IMAGENET, resize_image
from minifcn.kernels import resize
from minifcn.metrics import ConfusionMatrix
from minifcn.tensor import Tensor, no_grad

Normalise: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Makes an image, uint8 (H, W, 3), a network's input, float32 (3, H, W)."""


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """The loss by default: functional.cross_entropy, a mean over the labels that are not VOID."""
    return F.cross_entropy(scores, labels, ignore_index=VOID)


def loss_of(
    class_weights: Sequence[float] | None = None, label_smoothing: float = 0.0, device: str = "cpu"
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss that weighs classes and smooths labels, see functional.cross_entropy."""
    if class_weights is None and not label_smoothing:
        return cross_entropy
    weight = None
    if class_weights is not None:
        weight = to_device(np.array(class_weights, np.float32), device)
    return partial(
        F.cross_entropy, weight=weight, ignore_index=VOID, label_smoothing=label_smoothing
    )


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


def predict(
    model: nn.Module,
    images: Sequence[np.ndarray],
    normalise: Normalise = IMAGENET,
    shape: tuple[int, int] | None = None,
) -> np.ndarray:
    """Return the class of each pixel, uint8 (N, H, W), of images, uint8 (H, W, 3), of one size.

    Args:
        model: the network.
        images: what it is shown.
        normalise: makes an image its input.
        shape: the height and width of the result, if not those of the images; scores are upsampled
            to it bilinearly.

    Raises:
        FloatingPointError: a score is not finite; the largest of such scores means nothing.
    """
    scores = score(model, images, normalise)
    return to_device(likeliest(scores, shape or images[0].shape[:2]), "cpu")


def score(model: nn.Module, images: Sequence[np.ndarray], normalise: Normalise = IMAGENET) -> Array:
    """Return the scores (N, C, H, W) of images, uint8 (H, W, 3), of one size, where the model is.

    Raises:
        FloatingPointError: a score is not finite.
    """
    device = next((p.device for p in model.parameters()), "cpu")
    batch = to_device(np.stack([normalise(image) for image in images]), device)
    with no_grad(), np.errstate(all="ignore"):
        scores = model(Tensor(batch)).data
    if not np.isfinite(scores).all():
        raise FloatingPointError("a score of the network is not finite")
    return scores


def likeliest(scores: Array, shape: tuple[int, int]) -> Array:
    """Return the class with the highest score, uint8 (N, *shape), of scores (N, C, H, W).

    At another size than theirs the scores are resized first, bilinearly; only those of two classes
    are held at a time, for a photo has many pixels.
    """
    if scores.shape[2:] == shape:
        return scores.argmax(1).astype(np.uint8)
    steps = (scores.shape[2] / shape[0], scores.shape[3] / shape[1])
    best = resize(scores[:, :1], shape, steps)[:, 0]
    winner = np.zeros_like(best, dtype=np.uint8)
    for number in range(1, scores.shape[1]):
        own = resize(scores[:, number : number + 1], shape, steps)[:, 0]
        winner[own > best] = number
        np.maximum(own, best, out=best)
    return winner


PIXELS_AT_ONCE = 2**21
"""About how many pixels of images, and of masks, are evaluated at once, for they take memory."""


class Scored(NamedTuple):
    """What was counted, and on masks of which sizes: (height, width) and how many of them."""

    matrix: ConfusionMatrix
    sizes: Counter[tuple[int, int]]


def evaluate(model: nn.Module, dataset: Dataset, batch_size: int = 16) -> ConfusionMatrix:
    """Count, over all pixels of a data set, which class was predicted for which.

    Leaves the model in evaluation mode. At most `batch_size` samples are predicted at once: those
    that follow each other, have one size, and are not too large for that.
    """
    return evaluate_at(model, dataset, None, batch_size=batch_size).matrix


def evaluate_at(
    model: nn.Module,
    dataset: Dataset,
    size: tuple[int, int] | None,
    normalise: Normalise = IMAGENET,
    batch_size: int = 16,
) -> Scored:
    """Count as `evaluate` does, with images resized to `size` and scores back to their masks'.

    A mask is scored as it is, at its own size: resized, it would lose what is thin, and the score
    would depend on the size that a network was trained for.
    """
    model.eval()
    scored = Scored(ConfusionMatrix(len(dataset.classes), VOID), Counter())
    for part in _parts(dataset, size, batch_size):
        images, truths = zip(*part, strict=True)
        seen = [resize_image(image, size) for image in images] if size else images
        predicted = predict(model, seen, normalise, truths[0].shape)
        scored.matrix.update(np.stack(truths), predicted)
        scored.sizes[truths[0].shape] += len(part)
    return scored


def _parts(
    dataset: Dataset, size: tuple[int, int] | None, batch_size: int
) -> Iterator[list[Sample]]:
    """Cut a data set into samples of one size that are evaluated at once."""
    part: list[Sample] = []
    for sample in (dataset[i] for i in range(len(dataset))):
        shape = sample[1].shape
        pixels = max(math.prod(shape), math.prod(size or shape))
        most = min(batch_size, PIXELS_AT_ONCE // pixels)
        if part and (len(part) >= most or shape != part[0][1].shape):
            yield part
            part = []
        part.append(sample)
    if part:
        yield part
