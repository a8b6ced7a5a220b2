"""Switches drawn: which pixel won each window of a max-pooling, and three ways of going back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.kernels.checks import pair
from minifcn.kernels.geometry import Pair
from minifcn.plots.canvas import WIDTH, figure_file
from minifcn.plots.cells import circle, square
from minifcn.plots.colours import BLUE, GREEN, ORANGE, PURPLE, SKY_BLUE, VERMILION, tint
from minifcn.plots.numbers import compact, true_minus
from minifcn.plots.outlines import halo
from minifcn.plots.panels import page_axes, write_notes
from minifcn.plots.pooled import Pooled, check_plane, pool, ways_back

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

_MARGIN, _TITLE, _NOTE = 0.15, 0.32, 0.24  # inches
_LARGEST_CELL = 0.42
_BETWEEN, _STEP, _RISE = 3.0, 1.7, 0.8
"""Cells: between input and output, from output to output, and by how much the next is higher."""
_SWITCHES_NOTE = (
    "Stride {stride}. Thick outline: a winner. Switch: its place, row × width + column, from 0."
)
_APART = 1.5
"""Cells between two grids of numbers."""
_WAYS_NOTES = (
    "Squares: the input; thick outline: the maximum of its window. Circles: what is computed.",
    "Filled: not 0. Of these, thick outline: the same number as in the input at this place.",
)
_FILLED, _SMALLEST = 0.9, 6.5
"""Which share of a cell a number may fill, and the size of the smallest letters; points."""
_LETTERS = {".": 0.32, "−": 0.84, "e": 0.62}
"""Widths of what is not as wide as a digit, in DejaVu Sans."""
_RIM: dict[str, Any] = {"width": 2.5, "alpha": 0.8}
_ARROWS = ("black", BLUE, VERMILION, GREEN, PURPLE)  # the dark ones


# -- The pictures --------------------------------------------------------------------------------


def plot_switches(
    path: str | os.PathLike[str],
    plane: ArrayLike,
    kernel_size: int | Pair = 2,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
) -> None:
    """Draw a max-pooling: numbers in squares, their maxima in circles, an arrow from each winner.

    Winners have thick outlines. Where windows overlap, several arrows may leave one pixel.

    Args:
        path: the PNG or SVG to write.
        plane: (H, W), at most 6x6.
        kernel_size: of the windows; one number, or (height, width), as stride and padding.
        stride: the kernel size by default.
        padding: of -inf around the plane, at most half the kernel size; it is not drawn.

    Raises:
        TypeError: a size is neither a whole number nor a pair of them.
        ValueError: the plane is not (H, W) of finite numbers or too large, no window fits into
            it, a number is too long for its cell, or path is not a PNG or SVG in an existing
            folder.
    """
    x, pooled = _small_plane(plane), pool(plane, kernel_size, stride, padding)
    rows, columns = pooled.values.shape
    pitch = max(x.shape[0] / rows, 1 + 0.5 * columns)  # room for the arrows that rise
    tall = max(x.shape[0], (rows - 1) * pitch + 1 + _RISE * (columns - 1) + 0.5)
    wide = x.shape[1] + _BETWEEN + _STEP * columns
    cell = min(_LARGEST_CELL, (WIDTH - 2 * _MARGIN) / wide)
    height = _TITLE + cell * tall + _NOTE + 2 * _MARGIN
    with figure_file(path, WIDTH, height) as figure:
        axes = page_axes(figure, cell)
        left = (WIDTH / cell - wide) / 2
        top = (_MARGIN + _TITLE) / cell
        right = left + x.shape[1] + _BETWEEN
        below = top + (tall - x.shape[0]) / 2
        _title(axes, f"input {x.shape[0]}×{x.shape[1]}", left, below)
        _title(axes, f"largest of each {_times(kernel_size)} window", right, top)
        _draw_cells(axes, x, left, below, won=_places(pooled.switches, x.shape))
        _draw_pooled(axes, x, pooled, (left, below), (right, top + _RISE * (columns - 1)), pitch)
        note = _SWITCHES_NOTE.format(stride=_stride(kernel_size if stride is None else stride))
        write_notes(axes, [note], left, (height - 0.2) / cell, 0)


def plot_ways_back(
    path: str | os.PathLike[str], plane: ArrayLike, kernel_size: int | Pair = 2
) -> None:
    """Draw a plane, its max-pooling, and three ways back from there, with their numbers.

    Input in squares, all that is computed in circles; filled circles are not 0. Of these,
    those with the same number as the input has at this place have a thick outline.

    Args:
        path: the PNG or SVG to write.
        plane: (H, W), at most 6x6, multiples of the kernel size.
        kernel_size: of the windows, and their stride; one number, or (height, width).

    Raises:
        TypeError: the kernel size is neither a whole number nor a pair of them.
        ValueError: the plane is none of these, a number is too long for its cell, or path is not
            a PNG or SVG in an existing folder.
    """
    x = _small_plane(plane)
    pooled, planes = pool(x, kernel_size), ways_back(x, kernel_size)
    height_in_cells, width_in_cells = x.shape
    cell = min(_LARGEST_CELL, (WIDTH - 2 * _MARGIN) / (3 * width_in_cells + 2 * _APART))
    line = _TITLE + cell * height_in_cells + _MARGIN
    height = 2 * line + 2 * _NOTE + _MARGIN
    with figure_file(path, WIDTH, height) as figure:
        axes = page_axes(figure, cell)
        left = (WIDTH / cell - 3 * width_in_cells - 2 * _APART) / 2
        top = (_MARGIN + _TITLE) / cell
        _title(axes, f"input {height_in_cells}×{width_in_cells}", left, top)
        _draw_cells(axes, x, left, top, won=_places(pooled.switches, x.shape))
        middle = left + width_in_cells + _APART
        _title(axes, f"largest of each {_times(kernel_size)} window", middle, top)
        _arrow(axes, middle - _APART, middle, top + height_in_cells / 2)
        centred = top + (height_in_cells - len(pooled.values)) / 2
        _draw_cells(axes, pooled.values, middle, centred, round_cells=True)
        for n, (name, own) in enumerate(planes.items()):
            place = left + n * (width_in_cells + _APART)
            _title(axes, name, place, top + line / cell)
            _draw_cells(
                axes, own, place, top + line / cell, won=(own == x) & (own != 0), round_cells=True
            )
        write_notes(axes, _WAYS_NOTES, left, (height - 0.36) / cell, 0.18 / cell)


# -- Parts ---------------------------------------------------------------------------------------


def _small_plane(plane: ArrayLike) -> NDArray[Any]:
    values = check_plane("plane", plane)
    if max(values.shape) > 6:
        raise ValueError(f"plane must be at most 6x6 to be drawn; got shape {values.shape}")
    return values


def _times(kernel_size: int | Pair) -> str:
    return "{}×{}".format(*pair(kernel_size, "kernel_size", 1))


def _stride(stride: int | Pair) -> str:
    down, across = pair(stride, "stride", 1)
    return str(down) if down == across else f"{down}×{across}"


def _places(switches: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mark the pixels (H, W) that switches point to."""
    marked = np.zeros(shape, bool)
    marked.ravel()[switches.ravel()] = True
    return marked


