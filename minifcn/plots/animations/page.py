"""The page of both animations: input, kernel, products and output, with a caption below."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minifcn.kernels.geometry import Pair
from minifcn.plots.animations.number_grid import NumberGrid, Place
from minifcn.plots.canvas import WIDTH
from minifcn.plots.numbers import true_minus

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

CAPTION_LINES = 3
"""Lines of text below the grids."""

# Inches.
_MARGIN, _GAP, _INDICES, _LINE = 0.12, 0.5, 0.28, 0.2
_COLUMN, _TITLES, _HEADER = 1.5, 0.45, 0.25
_CELLS = (0.2, 0.46)
_LETTERS_PER_INCH = 14.5


class Grids(NamedTuple):
    """What a page has in all of its frames.

    hatched_input, hatched_output: bool (H, W), cells that are no pixels; kernel: its size;
    first_input, first_output: the row and column of the first cell, negative in the padding;
    titles: of the input, the kernel, the products and the output; numbers: all that each of the
    four ever shows; extra: how many rows and columns at the bottom and
    right of the output's pixels are due to the output padding.
    """

    title: str
    hatched_input: np.ndarray
    hatched_output: np.ndarray
    kernel: Pair
    first_input: Pair
    first_output: Pair
    titles: tuple[str, str, str, str]
    numbers: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    legend: str
    extra: Pair = (0, 0)


class Layout(NamedTuple):
    """Inches: the size of a page, the side of a cell, and where the four grids stand."""

    width: float
    height: float
    cell: float
    places: tuple[Place, Place, Place, Place]


def layout(grids: Grids) -> Layout:
    """Return where things stand: cells as large as the page's width allows, within limits."""
    (rows, left), (outs, right) = grids.hatched_input.shape, grids.hatched_output.shape
    tall, wide = grids.kernel
    room = WIDTH - 2 * _MARGIN - 2 * _GAP - 3 * _INDICES
    cell = float(np.clip(room / (left + wide + right), *_CELLS))
    widths = [max(n * cell, _COLUMN) for n in (left, wide, right)]
    xs = np.cumsum([_MARGIN + _INDICES, *(w + _GAP + _INDICES for w in widths)])
    spare = max(0.0, room - sum(widths))
    xs = xs + spare / 2 * np.arange(4)
    body = max(rows * cell, outs * cell, 2 * tall * cell + _TITLES) + _TITLES
    below = (CAPTION_LINES + 1) * _LINE + 2 * _MARGIN
    middle = _HEADER + _TITLES + (body - _TITLES) / 2
    first = middle - tall * cell - _TITLES / 2
    tops = (middle - rows * cell / 2, first, middle + _TITLES / 2, middle - outs * cell / 2)
    lefts = (xs[0], xs[1], xs[1], xs[2])
    places = [Place(float(x), float(y), cell) for x, y in zip(lefts, tops, strict=True)]
    width = max(WIDTH, float(xs[2]) + widths[2] + _MARGIN)
    four = (places[0], places[1], places[2], places[3])
    return Layout(width, _HEADER + body + below, cell, four)


class Page:
    """The four grids and the caption on axes whose unit is the inch, with y running down."""

    def __init__(self, axes: Axes, grids: Grids) -> None:
        self._axes, self._size = axes, layout(grids)
        unhatched = np.zeros(grids.kernel, bool)
        hatched = (grids.hatched_input, unhatched, unhatched, grids.hatched_output)
        kinds = ("input", "kernel", "kernel", "output")
        self.input, self.kernel, self.products, self.output = (
            NumberGrid(axes, *each)
            for each in zip(self._size.places, hatched, kinds, grids.numbers, strict=True)
        )
        self._grids = (self.input, self.kernel, self.products, self.output)
        for place, title in zip(self._size.places, grids.titles, strict=True):
            self._title(place, title)
        self._indices(self._size.places[0], grids.hatched_input.shape, grids.first_input)
        self._indices(self._size.places[3], grids.hatched_output.shape, grids.first_output)
        self._dashes = self._extra(grids)
        self._words(grids)

    def artists(self) -> list[Artist]:
        """Return everything that may change from frame to frame."""
        return [artist for grid in self._grids for artist in grid.artists()] + self.passing()

    def changed(self) -> list[Artist]:
        """Return what looks otherwise since this was asked last."""
        return [artist for grid in self._grids for artist in grid.changed()]

    def passing(self) -> list[Artist]:
        """Return what stands in front, and is another in each frame."""
        return [*self._dashes, *(grid.line for grid in self._grids), self._count, *self._caption]

    def say(self, count: str, sentences: list[str]) -> None:
        """Write which step this is, and what happens in it, cut to what fits."""
        self._count.set_text(count)
        lines = [line for sentence in sentences for line in self.wrapped(sentence)]
        lines += [""] * (CAPTION_LINES - len(lines))
        for text, line in zip(self._caption, lines[:CAPTION_LINES], strict=True):
            text.set_text(line)

    def wrapped(self, sentence: str) -> list[str]:
        """Return the lines that a sentence needs on this page."""
        return textwrap.wrap(sentence, int(_LETTERS_PER_INCH * (self._size.width - 2 * _MARGIN)))

    def _words(self, grids: Grids) -> None:
        width, height = self._size.width, self._size.height
        write = self._axes.text
        write(_MARGIN, 0.17, grids.title, fontsize=10, fontweight="bold", va="center")
        self._count = write(width - _MARGIN, 0.17, "", fontsize=9, ha="right", va="center")
        lines = [height - _MARGIN - (n + 0.5) * _LINE for n in range(CAPTION_LINES + 1)][::-1]
        self._caption = [write(_MARGIN, y, "", fontsize=9, va="center") for y in lines[:-1]]
        write(_MARGIN, lines[-1], grids.legend, fontsize=8, va="center", color="0.3")

    def _title(self, place: Place, title: str) -> None:
        x, y = place.left, place.top - 0.22
        self._axes.text(x, y, title, fontsize=9, va="bottom", linespacing=1.15)

    def _indices(self, place: Place, size: Any, first: Pair) -> None:
        """Number the rows and columns."""
        style: Any = {"fontsize": min(8.0, 36 * place.cell), "color": "0.35"}
        every = 1 if place.cell > 0.25 else 2
        for n in range(first[0] % every, size[0], every):
            y, name = place.top + (n + 0.5) * place.cell, true_minus(str(first[0] + n))
            self._axes.text(place.left - 0.06, y, name, ha="right", va="center", **style)
        for n in range(first[1] % every, size[1], every):
            x, name = place.left + (n + 0.5) * place.cell, true_minus(str(first[1] + n))
            self._axes.text(x, place.top - 0.05, name, ha="center", va="bottom", **style)

    def _extra(self, grids: Grids) -> list[Artist]:
        """Draw a dashed line before the rows and columns that the output padding adds."""
        place, pixels = self._size.places[3], np.argwhere(~grids.hatched_output)
        top, left = pixels.min(axis=0)
        bottom, right = pixels.max(axis=0) + 1
        style: Any = {"color": "black", "linewidth": 1.4, "linestyle": (0, (3, 2))}
        xs = [place.left + n * place.cell for n in (left, right, right - grids.extra[1])]
        ys = [place.top + n * place.cell for n in (top, bottom, bottom - grids.extra[0])]
        lines: list[Artist] = []
        if grids.extra[0]:
            lines += self._axes.plot(xs[:2], [ys[2], ys[2]], **style)
        if grids.extra[1]:
            lines += self._axes.plot([xs[2], xs[2]], ys[:2], **style)
        return lines
