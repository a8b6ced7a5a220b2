"""Thirty photos with masks: objects cut out of photographs, put onto parts of other photographs.

Twenty to train, ten held out; background, cat, cup and flower. They look like photos: objects are
turned and tilted, partly hidden and cut off by the border, in the light of their place, with soft
edges, shadows, blur and noise. Their masks are known, as nobody had to draw them.

What they can show: how a network does with few images, real textures and unseen places. The ground
of a held-out photo is never that of one to train with; its objects are turned and tilted further,
and in stronger light. What they cannot show: how well cats are found. There is one cat here, and
one cup, and one flower, each in one photograph, and a network may know them by heart. A score on
these ten photos is one on new views of known things in new places, no more.

The photographs and their licences: `cutouts.SOURCES`, `pretrained.PHOTOS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minifcn.data.dataset import Dataset, Sample, check_split
from minifcn.data.images import write_image, write_mask
from minifcn.data.palettes import default_palette
from minifcn.data.transforms import check_size
from minifcn.experiments.transfer.cutouts import (
    CUTOUTS,
    GROUNDS,
    Cutout,
    Ground,
    cut_out,
    photograph,
)
from minifcn.system.files import write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image

CLASSES = ("background", *CUTOUTS)
LENGTHS = {"train": 20, "val": 10}
STREAMS = {"train": 11, "val": 12}
"""What a stream of random numbers is for; those of `data` are below."""

FINER = 2
"""Photos are put together so many times as large, and made smaller: no edge is jagged."""


@dataclass(frozen=True)
class View:
    """How differently the photos of a split may look. Angles are degrees.

    Attributes:
        turn: how far objects are turned, to either side.
        tilt: how much nearer one side of an object is than its middle, as in perspective.
        light: of how many times as much, or as little, light there may be, of each colour a little
            differently.
        size: the width of an object as a share of the photo's height.
    """

    turn: float
    tilt: float
    light: float
    size: tuple[float, float] = (0.35, 1.0)


VIEWS = {"train": View(turn=20, tilt=0.15, light=1.25), "val": View(turn=35, tilt=0.3, light=1.4)}


class Photos:
    """The split `train` or `val`, in `size` = (H, W); photo i is a function of (seed, split, i).

    Raises ValueError for an unknown split, a negative seed, a wrong size, or where the packages
    with the photographs are not installed.
    """

    classes = CLASSES
    palette = default_palette(len(CLASSES))

    def __init__(self, split: str = "train", size: tuple[int, int] = (160, 224), seed: int = 0):
        check_split(split, LENGTHS)
        check_size(size)
        if seed < 0:
            raise ValueError(f"seed must not be negative; got {seed}")
        for name in {ground.photo for ground in GROUNDS[split]}:
            photograph(name)
        self.split, self.size, self.seed = split, size, seed

    def __len__(self) -> int:
        return LENGTHS[self.split]

    def __getitem__(self, i: int) -> Sample:
        i = range(len(self))[i]
        generator = np.random.default_rng([self.seed, STREAMS[self.split], i])
        grounds = GROUNDS[self.split]
        return compose(self.size, grounds[i % len(grounds)], VIEWS[self.split], generator)

    def name(self, i: int) -> str:
        """The split and the number of the photo, as in `val-07`."""
        return f"{self.split}-{range(len(self))[i]:02d}"


def write(folder: Path, size: tuple[int, int] = (160, 224), seed: int = 0) -> None:
    """Write both splits as `minifcn train --data FOLDER` reads them: images, masks, classes.txt."""
    for split in LENGTHS:
        _write_split(folder, Photos(split, size, seed), split)
    write_atomically(folder / "classes.txt", "".join(f"{name}\n" for name in CLASSES).encode())


def _write_split(folder: Path, dataset: Dataset, split: str) -> None:
    for kind in ("images", "masks"):
        (folder / kind / split).mkdir(parents=True, exist_ok=True)
    for i in range(len(dataset)):
        image, mask = dataset[i]
        write_image(folder / "images" / split / f"{dataset.name(i)}.png", image)
        write_mask(folder / "masks" / split / f"{dataset.name(i)}.png", mask, dataset.palette)


# -- Putting a photo together --------------------------------------------------------------------


def compose(
    size: tuple[int, int], ground: Ground, view: View, generator: np.random.Generator
) -> Sample:
    """Put one to three objects onto a ground, later ones in front; then light, blur and noise."""
    height, width = FINER * size[0], FINER * size[1]
    image = lay_ground((height, width), ground, generator)
    mask = np.zeros(size, np.uint8)
    count = generator.choice([1, 2, 3], p=[0.2, 0.45, 0.35])
    for name in generator.permutation(list(CUTOUTS))[:count]:
        layer = place((height, width), CUTOUTS[name], view, generator)
        colours, opaque = layer[..., :3], layer[..., 3:] / 255
        image *= cast_shadow(opaque, generator)
        image += opaque * (colours * light(view.light**0.5, generator) - image)
        mask[smaller(opaque)[..., 0] > 0.5] = CLASSES.index(name)
    return develop(image, view, generator), mask


def lay_ground(size: tuple[int, int], ground: Ground, generator: np.random.Generator) -> np.ndarray:
    """Fill a picture with a part of a ground, more or less in focus: float32 (H, W, 3)."""
    from PIL import Image

    photo = photograph(ground.photo)
    left, top, right, bottom = np.array(ground.box) * np.tile(photo.shape[1::-1], 2)
    part = min((bottom - top) / size[0], (right - left) / size[1]) * generator.uniform(0.7, 1)
    width, height = part * size[1], part * size[0]
    x = left + generator.random() * (right - left - width)
    y = top + generator.random() * (bottom - top - height)
    picture = Image.fromarray(photo).resize(
        size[::-1], Image.Resampling.BICUBIC, (x, y, x + width, y + height)
    )
    pixels = blurred(picture, generator.uniform(0, size[0] / 120)) * np.array(
        ground.colour, np.float32
    )
    return pixels[:, ::-1].copy() if generator.random() < 0.5 else pixels


def place(
    size: tuple[int, int], cutout: Cutout, view: View, generator: np.random.Generator
) -> np.ndarray:
    """Put an object somewhere, turned, tilted, perhaps mirrored: RGBA, float32 (H, W, 4)."""
    from PIL import Image

    pixels = cut_out(cutout)
    pixels = pixels[:, ::-1] if generator.random() < 0.5 else pixels
    scale = size[0] * generator.uniform(*view.size) / pixels.shape[1]
    averaged = max(1, int(1 / scale))  # first, as a projection looks at a few pixels only
    picture = Image.fromarray(np.ascontiguousarray(pixels)).reduce(averaged)
    matrix = pose(picture.size, scale * averaged, size, cutout.cut, view, generator)
    back = np.linalg.inv(matrix)
    moved = picture.transform(
        size[::-1],
        Image.Transform.PERSPECTIVE,
        tuple((back / back[2, 2]).ravel()[:8]),
        Image.Resampling.BICUBIC,
    )
    return np.array(moved, np.float32)


def pose(
    own: tuple[int, int],
    scale: float,
    size: tuple[int, int],
    cut: bool,
    view: View,
    generator: np.random.Generator,
) -> np.ndarray:
    """Draw how an object of `own` width and height stands in a picture of `size`: (3, 3).

    One that is `cut` has its upper edge at the border above, on the right or on the left.
    """
    turn, tilt = generator.uniform(-1, 1) * view.turn, generator.uniform(-1, 1, 2) * view.tilt
    side = int(generator.integers(3)) if cut else 0  # see beyond_border
    turn = (0, 90, -90)[side] + (turn / 2 if cut else turn)
    matrix = projection(own, scale, turn, tilt)
    x, y = generator.uniform(0.1, 0.9, 2) * size[::-1]
    if cut:
        x, y = beyond_border(matrix, own[0], side, size, (x, y))
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]) @ matrix


def projection(size: tuple[int, int], scale: float, turn: float, tilt: np.ndarray) -> np.ndarray:
    """Return the matrix (3, 3) from an image's pixels to the plane, its middle to the origin.

    (x, y, 1) goes to M (x, y, 1), divided by its third number, which is 1 +- tilt at the middle of
    the image's sides: what is nearer looks larger. size: width and height.
    """
    width, height = size
    cosine, sine = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    to_middle = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    tilted = np.array([[1, 0, 0], [0, 1, 0], [2 * tilt[0] / width, 2 * tilt[1] / height, 1]])
    turned = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1 / scale]])
    return turned @ tilted @ to_middle


def beyond_border(
    matrix: np.ndarray,
    width: int,
    side: int,
    size: tuple[int, int],
    middle: tuple[float, float],
) -> tuple[float, float]:
    """Move an object's middle (x, y) so that its upper edge is just outside of the picture.

    matrix, width: its projection and the length of the edge. side: 0 if the edge is to be above
    the picture, 1 if on the right of it, 2 if on the left.
    """
    ends = matrix @ np.array([[0, width], [0, 0], [1, 1]])
    x, y = ends[:2] / ends[2]
    if side == 0:
        return middle[0], -y.max()
    return (size[1] - x.min() if side == 1 else -x.max()), middle[1]


def cast_shadow(opaque: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return how much light (H, W, 1) an object (H, W, 1) leaves to what is behind it."""
    from PIL import Image

    reach = opaque.shape[0] / 20
    right, down = generator.uniform(-reach, reach), generator.uniform(0, reach)
    picture = Image.fromarray((255 * opaque[..., 0]).astype(np.uint8))
    moved = picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, -right, 0, 1, -down))
    soft = blurred(moved, generator.uniform(0.3, 1) * reach)[..., np.newaxis]
    return 1 - generator.uniform(0.2, 0.6) * soft / 255


