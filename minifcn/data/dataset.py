"""What a dataset is: images with masks of class ids; and how to keep one in memory."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from minifcn.system.locks import fork_safe_lock

VOID = 255
"""The id of a pixel without a label, as in PASCAL VOC: the loss and the metrics ignore it."""

Sample = tuple[np.ndarray, np.ndarray]
"""An image, uint8 (H, W, 3) RGB, and its mask, uint8 (H, W): class ids or VOID."""


class Dataset(Protocol):
    """Labelled images; `dataset[i]` is an image and its mask (see `Sample`).

    Any class with these members can be trained on; it needs no base class. One that several threads
    may read at a time says so by an attribute `thread_safe = True`; of others only one does.
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names; a class's id is its position."""

    @property
    def palette(self) -> np.ndarray:
        """The colour of each class in pictures, uint8 (number of classes, 3)."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> Sample: ...

    def name(self, i: int) -> str:
        """A short name of sample `i`."""


KEEPING = fork_safe_lock()
"""Held for the moment in which `InMemory` keeps a sample, and counts what room is left."""


class InMemory:
    """The same dataset, its decoded samples kept in memory up to `limit` bytes.

    Decoding a PNG at every visit takes time from the training; CamVid at 240x180 needs only
    63 MB. The samples are read-only, because the next reader gets the same arrays. Several threads
    may read it at a time, if they may read the dataset so.
    """

    def __init__(self, dataset: Dataset, limit: int = 512 * 2**20):
        self.dataset = dataset
        self.classes = dataset.classes
        self.palette = dataset.palette
        self.thread_safe = is_thread_safe(dataset)
        self.free = limit
        self.kept: dict[int, Sample] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    def name(self, i: int) -> str:
        """A short name of sample `i`."""
        return self.dataset.name(i)

    def __getitem__(self, i: int) -> Sample:
        i = range(len(self))[i]
        if i not in self.kept:
            return self._read(i)
        return self.kept[i]

    def _read(self, i: int) -> Sample:
        sample = self.dataset[i]
        for array in sample:
            array.flags.writeable = False
        size = sum(array.nbytes for array in sample)
        # What came first stays: under a random order, evicting for newcomers would not hit more.
        with KEEPING:
            if i not in self.kept and size <= self.free:
                self.kept[i] = sample
                self.free -= size
            return self.kept.get(i, sample)


class First:
    """The first `count` samples of a dataset.

    Raises ValueError if it has not so many.
    """

    def __init__(self, dataset: Dataset, count: int):
        if not 1 <= count <= len(dataset):
            raise ValueError(f"count must be from 1 to {len(dataset)}, the samples; got {count}")
        self.dataset, self.count = dataset, count
        self.classes, self.palette = dataset.classes, dataset.palette
        self.thread_safe = is_thread_safe(dataset)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> Sample:
        return self.dataset[range(self.count)[i]]

    def name(self, i: int) -> str:
        """A short name of sample `i`."""
        return self.dataset.name(range(self.count)[i])


def is_thread_safe(dataset: Dataset) -> bool:
    """Whether several threads may read a dataset at a time, as it says itself."""
    return getattr(dataset, "thread_safe", False)


def check_split(split: str, splits: Iterable[str]) -> None:
    """Raise ValueError unless `split` is one of `splits`."""
    splits = tuple(splits)
    if split not in splits:
        raise ValueError(f"split must be one of {', '.join(splits)}; got {split!r}")
