"""Predictions beside the truth: a row of pictures per sample, and a legend of the classes."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.plots.canvas import check_names, figure_file, legible
from minifcn.plots.colours import (
    CORRECT,
    WRONG,
    check_image,
    check_labels,
    check_palette,
    class_boundaries,
    colour_mask,
    error_map,
)
from minifcn.plots.fonts import width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

TITLES = ("image", "truth", "prediction", "error")
"""The columns, from left to right."""

# Inches. The legend of classes stands under three columns of panels, that of errors under one.
_WIDTH, _MARGIN, _GAP = 8.0, 0.08, 0.08
_PANEL = (_WIDTH - 2 * _MARGIN - 3 * _GAP) / 4
_TITLE, _LEGEND_LINE = 0.25, 0.17
_SWATCH, _LETTER = 0.42, 0.075

_HATCHED: dict[str, Any] = {"facecolor": "white", "edgecolor": "0.6", "hatch": "//////"}


def plot_predictions(
    path: str | os.PathLike[str],
    samples: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike]],
    classes: Sequence[str],
    palette: ArrayLike,
    ignore_index: int = 255,
) -> None:
    """Draw each sample as a row: image, truth, prediction, and where the prediction is wrong.

    Thin lines run between the classes, ignored pixels are hatched, and a legend names the
    colours, so that the picture can be read in grey too.

    Args:
        path: the PNG to write.
        samples: an (image, truth, prediction) per row: uint8 RGB of shape (H, W, 3), and two
            masks of integer labels of shape (H, W). Sizes may differ from row to row.
        classes: the C class names, in label order.
        palette: one RGB colour per class, shape (C, 3), values 0 .. 255.
        ignore_index: the truth label of ignored pixels.

    Raises:
        TypeError: if an image is not uint8, or a mask or the palette does not hold integers.
        ValueError: if samples is empty, or shapes, labels, names or path do not fit.
    """
    colours = check_palette(palette)
    check_names(classes, len(colours), "palette")
    rows = _checked(samples, len(colours), ignore_index)
    names = legible(classes)
    panels = [_panel_height(truth) for _, truth, _ in rows]
    legend = _LEGEND_LINE * _legend_lines(names) + 2 * _MARGIN
    height = _TITLE + sum(panels) + _GAP * (len(rows) - 1) + legend
    with figure_file(path, _WIDTH, height) as figure:
        grid = _grid(figure, panels, legend)
        for axes, row in zip(grid, rows, strict=True):
            _draw_row(axes, row, colours, ignore_index)
        for axis, title in zip(grid[0], TITLES, strict=True):
            axis.set_title(title, pad=4)
        _draw_legends(figure, names, colours, (legend - _MARGIN) / height)


def _checked(
    samples: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike]], num_classes: int, ignore_index: int
) -> list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    if not len(samples):
        raise ValueError("samples must hold at least one (image, truth, prediction), got none")
    rows = []
    for k, (image, truth, prediction) in enumerate(samples):
        pixels = check_image(f"samples[{k}] image", image)
        masks = [
            _checked_mask(f"samples[{k}] {name}", mask, pixels.shape[:2], num_classes, ignore_index)
            for name, mask in (("truth", truth), ("prediction", prediction))
        ]
        rows.append((pixels, masks[0], masks[1]))
    return rows


def _checked_mask(
    name: str, mask: ArrayLike, shape: tuple[int, ...], num_classes: int, ignore_index: int
) -> NDArray[Any]:
    labels = check_labels(name, mask, num_classes, ignore_index)
    if labels.shape != shape:
        raise ValueError(f"{name} must have the image's shape {shape}, got {labels.shape}")
    return labels


def _panel_height(mask: NDArray[Any]) -> float:
    """Panels have one width and the image's proportions, within limits that keep a page whole."""
    height, width = mask.shape
    return _PANEL * min(max(height / width, 0.25), 1.5)


