"""A classifier that never saw a mask, as a fully convolutional network: where it points.

It learns to name the one object of a scene. Then its linear layer becomes a 1x1 convolution
(models/classifier.py), and the score maps are asked where each object is, in such scenes and in
larger ones with several objects. An FCN-8s that learns from masks, for as many iterations on the
same scenes, shows what the masks are worth; the all-background baseline shows what nothing is.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minifcn.data import Batches, Shapes
from minifcn.data.shapes import CLASSES
from minifcn.data.transforms import denormalise
from minifcn.experiments.classifier.measures import (
    BIASES,
    centred,
    chance,
    choose_threshold,
    confusion,
    identity_error,
    pointing,
    segment,
)
from minifcn.experiments.classifier.pictures import plot_class_maps, plot_localisation
from minifcn.experiments.experiment import Experiment, Result, Settings, Table
from minifcn.experiments.fitting import fit
from minifcn.experiments.scenes import UNSEEN_SEED, parts, read, same_sized
from minifcn.metrics import ConfusionMatrix
from minifcn.models.classifier import Classifier
from minifcn.models.fcn import FCN
from minifcn.tensor import Tensor, no_grad

OBJECTS = CLASSES[1:]
"""The classes of the classifier, which knows no background."""

SMALL, LARGE = 64, 192
"""Sides of the scenes in pixels: to learn from, and larger ones to point in."""

ITERATIONS, BATCH = 700, 16
NEAR = 8
"""Pixels: what counts as nearly hit. One cell of the classifier's maps."""


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


# -- Training ------------------------------------------------------------------------------------


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


# -- Measuring -----------------------------------------------------------------------------------

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


# -- Tables --------------------------------------------------------------------------------------


def scores_table(measured: Sequence[Sequence[Measured]], others: Sequence[Scenes]) -> Table:
    """Return the means over the seeds; measured: a list for each seed, others: the scenes."""
    rows = []
    for same in zip(*measured, strict=True):
        ius = [one.matrix.mean_iu for one in same if one.matrix is not None]
        hit, near = _shares([one.pointing for one in same])
        first = same[0]
        rows.append(
            {
                "scenes": first.scenes,
                "network": first.network,
                "learns from": first.learned_from,
                "mean IU": float(np.mean(ius)) if ius else None,
                "lowest": min(ius, default=None),
                "highest": max(ius, default=None),
                "hit": hit,
                f"within {NEAR} px": near,
            }
        )
    note = (
        "mean IU over the seeds, with the lowest and highest seed. The chosen threshold is one"
        " number, the best for the masks of scenes like those that were trained on; 20 % of an"
        " image's maximum needs no mask. hit: how often the maximum of a"
        " class's map is on an object of that class, of all classes in all scenes, pooled (Zhang et"
        " al., 2018, average over the classes). A random pixel: "
        + "; ".join(
            f"{own.name}: hit {chance(own.masks):.3f},"
            f" within {NEAR} px {chance(own.masks, NEAR):.3f}"
            for own in others
        )
        + "."
    )
    return Table("Segmenting with and without masks", rows, note=note)


def _shares(counts: Sequence[np.ndarray | None]) -> tuple[float | None, float | None]:
    """How often was hit, and nearly hit, over all classes and seeds; None where none pointed."""
    present = [own for own in counts if own is not None]
    if not present:
        return None, None
    asked, hit, near = np.sum(present, axis=(0, 1))
    return float(hit / asked), float(near / asked)


def classes_table(measured: Sequence[Sequence[Measured]], scenes_name: str) -> Table:
    """Return IU and hits by class in one kind of scenes, all seeds together."""
    chosen, fcn = (
        [one for seed in measured for one in seed if (one.scenes, one.network) == (scenes_name, n)]
        for n in ("classifier, chosen threshold", "FCN-8s")
    )
    iu, fcn_iu = (
        np.mean([one.matrix.iu for one in group if one.matrix is not None], axis=0)
        for group in (chosen, fcn)
    )
    counts = [one.pointing for one in chosen if one.pointing is not None]
    asked, hit, near = np.sum(counts, axis=0).T
    rows: list[dict[str, Any]] = [
        {
            "class": name,
            "IU": float(iu[label]),
            "IU of FCN-8s": float(fcn_iu[label]),
            "hit": float(hit[label - 1] / asked[label - 1]) if label else None,
            f"within {NEAR} px": float(near[label - 1] / asked[label - 1]) if label else None,
        }
        for label, name in enumerate(CLASSES)
    ]
    return Table(f"The classifier, class by class: {scenes_name}", rows)


def identity_table(classifiers: Sequence[Classifier], sizes: Sequence[tuple[int, int]]) -> Table:
    """Return how far the mean of a map is from the classifier's logit, for several biases."""
    rows = []
    for dtype in (np.float32, np.float64):
        networks = [_as_precise(classifier, dtype) for classifier in classifiers]
        for size in sizes:
            images, _ = read(Shapes("val", 4, size))
            row: dict[str, Any] = {"precision": dtype.__name__, "size": f"{size[0]}x{size[1]}"}
            for name, bias in BIASES.items():
                errors = [identity_error(network, images, bias) for network in networks]
                row[f"bias {name}"] = max(errors)
            rows.append(row)
    note = "The largest |mean of the map - logit| / max |logit|, over images, classes and seeds."
    formats = {f"bias {name}": ".1e" for name in BIASES}
    return Table("The mean of a map is the classifier's logit", rows, formats, note)


