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


class _Crew:
    """Threads that work on one kernel at a time, beside the one that called it."""

    def __init__(self, count: int | None = None) -> None:
        from threadpoolctl import ThreadpoolController

        self.blas = ThreadpoolController().select(user_api="blas")
        usual = [library.num_threads for library in self.blas.lib_controllers]
        self.count = count or max(usual, default=os.cpu_count() or 1)
        self.pool = ThreadPoolExecutor(self.count, thread_name_prefix="minifcn")
        self.lock, self.at_work = threading.Lock(), 0

    @contextmanager
    def one_blas_thread_each(self) -> Iterator[None]:
        """Keep BLAS from starting threads of its own; kernels may run in several threads at once."""
        with self.lock:
            if not self.at_work:
                self.limits = self.blas.limit(limits=1)
            self.at_work += 1
        try:
            yield
        finally:
            with self.lock:
                self.at_work -= 1
                if not self.at_work:
                    self.limits.restore_original_limits()


_crew: _Crew | None = None


def _get_crew() -> _Crew:
    global _crew
    if _crew is None:
        keep_freed_memory()
        _crew = _Crew()
    return _crew


def num_threads() -> int:
    """How many threads a kernel uses: at first as many as BLAS would, which obeys OMP_NUM_THREADS."""
    return _get_crew().count


def set_num_threads(count: int) -> None:
    """Use `count` threads from now on."""
    global _crew
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"count must be a whole number of at least 1; got {count!r}")
    _crew = _Crew(count)


def _forget_crew() -> None:
    global _crew
    _crew = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_crew)  # threads do not survive a fork


def share(work: Callable[[Iterator[Task]], None], tasks: Sequence[Task]) -> None:
    """Run `work` in several threads; each gets the same iterator, and so the tasks it comes to.

    A function that takes many tasks, not one, can make its workspace once. A single task is left
    to the calling thread, and the cores to BLAS.
    """
    crew = _get_crew()
    count = min(crew.count, len(tasks))
    if not tasks:
        return
    shared = iter(tasks)
    with crew.one_blas_thread_each():
        helpers = [crew.pool.submit(work, shared) for _ in range(count - 1)]
        try:
            work(shared)
        finally:
            for helper in helpers:
                helper.result()
