"""The tables of the experiment `transfer`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minifcn.experiments.experiment import Table
from minifcn.experiments.transfer.training import STARTS, Recipe, Run

Curves = Sequence[Mapping[tuple[str, int], Run]]
"""By seed: the runs by start and number of images."""

Photos = Mapping[str, Run]
"""The runs on the thirty photos, by start."""


def mean_ius(curves: Curves, start: str, count: int) -> np.ndarray:
    """Return the mean IU of each seed."""
    return np.array([runs[start, count].matrix.mean_iu for runs in curves])


def counts_of(curves: Curves) -> list[int]:
    """Return the numbers of images that networks were trained on, in order."""
    return sorted({count for _, count in curves[0]})


def curves_table(curves: Curves, data: str, recipe: Recipe) -> Table:
    """A row for each start: mean IU by number of images, and how far seeds are apart."""
    counts = counts_of(curves)
    rows: list[dict[str, Any]] = []
    for start in STARTS:
        ious = [mean_ius(curves, start, count) for count in counts]
        row: dict[str, Any] = {"start": start}
        row |= {f"{n} images": iu.mean() for n, iu in zip(counts, ious, strict=True)}
        spread = {"largest range": max(np.ptp(iu) for iu in ious)} if len(curves) > 1 else {}
        rows.append(row | spread)
    return Table(
        f"Mean IU on {data}, {recipe.iterations} iterations each, by number of training images",
        rows,
        note=(
            f"{_seeds(len(curves))} All but small: one FCN-8s on EfficientNet-Lite0.\n"
            f"All pixels of the commonest class are worth"
            f" {curves[0][STARTS[0], counts[0]].matrix.baseline_mean_iu:.3f}."
        ),
    )


def _seeds(count: int) -> str:
    if count == 1:
        return "One seed."
    return f"Means of {count} seeds; largest range: from the lowest of them to the highest."


def costs_table(curves: Curves, recipe: Recipe) -> Table:
    """A row for each start: what is trained, and how long it takes."""
    rows = []
    for start in STARTS:
        own = [run for runs in curves for (name, _), run in runs.items() if name == start]
        seconds = float(np.median([run.seconds for run in own]))
        rows.append(
            {
                "start": start,
                "trained weights": own[0].weights,
                "seconds": seconds,
                "ms an iteration": 1000 * seconds / recipe.iterations,
            }
        )
    return Table(
        "What the training costs",
        rows,
        {"seconds": ".1f", "ms an iteration": ".0f"},
        "Medians, by the clock.",
    )


def photos_table(photos: Photos, classes: Sequence[str], recipe: Recipe) -> Table:
    """A row for each start: the scores on the ten photos that are held out."""
    rows = []
    for start, run in photos.items():
        row: dict[str, Any] = {"start": start, "mean IU": run.matrix.mean_iu}
        row |= {f"IU {name}": iu for name, iu in zip(classes, run.matrix.iu, strict=True)}
        row |= {"pixel accuracy": run.matrix.pixel_accuracy, "seconds": run.seconds}
        rows.append(row)
    return Table(
        f"Thirty photos: twenty to train, {recipe.iterations} iterations; scores on the other ten",
        rows,
        {"seconds": ".0f"},
        "The objects are the same ones in other views, the grounds are others: see photos.py.\n"
        "All are in the folder thirty, as minifcn train --data reads them.",
    )
