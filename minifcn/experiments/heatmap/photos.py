"""Photos to look at: where they are, and the sizes and parts that a network is shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minifcn.models.pretrained import PHOTOS, locate

SMALLEST = 32
"""Pixels: the least that the longer side of an image may be resized to."""

MAX_PIXELS = 2**20
"""The most pixels that a network is given: about half a gigabyte and a few seconds."""


def find_photo(image: str) -> Path:
    """Return the path of a photo: `image` itself, or that of the photo of this name in PHOTOS."""
    if image in PHOTOS and not Path(image).is_file():
        return locate(PHOTOS[image])
    if not Path(image).exists():
        raise ValueError(f"{image}: no such file, and none of the photos {', '.join(PHOTOS)}")
    return Path(image)


def sizes(
    photo: np.ndarray, shorter: int, longest: int | None = None
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the sizes (H, W) of the two whole views of a photo.

    The first has `shorter` as its shorter side. The second has `longest` as its longer side; by
    default it is the photo's own, reduced to MAX_PIXELS.

    Raises:
        ValueError: longest is below SMALLEST, or a view would have more than MAX_PIXELS.
    """
    height, width = photo.shape[:2]
    if longest is not None and longest < SMALLEST:
        raise ValueError(f"size must be at least {SMALLEST} pixels; got {longest}")
    trained = _scaled((height, width), shorter / min(height, width))
    if math.prod(trained) > MAX_PIXELS:
        raise ValueError(
            f"image must be at most {MAX_PIXELS // shorter**2} times as long on one side as on the"
            f" other; got {size_text((height, width))}"
        )
    own = min(1.0, math.sqrt(MAX_PIXELS / (height * width)))
    chosen = _scaled((height, width), longest / max(height, width) if longest else own)
    if longest and math.prod(chosen) > MAX_PIXELS:
        raise ValueError(f"size must make at most {MAX_PIXELS:,} pixels; got {size_text(chosen)}")
    return trained, chosen


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    height, width = (max(1, round(n * factor)) for n in size)
    return height, width


def size_text(shape: Sequence[int]) -> str:
    """Return width x height, as photographers write it."""
    return f"{shape[1]}x{shape[0]}"


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image, uint8 (H, W, 3), to (height, width), bicubically, without aliasing."""
    from PIL.Image import Resampling, fromarray

    if image.shape[:2] == size:
        return image
    return np.array(fromarray(image).resize(size[::-1], Resampling.BICUBIC))


def central_square(size: tuple[int, ...], side: int) -> tuple[slice, slice]:
    """Return the rows and columns of the square in the middle of an image of size (H, W)."""
    top, left = ((n - side) // 2 for n in size)
    return slice(top, top + side), slice(left, left + side)
