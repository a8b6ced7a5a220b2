"""Sharing the work of one kernel among the cores: Python threads, with one BLAS thread each.

NumPy lets go of Python's lock while it copies, adds or multiplies matrices, so Python threads do
run side by side. A kernel cuts its work into tasks; what a task computes does not depend on the
thread that takes it, so the bits of a kernel's result do not depend on the number of threads.

BLAS could share out each matrix product instead. But then one core waits while the other copies
what is between the products, and on a busy machine every product waits for the slowest core.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import prod
from typing import TypeVar

import numpy as np

from minifcn.kernels.checks import whole_numbers
from minifcn.kernels.cpu.blas import Blas
from minifcn.kernels.cpu.memory import keep_freed_memory

Task = TypeVar("Task")

WORTH_SHARING = 2**20
"""Elements to move for which it is worth to wake another thread, which takes about 0.1 ms."""

MULTIPLICATIONS = 16
"""So many of a matrix product take about as long as an element that is moved."""

CHUNK = 2**18
"""Elements that are worked on at a time, in the cache of a core."""


class _Crew:
    """The threads that work on kernels, beside those that call them, and the threads of BLAS."""

    def __init__(self) -> None:
        keep_freed_memory()
        self.blas = Blas()
        usual = (library.usual for library in self.blas.libraries)
        self.resize(max(usual, default=os.cpu_count() or 1))

    def resize(self, count: int) -> None:
        """Use new threads; a kernel at work keeps the old ones until it is done."""
        self.count = count
        self.pool = ThreadPoolExecutor(count, thread_name_prefix="minifcn")

    def after_fork(self) -> None:
        """Start anew in a child process, which has inherited no thread."""
        self.resize(self.count)
        self.blas.after_fork()

    def work(self, work: Callable[[Iterator[Task]], None], tasks: Iterator[Task]) -> None:
        """Work in this thread, while BLAS starts no threads of its own.

        Not even for a small product: they would spin for a while after it, waiting for the next.
        """
        key = object()
        try:
            self.blas.enter(key)
            work(tasks)
        finally:
            try:
                self.blas.leave(key)
            except KeyboardInterrupt:  # in the middle of it
                self.blas.leave(key)
                raise


_crew: _Crew | None = None
_lock = threading.RLock()  # a signal's handler may run a kernel while a first one holds it


def _get_crew() -> _Crew:
    global _crew
    with _lock:
        if _crew is None:
            _crew = _Crew()
        return _crew


def num_threads() -> int:
    """How many threads a kernel uses: as many as BLAS would, unless set_num_threads was called."""
    return _get_crew().count


def set_num_threads(count: int) -> None:
    """Use `count` threads from now on."""
    if not whole_numbers([count]) or count < 1:
        raise ValueError(f"count must be a whole number of at least 1; got {count!r}")
    _get_crew().resize(int(count))


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()
    if _crew:
        _crew.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def share(
    work: Callable[[Iterator[Task]], None],
    tasks: Sequence[Task],
    elements: int,
    multiplies: bool = True,
) -> None:
    """Run `work` in several threads; each gets the same iterator, and so the tasks it comes to.

    A function that takes many tasks, not one, can make its workspace once. `elements` says roughly
    how much there is to do: what would be done before another thread has woken up is not shared.
    The other threads work in a copy of the caller's context, with its np.errstate. BLAS is kept to
    one thread, but where no matrices are multiplied: that takes as long as an array of 64x64.
    """
    if not tasks:
        return
    crew, shared = _get_crew(), iter(tasks)
    helpers = min(crew.count, len(tasks)) - 1 if elements >= WORTH_SHARING else 0
    futures = []
    run = crew.work if multiplies else _work_without_blas

    def call_helpers_and_work(tasks: Iterator[Task]) -> None:
        with suppress(RuntimeError):  # while Python ends, no thread can be started
            for _ in range(helpers):
                context = contextvars.copy_context()
                futures.append(crew.pool.submit(context.run, run, work, tasks))
        work(tasks)

    try:
        run(call_helpers_and_work, shared)
    finally:
        # Who has not begun is not waited for: no task is left, and all may wait for each other.
        errors = [future.exception() for future in futures if not future.cancel()]
    for error in filter(None, errors):
        raise error


def _work_without_blas(work: Callable[[Iterator[Task]], None], tasks: Iterator[Task]) -> None:
    work(tasks)


def chunks(*arrays: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """Cut arrays of one shape into flat parts of CHUNK elements; of contiguous arrays, views."""
    flat = [array.reshape(-1) for array in arrays]
    starts = range(0, flat[0].size, CHUNK)
    return [tuple(part[start : start + CHUNK] for part in flat) for start in starts]


def planes(*arrays: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """Cut arrays (N, C, ., .) into parts (P, ., .) of at most CHUNK elements, or one plane."""
    flat = [array.reshape(prod(array.shape[:2]), *array.shape[2:]) for array in arrays]
    count = max(1, CHUNK // max(1, *(array[:1].size for array in flat)))
    return [tuple(part[i : i + count] for part in flat) for i in range(0, len(flat[0]), count)]
