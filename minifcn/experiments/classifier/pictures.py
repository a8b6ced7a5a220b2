"""Score maps of a classifier beside images and masks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.plots.canvas import WIDTH, check_names, figure_file, legible
from minifcn.plots.colours import VERMILION, check_image, check_labels, check_palette, check_size
from minifcn.plots.legends import add_legend, class_swatches
from minifcn.plots.outlines import draw_boundaries, draw_mask
from minifcn.plots.panels import GAP, MARGIN, bare, panel_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("image", "score map of its class", "map, thresholded", "FCN-8s (masks)", "truth")

_TITLE, _LEGEND = 0.25, 0.3
_MAP = "viridis"
_LINE = {"colour": "white", "rim": "black"}

Row = tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike, ArrayLike]
"""Image, score map of its class, the map thresholded, what an FCN says, truth."""


def plot_localisation(
    path: str | os.PathLike[str], rows: Sequence[Row], classes: Sequence[str], palette: ArrayLike
) -> None:
    """Draw scenes of one object: image, score map of its class, and masks; a row per scene.

    The map is drawn in its own cells, dark where the score is lowest, with the truth's outline and
    a cross at the maximum: the pointing game is won if it lies inside the outline.

    Args:
        path: the PNG to write.
        rows: per scene the image, uint8 (H, W, 3); the scores of its class, (h, w); and three
            masks of labels, (H, W): the thresholded map, the prediction of an FCN, the truth.
        classes: the C class names, in label order.
        palette: one RGB colour per class, shape (C, 3), values 0 .. 255.

    Raises:
        TypeError: an image is not uint8, or masks or palette do not hold integers.
        ValueError: rows is empty, or shapes, labels, names or path do not fit.
    """
    colours = check_palette(palette)
    check_names(classes, len(colours), "palette")
    if not len(rows):
        raise ValueError("rows must hold at least one scene, got none")
    checked = [_checked(row, len(colours), k) for k, row in enumerate(rows)]
    side = (WIDTH - 2 * MARGIN - (len(COLUMNS) - 1) * GAP) / len(COLUMNS)
    height = _TITLE + len(rows) * (side + GAP) + 2 * _LEGEND
    with figure_file(path, WIDTH, height) as figure:
        shape, size = (len(rows), len(COLUMNS)), (side, side)
        grid = panel_grid(figure, *shape, size, above=_TITLE, below=2 * _LEGEND)
        for axes, (image, scores, *masks) in zip(grid, checked, strict=True):
            axes[0].imshow(image)
            _show_map(axes[1], scores, masks[-1])
            for axis, mask in zip(axes[2:], masks, strict=True):
                draw_mask(axis, mask, colours, 0.6, **_LINE)
        for axis, title in zip(grid[0], COLUMNS, strict=True):
            axis.set_title(title, pad=4)
        _key(figure, classes, colours, height)


def plot_class_maps(
    path: str | os.PathLike[str],
    image: ArrayLike,
    maps: ArrayLike,
    prediction: ArrayLike,
    truth: ArrayLike,
    classes: Sequence[str],
    palette: ArrayLike,
) -> None:
    """Draw one scene with the score map of every class, the thresholded maps, and the truth.

    All maps share one scale of colours. The outline in a map is that of the class's own objects,
    and a cross is at the maximum.

    Args:
        path: the PNG to write.
        image: uint8 (H, W, 3).
        maps: scores of all classes but the first, the background: (C - 1, h, w).
        prediction: the thresholded maps, labels (H, W).
        truth: labels, (H, W).
        classes: the C class names, in label order.
        palette: one RGB colour per class, shape (C, 3), values 0 .. 255.

    Raises:
        TypeError: the image is not uint8, or masks or palette do not hold integers.
        ValueError: shapes, labels, names or path do not fit.
    """
    colours = check_palette(palette)
    check_names(classes, len(colours), "palette")
    pixels, found, labels = _checked((image, prediction, truth), len(colours))
    scores = np.asarray(maps)
    if scores.ndim != 3 or len(scores) != len(colours) - 1:
        raise ValueError(f"maps must have shape ({len(colours) - 1}, h, w), got {scores.shape}")
    count = 3 + len(scores)
    columns = min(4, count)
    lines = -(-count // columns)
    side = (WIDTH - 2 * MARGIN - (columns - 1) * GAP) / columns
    height = lines * (side + _TITLE + GAP) + 2 * _LEGEND
    with figure_file(path, WIDTH, height) as figure:
        axes = panel_grid(
            figure, lines, columns, (side, side),
            above=_TITLE, below=2 * _LEGEND, gap=(GAP, GAP + _TITLE),
        ).ravel()  # fmt: skip
        for axis in axes[count:]:
            axis.set_visible(False)
        axes[0].imshow(pixels)
        axes[0].set_title("image", pad=4)
        limits = {"vmin": scores.min(), "vmax": scores.max()}
        for label, own in enumerate(scores, 1):
            _show_map(axes[label], own, labels == label, **limits)
            axes[label].set_title(f"score map: {legible(classes, 14)[label]}", pad=4)
        for axis, mask, title in zip(
            axes[count - 2 :], (found, labels), ("maps, thresholded", "truth"), strict=False
        ):
            draw_mask(axis, mask, colours, 0.6, **_LINE)
            axis.set_title(title, pad=4)
        _key(figure, classes, colours, height)


def _checked(arrays: Sequence[ArrayLike], num_classes: int, k: int | None = None) -> list[Any]:
    """Check an image, maybe a score map, and masks of the image's size."""
    where = "" if k is None else f"rows[{k}] "
    image, *others = arrays
    pixels = check_image(f"{where}image", image)
    scores = [np.asarray(others.pop(0))] if k is not None else []
    if scores and (scores[0].ndim != 2 or not scores[0].size):
        raise ValueError(f"{where}score map must have shape (h, w), got {scores[0].shape}")
    masks = [check_labels(f"{where}mask", mask, num_classes) for mask in others]
    for mask in masks:
        check_size(f"{where}mask", mask, pixels.shape[:2])
    return [pixels, *scores, *masks]


