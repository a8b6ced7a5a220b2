"""Synthetic scenes of shapes, drawn on the fly: no files, as many as one wants, exact masks.

The classes are told apart by form and context, never by colour. Discs and squares are filled;
rings, crosses and lines are strokes of about the same extent, so thin that a coarse prediction
loses them: this is where FCN-8s beats FCN-32s.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from minifcn.data.dataset import Sample, check_split
from minifcn.data.palettes import default_palette
from minifcn.data.transforms import check_size

CLASSES = ("background", "disc", "square", "ring", "cross", "line")
LENGTHS = {"train": 100_000, "val": 200, "test": 200}
STREAMS = {"train": 1, "val": 2, "test": 3}


@dataclass(frozen=True)
class Design:
    """The numbers that make a scene easy or hard. Lengths are pixels of a 96x96 scene."""

    objects: tuple[int, int] = (4, 7)
    radius: tuple[float, float] = (9, 15)
    stroke: tuple[float, float] = (5, 7)
    margin: float = 8  # how near to the border a centre may be
    background: tuple[float, float] = (0.25, 0.75)  # range of the mean colour
    variation: float = 0.12  # of the smooth background around its mean colour
    grid: int = 4  # random colours along a side that the background interpolates
    candidates: int = 4  # an object's colour is the one of so many that differs most from the mean
    noise: float = 0.04  # standard deviation, of a colour range of 1


class Shapes:
    """`length` scenes of `size` = (H, W); scene i is a function of (seed, split, i) alone.

    The train split is a stream of fresh scenes; no scene of it has the random numbers of another
    split's. Raises ValueError for an unknown split, a negative length or seed, or a wrong size.
    """

    thread_safe = True
    classes = CLASSES
    palette = default_palette(len(CLASSES))

    def __init__(
        self,
        split: str = "train",
        length: int | None = None,
        size: tuple[int, int] = (96, 96),
        seed: int = 0,
        design: Design | None = None,
    ):
        check_split(split, LENGTHS)
        check_size(size)
        length = LENGTHS[split] if length is None else length
        if length < 0 or seed < 0:
            raise ValueError(f"length and seed must not be negative; got {length} and {seed}")
        self.split, self.length, self.size, self.seed = split, length, size, seed
        self.design = design or Design()

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, i: int) -> Sample:
        i = range(self.length)[i]
        generator = np.random.default_rng([self.seed, STREAMS[self.split], i])
        return draw_scene(self.size, self.design, generator)

    def name(self, i: int) -> str:
        """The split and the number of the scene, as in `val-00017`."""
        return f"{self.split}-{range(self.length)[i]:05d}"


def draw_scene(size: tuple[int, int], design: Design, generator: np.random.Generator) -> Sample:
    """Background, then the objects, later ones on top, then noise."""
    colour = generator.uniform(*design.background, size=3)
    image = colour + smooth_field(size, design, generator)
    mask = np.zeros(size, np.uint8)
    low, high = design.objects
    for _ in range(generator.integers(low, high + 1)):
        draw_object(image, mask, colour, design, generator)
    image += design.noise * generator.standard_normal(image.shape, dtype=np.float32)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8), mask


# -- The background ------------------------------------------------------------------------------


def smooth_field(
    size: tuple[int, int], design: Design, generator: np.random.Generator
) -> np.ndarray:
    """A coarse grid of random colours, interpolated smoothly to (H, W, 3)."""
    n = design.grid
    grid = generator.uniform(-design.variation, design.variation, size=(3, n, n))
    rows, columns = (smooth_weights(length, n) for length in size)
    return np.ascontiguousarray((rows @ grid @ columns.T).transpose(1, 2, 0))


@lru_cache
def smooth_weights(length: int, n: int) -> np.ndarray:
    """Interpolation as a matrix (length, n): weights 3 w^2 - 2 w^3, where w are the linear ones."""
    places = np.linspace(0, n - 1, length)
    weights = np.clip(1 - np.abs(places[:, None] - np.arange(n)), 0, 1)
    return 3 * weights**2 - 2 * weights**3


# -- The objects ---------------------------------------------------------------------------------


def draw_object(
    image: np.ndarray,
    mask: np.ndarray,
    background: np.ndarray,
    design: Design,
    generator: np.random.Generator,
) -> None:
    """Draw one object of random class, place, size, rotation and colour into image and mask."""
    scale = min(mask.shape) / 96
    kind = int(generator.integers(1, len(CLASSES)))
    radius = scale * generator.uniform(*design.radius)
    stroke = scale * generator.uniform(*design.stroke)
    margin = min(scale * design.margin, min(mask.shape) / 2)
    centre = [generator.uniform(margin, length - margin) for length in mask.shape]
    angle = generator.uniform(0, np.pi)
    colour = distinct_colour(background, design.candidates, generator)

    window, u, v = rotated_window(mask.shape, centre, angle, reach=1.5 * radius + 1)
    distance = DISTANCES[kind](u, v, radius, stroke)
    paint(image[window], mask[window], distance, colour, kind)


def distinct_colour(
    background: np.ndarray, candidates: int, generator: np.random.Generator
) -> np.ndarray:
    """Of some random colours, the one that differs most from the background's mean colour."""
    colours = generator.random((candidates, 3))
    return colours[((colours - background) ** 2).sum(axis=1).argmax()]


