"""Predictions beside the truth: a row of pictures per sample, and a legend of the classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.plots.canvas import WIDTH, check_names, figure_file, legible
from minifcn.plots.colours import (
    check_image,
    check_labels,
    check_palette,
    check_size,
    colour_mask,
    error_map,
)
from minifcn.plots.fonts import width_of
from minifcn.plots.legends import HATCHED, add_legend, class_swatches, error_swatches, swatch
from minifcn.plots.outlines import draw_boundaries, thin
from minifcn.plots.panels import GAP, MARGIN, panel_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = ("image", "truth", "prediction", "error")
"""The columns, from left to right."""

# Inches. The legend of classes stands under three columns of panels, that of errors under one.
_PANEL = (WIDTH - 2 * MARGIN - 3 * GAP) / 4
_TITLE, _LEGEND_LINE = 0.25, 0.17
_SWATCH, _LETTER = 0.42, 0.075
_LEGEND: dict[str, Any] = {"handletextpad": 0.5, "columnspacing": 1.0, "labelspacing": 0.35}


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
    legend = _LEGEND_LINE * _legend_lines(names) + 2 * MARGIN
    height = _TITLE + sum(panels) + GAP * (len(rows) - 1) + legend
    with figure_file(path, WIDTH, height) as figure:
        mean = (_PANEL, float(np.mean(panels)))
        options: dict[str, Any] = {"above": _TITLE, "below": legend, "height_ratios": panels}
        grid = panel_grid(figure, len(rows), len(TITLES), mean, **options)
        for axes, row in zip(grid, rows, strict=True):
            _draw_row(axes, row, colours, ignore_index)
        for axis, title in zip(grid[0], TITLES, strict=True):
            axis.set_title(title, pad=4)
        _draw_legends(figure, names, colours, (legend - MARGIN) / height)


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
    check_size(name, labels, shape)
    return labels


def _panel_height(mask: NDArray[Any]) -> float:
    """Panels have one width and the image's proportions, within limits that keep a page whole."""
    height, width = mask.shape
    return _PANEL * min(max(height / width, 0.25), 1.5)


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
        draw_boundaries(axis, mask, thin(72 * _PANEL / max(mask.shape)))
    _draw_colours(axes[3], error_map(truth, prediction, ignore_index))


def _with_holes(
    mask: NDArray[Any], palette: NDArray[np.uint8], ignore_index: int
) -> NDArray[np.uint8]:
    """Return RGBA colours, transparent where the label is ignored."""
    opaque = np.where(mask == ignore_index, 0, 255).astype(np.uint8)
    return np.dstack([colour_mask(mask, palette, ignore_index=ignore_index), opaque])


def _draw_colours(axis: Axes, rgba: NDArray[np.uint8]) -> None:
    """Draw on a hatched ground, which shows where rgba is transparent."""
    axis.patch.set(**HATCHED)
    # Smoothing would mix two classes into the colour of a third.
    axis.imshow(rgba, interpolation="nearest")


def _legend_lines(names: Sequence[str]) -> int:
    """Return the lines that the names need under three panels; the error legend needs three."""
    column = _SWATCH + _LETTER * max(map(width_of, names))
    columns = max(1, int((3 * _PANEL + 2 * GAP) / column))
    return max(3, _rounded_up(len(names), columns))


def _rounded_up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def _draw_legends(
    figure: Figure, names: Sequence[str], palette: NDArray[np.uint8], top: float
) -> None:
    columns = _rounded_up(len(names), _legend_lines(names))
    errors = [*error_swatches(), swatch("ignored", **HATCHED)]
    classes = class_swatches(names, palette)
    add_legend(figure, classes, (_panel_left(0), top), columns, **_LEGEND)
    add_legend(figure, errors, (_panel_left(3), top), **_LEGEND)


def _panel_left(column: int) -> float:
    return (MARGIN + column * (_PANEL + GAP)) / WIDTH