def _grid(figure: "Figure", panels: list[float], legend: float) -> NDArray[Any]:
    """Return (rows, 4) axes; the spacing of a grid is given in mean panel sizes."""
    width, height = figure.get_size_inches()
    spacing = {
        "left": _MARGIN / width,
        "right": 1 - _MARGIN / width,
        "bottom": legend / height,
        "top": 1 - _TITLE / height,
        "wspace": _GAP / _PANEL,
        "hspace": _GAP / float(np.mean(panels)),
        "height_ratios": panels,
    }
    return figure.subplots(len(panels), len(TITLES), squeeze=False, gridspec_kw=spacing)


def _draw_row(
    axes: NDArray[Any],
    row: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    palette: NDArray[np.uint8],
    ignore_index: int,
) -> None:
    image, truth, prediction = row
    axes[0].imshow(image)
    for axis, mask in zip(axes[1:3], (truth, prediction), strict=True):
        _draw_colours(axis, _with_holes(mask, palette, ignore_index))
        _draw_boundaries(axis, mask)
    _draw_colours(axes[3], error_map(truth, prediction, ignore_index))
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set(visible=True, linewidth=0.5)


def _with_holes(
    mask: NDArray[Any], palette: NDArray[np.uint8], ignore_index: int
) -> NDArray[np.uint8]:
    """Return RGBA colours, transparent where the label is ignored."""
    opaque = np.where(mask == ignore_index, 0, 255).astype(np.uint8)
    return np.dstack([colour_mask(mask, palette, ignore_index=ignore_index), opaque])


def _draw_colours(axis: "Axes", rgba: NDArray[np.uint8]) -> None:
    """Draw on a hatched ground, which shows where rgba is transparent."""
    axis.patch.set(**_HATCHED)
    # Smoothing would mix two classes into the colour of a third.
    axis.imshow(rgba, interpolation="nearest")


def _draw_boundaries(axis: "Axes", mask: NDArray[Any]) -> None:
    """Draw black lines with a white rim, to be seen between any two colours.

    They are thin enough to leave the pixels of a large mask visible.
    """
    from matplotlib.collections import LineCollection

    segments = list(class_boundaries(mask))
    points_per_pixel = 72 * _PANEL / max(mask.shape)
    width = min(max(0.25 * points_per_pixel, 0.25), 0.5)
    for colour, linewidth in (("white", 2 * width), ("black", width)):
        lines = LineCollection(segments, colors=colour, linewidths=linewidth)
        axis.add_collection(lines, autolim=False)


def _legend_lines(names: Sequence[str]) -> int:
    """Return the lines that the names need under three panels; the error legend needs three."""
    column = _SWATCH + _LETTER * max(map(width_of, names))
    columns = max(1, int((3 * _PANEL + 2 * _GAP) / column))
    return max(3, _rounded_up(len(names), columns))


def _rounded_up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def _draw_legends(
    figure: "Figure", names: Sequence[str], palette: NDArray[np.uint8], top: float
) -> None:
    classes = [
        _swatch(name, facecolor=colour / 255) for name, colour in zip(names, palette, strict=True)
    ]
    errors = [
        _swatch("correct", facecolor=np.array(CORRECT) / 255),
        _swatch("wrong", facecolor=np.array(WRONG) / 255),
        _swatch("ignored", **_HATCHED),
    ]
    _add_legend(
        figure, classes, (_panel_left(0), top), _rounded_up(len(names), _legend_lines(names))
    )
    _add_legend(figure, errors, (_panel_left(3), top), 1)


def _panel_left(column: int) -> float:
    return (_MARGIN + column * (_PANEL + _GAP)) / _WIDTH


def _swatch(label: str, **appearance: Any) -> "Patch":
    from matplotlib.patches import Patch

    return Patch(label=label, linewidth=0.5, **{"edgecolor": "black", **appearance})


def _add_legend(
    figure: "Figure", swatches: list["Patch"], corner: tuple[float, float], columns: int
) -> None:
    figure.legend(
        handles=swatches,
        ncols=columns,
        loc="upper left",
        bbox_to_anchor=corner,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.4,
        handletextpad=0.5,
        columnspacing=1.0,
        labelspacing=0.35,
    )
