"""NumPy or CuPy: which library holds an array, whether a GPU works, and moving arrays between."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""An array of NumPy or of CuPy; both understand the same operators and methods."""

DEVICES = ("auto", "cpu", "cuda")


def library(array: Array) -> ModuleType:
    """Return the module that holds `array`: numpy, or cupy for an array on a GPU."""
    # CuPy made the array, so CuPy is imported already; nothing here ever imports it.
    cupy = sys.modules.get("cupy")
    return cupy if cupy is not None and isinstance(array, cupy.ndarray) else np


def device(array: Array) -> str:
    """Return the device that holds `array`: 'cpu' or 'cuda'."""
    return "cpu" if library(array) is np else "cuda"


def is_array(value: object) -> bool:
    """Whether `value` is an array of NumPy or of CuPy."""
    return isinstance(value, np.ndarray) or library(value) is not np


def to_device(array: Array, name: str) -> Array:
    """Return `array` on the device `name`, copied only if it is elsewhere.

    Raises:
        ValueError: `name` is no device, or is 'cuda' where no GPU can be used.
    """
    name = choose_device(name)
    if device(array) == name:
        return array
    return sys.modules["cupy"].asnumpy(array)


def choose_device(name: str) -> str:
    """Return 'cpu' or 'cuda' for a name that may be 'auto'.

    Raises:
        ValueError: `name` is none of auto, cpu, cuda, or is 'cuda' where no GPU can be used.
    """
    if name not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}; got {name!r}")
    if name == "cuda":
        raise ValueError(f"device 'cuda' cannot be used: {why_no_gpu()}; use 'cpu' or 'auto'")
    return "cpu"


def why_no_gpu() -> str:
    """Say in a few words why no GPU is used."""
    return "this version of minifcn has NumPy kernels only"
