"""Heatmaps over a photo: where the scores of a class are high, at two sizes of the photo."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.plots.canvas import figure_file, shortened
from minifcn.plots.colours import BLUE, check_image
from minifcn.plots.outlines import draw_box, halo
from minifcn.plots.panels import axes_at, bare

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Frame = tuple[float, float, float, float]
"""Left, top, right and bottom of a rectangle, as shares of a photo's width and height."""

LEVELS = ((0.25, 0.5), (0.5, 1.0), (0.75, 1.6))
"""Lines are drawn where a score is these shares of the largest, the higher the thicker (points)."""

KEY = "colours: score of a cell for the class\nlines: 25, 50 and 75 % of the largest score"

_COLOURS = "viridis"  # in grey it gets lighter as steadily as in colour
_STRENGTH = 0.65  # of the colours over the photo

# Inches.
_PANEL, _GAP, _MARGIN = 2.5, 0.15, 0.15
_TITLE, _BAR, _TICKS = 0.45, 0.09, 0.28


def plot_heatmaps(
    path: str | os.PathLike[str],
    network: str,
    photo: ArrayLike,
    frame: Frame,
    ranking: Sequence[tuple[str, float]],
    heatmaps: Sequence[tuple[str, Sequence[ArrayLike]]],
    sizes: Sequence[str],
) -> None:
    """Draw a photo and its likeliest classes, and beside them a column of heatmaps per class.

    Photos under the heatmaps are grey and dim. Colours go from a score of 0 or less to the largest
    of the heatmap; lines are where it reaches a quarter, half and three quarters of that.

    Args:
        path: the PNG to write.
        network: what the classifier is called.
        photo: uint8 RGB, shape (H, W, 3).
        frame: the part of the photo that was classified.
        ranking: names and probabilities of the likeliest classes.
        heatmaps: for each class its name and a heatmap a row: scores of shape (h, w), which covers
            the photo at any resolution.
        sizes: for each row, how large the photo was.

    Raises:
        TypeError: if photo is not uint8.
        ValueError: if shapes, numbers of heatmaps or path do not fit, or a score is not finite.
    """
    pixels = check_image("photo", photo)
    columns = [(shortened(name), _checked(name, maps, len(sizes))) for name, maps in heatmaps]
    if not columns or not ranking:
        raise ValueError(
            f"ranking and heatmaps must not be empty, got {len(ranking)} and {len(columns)}"
        )
    height, width = pixels.shape[:2]
    panel = _PANEL * min(max(height / width, 0.45), 1.6)
    row = _TITLE + panel + _BAR + _TICKS
    total_width = 2 * _MARGIN + (len(columns) + 1) * (_PANEL + _GAP) - _GAP
    with figure_file(path, total_width, len(sizes) * row) as figure:
        _draw_photo(figure, _axes(figure, 0, _TITLE, panel), pixels, frame)
        _draw_ranking(_axes(figure, 0, row + _TITLE, panel), network, ranking)
        for c, (name, maps) in enumerate(columns, 1):
            for r, (heat, size) in enumerate(zip(maps, sizes, strict=True)):
                axes = _axes(figure, c, r * row + _TITLE, panel)
                bar = _axes(figure, c, r * row + _TITLE + panel + 0.05, _BAR)
                _draw_heatmap(axes, bar, pixels, heat)
                axes.set_title(f"{name}\nphoto seen at {size}", pad=3)


def _checked(name: str, maps: Sequence[ArrayLike], rows: int) -> list[NDArray[Any]]:
    arrays = [np.asarray(heat) for heat in maps]
    if len(arrays) != rows:
        raise ValueError(f"heatmaps of {name} must be {rows}, one per size, got {len(arrays)}")
    for heat in arrays:
        if heat.ndim != 2 or heat.size == 0 or not np.isfinite(heat).all():
            raise ValueError(f"heatmaps of {name} must be (h, w) finite scores, got {heat.shape}")
    return arrays


