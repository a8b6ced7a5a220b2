"""Receptive fields as they are measured, by a gradient, beside what geometry computes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.kernels.checks import check_array, whole_numbers
from minifcn.kernels.geometry import Window, receptive_field
from minifcn.plots.canvas import WIDTH, figure_file
from minifcn.plots.colours import VERMILION, check_image
from minifcn.plots.outlines import draw_box, halo
from minifcn.plots.panels import axes_at, bare
from minifcn.tensor import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARGIN, _GAP, _TITLE, _LINES, _NOTE = 0.1, 0.12, 0.42, 0.55, 0.45  # inches
_LEGEND = (
    "Bright: large gradient, on a scale of each column's own, by the square root. White, below:"
    " exactly 0.\nSolid: the computed box. Dashed: half of the gradient lies inside."
)


class Box(NamedTuple):
    """A rectangle of pixels; top and left may be negative, in the padding."""

    top: int
    left: int
    height: int
    width: int


class Field(NamedTuple):
    """What a cell of one layer sees: a title, the gradient (H, W) measured, the box computed."""

    title: str
    gradient: ArrayLike
    box: Box


# -- Measured, and computed ----------------------------------------------------------------------


def input_gradient(
    network: Callable[[Tensor], Tensor], images: np.ndarray, cell: tuple[int, int]
) -> NDArray[Any]:
    """Measure how much each pixel of the input changes one cell of the output.

    The sum over images n and channels c of |d y / d x[n, c, h, w]|, where y is the sum over the
    channels of the cell. Exactly 0 where the cell sees nothing. A pixel that it can see may have 0
    too, where a max-pooling took another one or a relu is closed; more images make that rarer.

    Args:
        network: (N, C, H, W) to (N, F, OH, OW); no image may influence another one's output.
        images: (N, C, H, W).
        cell: row and column in the output.

    Returns:
        (H, W), of the images' dtype.

    Raises:
        TypeError: images is not a float32 or float64 array.
        ValueError: images is not (N, C, H, W), or the output has no such cell.
    """
    check_array(images, "images")
    x = Tensor(images, requires_grad=True)
    y = network(x)
    row, column = cell
    if not (0 <= row < y.shape[2] and 0 <= column < y.shape[3]):
        raise ValueError(f"cell must lie in the output of {y.shape[2:]}; got {cell}")
    y[:, :, row, column].sum().backward()
    assert x.grad is not None  # backward has just filled it
    return np.abs(x.grad.numpy()).sum(axis=(0, 1))


def measured_box(gradient: ArrayLike) -> Box:
    """Return the smallest box around all that is not 0 in a gradient (H, W).

    Raises:
        ValueError: the gradient is not (H, W) of finite numbers, or 0 everywhere.
    """
    values = _checked_gradient("gradient", gradient)
    rows, columns = (np.flatnonzero(values.any(axis)) for axis in (1, 0))
    return Box(
        int(rows[0]),
        int(columns[0]),
        int(rows[-1] - rows[0] + 1),
        int(columns[-1] - columns[0] + 1),
    )


def computed_box(windows: Iterable[Window], cell: tuple[int, int]) -> Box:
    """Return what a cell sees by `geometry.receptive_field`, of windows as wide as they are high.

    Raises:
        ValueError: a window is a transposed one.
    """
    field = receptive_field(windows)
    top, left = (field.start + field.stride * place for place in cell)
    return Box(top, left, field.size, field.size)


def middle_box(gradient: ArrayLike, box: Box, share: float = 0.5) -> Box:
    """Return the smallest box around the middle of another one that holds a share of a gradient.

    It is the effective receptive field: cells in the middle are reached on more paths than those
    at the rim. Source: Luo et al. (2016), Understanding the Effective Receptive Field.

    Args:
        gradient: (H, W).
        box: what the cell sees, by `computed_box`.
        share: of the sum of the gradient, above 0 and at most 1.

    Raises:
        TypeError: the box is not one.
        ValueError: the gradient is not (H, W) of finite numbers or 0 everywhere, or the share is
            out of range.
    """
    values, box = _checked_gradient("gradient", gradient), _checked_box("box", box)
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1; got {share}")
    for less in range(min(box.height, box.width) // 2, -1, -1):
        inner = Box(box.top + less, box.left + less, box.height - 2 * less, box.width - 2 * less)
        if _cut(values, inner).sum() >= share * values.sum():
            return inner
    return box


def _cut(values: NDArray[Any], box: Box) -> NDArray[Any]:
    """What of an array (H, W) lies in a box."""
    rows = slice(max(box.top, 0), max(box.top + box.height, 0))
    return values[rows, max(box.left, 0) : max(box.left + box.width, 0)]


def _checked_gradient(name: str, gradient: ArrayLike) -> NDArray[Any]:
    values = np.abs(np.asarray(gradient))
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must hold finite numbers; got NaN or inf")
    if values.ndim != 2 or not values.any():
        raise ValueError(
            f"{name} must be (H, W) and not 0 everywhere; got shape {values.shape}"
            f" with {np.count_nonzero(values)} entries that are not 0"
        )
    return values


def _checked_box(name: str, box: Sequence[int]) -> Box:
    if not isinstance(box, (tuple, list)) or len(box) != 4 or not whole_numbers(box):
        raise TypeError(f"{name} must be a Box or four whole numbers; got {box!r}")
    return Box(*box)


# -- The picture ---------------------------------------------------------------------------------


def plot_receptive_fields(
    path: str | os.PathLike[str], image: ArrayLike, fields: Sequence[Field]
) -> None:
    """Draw the measured receptive fields of some layers over an image, and magnified below it.

    A solid line runs around the computed box, a dashed one around the middle of it that holds
    half of the gradient. Colours go with the square root, from 0 to the largest of each field;
    where the gradient is exactly 0 the image is seen, or white.

    Args:
        path: the PNG or SVG to write.
        image: uint8 RGB (H, W, 3), the input of the network or one of several.
        fields: one to six, drawn from left to right.

    Raises:
        TypeError: the image is not uint8, or a box is not one.
        ValueError: there are no or more than six fields, a gradient has another size than the
            image, is not finite or 0 everywhere, a box does not meet the image, or path is not a
            PNG or SVG in an existing folder.
    """
    pixels = check_image("image", image)
    if not 1 <= len(fields) <= 6:
        raise ValueError(f"fields must be one to six, got {len(fields)}")
    fields = [_checked_field(field, pixels) for field in fields]
    columns = max(len(fields), 4)  # a single one would fill the page
    panel = (WIDTH - 2 * _MARGIN - (columns - 1) * _GAP) / columns
    tall = panel * pixels.shape[0] / pixels.shape[1]
    height = _TITLE + tall + _GAP + panel + _LINES + _NOTE
    with figure_file(path, WIDTH, height) as figure:
        for n, field in enumerate(fields):
            left = _MARGIN + n * (panel + _GAP)
            upper = axes_at(figure, left, _TITLE, panel, tall)
            lower = axes_at(figure, left, _TITLE + tall + _GAP, panel, panel)
            bare(upper)
            bare(lower)
            _draw_over(upper, pixels, field)
            _draw_magnified(lower, field)
        figure.text(_MARGIN / WIDTH, 0.1 / height, _LEGEND, fontsize=8)


def _checked_field(field: Field, pixels: NDArray[np.uint8]) -> Field:
    values = _checked_gradient(f"gradient of {field.title!r}", field.gradient)
    if values.shape != pixels.shape[:2]:
        raise ValueError(
            f"gradient of {field.title!r} must have the image's size {pixels.shape[:2]},"
            f" got {values.shape}"
        )
    box = _checked_box(f"box of {field.title!r}", field.box)
    if not _cut(values, box).size:
        raise ValueError(f"box of {field.title!r} must meet the image, got {box}")
    return field._replace(box=box)


def _draw_over(axes: Axes, pixels: NDArray[np.uint8], field: Field) -> None:
    # Grey and faint, so that the colours are the gradient's.
    axes.imshow(255 - (255 - pixels.mean(axis=2)) * 0.6, cmap="gray", vmin=0, vmax=255)
    _draw_gradient(axes, field)
    axes.set(xlim=(-0.5, pixels.shape[1] - 0.5), ylim=(pixels.shape[0] - 0.5, -0.5))
    axes.set_title(field.title, pad=4)
    _outline(axes, field.box, "-", 1.0)


def _draw_magnified(axes: Axes, field: Field) -> None:
    values, box = np.abs(np.asarray(field.gradient)), field.box
    found, half = measured_box(values), middle_box(values, box)
    _draw_gradient(axes, field)
    rim = max(1.0, 0.06 * max(box.height, box.width))
    axes.set(
        xlim=(box.left - rim - 0.5, box.left + box.width + rim - 0.5),
        ylim=(box.top + box.height + rim - 0.5, box.top - rim - 0.5),
    )
    _outline(axes, box, "-")
    _outline(axes, half, (0, (3, 2)))
    axes.set_xlabel(
        f"measured {found.height}×{found.width}\ncomputed {box.height}×{box.width}\n"
        f"half inside {half.height}×{half.width}",
        fontsize=8.5,
        labelpad=4,
    )


def _draw_gradient(axes: Axes, field: Field) -> None:
    """Draw the square root of the gradient, and nothing where it is exactly 0."""
    values = np.sqrt(np.abs(np.asarray(field.gradient, np.float64)))
    axes.imshow(np.ma.masked_equal(values, 0), cmap="cividis", vmin=0, interpolation="nearest")


def _outline(axes: Axes, box: Box, style: Any, width: float = 1.6) -> None:
    look = {"edgecolor": VERMILION, "linewidth": width, "linestyle": style}
    look["path_effects"] = halo(2 * width)
    draw_box(axes, (box.left - 0.5, box.top - 0.5), box.width, box.height, look)
