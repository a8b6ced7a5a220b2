"""Checkerboards drawn: stamps along a line, overlaps in the plane, and outputs side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minifcn.metrics.phases import phase_sums
from minifcn.plots.canvas import DPI, WIDTH, figure_file
from minifcn.plots.cells import circle, square
from minifcn.plots.colours import ORANGE, SKY_BLUE, tint
from minifcn.plots.grids import Grid, Panel, draw_page, marked_window
from minifcn.plots.panels import axes_at, bare, page_axes, write_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches.
_MARGIN, _NOTE_LINE = 0.15, 0.17
_LINE_CELL = 0.205
"""A cell of a line of pixels."""

# Two neighbouring stamps differ in their hatches as well as in their colours.
_STAMPS: Sequence[dict[str, Any]] = (
    {"facecolor": "#CFE8F7", "hatch": ""},
    {"facecolor": "#F7D9E8", "hatch": "////"},
)
_STAMP_NOTES = (
    "Squares: the pixels of the input, numbered. Bars: the k outputs that each of them is"
    " stamped onto, s further on each.",
    "Circles: the outputs, with the number of bars above them.",
)


# -- Stamps along a line -------------------------------------------------------------------------


def plot_stamps(
    path: str | os.PathLike[str], cases: Sequence[tuple[int, int]], pixels: int = 5
) -> None:
    """Draw what each pixel of a line stamps, as a bar, and how many bars lie over each output.

    Args:
        path: the PNG to write.
        cases: kernel sizes and strides, k at least s, two panels a line.
        pixels: how many the input has.

    Raises:
        ValueError: if there are no cases, a kernel is smaller than its stride, or path is not a
            PNG in an existing folder.
    """
    _check_cases(cases)
    lines = [cases[n : n + 2] for n in range(0, len(cases), 2)]
    heights = [max(map(_stamp_rows, line)) + 5.4 for line in lines]
    height = _LINE_CELL * sum(heights) + 2 * _NOTE_LINE + 2 * _MARGIN
    with figure_file(path, WIDTH, height) as figure:
        axes = page_axes(figure, _LINE_CELL)
        left, column = _MARGIN / _LINE_CELL, (WIDTH - _MARGIN) / 2 / _LINE_CELL
        top = left
        for line, line_height in zip(lines, heights, strict=True):
            for n, (k, s) in enumerate(line):
                _draw_stamps(axes, (left + n * column, top), k, s, pixels)
            top += line_height
        apart = _NOTE_LINE / _LINE_CELL
        write_notes(axes, _STAMP_NOTES, left, top + 0.3 * apart, apart)


def _check_cases(cases: Sequence[tuple[int, int]]) -> None:
    if not cases:
        raise ValueError("cases must hold at least one kernel size and stride, got none")
    for k, s in cases:
        if not 1 <= s <= k:
            raise ValueError(f"cases must have kernels of at least the stride, got k={k}, s={s}")


def _stamp_rows(case: tuple[int, int]) -> int:
    """How many stamps lie over one another at most: ceil(k / s)."""
    return -(-case[0] // case[1])


def _draw_stamps(axes: Axes, corner: tuple[float, float], k: int, s: int, pixels: int) -> None:
    """The input on top, a bar for each of its pixels, and the counts at the bottom."""
    left, top = corner
    counts = stamp_counts(k, s, pixels)
    rows = _stamp_rows((k, s))
    phases = phase_sums(np.ones(k), s)
    verdict = "even" if phases.min() == phases.max() else "uneven"
    title = f"k={k}, s={s}: {verdict}, " + " ".join(f"{n:.0f}" for n in phases) + " repeated"
    axes.text(left, top + 0.5, title, va="center", fontsize=9, fontweight="bold")
    for n in range(pixels):
        start = left + n * s
        _draw_cell(axes, (start + k / 2, top + 2.0), n + 1, square, tint(SKY_BLUE, 0.8))
        row = top + 2.8 + n % rows
        axes.add_patch(_bar((start, row + 0.1), k, **_STAMPS[n % 2]))
        text_box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        axes.text(start + k / 2, row + 0.53, str(n + 1), ha="center", va="center", fontsize=7,
                  bbox=text_box)  # fmt: skip
    for position, count in enumerate(counts):
        place = (left + position + 0.5, top + 3.5 + rows)
        _draw_cell(axes, place, int(count), circle, tint(ORANGE, count / counts.max()))


def stamp_counts(k: int, s: int, pixels: int) -> np.ndarray:
    """How many stamps lie over each output pixel of a line: (s (pixels - 1) + k,)."""
    counts = np.zeros(s * (pixels - 1) + k, np.int64)
    for n in range(pixels):
        counts[n * s : n * s + k] += 1
    return counts


def _bar(corner: tuple[float, float], length: int, **appearance: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, length, 0.8, edgecolor="0.3", linewidth=0.6, **appearance)


def _draw_cell(
    axes: Axes, centre: tuple[float, float], number: int, shape: Any, colour: np.ndarray
) -> None:
    axes.add_patch(shape(centre, facecolor=colour, edgecolor="black", lw=0.6))
    axes.text(*centre, str(number), ha="center", va="center", fontsize=7.5)


# -- Overlaps in the plane -----------------------------------------------------------------------


class CountMap(NamedTuple):
    """Counts in the plane, made by a layer from a grid of ones: windows of k, s apart."""

    title: str
    source: str
    result: str
    counts: np.ndarray
    kernel: int
    stride: int


def plot_counts(
    path: str | os.PathLike[str], maps: Sequence[CountMap], notes: Sequence[str]
) -> None:
    """Draw grids of ones and the counts that come from them, with one window outlined.

    Args:
        path: the PNG to write.
        maps: counts (s (n - 1) + k, likewise across) that n x n ones were stamped into.
        notes: lines of text that say what the numbers are.

    Raises:
        ValueError: if there are no maps, or path is not a PNG in an existing folder.
    """
    draw_page(path, [count_panel(shown) for shown in maps], notes)


def count_panel(shown: CountMap) -> Panel:
    """Mark the second pixel of the second row, and the window that it stamps."""
    k, s = shown.kernel, shown.stride
    counts = shown.counts.astype(np.int64)
    n = (len(counts) - k) // s + 1
    ones = np.ones((n, n), np.int64)
    return Panel(
        shown.title,
        Grid(f"{shown.source} {n}×{n}", ones, marked_window(ones, 1)),
        Grid(f"{shown.result} {len(counts)}×{len(counts)}", counts, marked_window(counts, s, k)),
    )


# -- Outputs side by side ------------------------------------------------------------------------


class OutputRow(NamedTuple):
    """A line of the picture: an input, and under each output a few words.

    input: (H, W); outputs: planes of (fH, fW), f a whole number for each; captions: one for each
    output; from_zero: whether black is 0 or the plane's lowest value (it is 0 for an input without
    negative values in any case).
    """

    title: str
    input: np.ndarray
    outputs: Sequence[np.ndarray]
    captions: Sequence[str]
    from_zero: bool = True


# A panel's side in dots: a multiple of 14 and 112, so that each pixel is drawn as large as others.
_SIDE, _GAP, _TITLE, _CAPTION = 224, 24, 38, 28
_SECOND_LINE = 22
"""What a second line of a caption adds."""

_SCALE = (
    "Black is 0 and the lightest grey the highest value of each picture; with Gaussian kernels"
    " black is its lowest value."
)


def plot_outputs(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    rows: Sequence[OutputRow],
    note: str = _SCALE,
) -> None:
    """Draw inputs and, right of each, what several layers make of it, in grey.

    Args:
        path: the PNG to write.
        columns: the names of the layers.
        rows: inputs and outputs; a caption has one line or two.
        note: what the grey levels mean, below all.

    Raises:
        ValueError: if there are no rows, a row has another number of outputs or captions than
            there are columns, or path is not a PNG in an existing folder.
    """
    if not rows:
        raise ValueError("rows must hold at least one input with its outputs, got none")
    for row in rows:
        if not len(row.outputs) == len(row.captions) == len(columns):
            raise ValueError(
                f"rows must have {len(columns)} outputs and captions, as there are columns;"
                f" got {len(row.outputs)} and {len(row.captions)}"
            )
    below = _CAPTION + _SECOND_LINE * any("\n" in text for row in rows for text in row.captions)
    line = _TITLE + _SIDE + below
    width = _GAP + (len(columns) + 1) * (_SIDE + _GAP)
    height = _TITLE + len(rows) * line + 2 * _CAPTION
    with figure_file(path, width / DPI, height / DPI) as figure:
        for n, name in enumerate(("input", *columns)):
            _write(
                figure, (_panel_left(n) + _SIDE / 2, _TITLE / 2), name, weight="bold", fontsize=8
            )
        for n, row in enumerate(rows):
            _draw_outputs(figure, row, _TITLE + n * line, below)
        foot = _TITLE + len(rows) * line + _CAPTION
        _write(figure, (_GAP, foot), note, horizontalalignment="left")


def _panel_left(column: int) -> int:
    return _GAP + column * (_SIDE + _GAP)


def _draw_outputs(figure: Figure, row: OutputRow, top: int, below: int) -> None:
    _write(figure, (_GAP, top + _TITLE / 2), row.title, horizontalalignment="left")
    for n, plane in enumerate((row.input, *row.outputs)):
        from_zero = row.from_zero or (n == 0 and plane.min() >= 0)
        _draw_plane(figure, plane, (_panel_left(n), top + _TITLE), from_zero, n == 0)
    for n, caption in enumerate(row.captions, 1):
        middle = top + _TITLE + _SIDE + below / 2
        _write(figure, (_panel_left(n) + _SIDE / 2, middle), caption)


def _draw_plane(
    figure: Figure, plane: np.ndarray, corner: tuple[int, int], from_zero: bool, is_input: bool
) -> None:
    """Draw on whole dots; the input has a thick frame."""
    axes = axes_at(figure, *(dots / DPI for dots in (*corner, _SIDE, _SIDE)))
    lowest = 0 if from_zero else plane.min()
    highest = lowest + 1.1 * (plane.max() - lowest)  # white is kept for the paper
    axes.imshow(plane, cmap="gray", vmin=lowest, vmax=highest, interpolation="nearest")
    bare(axes, 2.5 if is_input else 0.5)


def _write(figure: Figure, place: tuple[float, float], text: str, **appearance: Any) -> None:
    """Write text at a place in dots from the top left, its middle there."""
    width, height = figure.get_size_inches() * DPI
    settings = {"horizontalalignment": "center", "verticalalignment": "center", "fontsize": 8.5}
    figure.text(place[0] / width, 1 - place[1] / height, text, **{**settings, **appearance})
