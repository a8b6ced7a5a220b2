"""What a kernel is called with: checked against its parameters, and laid out as C wants it."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from minifcn.cuda_on_cpu.library import Parameter

SCALARS: dict[str, type[np.generic]] = {
    "bool": np.bool_,
    "char": np.int8,
    "signed char": np.int8,
    "unsigned char": np.uint8,
    "short int": np.int16,
    "short unsigned int": np.uint16,
    "int": np.int32,
    "unsigned int": np.uint32,
    "long int": np.int64,
    "long unsigned int": np.uint64,
    "long long int": np.int64,
    "long long unsigned int": np.uint64,
    "float": np.float32,
    "double": np.float64,
}
"""The NumPy type of each C type, as g++ spells it."""

VECTOR = re.compile(r"(int|float|double)[1-4]")
"""Structs of numbers: where float4* is wanted, an array of float32 will do."""


class Arguments:
    """The arguments of one call, kept alive; `address` is that of an array of pointers to them."""

    def __init__(self, kernel: str, parameters: Sequence[Parameter], values: Sequence[Any]) -> None:
        if not isinstance(values, tuple | list):
            raise TypeError(f"{kernel}: args must be a tuple; got {_describe(values)}")
        if len(values) != len(parameters):
            wanted = ", ".join(map(str, parameters))
            raise TypeError(
                f"{kernel} takes {len(parameters)} arguments ({wanted}); got {len(values)}"
            )
        self._kept = [
            _pack(f"{kernel}: argument {i} ({parameter})", parameter, value)
            for i, (parameter, value) in enumerate(zip(parameters, values, strict=True), 1)
        ]
        self._pointers = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, self._kept))
        self.address = ctypes.addressof(self._pointers)


def _pack(what: str, parameter: Parameter, value: Any) -> Any:
    """Return a ctypes object that has the bytes of an argument."""
    if parameter.type.endswith("*"):
        return _pack_pointer(what, parameter, value)
    wanted = SCALARS.get(parameter.type)
    if wanted is None:
        return _pack_struct(what, parameter.size, value)
    if not isinstance(value, np.generic) or value.dtype != wanted:
        raise TypeError(f"{what} must be a np.{wanted.__name__}; got {_describe(value)}")
    return _copy(value)


def _pack_struct(what: str, size: int, value: Any) -> Any:
    is_struct = isinstance(value, np.ndarray) and value.dtype.kind == "V" and value.size == 1
    if not is_struct or value.nbytes != size:
        raise TypeError(
            f"{what} must be a structured array with one element of {size} bytes;"
            f" got {_describe(value)}"
        )
    return _copy(value)


def _copy(value: Any) -> Any:
    return ctypes.create_string_buffer(value.tobytes(), value.nbytes)


def _pack_pointer(what: str, parameter: Parameter, value: Any) -> Any:
    if value is None:
        return ctypes.c_void_p(None)
    pointed, is_const = re.subn("^const ", "", parameter.type[:-1].strip())
    _check_type(what, pointed, parameter.pointed_size, value)
    if not (value.flags.c_contiguous and value.flags.aligned):
        raise ValueError(f"{what} must be C-contiguous and aligned; got {_describe(value)}")
    if not (is_const or value.flags.writeable):
        raise ValueError(f"{what} may be written to, as it is not const; got a read-only array")
    return ctypes.c_void_p(value.ctypes.data)


def _check_type(what: str, pointed: str, size: int, array: Any) -> None:
    """Check that `array` is one, of what the pointer points to."""
    number = pointed[:-1] if VECTOR.fullmatch(pointed) else pointed
    wanted = SCALARS.get(number)
    expected = wanted.__name__ if wanted else f"structs of {size} bytes"
    if isinstance(array, np.ndarray):
        if pointed == "void" or (wanted and array.dtype == wanted):
            return
        if not SCALARS.get(pointed) and array.dtype.fields and array.itemsize == size:
            return
    raise TypeError(f"{what} must be an array of {expected}, or None; got {_describe(array)}")


def _describe(value: Any) -> str:
    """Say what came: 'an array of float64 (2, 3)', 'the int 3'."""
    if isinstance(value, np.ndarray):
        kind = f"structs of {value.itemsize} bytes" if value.dtype.fields else value.dtype
        strides = "" if value.flags.c_contiguous else f" with strides {value.strides}"
        return f"an array of {kind} {value.shape}{strides}"
    if isinstance(value, np.generic):
        return f"a np.{value.dtype}"
    number = f" {value!r}" if isinstance(value, int | float) else ""
    return f"the Python {type(value).__name__}{number}"
