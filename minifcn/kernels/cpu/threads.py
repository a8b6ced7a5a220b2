"""Sharing the work of one kernel among the cores: Python threads, with one BLAS thread each.

NumPy lets go of Python's lock while it copies, adds or multiplies matrices, so Python threads do
run side by side. A kernel cuts its work into tasks; what a task computes does not depend on the
thread that takes it, so the bits of a result do not depend on the number of threads.

BLAS could share out each matrix product instead. But then the copies between the products keep
one core waiting, and on a busy machine every product waits for the slowest core.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from minifcn.kernels.cpu.memory import keep_freed_memory

Task = TypeVar("Task")

WORTH_SHARING = 2**20
"""Elements to move for which it is worth to wake another thread, which takes about 0.1 ms."""

MULTIPLICATIONS = 16
"""So many of a matrix product take about as long as an element that is moved."""


class _Crew:
    """Threads that work on one kernel at a time, beside the one that called it."""

    def __init__(self, count: int | None = None) -> None:
        from threadpoolctl import ThreadpoolController

        self.blas = ThreadpoolController().select(user_api="blas").lib_controllers
        self.usual = [library.num_threads for library in self.blas]
        self.count = count or max(self.usual, default=os.cpu_count() or 1)
        self.pool = ThreadPoolExecutor(self.count, thread_name_prefix="minifcn")
        self.lock, self.at_work = threading.Lock(), 0

    @contextmanager
    def one_blas_thread_each(self) -> Iterator[None]:
        """Keep BLAS from starting threads of its own; kernels may run in several threads at once.

        Not even a small product may: its threads would spin for a while, waiting for the next.
        """
        with self.lock:
            if not self.at_work:
                self.usual = [library.get_num_threads() for library in self.blas]
                for library in self.blas:
                    library.set_num_threads(1)
            self.at_work += 1
        try:
            yield
        finally:
            with self.lock:
                self.at_work -= 1
                if not self.at_work:
                    for library, usual in zip(self.blas, self.usual, strict=True):
                        library.set_num_threads(usual)


_crew: _Crew | None = None


def _get_crew() -> _Crew:
    global _crew
    if _crew is None:
        keep_freed_memory()
        _crew = _Crew()
    return _crew


def num_threads() -> int:
    """How many threads a kernel uses: as many as BLAS would, unless set_num_threads was called."""
    return _get_crew().count


def set_num_threads(count: int) -> None:
    """Use `count` threads from now on."""
    global _crew
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"count must be a whole number of at least 1; got {count!r}")
    if _crew:
        _crew.pool.shutdown(wait=False)
    _crew = _Crew(count)


def _forget_crew() -> None:
    global _crew
    _crew = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_crew)  # threads do not survive a fork


def share(work: Callable[[Iterator[Task]], None], tasks: Sequence[Task], elements: int) -> None:
    """Run `work` in several threads; each gets the same iterator, and so the tasks it comes to.

    A function that takes many tasks, not one, can make its workspace once. `elements` says roughly
    how much there is to do: what would be done before another thread has woken up is not shared.
    """
    if not tasks:
        return
    crew, shared = _get_crew(), iter(tasks)
    helpers = min(crew.count, len(tasks)) - 1 if elements >= WORTH_SHARING else 0
    with crew.one_blas_thread_each():
        futures = [crew.pool.submit(work, shared) for _ in range(helpers)]
        try:
            work(shared)
        finally:
            for future in futures:
                future.result()
