"""Which image and which mask belong together, and what is left over: nothing is passed over."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")
COMMON_SUFFIXES = {".png", ".jpg", ".jpeg"}

SYSTEM_FILES = {"thumbs.db", "desktop.ini"}
"""Files that Windows leaves in folders of pictures."""

ADDED = re.compile(
    r"[-_. ](masks?|labels?|labelids|gt|gtfine[-_]labelids|seg|segmentation|annotations?|l"
    r"|leftimg8bit)$|^(images?|img|photo|masks?|labels?)[-_ ]"
)
"""What tools add to the name of a mask, or of an image."""


class Pair(NamedTuple):
    """The files of one sample."""

    image: Path
    mask: Path


class Paired(NamedTuple):
    """Pairs sorted by name, and what there is to say about files that did not simply match."""

    pairs: list[Pair]
    notes: tuple[str, ...] = ()


def pair_folders(images: Path, masks: Path) -> Paired:
    """The image and the mask of each stem, sorted by it.

    Names may differ in Unicode's normal form, in case, and in what tools add (`s1_mask.png`), as
    long as no other file could be meant. Raises ValueError if a folder is missing or empty, a stem
    occurs twice, or has only one file.
    """
    found = _Files.of(images, IMAGE_SUFFIXES), _Files.of(masks, MASK_SUFFIXES)
    image_files, mask_files = (files.by_stem for files in found)
    exact = image_files.keys() & mask_files.keys()
    loose = _pair_loosely(
        {s: p for s, p in image_files.items() if s not in exact},
        {s: p for s, p in mask_files.items() if s not in exact},
        found,
    )
    pairs = [Pair(image_files[stem], mask_files[stem]) for stem in exact] + loose
    return Paired(sorted(pairs, key=lambda pair: pair.image.stem), _notes(pairs, loose, found))


class _Files(NamedTuple):
    """The files of a folder: those that are read, by stem, and those that are not."""

    folder: Path
    suffixes: tuple[str, ...]
    by_stem: dict[str, Path]
    unread: list[Path]

    @classmethod
    def of(cls, folder: Path, suffixes: tuple[str, ...]) -> "_Files":
        check_folder(folder)
        visible = [path for path in sorted(folder.iterdir()) if is_visible(path)]
        files = cls(folder, suffixes, {}, [])
        for path in visible:
            if path.is_file() and path.suffix.lower() in suffixes:
                files.add(path)
            elif path.exists():
                files.unread.append(path)
            else:
                raise ValueError(f"{str(path)!r} is a link to {str(path.readlink())!r}, not there")
        if not files.by_stem:
            raise ValueError(f"no {', '.join(suffixes)} files in {str(folder)!r}{files.others()}")
        return files

    def add(self, path: Path) -> None:
        stem = unicodedata.normalize("NFC", path.stem)
        if stem in self.by_stem:
            raise ValueError(
                f"{str(path)!r} and {self.by_stem[stem].name!r} have the same stem; rename one,"
                " and its partner, or take it away"
            )
        self.by_stem[stem] = path

    def others(self) -> str:
        """Say which endings, or folders, there are instead, if any."""
        endings = Counter(path.suffix.lower() for path in self.unread if path.is_file())
        folders = [path.name for path in self.unread if path.is_dir()]
        said = ", ".join(f"{n} end in {e or 'nothing'}" for e, n in endings.most_common(3))
        if endings and self.suffixes == MASK_SUFFIXES:
            jpeg = "JPEG changes ids, " if endings.keys() & {".jpg", ".jpeg"} else ""
            said += f": {jpeg}export masks as PNG"
        if not endings and folders:
            said = f"files in its folders, as in {folders[0]!r}, are not read: move them up"
        return f"; {said}" if said else ""


def is_visible(path: Path) -> bool:
    """Whether a file is one that the user put there; systems leave hidden ones of their own."""
    return not path.name.startswith(".") and path.name.lower() not in SYSTEM_FILES


# -- Names that are not quite equal --------------------------------------------------------------


def _pair_loosely(
    images: dict[str, Path], masks: dict[str, Path], found: tuple[_Files, _Files]
) -> list[Pair]:
    """Pair what is left by the core of its name; raise ValueError unless each has one partner."""
    by_core: dict[str, tuple[list[Path], list[Path]]] = {}
    for side, files in enumerate((images, masks)):
        for stem, path in files.items():
            by_core.setdefault(core(stem), ([], []))[side].append(path)
    for alike in by_core.values():
        if (len(alike[0]), len(alike[1])) != (1, 1):
            raise _no_partner(alike, found)
    return [Pair(image[0], mask[0]) for image, mask in by_core.values()]


def core(stem: str) -> str:
    """A name without case, normal form, a second ending, and what tools add to it."""
    name = unicodedata.normalize("NFC", stem).casefold()
    name = re.sub(rf"({'|'.join(map(re.escape, IMAGE_SUFFIXES))})$", "", name)
    return ADDED.sub("", name)


def _no_partner(alike: tuple[list[Path], list[Path]], found: tuple[_Files, _Files]) -> ValueError:
    side = 0 if alike[0] else 1
    path, other = alike[side][0], found[1 - side]
    what = ("image", "mask")[side]
    unread = [p for p in other.unread if core(p.stem) == core(path.stem)]
    if alike[0] and alike[1]:
        names = ", ".join(repr(p.name) for p in [*alike[0], *alike[1]][:4])
        return ValueError(
            f"{what} {path.stem!r} in {str(path.parent)!r} has several possible partners:"
            f" {names}; give each image and its mask one name"
        )
    if unread:
        reason = f"{unread[0].name!r} is there, but files ending in {unread[0].suffix} are not read"
        advice = f"; expected {', '.join(other.suffixes)}"
    else:
        reason, advice = "add it, or take this one away", ""
    return ValueError(
        f"{what} {path.stem!r} has no partner of the same name in {str(other.folder)!r}:"
        f" {reason}{advice}"
    )


# -- What there is to say ------------------------------------------------------------------------


def _notes(pairs: list[Pair], loose: list[Pair], found: tuple[_Files, _Files]) -> tuple[str, ...]:
    notes = []
    if loose:
        image, mask = loose[0]
        notes.append(
            f"{len(loose)} of {len(pairs)} masks are paired by similar names, such as"
            f" {mask.name!r} with {image.name!r}"
        )
    for what, files in zip(("images", "masks"), found, strict=True):
        notes += [_endings(what, files.by_stem.values()), left_out(files.folder, files.unread)]
    return tuple(note for note in notes if note)


def _endings(what: str, paths: Iterable[Path]) -> str:
    endings = Counter(path.suffix.lower() for path in paths)
    if endings.keys() <= COMMON_SUFFIXES:
        return ""
    return f"{what}: " + ", ".join(f"{n} {ending}" for ending, n in sorted(endings.items()))


def left_out(folder: Path, paths: list[Path]) -> str:
    """Say which files and folders of a folder are not used; '' if there are none."""
    if not paths:
        return ""
    names = ", ".join(repr(path.name) for path in paths[:3]) + ", ..." * (len(paths) > 3)
    return f"left out in {str(folder)!r}: {len(paths)} that are no samples ({names})"


def check_folder(folder: Path) -> None:
    """Raise ValueError unless `folder` is an existing folder."""
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise ValueError(f"folder {str(folder)!r} {what}")
