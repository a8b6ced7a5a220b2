"""A confusion matrix as a picture: which class is taken for which."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.plots.canvas import check_names, figure_file, legible
from minifcn.plots.fonts import width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CLASSES_WITH_NUMBERS = 21
"""PASCAL VOC's 21 classes are the most whose percentages can be read in a page's width."""


def plot_confusion(path: str | os.PathLike[str], counts: ArrayLike, classes: Sequence[str]) -> None:
    """Draw a confusion matrix, each row as shares of its true class: n_ij / t_i.

    The diagonal is each class's accuracy. Cells hold percentages where there are at most
    `MOST_CLASSES_WITH_NUMBERS` classes; the row of a class absent from the truth is grey.

    Args:
        path: the PNG to write.
        counts: pixels by true class (row) and predicted class (column), shape (C, C).
        classes: the C class names, in label order.

    Raises:
        ValueError: if counts is not (C, C) and non-negative, or names or path do not fit.
    """
    shares = row_shares(counts)
    check_names(classes, len(shares), "counts")
    names = legible(classes)
    cells, letters = max(0.29 * len(names), 1.6), 0.075 * max(map(width_of, names))
    width, height = 1.06 * cells + letters + 1.15, cells + letters + 0.5
    with figure_file(path, width, height, layout="constrained") as figure:
        axes = figure.subplots()
        picture = _draw_shares(axes, shares, names)
        if len(shares) <= MOST_CLASSES_WITH_NUMBERS:
            _write_percentages(axes, shares)
        bar = figure.colorbar(picture, ax=axes, shrink=0.6, fraction=0.06, pad=0.03)
        bar.set_label("% of the true class's pixels")


def row_shares(counts: ArrayLike) -> NDArray[np.float64]:
    """Return counts divided by their row sums, shape (C, C); NaN in a row without pixels.

    Raises:
        ValueError: if counts is not a square, non-negative matrix.
    """
    matrix = np.asarray(counts)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"counts must have shape (C, C), got {matrix.shape}")
    if (matrix < 0).any():
        raise ValueError(f"counts must not be negative, got {matrix.min()}")
    totals = np.broadcast_to(matrix.sum(axis=1, keepdims=True), matrix.shape)
    return np.divide(matrix, totals, out=np.full(matrix.shape, np.nan), where=totals > 0)


def _draw_shares(axes: Axes, shares: NDArray[Any], names: Sequence[str]) -> Any:
    places = np.arange(len(names))
    axes.set_facecolor("0.85")
    picture = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(places, names, rotation=90)
    axes.set_yticks(places, names)
    axes.set_xlabel("prediction", fontweight="bold")
    axes.set_ylabel("truth", fontweight="bold")
    return picture


def _write_percentages(axes: Axes, shares: NDArray[Any]) -> None:
    for (i, j), share in np.ndenumerate(shares):
        colour = "white" if share > 0.5 else "black"
        axes.text(j, i, percentage(share), ha="center", va="center", color=colour, fontsize=7)


def percentage(share: float) -> str:
    """Return a share as a whole percentage that never rounds something to nothing or to all."""
    if np.isnan(share):
        return "–"
    if 0 < share < 0.005:
        return "<1"
    if 0.995 < share < 1:
        return ">99"
    return f"{100 * share:.0f}"
