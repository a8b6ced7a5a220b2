"""Semantic against instance segmentation: an image beside the two masks that it can be given."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.data.palettes import default_palette
from minifcn.plots.canvas import figure_file, shortened
from minifcn.plots.colours import check_image, check_labels, colour_mask

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _TITLE, _GAP = 8.0, 0.3, 0.1


def plot_instances(
    path: str | os.PathLike[str],
    image: ArrayLike,
    classes: ArrayLike,
    objects: ArrayLike,
    class_names: Sequence[str],
    object_names: Sequence[str],
) -> None:
    """Draw an image, its mask of classes and its mask of objects, a name on each label but 0.

    Args:
        path: the PNG or SVG to write.
        image: uint8 RGB, shape (H, W, 3).
        classes: the number of each pixel's class, shape (H, W).
        objects: the number of each pixel's object, shape (H, W).
        class_names: a name for each class; that of 0, the background, is not written.
        object_names: a name for each object, as the classes'.

    Raises:
        TypeError: image is not uint8, or a mask does not hold integers.
        ValueError: shapes, labels, names or path do not fit.
    """
    pixels = check_image("image", image)
    masks = [("classes", classes, class_names), ("objects", objects, object_names)]
    checked = [_checked(*mask, pixels.shape[:2]) for mask in masks]
    titles = ("semantic: a class for each pixel", "instance: an object for each pixel")
    panel = (_WIDTH - 4 * _GAP) / 3
    height = panel * pixels.shape[0] / pixels.shape[1] + _TITLE + _GAP
    with figure_file(path, _WIDTH, height) as figure:
        for k, title in enumerate(("image", *titles)):
            left = (_GAP + k * (panel + _GAP)) / _WIDTH
            box = (left, _GAP / height, panel / _WIDTH, 1 - (_TITLE + _GAP) / height)
            axes = figure.add_axes(box)
            axes.set_axis_off()
            axes.set_title(title, pad=4)
            if k:
                used = len(class_names) - 1 if k == 2 else 0  # no object in a class's colour
                _draw_labels(axes, checked[k - 1], masks[k - 1][2], used)
            else:
                axes.imshow(pixels, interpolation="nearest")


def _checked(
    name: str, mask: ArrayLike, names: Sequence[str], shape: tuple[int, ...]
) -> NDArray[np.int64]:
    labels = np.asarray(mask)
    if labels.shape != shape:
        raise ValueError(f"{name} must have the image's shape {shape}, got {labels.shape}")
    check_labels(name, labels, len(names), ignore_index=-1)
    return labels.astype(np.int64)


def _draw_labels(axes: "Axes", mask: NDArray[np.int64], names: Sequence[str], used: int) -> None:
    """Colour each label, without the first colours, and write its name amid its pixels."""
    palette = default_palette(len(names) + used)
    shown = np.where(mask > 0, mask + used, 0)
    axes.imshow(colour_mask(shown, palette), interpolation="nearest")
    for label in range(1, len(names)):
        rows, columns = np.nonzero(mask == label)
        if rows.size:
            text = shortened(names[label], 14)
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
            axes.text(
                columns.mean(), rows.mean(), text, ha="center", va="center", fontsize=8, bbox=box
            )
