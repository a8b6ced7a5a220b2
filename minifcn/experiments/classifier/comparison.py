"""What the classifier scores without masks, beside an FCN with them and beside nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minifcn.data.shapes import CLASSES
from minifcn.experiments.classifier.measures import (
    centred,
    choose_threshold,
    confusion,
    pointing,
    segment,
)
from minifcn.experiments.classifier.training import OBJECTS, Scenes, Trained, names_of, scores_of
from minifcn.metrics import ConfusionMatrix
from minifcn.models.classifier import Classifier

NEAR = 8
"""Pixels: what counts as nearly hit. One cell of the classifier's maps."""

IMAGE_LABELS, MASKS, NOTHING = "names of objects", "masks", "nothing"


class Measured(NamedTuple):
    """What one way of segmenting scores on some scenes: a matrix, and the pointing game's counts.

    matrix: None where there is no prediction; pointing: (C, 3), see `pointing`; None where there
    is no map.
    """

    scenes: str
    network: str
    learned_from: str
    matrix: ConfusionMatrix | None
    pointing: np.ndarray | None


def threshold_for(classifier: Classifier, train_scenes: Scenes) -> float:
    """Choose a classifier's threshold with scenes that nothing is trained or validated on."""
    maps_of = classifier.fully_convolutional().at_image_size
    return choose_threshold(scores_of(maps_of, train_scenes.images), train_scenes.masks)


def measure(trained: Trained, threshold: float, others: Sequence[Scenes]) -> list[Measured]:
    """Segment scenes in every way, and play the pointing game."""
    maps_of = trained.classifier.fully_convolutional().at_image_size
    found = []
    for name, images, masks in others:
        maps, scores = scores_of(maps_of, images), scores_of(trained.fcn, images)
        predictions = {
            ("classifier, 20 % of the maximum", IMAGE_LABELS): segment(maps),
            ("classifier, chosen threshold", IMAGE_LABELS): segment(maps, threshold),
            ("FCN-8s", MASKS): scores.argmax(1),
            ("all background", NOTHING): np.zeros_like(masks),
        }
        hits = {IMAGE_LABELS: pointing(maps, masks, NEAR), NOTHING: None}
        hits[MASKS] = pointing(scores[:, 1:], masks, NEAR)
        for (network, source), prediction in predictions.items():
            matrix = confusion(masks, prediction, len(CLASSES))
            found.append(Measured(name, network, source, matrix, hits[source]))
        middle = pointing(centred(masks, len(OBJECTS)), masks, NEAR)
        found.append(Measured(name, "centre of the image", NOTHING, None, middle))
    return found


def accuracy(classifier: Classifier, one: Scenes) -> float:
    """Return how many images of one object the classifier names right."""
    names = scores_of(classifier, one.images).argmax(1) + 1
    return float((names == names_of(one.masks)).mean())
