"""Exercise unpooling: max_unpool2d."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises.bank.drawing import integers, normal
from minifcn.course.exercises.bank.places import ROW_AND_COLUMN, few_places, places_of
from minifcn.course.exercises.bank.pooling import pooled
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part, Switch

Pair = tuple[int, int]


def max_unpool2d(has: Has, y: np.ndarray, indices: np.ndarray, size: Pair) -> np.ndarray:
    """The reference: all numbers are added where they belong."""
    dtype = y.dtype if has("unpool.dtype") else np.dtype(np.float64)
    if has("unpool.resize/nearest"):
        rows, columns = (np.arange(size[i]) * y.shape[2 + i] // size[i] for i in (0, 1))
        return y[:, :, rows][..., columns].astype(dtype)
    if has("unpool.resize/repeat"):
        times = [size[i] // y.shape[2 + i] for i in (0, 1)]
        return y.repeat(times[0], 2).repeat(times[1], 3).astype(dtype)
    if has("unpool.size"):
        size = (2 * y.shape[2], 2 * y.shape[3])
    result = np.zeros((*y.shape[:2], *size), dtype)
    n, c, row, column = places_of(has, indices, size)
    if has("unpool.return_in_loop/image"):
        y = y * (n == 0)
    if has("unpool.return_in_loop/channel"):
        y = y * ((n == 0) & (c == 0))
    if has("unpool.overwrite_or_add"):
        result[n, c, row, column] = y
    else:
        np.add.at(result, (n, c, row, column), y)
    return result


def _case(name: str, y: np.ndarray, indices: np.ndarray, size: Pair) -> Case:
    return Case(name, {"y": y, "indices": indices, "size": size})


def cases(generator: np.random.Generator) -> list[Case]:
    """Places of windows apart, and places that several windows share."""
    apart = pooled(generator, (2, 3, 4, 9), (2, 3), (2, 3))
    shared = pooled(generator, (3, 2, 7, 6), (3, 3), (2, 1))
    padded = pooled(generator, (2, 4, 5, 8), (3, 4), (1, 2), (1, 2))
    whole = pooled(generator, (2, 3, 7, 5), (3, 2), (3, 2))
    return [
        _case("each place once", normal(generator, *apart.shape), apart, (4, 9)),
        _case("places that several numbers share", normal(generator, *shared.shape), shared,
              (7, 6)),
        _case("places of padded windows", normal(generator, *padded.shape), padded, (5, 8)),
        _case("whole numbers", integers(generator, *whole.shape, low=1), whole, (7, 5)),
    ]  # fmt: skip


def naming(generator: np.random.Generator) -> list[Case]:
    """Places that wrong formulas find, too."""
    square = generator.integers(0, 25, (2, 3, 2, 3))
    small = generator.integers(0, 20, (2, 3, 3, 2))
    return [
        _case(
            "all in the first rows", normal(generator, 2, 3, 2, 3), few_places(generator), (6, 5)
        ),
        _case("a square plane", normal(generator, 2, 3, 2, 3), square, (5, 5)),
        _case("a plane a little larger than twice", normal(generator, 2, 3, 3, 2), small, (7, 5)),
    ]


SWITCHES = (
    Switch(
        "unpool.overwrite_or_add",
        "of several numbers with the same place only the last is kept",
        "What does the contract say about numbers that share a place?",
    ),
    Switch(
        "unpool.no_batch/all",
        "all numbers go to the first plane of the first image",
        "An index counts within its own plane: where does that plane begin?",
    ),
    Switch(
        "unpool.no_batch/image",
        "all images' numbers go to the first image",
        "An index counts within its own plane: where do the planes of image 1 begin?",
    ),
    Switch(
        "unpool.no_batch/channel",
        "all channels' numbers go to the first channel",
        "An index counts within its own plane: where does the plane of channel 1 begin?",
    ),
    Switch(
        "unpool.return_in_loop/image",
        "only the first image is filled",
        "Which planes do the loops reach before the function returns?",
    ),
    Switch(
        "unpool.return_in_loop/channel",
        "only the first channel of the first image is filled",
        "Which planes do the loops reach before the function returns?",
    ),
    *ROW_AND_COLUMN,
    Switch(
        "unpool.pooled_width",
        "the index is divided by the width of y, not of the plane",
        "In which plane does the index count?",
    ),
    Switch(
        "unpool.size",
        "the plane is taken to be twice as large as y, whatever size says",
        "Can you tell from y alone how large the plane was?",
    ),
    Switch(
        "unpool.resize/nearest",
        "y is enlarged, and the places are not used",
        "What stands in the plane where no maximum was?",
    ),
    Switch(
        "unpool.resize/repeat",
        "the pixels of y are repeated, and the places are not used",
        "What stands in the plane where no maximum was?",
    ),
    Switch(
        "unpool.dtype",
        "the result has the dtype of y",
        "Which dtype must the result have when y holds whole numbers?",
    ),
)

EXERCISE = Exercise(
    name="unpooling",
    title="unpooling: maxima go back to their places",
    functions=(Function("max_unpool2d", (Part("x", "plane"),), max_unpool2d, cases, SWITCHES,
                        naming),),
    hints=(
        "Index 6 in a plane of 4 columns: which row and which column is that?",
        "Tutorial 08, 'Three ways back' and 'Gather and scatter'.",
        "x[n, c, r, q] = the sum of all y[n, c, oh, ow] with indices[n, c, oh, ow] = r * W + q.",
    ),
    tutorial=8,
)  # fmt: skip
