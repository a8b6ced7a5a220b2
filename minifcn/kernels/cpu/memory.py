"""Keeping the memory of freed arrays for the next ones."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # the numbers of glibc's malloc.h


def keep_freed_memory() -> None:
    """Ask the C library to keep what is freed for the arrays of the next step.

    By default it hands large arrays back to the system at once, and a fresh one costs a page fault
    for every 4 KiB that is written: a third of the time of a training step. Only glibc, the C
    library of most Linux systems, is asked.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, 32 * 2**20)  # the largest that all accept
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)