def _title(axes: Axes, title: str, left: float, top: float) -> None:
    axes.text(left, top - 0.3, title, fontsize=9, weight="bold", va="bottom")


def _draw_cells(
    axes: Axes,
    values: NDArray[Any],
    left: float,
    top: float,
    won: NDArray[np.bool_] | None = None,
    round_cells: bool = False,
) -> None:
    """Draw numbers in a grid of squares, or of circles."""
    for (row, column), value in np.ndenumerate(values):
        thick = won is not None and bool(won[row, column])
        centre = (left + column + 0.5, top + row + 0.5)
        axes.add_patch(_cell(centre, float(value), thick, round_cells))
        _number(axes, centre, float(value))


def _cell(centre: tuple[float, float], value: float, thick: bool, is_round: bool) -> Patch:
    style: dict[str, Any] = {
        "edgecolor": "black" if thick else "0.5",
        "linewidth": 2.2 if thick else 0.7,
        "zorder": 2 if thick else 1,
    }
    if is_round:
        face = tint(ORANGE, 0.8) if value else "white"
        return circle(centre, facecolor=face, **style)
    return square(centre, facecolor=tint(SKY_BLUE, 0.7 if thick else 0.15), **style)


def _number(axes: Axes, centre: tuple[float, float], value: float) -> None:
    text, size = _written(value, cell=72 * WIDTH / axes.get_xlim()[1])
    axes.text(
        *centre, text, fontsize=size, ha="center", va="center_baseline", zorder=5,
        path_effects=halo(**_RIM),
    )  # fmt: skip


def _written(value: float, cell: float) -> tuple[str, float]:
    """Return a number with as many digits as fit into a cell, and its size; all in points."""
    digits = [f"{value:.{count}g}" for count in (3, 2, 1)]
    whole = [f"{value:.0f}"] if value.is_integer() else []
    for text in (*whole, *digits):
        text = true_minus(compact(text))
        size = 10 if len(text) < 4 else min(8.0, _FILLED * cell / _width(text))
        if size >= _SMALLEST:
            return text, size
    raise ValueError(f"plane must hold numbers that fit into their cells; got {value:.3g}")


def _width(text: str) -> float:
    """Return the width of a number, as a multiple of the size of its letters."""
    return sum(_LETTERS.get(letter, 0.64) for letter in text)


def _draw_pooled(
    axes: Axes,
    x: NDArray[Any],
    pooled: Pooled,
    corner: tuple[float, float],
    output_corner: tuple[float, float],
    pitch: float,
) -> None:
    """Draw the maxima, with an arrow from each winner; rows rise, so that arrows pass above."""
    for n, ((row, column), value) in enumerate(np.ndenumerate(pooled.values)):
        switch = int(pooled.switches[row, column])
        down, across = divmod(switch, x.shape[1])
        start = (corner[0] + across + 0.5, corner[1] + down + 0.5)
        stop = (
            output_corner[0] + 0.5 + _STEP * column,
            output_corner[1] + 0.5 + pitch * row - _RISE * column,
        )
        # Above the circles before it; where there are none, below the numbers beside the winner.
        bend = 0.12 if row and not column else -0.1
        circle = _cell(stop, float(value), True, True)
        circle.set_zorder(4)  # an arrow to another circle passes behind
        axes.add_patch(circle)
        _number(axes, stop, float(value))
        axes.text(
            stop[0] + 0.2, stop[1] + 0.68, f"switch {switch}", fontsize=8, ha="center", va="center",
            path_effects=halo(**_RIM), zorder=5,
        )  # fmt: skip
        axes.annotate(
            "", stop, start, zorder=3,
            arrowprops={
                "arrowstyle": "-|>", "color": _ARROWS[n % len(_ARROWS)], "lw": 1.5,
                "connectionstyle": f"arc3,rad={bend}", "shrinkA": 8, "shrinkB": 13,
                "path_effects": halo(**_RIM),
            },
        )  # fmt: skip


def _arrow(axes: Axes, left: float, right: float, y: float) -> None:
    style = {"arrowstyle": "-|>", "color": "black", "linewidth": 1.2}
    axes.annotate("", (right - 0.25, y), (left + 0.25, y), arrowprops=style)
