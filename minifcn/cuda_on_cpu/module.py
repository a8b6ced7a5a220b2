"""RawModule: CUDA C text, compiled for the CPU; its kernels are had by name."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Sequence
from pathlib import Path

from minifcn.cuda_on_cpu.compiler import SANITIZERS, compile_library, second_copy
from minifcn.cuda_on_cpu.kernel import Kernel, current_schedule
from minifcn.cuda_on_cpu.library import Library, load

SANITIZE = "MINIFCN_SANITIZE"
"""The environment variable with which sanitizer.run chooses for a whole program."""

RUNTIMES = {"address": "__asan_init", "thread": "__tsan_init"}
"""A function of the library that must be loaded before Python."""


class RawModule:
    """CUDA C, compiled with g++: as cupy.RawModule(code=..., options=...), for NumPy arrays.

    Args:
        code: the text; its kernels are declared extern "C" __global__ void.
        options: for the compiler, such as ("-DREAL=float",).
        sanitize: 'address', 'thread' or 'undefined': have a sanitizer watch what the kernels do,
            in a program that sanitizer.run runs. There, all modules are watched anyway.

    Raises:
        TypeError: `code` is not a str, or `options` is one.
        RuntimeError: g++ is missing or refuses the code; or the sanitizer is not loaded.
        ValueError: there is no such sanitizer.
    """

    def __init__(self, code: str, options: Sequence[str] = (), sanitize: str | None = None) -> None:
        if not isinstance(code, str):
            raise TypeError(f"code must be a str; got {type(code).__name__}")
        if isinstance(options, str):
            raise TypeError(f"options must be a tuple of str, such as ({options!r},); got a str")
        self.code, self.options = code, tuple(options)
        self.sanitize = sanitize or os.environ.get(SANITIZE) or None
        self._libraries: dict[bool, Library] = {}
        _check_sanitizer(self.sanitize)
        self._library()

    def get_function(self, name: str) -> Kernel:
        """Return the kernel of this name.

        Raises:
            ValueError: the module has none.
        """
        kernels = self._library().kernels
        if name not in kernels:
            if re.search(rf"__global__[^;{{]*\b{re.escape(name)}\s*\(", self.code):
                raise ValueError(f'{name} is there, but is not extern "C"')
            raise ValueError(
                f'the module has no extern "C" __global__ void {name}; it has'
                f" {', '.join(kernels) or 'no kernels at all'}"
            )
        # Where the text has no such word, no thread can need another, or its memory.
        return Kernel(name, self._library, "__shared__" in self.code or "_sync" in self.code)

    def _library(self) -> Library:
        """The library for the way in which threads run now."""
        # Fibers change the stack below a sanitizer's feet; with OS threads it knows its way.
        threads = current_schedule().order == "threads" or self.sanitize in RUNTIMES
        if threads not in self._libraries:
            self._libraries[threads] = self._compile(threads)
        return self._libraries[threads]

    def _compile(self, threads: bool) -> Library:
        try:
            return load(*self._files(threads))
        except OSError:  # a file from the cache may be damaged
            for path in self._files(threads):
                path.unlink(missing_ok=True)
        try:
            return load(*self._files(threads))
        except OSError as error:
            raise RuntimeError(f"the compiled kernels cannot be loaded: {error}") from error

    def _files(self, threads: bool) -> list[Path]:
        flags = SANITIZERS[self.sanitize] if self.sanitize else ()
        if not threads:
            return [compile_library(self.code, (*self.options, *flags))]
        path = compile_library(self.code, (*self.options, *flags, "-DCUDA_ON_CPU_THREADS"))
        return [path, second_copy(path)]


def _check_sanitizer(name: str | None) -> None:
    if name not in (None, *SANITIZERS):
        raise ValueError(f"sanitize must be one of {', '.join(SANITIZERS)}; got {name!r}")
    if name in RUNTIMES and not hasattr(ctypes.CDLL(None), RUNTIMES[name]):
        raise RuntimeError(
            f"sanitize={name!r} works only in a program that is run by"
            f" cuda_on_cpu.sanitizer.run({name!r}, ...)"
        )