def rotated_window(
    shape: tuple[int, ...], centre: list[float], angle: float, reach: float
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """The pixels within `reach` of `centre` as slices, and their coordinates along the object.

    u = x cos a + y sin a and v = y cos a - x sin a, where (x, y) is measured from the centre.
    """
    window = tuple(
        slice(max(0, int(c - reach)), min(length, int(c + reach) + 2))
        for c, length in zip(centre, shape, strict=True)
    )
    y, x = (np.arange(s.start, s.stop) - c for s, c in zip(window, centre, strict=True))
    y, cosine, sine = y[:, None], np.cos(angle), np.sin(angle)
    return (window[0], window[1]), x * cosine + y * sine, y * cosine - x * sine


def paint(
    image: np.ndarray, mask: np.ndarray, distance: np.ndarray, colour: np.ndarray, kind: int
) -> None:
    """Colour the pixels inside the outline; those that it crosses are blended by their coverage.

    `distance` to the outline, in pixels, is negative inside; a pixel is covered by about
    clip(1/2 - distance, 0, 1), and belongs to the object if at least half is covered.
    """
    coverage = np.clip(0.5 - distance, 0, 1)[..., None]
    image += coverage * (colour - image)
    mask[distance <= 0] = kind


# -- Signed distances ----------------------------------------------------------------------------
# From the point (u, v) to the outline: negative inside, zero on it. The two sides of a corner are
# not rounded off, so outside a corner the distance is a little short; the outline is exact.


def disc_distance(u: np.ndarray, v: np.ndarray, radius: float, stroke: float) -> np.ndarray:
    """A filled circle."""
    return np.hypot(u, v) - radius


def square_distance(u: np.ndarray, v: np.ndarray, radius: float, stroke: float) -> np.ndarray:
    """A filled square of the disc's area: half a side is radius sqrt(pi) / 2."""
    side = radius * np.sqrt(np.pi) / 2
    return box_distance(u, v, side, side)


def ring_distance(u: np.ndarray, v: np.ndarray, radius: float, stroke: float) -> np.ndarray:
    """A circle drawn as a stroke, inside the disc of the same radius."""
    return np.abs(np.hypot(u, v) - (radius - stroke / 2)) - stroke / 2


def cross_distance(u: np.ndarray, v: np.ndarray, radius: float, stroke: float) -> np.ndarray:
    """Two lines at a right angle: a union is the minimum of distances."""
    return np.minimum(line_distance(u, v, radius, stroke), line_distance(v, u, radius, stroke))


def line_distance(u: np.ndarray, v: np.ndarray, radius: float, stroke: float) -> np.ndarray:
    """A straight stroke along u, 2 radius long."""
    return box_distance(u, v, radius, stroke / 2)


def box_distance(u: np.ndarray, v: np.ndarray, half_u: float, half_v: float) -> np.ndarray:
    """A rectangle: |u| <= half_u and |v| <= half_v; an intersection is the maximum of distances."""
    return np.maximum(np.abs(u) - half_u, np.abs(v) - half_v)


DISTANCES = {
    1: disc_distance,
    2: square_distance,
    3: ring_distance,
    4: cross_distance,
    5: line_distance,
}
