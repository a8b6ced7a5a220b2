"""PASCAL VOC: 20 classes of objects and background (Everingham et al., 2010)."""

from os import PathLike
from pathlib import Path

from minifcn.data.dataset import check_split
from minifcn.data.pairs import FilePairs, Pair, check_folder, read_lines
from minifcn.data.palettes import voc_palette

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
IMAGES, MASKS, LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"


class VOC(FilePairs):
    """The samples that `ImageSets/Segmentation/SPLIT.txt` names, one a line.

    Their files are `JPEGImages/NAME.jpg` and `SegmentationClass/NAME.png` below `root` (the
    folder `VOC2012`). Raises ValueError for an unknown split and for a name without its files.
    """

    def __init__(
        self, root: str | PathLike, split: str = "train", *, size: tuple[int, int] | None = None
    ):
        root = Path(root)
        listing = root / LISTS / f"{split}.txt"
        check_folder(listing.parent)
        check_split(split, sorted(path.stem for path in listing.parent.glob("*.txt")))
        pairs = [_pair(root, name, listing) for _, name in read_lines(listing)]
        super().__init__(pairs, CLASSES, voc_palette(len(CLASSES)), size=size)


def is_voc(root: Path) -> bool:
    """Whether `root` has PASCAL VOC's folders."""
    return all((root / folder).is_dir() for folder in (IMAGES, MASKS, LISTS))


def _pair(root: Path, name: str, listing: Path) -> Pair:
    if Path(name).name != name:
        raise ValueError(f"{str(listing)!r} must list names without folders; got {name!r}")
    pair = Pair(root / IMAGES / f"{name}.jpg", root / MASKS / f"{name}.png")
    for path in pair:
        if not path.is_file():
            raise ValueError(f"{str(listing)!r} lists {name!r}, but there is no file {str(path)!r}")
    return pair
