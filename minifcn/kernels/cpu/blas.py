"""Keeping BLAS to one thread while kernels are at work, in whatever threads they were called.

In some libraries the number of threads is one for the process (OpenBLAS with pthreads, of NumPy's
own packages); in others each thread has its own (MKL, and OpenBLAS with OpenMP). The one is given
back by the last thread at work, the other by each thread that set its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np  # noqa: F401  (loads the library that is looked for)


class Library:
    """One BLAS library: how many threads it uses, for whoever is at work.

    controller: threadpoolctl's, with get_num_threads and set_num_threads.
    """

    def __init__(self, controller: Any) -> None:
        self.controller = controller
        self.usual = self.count()  # where the count is the process's: that before any was at work
        self.is_per_thread: bool | None = None  # unknown until a thread has a count to be lowered

    def count(self) -> int:
        """How many threads it would use in this thread."""
        return self.controller.get_num_threads() or 1

    def set(self, count: int) -> None:
        """Use `count` threads: in this thread, or in the process.

        threadpoolctl 3.8 lets the first thread that sets OpenBLAS's count keep that right for as
        long as it lives, and ignores all others without a word (threadpoolctl#220).
        """
        release = getattr(self.controller, "clear_controlling_thread", lambda **_: None)
        release(force=True)
        self.controller.set_num_threads(count)
        release()

    def lower(self, count: int) -> None:
        """Go from `count` threads to one, and find out, once, for whom that holds."""
        self.set(1)
        if self.is_per_thread is None and _in_another_thread(lambda: self.set(count)):
            self.is_per_thread = self.count() == 1
            self.set(1)

    def restore(self, count: int) -> None:
        """Go from one thread back to `count`, unless somebody has set another number meanwhile."""
        if count != 1 and self.count() == 1:
            self.set(count)


def _in_another_thread(function: Callable[[], None]) -> bool:
    """Call it in a thread of its own; return whether one could be started."""
    thread = threading.Thread(target=function)
    try:
        thread.start()
    except RuntimeError:  # while Python ends
        return False
    thread.join()
    return True


class Blas:
    """All BLAS libraries of this process, and who is at work with them.

    Ctrl-C may come between any two steps, and its handler may run a kernel; so the lock is one that
    a thread can take again, and each step leaves what `leave` can set right.
    """

    def __init__(self) -> None:
        from threadpoolctl import ThreadpoolController

        found = ThreadpoolController().select(user_api="blas").lib_controllers
        self.libraries = [Library(controller) for controller in found]
        self.lock = threading.RLock()
        self.at_work: dict[object, list[int]] = {}  # what each found when it entered

    def enter(self, key: object) -> None:
        """Keep BLAS to one thread until `leave` is called with the same key, in this thread."""
        with self.lock:
            found = [library.count() for library in self.libraries]
            if not self.at_work:
                for library, count in zip(self.libraries, found, strict=True):
                    library.usual = count
            self.at_work[key] = found
            for library, count in zip(self.libraries, found, strict=True):
                if count != 1:
                    library.lower(count)

    def leave(self, key: object) -> None:
        """Give BLAS its threads back, if nobody else is at work; harmless if called again."""
        with self.lock:
            found = self.at_work.get(key, [])
            for library, count in zip(self.libraries, found, strict=bool(found)):
                if library.is_per_thread:
                    library.restore(count)
                elif len(self.at_work) == 1:
                    library.restore(library.usual)
            self.at_work.pop(key, None)

    def after_fork(self) -> None:
        """Start anew in a child process, which has no other threads, and maybe a held lock."""
        self.lock = threading.RLock()
        for library in self.libraries if self.at_work else ():
            if not library.is_per_thread:
                library.restore(library.usual)
        self.at_work = {}
