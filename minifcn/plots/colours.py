"""From label masks to colours and outlines, arrays in, arrays out; and the colours of the rest."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY_BLUE, PURPLE = "#56B4E9", "#CC79A7"
"""Okabe and Ito's colours, which colour-blind readers tell apart; shapes or lines differ as well.
Inputs are sky blue and outputs orange, where both are drawn in cells."""

CORRECT = (225, 225, 225)
"""Light grey: in an error map the eye should rest on what is wrong."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

_ROOM = 48  # of 255: what a colour needs to be seen at all on white or black

WRONG = (178, 24, 43)
"""Dark red: dark in greyscale too, and told from grey by readers who do not see red."""


def colour_mask(
    mask: ArrayLike,
    palette: ArrayLike,
    void: tuple[int, int, int] = (255, 255, 255),
    ignore_index: int = 255,
) -> NDArray[np.uint8]:
    """Return the colour of each pixel's class: palette[mask], and void where it is ignored.

    Args:
        mask: integer labels, shape (..., H, W).
        palette: one RGB colour per class, shape (C, 3), values 0 .. 255.
        void: the RGB colour of ignored pixels.
        ignore_index: the label of ignored pixels.

    Returns:
        uint8 colours of shape (..., H, W, 3).

    Raises:
        TypeError: if mask or palette does not hold integers.
        ValueError: if palette is not (C, 3) colours, or a label is neither 0 .. C - 1 nor
            ignore_index.
    """
    colours = check_palette(palette)
    labels = check_labels("mask", mask, len(colours), ignore_index)
    known = labels != ignore_index
    rgb = np.full((*labels.shape, 3), void, np.uint8)
    rgb[known] = colours[labels[known]]
    return rgb


def overlay(
    image: ArrayLike,
    mask: ArrayLike,
    palette: ArrayLike,
    alpha: float = 0.5,
    ignore_index: int = 255,
) -> NDArray[np.uint8]:
    """Tint an image with its class colours, as bright as it is.

    Y is the brightness of a colour (ITU-R BT.601), and a colour less its Y is its tint:

        tint   = (1 - alpha) (image - Y(image)) + alpha (colour - Y(colour))
        result = Y' + k tint

    where k <= 1 is the largest for which the result is in 0 .. 255, so that Y(result) = Y'. And Y'
    is Y(image), but at least `_ROOM` alpha and at most 255 - `_ROOM` alpha: white and black have no
    tint. Blending the colours themselves would darken a photo wherever its class is black.

    Ignored pixels show the image alone.

    Args:
        image: uint8 RGB, shape (H, W, 3).
        mask: integer labels, shape (H, W).
        palette: one RGB colour per class, shape (C, 3).
        alpha: the weight of the colour, 0 .. 1.
        ignore_index: the label of ignored pixels.

    Returns:
        A new uint8 image of shape (H, W, 3).

    Raises:
        TypeError: if image is not uint8, or mask or palette does not hold integers.
        ValueError: if shapes, labels or alpha are out of range.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in 0 .. 1, got {alpha}")
    pixels = check_image("image", image)
    colours = colour_mask(mask, palette, ignore_index=ignore_index)
    _check_same_shape("mask", colours[..., 0], pixels[..., 0])
    tinted = _tinted(pixels.astype(np.float32), colours.astype(np.float32), alpha)
    known = (np.asarray(mask) != ignore_index)[..., np.newaxis]
    return np.where(known, np.rint(tinted), pixels).astype(np.uint8)


def _tinted(
    image: NDArray[np.float32], colours: NDArray[np.float32], alpha: float
) -> NDArray[np.float32]:
    brightness = (image @ _LUMA)[..., np.newaxis]
    tint = (1 - alpha) * (image - brightness) + alpha * (colours - (colours @ _LUMA)[..., None])
    brightness = brightness.clip(_ROOM * alpha, 255 - _ROOM * alpha)
    room = np.where(tint > 0, 255 - brightness, brightness)
    size = np.abs(tint)
    share = np.divide(room, size, out=np.ones_like(size), where=size > room).min(-1, keepdims=True)
    return brightness + share * tint


def error_map(
    truth: ArrayLike, prediction: ArrayLike, ignore_index: int = 255
) -> NDArray[np.uint8]:
    """Return where a prediction is wrong, as RGBA of shape (..., H, W, 4).

    `CORRECT` pixels are light grey, `WRONG` ones dark red, and pixels whose truth is ignored
    are transparent white, so that a hatched ground shows through.

    Raises:
        ValueError: if the shapes differ.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    _check_same_shape("prediction", prediction, truth)
    rgba = np.full((*truth.shape, 4), 255, np.uint8)
    rgba[..., :3] = np.where((truth == prediction)[..., np.newaxis], CORRECT, WRONG)
    rgba[truth == ignore_index] = (255, 255, 255, 0)
    return rgba


