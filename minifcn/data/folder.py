"""A folder of your own images and masks."""

import re
from collections import Counter
from os import PathLike
from pathlib import Path

import numpy as np

from minifcn.data.dataset import VOID, check_split
from minifcn.data.images import Colour, read_mask
from minifcn.data.pairs import FilePairs, Pair, check_folder, pair_folders, read_lines
from minifcn.data.palettes import default_palette

VAL_EVERY = 5


class Folder(FilePairs):
    """The folder `root` with `images/` and `masks/`: files of the same stem belong together.

    - Images are PNG, JPEG or BMP; masks are PNG: ids (palette or grey), or RGB colours.
    - Splits: the subfolders `images/train` with `masks/train` and so on, if there are any.
      Otherwise the samples are sorted by name, and every 5th one is `val`, the others `train`.
    - `classes.txt` (optional) has a class name a line, and after it, if masks are RGB, the
      colour: `road 128 64 128`. A line `void R G B` names no class, but the colour of VOID.
      Without it, the classes are `class 0` to the greatest id in the masks of all splits.

    Raises ValueError for a folder that is missing or empty, an image without a mask or a mask
    without an image, an unknown split, and a `classes.txt` that cannot be understood.
    """

    def __init__(
        self, root: str | PathLike, split: str = "train", *, size: tuple[int, int] | None = None
    ):
        root = Path(root)
        splits = find_splits(root)
        check_split(split, splits)
        if not splits[split]:
            total = sum(len(pairs) for pairs in splits.values())
            raise ValueError(f"split {split} needs {VAL_EVERY} samples; {str(root)!r} has {total}")
        names, colours = find_classes(root, splits)
        palette = make_palette(names, colours)
        super().__init__(splits[split], names, palette, size=size, colours=colours)


# -- Splits --------------------------------------------------------------------------------------


def find_splits(root: Path) -> dict[str, list[Pair]]:
    """The samples of each split: from subfolders, or every 5th sample by name to `val`."""
    images, masks = root / "images", root / "masks"
    check_folder(images)
    check_folder(masks)
    found = [split for split in ("train", "val", "test") if (images / split).is_dir()]
    if found:
        return {split: pair_folders(images / split, masks / split) for split in found}
    pairs = pair_folders(images, masks)
    val = pairs[VAL_EVERY - 1 :: VAL_EVERY]
    return {"train": [pair for i, pair in enumerate(pairs, 1) if i % VAL_EVERY], "val": val}


# -- Classes -------------------------------------------------------------------------------------


def find_classes(
    root: Path, splits: dict[str, list[Pair]]
) -> tuple[tuple[str, ...], dict[Colour, int] | None]:
    """The class names, and the id of each colour if `classes.txt` gives colours."""
    listing = root / "classes.txt"
    if listing.exists():
        return read_classes(listing)
    masks = [pair.mask for pairs in splits.values() for pair in pairs]
    return tuple(f"class {i}" for i in range(count_classes(masks))), None


def count_classes(masks: list[Path]) -> int:
    """The greatest id in any of the masks, VOID aside, plus one."""
    return 1 + max(_greatest_id(read_mask(path)) for path in masks)


def _greatest_id(mask: np.ndarray) -> int:
    return int(mask.max(initial=0, where=mask != VOID))


def read_classes(path: Path) -> tuple[tuple[str, ...], dict[Colour, int] | None]:
    """Read `classes.txt`: a name a line, each or none with its colour as three numbers.

    Raises ValueError for a name or colour given twice, a number over 255, colours for some classes
    only, and for no class or more than 255.
    """
    entries = [_parse_class(line, f"{str(path)!r} line {n}") for n, line in read_lines(path)]
    _check_classes(entries, str(path))
    names = tuple(name for name, _ in entries if name != "void")
    ids = {name: i for i, name in enumerate(names)} | {"void": VOID}
    return names, {colour: ids[name] for name, colour in entries if colour} or None


def _parse_class(line: str, where: str) -> tuple[str, Colour | None]:
    match = re.fullmatch(r"(.*\S)\s+(\d+)\s+(\d+)\s+(\d+)", line)
    if match is None:
        if re.search(r"\s\d+\s+\d+$", line):
            raise ValueError(f"{where}: colour must be three numbers from 0 to 255; got {line!r}")
        return line, None
    red, green, blue = (int(number) for number in match.groups()[1:])
    if max(red, green, blue) > 255:
        raise ValueError(f"{where}: colour must be three numbers from 0 to 255; got {line!r}")
    return match[1], (red, green, blue)


def _check_classes(entries: list[tuple[str, Colour | None]], path: str) -> None:
    names = [name for name, _ in entries]
    colours = [colour for _, colour in entries if colour]
    num_classes = len(names) - names.count("void")
    if not 0 < num_classes <= VOID:
        raise ValueError(f"{path!r} must name 1 to {VOID} classes; got {num_classes}")
    if len(colours) not in (0, len(names)):
        raise ValueError(f"{path!r} must colour all or none; got {len(colours)} of {len(names)}")
    for entry, count in Counter([*names, *colours]).items():
        if count > 1:
            raise ValueError(f"{path!r} must not repeat a name or colour; got {entry} twice")


def make_palette(names: tuple[str, ...], colours: dict[Colour, int] | None) -> np.ndarray:
    """The colours of `classes.txt` where it gives them, or else the default ones."""
    palette = default_palette(len(names))
    for colour, i in (colours or {}).items():
        if i != VOID:
            palette[i] = colour
    return palette
