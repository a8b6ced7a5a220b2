"""How a classifier learns, and what it says at every place of a larger image."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.kernels.geometry import whole_numbers
from minifcn.plots.canvas import WIDTH, check_names, figure_file, legible, shortened
from minifcn.plots.colours import (
    BLUE,
    GREEN,
    PURPLE,
    VERMILION,
    check_image,
    check_labels,
    check_palette,
    check_size,
    colour_mask,
)
from minifcn.plots.legends import HATCHED, add_legend, class_swatches, swatch
from minifcn.plots.numbers import label_plainly
from minifcn.plots.outlines import draw_boundaries, draw_box
from minifcn.plots.panels import MARGIN, panel_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLES: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "linestyle": "-"},
    {"color": VERMILION, "linestyle": "--"},
    {"color": GREEN, "linestyle": "-."},
    {"color": PURPLE, "linestyle": (0, (1, 1))},
)
_GUESSING: dict[str, Any] = {"color": "0.35", "linestyle": ":", "linewidth": 1.2}

# Inches; and how many panels, and names of classes, stand side by side.
_GAP, _TITLE, _KEY = 0.1, 0.28, 0.3
_COLUMNS, _NAMES = 3, 5


# -- Curves --------------------------------------------------------------------------------------


def plot_learning(
    path: str | os.PathLike[str],
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    num_classes: int,
) -> None:
    """Draw loss (on a logarithmic axis) and accuracy of one to four trainings, step by step.

    Dotted lines show what guessing gives: the loss ln C and the accuracy 1 / C. Losses above
    10 ln C are cut off, so that a training that jumps leaves room for the others; not the lowest
    of each curve, though, so that every curve is seen.

    Args:
        path: the PNG or SVG to write.
        curves: by name, the losses (> 0) and the accuracies (0 .. 1) at steps 0, 1, ...; of one
            length within a curve. What is not finite is left out.
        num_classes: C, at least 2.

    Raises:
        TypeError: num_classes is not a whole number.
        ValueError: there are no or too many curves, lengths differ, a curve is empty, a finite
            loss is not above 0, or num_classes or path does not fit.
    """
    if not whole_numbers([num_classes]):
        raise TypeError(f"num_classes must be a whole number, got {num_classes!r}")
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")
    checked = _checked_curves(curves)
    with figure_file(path, WIDTH, 4.6, layout="constrained") as figure:
        upper, lower = figure.subplots(2, 1, sharex=True)
        for (name, (losses, accuracies)), style in zip(checked.items(), _STYLES, strict=False):
            upper.plot(losses, label=shortened(name, 40), linewidth=1.8, **style)
            lower.plot(accuracies, linewidth=1.8, **style)
        guess, share = math.log(num_classes), 1 / num_classes
        upper.axhline(guess, label=f"guessing: ln {num_classes} = {guess:.3f}", **_GUESSING)
        lower.axhline(share, **_GUESSING)
        upper.set(yscale="log", ylabel="loss")
        upper.set_ylim(bottom=min(upper.get_ylim()[0], guess / 2))
        upper.set_ylim(top=max(10 * guess, 2 * _highest_low(checked)))
        label_plainly(upper.yaxis)
        lower.set(ylabel="accuracy", xlabel="step", ylim=(-0.04, 1.04))
        longest = max(len(losses) for losses, _ in checked.values())
        lower.text(longest - 1, share - 0.03, f"guessing: 1/{num_classes}", ha="right", va="top")
        figure.legend(loc="outside upper left", ncols=min(len(checked) + 1, 4), frameon=False)


def _highest_low(curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> float:
    """Return the highest of the curves' lowest losses; 0 where none is finite."""
    finite = [losses[np.isfinite(losses)] for losses, _ in curves.values()]
    return max((float(losses.min()) for losses in finite if losses.size), default=0.0)


def _checked_curves(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    if not 1 <= len(curves) <= len(_STYLES):
        raise ValueError(f"curves must be 1 to {len(_STYLES)}, got {len(curves)}")
    checked = {}
    for name, (losses, accuracies) in curves.items():
        loss, accuracy = (np.array(values, np.float64) for values in (losses, accuracies))
        if loss.ndim != 1 or loss.shape != accuracy.shape or not loss.size:
            raise ValueError(
                f"curves[{name!r}] must be losses and accuracies of one length,"
                f" got shapes {loss.shape} and {accuracy.shape}"
            )
        if (loss <= 0).any():  # False for NaN
            raise ValueError(f"curves[{name!r}] losses must be above 0, got {np.nanmin(loss)}")
        loss[~np.isfinite(loss)] = np.nan
        checked[name] = (loss, accuracy)
    return checked


# -- Examples ------------------------------------------------------------------------------------


def plot_examples(
    path: str | os.PathLike[str], images: Sequence[ArrayLike], names: Sequence[str]
) -> None:
    """Draw small images side by side, each with its name above.

    Args:
        path: the PNG or SVG to write.
        images: 1 to 8, each uint8 (H, W, 3).
        names: one for each image.

    Raises:
        TypeError: an image is not uint8.
        ValueError: there are no or too many images, or shapes, names or path do not fit.
    """
    if not 1 <= len(images) <= 8:
        raise ValueError(f"images must be 1 to 8, got {len(images)}")
    if len(names) != len(images):
        raise ValueError(f"names must be {len(images)}, one for each image, got {len(names)}")
    checked = [check_image(f"images[{k}]", image) for k, image in enumerate(images)]
    with figure_file(path, WIDTH, WIDTH / 8 + 0.2, layout="constrained") as figure:
        grid = figure.subplots(1, 8, squeeze=False)[0]
        for axis in grid[len(checked) :]:
            axis.set_visible(False)
        for axis, image, name in zip(grid, checked, names, strict=False):
            axis.imshow(image, interpolation="nearest")
            axis.set_title(shortened(name, 14), pad=3, fontsize=9)
            axis.set_axis_off()


# -- Class maps ----------------------------------------------------------------------------------


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
