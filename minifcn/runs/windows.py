"""Scoring an image at its own size: at once where memory allows, or else in windows that overlap.

A window sees nothing beyond its border, so its scores are wrong near it. Where two windows overlap,
the result changes from one to the other in the middle, far from the border of both: the first 3/8
of the overlap are the first window's alone, the last 3/8 the second one's, and between them the
scores are blended. A network whose score of a pixel depends on nothing farther away than that
(geometry.receptive_field tells how far) gives what it would give for the whole image.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from minifcn.kernels.cpu.threads import num_threads, set_num_threads

Span: TypeAlias = tuple[int, int]
Score: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Scores an image, uint8 (H, W, 3): (C, H, W)."""

ALIGNMENT = 32
"""Windows begin at multiples of the highest stride, so that their cells are those of the image."""

OVERLAP = 256
"""Rows or columns that two windows share; half of a window that is smaller than twice that."""

SMALLEST = 128
"""Rows and columns of the smallest window that is tried."""

GIB = 2**30


class Need(NamedTuple):
    """What a network takes of memory: bytes for each pixel that it sees, and how many classes."""

    per_pixel: float
    classes: int

    def whole(self, height: int, width: int) -> float:
        """Bytes for an image at once."""
        return self.per_pixel * _up(height) * _up(width)

    def in_windows(self, window: Span, width: int) -> float:
        """Bytes for a window, and for three rows of windows of scores as wide as the image.

        That is what it takes to join scores: the windows of a row, the row, and two rows' overlap.
        """
        return self.whole(*window) + 3 * 4 * self.classes * window[0] * width


def measure(score: Score, size: int = 384) -> Need:
    """Measure what scoring takes on the CPU, by a small image, and add a quarter for safety.

    On one thread, so that the result, and with it the windows, is the same on every machine.
    """
    threads = num_threads()
    set_num_threads(1)
    try:
        _peak(score, 2 * ALIGNMENT)  # what is made once, at the first call, does not count
        taken, classes = _peak(score, size)
    finally:
        set_num_threads(threads)
    return Need(1.25 * taken / size**2, classes)


def _peak(score: Score, size: int) -> tuple[int, int]:
    """The most bytes that are held while an image of size x size is scored, and the classes."""
    image = np.zeros((size, size, 3), np.uint8)
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        classes = len(score(image))
        return tracemalloc.get_traced_memory()[1] - before, classes
    finally:
        if not running:
            tracemalloc.stop()


def choose_window(shape: Span, need: Need, memory: float) -> Span:
    """Return the height and width of the largest windows that fit: `shape` if one is enough.

    Raises ValueError if the smallest do not fit into so many bytes.
    """
    if need.whole(*shape) <= memory:
        return shape
    for side in range(_up(max(shape)), SMALLEST - 1, -ALIGNMENT):
        window = min(side, shape[0]), min(side, shape[1])
        if window != shape and need.in_windows(window, shape[1]) <= memory:
            return window
    least = need.in_windows((SMALLEST, SMALLEST), shape[1]) / GIB
    raise ValueError(
        f"memory must be at least {least:.3g} GiB for windows of {SMALLEST}x{SMALLEST} pixels of an"
        f" image of {shape[0]}x{shape[1]}; got {memory / GIB:.3g}, without what results take"
    )


def _up(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def spans(size: int, window: int) -> list[Span]:
    """Return where the windows along an axis start and stop; the last one ends with the image."""
    overlap = min(OVERLAP, window // 2 // ALIGNMENT * ALIGNMENT)
    found = [(0, min(window, size))]
    while found[-1][1] < size:
        start = found[-1][1] - overlap
        found.append((start, min(start + window, size)))
    return found


def score_rows(score: Score, image: np.ndarray, window: Span) -> Iterator[np.ndarray]:
    """Yield the scores of an image, uint8 (H, W, 3), from top to bottom: (C, some rows, W).

    Only the scores of two rows of windows are held at a time.
    """
    rows, columns = (spans(n, w) for n, w in zip(image.shape[:2], window, strict=True))

    def bands() -> Iterator[np.ndarray]:
        for top, bottom in rows:
            parts = (score(image[top:bottom, left:right]) for left, right in columns)
            yield np.concatenate(list(_joined(parts, columns, 2)), 2)

    return _joined(bands(), rows, 1)


def _joined(parts: Iterable[np.ndarray], places: Sequence[Span], axis: int) -> Iterator[np.ndarray]:
    """Blend parts that overlap along an axis; yield what no later part changes."""
    kept = None
    for i, part in enumerate(parts):
        if kept is not None:
            shared = kept.shape[axis]
            first, rest = np.split(part, [shared], axis)
            weight = _ramp(shared).reshape([-1 if a == axis else 1 for a in range(3)])
            part = np.concatenate([kept * (1 - weight) + first * weight, rest], axis)
        done = places[i + 1][0] - places[i][0] if i + 1 < len(places) else part.shape[axis]
        ready, kept = np.split(part, [done], axis)
        yield ready


def _ramp(overlap: int) -> np.ndarray:
    """How much the second of two windows counts: 0 for 3/8 of the overlap, at last 1."""
    margin = 3 * overlap // 8
    position = np.arange(overlap, dtype=np.float32) + np.float32(0.5)
    return np.clip((position - margin) / (overlap - 2 * margin), 0, 1)