def _as_precise(classifier: Classifier, dtype: type) -> Classifier:
    """Return a copy that computes in float32 or float64."""
    twin = copy.deepcopy(classifier)
    twin.to(dtype=dtype)
    return twin


# -- Findings ------------------------------------------------------------------------------------


def findings(scores: Table, classes: Table, identity: Table, right: Sequence[float]) -> list[str]:
    """Say what the tables show, in sentences that hold whatever the numbers are."""
    exact = max(row["bias as it is"] for row in identity.rows if row["precision"] == "float64")
    missing = max(row["bias left out"] for row in identity.rows if row["precision"] == "float64")
    said = [
        f"With the bias copied as it is, the mean of a map is the logit to {exact:.1e} in float64;"
        f" without the bias it is off by up to {missing:.1e}: every cell adds the bias, and the"
        " mean of equal numbers is that number.",
        f"The classifier names {np.mean(right):.1%} of the single objects right"
        f" (guessing: {1 / len(OBJECTS):.0%}).",
    ]
    said += [_compared(scores, name) for name in dict.fromkeys(r["scenes"] for r in scores.rows)]
    hits = sorted((row["hit"], row["class"]) for row in classes.rows if row["hit"] is not None)
    (least, worst), (most, best) = hits[0], hits[-1]
    return [
        *said,
        f"It points best at a {best} ({most:.1%} hit) and worst at a {worst} ({least:.1%}).",
    ]


def _compared(scores: Table, scenes_name: str) -> str:
    """Where the classifier stands between nothing and masks."""
    rows = {row["network"]: row for row in scores.rows if row["scenes"] == scenes_name}
    chosen, fcn = rows["classifier, chosen threshold"], rows["FCN-8s"]
    least, reached, most = (row["mean IU"] for row in (rows["all background"], chosen, fcn))
    way = f" ({(reached - least) / (most - least):.0%} of the way)" if most > least else ""
    return (
        f"{scenes_name}: without masks, but for one threshold, the mean IU is {reached:.3f};"
        f" all background {least:.3f}, FCN-8s {most:.3f}{way}. The maximum of a map hits in"
        f" {chosen['hit']:.1%} of the cases, that of the FCN-8s in {fcn['hit']:.1%}."
    )


# -- Pictures ------------------------------------------------------------------------------------


def draw(out: Path, trained: Trained, threshold: float, others: Sequence[Scenes]) -> list[Path]:
    """Draw a scene of each class with its map, and a larger scene with the maps of all classes."""
    network = trained.classifier.fully_convolutional()
    one, several = others
    labels = names_of(one.masks)
    chosen = [int(np.argmax(labels == label)) for label in np.unique(labels)]
    rows = [
        (
            denormalise(one.images[i]),
            scores_of(network, one.images[[i]])[0, labels[i] - 1],
            segment(scores_of(network.at_image_size, one.images[[i]]), threshold)[0],
            scores_of(trained.fcn, one.images[[i]]).argmax(1)[0],
            one.masks[i],
        )
        for i in chosen
    ]
    paths = [out / "classifier-one-object.png", out / "classifier-several-objects.png"]
    plot_localisation(paths[0], rows, CLASSES, Shapes.palette)
    first = several.images[:1]
    plot_class_maps(
        paths[1],
        denormalise(first[0]),
        scores_of(network, first)[0],
        segment(scores_of(network.at_image_size, first), threshold)[0],
        several.masks[0],
        CLASSES,
        Shapes.palette,
    )
    return paths


# -- The whole -----------------------------------------------------------------------------------


def run(settings: Settings, sizes: Sizes | None = None) -> Result:
    """Train both networks for each seed, compare them, and draw what those of the first see."""
    train_scenes, *others = scenes(sizes or Sizes())
    networks, thresholds, measured, right = [], [], [], []
    for seed in settings.seeds:
        trained = train(seed, settings.iterations(ITERATIONS))
        networks.append(trained)
        thresholds.append(threshold_for(trained.classifier, train_scenes))
        measured.append(measure(trained, thresholds[-1], others))
        right.append(accuracy(trained.classifier, others[0]))
        settings.say(_progress(seed, trained, measured[-1], right[-1]))
    tables = {
        "identity": identity_table(
            [trained.classifier for trained in networks], [(64, 64), (192, 192), (97, 131)]
        ),
        "scores": scores_table(measured, others),
        "classes": classes_table(measured, others[0].name),
    }
    pictures = draw(settings.out, networks[0], thresholds[0], others)
    said = findings(tables["scores"], tables["classes"], tables["identity"], right)
    return Result(tables, said, pictures)


def _progress(seed: int, trained: Trained, measured: Sequence[Measured], right: float) -> str:
    _, chosen, fcn = (one.matrix.mean_iu for one in measured[:3] if one.matrix is not None)
    first, second = trained.seconds
    return (
        f"seed {seed}: the classifier names {right:.1%} right, mean IU {chosen:.3f} after"
        f" {first:.0f} s; FCN-8s {fcn:.3f} after {second:.0f} s"
    )


EXPERIMENT = Experiment(
    "a classifier that never saw a mask points at objects, its linear layer a 1x1 convolution",
    run,
    seeds=3,
    minutes=4,
)
