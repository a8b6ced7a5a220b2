"""Compiling and launching the CUDA kernels of ../cuda: the one place that knows how.

A kernel is launched on the arrays it is given: on CuPy's by CuPy, on the current GPU; on
NumPy's by minifcn.cuda_on_cpu, which runs the same CUDA text on the CPU. Nothing else in this
package knows which of the two it is.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.backend import Array, is_array, library
from minifcn.kernels.geometry import Pair

FOLDER = Path(__file__).parent.parent / "cuda"
THREADS = 256
"""Threads of a block, by default; the tiled kernels (cuda/tiles.cuh) need just so many."""
MOST_THREADS = 1024
"""Threads of a block that has a whole plane to itself: as many as there can be."""
TILE = 64
"""Rows and columns of the result that a block of a tiled kernel computes."""
MOST_BLOCKS = (2**31 - 1, 2**16 - 1, 2**16 - 1)
"""What a launch may have along x, y and z."""
REALS = {"float32": "float", "float64": "double"}
"""What CUDA calls the types of numbers that there are kernels for."""
LARGEST = 2**31 - 1
"""The largest size along an axis: kernels count these in 32 bits, and elements of arrays in 64."""

WINDOWS = np.dtype(
    [
        (name, np.int32)
        for name in (
            *("h", "w", "oh", "ow", "kh", "kw", "stride_h", "stride_w"),
            *("padding_h", "padding_w", "dilation_h", "dilation_w"),
        )
    ]
)
"""struct Windows of cuda/common.cuh."""


@cache
def source(file: str) -> str:
    """Return the text of a .cu file with what it includes, as one compiler input.

    CuPy's cache of compiled kernels is keyed by the text it is given, which has to hold all of it.
    """
    return _included(file, set())


def _included(file: str, seen: set[str]) -> str:
    if file in seen:
        return ""
    seen.add(file)
    lines = [f'#line 1 "{file}"']
    for number, line in enumerate((FOLDER / file).read_text(encoding="utf-8").splitlines(), 1):
        if include := re.fullmatch(r'#include "(.+)"', line):
            lines += [_included(include[1], seen), f'#line {number + 1} "{file}"']
        elif line != "#pragma once":
            lines.append(line)
        else:
            lines.append("")
    return "\n".join(lines)


@cache
def _kernel(file: str, name: str, dtype: np.dtype, holder: str) -> Any:
    """Compile a kernel for a dtype, once in a process; both libraries also cache on disk."""
    return _module(file, dtype, holder).get_function(name)


@cache
def _module(file: str, dtype: np.dtype, holder: str) -> Any:
    compiler = import_module("minifcn.cuda_on_cpu" if holder == "numpy" else holder)
    return compiler.RawModule(code=source(file), options=(f"-DREAL={REALS[dtype.name]}",))


def forget() -> None:
    """Forget what was read and compiled, for who has changed a .cu file while Python runs."""
    source.cache_clear()
    _kernel.cache_clear()
    _module.cache_clear()


def launch(
    file: str, name: str, blocks: int | tuple[int, ...], *arguments: Any, threads: int = THREADS
) -> None:
    """Run a kernel of cuda/<file> with so many blocks of so many threads.

    arguments: arrays, which must be contiguous, on one device and of one floating dtype, beside
    arrays of integers; ints, passed as 64-bit numbers; floats, passed in that dtype; structs, as
    NumPy arrays of one element of a structured dtype; None, a null pointer.
    """
    arrays = [a for a in arguments if is_array(a) and not _is_struct(a)]
    dtype = next((a.dtype for a in arrays if a.dtype.kind == "f"), arrays[0].dtype)
    grid = (blocks,) if isinstance(blocks, int) else blocks
    if 0 in grid:
        return
    _check(name, grid, arrays, dtype)
    kernel = _kernel(file, name, dtype, library(arrays[0]).__name__)
    kernel(grid, (threads,), tuple(_passed(a, dtype) for a in arguments))


def launch_each(file: str, name: str, total: int, *arguments: Any) -> None:
    """Run a kernel with a thread for each of `total` elements."""
    launch(file, name, blocks_of(total, THREADS), *arguments)


def launch_planes(file: str, name: str, planes: int, *arguments: Any) -> None:
    """Run a kernel with a block for each plane (n, c), whose threads walk along it together."""
    launch(file, name, planes, *arguments, threads=MOST_THREADS)


def blocks_of(total: int, each: int) -> int:
    """How many blocks, or tiles, of `each` elements cover `total`."""
    return -(-total // each)


def _passed(argument: Any, dtype: np.dtype) -> Any:
    if isinstance(argument, (int, np.integer)):
        return np.int64(argument)
    return dtype.type(argument) if isinstance(argument, (float, np.floating)) else argument


def _is_struct(array: Array) -> bool:
    return array.dtype.kind == "V"


def _check(name: str, grid: tuple[int, ...], arrays: list[Array], dtype: np.dtype) -> None:
    """Raise for what a kernel would not notice: it sees addresses only."""
    if dtype.name not in REALS:
        raise TypeError(f"the arrays of {name} must be float32 or float64; got {dtype}")
    for count, most in zip(grid, MOST_BLOCKS, strict=False):
        if count > most:
            raise ValueError(f"{name} needs {grid} blocks, but a launch may have {MOST_BLOCKS}")
    places, here = {_place_of(array) for array in arrays}, _current_place(arrays[0])
    if places != {here}:
        raise ValueError(f"the arrays of {name} must be on {here}; got {sorted(places)}")
    for i, array in enumerate(arrays):
        if array.dtype.kind == "f" and array.dtype != dtype:
            raise TypeError(
                f"the arrays of {name} must be {dtype}; got {array.dtype} for array {i}"
            )
        if not array.flags.c_contiguous:
            raise ValueError(f"array {i} of {name} must be contiguous; got strides {array.strides}")
        if max(array.shape, default=0) > LARGEST:
            raise ValueError(f"{name} takes sizes up to {LARGEST}; got shape {array.shape}")


def _place_of(array: Array) -> str:
    return f"GPU {array.device.id}" if hasattr(array.device, "id") else "the CPU"


def _current_place(array: Array) -> str:
    """Where kernels run now: CuPy launches on the current GPU, wherever the arrays are."""
    holder = library(array)
    return "the CPU" if holder is np else f"GPU {holder.cuda.runtime.getDevice()}"


def contiguous(array: Array) -> Array:
    """Return the array, or a copy of it, with its elements in order in memory."""
    return library(array).ascontiguousarray(array)


def empty(shape: tuple[int, ...], like: Array, dtype: Any = None) -> Array:
    """Return a new array where `like` is, of its dtype by default."""
    return library(like).empty(shape, dtype or like.dtype)


@lru_cache(4096)
def struct(dtype: np.dtype, *fields: Any) -> np.ndarray:
    """Return a struct, to be passed by value; its fields may be structs, as tuples.

    As plain bytes: CuPy would describe fields anew at each launch, longer than the launch takes.
    """
    return np.array([fields], dtype).view(f"V{dtype.itemsize}")


@lru_cache(4096)
def window_fields(
    size: Pair, out: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> tuple[int, ...]:
    """Return the fields of the struct that tells a kernel how windows lie.

    Raises:
        ValueError: positions along an axis do not fit 32 bits.
    """
    for i, o, k, s, p, d in zip(size, out, kernel_size, stride, padding, dilation, strict=True):
        reach = max(i + 2 * p + s, o * s + k * d)
        if reach > LARGEST:
            raise ValueError(f"a GPU kernel takes positions up to {LARGEST}; got {reach}")
    return *size, *out, *kernel_size, *stride, *padding, *dilation


def windows(*settings: Pair) -> np.ndarray:
    """Return that struct itself; the arguments are those of `window_fields`."""
    return struct(WINDOWS, *window_fields(*settings))
