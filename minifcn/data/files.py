"""Datasets of files: each sample is an image file and a mask file."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minifcn.data.dataset import VOID, Sample
from minifcn.data.images import Frame, check_image, check_pair, read_image, shape_text
from minifcn.data.labels import Labels, read_labels
from minifcn.data.masks import Values, read_raw_mask
from minifcn.data.pairs import Pair
from minifcn.data.transforms import check_size, resize_pair

Track = Callable[[Iterable[Any]], Iterable[Any]]
"""Shows the progress of a loop, as tqdm does."""

STRETCHED = 1.1
"""By what factor the aspect of an image may change before that is said."""

TURNED = {2: "mirrored", 3: "upside down", 4: "upside down and mirrored"} | {
    5: "on its side and mirrored",
    6: "on its side",
    7: "on its side and mirrored",
    8: "on its side",
}
"""How an image lies in its file, by EXIF's orientation."""


class FilePairs:
    """Images and masks in files; what CamVid, PASCAL VOC and a folder of your own have in common.

    `labels` says what the masks mean, `size` = (H, W) resizes every sample, and `notes` are what a
    user should be told about the files. Reading a sample raises a one-line ValueError that names
    the file if it is damaged, if image and mask differ in size, or if a value has no meaning.
    """

    thread_safe = True

    def __init__(
        self,
        pairs: list[Pair],
        labels: Labels,
        *,
        size: tuple[int, int] | None = None,
        notes: Sequence[str] = (),
    ):
        if size is not None:
            check_size(size)
        self.pairs, self.labels, self.size, self.notes = pairs, labels, size, tuple(notes)
        self.classes = labels.classes
        self.palette = np.array(labels.palette, np.uint8)

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, i: int) -> str:
        """The image's file name without its suffix."""
        return self.pairs[i].image.stem

    def __getitem__(self, i: int) -> Sample:
        image, mask = read_image(self.pairs[i].image), read_labels(self.pairs[i].mask, self.labels)
        check_pair(image.shape[:2], mask.shape, self.pairs[i].mask)
        return resize_pair(image, mask, self.size) if self.size else (image, mask)

    def class_counts(self) -> np.ndarray:
        """Pixels of each class in all masks, as the files have them: int64 (number of classes,)."""
        counts = np.zeros(len(self.classes), np.int64)
        for pair in self.pairs:
            counts += count_classes(self.labels, look(pair.mask).values, pair.mask)
        return counts

    def check(self, track: Track = iter, seen: tuple[int, int] | None = None) -> list[str]:
        """Decode every file before anything depends on it; return what a user should be told.

        seen: the (H, W) that images are resized to for a network, if not the size of the samples.

        Raises ValueError for the first file that is damaged or does not fit its partner, for a mask
        with a value that has no meaning, and where an image is turned by EXIF and its mask may not
        be.
        """
        frames = [check_image(pair.image) for pair in track(self.pairs)]
        looks = [look(pair.mask) for pair in self.pairs]
        counts = self.class_counts()
        pixels = sum(int(seen.values.counts.sum()) for seen in looks)
        return [
            *check_turns(self.pairs, frames, looks),
            *_about_classes(counts, self.classes),
            *_about_void(pixels - int(counts.sum()), pixels),
            *_about_size(frames, seen or self.size),
        ]


# -- A look at each mask -------------------------------------------------------------------------


class Look(NamedTuple):
    """A mask's height and width, its EXIF orientation, and the values in it."""

    shape: tuple[int, int]
    orientation: int
    values: Values


def look(mask: Path) -> Look:
    """Read a mask to see its shape and values; once, as long as the file does not change."""
    state = mask.stat() if mask.is_file() else None
    return _look(mask, *((state.st_size, state.st_mtime_ns) if state else (0, 0)))


@lru_cache(maxsize=2**17)
def _look(mask: Path, size: int, time: int) -> Look:
    raw = read_raw_mask(mask)
    return Look(raw.where.shape, raw.orientation, raw.values)


