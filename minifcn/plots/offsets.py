"""The offset ruler: where the cells of each layer lie in the image, and what is cropped away."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minifcn.kernels.checks import whole_numbers
from minifcn.kernels.geometry import Window, coordinate_map, crop_offset
from minifcn.models.vgg_fcn import windows
from minifcn.plots.canvas import WIDTH, figure_file
from minifcn.plots.cells import circle, square
from minifcn.plots.colours import ORANGE, SKY_BLUE, tint
from minifcn.plots.numbers import true_minus
from minifcn.plots.panels import page_axes, write_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMAGE = "image"
"""What the first row is called: the image's own pixels."""

_MARGIN, _LABEL, _ROW, _NOTE = 0.12, 1.5, 0.66, 0.4  # inches
_CELL, _NUMBERED = 0.24, 0.18
"""Diameter of a coarse cell, and from which one on a number fits into it; inches."""
_TEXT = 8  # points
_NOTES = (
    "Squares: pixels of the image. Circles: cells, each at the centre of what it sees. Numbers"
    " count from 0.",
    "White: cropped. Dashed line: the first cell that is left, and what it is aligned with.",
)


class Row(NamedTuple):
    """A row of the ruler: cell i of a layer has its centre at `first` + `stride` i.

    Positions are pixels of the image, whose pixel 0 is at 0. The cells before `crop` are cut off;
    what is left starts where the first cell of the row `aligned` is ("": nothing is cut off).
    """

    name: str
    stride: Fraction = Fraction(1)
    first: Fraction = Fraction(0)
    crop: int = 0
    aligned: str = ""

    def position(self, cell: int) -> Fraction:
        """Where the centre of a cell lies."""
        return self.first + self.stride * cell


def fcn_layers(stride: int) -> tuple[dict[str, list[Window]], dict[str, str]]:
    """Return what `plot_offsets` needs of the paper's FCN-32s, 16s or 8s: layers and crops.

    Source: Long, Shelhamer and Darrell (2015), and their release; see `models.vgg_fcn`.

    Raises:
        ValueError: the stride is not 32, 16 or 8.
    """
    if stride not in (32, 16, 8):
        raise ValueError(f"stride must be 32, 16 or 8; got {stride}")
    scores, crops = windows("score_fr"), {}
    layers = {"score_fr": scores}
    doubled = Window(4, 2, transposed=True)
    for skip, finer, upsampled in (
        ("score_pool4", 16, "upscore2"),
        ("score_pool3", 8, "upscore_pool4"),
    ):
        if stride <= finer:
            scores = [*scores, doubled]
            layers |= {upsampled: scores, skip: windows(skip)}
            crops[skip] = upsampled
    last = "upscore" if stride == 32 else f"upscore{stride}"
    layers[last] = [*scores, Window(2 * stride, stride, transposed=True)]
    return layers, {**crops, last: IMAGE}


def ruler_rows(layers: Mapping[str, Sequence[Window]], crops: Mapping[str, str]) -> list[Row]:
    """Return the rows of the ruler, the image first, with positions by `coordinate_map`.

    Args:
        layers: by name, the windows from the image to a layer.
        crops: by the name of a layer that is cropped, what it is then aligned with: the name of
            another layer, or 'image'.

    Raises:
        ValueError: there are no layers, a name is unknown, or no crop aligns two layers.
    """
    if not layers or IMAGE in layers:
        raise ValueError(f"layers must be one or more, none called 'image'; got {list(layers)}")
    for larger, smaller in crops.items():
        if larger not in layers or smaller not in (IMAGE, *layers):
            raise ValueError(f"crops must name layers; got {larger!r}: {smaller!r}")
    rows = [Row(IMAGE)]
    for name, chain in layers.items():
        to_image = coordinate_map(chain).inverse()
        aligned, crop = crops.get(name, ""), 0
        if aligned:
            crop = crop_offset(chain, () if aligned == IMAGE else layers[aligned])
        if crop < 0:
            raise ValueError(f"{name!r} starts {-crop} cells after {aligned!r}: no crop aligns it")
        rows.append(Row(name, to_image.scale, to_image.offset, crop, aligned))
    return rows


