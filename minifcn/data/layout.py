"""How a folder of images and masks is laid out: where they lie, and which are for validation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from minifcn.data.pairs import (
    IMAGE_SUFFIXES,
    Pair,
    Paired,
    check_folder,
    is_visible,
    left_out,
    pair_folders,
)

VAL_EVERY = 5

CLASS_FILE = "classes.txt"
"""The file beside the folders that names the classes, in upper or lower case."""

SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""What the folder of a split may be called."""

LIKE_IMAGES = {
    "image",
    "img",
    "imgs",
    "photo",
    "photos",
    "pictures",
    "jpegimages",
    "input",
    "inputs",
}
LIKE_MASKS = {
    "mask", "label", "labels", "annotation", "annotations", "ann", "gt", "groundtruth",
    "ground_truth", "segmentation", "segmentationclass", "target", "targets",
}  # fmt: skip
"""What other tools call the two folders."""


@dataclass
class Layout:
    """The samples of each split, and what there is to say about them."""

    splits: dict[str, list[Pair]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    by_folder: bool = True
    """Whether folders make the splits, or else every 5th sample is for validation."""

    def add(self, split: str, paired: Paired) -> None:
        """Take in the samples of a split."""
        self.splits[split] = paired.pairs
        self.notes += paired.notes

    @property
    def all_pairs(self) -> list[Pair]:
        """The samples of all splits."""
        return [pair for pairs in self.splits.values() for pair in pairs]


def find_layout(root: Path) -> Layout:
    """Find the samples of `root`, in whichever of three layouts they are.

    ============================================  =================================================
    `images/`, `masks/`                           every 5th sample by name is for validation
    `images/train/`, `masks/train/`, `.../val/`   as the folders say
    `train/images/`, `train/masks/`, `val/...`    as the folders say
    ============================================  =================================================

    Upper and lower case are alike; `valid` and `validation` are val, too. Where no folder is for
    validation, every 5th sample of train is. Raises ValueError for anything else, and says what to
    rename.
    """
    check_folder(root)
    folders = _folders(root)
    if "images" in folders and "masks" in folders:
        layout = _splits_inside(folders["images"], folders["masks"])
        used = [folders["images"], folders["masks"]]
    else:
        layout = _splits_outside(root, folders)
        used = list(_split_folders(root).values())
    layout.notes += [note] if (note := _beside(root, used)) else []
    if "train" not in layout.splits:
        raise ValueError(f"{str(root)!r} has no folder train, only {', '.join(layout.splits)}")
    if "val" not in layout.splits:
        _hold_out(layout)
    return layout


def _splits_inside(images: Path, masks: Path) -> Layout:
    layout = Layout()
    splits = _split_folders(images)
    if not splits:
        layout.by_folder = False
        layout.add("train", pair_folders(images, masks))
        return layout
    mask_splits = _split_folders(masks)
    for split, folder in splits.items():
        if split == "test" and split not in mask_splits:
            layout.notes.append(f"left out: {str(folder)!r}, which has no masks")
            continue
        if split not in mask_splits:
            raise ValueError(
                f"{str(masks)!r} has no folder {folder.name!r}, as {str(images)!r} has: put the"
                " masks of its images there"
            )
        layout.add(split, pair_folders(folder, mask_splits[split]))
    used = [*splits.values(), *(mask_splits[split] for split in splits if split in mask_splits)]
    layout.notes += [note for folder in (images, masks) if (note := _beside(folder, used))]
    return layout


def _beside(folder: Path, used: Collection[Path]) -> str:
    """Say what lies in a folder and is not used; '' if nothing."""
    others = (path for path in sorted(folder.iterdir()) if is_visible(path) and path not in used)
    return left_out(folder, [path for path in others if path.name.lower() != CLASS_FILE])


def _splits_outside(root: Path, folders: dict[str, Path]) -> Layout:
    layout = Layout()
    for split, folder in _split_folders(root).items():
        inside = _folders(folder)
        if split == "test" and "images" in inside and "masks" not in inside:
            layout.notes.append(f"left out: {str(folder)!r}, which has no masks")
        elif "images" in inside or "masks" in inside or split == "train":
            _check_two_folders(folder, inside)
            layout.add(split, pair_folders(inside["images"], inside["masks"]))
            note = _beside(folder, [inside["images"], inside["masks"]])
            layout.notes += [note] if note else []
    if not layout.splits:
        _check_two_folders(root, folders)
    return layout


def _hold_out(layout: Layout) -> None:
    """Keep every 5th sample of train for validation."""
    pairs = layout.splits["train"]
    layout.splits = {
        "train": [pair for i, pair in enumerate(pairs, 1) if i % VAL_EVERY],
        "val": pairs[VAL_EVERY - 1 :: VAL_EVERY],
        **{split: rest for split, rest in layout.splits.items() if split != "train"},
    }
    if layout.by_folder:
        layout.notes.append(f"no folder val: every {VAL_EVERY}th sample of train is for validation")


def _folders(root: Path) -> dict[str, Path]:
    """The folders in `root` by their names in lower case. Raises ValueError if two are alike."""
    found: dict[str, Path] = {}
    for path in sorted(root.iterdir()):
        if path.is_dir() and is_visible(path):
            if path.name.lower() in found:
                other = found[path.name.lower()].name
                raise ValueError(f"{str(root)!r} has both {other!r} and {path.name!r}; rename one")
            found[path.name.lower()] = path
    return found


def _split_folders(root: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    folders = _folders(root)
    for split, names in SPLIT_NAMES.items():
        here = [folders[name] for name in names if name in folders]
        if len(here) > 1:
            raise ValueError(
                f"{str(root)!r} has both {here[0].name!r} and {here[1].name!r};"
                f" expected one folder {split}"
            )
        if here:
            found[split] = here[0]
    return found


def _check_two_folders(root: Path, folders: dict[str, Path]) -> None:
    """Raise ValueError unless `images` and `masks` are there; say what could be renamed."""
    for wanted, alike in (("images", LIKE_IMAGES), ("masks", LIKE_MASKS)):
        if wanted in folders:
            continue
        check_is_no_file(root / wanted)
        similar = [path.name for name, path in folders.items() if name in alike]
        if similar:
            advice = f"rename {similar[0]!r} to {wanted!r}"
        else:
            advice = f"found {_names(root)}; expected images/ and masks/ with equal names inside"
        raise ValueError(f"folder {str(root / wanted)!r} does not exist: {advice}")


def check_is_no_file(path: Path) -> None:
    """Raise ValueError if a file has the place of a folder."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"folder {str(path)!r} is not a folder")


def _names(root: Path) -> str:
    names = [path.name for path in sorted(root.iterdir()) if is_visible(path)]
    pictures = sum(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names)
    shown = ", ".join(map(repr, names[:4])) + ", ..." * (len(names) > 4)
    return (shown or "nothing") + (f" ({pictures} pictures)" if pictures else "")
