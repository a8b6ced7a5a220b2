"""A compiled module as Python sees it: which kernels it has, what they take, and the launch."""

from __future__ import annotations

import ctypes
import functools
import re
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

ORDERS = ("forward", "reverse", "shuffled")


class Launch(ctypes.Structure):
    """The struct of the same name in block.h."""

    _fields_ = [
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("order", ctypes.c_uint),
        ("seed", ctypes.c_uint),
        ("shared_bytes", ctypes.c_size_t),
        ("arguments", ctypes.c_void_p),
        ("on_main_thread", ctypes.c_uint),
        ("may_wait", ctypes.c_uint),
        ("crew", ctypes.c_uint),
        ("second_crew", ctypes.c_void_p),
        ("interrupted", ctypes.c_void_p),
    ]


class _Parameter(ctypes.Structure):
    """The struct Parameter in launch.h."""

    _fields_ = [
        ("type", ctypes.c_char_p),
        ("size", ctypes.c_size_t),
        ("pointed_size", ctypes.c_size_t),
    ]


class Parameter(NamedTuple):
    """A parameter of a kernel; `size` and `pointed_size`, of what a pointer points to, in bytes."""

    type: str
    name: str
    size: int
    pointed_size: int

    def __str__(self) -> str:
        return f"{self.type} {self.name}".strip()


class Signature(NamedTuple):
    """What a kernel can be launched with."""

    parameters: list[Parameter]
    most_threads: int


class Library:
    """A loaded library; `second` is a copy of it for the second crew of threads.h."""

    def __init__(self, path: Path, second: Path | None = None) -> None:
        self._library = ctypes.CDLL(str(path))
        self._second = ctypes.CDLL(str(second)) if second else None
        self._lock = threading.Lock()
        lines = self._function("kernels", ctypes.c_char_p)().decode().splitlines()
        self.kernels = {
            name: self._signature(name, names) for name, *names in map(str.split, lines)
        }

    def launch(self, kernel: str, launch: Launch) -> str:
        """Run a kernel; return what went wrong, or an empty text."""
        function = self._function(f"launch_{kernel}", ctypes.c_char_p)
        if self._second:
            launch.second_crew = ctypes.cast(self._second[f"launch_{kernel}"], ctypes.c_void_p)
        launch.on_main_thread = threading.current_thread() is threading.main_thread()
        if sys.stdout:
            sys.stdout.flush()  # what Python has printed comes before what the kernel prints
        with self._lock:  # a library has one block, and one set of shared arrays
            return function(ctypes.byref(launch)).decode()

    def _function(self, name: str, returns: Any) -> Any:
        function = self._library[name]
        function.restype = returns
        return function

    def _signature(self, kernel: str, names: list[str]) -> Signature:
        found = (_Parameter * 256)()
        count = self._function(f"describe_{kernel}", ctypes.c_size_t)(found)
        names = names if len(names) == count else [""] * count
        return Signature(
            [
                Parameter(_type(p.type.decode()), name, p.size, p.pointed_size)
                for name, p in zip(names, found, strict=False)
            ],
            self._function(f"most_threads_{kernel}", ctypes.c_uint)(),
        )


@functools.cache
def load(path: Path, second: Path | None = None) -> Library:
    """Load a library once, however many modules are made from the same text."""
    return Library(path, second)


def _type(spelling: str) -> str:
    """Read 'const float*' from '... [with T = const float*]', as g++ spells a template."""
    found = re.search(r"with T = (.*)\]$", spelling)
    assert found, spelling
    return re.sub(r"module::{anonymous}::|volatile ", "", found[1])
