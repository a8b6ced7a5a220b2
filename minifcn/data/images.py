"""Reading and writing image and mask files; every bad file is a one-line ValueError."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minifcn.data.dataset import VOID
from minifcn.data.palettes import VOID_COLOUR

if TYPE_CHECKING:
    from PIL.Image import Image

Colour = tuple[int, int, int]
Colours = Mapping[Colour, int] | Sequence[Colour]

FORMATS = ("BMP", "JPEG", "PNG")


# -- Reading -------------------------------------------------------------------------------------


def read_image(path: str | PathLike) -> np.ndarray:
    """Read an image as RGB, uint8 (H, W, 3), upright as its EXIF orientation says.

    Grey becomes three equal channels and transparency is dropped. Raises ValueError for a file that
    is missing, damaged, no image, too large to be meant, or deeper than 8 bits a channel.
    """
    from PIL import ImageOps

    with _opened(Path(path)) as picture:
        if picture.mode[0] in "IF":
            raise ValueError(f"pixels of mode {picture.mode}; expected 8 bits a channel")
        picture = ImageOps.exif_transpose(picture)
        # A palette with transparency has no direct way to RGB.
        return np.array(picture.convert("RGBA" if picture.mode == "P" else "RGB"))[..., :3]


def read_mask(path: str | PathLike, colours: Colours | None = None) -> np.ndarray:
    """Read a PNG mask as class ids, uint8 (H, W).

    =========================  ====================================================================
    palette (mode P)           the index of the colour. (Converting to grey instead would give the
                               colour's brightness: VOC's 0, 15, 255 would become 0, 147, 220.)
    grey, 1 to 8 bits          the value
    grey, 16 bits              the value, if none is over 255
    RGB, RGBA                  `colours[colour]`, or the colour's position if `colours` is a
                               sequence
    =========================  ====================================================================

    Raises ValueError for a file that `read_image` refuses, any format but PNG (JPEG changes ids),
    other pixels, an RGB mask without `colours`, and a colour that `colours` lacks.
    """
    path = Path(path)
    with _opened(path) as picture:
        if picture.format != "PNG":
            raise ValueError(f"a {picture.format} file; expected a PNG, which keeps ids exactly")
        return _mask_reader(picture.mode)(picture, path, colours)


def check_pair(image: np.ndarray, mask: np.ndarray, path: str | PathLike) -> None:
    """Raise ValueError unless the mask, read from `path`, has its image's height and width."""
    if image.shape[:2] != mask.shape:
        raise ValueError(
            f"mask {str(path)!r} is {_size(mask)} but its image is {_size(image)}; "
            "expected equal sizes (height x width)"
        )


def check_ids(mask: np.ndarray, num_classes: int, path: str | PathLike) -> None:
    """Raise ValueError if the mask, read from `path`, has an id that is no class and not VOID."""
    wrong = (mask >= num_classes) & (mask != VOID)
    if wrong.any():
        raise ValueError(
            f"mask {str(path)!r} has id {mask[wrong].max()}; "
            f"expected 0 to {num_classes - 1}, or {VOID} for void"
        )


@contextmanager
def _opened(path: Path) -> "Iterator[Image]":
    """Open `path` with Pillow; whatever fails inside becomes a one-line ValueError naming it."""
    from PIL import Image

    try:
        _check_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as picture:
                yield picture
    except Exception as error:  # decoders meet damaged bytes with exceptions of many types
        raise ValueError(f"cannot read {str(path)!r}: {_reason(error)}") from error


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise ValueError("a folder; expected an image file")
    if not path.is_file():
        raise ValueError("no such file")
    if path.stat().st_size == 0:
        raise ValueError("0 bytes; expected an image file")


def _reason(error: Exception) -> str:
    from PIL import Image

    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return f"too many pixels; expected at most {Image.MAX_IMAGE_PIXELS}"
    if isinstance(error, Image.UnidentifiedImageError):
        return f"not an image in one of the formats {', '.join(FORMATS)}"
    return " ".join(str(error).split()) or type(error).__name__


