"""The tables and findings of a heatmap: how likely each class is, and where it is seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from minifcn.experiments.experiment import Table
from minifcn.experiments.heatmap.photos import size_text
from minifcn.experiments.heatmap.views import View
from minifcn.models.pretrained import Network, first_name, version

TOP = 5
"""How many classes are listed."""


def class_table(
    title: str, labels: Sequence[str], crop: View, wanted: Sequence[int], network: Network
) -> Table:
    """The likeliest classes and those asked for, each with its logit and the mean of its map."""
    ranking = crop.ranking()
    means = crop.scores.mean((1, 2))
    rows = [
        {
            "rank": ranking.index(number) + 1,
            "number": str(number),
            "class": labels[number],
            "probability": crop.probabilities[number],
            "logit": crop.logits[number],
            "mean of map": means[number],
            "difference": abs(means[number] - crop.logits[number]),
        }
        for number in dict.fromkeys([*ranking[:TOP], *wanted])
    ]
    source = network.weights
    note = (
        f"The weights are those of the package {source.package} {version(source)}"
        f" ({source.licence}). Shown was the square of {crop.size} pixels from the middle."
    )
    return Table(title, rows, {"difference": ".1e"}, note)


def view_table(views: Mapping[str, View], labels: Sequence[str], drawn: Iterable[int]) -> Table:
    """The likeliest class, and the probabilities of those that are drawn, in each view."""
    rows = []
    for name, view in views.items():
        best = view.ranking()[0]
        row: dict[str, Any] = {"view": name, "pixels": view.size}
        row |= {"cells": size_text(view.scores.shape[1:]), "top-1": first_name(labels[best])}
        row |= {"its probability": view.probabilities[best]}
        row |= {f"{first_name(labels[n])} ({n})": view.probabilities[n] for n in drawn}
        rows.append(row)
    note = (
        "A logit is the mean over all cells: what is around an object counts as much as the object."
    )
    return Table("The same network at other sizes", rows, note=note)


def identity(view: View) -> str:
    """Say how far the mean of a map is from the logit of its class."""
    difference = np.abs(view.scores.mean((1, 2)) - view.logits).max()
    return (
        f"the mean of a class's map is its logit: over all {len(view.logits):,} classes they differ"
        f" by at most {difference:.1e}, where the largest logit is {np.abs(view.logits).max():.1f}"
    )


def place(view: View, number: int, labels: Sequence[str]) -> str:
    """Say where the strongest cell of a class is, and how much of the photo exceeds half of it."""
    name, scores, heat = first_name(labels[number]), view.scores[number], view.heatmap(number)
    if scores.max() <= 0:
        return f"{name}: no cell has a positive score"
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    y, x = (
        (float(to_cells.inverse()(int(i))) + 0.5) / size
        for i, to_cells, size in zip((row, column), view.axes, view.image.shape, strict=False)
    )
    share = (heat > scores.max() / 2).mean()
    return (
        f"{name}: the strongest cell is {x:.0%} from the left and {y:.0%} from the top;"
        f" {share:.0%} of the photo scores more than half of it"
    )
