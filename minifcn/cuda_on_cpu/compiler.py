"""From CUDA C to a shared library: g++, our headers, and a folder of what was compiled before."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
FLAGS = (
    *("-std=c++17", "-O1", "-g1", "-shared", "-fPIC", "-pthread"),
    # No a * b + c in one rounding, and no guesses from types about what pointers point to.
    *("-ffp-contract=off", "-fno-strict-aliasing"),
    # Each library keeps to itself, and its __shared__ arrays are where shared_memory.ld wants them.
    *("-fvisibility=hidden", "-fno-gnu-unique", "-fdata-sections", "-Wl,-T,shared_memory.ld"),
    # A fiber's stack has 256 KB.
    "-Werror=frame-larger-than=65536",
    *("-U_FORTIFY_SOURCE", "-fmax-errors=10", "-fdiagnostics-color=never"),
)
SANITIZERS = {
    "address": ("-fsanitize=address",),
    "thread": ("-fsanitize=thread",),
    "undefined": ("-fsanitize=undefined", "-fno-sanitize-recover=all"),
}
KERNEL = re.compile(
    r"""(?P<c>extern\s*"C"\s*)?
        (?P<words>((__global__|void|__launch_bounds__\s*\((?P<bounds>[^)]*)\))\s*)+)
        \b(?P<name>\w+)\s*\((?P<parameters>[^)]*)\)\s*\{""",
    re.VERBOSE,
)
PARAMETER = re.compile(r"(\w+)\s*(?:\[[^]]*\]\s*)?(?:,|$)")
DYNAMIC = re.compile(r"extern\s+__shared__\s+(?:__align__\(\d+\)\s*)?([\w\s]+?)\s+(\w+)\s*\[\s*\]")
"""`extern __shared__ float name[]`, which becomes a pointer."""


def compile_library(code: str, options: Sequence[str]) -> Path:
    """Return the shared library made from `code`: compiled now, or by an earlier call.

    Raises:
        RuntimeError: g++ is missing, or refuses the code; the message has what it wrote.
    """
    headers = [path.read_text(encoding="utf-8") for path in _headers()]
    facts = repr((code, options, FLAGS, headers, _compiler()))
    library = cache_folder() / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.so"
    if not library.exists():
        _compile(code, options, library)
    return library


def second_copy(library: Path) -> Path:
    """Return a copy of a library: loaded beside the first, it has static variables of its own."""
    copy = library.with_suffix(".2.so")
    if not copy.exists():
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            os.replace(shutil.copy(library, folder), copy)
    return copy


def cache_folder() -> Path:
    """Return the folder for what has been compiled: MINIFCN_CACHE, or else the user's cache.

    Where that cannot be written, it is a temporary folder, which goes when Python ends.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("MINIFCN_CACHE") or Path(caches, "minifcn", "cuda_on_cpu"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return Path(_temporary_folder().name)
    return folder.absolute()


@functools.cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="minifcn-cuda-on-cpu-")


def _headers() -> list[Path]:
    return sorted([*FOLDER.glob("*.h"), *FOLDER.glob("*.ld")])


# -- Compiling -----------------------------------------------------------------------------------


def _compile(code: str, options: Sequence[str], library: Path) -> None:
    # In a folder of its own, and moved when it is done: others may compile the same at this moment.
    with tempfile.TemporaryDirectory(dir=library.parent) as name:
        folder = Path(name)
        for header in _headers():
            shutil.copy(header, folder)
        folder.joinpath("kernel.cu").write_text(code, encoding="utf-8")
        plain = gpp("-x", "c++", "-E", "-P", *options, "kernel.cu", folder=folder)
        text = _module(code, _kernels(plain, 'extern "C" {' in code))
        folder.joinpath("module.cpp").write_text(text, encoding="utf-8")
        here = f"-ffile-prefix-map={folder}=."
        gpp(*FLAGS, *options, here, "module.cpp", "-o", "module.so", folder=folder)
        os.replace(folder / "module.so", library)


class _Kernel(NamedTuple):
    name: str
    parameters: list[str]
    bounds: str  # of __launch_bounds__


def _kernels(text: str, in_c_block: bool) -> list[_Kernel]:
    """Find the `extern "C" __global__ void` functions in a text without macros and comments."""
    return [
        _Kernel(found["name"], PARAMETER.findall(found["parameters"]), found["bounds"] or "1024")
        for found in KERNEL.finditer(text)
        if "__global__" in found["words"] and (found["c"] or in_c_block)
    ]


def _module(code: str, kernels: Sequence[_Kernel]) -> str:
    """Put the code between our header and what makes its kernels callable.

    It is in a namespace so that its names come before those of the C library. A second one without
    a name says that no other library has the same arrays: AddressSanitizer watches only such.
    """
    names = "".join(rf"{' '.join([kernel.name, *kernel.parameters])}\n" for kernel in kernels)
    code = DYNAMIC.sub(r"\1 *\2 = cuda_on_cpu::dynamic_shared_memory<\1>()", code)
    return "\n".join(
        [
            '#include "launch.h"\nnamespace module { namespace {\n#line 1 "kernel.cu"',
            f"{code}\n}}",
            *(f"CUDA_ON_CPU_KERNEL({kernel.name}, {kernel.bounds})" for kernel in kernels),
            f'}}\nCUDA_ON_CPU_PUBLIC const char *kernels() {{ return "{names}"; }}\n',
        ]
    )


@functools.cache
def _compiler() -> str:
    """What g++ says about itself: another version is another compiler."""
    return gpp("--version")


def gpp(*arguments: str, folder: Path | None = None) -> str:
    """Run g++ in a folder; return what it writes.

    Raises:
        RuntimeError: g++ is missing, or fails.
    """
    # A sanitizer that watches Python must not watch the compiler; and g++ shall write English.
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    environment["LC_ALL"] = "C"
    try:
        done = subprocess.run(
            ["g++", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        raise RuntimeError(
            "CUDA on the CPU needs g++, which is not on this machine; Debian and Ubuntu have it in"
            " the package g++ (sudo apt install g++)"
        ) from None
    if done.returncode:
        raise RuntimeError(f"g++ cannot compile the kernels:\n{done.stderr.strip()}")
    return done.stdout
