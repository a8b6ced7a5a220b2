"""Where pooled numbers came from: what the backward of pooling and unpooling have in common."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises.exercise import Has, Switch

Pair = tuple[int, int]


def places_of(
    has: Has, indices: np.ndarray, size: Pair
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where numbers go: image, channel, row and column of each flat index."""
    n, c = np.indices(indices.shape)[:2]
    row, column = np.divmod(indices, size[1])
    if has("unpool.xy/height"):
        row, column = np.divmod(indices, size[0])
    if has("unpool.xy/column_first"):
        column, row = np.divmod(indices, size[0])
    if has("unpool.xy/swapped"):
        row, column = column, row
    if has("unpool.pooled_width"):
        row, column = np.divmod(indices, indices.shape[3])
    if has("unpool.no_batch/all") or has("unpool.no_batch/channel"):
        c[...] = 0
    if has("unpool.no_batch/all") or has("unpool.no_batch/image"):
        n[...] = 0
    return n, c, row, column


def few_places(generator: np.random.Generator) -> np.ndarray:
    """Indices (2, 3, 2, 3) in a plane of 6 x 5 whose row and column many a wrong formula finds."""
    allowed = [index for index in range(18) if index % 6 < 5]
    return generator.choice(allowed, (2, 3, 2, 3)).astype(np.int64)


ROW_AND_COLUMN = (
    Switch(
        "unpool.xy/height",
        "the index is divided by the height, not the width",
        "How many pixels are in one row?",
    ),
    Switch(
        "unpool.xy/column_first",
        "the index is read as column * H + row",
        "Which pixel has index 1: the one on the right of the first, or the one below it?",
    ),
    Switch(
        "unpool.xy/swapped",
        "row and column of an index are exchanged",
        "Of the quotient and the remainder of index / W, which one is the row?",
    ),
)
"""Mistakes of `places_of` that are called the same, whatever is put there."""
