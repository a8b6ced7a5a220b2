"""Launching a kernel: the sizes of grid and block, and the order in which threads take turns."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from typing import Any, NamedTuple

import numpy as np

from minifcn.cuda_on_cpu.arguments import Arguments
from minifcn.cuda_on_cpu.library import ORDERS, Launch, Library

MOST_BLOCKS = (2**31 - 1, 65535, 65535)
MOST_THREADS = (1024, 1024, 64)
MOST_SHARED_BYTES = 227 * 1024
"""What a block can have on an H100."""


class Schedule(NamedTuple):
    """In which order threads run: one of ORDERS, or 'threads'."""

    order: str = "forward"
    seed: int = 0


_FORWARD = Schedule()
_schedule: ContextVar[Schedule] = ContextVar("schedule", default=_FORWARD)


@contextmanager
def schedule(order: str, seed: int = 0) -> Iterator[None]:
    """Choose in which order blocks, and the threads of a block, run in a `with` block.

    A kernel without mistakes gives the same result in all orders. One that lacks a barrier goes
    wrong in some, as it does on a GPU at some times.

    Args:
        order: 'forward', which is also the order without schedule(); 'reverse'; 'shuffled', anew
            after each barrier; or 'threads': no order, but threads of the operating system, which
            run at the same time. A missing atomic shows then, but rarely:
            sanitizer.run("thread", ...) finds it each time.
        seed: 0 to 2^32 - 1; each gives another 'shuffled' order.

    Raises:
        ValueError: there is no such order or seed.
    """
    names = (*ORDERS, "threads")
    if order not in names:
        raise ValueError(f"order must be one of {', '.join(names)}; got {order!r}")
    if not _is_whole(seed, 0, 2**32 - 1):
        raise ValueError(f"seed must be a whole number from 0 to 2^32 - 1; got {seed!r}")
    token = _schedule.set(Schedule(order, seed))
    try:
        yield
    finally:
        _schedule.reset(token)


def current_schedule() -> Schedule:
    """Return the schedule of the innermost `with schedule(...)`."""
    return _schedule.get()


class Kernel:
    """A kernel, called as in CuPy: kernel((gx, gy, gz), (bx, by, bz), arguments)."""

    def __init__(self, name: str, library: Callable[[], Library], may_wait: bool) -> None:
        self.name = name
        self._library = library
        self._may_wait = may_wait

    def __call__(
        self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any], shared_mem: int = 0
    ) -> None:
        """Run the kernel, and wait for it.

        Args:
            grid: how many blocks, in up to three dimensions.
            block: how many threads in each, likewise; 1024 at most.
            args: for pointers, NumPy arrays of the C type, C-contiguous, or None; for numbers,
                NumPy scalars of the very C type; for structs, structured arrays of one element.
            shared_mem: bytes of `extern __shared__` memory.

        Raises:
            TypeError: the arguments are not as many, or not of the types, that the kernel takes;
                or sizes, or arguments, are no tuple.
            ValueError: a size is beyond CUDA's limits, or an array cannot be used as it is.
            RuntimeError: some threads wait where the others never come; who waits where. Or there
                was a write beyond the `extern __shared__` memory.
            KeyboardInterrupt: Ctrl-C; with 'threads', only where threads wait or return.
        """
        library, (order, seed) = self._library(), current_schedule()
        parameters, most_threads = library.kernels[self.name]
        arguments = Arguments(self.name, parameters, args)
        launch = Launch(
            grid=self._size("grid", grid, MOST_BLOCKS),
            block=self._size("block", block, MOST_THREADS),
            order=ORDERS.index(order) if order in ORDERS else 0,
            seed=seed,
            shared_bytes=self._shared(shared_mem),
            arguments=arguments.address,
            may_wait=self._may_wait,
        )
        if prod(block) > most_threads:
            raise ValueError(
                f"{self.name}: a block can have {most_threads} threads; got {block}, {prod(block)}"
            )
        if error := library.launch(self.name, launch):
            raise RuntimeError(f"{self.name}: {error}")

    def _size(self, what: str, size: Sequence[int], most: Sequence[int]) -> Any:
        """Check the size of grid or block; fill it up to three numbers."""
        limits = f"({', '.join(map(str, most))})"
        if not isinstance(size, tuple | list):
            raise TypeError(
                f"{self.name}: {what} must be a tuple of 1 to 3 whole numbers; got {size!r}"
            )
        full = (*size, 1, 1)[:3]
        fits = all(_is_whole(count, 1, limit) for count, limit in zip(full, most, strict=False))
        if not (1 <= len(size) <= 3 and fits):
            raise ValueError(
                f"{self.name}: {what} must be 1 to 3 whole numbers from 1 to {limits}; got {size}"
            )
        return (ctypes.c_uint * 3)(*map(int, full))

    def _shared(self, count: int) -> int:
        if not _is_whole(count, 0, MOST_SHARED_BYTES):
            raise ValueError(
                f"{self.name}: shared_mem must be 0 to {MOST_SHARED_BYTES} bytes; got {count!r}"
            )
        return count


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int | np.integer) and least <= int(value) <= most
