"""What the thirty photos are put together from: outlines of objects, and parts for the ground."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from minifcn.data.images import read_image
from minifcn.models.pretrained import PHOTOS, Source, locate

SOURCES = PHOTOS | {
    "brick": Source("scikit-image", "skimage/data/brick.png", "CC0"),
    "grass": Source("scikit-image", "skimage/data/grass.png", "CC0"),
    "gravel": Source("scikit-image", "skimage/data/gravel.png", "CC0"),
}
"""The photographs by name: those of `pretrained.PHOTOS`, and three of grounds, in grey."""


@dataclass(frozen=True)
class Cutout:
    """An object in a photograph.

    Attributes:
        photo: the photograph, one of SOURCES.
        outline: the corners of a polygon round the object: x, y, x, y, ... in its pixels.
        edge: how far the edge fades out, in its pixels.
        cut: whether the photograph cuts the object off at its top; that side has to lie outside
            of a picture, or it would look like what it is.
    """

    photo: str
    outline: tuple[int, ...]
    edge: float
    cut: bool = False

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the outline, in pixels of the photograph."""
        x, y = self.outline[::2], self.outline[1::2]
        return min(x), min(y), max(x), max(y)


@dataclass(frozen=True)
class Ground:
    """A part of a photograph to put objects on.

    Attributes:
        photo: the photograph, one of SOURCES.
        box: left, top, right and bottom of the part, as shares of the photograph.
        colour: what red, green and blue are multiplied with: gives grey grounds a colour.
    """

    photo: str
    box: tuple[float, float, float, float] = (0, 0, 1, 1)
    colour: tuple[float, float, float] = (1, 1, 1)


_CAT = (
    41, 0, 36, 20, 33, 45, 31, 70, 33, 95, 38, 120, 44, 150, 58, 180, 82, 208, 108, 236, 140, 257,
    175, 272, 212, 283, 250, 286, 285, 281, 306, 268, 314, 248, 315, 222, 330, 200, 348, 178,
    357, 155, 360, 130, 357, 105, 352, 88, 354, 74, 368, 60, 376, 38, 386, 16, 396, 0,
)  # fmt: skip
_CUP = (  # with its saucer and its spoon
    182, 70, 160, 82, 140, 95, 120, 112, 103, 133, 90, 158, 82, 185, 77, 215, 79, 245, 86, 268,
    98, 292, 115, 315, 135, 336, 160, 356, 190, 372, 225, 384, 260, 389, 300, 389, 335, 384,
    370, 373, 400, 357, 425, 337, 447, 312, 462, 286, 473, 258, 479, 230, 478, 205, 472, 180,
    460, 153, 444, 130, 425, 110, 417, 100, 424, 78, 420, 68, 408, 66, 399, 73, 397, 77, 390, 66,
    375, 48, 350, 32, 320, 21, 290, 18, 255, 21, 225, 30, 200, 45, 185, 62,
)  # fmt: skip
_FLOWER = (
    302, 358, 290, 358, 284, 354, 272, 352, 263, 348, 249, 350, 242, 346, 233, 336, 223, 334,
    202, 315, 198, 304, 188, 296, 184, 283, 180, 276, 178, 268, 172, 260, 172, 247, 176, 238,
    170, 229, 172, 215, 170, 204, 173, 198, 180, 196, 176, 184, 176, 176, 182, 170, 190, 171,
    188, 152, 195, 138, 204, 134, 206, 125, 214, 116, 228, 114, 237, 108, 242, 102, 255, 98,
    270, 96, 278, 98, 285, 96, 292, 92, 310, 86, 319, 86, 328, 88, 334, 94, 348, 92, 359, 98,
    372, 100, 382, 104, 388, 114, 396, 114, 408, 124, 410, 133, 418, 138, 426, 146, 432, 170,
    430, 181, 438, 192, 444, 212, 442, 244, 436, 254, 434, 269, 428, 281, 424, 290, 416, 296,
    416, 302, 408, 310, 404, 322, 397, 330, 384, 332, 371, 344, 359, 348, 347, 350, 335, 356,
    320, 358, 312, 354,
)  # fmt: skip

CUTOUTS = {
    "cat": Cutout("chelsea", _CAT, edge=2.5, cut=True),
    "cup": Cutout("coffee", _CUP, edge=1.0),
    "flower": Cutout("flower", _FLOWER, edge=1.0),
}
"""The objects by the names of their classes."""

GROUNDS = {
    "train": (
        Ground("coffee", (0.81, 0.2, 1, 1)),  # the table
        Ground("rocket"),
        Ground("china", (0, 0, 0.5, 1)),
        Ground("flower", (0, 0, 0.26, 1)),  # leaves, out of focus
        Ground("grass", colour=(0.85, 1.0, 0.45)),
    ),
    "val": (
        Ground("astronaut"),
        Ground("china", (0.55, 0, 1, 1)),
        Ground("brick", colour=(1.5, 0.95, 0.75)),
        Ground("gravel", colour=(1.0, 0.95, 0.85)),
    ),
}
"""What objects are put on. Both parts of `china` have sky, water and trees, and no pixel in common;
of the other photographs, none is used in both splits."""


@cache
def photograph(name: str) -> np.ndarray:
    """Read a photograph, uint8 (H, W, 3), by its name in SOURCES; nobody may change it.

    Raises:
        ValueError: the package that has it is not installed.
    """
    image = read_image(locate(SOURCES[name]))
    image.flags.writeable = False
    return image


@cache
def cut_out(cutout: Cutout) -> np.ndarray:
    """Cut an object out: uint8 (h, w, 4), its box of the photograph, with how opaque each pixel is.

    The polygon is drawn four times as large, made smaller, and faded; what the fading adds outside
    of the box is lost, which is less than half of `edge`.
    """
    from PIL import Image, ImageDraw, ImageFilter

    image = photograph(cutout.photo)
    height, width = image.shape[:2]
    large = Image.new("L", (4 * width, 4 * height))
    corners = [4 * n + 2 for n in cutout.outline]  # the middle of a pixel
    ImageDraw.Draw(large).polygon(corners, fill=255)
    alpha = large.resize((width, height), Image.Resampling.BOX)
    alpha = alpha.filter(ImageFilter.GaussianBlur(cutout.edge / 2))
    left, top, right, bottom = cutout.box
    return np.dstack([image, np.array(alpha)])[top : bottom + 1, left : right + 1]
