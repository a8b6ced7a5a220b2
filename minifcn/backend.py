"""NumPy or CuPy: which library holds an array, whether a GPU works, and moving arrays between."""

from __future__ import annotations

import os
import sys
from functools import cache
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""An array of NumPy or of CuPy; both understand the same operators and methods."""

DEVICES = ("auto", "cpu", "cuda")
VARIABLE = "MINIFCN_BACKEND"
"""The environment variable that decides about the GPU.

auto: the device 'auto' is the GPU where one works, and the CPU elsewhere. numpy: CuPy is never
imported, and 'cuda' refused. cupy: 'auto' is the GPU too, and an error where none works.
"""
BACKENDS = ("auto", "numpy", "cupy")

TRIAL = 'extern "C" __global__ void twice(float* x) { x[threadIdx.x] *= 2; }'
"""The kernel that shows whether a GPU can be programmed."""


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


def plain_array(value: Any) -> Array:
    """Return `value` as an array of NumPy or of CuPy, copied only if it is no array yet.

    A np.matrix, and other kinds of NumPy arrays with operators of their own, become plain arrays.

    Raises:
        TypeError: an array with a mask, which would be lost.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError("a masked array has no plain values: give its .filled(value)")
    return np.asarray(value) if library(value) is np else value


def to_device(array: Array, name: str) -> Array:
    """Return `array` on the device `name`, copied only if it is elsewhere.

    Raises:
        ValueError: `name` is no device, or is 'cuda' where no GPU can be used.
    """
    name = choose_device(name)
    if device(array) == name:
        return array
    cupy = sys.modules["cupy"]  # imported: it made the array, or choose_device tried it
    return cupy.asarray(array) if name == "cuda" else cupy.asnumpy(array)


def operand(value: Any, like: Array) -> Any:
    """Return a number as an array without axes where `like` is, a Python number in its dtype.

    Another array is returned as it is.

    Raises:
        TypeError: a list, or anything else that is no number and no array.
    """
    if not isinstance(value, (int, float, np.number)):
        if isinstance(value, np.generic) or is_array(value):
            return value
        raise TypeError(f"operands must be Tensors, arrays or numbers; got {value!r:.40}")
    weak = isinstance(value, (int, float)) and like.dtype.kind == "f"
    return library(like).full((), value, like.dtype if weak else np.result_type(value))


def take(array: Array, index: Any) -> Array:
    """Return array[index], where index may hold arrays; IndexError where it is out of range.

    A single element is a view too, as are slices, and not NumPy's copy of the number.
    """
    view, arrays = _view_and_arrays(array, index)
    return view[arrays]


def write(array: Array, index: Any, value: Any) -> None:
    """Set array[index] = value, where index may hold arrays; IndexError where out of range."""
    view, arrays = _view_and_arrays(array, index)
    view[arrays] = value


def put(values: Array, index: Any, shape: tuple[int, ...]) -> Array:
    """Add `values` into zeros of `shape` at `index`: the adjoint of `take`.

    On the CPU, in one order; where a GPU's additions meet in one place, they come in any order.
    """
    data = np.zeros(shape, values.dtype)
    view, arrays = _view_and_arrays(data, index)
    np.add.at(view, arrays, to_device(values, "cpu"))
    return to_device(data, device(values))


def _view_and_arrays(array: Array, index: Any) -> tuple[Array, tuple[Any, ...]]:
    """Apply the numbers and slices of an index; return the view, and what then indexes that.

    As in PyTorch, numbers come first: to NumPy a number beside an array is one more array, and
    array[0, :, [1, 2]] would have its axes in another order.
    """
    if device(array) == "cpu":
        index = _index_on_cpu(index)
    else:  # CuPy would wrap around what is out of range
        take(np.broadcast_to(np.int8(0), array.shape), index)
    parts = index if isinstance(index, tuple) else (index,)
    rest = [slice(None)] * (array.ndim - sum(map(_axes_indexed, parts)))
    first: list[Any] = []
    then: list[Any] = []
    for part in parts:
        if part is ...:
            first += rest
            then += rest
        elif part is None or isinstance(part, slice):
            first.append(part)
            then.append(slice(None))
        elif _axes_indexed(part) == 1 and _as_array(part).ndim == 0:
            first.append(part.item() if is_array(part) else part)
        else:
            first += [slice(None)] * _axes_indexed(part)
            then.append(part)
    return array[(*first, ...)], (*then, ...)


