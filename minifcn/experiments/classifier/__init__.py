"""A classifier that never saw a mask, as a fully convolutional network: where it points.

It learns to name the one object of a scene. Then its linear layer becomes a 1x1 convolution
(models/classifier.py), and the score maps are asked where each object is, in such scenes and in
larger ones with several objects. An FCN-8s that learns from masks, for as many iterations on the
same scenes, shows what the masks are worth; the all-background baseline shows what nothing is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minifcn.data import Shapes
from minifcn.data.shapes import CLASSES
from minifcn.data.transforms import denormalise
from minifcn.experiments.classifier.comparison import Measured, accuracy, measure, threshold_for
from minifcn.experiments.classifier.findings import conclude
from minifcn.experiments.classifier.measures import segment
from minifcn.experiments.classifier.pictures import plot_class_maps, plot_localisation
from minifcn.experiments.classifier.tables import classes_table, identity_table, scores_table
from minifcn.experiments.classifier.training import (
    Scenes,
    Sizes,
    Trained,
    names_of,
    scenes,
    scores_of,
    train,
)
from minifcn.experiments.experiment import Experiment, Result, Settings

ITERATIONS = 700


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
    said = conclude(tables["scores"], tables["classes"], tables["identity"], right)
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
