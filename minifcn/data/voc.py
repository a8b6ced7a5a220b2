"""PASCAL VOC: 20 classes of objects and background (Everingham et al., 2010)."""

from os import PathLike
from pathlib import Path

from minifcn.data.classes import Class, ClassList, read_lines
from minifcn.data.dataset import check_split
from minifcn.data.files import FilePairs, Track
from minifcn.data.folder import find_meaning
from minifcn.data.labels import as_colours
from minifcn.data.meaning import Meaning
from minifcn.data.pairs import IMAGE_SUFFIXES, Pair, check_folder
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


class VOC(FilePairs):
    """The samples that `ImageSets/Segmentation/SPLIT.txt` names, one a line.

    Their files are `JPEGImages/NAME.jpg` and `SegmentationClass/NAME.png` below `root` (the folder
    `VOC2012`); images may end as those of a `Folder` do. Classes and colours are VOC's, or those of
    a `classes.txt` in `root`; masks are read as `decide` says, after a look at those of all lists.

    Raises ValueError for an unknown split, for a name without its files, and for masks that do not
    have the classes.
    """

    def __init__(
        self,
        root: str | PathLike,
        split: str = "train",
        *,
        size: tuple[int, int] | None = None,
        listed: ClassList | None = None,
        meaning: Meaning | None = None,
        track: Track = iter,
    ):
        root = Path(root)
        splits = find_lists(root)
        check_split(split, sorted(splits))
        pairs = read_list(root, splits[split])
        if meaning is None:
            everything = {pair: None for path in splits.values() for pair in read_list(root, path)}
            meaning = find_meaning(root, list(everything), listed or CLASS_LIST, track)
        super().__init__(pairs, meaning.labels, size=size, notes=meaning.notes)


def is_voc(root: Path) -> bool:
    """Whether `root` has PASCAL VOC's folders."""
    return all((root / folder).is_dir() for folder in (IMAGES, MASKS, LISTS))


def find_lists(root: Path) -> dict[str, Path]:
    """The list of each split."""
    check_folder(root / LISTS)
    return {path.stem: path for path in sorted((root / LISTS).glob("*.txt"))}


def read_list(root: Path, listing: Path) -> list[Pair]:
    """The files of the samples that a list names."""
    return [_pair(root, name, listing) for _, name in read_lines(listing)]


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
