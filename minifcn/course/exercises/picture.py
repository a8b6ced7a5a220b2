"""A wrong result drawn: yours, what is expected, and their difference, as numbers in cells."""

from __future__ import annotations

import os

import numpy as np

from minifcn.course.exercises.checker import PartReport
from minifcn.course.exercises.naming import wrong_places
from minifcn.plots.canvas import WIDTH, figure_file

MOST = 12
"""Rows and columns that are drawn; of larger planes, those around the first wrong number."""


def plot_wrong(path: str | os.PathLike[str], report: PartReport) -> None:
    """Draw the plane of the first wrong number: yours, expected, and the difference.

    Raises:
        ValueError: the part has no wrong array of numbers, or path cannot be drawn to.
    """
    if report.expected is None or report.where is None:
        raise ValueError(f"{report.function.name} has no wrong numbers to draw")
    got, right, corner = _planes(report)
    wrong = wrong_places(got, right)
    titles = ("yours", "expected", "yours - expected")
    height = 0.9 + WIDTH / 3 * len(right) / right.shape[1]
    with figure_file(path, WIDTH, height, layout="constrained") as figure:
        place = ", ".join(map(str, report.where[:-2]))
        plane = f" [{place}]" if place else ""
        figure.suptitle(f"{report.function.name}: {report.part.name}{plane}, from {corner} on")
        with np.errstate(invalid="ignore"):
            shown = (got, right, got - right)
        for axes, title, numbers in zip(figure.subplots(1, 3), titles, shown, strict=True):
            axes.set_title(title)
            axes.imshow(np.where(wrong, 1.0, 0.0), cmap="Oranges", vmin=0, vmax=3)
            for (row, column), number in np.ndenumerate(numbers):
                axes.text(column, row, f"{number:.3g}", ha="center", va="center", fontsize=6)
            axes.set_xticks([])
            axes.set_yticks([])


def _planes(report: PartReport) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """The two planes around the first wrong number, and the place of their first cell."""
    got, right = np.asarray(report.result), np.asarray(report.right)
    where = report.where or ()
    plane = where[:-2]
    got, right = (np.atleast_2d(array[plane]) for array in (got, right))
    at = (0,) * (2 - len(where[-2:])) + where[-2:]
    corner = tuple(
        max(0, min(i - MOST // 2, n - MOST)) for i, n in zip(at, right.shape, strict=True)
    )
    part = tuple(slice(i, i + MOST) for i in corner)
    return got[part], right[part], corner
