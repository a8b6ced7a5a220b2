"""A grid of numbers that change from frame to frame: squares for inputs, circles for outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minifcn.plots.cells import circle, square
from minifcn.plots.colours import ORANGE, SKY_BLUE, tint
from minifcn.plots.numbers import signs, written
from minifcn.plots.outlines import cell_edges

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_COLOURS = {"input": SKY_BLUE, "output": ORANGE, "kernel": "0.5"}

_PLAIN: dict[str, Any] = {"facecolor": "white", "edgecolor": "0.3", "linewidth": 0.7}
_HATCH: dict[str, Any] = {**_PLAIN, "edgecolor": "0.75", "hatch": "/////"}

_ROOMY = 0.38
"""Inches that a cell needs to have a note beside its number."""

_SIGN, _SHARE, _SMALLEST = 0.64, 0.88, 6.0
"""How wide a sign is, in heights of its font; how much of its cell a number may take; and points
below which digits are left out rather than made smaller."""


class Place(NamedTuple):
    """Where a grid stands on the axes, in inches from the top left, and the side of its cells."""

    left: float
    top: float
    cell: float


class _Cell(NamedTuple):
    ground: Any
    shape: Any
    number: Any
    note: Any

    @property
    def parts(self) -> list[Any]:
        """Back to front; what is empty need not be drawn."""
        return [self.ground, self.shape, self.number, self.note]


class NumberGrid:
    """A grid of cells with numbers, notes and an outline; all drawn once and then changed.

    Args:
        axes: whose unit is the inch, with y running down.
        place: where it stands.
        hatched: bool (H, W), the cells that are no pixels: padding, or what is cut off.
        kind: 'input' or 'kernel' (squares), or 'output' (circles).
        numbers: all that it ever shows: their letters get one size, in which each fits its cell.
    """

    def __init__(
        self, axes: Axes, place: Place, hatched: np.ndarray, kind: str, numbers: np.ndarray
    ) -> None:
        from matplotlib.collections import LineCollection

        self._place, self._hatched, self._kind = place, hatched, kind
        self._room = signs_in(place.cell)
        longest = max(signs(written(number, self._room)) for number in np.unique(numbers))
        self.line = LineCollection([], colors="black", linewidths=2.2, capstyle="projecting")
        axes.add_collection(self.line, autolim=False)
        self._cells = {cell: self._draw(axes, cell, longest) for cell in np.ndindex(hatched.shape)}
        self._changed = set(self._cells)

    def artists(self) -> list[Artist]:
        """Return everything that may change."""
        return [self.line, *(artist for cell in self._cells.values() for artist in cell.parts)]

    def changed(self) -> list[Artist]:
        """Return the cells that changed since this was asked last, in the order of drawing."""
        cells, self._changed = sorted(self._changed), set()
        return [artist for cell in cells for artist in self._cells[cell].parts]

    def write(self, numbers: np.ndarray, notes: np.ndarray | None = None) -> None:
        """Write numbers, none where NaN; notes (strings) stand above them where there is room."""
        for index, cell in self._cells.items():
            number = "" if np.isnan(numbers[index]) else written(float(numbers[index]), self._room)
            note = "" if notes is None else self._fitting(str(notes[index]), cell)
            if (cell.number.get_text(), cell.note.get_text()) == (number, note):
                continue
            self._changed.add(index)
            cell.number.set_text(number)
            cell.note.set_text(note)
            lowered = 0.14 * self._place.cell if note else 0.0
            cell.number.set_y(self._middle(index)[1] + lowered)

    def _fitting(self, note: str, cell: _Cell) -> str:
        """Return a note, or nothing where the cell is too small for it."""
        wide = signs(note) * _SIGN * cell.note.get_fontsize() > 0.95 * 72 * self._place.cell
        return "" if wide or self._place.cell < _ROOMY else note

    def fill(self, shares: np.ndarray) -> None:
        """Colour the cells, (H, W) from 0 (white) to 1; hatched ones stay as they are."""
        for index in map(tuple, np.argwhere(~self._hatched)):
            share, cell = shares[index], self._cells[index]
            colour = tuple(tint(_COLOURS[self._kind], share)) if share else (1.0, 1.0, 1.0)
            if cell.shape.get_facecolor()[:3] != colour:
                self._changed.add(index)
                cell.shape.set_facecolor(colour)

    def outline(self, marked: np.ndarray) -> None:
        """Draw a thick line around the marked cells, bool (H, W)."""
        left, top, cell = self._place
        self.line.set_segments(cell_edges(marked, (left, top), cell))

    def _draw(self, axes: Axes, index: tuple[int, ...], longest: float) -> _Cell:
        """Draw a cell without a number, on a white ground that covers what stood there before."""
        (x, y), side = self._middle(index), self._place.cell
        hatched = bool(self._hatched[index])
        look = _HATCH if hatched else _PLAIN
        ground = square((x, y), side, facecolor="white", edgecolor="none")
        is_round = self._kind == "output"
        shape = circle((x, y), 0.46 * side, **look) if is_round else square((x, y), side, **look)
        for patch in (ground, shape):
            axes.add_artist(patch)
        size = _font_size(side, longest)
        style: dict[str, Any] = {"ha": "center", "va": "center_baseline"}
        style["color"] = "0.35" if hatched else "black"
        number = axes.text(x, y, "", fontsize=size, **style)
        note = axes.text(x, y - 0.2 * side, "", fontsize=max(0.75 * size, 6.5), **style)
        return _Cell(ground, shape, number, note)

    def _middle(self, place: Any) -> tuple[float, float]:
        left, top, cell = self._place
        return left + (place[1] + 0.5) * cell, top + (place[0] + 0.5) * cell


def signs_in(cell: float) -> int:
    """Return how many signs a cell of so many inches has room for: at least −1e−5 or −1234."""
    return max(5, int(_SHARE * 72 * cell / (_SIGN * _SMALLEST)))


def _font_size(cell: float, longest: float) -> float:
    """Return points: what the longest number leaves, of a size that suits the cell."""
    points = 72 * cell
    return min(10.0, 0.5 * points, _SHARE * points / (_SIGN * longest))