def _axes_indexed(part: Any) -> int:
    """How many axes a part of an index stands for: of a mask, all that the mask has."""
    if part is None or part is ... or isinstance(part, slice):
        return int(isinstance(part, slice))
    array = _as_array(part)
    return array.ndim if array.dtype == bool else 1


def _as_array(part: Any) -> Array:
    return part if is_array(part) else np.asarray(part)


def _index_on_cpu(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_index_on_cpu, index))
    return index if library(index) is np else to_device(index, "cpu")


def choose_device(name: str) -> str:
    """Return 'cpu' or 'cuda' for a name that may be 'auto': the GPU, where one works.

    Raises:
        ValueError: `name` is none of auto, cpu, cuda, or is 'cuda' where no GPU can be used; or
            MINIFCN_BACKEND asks for a GPU that cannot be used, or has a wrong value.
    """
    if name not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}; got {name!r}")
    backend = _wanted_backend()
    if name == "cpu":
        return name
    problem = why_no_gpu()
    if problem is None:
        return "cuda"
    if name == "auto" and backend != "cupy":
        return "cpu"
    advice = f"{VARIABLE}=cupy asks for it" if name == "auto" else "use 'cpu' or 'auto'"
    raise ValueError(f"device 'cuda' cannot be used: {problem}; {advice}")


def why_no_gpu() -> str | None:
    """Say in a few words why no GPU can be used; None where one can.

    The first call tries the GPU; the answer is kept (`try_gpu.cache_clear()` forgets it).

    Raises:
        ValueError: MINIFCN_BACKEND has a wrong value.
    """
    return f"{VARIABLE}=numpy rules it out" if _wanted_backend() == "numpy" else try_gpu()


def _wanted_backend() -> str:
    value = os.environ.get(VARIABLE) or "auto"
    if value not in BACKENDS:
        raise ValueError(f"{VARIABLE} must be one of {', '.join(BACKENDS)}; got {value!r}")
    return value


@cache
def try_gpu() -> str | None:
    """Compile and run a kernel and a matrix product on the GPU; return what went wrong, or None.

    That CuPy can be imported, or that it counts a device, does not mean that a GPU works: drivers,
    compilers and matrix libraries may be missing or too old, each found out at its first use only.
    """
    try:
        import cupy
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            return "CuPy is not installed (pip install -e '.[cuda13]', or '.[cuda12]')"
        return f"CuPy is installed but cannot be imported ({first_line(error)})"
    version = f"CuPy {cupy.__version__}"
    try:
        if cupy.cuda.runtime.getDeviceCount() == 0:
            return f"{version} is installed, but there is no GPU"
    except Exception as error:
        if cupy.cuda.runtime.driverGetVersion() == 0:
            return f"{version} is installed, but there is no CUDA driver"
        return f"{version} is installed, but cannot count the GPUs ({first_line(error)})"
    try:
        works = _computes_right(cupy)
    except Exception as error:
        return f"there is a GPU, but {version} cannot use it ({first_line(error)})"
    return None if works else f"there is a GPU, but it computes wrong results with {version}"


def _computes_right(cupy: ModuleType) -> bool:
    x = cupy.ones((2, 2), np.float32)
    cupy.RawKernel(TRIAL, "twice")((1,), (4,), (x,))
    return bool((cupy.asnumpy(x @ x) == 8).all())


def first_line(error: BaseException) -> str:
    """Return the first line of an error that says something, or what kind of error it is."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()),
                type(error).__name__)  # fmt: skip
