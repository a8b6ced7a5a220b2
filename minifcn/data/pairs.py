"""Datasets of files: each sample is an image file and a mask file."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from minifcn.data.dataset import VOID, Sample
from minifcn.data.images import Colours, check_ids, check_pair, read_image, read_mask
from minifcn.data.transforms import check_size, resize_pair

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
MASK_SUFFIXES = (".png",)


class Pair(NamedTuple):
    """The files of one sample."""

    image: Path
    mask: Path


class FilePairs:
    """Images and masks in files; what CamVid, PASCAL VOC and a folder of your own have in common.

    `size` = (H, W) resizes every sample, `colours` translates RGB masks, and `void` is an id
    that the files use for void. Reading a sample raises a one-line ValueError that names the file
    if it is damaged, if image and mask differ in size, or if the mask has an id that is no class.
    """

    def __init__(
        self,
        pairs: list[Pair],
        classes: tuple[str, ...],
        palette: np.ndarray,
        *,
        size: tuple[int, int] | None = None,
        colours: Colours | None = None,
        void: int = VOID,
    ):
        if size is not None:
            check_size(size)
        self.pairs, self.classes, self.palette = pairs, classes, palette
        self.size, self.colours, self.void = size, colours, void

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, i: int) -> str:
        """The image's file name without its suffix."""
        return self.pairs[i].image.stem

    def __getitem__(self, i: int) -> Sample:
        image, mask = read_image(self.pairs[i].image), self._mask(self.pairs[i].mask)
        check_pair(image, mask, self.pairs[i].mask)
        return resize_pair(image, mask, self.size) if self.size else (image, mask)

    def _mask(self, path: Path) -> np.ndarray:
        mask = read_mask(path, self.colours)
        mask[mask == self.void] = VOID
        check_ids(mask, len(self.classes), path)
        return mask


def pair_folders(images: Path, masks: Path) -> list[Pair]:
    """The image and the mask of each stem, sorted by it.

    Raises ValueError if a folder is missing or empty, a stem occurs twice, or has only one file.
    """
    image_files, mask_files = _by_stem(images, IMAGE_SUFFIXES), _by_stem(masks, MASK_SUFFIXES)
    for stem in sorted(image_files.keys() ^ mask_files.keys()):
        have, lack = ("image", masks) if stem in image_files else ("mask", images)
        raise ValueError(f"{have} {stem!r} has no partner of the same name in {str(lack)!r}")
    return [Pair(image_files[stem], mask_files[stem]) for stem in sorted(image_files)]


def _by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    check_folder(folder)
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            _check_new(path, files)
            files[path.stem] = path
    if not files:
        raise ValueError(f"no {', '.join(suffixes)} files in {str(folder)!r}")
    return files


def _check_new(path: Path, files: dict[str, Path]) -> None:
    if path.stem in files:
        raise ValueError(f"{str(path)!r} and {files[path.stem].name!r} have the same stem")


def check_folder(folder: Path) -> None:
    """Raise ValueError unless `folder` is an existing folder."""
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise ValueError(f"folder {str(folder)!r} {what}")


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, stripped, each with its number from 1.

    Raises ValueError if the file cannot be read or has no such line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read {str(path)!r}: {error}; expected UTF-8 text") from error
    numbered = enumerate(text.splitlines(), start=1)
    lines = [(number, line.strip()) for number, line in numbered if line.strip()]
    if not lines:
        raise ValueError(f"{str(path)!r} is empty; expected a line for each entry")
    return lines
