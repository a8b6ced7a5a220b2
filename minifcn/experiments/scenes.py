"""Scenes of other sizes in which everything is as large, in pixels, as in the standard ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minifcn.data import Shapes
from minifcn.data.shapes import Design
from minifcn.data.transforms import normalise

UNSEEN_SEED = 2**20
"""The seed of scenes to fit a threshold or a probe with: no network was trained on them."""


def same_sized(side: int, objects: tuple[int, int]) -> Design:
    """Return the design of side x side scenes with objects as large in pixels as in 96x96 ones.

    A design's lengths are meant for 96x96 scenes and scale with the scene; this takes that back.
    The background's colours, too, change at the standard rate, every 32 pixels.

    Raises:
        ValueError: side is below 32.
    """
    if side < 32:
        raise ValueError(f"side must be at least 32; got {side}")
    usual, scale = Design(), 96 / side
    return Design(
        objects=objects,
        radius=(scale * usual.radius[0], scale * usual.radius[1]),
        stroke=(scale * usual.stroke[0], scale * usual.stroke[1]),
        margin=scale * usual.margin,
        grid=side // 32 + 1,
    )


def read(dataset: Shapes) -> tuple[np.ndarray, np.ndarray]:
    """Return all images of a data set, normalised, (N, 3, H, W), and their masks (N, H, W)."""
    images, masks = zip(*(dataset[i] for i in range(len(dataset))), strict=True)
    return np.stack([normalise(image) for image in images]), np.stack(masks)


def parts(count: int, at_once: int = 20) -> Iterator[slice]:
    """Cut `count` scenes into slices of at most `at_once`, as many as a network takes at a time."""
    return (slice(first, first + at_once) for first in range(0, count, at_once))
