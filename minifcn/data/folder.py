"""A folder of your own images and masks."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from minifcn.data.classes import ClassList, read_classes
from minifcn.data.dataset import check_split
from minifcn.data.files import FilePairs, Track, look
from minifcn.data.layout import CLASS_FILE, VAL_EVERY, find_layout
from minifcn.data.meaning import Meaning, decide
from minifcn.data.pairs import Pair


class Folder(FilePairs):
    """The folder `root` with `images/` and `masks/`: files of the same stem belong together.

    - Images are PNG, JPEG, BMP, TIFF or WebP; masks are PNG, BMP or TIFF, which keep every pixel.
    - Splits: folders `train` and `val` in `images` and `masks`, or around them, if there are any.
      Otherwise the samples are sorted by name, and every 5th one is `val`, the others `train`.
      `all` is all of them.
    - `classes.txt` (optional) has a class name a line, and after it, where masks are coloured, the
      colour: `road 128 64 128` (see `read_classes`). Without it, the classes are `class 0` to the
      greatest id in the masks of all splits, or those of `listed`.
    - What the masks mean is decided after a look at all of them (see `decide`); `meaning` is what
      was decided before.

    Raises ValueError for a folder that is missing or empty, an image without a mask or a mask
    without an image, an unknown split, a `classes.txt` that cannot be understood, a damaged mask,
    and masks that could mean two things.
    """

    default_classes: ClassList | None = None
    """The classes of this layout where nothing lists others; None: those that the masks have."""

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
        pairs, all_pairs, notes = self.find_samples(root, split)
        meaning = meaning or find_meaning(root, all_pairs, listed or self.default_classes, track)
        super().__init__(pairs, meaning.labels, size=size, notes=(*notes, *meaning.notes))

    def find_samples(self, root: Path, split: str) -> tuple[list[Pair], list[Pair], list[str]]:
        """The samples of a split and those of all splits, and what there is to say about them."""
        layout = find_layout(root)
        splits = layout.splits | {"all": layout.all_pairs}
        check_split(split, [*layout.splits, "all"])
        if not splits[split]:
            total = len(layout.all_pairs)
            raise ValueError(
                f"split {split} needs {VAL_EVERY} samples; {str(root)!r} has {total}: add some, or"
                " put those for validation into folders val"
            )
        return splits[split], layout.all_pairs, layout.notes


def find_meaning(
    root: Path, pairs: Sequence[Pair], listed: ClassList | None, track: Track = iter
) -> Meaning:
    """Decide what the masks of `pairs` mean, by the `classes.txt` in `root` if there is one."""
    listing = find_listing(root)
    listed = read_classes(listing) if listing else listed
    return decide([(pair.mask, look(pair.mask).values) for pair in track(pairs)], listed)


def find_listing(root: Path) -> Path | None:
    """The `classes.txt` in `root`, in upper or lower case; ValueError if there are several."""
    found = [path for path in sorted(root.iterdir()) if path.name.lower() == CLASS_FILE]
    if len(found) > 1:
        raise ValueError(f"{str(root)!r} has {len(found)} files {CLASS_FILE}; take one away")
    return found[0] if found else None
