"""PASCAL VOC: 20 classes of objects and background (Everingham et al., 2010)."""

from collections import Counter
from pathlib import Path

from minifcn.data.classes import Class, ClassList, read_lines
from minifcn.data.dataset import check_split
from minifcn.data.folder import Folder
from minifcn.data.labels import as_colours
from minifcn.data.pairs import IMAGE_SUFFIXES, Pair, check_folder, is_visible, left_out
from minifcn.data.palettes import VOID_COLOUR, voc_palette

CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
CLASS_LIST = ClassList(
    tuple(map(Class, CLASSES, as_colours(voc_palette(len(CLASSES))))),
    "PASCAL VOC's list of classes",
    VOID_COLOUR,
)
IMAGES, MASKS, LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"


class VOC(Folder):
    """A folder whose samples are those that `ImageSets/Segmentation/SPLIT.txt` names, one a line.

    Their files are `JPEGImages/NAME.jpg` and `SegmentationClass/NAME.png` below `root` (the folder
    `VOC2012`); images may end as those of a `Folder` do. Classes and colours are VOC's, or those of
    a `classes.txt` in `root`; masks are read as `decide` says, after a look at those of all lists.

    Raises ValueError for an unknown split, for a name without its files, and for masks that do not
    have the classes.
    """

    default_classes = CLASS_LIST

    def find_samples(self, root: Path, split: str) -> tuple[list[Pair], list[Pair], list[str]]:
        """The samples of a list and those of all lists, and what there is to say about them."""
        lists = find_lists(root)
        if split not in lists and split == "val":
            raise ValueError(f"{str(root / LISTS)!r} has no val.txt: name some samples there")
        check_split(split, sorted(lists))
        splits = {name: read_list(root, path) for name, path in lists.items()}
        all_pairs = dict.fromkeys(pair for pairs in splits.values() for pair in pairs)
        return splits[split], list(all_pairs), _notes(root, splits)


def _notes(root: Path, splits: dict[str, list[Pair]]) -> list[str]:
    """Say what no list names, and what is in the lists of both training and validation."""
    listed = {pair.image for pairs in splits.values() for pair in pairs}
    images = (path for path in sorted((root / IMAGES).iterdir()) if is_visible(path))
    notes = [left_out(root / IMAGES, [path for path in images if path not in listed])]
    both = set(splits.get("train", [])) & set(splits.get("val", []))
    if both:
        first = min(both).image.stem
        notes.append(f"{len(both)} samples, such as {first}, are both in train.txt and in val.txt")
    return [note for note in notes if note]


def is_voc(root: Path) -> bool:
    """Whether `root` has PASCAL VOC's folders."""
    return all((root / folder).is_dir() for folder in (IMAGES, MASKS, LISTS))


def find_lists(root: Path) -> dict[str, Path]:
    """The list of each split."""
    check_folder(root / LISTS)
    return {path.stem: path for path in sorted((root / LISTS).glob("*.txt"))}


def read_list(root: Path, listing: Path) -> list[Pair]:
    """The files of the samples that a list names."""
    names = Counter(name for _, name in read_lines(listing))
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"{str(listing)!r} must list a name once; got {twice[0]!r} twice")
    return [_pair(root, name, listing) for name in names]


def _pair(root: Path, name: str, listing: Path) -> Pair:
    if Path(name).name != name:
        raise ValueError(f"{str(listing)!r} must list names without folders; got {name!r}")
    pair = Pair(_existing(root / IMAGES, name, IMAGE_SUFFIXES), root / MASKS / f"{name}.png")
    for path in pair:
        if not path.is_file():
            raise ValueError(f"{str(listing)!r} lists {name!r}, but there is no file {str(path)!r}")
    return pair


def _existing(folder: Path, name: str, suffixes: tuple[str, ...]) -> Path:
    """The image of a name: VOC's end in .jpg, other people's perhaps not."""
    candidates = [folder / f"{name}{suffix}" for suffix in (".jpg", *suffixes)]
    return next((path for path in candidates if path.is_file()), candidates[0])
