"""Experiment: what skips bring back. FCN-32s, 16s and 8s, staged and at once, and taken apart.

The parts: the networks and their training (training), the best scores that a stride allows
(oracle), what each path adds to a score (terms), then tables and findings.

Sources: Long, Shelhamer and Darrell (2015), sections 4.2 and 4.3; the longer version of 2017.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from minifcn.data import Dataset, InMemory, Shapes
from minifcn.experiments.experiment import Experiment, Result, Settings
from minifcn.experiments.skips.findings import conclude
from minifcn.experiments.skips.oracle import oracle, rarity
from minifcn.experiments.skips.tables import (
    classes_table,
    models_table,
    oracles_table,
    pixels_table,
    sums_table,
)
from minifcn.experiments.skips.terms import count_sums, places, score_terms
from minifcn.experiments.skips.training import (
    FCN8,
    FCN32,
    STAGED8,
    STAGED16,
    Plan,
    Run,
    Variant,
    train_all,
)
from minifcn.metrics import ConfusionMatrix
from minifcn.plots.skips import plot_contributions, plot_strides
from minifcn.runs.steps import predict


def run(settings: Settings) -> Result:
    """Train all variants with each seed; compare them; draw the first seed's."""
    return run_plan(settings, Plan(third=settings.iterations(Plan.third)))


def run_plan(settings: Settings, plan: Plan) -> Result:
    """Do the whole experiment in a chosen size."""
    val = InMemory(Shapes("val", plan.scenes, (plan.size, plan.size)))
    runs = [dict(train_all(settings, plan, seed, val)) for seed in settings.seeds]
    oracles = {stride: count_oracles(val, stride) for stride in (32, 16, 8)}
    sums = {v: [count_sums(own[v].model, val) for own in runs] for v in (FCN8, STAGED8)}
    scenes = busiest(val, plan.rows)
    scene, label = largest_stroke(val, scenes)
    pixels = pixels_table(runs[0][STAGED8].model, val, scene)
    tables = {
        "models": models_table(settings.seeds, plan, runs, oracles),
        "classes": classes_table(val.classes, runs, oracles),
        "oracles": oracles_table(oracles),
        "sums": sums_table(sums),
        "pixels": pixels,
    }
    drawn = [row for row in pixels.rows if row["score of"] == val.classes[label]]
    pictures = [
        draw_strides(settings.out / "skips.png", runs[0], val, scenes),
        draw_terms(settings.out / "contributions.png", runs[0], val, scene, label),
    ]
    return Result(tables, conclude(runs, oracles, sums, drawn), pictures)


def count_oracles(val: Dataset, stride: int) -> dict[str, ConfusionMatrix]:
    """Return how the best scores at a stride agree with the truth, with two kinds of weights."""
    truth = np.stack([val[i][1] for i in range(len(val))])
    num_classes = len(val.classes)
    matrices = {}
    for name, weight in (("plain", None), ("weighted", rarity(truth, num_classes))):
        matrices[name] = ConfusionMatrix(num_classes)
        matrices[name].update(truth, oracle(truth, num_classes, stride, weight).argmax(1))
    return matrices


def busiest(val: Dataset, count: int) -> list[int]:
    """Return the scenes with the most classes, the first ones of those with equally many."""
    classes = [len(np.unique(val[i][1])) for i in range(len(val))]
    return sorted(range(len(val)), key=lambda i: -classes[i])[:count]


def largest_stroke(val: Dataset, scenes: Sequence[int]) -> tuple[int, int]:
    """Return the scene and the label of the class of strokes that covers the most pixels.

    That is rings, crosses or lines; those that do not touch the border come first.
    """

    def size(pair: tuple[int, int]) -> tuple[bool, int]:
        own = val[pair[0]][1] == pair[1]
        whole = np.count_nonzero(own) == np.count_nonzero(own[1:-1, 1:-1])
        return bool(whole and own.any()), int(np.count_nonzero(own))

    return max(((i, label) for i in scenes for label in (3, 4, 5)), key=size)


def draw_strides(
    path: Path, runs: Mapping[Variant, Run], val: Dataset, scenes: Sequence[int]
) -> Path:
    """Draw scenes: image, truth, and what the networks trained in stages predict."""
    images, truths = zip(*(val[i] for i in scenes), strict=True)
    networks = {
        "FCN-32s": runs[FCN32].model,
        "FCN-16s, staged": runs[STAGED16].model,
        "FCN-8s, staged": runs[STAGED8].model,
    }
    predictions = {name: list(predict(model, images)) for name, model in networks.items()}
    masks = {"truth": list(truths), **predictions}
    plot_strides(path, images, masks, val.classes, val.palette)
    return path


def draw_terms(
    path: Path, runs: Mapping[Variant, Run], val: Dataset, scene: int, label: int
) -> Path:
    """Draw the terms of one class's scores, with the pixels of the table."""
    image, truth = val[scene]
    terms = score_terms(runs[STAGED8].model, [image])
    pixels = {p.where: (p.row, p.column) for p in places(truth, val.classes) if p.label == label}
    maps = {name: term[0, label] for name, term in terms.items()}
    name, colour = val.classes[label], val.palette[label]
    plot_contributions(path, image, truth == label, maps, pixels, name, colour)
    return path


EXPERIMENT = Experiment(
    "what skips bring back: FCN-32s, 16s and 8s, staged and at once, and taken apart",
    run,
    seeds=3,
    minutes=8,
)
