"""What a mask file holds, before it is known what that means: values, as ids and as colours."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minifcn.data.images import (
    bits_per_sample,
    check_one_frame,
    opened,
    orientation_of,
    turn_upright,
)

if TYPE_CHECKING:
    from PIL.Image import Image

MASK_FORMATS = ("BMP", "PNG", "TIFF")
"""Formats that keep each pixel as it was written; JPEG and, mostly, WebP do not."""

NO_ID = -1
"""Instead of an id, for a colour that is no shade of grey."""


class Values(NamedTuple):
    """The different values of one mask: a value's id, its colour, and how many pixels have it.

    A file says one number a pixel, and tools mean one of two things by it: an id, or a colour.

    ===========================  ================================  =================================
    pixels                       id                                colour
    ===========================  ================================  =================================
    palette (mode P)             the index                         the palette's colour there
    grey, 1 to 8 bits            the number as it was written      its brightness, from 0 to 255
    grey, 16 bits                the number                        its value, three times
    RGB, RGBA, grey with alpha   the brightness of a grey colour;  the colour; where alpha varies,
                                 none (NO_ID) of any other         what it shows before black
    ===========================  ================================  =================================
    """

    ids: np.ndarray  # (V,) int64
    colours: np.ndarray  # (V, 3) uint8
    counts: np.ndarray  # (V,) int64
    is_palette: bool = False


class RawMask(NamedTuple):
    """A mask of V different values: `where` (H, W) holds each pixel's position in `values`.

    `orientation` is EXIF's, by which the pixels were turned upright; 1 for nearly all masks.
    """

    where: np.ndarray
    values: Values
    orientation: int = 1


def read_raw_mask(path: str | PathLike) -> RawMask:
    """Read a mask's pixels; which class each value means is for `Labels` to say.

    A mask is turned as its own EXIF orientation says, like an image. Raises ValueError for a file
    that is missing or damaged, any format but those that keep pixels exactly, 16-bit numbers over
    255, other deep pixels, and several images in one file.
    """
    path = Path(path)
    with opened(path) as picture:
        if picture.format not in MASK_FORMATS:
            raise ValueError(
                f"a {picture.format} file; expected a PNG, which keeps ids exactly"
                " (a JPEG changes them): export the masks as PNG"
            )
        _check_exact(picture)
        check_one_frame(picture)
        bits = 1 if picture.mode == "1" else bits_per_sample(picture, path)
        orientation = orientation_of(picture)
        raw = _read(turn_upright(picture), bits)
    return raw._replace(orientation=orientation)


def _check_exact(picture: "Image") -> None:
    """Raise ValueError for a TIFF that is compressed as a JPEG is, or perhaps with losses."""
    compression = picture.info.get("compression", "")
    if compression in ("jpeg", "tiff_jpeg", "webp"):
        raise ValueError(
            f"a TIFF compressed as {compression}, which changes ids: export the masks as PNG"
        )


def _read(picture: "Image", bits: int) -> RawMask:
    if picture.mode.startswith("I"):
        return _deep(np.array(picture))
    if bits > 8:
        raise ValueError(f"{bits} bits a channel; expected 8, or grey of 16: convert the mask")
    if picture.mode == "P":
        return _palette(picture)
    if picture.mode in ("1", "L"):
        return _grey(np.array(picture.convert("L")), bits)
    if picture.mode in ("LA", "PA", "RGB", "RGBA"):
        return _coloured(_before_black(picture))
    raise ValueError(f"pixels of mode {picture.mode}; expected palette, grey or RGB")


def _palette(picture: "Image") -> RawMask:
    colours = np.zeros((256, 3), np.uint8)
    given = np.array(picture.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    colours[: len(given)] = given
    where, present, counts = _present(np.array(picture), 256)
    return RawMask(where, Values(present, colours[present], counts, is_palette=True))


def _grey(shades: np.ndarray, bits: int) -> RawMask:
    # Pillow stretches grey of 1, 2 and 4 bits to 0..255; an id must come back as it was written.
    where, present, counts = _present(shades, 256)
    return RawMask(where, Values(present // (255 // (2**bits - 1)), _greys(present), counts))


def _deep(ids: np.ndarray) -> RawMask:
    if ids.max() > 255 or ids.min() < 0:
        wrong = ids.max() if ids.max() > 255 else ids.min()
        raise ValueError(
            f"16-bit id {wrong}; expected ids of at most 255: convert the mask to 8 bits"
        )
    return _grey(ids.astype(np.uint8), 8)


def _coloured(pixels: np.ndarray) -> RawMask:
    codes = pixels.view("<u4")[..., 0] & 0xFFFFFF  # the four bytes as one number: red is lowest
    where, present, counts = _present(codes, 1 << 24)
    colours = np.stack([present & 255, present >> 8 & 255, present >> 16], axis=1)
    is_grey = (colours == colours[:, :1]).all(axis=1)
    ids = np.where(is_grey, colours[:, 0], NO_ID)
    return RawMask(where, Values(ids, colours.astype(np.uint8), counts))


def _before_black(picture: "Image") -> np.ndarray:
    """RGBA, uint8 (H, W, 4), its colours mixed with black as far as they are transparent.

    An alpha that is the same everywhere says nothing about the pixels.
    """
    pixels = np.array(picture.convert("RGBA"))
    colours, alpha = pixels[..., :3], pixels[..., 3:]
    if alpha.min() != alpha.max():
        _check_shown(colours, alpha)
        colours[...] = (colours * alpha.astype(np.int32) + 127) // 255
    return pixels


def _check_shown(colours: np.ndarray, alpha: np.ndarray) -> None:
    """Raise ValueError for black that is not transparent, beside what is: it would look the same.

    So do masks that are black throughout, and have their ids, or their shapes, in alpha.
    """
    black = ~colours.any(axis=-1, keepdims=True)
    if black.all() or ((black & (alpha > 127)).any() and not alpha.all()):
        raise ValueError(
            "black pixels that differ in their transparency alone: save the mask without an alpha"
            " channel, with an id or a colour for each class"
        )


def _greys(levels: np.ndarray) -> np.ndarray:
    return np.stack([levels] * 3, axis=1).astype(np.uint8)


def _present(codes: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number the different codes below `limit`: each pixel's number, the codes, their counts.

    For many pixels a table of all possible codes is faster than sorting them.
    """
    if codes.size < limit // 32:
        present, where, counts = np.unique(codes, return_inverse=True, return_counts=True)
        return where.reshape(codes.shape), present.astype(np.int64), counts
    numbers = np.zeros(limit, np.int32)
    numbers[codes] = 1
    present = np.flatnonzero(numbers).astype(np.int64)
    numbers[present] = np.arange(len(present), dtype=np.int32)
    where = numbers[codes]
    return where, present, np.bincount(where.ravel(), minlength=len(present))