def light(most: float, generator: np.random.Generator) -> np.ndarray:
    """Draw what red, green and blue are multiplied with: from 1 / most to most, and a tinge."""
    strength, tinge = generator.uniform(-1, 1), generator.uniform(-0.25, 0.25, 3)
    return np.float32(most) ** (strength + tinge).astype(np.float32)


def develop(image: np.ndarray, view: View, generator: np.random.Generator) -> np.ndarray:
    """Light a picture from one side, make it smaller, blur it a little, add noise: uint8."""
    from PIL import Image

    angle, fall = generator.uniform(0, 2 * np.pi), generator.uniform(0, 0.3)
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in image.shape[:2])
    ramp = 1 + fall * (np.sin(angle) * y[:, np.newaxis] + np.cos(angle) * x)
    lit = smaller(image * ramp[..., np.newaxis] * light(view.light, generator))
    picture = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
    soft = blurred(picture, generator.uniform(0, 0.8))
    noise = generator.uniform(1, 6) * generator.standard_normal(soft.shape)
    return np.clip(np.round(soft + noise), 0, 255).astype(np.uint8)


def smaller(pixels: np.ndarray) -> np.ndarray:
    """Average squares of FINER x FINER pixels: (H, W, C) to (H / FINER, W / FINER, C)."""
    height, width, channels = pixels.shape
    cells = pixels.reshape(height // FINER, FINER, width // FINER, FINER, channels)
    return cells.mean((1, 3))


def blurred(picture: Image, radius: float) -> np.ndarray:
    """Blur a picture with a Gaussian of this standard deviation, in pixels: float32."""
    from PIL import ImageFilter

    return np.array(picture.filter(ImageFilter.GaussianBlur(radius)), np.float32)
