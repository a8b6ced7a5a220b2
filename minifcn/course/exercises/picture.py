"""A wrong result drawn: yours, what is expected, and their difference, as numbers in cells."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from minifcn.course.exercises.checker import PartReport
from minifcn.course.exercises.naming import wrong_places
from minifcn.plots.canvas import WIDTH, figure_file

MOST = (8, 6)
"""Rows and columns that are drawn; of larger planes, those around the first wrong number.

Six numbers, such as -0.00385, are as many as can be read side by side in a third of a page.
"""


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
    height = 0.9 + WIDTH / 3 * len(right) / max(right.shape[1], 4)
    with figure_file(path, WIDTH, height, layout="constrained") as figure:
        place = ", ".join(map(str, report.where[:-2]))
        plane = f" [{place}]" if place else ""
        part = "" if right.shape == _plane(report.right, report).shape else f", from {corner} on"
        figure.suptitle(f"{report.function.name}: {report.part.name}{plane}{part}")
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
    got, right = _plane(report.result, report), _plane(report.right, report)
    where = report.where or ()
    at = (0,) * (2 - len(where[-2:])) + where[-2:]
    corner = tuple(
        max(0, min(i - most // 2, n - most))
        for i, n, most in zip(at, right.shape, MOST, strict=True)
    )
    part = tuple(slice(i, i + most) for i, most in zip(corner, MOST, strict=True))
    return got[part], right[part], corner


def _plane(array: Any, report: PartReport) -> np.ndarray:
    """The plane of an array in which the first wrong number is."""
    return np.atleast_2d(np.asarray(array)[(report.where or ())[:-2]])