def _axes(figure: Figure, column: int, top: float, height: float) -> Axes:
    """Axes of a panel's width in a column, their place given in inches from the top."""
    return axes_at(figure, _MARGIN + column * (_PANEL + _GAP), top, _PANEL, height)


def _draw_photo(figure: Figure, axes: Axes, photo: NDArray[np.uint8], frame: Frame) -> None:
    height, width = photo.shape[:2]
    _show(axes, photo, photo.shape)
    left, top, right, bottom = frame
    corner, size = (left * width, top * height), ((right - left) * width, (bottom - top) * height)
    looks = ({"color": "black", "linewidth": 2.2}, {"color": "white", "linestyle": "--"})
    draw_box(axes, corner, *size, *looks)
    axes.set_title("photo, and dashed the square\nthat was classified", pad=3)
    place = axes.get_position(original=True)  # of the panel, which a narrow photo does not fill
    inch = 1 / figure.get_figheight()
    figure.text(place.x0, place.y0 - 0.06 * inch, KEY, va="top", fontsize=8)


def _show(axes: Axes, image: NDArray[Any], shape: Sequence[int]) -> None:
    """Draw an image over the whole photo, in the photo's pixels."""
    axes.imshow(image, extent=(0, shape[1], shape[0], 0))
    axes.set_anchor("S")
    bare(axes)


def _draw_ranking(axes: Axes, network: str, ranking: Sequence[tuple[str, float]]) -> None:
    """Bars below the names, which so may be long."""
    places = np.arange(len(ranking))
    probabilities = [probability for _, probability in ranking]
    axes.barh(places + 0.25, probabilities, 0.36, color=BLUE)
    for place, (name, probability) in enumerate(ranking):
        axes.text(0, place - 0.02, f"{probability:.3f}  {shortened(name)}", va="bottom")
    axes.set(xlim=(0, 1), ylim=(len(ranking) - 0.45, -0.65), yticks=[], xticks=[0, 0.5, 1])
    axes.set_title(f"{shortened(network)}:\nprobability of the classes", pad=3)


def _draw_heatmap(axes: Axes, bar: Axes, photo: NDArray[np.uint8], heat: NDArray[Any]) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    largest = float(heat.max())
    colours = ScalarMappable(Normalize(0, max(largest, 1e-6), clip=True), colormaps[_COLOURS])
    _show(axes, _dimmed(photo), photo.shape)
    axes.images[0].set_zorder(0)
    _show(axes, colours.to_rgba(heat, alpha=_STRENGTH), photo.shape)
    _draw_lines(axes, heat, photo.shape)
    bar.figure.colorbar(colours, cax=bar, orientation="horizontal")
    ticks = [0, largest / 2, largest] if largest > 0 else [0]
    bar.set_xticks(ticks, ["≤ 0", *(f"{tick:.1f}" for tick in ticks[1:])])
    labels = bar.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    if len(labels) > 1:
        labels[-1].set_horizontalalignment("right")


def _dimmed(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the photo in grey (Rec. 601), its contrast kept, as three equal channels."""
    grey = photo @ np.array([0.299, 0.587, 0.114])
    return np.repeat(80 + 0.68 * grey[..., np.newaxis], 3, axis=2).astype(np.uint8)


def _draw_lines(axes: Axes, heat: NDArray[Any], shape: Sequence[int]) -> None:
    """Draw where the heatmap crosses shares of its maximum: black, with a white rim."""
    wanted = [(share * heat.max(), width) for share, width in LEVELS]
    crossed = [(level, width) for level, width in wanted if heat.min() < level < heat.max()]
    if not crossed or min(heat.shape) < 2:
        return
    x, y = (
        (np.arange(n) + 0.5) / n * length
        for n, length in zip(heat.shape[::-1], shape[1::-1], strict=True)
    )
    levels, widths = zip(*crossed, strict=True)
    lines = axes.contour(x, y, heat, levels, colors="black", linewidths=widths)
    lines.set_path_effects(halo(2.4, alpha=0.5))
