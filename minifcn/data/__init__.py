"""Images and their masks: synthetic shapes, CamVid, PASCAL VOC, a folder of your own."""

import math
from pathlib import Path
from statistics import median
from typing import Any

from minifcn.data.ahead import Ahead
from minifcn.data.balance import balanced_weights
from minifcn.data.batches import Batches
from minifcn.data.camvid import CamVid
from minifcn.data.classes import ClassList
from minifcn.data.dataset import VOID, Dataset, First, InMemory
from minifcn.data.files import FilePairs, Track
from minifcn.data.folder import Folder
from minifcn.data.images import image_shape
from minifcn.data.layout import find_layout
from minifcn.data.meaning import Meaning
from minifcn.data.shapes import Shapes
from minifcn.data.voc import VOC, find_lists, is_voc, read_list

__all__ = [
    "VOC",
    "VOID",
    "Ahead",
    "Batches",
    "CamVid",
    "Dataset",
    "FilePairs",
    "First",
    "Folder",
    "InMemory",
    "Shapes",
    "Track",
    "balanced_weights",
    "files_of",
    "folder_size",
    "is_folder",
    "open_dataset",
]


def open_dataset(
    data: str,
    split: str = "train",
    *,
    root: str | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    listed: ClassList | None = None,
    meaning: Meaning | None = None,
    track: Track = iter,
) -> Dataset:
    """Open a dataset by name: `shapes`, `camvid` (in the folder `root`), or a folder's path.

    A folder has the layout of PASCAL VOC, or `images/` and `masks/` (see `Folder`); write
    `./shapes` for a folder of that name. `split` is `train` or `val`, or `test` where
    there is one. `size` = (H, W) resizes every sample, and is the size that shapes are drawn in
    (96x96 by default); `seed` chooses the shapes. Samples of files stay in memory once read.

    For a folder, `listed` are the classes if it has no classes.txt, `meaning` is what its masks
    mean, if that is known, and `track` shows the progress of a look at all of them.

    Raises ValueError if there is no such dataset, split or size.
    """
    check_place(data, root)
    if data == "shapes":
        return Shapes(split, size=size or (96, 96), seed=seed)
    if data == "camvid":
        return InMemory(CamVid(root, split, size=size))
    layout = VOC if is_voc(Path(data)) else Folder
    known: dict[str, Any] = {"listed": listed, "meaning": meaning, "track": track}
    return InMemory(layout(data, split, size=size, **known))


def check_place(data: str, root: str | None) -> None:
    """Raise ValueError unless `data` is a dataset or a folder, with a `root` for CamVid only."""
    if root == "":
        raise ValueError("root must be a folder; got ''")
    if data != "camvid" and root is not None:
        raise ValueError(f"root is camvid's folder; got root {root!r} with data {data!r}")
    if data not in ("shapes", "camvid") and not is_folder(data):
        raise ValueError(f"data must be shapes, camvid or an existing folder; got {data!r}")


def is_folder(data: str) -> bool:
    """Whether `data` names a folder of images and masks, and not a dataset."""
    return data not in ("", "shapes", "camvid") and Path(data).is_dir()


def files_of(dataset: Dataset) -> FilePairs | None:
    """The dataset's files, where its samples come from files."""
    inner = dataset.dataset if isinstance(dataset, InMemory) else dataset
    return inner if isinstance(inner, FilePairs) else None


def folder_size(data: str, pixels: int, multiple: int = 8) -> tuple[int, int]:
    """Height and width of about so many pixels, with the aspect of most images in a folder.

    Both are multiples of `multiple`: H = sqrt(pixels / aspect), W = H * aspect, where aspect is the
    median of width / height.
    """
    root = Path(data)
    if is_voc(root):
        pairs = read_list(root, find_lists(root).get("train", root / "train.txt"))
    else:
        pairs = find_layout(root).splits["train"]
    shapes = [image_shape(pair.image) for pair in pairs]
    aspect = median(width / height for height, width in shapes)
    height = max(1, round(math.sqrt(pixels / aspect) / multiple)) * multiple
    return height, max(1, round(height * aspect / multiple)) * multiple