def class_boundaries(mask: ArrayLike) -> NDArray[np.float64]:
    """Return the pixel edges between different labels, as line segments of shape (S, 2, 2).

    A segment is ((x0, y0), (x1, y1)) in the coordinates of matplotlib's `imshow`, where pixel
    (row i, column j) covers x in j - 1/2 .. j + 1/2 and y in i - 1/2 .. i + 1/2. Lines on
    edges hide no pixel, and let classes be told apart without their colours.

    Args:
        mask: labels of shape (H, W).

    Raises:
        ValueError: if mask is not two-dimensional.
    """
    labels = np.asarray(mask)
    if labels.ndim != 2:
        raise ValueError(f"mask must have shape (H, W), got {labels.shape}")
    i, j = np.nonzero(labels[:, :-1] != labels[:, 1:])
    upright = np.stack([j + 0.5, i - 0.5, j + 0.5, i + 0.5], axis=-1)
    i, j = np.nonzero(labels[:-1] != labels[1:])
    level = np.stack([j - 0.5, i + 0.5, j + 0.5, i + 0.5], axis=-1)
    return np.concatenate([upright, level]).reshape(-1, 2, 2)


def tint(colour: str, share: float) -> NDArray[np.float64]:
    """Mix a colour with white, the more white the smaller the share; RGB in 0 .. 1."""
    from matplotlib.colors import to_rgb

    weight = 0.1 + 0.7 * max(share, 0)
    return weight * np.array(to_rgb(colour)) + (1 - weight)


def check_palette(palette: ArrayLike) -> NDArray[np.uint8]:
    """Return palette as uint8 (C, 3), or raise TypeError or ValueError naming it."""
    colours = _integers("palette", palette)
    if colours.ndim != 2 or colours.shape[1] != 3:
        raise ValueError(f"palette must have shape (C, 3), got {colours.shape}")
    if ((colours < 0) | (colours > 255)).any():
        raise ValueError(f"palette must hold 0 .. 255, got {colours.min()} .. {colours.max()}")
    return colours.astype(np.uint8)


def check_labels(
    name: str, labels: ArrayLike, num_classes: int, ignore_index: int = 255
) -> NDArray[Any]:
    """Return labels as an array of 0 .. C - 1 and ignore_index, or raise an error naming it."""
    array = _integers(name, labels)
    outside = (array < 0) | (array >= num_classes)
    stray = array[outside & (array != ignore_index)]
    if stray.size:
        raise ValueError(
            f"{name} labels must be 0 .. {num_classes - 1} or {ignore_index}, got {stray[0]}"
        )
    return array


def check_image(name: str, image: ArrayLike) -> NDArray[np.uint8]:
    """Return image as a uint8 (H, W, 3) array, or raise TypeError or ValueError naming it."""
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8:
        raise TypeError(f"{name} must be uint8, got {pixels.dtype}")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ValueError(f"{name} must have shape (H, W, 3), got {pixels.shape}")
    return pixels


def check_size(name: str, array: NDArray[Any], size: tuple[int, ...]) -> None:
    """Raise ValueError naming an array unless it has the image's size (H, W)."""
    if array.shape != size:
        raise ValueError(f"{name} must have the image's shape {size}, got {array.shape}")


def _integers(name: str, values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{name} must hold integers, got dtype {array.dtype}")
    return array


def _check_same_shape(name: str, array: NDArray[Any], expected: NDArray[Any]) -> None:
    if array.shape != expected.shape:
        raise ValueError(f"{name} must have shape {expected.shape}, got {array.shape}")
