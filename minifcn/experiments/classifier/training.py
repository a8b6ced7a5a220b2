"""The scenes of the classifier and of the FCN that it is compared with, and their training."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from minifcn.data import Batches, Shapes
from minifcn.data.shapes import CLASSES
from minifcn.experiments.fitting import fit
from minifcn.experiments.scenes import UNSEEN_SEED, parts, read, same_sized
from minifcn.models.classifier import Classifier
from minifcn.models.fcn import FCN
from minifcn.tensor import Tensor, no_grad

OBJECTS = CLASSES[1:]
"""The classes of the classifier, which knows no background."""

SMALL, LARGE = 64, 192
"""Sides of the scenes in pixels: to learn from, and larger ones to point in."""

BATCH = 16
"""Scenes that are trained on at a time."""

ONE_OBJECT = same_sized(SMALL, (1, 1))
SEVERAL = same_sized(LARGE, (8, 12))
"""About one object on 64x64 pixels, as in the small scenes."""


class Scenes(NamedTuple):
    """Images (N, 3, H, W), normalised, and their masks (N, H, W)."""

    name: str
    images: np.ndarray
    masks: np.ndarray


@dataclass(frozen=True)
class Sizes:
    """How many scenes of each kind."""

    train: int = 200
    one: int = 200
    several: int = 50


def scenes(sizes: Sizes) -> tuple[Scenes, Scenes, Scenes]:
    """Draw the scenes to choose a threshold with, and the two kinds of scenes to validate on.

    The former are from the training split, but none of those that are trained on.
    """
    small, large = (SMALL, SMALL), (LARGE, LARGE)
    train = Shapes("train", sizes.train, small, seed=UNSEEN_SEED, design=ONE_OBJECT)
    one = Shapes("val", sizes.one, small, design=ONE_OBJECT)
    several = Shapes("val", sizes.several, large, design=SEVERAL)
    return (
        Scenes("train", *read(train)),
        Scenes(f"{SMALL}x{SMALL}, 1 object", *read(one)),
        Scenes(f"{LARGE}x{LARGE}, 8 to 12 objects", *read(several)),
    )


class Trained(NamedTuple):
    """The two networks of a seed, and how many seconds each took."""

    classifier: Classifier
    fcn: FCN
    seconds: tuple[float, float]


def train(seed: int, iterations: int) -> Trained:
    """Train a classifier with the names of the objects, and an FCN-8s with their masks."""
    generator = np.random.default_rng(seed)
    dataset = Shapes(size=(SMALL, SMALL), design=ONE_OBJECT, seed=seed)
    batches = Batches(dataset, BATCH, flip=True, seed=seed)

    def named(iteration: int) -> tuple[np.ndarray, np.ndarray]:
        images, masks = batches.batch(iteration)
        return images, names_of(masks) - 1

    classifier = Classifier(len(OBJECTS), generator=generator)
    fcn = FCN(len(CLASSES), 8, generator=generator)
    began = time.perf_counter()
    fit(classifier, named, iterations)
    between = time.perf_counter()
    fit(fcn, batches.batch, iterations)
    return Trained(classifier, fcn, (between - began, time.perf_counter() - between))


def names_of(masks: np.ndarray) -> np.ndarray:
    """Return the label of the only object in each mask (N, H, W), 1 to C: int64 (N,).

    Raises:
        ValueError: a mask shows no object, or a label that is no class.
    """
    names = masks.max((1, 2)).astype(np.int64)
    if not np.isin(names, range(1, len(CLASSES))).all():
        raise ValueError(
            f"masks must show an object each, 1 to {len(OBJECTS)}; got {np.unique(names).tolist()}"
        )
    return names


def scores_of(network: Any, images: np.ndarray) -> np.ndarray:
    """Return a network's scores (N, C, ...) of images, a few at a time."""
    with no_grad():
        return np.concatenate([network(Tensor(images[part])).data for part in parts(len(images))])
