"""A convolution as a matrix C, beside the transposed matrix of the transposed convolution."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from minifcn import kernels
from minifcn.kernels import IntOrPair
from minifcn.kernels.checks import check_window, pair
from minifcn.kernels.geometry import Pair, conv_remainder, output_pair
from minifcn.plots.canvas import WIDTH, check_path, figure_file
from minifcn.plots.colours import ORANGE, SKY_BLUE, tint
from minifcn.plots.numbers import signs, written
from minifcn.plots.panels import page_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LARGEST = 36
"""Rows and columns of a matrix at most, to be drawn with its numbers: an input of 6x6."""

# Inches.
_LABELS, _TOP, _GAP, _RIGHT, _BOTTOM = 0.42, 0.78, 0.35, 0.12, 0.3
_ROOMY, _NARROWEST = 0.25, 2.3

_SIGNS_PER_INCH = 23
"""Of the numbers: letters of 4 points."""


def convolution_matrix(
    weight: ArrayLike,
    size: IntOrPair,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
) -> np.ndarray:
    """Return the matrix C of a convolution: conv2d(x).ravel() = C @ x.ravel().

    Column n is the output for the image whose pixel n is 1 and whose others are 0: the matrix is
    what the kernel conv2d does, not what a formula says.

    Args:
        weight: (KH, KW).
        size: of the input, a number or a pair (H, W).
        stride: as in kernels.conv2d.
        padding: likewise.
        dilation: likewise.

    Returns:
        (OH * OW, H * W), in the order of ravel: row by row.

    Raises:
        ValueError: if no window fits, or weight is not finite or does not have 2 axes.
        TypeError: if weight does not hold numbers, or another argument is not of whole numbers.
    """
    kernel, (h, w) = _kernel(weight), pair(size, "size", 1)
    _output_size(weight, size, stride, padding, dilation)
    units = np.eye(h * w).reshape(h * w, 1, h, w)
    outputs = kernels.conv2d(units, kernel[None, None], stride, padding, dilation)
    return outputs.reshape(h * w, -1).T


def transposed_matrix(
    weight: ArrayLike,
    size: IntOrPair,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
) -> np.ndarray:
    """Return the matrix of the transposed convolution that leads back to an input of this size.

    Made as convolution_matrix, by conv_transpose2d; the output padding is what the convolution
    leaves over. It should be the transpose of C, and nothing here makes it so.

    Args:
        weight: (KH, KW).
        size: of the convolution's input, which is the output here; a number or a pair (H, W).
        stride: as in kernels.conv2d.
        padding: likewise.
        dilation: likewise.

    Returns:
        (H * W, OH * OW).

    Raises:
        ValueError: as convolution_matrix.
        TypeError: likewise.
    """
    kernel, (oh, ow) = _kernel(weight), _output_size(weight, size, stride, padding, dilation)
    units = np.eye(oh * ow).reshape(oh * ow, 1, oh, ow)
    rest = _remainder(weight, size, stride, padding, dilation)
    weights = kernel[None, None]
    stamped = kernels.conv_transpose2d(units, weights, stride, padding, rest, dilation)
    return stamped.reshape(oh * ow, -1).T


def plot_matrices(
    path: str | os.PathLike[str],
    weight: ArrayLike,
    size: IntOrPair,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
) -> None:
    """Draw C of a convolution beside the matrix of the transposed one, with their numbers.

    Lines separate the rows of the two images; zeros are faint. Input pixels are named by squares,
    output pixels by circles.

    Args:
        path: the PNG or SVG to write.
        weight: (KH, KW).
        size: of the input, a number or a pair (H, W).
        stride: as in kernels.conv2d.
        padding: likewise.
        dilation: likewise.

    Raises:
        ValueError: if no window fits, a matrix has more than 36 rows or columns, the padding is
            larger than 36, or path does not end in .png or .svg.
        TypeError: if weight does not hold numbers, or another argument is not of whole numbers.
    """
    check_path(path)
    settings = (stride, padding, dilation)
    _check_drawable(weight, size, *settings)
    direct = convolution_matrix(weight, size, *settings)
    transposed = transposed_matrix(weight, size, *settings)
    inputs, outputs = pair(size, "size", 1), _output_size(weight, size, *settings)
    across = WIDTH - 2 * _LABELS - _GAP - _RIGHT
    # Cᵀ is as wide as C is high, but at least as wide as its title.
    second = max(across * len(direct) / sum(direct.shape), _NARROWEST)
    cell = min((across - second) / direct.shape[1], 0.5)
    height = _TOP + cell * max(direct.shape) + _BOTTOM
    with figure_file(path, WIDTH, height) as figure:
        axes = page_axes(figure)
        spare = across - cell * direct.shape[1] - max(cell * len(direct), _NARROWEST)
        left = _LABELS + spare / 3
        _draw_matrix(axes, direct, (left, _TOP), cell, (outputs, inputs), "C: convolution")
        left += cell * direct.shape[1] + _GAP + _LABELS + spare / 3
        names = (inputs, outputs)
        title = "Cᵀ: transposed convolution"
        _draw_matrix(axes, transposed, (left, _TOP), cell, names, title, transposed=True)
        note = "Squares: input pixels of the convolution, circles: its output pixels; row, column."
        axes.text(0.1, height - 0.12, note, fontsize=8, va="center", color="0.3")


def _kernel(weight: ArrayLike) -> np.ndarray:
    try:
        kernel = np.asarray(weight)
    except ValueError as error:
        raise ValueError("weight must have rows of one length") from error
    if kernel.dtype.kind not in "iuf":
        raise TypeError(f"weight must hold numbers; got {kernel.dtype}")
    if kernel.ndim != 2 or not kernel.size:
        raise ValueError(f"weight must have 2 axes (KH, KW); got shape {kernel.shape}")
    if not np.isfinite(kernel).all():
        raise ValueError("weight must hold finite numbers")
    return kernel.astype(np.float64)


def _axes(
    weight: ArrayLike, size: IntOrPair, stride: IntOrPair, padding: IntOrPair, dilation: IntOrPair
) -> tuple[Pair, Pair, Pair, Pair, Pair]:
    """Return the sizes of the input and the kernel, and the settings, if a window fits."""
    inputs, kernel_size = pair(size, "size", 1), pair(_kernel(weight).shape, "weight", 1)
    strides, paddings = pair(stride, "stride", 1), pair(padding, "padding")
    dilations = pair(dilation, "dilation", 1)
    check_window(inputs, kernel_size, paddings, dilations, "weight")
    return inputs, kernel_size, strides, paddings, dilations


def _output_size(weight: ArrayLike, size: IntOrPair, *settings: IntOrPair) -> Pair:
    return output_pair(*_axes(weight, size, *settings))


def _remainder(weight: ArrayLike, size: IntOrPair, *settings: IntOrPair) -> Pair:
    top, left = map(conv_remainder, *_axes(weight, size, *settings))
    return top, left


def _check_drawable(weight: ArrayLike, size: IntOrPair, *settings: IntOrPair) -> None:
    """Raise ValueError if a matrix is too large to be drawn; before it is made."""
    inputs, _, _, padding, _ = _axes(weight, size, *settings)
    rows, columns = math.prod(_output_size(weight, size, *settings)), math.prod(inputs)
    if max(padding) > LARGEST:
        raise ValueError(f"padding must be at most {LARGEST} to be drawn; got {max(padding)}")
    if max(rows, columns) > LARGEST:
        raise ValueError(
            f"the matrix must be at most {LARGEST}x{LARGEST} to be drawn; got {rows}x{columns}"
        )


def _draw_matrix(
    axes: Axes,
    matrix: np.ndarray,
    corner: tuple[float, float],
    cell: float,
    images: tuple[Pair, Pair],
    title: str,
    transposed: bool = False,
) -> None:
    """Draw a matrix; images: the sizes of the images that its rows and its columns are."""
    from matplotlib.patches import Rectangle

    (left, top), (rows, columns) = corner, matrix.shape
    most = np.abs(matrix).max() or 1
    colour = SKY_BLUE if transposed else ORANGE
    for (row, column), number in np.ndenumerate(matrix):
        place = (left + column * cell, top + row * cell)
        face = tint(colour, abs(number) / most) if number else (1, 1, 1)
        axes.add_artist(Rectangle(place, cell, cell, facecolor=face, edgecolor="0.8", lw=0.4))
        _draw_number(axes, number, (place[0] + cell / 2, place[1] + cell / 2), cell)
    _draw_blocks(axes, corner, cell, images)
    _name_pixels(axes, corner, cell, images, transposed)
    where: Any = {"fontsize": 9, "fontweight": "bold", "va": "center"}
    axes.text(left - _LABELS + 0.1, 0.15, f"{title}, {rows}×{columns}", **where)


def _draw_number(axes: Axes, number: float, place: tuple[float, float], cell: float) -> None:
    text = written(number, max(4, int(_SIGNS_PER_INCH * cell)))
    size = min(9.0, 45 * cell, 72 * cell / (0.64 * signs(text)) * 0.85)
    style: Any = {"ha": "center", "va": "center_baseline", "color": "black" if number else "0.75"}
    axes.text(*place, text, fontsize=size, **style)


def _draw_blocks(
    axes: Axes, corner: tuple[float, float], cell: float, images: tuple[Pair, Pair]
) -> None:
    """Draw a line wherever a row of an image ends."""
    (left, top), ((high, wide), (tall, broad)) = corner, images
    right, bottom = left + tall * broad * cell, top + high * wide * cell
    for n in range(high + 1):
        y = top + n * wide * cell
        axes.plot([left, right], [y, y], color="black", linewidth=1.0)
    for n in range(tall + 1):
        x = left + n * broad * cell
        axes.plot([x, x], [top, bottom], color="black", linewidth=1.0)


def _name_pixels(
    axes: Axes,
    corner: tuple[float, float],
    cell: float,
    images: tuple[Pair, Pair],
    transposed: bool,
) -> None:
    """Name each row and column by its pixel: the row and the column in its image."""
    (left, top), (down, along) = corner, images
    for n, (row, column) in enumerate(np.ndindex(down)):
        place = (left - 0.2, top + (n + 0.5) * cell)
        _draw_name(axes, place, f"{row},{column}", not transposed, 0)
    for n, (row, column) in enumerate(np.ndindex(along)):
        place = (left + (n + 0.5) * cell, top - 0.2)
        _draw_name(axes, place, f"{row},{column}", transposed, 90 if cell < _ROOMY else 0)
    style: Any = {"fontsize": 8, "color": "0.3", "va": "center"}
    rows, columns = ("input", "output") if transposed else ("output", "input")
    axes.text(left, top - 0.42, f"rows: {rows} pixels, columns: {columns}", **style)


def _draw_name(
    axes: Axes, place: tuple[float, float], name: str, is_output: bool, angle: int
) -> None:
    """A square box around an input's name, a round one around an output's."""
    shape = "round,pad=0.25,rounding_size=0.7" if is_output else "square,pad=0.2"
    box = {"boxstyle": shape, "facecolor": "white", "edgecolor": "0.4", "linewidth": 0.6}
    style: Any = {"ha": "center", "va": "center", "rotation": angle, "bbox": box}
    axes.text(*place, name, fontsize=6.5, **style)
