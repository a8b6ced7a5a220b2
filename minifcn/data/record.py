"""What a run remembers of its data: which files there were, and what their masks mean.

With it a run that goes on need not look at every mask again, and sees that the data has changed.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minifcn.data.files import FilePairs
from minifcn.data.labels import Labels
from minifcn.data.meaning import Meaning

Files = dict[str, tuple[int, int, int]]
"""By a sample's name: the bytes of its image and of its mask, and a CRC-32.

The CRC is that of the mask, which with other values may well have as many bytes, and of an image
that is not compressed; compressed ones hardly have, and take long to read.
"""

UNCOMPRESSED = (".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class Record:
    """The samples of each split by name, with what their files were, and what the masks mean.

    `listing` is a digest of classes.txt, '' if there is none.
    """

    splits: dict[str, Files]
    labels: Labels
    listing: str = ""

    @classmethod
    def of(cls, splits: Mapping[str, FilePairs], listing: Path | None = None) -> Record:
        """Take down the splits of a data set, which has one set of labels, and its classes.txt."""
        labels = next(iter(splits.values())).labels
        listed = hashlib.sha256(listing.read_bytes()).hexdigest() if listing else ""
        return cls({split: _files(dataset) for split, dataset in splits.items()}, labels, listed)

    @property
    def meaning(self) -> Meaning:
        """What the masks mean, as it was decided when the run began."""
        return Meaning(self.labels)

    @property
    def digest(self) -> str:
        """A number for all names and files: other files, another digest."""
        return hashlib.sha256(json.dumps(self.splits, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """Return the text of data.json."""
        labels = self.labels.to_json()
        values = {"digest": self.digest, "listing": self.listing, "labels": labels}
        return json.dumps(values | {"splits": self.splits}, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, values: Any) -> Record:
        """Take the record from what `to_json` wrote. Raises ValueError for anything else."""
        try:
            splits = {
                split: {name: (int(i), int(m), int(crc)) for name, (i, m, crc) in files.items()}
                for split, files in values["splits"].items()
            }
            record = cls(splits, Labels.from_json(values["labels"]), values["listing"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"not a record of data: {error!r}") from error
        if record.digest != values.get("digest"):
            raise ValueError("not a record of data: its digest does not fit")
        return record

    def changes(self, now: Record) -> str:
        """Say how the data differs `now`; '' if it does not."""
        relisted = self.listing != now.listing
        if self.digest == now.digest and self.labels == now.labels and not relisted:
            return ""
        old, new = _together(self.splits), _together(now.splits)
        changed = [name for name in old.keys() & new.keys() if old[name] != new[name]]
        learnt = self.splits.get("train", {}).keys() & now.splits.get("val", {}).keys()
        learnt -= self.splits.get("val", {}).keys()  # two splits may have samples of one name
        parts = [
            _count(old.keys() - new.keys(), "gone"),
            _count(new.keys() - old.keys(), "new"),
            _count(changed, "not as before"),
            _count(learnt, "for validation now and trained on before"),
            "classes.txt is another" if relisted else "",
            "" if self.labels == now.labels else "masks mean something else",
        ]
        said = "; ".join(part for part in parts if part) or "samples are in another split"
        return f"the data has changed since the run began: {said}"


def _files(dataset: FilePairs) -> Files:
    found = {}
    for i, pair in enumerate(dataset.pairs):
        mask = pair.mask.read_bytes()
        read = pair.image.suffix.lower() in UNCOMPRESSED
        crc = zlib.crc32(mask, zlib.crc32(pair.image.read_bytes()) if read else 0)
        found[dataset.name(i)] = (pair.image.stat().st_size, len(mask), crc)
    return found


def _together(splits: Mapping[str, Files]) -> dict[str, list[tuple[int, int, int]]]:
    """What the files of each name are, in all splits: two may have samples of one name."""
    found: dict[str, list[tuple[int, int, int]]] = {}
    for samples in splits.values():
        for name, files in samples.items():
            found.setdefault(name, []).append(files)
    return {name: sorted(files) for name, files in found.items()}


def _count(names: Any, what: str) -> str:
    """Say '3 samples are gone (a, b, c)'."""
    some = sorted(names)
    if not some:
        return ""
    shown = ", ".join(some[:3]) + (", ..." if len(some) > 3 else "")
    return f"{len(some)} sample{' is' if len(some) == 1 else 's are'} {what} ({shown})"