def _size(array: np.ndarray) -> str:
    return f"{array.shape[0]}x{array.shape[1]}"


# -- From a mask's pixels to ids -----------------------------------------------------------------


def _mask_reader(mode: str) -> "Callable[[Image, Path, Colours | None], np.ndarray]":
    readers = {"P": _plain, "1": _plain, "L": _grey, "RGB": _coloured, "RGBA": _coloured}
    reader = _deep if mode.startswith("I") else readers.get(mode)
    if reader is None:
        raise ValueError(f"pixels of mode {mode}; expected palette, grey or RGB")
    return reader


def _plain(picture: "Image", path: Path, colours: Colours | None) -> np.ndarray:
    return np.array(picture, dtype=np.uint8)


def _grey(picture: "Image", path: Path, colours: Colours | None) -> np.ndarray:
    # Pillow stretches grey of 2 and 4 bits to 0..255; an id must come back as it was written.
    return np.array(picture) // (255 // (2 ** _bit_depth(path) - 1))


def _bit_depth(path: Path) -> int:
    """Bits a sample of a PNG: byte 24, in the header chunk IHDR (PNG specification, 11.2.1)."""
    with path.open("rb") as file:
        return file.read(25)[24]


def _deep(picture: "Image", path: Path, colours: Colours | None) -> np.ndarray:
    ids = np.array(picture)
    if ids.max() > 255:
        raise ValueError(f"16-bit id {ids.max()}; expected ids of at most 255")
    return ids.astype(np.uint8)


def _coloured(picture: "Image", path: Path, colours: Colours | None) -> np.ndarray:
    if colours is None:
        raise ValueError(
            "an RGB mask, but no colour table; expected a mask of ids, or a classes.txt "
            "that gives each class its colour, as in 'road 128 64 128'"
        )
    table = colours if isinstance(colours, Mapping) else {c: i for i, c in enumerate(colours)}
    return _ids_of_colours(np.array(picture)[..., :3], table)


def _ids_of_colours(pixels: np.ndarray, table: Mapping[Colour, int]) -> np.ndarray:
    # One number a colour, so that the few distinct colours are looked up and not every pixel.
    codes = pixels.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    present, where, counts = np.unique(codes.ravel(), return_inverse=True, return_counts=True)
    found = [(code >> 16, code >> 8 & 255, code & 255) for code in present.tolist()]
    _check_known(dict(zip(found, counts.tolist(), strict=True)), table)
    return np.array([table[colour] for colour in found], np.uint8)[where].reshape(codes.shape)


def _check_known(found: Mapping[Colour, int], table: Mapping[Colour, int]) -> None:
    unknown = sorted((-count, colour) for colour, count in found.items() if colour not in table)
    if unknown:
        named = ", ".join(f"{colour} in {-count} pixels" for count, colour in unknown[:3])
        raise ValueError(
            f"{len(unknown)} colours that the colour table lacks ({named}); "
            f"expected its {len(table)} colours only"
        )


# -- Writing -------------------------------------------------------------------------------------


def write_image(path: str | PathLike, image: np.ndarray) -> None:
    """Write an image, uint8 (H, W, 3) RGB, as a PNG."""
    from PIL import Image

    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be uint8 (H, W, 3); got {image.dtype} {image.shape}")
    Image.fromarray(image).save(_png(path), format="PNG")


def write_mask(path: str | PathLike, mask: np.ndarray, palette: np.ndarray) -> None:
    """Write class ids, uint8 (H, W), as a palette PNG that `read_mask` gives back unchanged.

    `palette` is uint8 (number of classes, 3); VOID gets PASCAL VOC's void colour.
    """
    from PIL import Image

    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ValueError(f"mask must be uint8 (H, W); got {mask.dtype} {mask.shape}")
    colours = np.zeros((256, 3), np.uint8)
    colours[VOID] = VOID_COLOUR
    colours[: len(palette)] = palette
    picture = Image.fromarray(mask)
    picture.putpalette(colours.tobytes())
    picture.save(_png(path), format="PNG")


def _png(path: str | PathLike) -> Path:
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"path must end in .png; got {str(path)!r}")
    return Path(path)