def plot_offsets(
    path: str | os.PathLike[str],
    layers: Mapping[str, Sequence[Window]],
    crops: Mapping[str, str],
    pixels: int = 48,
) -> None:
    """Draw the image's first pixels as squares and, below, each layer's cells where they lie.

    A cell is drawn at the centre of what it sees. White cells are cropped; a dashed line leads
    from the first cell that is left to the one that it is aligned with.

    Args:
        path: the PNG or SVG to write.
        layers: by name, the windows from the image to a layer; drawn from top to bottom.
        crops: by the name of a layer that is cropped, what it is then aligned with: the name of
            another layer, or 'image'. How much is cropped is `geometry.crop_offset`.
        pixels: how many pixels of the image are shown.

    Raises:
        ValueError: there are no layers, a name is unknown, no crop aligns two layers, pixels is
            not a whole number above 0 or too few for the first cell of each layer, or path is not a
            PNG or SVG in an existing folder.
    """
    if not whole_numbers([pixels]) or pixels < 1:
        raise ValueError(f"pixels must be a whole number of at least 1; got {pixels!r}")
    rows = ruler_rows(layers, crops)
    last = max(rows, key=lambda row: row.first)
    if last.first > pixels - Fraction(1, 2):  # where the last pixel ends
        needed = math.ceil(last.first + Fraction(1, 2))
        raise ValueError(
            f"pixels must be at least {needed} to show the first cell of {last.name!r};"
            f" got {pixels}"
        )
    height = _MARGIN + _ROW * len(rows) + _NOTE
    with figure_file(path, WIDTH, height) as figure:
        axes = page_axes(figure)
        scale = _Scale(rows, pixels)
        places = {row.name: _MARGIN + _ROW * (n + 0.4) for n, row in enumerate(rows)}
        for row in rows:
            _draw_row(axes, row, places[row.name], scale)
            if row.aligned:
                _draw_crop(axes, row, places, scale)
                smaller = next(other for other in rows if other.name == row.aligned)
                _draw_line(axes, (row, row.crop), (smaller, 0), places, scale)
        write_notes(axes, _NOTES, _MARGIN, height - 0.3, 0.17)


class _Scale:
    """From pixels of the image to inches of the page."""

    def __init__(self, rows: Sequence[Row], pixels: int) -> None:
        self.last = pixels - 0.5
        start = min(float(row.first - row.stride / 2) for row in rows)
        self.unit = (WIDTH - 4 * _MARGIN - _LABEL) / (self.last - start + 0.5)
        self.left = _MARGIN + _LABEL - start * self.unit

    def __call__(self, position: Fraction | float) -> float:
        return self.left + self.unit * float(position)


def _draw_row(axes: Axes, row: Row, y: float, scale: _Scale) -> None:
    from matplotlib.collections import PatchCollection

    axes.text(_MARGIN, y - 0.08, row.name, weight="bold", fontsize=9, va="center")
    where = true_minus(f"stride {row.stride}, first at {float(row.first):g}")
    axes.text(_MARGIN, y + 0.08, where, fontsize=_TEXT, va="center")
    count = int((scale.last - row.first) // row.stride) + 1
    size = min(_CELL, 0.86 * float(row.stride) * scale.unit)
    places = [scale(row.position(cell)) for cell in range(count)]
    colour = tint(SKY_BLUE if row.name == IMAGE else ORANGE, 0.9)
    for cells, style in (
        (places[: row.crop], {"facecolor": "white", "edgecolor": "0.4"}),
        (places[row.crop :], {"facecolor": colour, "edgecolor": "black"}),
    ):
        shapes = [_shape(row, x, y, size) for x in cells]
        axes.add_collection(
            PatchCollection(shapes, linewidth=0.8 if size >= _NUMBERED else 0.4, zorder=3, **style),
            autolim=False,
        )
    _number(axes, row, places, y, size, scale.unit)
    axes.text(places[-1] + 0.6 * size + 0.04, y, "…", fontsize=9, va="center", zorder=3)


def _shape(row: Row, x: float, y: float, size: float) -> Any:
    return square((x, y), size) if row.name == IMAGE else circle((x, y), size / 2)


def _number(
    axes: Axes, row: Row, places: Sequence[float], y: float, size: float, unit: float
) -> None:
    """Write numbers into cells, or, where these are small, every tenth or so above them.

    size: of a cell; unit: of a pixel of the image; both in inches.
    """
    inside = size >= _NUMBERED
    step = 1 if inside else int(np.ceil(0.3 / (float(row.stride) * unit) / 10)) * 10
    for cell in range(0, len(places), step):
        axes.text(
            places[cell], y + 0.006 if inside else y - size / 2 - 0.08, str(cell),
            color="0.4" if cell < row.crop else "black",
            fontsize=_TEXT, ha="center", va="center", zorder=4,
            bbox=None if inside else {"facecolor": "white", "edgecolor": "none", "pad": 0.4},
        )  # fmt: skip


def _draw_crop(axes: Axes, row: Row, places: Mapping[str, float], scale: _Scale) -> None:
    """Draw an arrow below the cells that are cropped, as long as the shift."""
    start, stop = scale(row.first), scale(row.position(row.crop))
    y = places[row.name] + _CELL / 2 + 0.12
    arrow = {"arrowstyle": "-|>", "lw": 1.4, "color": "black", "shrinkA": 0, "shrinkB": 0}
    axes.plot([start, start], [y - 0.06, y + 0.06], color="black", lw=1.4)
    if row.crop:
        axes.annotate("", (stop, y), (start, y), arrowprops=arrow)
    axes.text(
        stop + 0.06, y, f"crop {row.crop}", fontsize=9, weight="bold", va="center", zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )  # fmt: skip


def _draw_line(
    axes: Axes,
    larger: tuple[Row, int],
    smaller: tuple[Row, int],
    places: Mapping[str, float],
    scale: _Scale,
) -> None:
    """Draw a dashed line behind the cells, from a cell of one row to one of another."""
    ends = [(scale(row.position(cell)), places[row.name]) for row, cell in (larger, smaller)]
    axes.plot(*zip(*ends, strict=True), color="0.3", lw=1.2, linestyle=(0, (3, 2)), zorder=1)
