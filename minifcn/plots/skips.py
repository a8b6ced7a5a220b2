"""Pictures of skips: predictions at growing resolution, and the terms of a score as maps."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.plots.canvas import WIDTH, check_names, figure_file, legible, shortened
from minifcn.plots.colours import check_image, check_labels, check_palette, check_size
from minifcn.plots.legends import class_swatches
from minifcn.plots.outlines import draw_mask, halo, thin
from minifcn.plots.panels import GAP, MARGIN, bare, panel_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_TITLE, _LEGEND = 0.25, 0.3
"""Inches."""


# -- Predictions ---------------------------------------------------------------------------------


def plot_strides(
    path: str | os.PathLike[str],
    images: Sequence[ArrayLike],
    masks: Mapping[str, Sequence[ArrayLike]],
    classes: Sequence[str],
    palette: ArrayLike,
) -> None:
    """Draw a row for each image: the image, then its masks, such as truth and predictions.

    Thin lines run between the classes, so that the shapes can be seen in grey too.

    Args:
        path: the PNG to write.
        images: uint8 RGB (H, W, 3), all of one size.
        masks: by column title, integer labels (H, W) for each image.
        classes: the C class names, in label order.
        palette: one RGB colour per class, (C, 3), values 0 .. 255.

    Raises:
        TypeError: an image is not uint8, or a mask or the palette does not hold integers.
        ValueError: images is empty, or shapes, counts, labels, names or path do not fit.
    """
    colours = check_palette(palette)
    check_names(classes, len(colours), "palette")
    pixels = [check_image(f"images[{k}]", image) for k, image in enumerate(images)]
    columns = _checked_masks(pixels, masks, len(colours))
    panel = (WIDTH - 2 * MARGIN - len(columns) * GAP) / (1 + len(columns))
    panel_height = panel * pixels[0].shape[0] / pixels[0].shape[1]
    height = _TITLE + len(pixels) * (panel_height + GAP) + _LEGEND
    with figure_file(path, WIDTH, height) as figure:
        size, below = (panel, panel_height), _LEGEND + GAP
        shape = (len(pixels), 1 + len(columns))
        grid = panel_grid(figure, *shape, size, above=_TITLE, below=below)
        for row, axes in enumerate(grid):
            axes[0].imshow(pixels[row], interpolation="nearest")
            for axis, own in zip(axes[1:], columns.values(), strict=True):
                width = thin(72 * panel / own[row].shape[1])
                draw_mask(axis, own[row], colours, width)
        for axis, title in zip(grid[0], ("image", *columns), strict=True):
            axis.set_title(title, pad=4)
        _draw_legend(figure, classes, colours)


def _checked_masks(
    images: list[NDArray[np.uint8]], masks: Mapping[str, Sequence[ArrayLike]], num_classes: int
) -> dict[str, list[NDArray[Any]]]:
    if not images or len({image.shape for image in images}) > 1:
        raise ValueError(f"images must be one or more of one size, got {len(images)}")
    checked = {}
    for title, column in masks.items():
        if len(column) != len(images):
            raise ValueError(f"masks[{title!r}] must be {len(images)}, got {len(column)}")
        checked[title] = [check_labels(f"masks[{title!r}]", mask, num_classes) for mask in column]
        for mask in checked[title]:
            check_size(f"masks[{title!r}]", mask, images[0].shape[:2])
    return checked


def _draw_legend(figure: Figure, classes: Sequence[str], palette: NDArray[np.uint8]) -> None:
    figure.legend(
        handles=class_swatches(legible(classes), palette),
        ncols=min(len(classes), 8),
        loc="lower center",
        frameon=False,
        borderaxespad=0.2,
        handlelength=1.4,
        columnspacing=1.4,
    )


# -- Terms ---------------------------------------------------------------------------------------


def plot_contributions(
    path: str | os.PathLike[str],
    image: ArrayLike,
    truth: ArrayLike,
    terms: Mapping[str, ArrayLike],
    pixels: Mapping[str, tuple[int, int]],
    name: str,
    colour: ArrayLike = (140, 140, 140),
) -> None:
    """Draw what each term adds to the scores of one class, and their sum, as maps of one scale.

    Contours tell the sign without colours: solid where a map is positive, dashed where it is
    negative, thick at 0. The chosen pixels are marked A, B, ... in all panels; their values stand
    beneath each map.

    Args:
        path: the PNG to write.
        image: uint8 RGB (H, W, 3).
        truth: which pixels are of the class, (H, W).
        terms: by name, what is added to the score of each pixel, (H, W).
        pixels: by description, (row, column).
        name: of the class.
        colour: of the class, RGB, values 0 .. 255; grey where the classes have none.

    Raises:
        TypeError: the image is not uint8, or the colour does not hold integers.
        ValueError: there are no terms, or shapes, pixels or path do not fit.
    """
    picture = check_image("image", image)
    outline = np.asarray(truth)
    check_size("truth", outline, picture.shape[:2])
    maps = _checked_terms(terms, picture.shape[:2])
    _check_pixels(pixels, picture.shape[:2])
    (own_colour,) = check_palette(np.asarray(colour)[np.newaxis])
    coloured = np.where(outline[..., np.newaxis], own_colour, 255)
    limit = max(float(np.abs(own).max()) for own in maps.values()) or 1.0
    with figure_file(path, WIDTH, 6.0, layout="constrained") as figure:
        grid = figure.subplots(2, max(3, len(terms)), squeeze=False)
        _draw_scene(grid[0], picture, coloured, name, pixels)
        panels = [*grid[1][: len(terms)], grid[0][2]]
        for axis, (title, own) in zip(panels, maps.items(), strict=True):
            shown = _draw_map(axis, own, limit)
            _mark(axis, pixels)
            axis.set_title(title)
            axis.set_xlabel(_values(own, pixels))
        for axis in set(grid.flat) - {*panels, *grid[0][:2]}:
            axis.set_visible(False)
        bar = figure.colorbar(shown, ax=list(grid.flat), shrink=0.8, aspect=40, pad=0.02)
        bar.set_label(f"added to the score of {shortened(name)}")
        figure.supxlabel(
            "contours: thick at 0, solid above, dashed below, at 1/4, 1/2 and 3/4 of the scale",
            fontsize=9,
        )


def _checked_terms(
    terms: Mapping[str, ArrayLike], shape: tuple[int, ...]
) -> dict[str, NDArray[np.float64]]:
    """Return the maps, and then their sum, by title."""
    if not terms:
        raise ValueError("terms must be one or more, got none")
    maps = {name: np.asarray(term, np.float64) for name, term in terms.items()}
    for name, own in maps.items():
        check_size(f"terms[{name!r}]", own, shape)
    return {**maps, "score = " + " + ".join(terms): np.sum(list(maps.values()), axis=0)}


def _check_pixels(pixels: Mapping[str, tuple[int, int]], shape: tuple[int, ...]) -> None:
    for where, (row, column) in pixels.items():
        if not (0 <= row < shape[0] and 0 <= column < shape[1]):
            raise ValueError(
                f"pixels[{where!r}] must lie in an image of {shape}, got {(row, column)}"
            )


def _letters(pixels: Mapping[str, tuple[int, int]]) -> list[tuple[str, str, tuple[int, int]]]:
    """Return the letter, the description and the place of each pixel."""
    return [(chr(ord("A") + i), where, at) for i, (where, at) in enumerate(pixels.items())]


def _draw_scene(
    axes: NDArray[Any],
    image: NDArray[np.uint8],
    truth: NDArray[Any],
    name: str,
    pixels: Mapping[str, tuple[int, int]],
) -> None:
    """Draw the image and, beside it, where the class is."""
    axes[0].imshow(image, interpolation="nearest")
    axes[0].set_title("image")
    axes[1].imshow(truth, interpolation="nearest")
    axes[1].set_title(f"truth: {shortened(name)}")
    axes[1].set_xlabel("   ".join(f"{letter} {where}" for letter, where, _ in _letters(pixels)))
    for axis in axes[:2]:
        bare(axis)
        _mark(axis, pixels)


def _draw_map(axis: Axes, values: NDArray[np.float64], limit: float) -> AxesImage:
    """Draw values from -limit to limit, purple to orange, with contours that tell the sign."""
    bare(axis)
    shown = axis.imshow(values, cmap="PuOr_r", vmin=-limit, vmax=limit, interpolation="nearest")
    steps = np.array([0.25, 0.5, 0.75]) * limit
    for levels, style, width in ((-steps[::-1], "--", 0.6), ((0.0,), "-", 1.4), (steps, "-", 0.6)):
        inside = [level for level in levels if values.min() < level < values.max()]
        if inside:
            axis.contour(values, inside, colors="black", linestyles=style, linewidths=width)
    return shown


def _mark(axis: Axes, pixels: Mapping[str, tuple[int, int]]) -> None:
    """Circle each pixel and write its letter, black with a white rim, towards the middle."""
    width, height = max(axis.get_xlim()), max(axis.get_ylim())
    rim = halo(2.5)
    for letter, _, (row, column) in _letters(pixels):
        axis.plot(column, row, "o", ms=5, mfc="none", mec="black", mew=1.2, path_effects=rim)
        axis.annotate(
            letter,
            (column, row),
            xytext=(8 if column < 0.8 * width else -8, 8 if row > 0.2 * height else -8),
            textcoords="offset points",
            ha="center",
            va="center",
            weight="bold",
            path_effects=rim,
        )


def _values(values: NDArray[np.float64], pixels: Mapping[str, tuple[int, int]]) -> str:
    return "   ".join(f"{letter} {values[at]:+.2f}" for letter, _, at in _letters(pixels))
