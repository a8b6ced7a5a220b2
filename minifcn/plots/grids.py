"""Pages of grids with numbers in their cells: an input of squares, an output of circles."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minifcn.plots.canvas import figure_file
from minifcn.plots.colours import class_boundaries

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

PADDING, BETWEEN, EXTRA = -1, -2, -3
"""Cells that hold no pixel: zeros around, zeros between pixels, and the output padding's zeros."""

# Inches, but for the last line, which is in cells: a title, and the arrow between two grids.
_WIDTH, _MARGIN, _CELL, _NOTE_LINE = 8.0, 0.15, 0.2, 0.17
_COLUMN = (_WIDTH - _MARGIN) / 2
_TITLE, _ARROW = 2.2, 2.6

# Okabe and Ito's colours, lightened by how few windows reach a cell. Outputs are round as well.
BLUE, ORANGE = np.array([0x56, 0xB4, 0xE9]) / 255, np.array([0xE6, 0x9F, 0x00]) / 255


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
    with figure_file(path, _WIDTH, height) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, _WIDTH / _CELL), ylim=(height / _CELL, 0))
        axes.set_axis_off()
        top = _MARGIN / _CELL
        for line, line_height in zip(lines, heights, strict=True):
            for column, panel in enumerate(line):
                _draw_panel(axes, panel, (_MARGIN + column * _COLUMN) / _CELL, top)
            top += line_height
        for n, note in enumerate(notes):
            y = top + (n + 0.3) * _NOTE_LINE / _CELL
            axes.text(_MARGIN / _CELL, y, note, va="center", fontsize=8)


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
    top = middle - len(grid.cells) / 2
    axes.text(left, top - 0.5, grid.name, va="center", fontsize=8)
    most = max(int(grid.cells.max()), 1)
    for (row, column), count in np.ndenumerate(grid.cells):
        corner = (left + column, top + row)
        axes.add_patch(_cell(corner, int(count), count / most, is_output))
        text = {PADDING: "", BETWEEN: "0", EXTRA: "a"}.get(int(count), str(count))
        place = (corner[0] + 0.5, corner[1] + 0.53)
        colour = "0.4" if count < 0 else "black"
        axes.text(*place, text, ha="center", va="center", fontsize=7.5, color=colour)
    _outline(axes, grid.marked, left, top)


def _cell(corner: tuple[float, float], count: int, share: float, is_output: bool) -> Patch:
    """A square for the input, hatched where it is padding, or a circle for the output."""
    from matplotlib.patches import Circle, Rectangle

    if is_output:
        centre = (corner[0] + 0.5, corner[1] + 0.5)
        return Circle(centre, 0.42, facecolor=tint(ORANGE, share), edgecolor="black", lw=0.6)
    if count == PADDING:
        return Rectangle(corner, 1, 1, facecolor="white", edgecolor="0.6", hatch="/////", lw=0.6)
    colour = tint(BLUE, share) if count >= 0 else "white"
    return Rectangle(corner, 1, 1, facecolor=colour, edgecolor="0.3", lw=0.6)


def _outline(axes: Axes, marked: np.ndarray, left: float, top: float) -> None:
    """Draw a thick line around what is marked; a dilated window has a line around each cell."""
    from matplotlib.collections import LineCollection

    # Boundaries are in the coordinates of imshow, where pixel 0 is from -1/2 to 1/2; less the ring.
    corner = np.array([left, top]) - 0.5
    segments = list(class_boundaries(np.pad(marked, 1)) + corner)
    axes.add_collection(
        LineCollection(segments, colors="black", linewidths=2, capstyle="projecting")
    )


def tint(colour: np.ndarray, share: float) -> np.ndarray:
    """Mix a colour with white, the more white the smaller the share."""
    weight = 0.1 + 0.7 * max(share, 0)
    return weight * colour + (1 - weight)
