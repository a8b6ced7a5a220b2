"""Decoders side by side: what they predict, the checkerboards in their logits, and unpooling."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.plots.canvas import WIDTH, figure_file
from minifcn.plots.colours import BLUE, ORANGE, error_map
from minifcn.plots.legends import add_legend, class_swatches, error_swatches
from minifcn.plots.outlines import draw_box, draw_mask
from minifcn.plots.panels import bare

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL, _GAP, _LABEL, _TITLE, _MARGIN = 1.5, 0.08, 1.55, 0.26, 0.08  # inches
_COLUMNS = ("prediction", "error", "logit before training", "logit after training")
_ZOOM = 32
"""Pixels along a side of what is magnified."""
_WINDOW = ({"edgecolor": "white", "linewidth": 2.5}, {"edgecolor": "black", "linewidth": 1.0})
_MAP = "cividis"  # even steps of lightness, for readers who do not see colours too

_STATES: dict[str, dict[str, Any]] = {
    "equal": {"marker": "s", "color": BLUE, "label": "equal weights"},
    "start": {"marker": "o", "color": ORANGE, "label": "before training"},
    "trained": {"marker": "D", "color": "black", "label": "after training"},
}


class Row(NamedTuple):
    """A decoder: its name, numbers to print, its logits (C, H, W) before and after training."""

    label: str
    numbers: str
    before: ArrayLike
    after: ArrayLike


def plot_decoders(
    path: str | os.PathLike[str],
    image: NDArray[np.uint8],
    truth: NDArray[Any],
    rows: Sequence[Row],
    classes: Sequence[str],
    palette: ArrayLike,
) -> None:
    """Draw one scene as every decoder sees it: prediction, error, and one class's logit, magnified.

    The class is the one, background aside, that most pixels of the scene have.

    Args:
        path: the PNG to write.
        image: uint8 (H, W, 3).
        truth: labels (H, W).
        rows: a decoder each.
        classes: names, in label order.
        palette: their colours, (C, 3).

    Raises:
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("rows must hold at least one decoder; got none")
    counts = np.bincount(truth.ravel(), minlength=len(classes))
    label = int(counts[1:].argmax()) + 1
    window = _window_around(truth == label)
    height = (len(rows) + 1) * (_PANEL + _GAP) + 2 * _TITLE + 2 * _MARGIN
    with figure_file(path, WIDTH, height) as figure:
        place = _Places(height)
        _draw_scene(figure, place, image, truth, window, classes, palette)
        figure.text(
            place.left(2), place.centre(0),
            f"Logits are those of\n“{classes[label]}”, in the frame,\neach on its own scale:\n"
            "dark low, bright high.",
            va="center",
        )  # fmt: skip
        for i, row in enumerate(rows, 1):
            axes = [figure.add_axes(place.panel(i, column)) for column in range(4)]
            _draw_row(axes, row, truth, label, window, palette)
            name = f"{_wrapped(row.label)}\n{row.numbers}"
            figure.text(_MARGIN / WIDTH, place.centre(i), name, va="center")
            if i == 1:
                for axis, title in zip(axes, _COLUMNS, strict=True):
                    axis.set_title(title, pad=4)


class _Places:
    """Where panels are, in shares of the figure: row 0 stands apart, with a title of its own."""

    def __init__(self, height: float) -> None:
        self.height = height

    def left(self, column: int) -> float:
        return (_MARGIN + _LABEL + column * (_PANEL + _GAP)) / WIDTH

    def bottom(self, row: int) -> float:
        titles = _TITLE * (1 if row == 0 else 2)
        return 1 - (_MARGIN + titles + (row + 1) * _PANEL + row * _GAP) / self.height

    def centre(self, row: int) -> float:
        return self.bottom(row) + 0.5 * _PANEL / self.height

    def panel(self, row: int, column: int) -> tuple[float, float, float, float]:
        return self.left(column), self.bottom(row), _PANEL / WIDTH, _PANEL / self.height


def _draw_scene(
    figure: Figure,
    place: _Places,
    image: NDArray[np.uint8],
    truth: NDArray[Any],
    window: tuple[slice, slice],
    classes: Sequence[str],
    palette: ArrayLike,
) -> None:
    axes = [figure.add_axes(place.panel(0, column)) for column in range(2)]
    axes[0].imshow(image, interpolation="nearest")
    draw_mask(axes[1], truth, palette, 0.5)
    for axis, title in zip(axes, ("image", "truth"), strict=True):
        bare(axis)
        axis.set_title(title, pad=4)
        corner = (window[1].start - 0.5, window[0].start - 0.5)
        draw_box(axis, corner, _length(window[1]), _length(window[0]), *_WINDOW)
    _draw_legend(figure, place, classes, palette)


def _draw_legend(
    figure: Figure, place: _Places, classes: Sequence[str], palette: ArrayLike
) -> None:
    handles = [*class_swatches(classes, palette), *error_swatches()]
    look: dict[str, Any] = {"loc": "center left", "borderpad": 0.4, "labelspacing": 0.3}
    add_legend(figure, handles, (place.left(3), place.centre(0)), **look)


def _draw_row(
    axes: Sequence[Axes],
    row: Row,
    truth: NDArray[Any],
    label: int,
    window: tuple[slice, slice],
    palette: ArrayLike,
) -> None:
    prediction = np.asarray(row.after).argmax(0)
    draw_mask(axes[0], prediction, palette, 0.5)
    axes[1].imshow(error_map(truth, prediction), interpolation="nearest")
    for axis, logits in zip(axes[2:], (row.before, row.after), strict=True):
        axis.imshow(np.asarray(logits)[label][window], cmap=_MAP, interpolation="nearest")
    for axis in axes:
        bare(axis)


