"""Where a classifier points: evidence at each pixel, thresholds, and the pointing game."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from minifcn.metrics import ConfusionMatrix
from minifcn.models.classifier import Classifier
from minifcn.tensor import Tensor, no_grad

# -- From score maps to a mask -------------------------------------------------------------------


def evidence(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far each pixel's best class is above the mean of the classes, and which it is.

    Only differences between the scores of classes mean something to a classifier: its softmax
    does not see a number that is added to all of them. So the evidence is

        e_ij = max_c m_cij - mean_c m_cij >= 0.

    Args:
        maps: the scores m, (N, C, H, W), of C classes without the background.

    Returns:
        e (N, H, W), and the label of the best class, 1 to C, uint8 (N, H, W).
    """
    return maps.max(1) - maps.mean(1), (maps.argmax(1) + 1).astype(np.uint8)


def segment(maps: np.ndarray, threshold: float | None = None, share: float = 0.2) -> np.ndarray:
    """Return labels (N, H, W): the best class where the evidence is large, otherwise background.

    Args:
        maps: the scores (N, C, H, W) of the classes without the background.
        threshold: the least evidence of an object. Without one, it is, in each image,
        share: times the image's largest evidence; 20 % as in Zhou et al. (2016), section 3.2.
    """
    values, best = evidence(maps)
    least = share * values.max((1, 2), keepdims=True) if threshold is None else threshold
    return np.where(values >= least, best, 0).astype(np.uint8)


def choose_threshold(maps: np.ndarray, truth: np.ndarray, candidates: int = 50) -> float:
    """Return the evidence at which `segment` has the highest mean IU.

    Tried are quantiles of the evidence in these very scenes; the first of equals wins. For scenes
    of the training split: a threshold that had seen the validation split would flatter itself.
    """
    values, best = evidence(maps)
    thresholds = np.quantile(values, np.arange(candidates) / candidates)
    scores = [
        confusion(truth, np.where(values >= least, best, 0), maps.shape[1] + 1).mean_iu
        for least in thresholds
    ]
    return float(thresholds[int(np.argmax(scores))])


def confusion(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> ConfusionMatrix:
    """Return the confusion matrix of labels, both (N, H, W)."""
    matrix = ConfusionMatrix(num_classes)
    matrix.update(truth, prediction)
    return matrix


# -- The pointing game ---------------------------------------------------------------------------


def peak(score_map: np.ndarray) -> tuple[int, int]:
    """Return row and column of the maximum of a map (H, W), the first of equals."""
    row, column = np.unravel_index(score_map.argmax(), score_map.shape)
    return int(row), int(column)


def point(maps: np.ndarray, truth: np.ndarray, near: float) -> Iterable[tuple[int, bool, bool]]:
    """Ask the map of each class that an image shows for its maximum, and see what is there.

    Args:
        maps: scores of the C classes without the background, (C, H, W).
        truth: labels, (H, W), 0 for the background, 1 to C.
        near: in pixels.

    Yields:
        The label; whether the maximum is on a pixel of that class; whether such a pixel is at most
        `near` pixels away from it.

    Source: Zhang et al. (2018), Top-Down Neural Attention by Excitation Backprop, section 4.1,
    who count as a hit what is at most 15 pixels away, in photographs.
    """
    for label in np.unique(truth[truth > 0]):
        row, column = peak(maps[label - 1])
        rows, columns = np.nonzero(truth == label)
        distance = np.hypot(rows - row, columns - column).min()
        yield int(label), bool(distance == 0), bool(distance <= near)


def pointing(maps: np.ndarray, truth: np.ndarray, near: float) -> np.ndarray:
    """Return counts (C, 3), by class: how often it was asked for, was hit, was nearly hit.

    maps: (N, C, H, W); truth: (N, H, W); near: in pixels; see `point`.
    """
    counts = np.zeros((maps.shape[1], 3), np.int64)
    for scores, labels in zip(maps, truth, strict=True):
        for label, hit, nearly in point(scores, labels, near):
            counts[label - 1] += (1, hit, nearly)
    return counts


def chance(truth: np.ndarray, near: float = 0) -> float:
    """Return how often a random pixel is at most `near` pixels from the class that is asked for.

    It is asked for as in `point`: once for each class in each image; truth: (N, H, W).
    """
    shares = [
        float(surroundings(labels == label, near).mean())
        for labels in truth
        for label in np.unique(labels[labels > 0])
    ]
    return float(np.mean(shares))


def surroundings(region: np.ndarray, near: float) -> np.ndarray:
    """Return the pixels at most `near` pixels from a region, itself included; booleans (H, W)."""
    reach, (height, width) = int(near), region.shape
    padded, found = np.pad(region, reach), np.zeros_like(region)
    for i, j in np.ndindex(2 * reach + 1, 2 * reach + 1):
        if np.hypot(i - reach, j - reach) <= near:
            found |= padded[i : i + height, j : j + width]
    return found


def centred(truth: np.ndarray, num_classes: int) -> np.ndarray:
    """Return maps (N, num_classes, H, W) that all point at the middle, whatever the image shows."""
    count, height, width = truth.shape
    maps = np.zeros((count, num_classes, height, width), np.float32)
    maps[:, :, height // 2, width // 2] = 1
    return maps


# -- The identity --------------------------------------------------------------------------------

BIASES = {"as it is": 1.0, "left out": 0.0, "divided by the cells": None}
"""What to do with the bias of the linear layer, as a factor; only one of these is right."""


def identity_error(classifier: Classifier, images: np.ndarray, bias: float | None = 1.0) -> float:
    """Return max |mean(map) - logit| / max |logit| over images (N, 3, H, W).

    bias: the factor for the copied bias; None divides it by the number of cells.
    """
    network = classifier.fully_convolutional()
    x = Tensor(images.astype(network.score.weight.dtype))
    with no_grad():
        logits = classifier(x).data
        cells = np.prod(network(x).shape[2:])
        state = network.state_dict()
        state["score.bias"] *= 1 / cells if bias is None else bias
        network.load_state_dict(state)
        means = network(x).data.mean((2, 3))
    return float(np.abs(means - logits).max() / np.abs(logits).max())