def count_classes(labels: Labels, values: Values, path: Path) -> np.ndarray:
    """Pixels of each class in a mask, (number of classes,). Raises ValueError as `Labels` does."""
    found = np.array(labels.classes_of(values, path))
    counted = found != VOID
    weights = values.counts[counted]
    return np.bincount(found[counted], weights, len(labels.classes)).astype(np.int64)


def _about_classes(counts: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """What classes occur: an error if none does, a note if one does not."""
    if not counts.any():
        raise ValueError("all masks are void in every pixel: nothing to learn or to score")
    real = [(n, c) for n, c in zip(classes, counts, strict=True) if n.casefold() != "void"]
    absent = [name for name, count in real if not count]
    if len(absent) == len(real) - 1:
        return [f"only one class occurs, {classes[int(counts.argmax())]!r}: nothing to tell apart"]
    if not absent:
        return []
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    return [f"never in these masks: {', '.join(absent[:5])}{more} (of {len(real)} classes)"]


def _about_void(void: int, pixels: int) -> list[str]:
    """Say how much of the masks counts nowhere."""
    return [f"{100 * void / pixels:.3g} % of the pixels are void and count nowhere"] if void else []


def _about_size(frames: Sequence[Frame], size: tuple[int, int] | None) -> list[str]:
    """Say how many images are stretched when they are resized to `size`, and how much at most."""
    if size is None:
        return []
    given = size[1] / size[0]
    ratios = [frame.upright[1] / frame.upright[0] / given for frame in frames]
    changes = [max(ratio, 1 / ratio) for ratio in ratios]
    stretched = sum(change > STRETCHED for change in changes)
    if not stretched:
        return []
    return [
        f"{stretched} of {len(frames)} images lose their aspect at {shape_text(size)}, by a factor"
        f" of up to {max(changes):.2f}; --size HxW sets another"
    ]


# -- Images that lie on their side ---------------------------------------------------------------


def check_turns(pairs: Sequence[Pair], frames: Sequence[Frame], looks: Sequence[Look]) -> list[str]:
    """Compare shapes, and see that masks are turned as their images are.

    Photos carry an orientation (EXIF) and are read upright; a mask was drawn on the upright image
    or on the stored one, which its shape tells, unless the two are alike. Then the other photos of
    the folder tell, or the mask's own orientation.

    Raises ValueError for a mask of another shape, one that was not turned, and one of which it
    cannot be told.
    """
    unsure = []
    upright = 0
    for pair, frame, mask in zip(pairs, frames, looks, strict=True):
        _check_shape(pair, frame, mask)
        if frame.orientation in TURNED:
            told = frame.stored != frame.upright or mask.orientation == frame.orientation
            upright += told
            unsure += [] if told else [(pair, frame)]
    if unsure and not upright:
        raise _unsure(*unsure[0])
    if not unsure and not upright:
        return []
    return [f"{upright + len(unsure)} images are turned upright by their EXIF, as their masks are"]


def _check_shape(pair: Pair, frame: Frame, mask: Look) -> None:
    if mask.shape == frame.stored != frame.upright:
        raise ValueError(
            f"mask {str(pair.mask)!r} is {shape_text(mask.shape)}, as its image is stored, but EXIF"
            f" orientation {frame.orientation} turns the image to {shape_text(frame.upright)}: turn"
            " the mask too, or save the image without that tag"
        )
    check_pair(frame.upright, mask.shape, pair.mask)


def _unsure(pair: Pair, frame: Frame) -> ValueError:
    return ValueError(
        f"image {str(pair.image)!r} is stored {TURNED[frame.orientation]} (EXIF orientation"
        f" {frame.orientation}), and nothing tells whether its mask was drawn on it so or upright:"
        " save the image as the mask shows it, without that tag"
    )
