"""What a classifier of windows says at every place of a larger image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.plots.canvas import WIDTH, check_names, figure_file, legible, shortened
from minifcn.plots.colours import (
    VERMILION,
    check_image,
    check_labels,
    check_palette,
    check_size,
    colour_mask,
)
from minifcn.plots.legends import HATCHED, add_legend, class_swatches, swatch
from minifcn.plots.outlines import draw_boundaries, draw_box
from minifcn.plots.panels import MARGIN, panel_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches; and how many panels, and names of classes, stand side by side.
_GAP, _TITLE, _KEY = 0.1, 0.28, 0.3
_COLUMNS, _NAMES = 3, 5


def plot_window_maps(
    path: str | os.PathLike[str],
    image: ArrayLike,
    probabilities: ArrayLike,
    truth: ArrayLike,
    classes: Sequence[str],
    palette: ArrayLike,
    *,
    window: int,
    stride: int,
) -> None:
    """Draw what a classifier of windows says at every place of a larger image.

    Above: the image, with the first window it fits in; the likeliest class of each cell; the
    truth. Below: the probability map of each class, with the outline of the truth. A cell is
    drawn around the centre of its window; where no window has its centre, the ground is hatched.

    Args:
        path: the PNG or SVG to write.
        image: uint8 (H, W, 3).
        probabilities: of each class in each window, (C, h, w), between 0 and 1.
        truth: labels (H, W).
        classes: the C class names, in label order.
        palette: one RGB colour per class, shape (C, 3), values 0 .. 255.
        window: the side K of a window, in pixels.
        stride: the pixels from one window to the next; h = (H - K) // stride + 1, w alike.

    Raises:
        TypeError: the image is not uint8, or truth or palette does not hold integers.
        ValueError: shapes, labels, names, probabilities or path do not fit.
    """
    colours = check_palette(palette)
    check_names(classes, len(colours), "palette")
    pixels, labels = check_image("image", image), check_labels("truth", truth, len(colours))
    maps = _checked_maps(probabilities, pixels, labels, len(colours), window, stride)
    lines = 1 + -(-len(maps) // _COLUMNS)
    side = (WIDTH - 2 * MARGIN - (_COLUMNS - 1) * _GAP) / _COLUMNS
    tall = side * pixels.shape[0] / pixels.shape[1]
    height = lines * (tall + _TITLE + _GAP) + _key_lines(len(maps)) * _KEY
    with figure_file(path, WIDTH, height) as figure:
        below = _key_lines(len(maps)) * _KEY + _GAP
        grid = panel_grid(
            figure, lines, _COLUMNS, (side, tall),
            above=_TITLE, below=below, gap=(_GAP, _GAP + _TITLE),
        ).ravel()  # fmt: skip
        cells = map_extent(maps.shape[1:], window, stride)
        _draw_input(grid[0], pixels, window)
        _draw_labels(grid[1], maps.argmax(0), colours, cells, labels.shape)
        _draw_labels(grid[2], labels, colours, _extent(labels.shape), labels.shape)
        h, w = maps.shape[1:]
        grid[1].set_title(f"output: likeliest class, {h} x {w} cells", pad=4)
        grid[2].set_title("truth", pad=4)
        for axis, name, own, label in zip(grid[3:], classes, maps, range(len(maps)), strict=False):
            _draw_map(axis, own, labels == label, cells)
            axis.set_title(f"output: {shortened(name, 18)}", pad=4)
        for axis in grid[3 + len(maps) :]:
            axis.set_visible(False)
        _draw_key(figure, classes, colours)


def map_extent(
    cells: tuple[int, ...], window: int, stride: int
) -> tuple[float, float, float, float]:
    """Return (left, right, bottom, top) of a map of (h, w) cells, in pixels of the image.

    The window of cell (0, 0) covers the pixels 0 to K - 1, so its centre is at (K - 1) / 2, and
    the cell, one stride wide, lies around it. As in matplotlib's `imshow`, pixel i covers
    i - 1/2 to i + 1/2.
    """
    first = (window - 1) / 2 - stride / 2
    height, width = cells
    return first, first + width * stride, first + height * stride, first


def _extent(shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    return -0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5


def _checked_maps(
    probabilities: ArrayLike,
    image: NDArray[Any],
    truth: NDArray[Any],
    num_classes: int,
    window: int,
    stride: int,
) -> NDArray[Any]:
    maps, sizes = np.asarray(probabilities), image.shape[:2]
    check_size("truth", truth, sizes)
    if stride < 1 or not 1 <= window <= min(sizes):
        raise ValueError(
            f"window must be 1 to {min(sizes)} and stride at least 1, got {window} and {stride}"
        )
    expected = (num_classes, *((size - window) // stride + 1 for size in sizes))
    if maps.shape != expected:
        raise ValueError(f"probabilities must have shape {expected}, got {maps.shape}")
    if not ((maps >= 0) & (maps <= 1 + 1e-6)).all():
        raise ValueError(f"probabilities must be 0 .. 1, got {maps.min()} .. {maps.max()}")
    return maps


def _draw_input(axis: Axes, pixels: NDArray[np.uint8], window: int) -> None:
    """Draw the image, and on it the outline and the centre of the first window."""
    axis.imshow(pixels)
    centre = (window - 1) / 2
    for colour, width in (("black", 3.5), ("white", 1.5)):
        look = {"edgecolor": colour, "linewidth": width}
        draw_box(axis, (-0.5, -0.5), window, window, look)
        axis.plot(centre, centre, "o", color=colour, markersize=2.2 * width)
    height, width_ = pixels.shape[:2]
    axis.set_title(f"input: {height} x {width_}; a window of {window}", pad=4)


def _draw_labels(
    axis: Axes,
    labels: NDArray[Any],
    palette: NDArray[np.uint8],
    extent: tuple[float, float, float, float],
    shape: tuple[int, ...],
) -> None:
    axis.patch.set(**HATCHED)
    axis.imshow(colour_mask(labels, palette), interpolation="nearest", extent=extent)
    _fit(axis, shape)


def _draw_map(
    axis: Axes,
    probabilities: NDArray[Any],
    truth: NDArray[Any],
    extent: tuple[float, float, float, float],
) -> None:
    """Draw a map in its own cells, under the outline of the truth."""
    axis.patch.set(**HATCHED)
    axis.imshow(probabilities, cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=extent)
    draw_boundaries(axis, truth, 1.1, VERMILION)
    _fit(axis, truth.shape)


def _fit(axis: Axes, shape: tuple[int, ...]) -> None:
    """Show the whole image's area, whatever the map covers."""
    left, right, bottom, top = _extent(shape)
    axis.set(xlim=(left, right), ylim=(bottom, top))


def _key_lines(num_classes: int) -> int:
    """Return the lines under the panels: those of the classes, and one for the maps."""
    return -(-num_classes // _NAMES) + 1


def _draw_key(figure: Figure, classes: Sequence[str], palette: NDArray[np.uint8]) -> None:
    """Explain the colours of the labels, and the greys and outlines of the maps."""
    from matplotlib.lines import Line2D

    thin: dict[str, Any] = {"edgecolor": "0.5"}
    maps = [
        swatch("probability 0", facecolor="black", **thin),
        swatch("probability 1", facecolor="white", **thin),
        Line2D([], [], color=VERMILION, linewidth=1.6, label="outline of the truth"),
        swatch("no window has its centre here", **HATCHED),
    ]
    colours = class_swatches(legible(classes, 16), palette, **thin)
    width, height = figure.get_size_inches()
    left = MARGIN / width
    top = _key_lines(len(classes)) * _KEY / height
    add_legend(figure, colours, (left, top), _NAMES)
    add_legend(figure, maps, (left, _KEY / height), 4)
