"""Reading and writing image files; every bad file is a one-line ValueError that names it."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minifcn.data.dataset import VOID
from minifcn.data.palettes import VOID_COLOUR
from minifcn.system.files import write_atomically
from minifcn.system.locks import fork_safe_lock

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
PNG_DEPTH = 24
"""Where a PNG says how many bits a sample has: in the chunk IHDR (PNG specification, 11.2.1)."""

BMP_DEPTH = 28
"""Where a BMP says how many bits a pixel has."""

ORIENTATION = 0x0112
"""EXIF's tag of how an image must be turned to be upright."""

TIFF_DEPTHS = 258
"""The tag BitsPerSample (TIFF 6.0, section 8)."""

FILTERING = fork_safe_lock()
"""Held while `warnings` are treated as errors, which no two threads can do at a time."""


# -- Reading -------------------------------------------------------------------------------------


def read_image(path: str | PathLike) -> np.ndarray:
    """Read an image as RGB, uint8 (H, W, 3), upright as its EXIF orientation says.

    Grey becomes three equal channels and transparency is dropped. Raises ValueError for a file that
    is missing, damaged, no image, too large to be meant, deeper than 8 bits a channel, or holds
    several images.
    """
    with opened(Path(path)) as picture:
        _check_is_image(picture, Path(path))
        picture = turn_upright(picture)
        # A palette with transparency has no direct way to RGB.
        return np.array(picture.convert("RGBA" if picture.mode == "P" else "RGB"))[..., :3]


class Frame(NamedTuple):
    """Height and width of an image: upright, as `read_image` gives it, and as the file stores it.

    `orientation` is EXIF's: 1 is upright, 2 to 4 are mirrored or upside down, and 5 to
    8 lie on a side.
    """

    upright: tuple[int, int]
    stored: tuple[int, int]
    orientation: int


def check_image(path: str | PathLike) -> Frame:
    """Decode an image, as roughly as its format allows, to see that `read_image` can read it.

    A JPEG is decoded at an eighth of its size, which still finds a file that was cut off. Raises
    ValueError as `read_image` does.
    """
    with opened(Path(path)) as picture:
        _check_is_image(picture, Path(path))
        frame = _frame(picture)
        picture.draft("RGB", (max(1, picture.width // 8), max(1, picture.height // 8)))
        picture.load()
    return frame


def _frame(picture: "Image") -> Frame:
    shape, orientation = (picture.height, picture.width), orientation_of(picture)
    turned = shape[::-1] if orientation in (5, 6, 7, 8) else shape
    if picture.format == "TIFF":  # Pillow turns it by itself, and says so from the start
        return Frame(shape, turned, orientation)
    return Frame(turned, shape, orientation)


def turn_upright(picture: "Image") -> "Image":
    """Load a picture's pixels, upright as its EXIF says.

    Raises ValueError for a TIFF of which Pillow turns the pixels, but not the rows.
    """
    from PIL import ImageOps

    shape = _frame(picture).upright
    picture = ImageOps.exif_transpose(picture)
    if (picture.height, picture.width) != shape:
        raise ValueError("a TIFF with an EXIF orientation that Pillow misreads: save it upright")
    return picture


def orientation_of(picture: "Image") -> int:
    """How a picture that is not yet loaded must be turned to be upright, as EXIF says; 1 if not.

    Pillow turns a TIFF by itself; asked for its EXIF before, `exif_transpose` would do it again.
    """
    tags = picture.tag_v2 if picture.format == "TIFF" else picture.getexif()  # type: ignore[attr-defined]
    return tags.get(ORIENTATION, 1)


def image_shape(path: str | PathLike) -> tuple[int, int]:
    """The height and width that `read_image` gives, from the file's header alone."""
    with opened(Path(path)) as picture:
        return _frame(picture).upright


@contextmanager
def opened(path: Path) -> "Iterator[Image]":
    """Open `path` with Pillow; whatever fails inside becomes a one-line ValueError naming it."""
    try:
        _check_file(path)
        with _open(path) as picture:
            _check_bmp(picture, path)
            yield picture
    except Exception as error:  # decoders meet damaged bytes with exceptions of many types
        raise ValueError(f"cannot read {str(path)!r}: {_reason(error)}") from error


def _open(path: Path) -> "Image":
    """Read a file's header, which is where Pillow looks at the number of its pixels.

    One thread at a time: what `warnings` does is the same for all of them.
    """
    from PIL import Image

    with FILTERING, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(path, formats=FORMATS)


def bits_per_sample(picture: "Image", path: Path) -> int:
    """The most bits of any channel. Pillow's mode does not tell: it reads 16-bit RGB as 8 bits."""
    if picture.format == "PNG":
        with path.open("rb") as file:
            return file.read(PNG_DEPTH + 1)[PNG_DEPTH]
    depths = getattr(picture, "tag_v2", {}).get(TIFF_DEPTHS, 8)
    return max(depths) if isinstance(depths, tuple) else depths


def check_one_frame(picture: "Image") -> None:
    """Raise ValueError for a file of several images; a photo's own preview in it does not count."""
    count = getattr(picture, "n_frames", 1)
    if count > 1 and picture.format not in ("JPEG", "MPO"):
        raise ValueError(f"{count} images in one file; expected one")


def _check_bmp(picture: "Image", path: Path) -> None:
    """Raise ValueError for a BMP of 8 bits that Pillow takes for one of 1, as its palette has 2."""
    if picture.format == "BMP" and picture.mode == "1":
        with path.open("rb") as file:
            depth = file.read(BMP_DEPTH + 1)[BMP_DEPTH]
        if depth != 1:
            raise ValueError(f"a BMP of {depth} bits with a palette of 2 colours: save it as PNG")


def _check_is_image(picture: "Image", path: Path) -> None:
    if picture.mode[0] in "IF":
        raise ValueError(f"pixels of mode {picture.mode}; expected 8 bits a channel")
    bits = bits_per_sample(picture, path)
    if bits > 8:
        raise ValueError(f"{bits} bits a channel; expected 8: convert the image")
    check_one_frame(picture)


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


def check_pair(image: tuple[int, ...], mask: tuple[int, ...], path: str | PathLike) -> None:
    """Raise ValueError unless a mask, read from `path`, has the shape (H, W) of its image."""
    if image != mask:
        raise ValueError(
            f"mask {str(path)!r} is {shape_text(mask)} but its image is {shape_text(image)};"
            " expected equal sizes (height x width)"
        )


def shape_text(shape: tuple[int, ...]) -> str:
    """Height x width."""
    return f"{shape[0]}x{shape[1]}"


# -- Writing -------------------------------------------------------------------------------------


def write_image(path: str | PathLike, image: np.ndarray) -> None:
    """Write an image, uint8 (H, W, 3) RGB, as a PNG."""
    from PIL import Image

    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be uint8 (H, W, 3); got {image.dtype} {image.shape}")
    _write_png(path, Image.fromarray(image))


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
    _write_png(path, picture)


def _write_png(path: str | PathLike, picture: "Image") -> None:
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"path must end in .png; got {str(path)!r}")
    file = io.BytesIO()
    picture.save(file, format="PNG")
    write_atomically(Path(path), file.getvalue())
