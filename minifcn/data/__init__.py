"""Images and their masks: synthetic shapes, CamVid, PASCAL VOC, a folder of your own."""

from pathlib import Path

from minifcn.data.batches import Batches
from minifcn.data.camvid import CamVid
from minifcn.data.dataset import VOID, Dataset, InMemory
from minifcn.data.folder import Folder
from minifcn.data.shapes import Shapes
from minifcn.data.voc import VOC, is_voc

__all__ = [
    "VOC",
    "VOID",
    "Batches",
    "CamVid",
    "Dataset",
    "Folder",
    "InMemory",
    "Shapes",
    "open_dataset",
]


def open_dataset(
    data: str,
    split: str = "train",
    *,
    root: str | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 0,
) -> Dataset:
    """Open a dataset by name: `shapes`, `camvid` (in the folder `root`), or a folder's path.

    A folder has the layout of PASCAL VOC, or `images/` and `masks/` (see `Folder`); write
    `./shapes` for a folder of that name. `split` is `train` or `val`, or `test` where
    there is one. `size` = (H, W) resizes every sample, and is the size that shapes are drawn in
    (96x96 by default); `seed` chooses the shapes. Samples of files stay in memory once read.

    Raises ValueError if there is no such dataset, split or size.
    """
    if data != "camvid" and root is not None:
        raise ValueError(f"root is camvid's folder; got root {root!r} with data {data!r}")
    if data == "shapes":
        return Shapes(split, size=size or (96, 96), seed=seed)
    if data == "camvid":
        return InMemory(CamVid(root, split, size=size))
    if not Path(data).is_dir():
        raise ValueError(f"data must be shapes, camvid or an existing folder; got {data!r}")
    layout = VOC if is_voc(Path(data)) else Folder
    return InMemory(layout(data, split, size=size))
