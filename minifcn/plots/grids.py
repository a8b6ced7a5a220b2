"""Pages of grids with numbers in their cells: an input of squares, an output of circles."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minifcn.plots.canvas import WIDTH, figure_file
from minifcn.plots.cells import circle, square
from minifcn.plots.colours import ORANGE, SKY_BLUE, tint
from minifcn.plots.outlines import cell_edges
from minifcn.plots.panels import page_axes, write_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

PADDING, BETWEEN, EXTRA = -1, -2, -3
"""Cells that hold no pixel: zeros around, zeros between pixels, and the output padding's zeros."""

# Inches, but for the last line, which is in cells: a title, and the arrow between two grids.
_MARGIN, _CELL, _NOTE_LINE = 0.15, 0.2, 0.17
_COLUMN = (WIDTH - _MARGIN) / 2
_TITLE, _ARROW = 2.2, 2.6


class Grid(NamedTuple):
    """A grid of cells to draw.

    cells: (H, W) counts, or one of PADDING, BETWEEN and EXTRA; marked: (H, W), the cells with a
    thick outline: those of one window, or of what it computes.
    """

    name: str
    cells: np.ndarray
    marked: np.ndarray


class Panel(NamedTuple):
    """A figure of the page: an input, what becomes of it, and a title."""

    title: str
    input: Grid
    output: Grid

    @property
    def rows(self) -> int:
        """Rows of cells that the taller of the two grids has."""
        return max(len(self.input.cells), len(self.output.cells))


def marked_window(cells: np.ndarray, first: int, count: int = 1, step: int = 1) -> np.ndarray:
    """Mark the cells of a window: `count` rows and columns from `first` on."""
    marked = np.zeros(cells.shape, bool)
    places = slice(first, first + count * step, step)
    marked[places, places] = True
    return marked


def draw_page(path: str | os.PathLike[str], panels: Sequence[Panel], notes: Sequence[str]) -> None:
    """Draw two panels a line, and notes below them.

    Args:
        path: the PNG to write.
        panels: what to draw, in the order of reading.
        notes: lines of text that say what the numbers are.

    Raises:
        ValueError: if there are no panels, or path is not a PNG in an existing folder.
    """
    if not panels:
        raise ValueError("panels must hold at least one panel, got none")
    lines = [panels[n : n + 2] for n in range(0, len(panels), 2)]
    heights = [max(panel.rows for panel in line) + _TITLE + 0.8 for line in lines]
    height = _CELL * sum(heights) + _NOTE_LINE * len(notes) + 2 * _MARGIN
    with figure_file(path, WIDTH, height) as figure:
        axes = page_axes(figure, _CELL)
        top = _MARGIN / _CELL
        for line, line_height in zip(lines, heights, strict=True):
            for column, panel in enumerate(line):
                _draw_panel(axes, panel, (_MARGIN + column * _COLUMN) / _CELL, top)
            top += line_height
        apart = _NOTE_LINE / _CELL
        write_notes(axes, notes, _MARGIN / _CELL, top + 0.3 * apart, apart)


def _draw_panel(axes: Axes, panel: Panel, left: float, top: float) -> None:
    axes.text(left, top + 0.5, panel.title, va="center", fontsize=9, fontweight="bold")
    middle = top + _TITLE + panel.rows / 2
    right = left + panel.input.cells.shape[1] + _ARROW
    _draw_grid(axes, panel.input, left, middle, is_output=False)
    _draw_grid(axes, panel.output, right, middle, is_output=True)
    axes.annotate(
        "", (right - 0.6, middle), (right - _ARROW + 0.6, middle),
        arrowprops={"arrowstyle": "-|>", "color": "black", "linewidth": 1.2},
    )  # fmt: skip


def _draw_grid(axes: Axes, grid: Grid, left: float, middle: float, is_output: bool) -> None:
    """Draw cells, and a thick line around what is marked: a dilated window has one for each."""
    from matplotlib.collections import LineCollection

    top = middle - len(grid.cells) / 2
    axes.text(left, top - 0.5, grid.name, va="center", fontsize=8)
    most = max(int(grid.cells.max()), 1)
    for (row, column), count in np.ndenumerate(grid.cells):
        centre = (left + column + 0.5, top + row + 0.5)
        axes.add_patch(_cell(centre, int(count), count / most, is_output))
        text = {PADDING: "", BETWEEN: "0", EXTRA: "a"}.get(int(count), str(count))
        place = (centre[0], centre[1] + 0.03)
        colour = "0.4" if count < 0 else "black"
        axes.text(*place, text, ha="center", va="center", fontsize=7.5, color=colour)
    edges = cell_edges(grid.marked, (left, top))
    axes.add_collection(LineCollection(edges, colors="black", linewidths=2, capstyle="projecting"))


def _cell(centre: tuple[float, float], count: int, share: float, is_output: bool) -> Patch:
    """A square for the input, hatched where it is padding, or a circle for the output."""
    if is_output:
        return circle(centre, facecolor=tint(ORANGE, share), edgecolor="black", lw=0.6)
    if count == PADDING:
        return square(centre, facecolor="white", edgecolor="0.6", hatch="/////", lw=0.6)
    colour = tint(SKY_BLUE, share) if count >= 0 else "white"
    return square(centre, facecolor=colour, edgecolor="0.3", lw=0.6)