def _window_around(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """A square around the centre of mass of a region, inside the image."""
    starts = []
    for size, places in zip(mask.shape, np.nonzero(mask), strict=True):
        centre = int(places.mean()) if places.size else size // 2
        starts.append(max(0, min(centre - _ZOOM // 2, size - _ZOOM)))
    return slice(starts[0], starts[0] + _ZOOM), slice(starts[1], starts[1] + _ZOOM)


def _length(part: slice) -> int:
    return part.stop - part.start


def _wrapped(label: str) -> str:
    from textwrap import fill

    return fill(label, 18)


def plot_checkerboards(
    path: str | os.PathLike[str],
    shares: Mapping[str, Mapping[str, Sequence[float]]],
    scores: Mapping[str, Sequence[float]],
    floor: float,
    measure: str = "checkerboard Q",
) -> None:
    """Draw every decoder's checkerboard, equal weights, before and after training, and mean IU.

    Args:
        path: the PNG to write.
        shares: Q, or another measure, of each seed, more than 0, by state ("equal", "start",
            "trained") and decoder.
        scores: mean IU of each seed, by decoder.
        floor: the same of the truth, a line.
        measure: its name.
    """
    labels = list(scores)
    with figure_file(path, WIDTH, 1.2 + 0.42 * len(labels), layout="constrained") as figure:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
        right.set_xlim(0, 1.1 * max(map(max, scores.values())))
        right.tick_params(axis="y", length=0)
        _draw_shares(left, labels, shares, floor)
        left.set_xlabel(f"{measure} of the logits, period 8\n(marks: mean; ticks: seeds)")
        for place, label in enumerate(labels):
            values = scores[label]
            right.barh(place, np.mean(values), 0.6, color="0.8", edgecolor="0.4", linewidth=0.5)
            right.plot(values, [place] * len(values), "k|", markersize=7)
        right.set_xlabel("mean IU\n(bar: mean; ticks: seeds)")
        left.set_yticks(range(len(labels)), labels)
        left.set_ylim(len(labels) - 0.4, -0.6)
        figure.legend(
            *left.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False
        )


def _draw_shares(
    axis: Axes,
    labels: Sequence[str],
    shares: Mapping[str, Mapping[str, Sequence[float]]],
    floor: float,
) -> None:
    for row, (state, style) in enumerate(_STATES.items()):
        places = np.arange(len(labels)) + 0.24 * (row - 1)
        means = [float(np.mean(shares[state][label])) for label in labels]
        axis.plot(means, places, linestyle="none", markersize=5, zorder=3, **style)
        for place, label in zip(places, labels, strict=True):
            values = shares[state][label]
            axis.plot(values, [place] * len(values), "|", color=style["color"], markersize=6)
    axis.axvline(floor, color="0.4", linestyle="--", linewidth=1, label="the truth itself")
    axis.set_xscale("log")
    axis.set_xticks((0.001, 0.01, 0.1, 1), ("0.001", "0.01", "0.1", "1"))
    smallest = min(min(map(min, own.values())) for own in shares.values())
    axis.set_xlim(min(0.001, smallest / 2), 1.3)
    axis.grid(axis="x", which="major", color="0.9")
    axis.set_axisbelow(True)


def plot_unpooling(
    path: str | os.PathLike[str],
    image: NDArray[np.uint8],
    features: NDArray[Any],
    stored: NDArray[Any],
    nails: NDArray[Any],
) -> None:
    """Draw where unpooling puts values: with the switches of the pooling, and without.

    Args:
        path: the PNG to write.
        image: uint8 (H, W, 3).
        features: one channel before the last unpooling, (H/2, W/2).
        stored: it unpooled with switches, (H, W).
        nails: it unpooled to the upper left pixel of each window, (H, W).
    """
    window = _busiest(features)
    half = tuple(slice(part.start // 2, part.stop // 2) for part in window)
    panels = {
        "image": image[window],
        "features, half the size": features[half],
        "unpooled with switches": stored[window],
        "bed of nails": nails[window],
    }
    with figure_file(path, WIDTH, 2.9, layout="constrained") as figure:
        axes = figure.subplots(1, 4)
        for axis, (title, plane) in zip(axes, panels.items(), strict=True):
            drawn = axis.imshow(
                plane, cmap=_MAP, vmin=0, vmax=float(features.max()), interpolation="nearest"
            )
            axis.set_title(title)
            bare(axis)
        bar = figure.colorbar(drawn, ax=axes, location="bottom", fraction=0.06, aspect=60)
        bar.set_label("value of one feature; darkest is zero")


def _busiest(features: NDArray[Any]) -> tuple[slice, slice]:
    """The square of _ZOOM pixels, on a grid of its halves, in which features vary most."""
    half = _ZOOM // 2
    starts = [
        (row, column)
        for row in range(0, max(1, features.shape[0] - half + 1), half // 2)
        for column in range(0, max(1, features.shape[1] - half + 1), half // 2)
    ]
    row, column = max(
        starts, key=lambda s: float(features[s[0] : s[0] + half, s[1] : s[1] + half].std())
    )
    return slice(2 * row, 2 * row + _ZOOM), slice(2 * column, 2 * column + _ZOOM)
