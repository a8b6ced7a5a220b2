"""Running a Python program while g++'s sanitizers watch its kernels, in a process of its own."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from minifcn.cuda_on_cpu.compiler import SANITIZERS, gpp
from minifcn.cuda_on_cpu.module import SANITIZE

# They take the place of malloc, of mutexes and so on, so they come before all other libraries;
# and where there is C++, its library must be found when AddressSanitizer looks for it at the start.
RUNTIMES = {"address": ("libasan.so", "libstdc++.so.6"), "thread": ("libtsan.so",), "undefined": ()}

OPTIONS = {
    # Python does not free all it has when it ends.
    "ASAN_OPTIONS": "detect_leaks=0 print_legend=0",
    # Python, NumPy and BLAS were not compiled to be watched: how their threads keep in order is
    # not known, so nothing is said about them.
    "TSAN_OPTIONS": "ignore_noninstrumented_modules=1 detect_deadlocks=0 exitcode=66",
    "OPENBLAS_NUM_THREADS": "1",
    # Room in each thread for what is thread_local in libraries that are loaded later.
    "GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=65536",
    # Python's own allocator, and what it keeps for later use, would hide where an array ends.
    "PYTHONMALLOC": "malloc",
}

ADDR_NO_RANDOMIZE, ASK = 0x0040000, 0xFFFFFFFF
"""What personality(2) is given: a flag; and the number that changes nothing."""
NO_ROOM = "unexpected memory mapping"
"""What ThreadSanitizer says where it cannot start."""
NOISE = re.compile(
    r"""[ ]+\#\d+[ ].*(cuda_on_cpu::|std::|<null>|[ ]launch:\d|__interceptor_|unknown[ ]module
                      |libstdc\+\+|/libsanitizer/|[ ]nptl/|/clone3?\.S)
      | [ ]*Thread[ ]T\d+[ ].*created[ ]by[ ]
      | Shadow[ ]bytes[ ]around
      | (=>|[ ]{2})0x[0-9a-f]+:[ ]""",
    re.VERBOSE,
)
"""Lines of a report about our threads, which call the kernels, and about the sanitizer's memory."""


def run(
    kind: str, *arguments: str, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python *arguments` with a sanitizer for all its kernels; return what came of it.

    Where the sanitizer found something, `returncode` is not 0, and `stderr` has its report,
    without the lines that are not about the kernels.

    Args:
        kind: 'address' for indices out of bounds, 'thread' for races, 'undefined' for what C leaves
            open: an int that overflows, an index beyond its array, a shift too far.
        arguments: for Python, such as ("script.py",) or ("-m", "pytest", "tests/kernels").
        timeout: in seconds; then subprocess.TimeoutExpired is raised.

    Raises:
        ValueError: there is no such sanitizer, or there are no arguments.
        RuntimeError: the sanitizer does not run on this machine; or this program is itself one that
            is watched, and would start itself again and again.
    """
    if not arguments:
        raise ValueError('there is nothing to run: give what python takes, such as "script.py"')
    if os.environ.get(SANITIZE):
        raise RuntimeError("this program is being watched already")
    with _fixed_addresses():
        done = subprocess.run(
            [sys.executable, *arguments],
            env=environment(kind),
            stdin=subprocess.DEVNULL,  # Python without a program would read one there
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    if NO_ROOM in done.stderr:
        raise RuntimeError(
            "this system shuffles addresses more than ThreadSanitizer can bear: run"
            " `sudo sysctl vm.mmap_rnd_bits=28` first, or this program below `setarch -R`"
        )
    done.stderr = _shorten(done.stderr)
    return done


def _shorten(report: str) -> str:
    """Leave out of a report what is not about the kernels."""
    kept = "".join(line for line in report.splitlines(keepends=True) if not NOISE.match(line))
    return re.sub(r"\n{3,}", "\n\n", kept)


@contextmanager
def _fixed_addresses() -> Iterator[None]:
    """Start processes whose addresses are not moved about at random.

    ThreadSanitizer has places of its own in memory, and does not start where chance has put others
    there. A container may refuse this; then it is left to chance.
    """
    personality = ctypes.CDLL(None).personality
    personality.argtypes = [ctypes.c_ulong]
    before = personality(ASK)
    if before != -1:
        personality(before | ADDR_NO_RANDOMIZE)
    try:
        yield
    finally:
        if before != -1:
            personality(before)


def environment(kind: str) -> dict[str, str]:
    """Return the environment in which a Python process has its kernels watched.

    Raises:
        ValueError: there is no such sanitizer.
        RuntimeError: g++ has it not on this machine.
    """
    if kind not in SANITIZERS:
        raise ValueError(f"kind must be one of {', '.join(SANITIZERS)}; got {kind!r}")
    preload = " ".join(_path(name) for name in RUNTIMES[kind])
    return {**os.environ, **OPTIONS, SANITIZE: kind, **({"LD_PRELOAD": preload} if preload else {})}


@cache
def _path(name: str) -> str:
    """Where a library is; g++ answers with the bare name if it has none."""
    path = gpp(f"-print-file-name={name}").strip()
    if path == name:
        raise RuntimeError(f"g++ has no {name} on this machine")
    return path
