"""The data of a run: looked at whole before the first step, recorded, and compared later.

The record is the file data.json in the run's folder: names and sizes of the files, and what the
masks mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minifcn.data import Dataset, FilePairs, Track, files_of, is_folder, open_dataset
from minifcn.data.classes import Class, ClassList
from minifcn.data.folder import find_listing
from minifcn.data.layout import VAL_EVERY, find_layout
from minifcn.data.meaning import Meaning
from minifcn.data.record import Record
from minifcn.data.voc import is_voc
from minifcn.runs.config import Config
from minifcn.system.files import read_json

RECORD = "data.json"


@dataclass
class RunData:
    """The two splits that a run needs, what a user should be told, and what to record.

    `record` is None for data that is drawn, not read.
    """

    train: Dataset
    val: Dataset
    notes: list[str]
    record: Record | None = None


def open_new(config: Config, track: Track = iter) -> RunData:
    """Open a new run's data; read every file of both splits once, before the first step.

    Raises ValueError for a file that is damaged or does not fit, in either split.
    """
    train = config.open_dataset("train", track=track)
    val = config.open_dataset("val", own_size=True, track=track)
    files = _files(train, val)
    if not files:
        return RunData(train, val, [])
    notes = [f"{len(train)} samples to train, {len(val)} to validate"]
    for split, part in files.items():
        notes += [*part.notes, *(f"{split}: {note}" for note in part.check(track, config.size))]
    return RunData(train, val, list(dict.fromkeys(notes)), _record(config, files))


def open_recorded(config: Config, folder: Path, track: Track = iter) -> RunData:
    """Open the data of the run in `folder` as it was recorded, or look again if it has changed.

    Raises ValueError if the data is not there, cannot be read, or the record is damaged.
    """
    _check_is_there(config, folder)
    record = load_record(folder)
    if record is None:
        return RunData(config.open_dataset("train"), config.open_dataset("val", own_size=True), [])
    train = config.open_dataset("train", meaning=record.meaning)
    val = config.open_dataset("val", own_size=True, meaning=record.meaning)
    if not record.changes(_record(config, _files(train, val))):
        return RunData(train, val, [], record)
    now = open_new(config, track)
    assert now.record is not None
    return RunData(now.train, now.val, [record.changes(now.record), *now.notes], record)


def _check_is_there(config: Config, folder: Path) -> None:
    """Raise ValueError if the folder of a run's data was moved, or taken away."""
    if config.data not in ("shapes", "camvid") and not is_folder(config.data):
        raise ValueError(
            f"data of {folder} must be shapes, camvid or an existing folder; got {config.data!r}:"
            " if it was moved, give its new place by --data"
        )


def _record(config: Config, files: dict[str, FilePairs]) -> Record:
    return Record.of(files, find_listing(Path(config.data)) if is_folder(config.data) else None)


def load_record(folder: Path) -> Record | None:
    """Read what a run recorded of its data; None for one that recorded nothing."""
    path = folder / RECORD
    if not path.exists():
        return None
    try:
        return Record.from_json(read_json(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _files(train: Dataset, val: Dataset) -> dict[str, FilePairs]:
    files = {"train": files_of(train), "val": files_of(val)}
    return {split: part for split, part in files.items() if part is not None}


# -- What is scored ------------------------------------------------------------------------------


def open_scored(
    config: Config,
    folder: Path,
    data: str | None = None,
    root: str | None = None,
    split: str | None = None,
    track: Track = iter,
) -> tuple[Dataset, list[str]]:
    """Open what `eval` scores, and say what part of the data that is.

    By default that is the run's validation split. Of other `data` it is all samples of a folder
    without splits, or else its validation split; masks without classes.txt have the run's classes.

    Raises ValueError if the data cannot be read.
    """
    if data is None or config.is_data(data) or _has_moved_to(data, config, folder):
        config = config.moved(None if data == config.data else data, root)
        split = split or "val"
        known = open_recorded(config, folder, track)
        files = files_of(known.val)
        meaning = Meaning(files.labels) if files else None
        if split == "val":
            dataset: Dataset = known.val
        else:
            dataset = config.open_dataset(split, own_size=True, meaning=meaning)
        return dataset, [*_part(dataset, config.data, split), *known.notes]
    split = split or ("all" if _is_undivided(data) else "val")
    listed = _class_list(config, load_record(folder)) if is_folder(data) else None
    size = config.size if data == "shapes" else None  # shapes are drawn in a size
    dataset = open_dataset(data, split, root=root, size=size, listed=listed, track=track)
    files = files_of(dataset)
    notes = [*files.notes, *files.check(track, config.size)] if files else []
    return dataset, [*_part(dataset, data, split), *notes]


def _has_moved_to(data: str, config: Config, folder: Path) -> bool:
    """Whether the files in the folder `data` are those of the run, which lay elsewhere."""
    record = load_record(folder)
    if record is None or not is_folder(data):
        return False
    try:
        moved = config.moved(data, None)
        splits = [moved.open_dataset(split, meaning=record.meaning) for split in ("train", "val")]
    except ValueError:
        return False
    return not record.changes(_record(moved, _files(*splits)))


def _class_list(config: Config, record: Record | None) -> ClassList:
    """The run's classes, with the colours of its masks if it knows them by their colours."""
    if record:
        return record.labels.as_list("the run")
    return ClassList(tuple(map(Class, config.classes)), "the run")


def _is_undivided(data: str) -> bool:
    """Whether `data` is a folder of which no part is set aside for validation."""
    return is_folder(data) and not is_voc(Path(data)) and not find_layout(Path(data)).by_folder


def _part(dataset: Dataset, data: str, split: str) -> list[str]:
    """Say how many of a folder's images are scored."""
    if not is_folder(data):
        return []
    said = f"scored: {len(dataset)} images, split {split} of {data}"
    if is_voc(Path(data)):
        return [said]
    layout = find_layout(Path(data))
    parts = ", ".join(f"{len(pairs)} {name}" for name, pairs in layout.splits.items())
    every = "" if layout.by_folder else f"; every {VAL_EVERY}th is val"
    return [f"{said}, which has {len(layout.all_pairs)} ({parts}{every})"]
