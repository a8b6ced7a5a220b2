"""The terms of a score in the experiment `skips`: what the top, pool4 and pool3 add to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minifcn.data import Dataset
from minifcn.data.transforms import normalise
from minifcn.metrics import ConfusionMatrix
from minifcn.models.fcn import FCN
from minifcn.tensor import Tensor, no_grad

Terms = Mapping[str, np.ndarray]
"""By path, from the top down: scores (N, C, H, W), or (C, H, W) of one scene."""

SUMS = (
    ("top",),
    ("pool4",),
    ("pool3",),
    ("top", "pool4"),
    ("top", "pool3"),
    ("pool4", "pool3"),
    ("top", "pool4", "pool3"),
)
"""Which terms are added up, to see what a trained network predicts from them alone."""


def score_terms(model: FCN, images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the terms of the scores of images, uint8 (H, W, 3), of one size."""
    with no_grad():
        terms = model.score_terms(Tensor(np.stack([normalise(image) for image in images])))
    return {path: term.numpy() for path, term in terms.items()}


def count_sums(model: FCN, dataset: Dataset, batch_size: int = 16) -> list[ConfusionMatrix]:
    """Return, for each of SUMS, how the class with the largest such sum agrees with the truth."""
    matrices = [ConfusionMatrix(len(dataset.classes)) for _ in SUMS]
    for first in range(0, len(dataset), batch_size):
        samples = [dataset[i] for i in range(first, min(first + batch_size, len(dataset)))]
        images, truths = zip(*samples, strict=True)
        terms = score_terms(model, images)
        for paths, matrix in zip(SUMS, matrices, strict=True):
            scores = np.sum([terms[path] for path in paths], axis=0)
            matrix.update(np.stack(truths), scores.argmax(1))
    return matrices


class Place(NamedTuple):
    """A pixel, where it is, and the class whose score is taken apart there."""

    where: str
    label: int
    row: int
    column: int


def places(truth: np.ndarray, classes: Sequence[str], apart: int = 6) -> list[Place]:
    """Choose pixels of a scene by rule: for each class of object, one on it and one beside it.

    On it: the pixel of the class whose nearest pixel of another class, or outside the scene, is
    farthest. Beside it: the background pixel that is nearest to that one, but at least `apart`
    pixels away. Of several such pixels, the first in reading order.

    Args:
        truth: labels (H, W); 0 is the background.
        classes: the names, in label order.
        apart: pixels.
    """
    chosen = []
    for label in sorted(set(truth.ravel().tolist()) - {0}):
        own = np.argwhere(truth == label)
        other = np.argwhere(np.pad(truth != label, 1, constant_values=True)) - 1
        centre = own[np.argmax([_squared_distances(pixel, other).min() for pixel in own])]
        chosen.append(Place(f"on the {classes[label]}", label, *centre.tolist()))
        ground = np.argwhere(truth == 0)
        distances = _squared_distances(centre, ground)
        allowed = distances >= apart**2
        if allowed.any():
            pixel = ground[np.where(allowed, distances, np.inf).argmin()]
            chosen.append(Place(f"beside the {classes[label]}", label, *pixel.tolist()))
    return chosen


def _squared_distances(pixel: np.ndarray, others: np.ndarray) -> np.ndarray:
    """From a pixel (row, column) to each of others (N, 2): (N,)."""
    return ((others - pixel) ** 2).sum(-1)


def term_row(
    place: Place, terms: Terms, truth: np.ndarray, classes: Sequence[str]
) -> dict[str, Any]:
    """Return a row of the table: the terms of one class's score at one pixel of a scene.

    `lead` is how far the score is above the best one of the other classes; above 0, the class is
    predicted.
    """
    _, label, row, column = place
    own = {path: float(term[label, row, column]) for path, term in terms.items()}
    scores = np.sum([term[:, row, column] for term in terms.values()], axis=0)
    values: dict[str, Any] = {
        "pixel": f"({row}, {column})",
        "where": place.where,
        "truth": classes[truth[row, column]],
        "predicted": classes[scores.argmax()],
        "score of": classes[label],
    }
    lead = float(scores[label] - np.delete(scores, label).max())
    return {**values, **own, "score": float(scores[label]), "lead": lead}