def _show_map(axis: Axes, scores: NDArray[Any], truth: NDArray[Any], **limits: Any) -> None:
    """Draw a score map in its own cells, under the truth's outline, with its maximum marked."""
    height, width = truth.shape
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axis.imshow(scores, cmap=_MAP, extent=extent, interpolation="nearest", **limits)
    draw_boundaries(axis, truth, 1.2, **_LINE)
    row, column = np.unravel_index(scores.argmax(), scores.shape)
    y = (row + 0.5) * height / scores.shape[0] - 0.5
    x = (column + 0.5) * width / scores.shape[1] - 0.5
    for colour, size, line in (("white", 9, 3.5), (VERMILION, 8, 1.8)):
        axis.plot(x, y, "x", color=colour, markersize=size, markeredgewidth=line)


def _key(figure: Figure, classes: Sequence[str], palette: NDArray[np.uint8], height: float) -> None:
    """Explain the colours of the masks, and those, the outline and the cross of the maps."""
    from matplotlib.lines import Line2D

    cross = Line2D([], [], marker="x", color=VERMILION, linestyle="", markeredgewidth=1.8)
    cross.set_label("maximum of a map")
    left = MARGIN / WIDTH
    swatches = class_swatches(legible(classes), palette)
    top, below = (2 * _LEGEND - MARGIN) / height, (_LEGEND - MARGIN) / height
    add_legend(figure, swatches, (left, top), min(8, len(classes)))
    add_legend(figure, [cross], (left, below))
    _draw_scale(figure, [0.34, below - 0.16 / height, 0.2, 0.14 / height])
    figure.text(0.33, below - 0.09 / height, "score: low", ha="right", va="center")
    figure.text(0.55, below - 0.09 / height, "high (line: the truth's outline)", va="center")


def _draw_scale(figure: Figure, box: list[float]) -> None:
    """Draw the colours of a map from low to high."""
    axis = figure.add_axes((box[0], box[1], box[2], box[3]))
    axis.imshow(np.linspace(0, 1, 256)[None], cmap=_MAP, aspect="auto")
    bare(axis)
