"""Batches that threads prepare while the step before them runs, so that it waits for none."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from time import perf_counter
from types import TracebackType

import numpy as np

from minifcn.data.batches import Batches, check_at_least
from minifcn.data.dataset import is_thread_safe
from minifcn.machine import cores

MOST_THREADS = 4
"""How many threads there are by default, at most: each holds a batch in memory."""

Batch = tuple[np.ndarray, np.ndarray]


class Ahead:
    """The same batches, the next ones prepared in threads: reading, decoding, augmenting.

    `batch(iteration)` gives what `batches.batch(iteration)` gives, bit for bit, and raises what
    that raises, for the iteration that was asked for. The iterations after it are prepared
    meanwhile, so ask for them in their order; any other order is right too, but waits. Pillow and
    NumPy let go of Python's lock, so threads do; the random numbers of a batch come from the seed
    and the iteration alone, so it does not matter which thread prepares it, or when.

        with Ahead(batches) as ahead:
            for iteration in range(1000):
                images, labels = ahead.batch(iteration)

    Args:
        batches: what to prepare.
        threads: how many prepare a batch each; by default as many as cores, but at most 4, and 1
            for a dataset that does not say that it is `thread_safe`.
        ready: how many batches may be prepared beyond the one that is asked for, `threads` + 1 by
            default. So many are in memory at most, beside the one that is used.

    Attributes:
        waited: the seconds spent in `batch`, all together.

    Raises ValueError if `threads` or `ready` is less than 1.
    """

    def __init__(self, batches: Batches, threads: int | None = None, ready: int | None = None):
        if threads is None:
            threads = min(cores(), MOST_THREADS) if is_thread_safe(batches.dataset) else 1
        check_at_least("threads", threads, 1)
        self.batches, self.threads = batches, threads
        self.ready = threads + 1 if ready is None else ready
        check_at_least("ready", self.ready, 1)
        self.waited = 0.0
        self._name = f"minifcn-ahead-{id(self)}"
        self._process = os.getpid()
        self._pool: ThreadPoolExecutor | None = None
        self._coming: dict[int, Future[Batch]] = {}

    def batch(self, iteration: int) -> Batch:
        """The images and labels of an iteration, as `Batches.batch` gives them.

        Whatever is raised, an interrupt too, closes this first.
        """
        check_at_least("iteration", iteration, 0)
        begin = perf_counter()
        try:
            self._prepare(iteration)
            return self._coming.pop(iteration).result()
        except BaseException:
            self.close()
            raise
        finally:
            self.waited += perf_counter() - begin

    def close(self) -> None:
        """End the threads, once the batches they are at are done; `batch` would start new ones."""
        if self._process == os.getpid() and self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._join()
        self._forget()

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _prepare(self, iteration: int) -> None:
        """Have this iteration prepared, and those after it; give up all others."""
        if self._process != os.getpid():
            self._forget()  # a forked process has inherited the plans, but no thread
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix=self._name)
        wanted = range(iteration, iteration + self.ready + 1)
        for other in self._coming.keys() - set(wanted):
            self._coming.pop(other).cancel()
        for k in wanted:
            if k not in self._coming:
                self._coming[k] = self._pool.submit(self.batches.batch, k)

    def _join(self) -> None:
        """Wait for a thread whose start was interrupted, of which the pool does not know."""
        for thread in threading.enumerate():
            if thread.name.startswith(self._name):
                with suppress(RuntimeError):  # it has not begun, and finds nothing to do
                    thread.join()

    def _forget(self) -> None:
        self._process, self._pool, self._coming = os.getpid(), None, {}
