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
    # A fiber's stack has 256 KB. Arrays of variable length are not C++, nor CUDA.
    *("-Werror=frame-larger-than=65536", "-Werror=vla"),
    # A function that is declared, but nowhere defined, is an error now, not when Python loads it.
    "-Wl,-z,defs",
    *("-U_FORTIFY_SOURCE", "-fmax-errors=5", "-fdiagnostics-color=never"),
)
SANITIZERS = {
    "address": ("-fsanitize=address",),
    # ThreadSanitizer guesses, wrongly now and then, where a thread_local is that a thread makes
    # when it first needs it; these are there from the start.
    "thread": ("-fsanitize=thread", "-ftls-model=initial-exec"),
    "undefined": ("-fsanitize=undefined", "-fno-sanitize-recover=all"),
}
KERNEL = re.compile(
    r"""(?P<c>extern\s*"C"\s*)?
        (?P<words>((__global__|void|__launch_bounds__\s*\((?P<bounds>[^)]*)\))\s*)+)
        \b(?P<name>\w+)\s*\((?P<parameters>[^)]*)\)\s*\{""",
    re.VERBOSE,
)
C_BLOCK = re.compile(r'extern\s*"C"\s*\{')
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*(<[^>\n]+>)", re.MULTILINE)
PARAMETER = re.compile(r"(\w+)\s*(?:\[[^]]*\]\s*)?(?:,|$)")
DYNAMIC = re.compile(
    r"""extern\s+__shared__\s+
        (?:(?:__align__|alignas)\s*\((?:[^()]|\([^()]*\))*\)\s*)?
        (?P<type>[\w\s:]+?)\s+(?P<name>\w+)\s*\[\s*\]""",
    re.VERBOSE,
)
"""`extern __shared__ float name[]`, which becomes a pointer."""

OURS = "launch"
"""What messages call the lines that come before and after the code."""


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
        start, text = _start(code), f'#line 1 "kernel.cu"\n{_with_dynamic_memory(code)}\n'
        end = _end(_kernels(plain, C_BLOCK.search(plain) is not None))
        module = f"{start}namespace module {{ namespace {{\n{text}{end}"
        folder.joinpath("module.cpp").write_text(module, encoding="utf-8")
        folder.joinpath("text.cpp").write_text(start + text, encoding="utf-8")
        flags = (*FLAGS, *options, f"-ffile-prefix-map={folder}=.")
        try:
            gpp(*flags, "module.cpp", "-o", "module.so", folder=folder)
        except RuntimeError as error:
            raise RuntimeError(_explain(str(error), flags, folder)) from None
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


# A module is our header, the code, and what makes its kernels callable. The code is in a namespace
# so that its names come before those of the C library. A second one without a name says that no
# other library has the same arrays: AddressSanitizer watches only such.


def _start(code: str) -> str:
    """What comes before the code: our header, and outside of our namespaces those that it wants."""
    wanted = dict.fromkeys(INCLUDE.findall(code))
    # One that is not there is an error later, in the line of the code.
    headers = [f"#if __has_include({name})\n#include {name}\n#endif\n" for name in wanted]
    return "".join(['#include "launch.h"\n', *headers, f'#line 1 "{OURS}"\n'])


def _with_dynamic_memory(code: str) -> str:
    return DYNAMIC.sub(
        r"\g<type> *const \g<name> = cuda_on_cpu::dynamic_shared_memory<\g<type>>()", code
    )


def _end(kernels: Sequence[_Kernel]) -> str:
    names = "".join(rf"{' '.join([kernel.name, *kernel.parameters])}\n" for kernel in kernels)
    return "\n".join(
        [
            f'#line 1 "{OURS}"\n}}',
            *(f"CUDA_ON_CPU_KERNEL({kernel.name}, {kernel.bounds})" for kernel in kernels),
            f'}}\nCUDA_ON_CPU_PUBLIC const char *kernels() {{ return "{names}"; }}\n',
        ]
    )


def _explain(message: str, flags: Sequence[str], folder: Path) -> str:
    """Cut g++'s message where it comes to our own lines, which only suffer from the errors before.

    If nothing is before, as with one brace too many, then g++ is asked about the code alone.
    """
    about_code = re.split(rf"\n(?:In file included from .*\n)?{OURS}:", message)[0]
    if " error: " in about_code:
        return about_code
    try:
        gpp(*flags, "-fsyntax-only", "text.cpp", folder=folder)
    except RuntimeError as error:
        return str(error)
    return message


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
