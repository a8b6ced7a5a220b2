"""Exercise resizing: nearest and bilinear."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises.bank.drawing import integers, normal
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part, Switch

Pair = tuple[int, int]


def nearest(has: Has, x: np.ndarray, factor: int) -> np.ndarray:
    """The reference: repeat rows, then columns."""
    if not has("resize.dtype"):
        x = x.astype(float)
    n, c, h, w = x.shape
    if has("resize.tile"):
        return np.tile(x, (1, 1, factor, factor))
    if has("resize.one_axis/rows"):
        return x.repeat(factor, 2)
    if has("resize.one_axis/columns"):
        return x.repeat(factor, 3)
    if has("resize.axes"):
        return x.repeat(factor, 1).repeat(factor, 2)
    if has("resize.reshape/flat"):
        return x.repeat(factor * factor).reshape(n, c, h * factor, w * factor)
    if has("resize.zeros"):
        result = np.zeros((n, c, h * factor, w * factor))
        result[:, :, ::factor, ::factor] = x
        return result
    return x.repeat(factor, 2).repeat(factor, 3)


def bilinear(has: Has, x: np.ndarray, size: Pair) -> np.ndarray:
    """The reference: interpolate along the rows' axis, then along the columns'."""
    if has("resize.size_swap"):
        size = size[::-1]
    if has("resize.dtype"):
        return bilinear(lambda _: False, x, size).astype(x.dtype)
    x = x.astype(float)
    if not has("resize.one_axis/columns"):
        x = _along(has, x, 2, size[0])
    if not has("resize.one_axis/rows"):
        x = _along(has, x, 3, size[1])
    return x


def _along(has: Has, x: np.ndarray, axis: int, size: int) -> np.ndarray:
    length = x.shape[axis]
    position = (np.arange(size) + 0.5) * length / size - 0.5
    if has("resize.no_half_pixel"):
        position = np.arange(size) * length / size
    if has("resize.align_corners"):
        position = np.arange(size) * (length - 1) / max(size - 1, 1)
    if has("resize.scale_inverse"):
        position = (np.arange(size) + 0.5) * size / length - 0.5
    if has("resize.half_pixel_once"):
        position = (np.arange(size) + 0.5) * length / size
    inside = position.clip(0, length - 1)
    low = np.floor(inside).astype(int)
    high, part = np.minimum(low + 1, length - 1), inside - low
    if has("resize.nearest/floor"):
        low, part = np.arange(size) * length // size, np.zeros(size)
    if has("resize.nearest/centre"):
        low, part = np.floor((np.arange(size) + 0.5) * length / size).astype(int), np.zeros(size)
    if has("resize.clamp_index/wraps"):
        low = np.minimum(np.floor(position).astype(int), length - 1)
        high, part = np.minimum(low + 1, length - 1), position - np.floor(position)
    if has("resize.clamp_index/beyond"):
        low = np.floor(position).astype(int).clip(0, length - 1)
        high, part = np.minimum(low + 1, length - 1), position - low
    if has("resize.clamp_index/both"):
        low = np.floor(position).astype(int).clip(0, max(length - 2, 0))
        high, part = np.minimum(low + 1, length - 1), position - low
    if has("resize.clamp_index/weight"):
        low = np.floor(position).astype(int).clip(0, length - 1)
        high, part = np.minimum(low + 1, length - 1), position - np.floor(position)
    if has("resize.clamp_index/last"):
        position = position.clip(0, None)
        low = np.floor(position).astype(int)
        high, part = (low + 1) % length, position - low
    if has("resize.weights"):
        part = 1 - part
    part = part.reshape(-1, *[1] * (3 - axis))
    return (1 - part) * x.take(low, axis) + part * x.take(high, axis)


def nearest_cases(generator: np.random.Generator) -> list[Case]:
    """Several factors."""
    return [
        Case("factor 2", {"x": normal(generator, 2, 3, 4, 5), "factor": 2}),
        Case("factor 3", {"x": normal(generator, 3, 2, 5, 4), "factor": 3}),
        Case("whole numbers", {"x": integers(generator, 2, 3, 3, 5), "factor": 2}),
        Case("factor 1", {"x": normal(generator, 2, 3, 4, 3), "factor": 1}),
    ]


def bilinear_cases(generator: np.random.Generator) -> list[Case]:
    """Larger, smaller, by whole numbers and not."""
    return [
        Case("twice as high, three times as wide",
             {"x": normal(generator, 2, 3, 4, 5), "size": (8, 15)}),
        Case("larger, by no whole number", {"x": normal(generator, 3, 2, 5, 4), "size": (8, 7)}),
        Case("smaller", {"x": normal(generator, 2, 3, 9, 8), "size": (4, 5)}),
        Case("higher, but not as wide", {"x": normal(generator, 2, 4, 3, 7), "size": (7, 3)}),
        Case("whole numbers", {"x": integers(generator, 2, 3, 4, 3), "size": (8, 12)}),
        Case("one row", {"x": normal(generator, 2, 3, 1, 5), "size": (3, 8)}),
        Case("the same height", {"x": normal(generator, 2, 3, 6, 4), "size": (6, 11)}),
    ]  # fmt: skip


NEAREST = (
    Switch(
        "resize.tile",
        "the whole image is repeated, not each of its pixels",
        "Which pixels of y are equal to the first one of x?",
    ),
    Switch(
        "resize.one_axis/rows",
        "only the rows are repeated",
        "Along how many axes does the image become larger?",
    ),
    Switch(
        "resize.one_axis/columns",
        "only the columns are repeated",
        "Along how many axes does the image become larger?",
    ),
    Switch(
        "resize.axes",
        "channels and rows are repeated, not rows and columns",
        "Which numbers have the axes H and W in (N, C, H, W)?",
    ),
    Switch(
        "resize.reshape/flat",
        "each number is repeated factor * factor times in a row, and only then reshaped",
        "Where in y do the copies of one pixel lie: side by side, or below each other, too?",
    ),
    Switch(
        "resize.zeros",
        "each pixel stands once, among zeros",
        "What stands to the right of the first pixel in y?",
    ),
    Switch(
        "resize.dtype",
        "y has the dtype of x",
        "Which dtype must y have when x holds whole numbers?",
    ),
)

BILINEAR = (
    Switch(
        "resize.align_corners",
        "the corners of both images lie on each other, as with align_corners=True",
        "Are the first pixels' centres in one place, or their outer edges?",
    ),
    Switch(
        "resize.no_half_pixel",
        "positions are scaled without the half pixel: those of corners, not centres",
        "Where in x is the centre of y's first pixel?",
    ),
    Switch(
        "resize.half_pixel_once",
        "the half pixel is added, but not taken away again",
        "An image of the same size: does position 0 stay 0?",
    ),
    Switch(
        "resize.scale_inverse",
        "the scale is the wrong way round",
        "When y is larger than x, how far apart in x are two neighbours of y: more than 1 or less?",
    ),
    Switch(
        "resize.clamp_index/wraps",
        "before the first pixel, index -1 takes the last one",
        "What is a[-1]?",
    ),
    Switch(
        "resize.clamp_index/last",
        "after the last pixel comes the first one",
        "What stands to the right of the last pixel?",
    ),
    Switch(
        "resize.clamp_index/beyond",
        "the index is clamped, but not the position that the weight is computed from, so weights"
        " before the first pixel are negative",
        "What are both weights for the first pixel of y?",
    ),
    Switch(
        "resize.clamp_index/both",
        "the indices are clamped to the last two pixels, but not the position, so weights at both"
        " ends lie beyond 0 and 1",
        "What are both weights for the first and for the last pixel of y?",
    ),
    Switch(
        "resize.clamp_index/weight",
        "the weight is computed from an index before it is clamped",
        "Which index does the weight of the first pixel of y belong to?",
    ),
    Switch(
        "resize.one_axis/rows",
        "it is interpolated along the rows' axis only",
        "Along how many axes does the size change?",
    ),
    Switch(
        "resize.one_axis/columns",
        "it is interpolated along the columns' axis only",
        "Along how many axes does the size change?",
    ),
    Switch(
        "resize.nearest/floor",
        "pixels are copied from the index below, not weighted",
        "How many pixels of x does one of y come from?",
    ),
    Switch(
        "resize.nearest/centre",
        "pixels are copied from the nearest centre, not weighted",
        "How many pixels of x does one of y come from?",
    ),
    Switch(
        "resize.weights",
        "the two weights are exchanged",
        "A position that is nearly that of a pixel: how much of this pixel does it need?",
    ),
    Switch(
        "resize.size_swap",
        "height and width of size are exchanged",
        "In which order are the two numbers of size?",
    ),
    Switch(
        "resize.dtype",
        "y has the dtype of x, so its numbers are cut to whole ones",
        "What becomes of 0.5 in an array of whole numbers?",
    ),
)

EXERCISE = Exercise(
    name="resizing",
    title="larger and smaller images: nearest and bilinear",
    functions=(
        Function("nearest", (Part("y", "image"),), nearest, nearest_cases, NEAREST),
        Function("bilinear", (Part("y", "image"),), bilinear, bilinear_cases, BILINEAR),
    ),
    hints=(
        "A row of two pixels becomes a row of four: where among the two do the centres of the four"
        " lie?",
        "Tutorial 07, 'What stride costs'; tutorial 10, 'A remedy: resize, then convolve'.",
        "s = min(max((r + 0.5) * H / OH - 0.5, 0), H - 1); low = floor(s); high = min(low + 1,"
        " H - 1); row r = (1 - (s - low)) * row low + (s - low) * row high. Then the same along the"
        " columns. nearest: y[n, c, r, q] = x[n, c, r // factor, q // factor].",
    ),
    tutorial=7,
)
