"""Arrays as NumPy stores them: .npz files, and arrays inside of pickles."""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np

from minifcn.weights.keys import brief
from minifcn.weights.pickles import Function, unpickle
from minifcn.weights.zip_file import Archive

MAX_ITEMS = 1_000_000
"""How many items the lists, tuples and dicts of a pickle may hold together."""


# -- Files ---------------------------------------------------------------------------------------


def read_npz(archive: Archive) -> dict[str, np.ndarray]:
    """Read the arrays of a .npz file."""
    arrays = {}
    for name in archive.sizes:
        try:
            arrays[name.removesuffix(".npy")] = _read_npy(archive.read(name))
        except ValueError as error:
            raise ValueError(f"{brief(name)}: {error}") from error
    return arrays


def _read_npy(data: bytes) -> np.ndarray:
    """Read an array in NumPy's format: magic, version, header, numbers; never a pickle."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"npy format {version} is not supported")
    shape, fortran, dtype = readers[version](file)
    return as_array(memoryview(data)[file.tell() :], dtype, shape, fortran)


def as_array(
    data: bytes | memoryview, dtype: np.dtype, shape: Any, fortran: bool = False
) -> np.ndarray:
    """Return bytes as an array in this machine's byte order.

    Raises:
        ValueError: dtype is not boolean, whole or real numbers, or the bytes are not just as many
            as the shape needs.
    """
    if dtype.kind not in "biuf":
        raise ValueError(f"arrays must be of real numbers; got {brief(str(dtype))}")
    if type(shape) is not tuple or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"a shape must be numbers that are not negative; got {brief(shape)}")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"shape {brief(shape)} of {dtype} does not fit {len(data)} bytes")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="))


# -- Pickles -------------------------------------------------------------------------------------


def numpy_pickle(data: bytes) -> Any:
    """Read a pickle that holds plain data and arrays (see `minifcn.weights.read_numpy_pickle`)."""
    value = unpickle(io.BytesIO(data), NUMPY_GLOBALS, build_array)
    _check_plain(value)
    return value


class NumberType:
    """A dtype while it is read: its code comes first, its byte order later."""

    def __init__(self, code: Any, *_: object) -> None:
        if not isinstance(code, str) or not re.fullmatch("b1|[iu][1248]|f[248]", code):
            raise ValueError(f"arrays must be of real numbers; got dtype {brief(code)}")
        self.dtype = np.dtype(code)


def build_array(target: Any, state: Any) -> None:
    """Give an array, or its number type, the state that the pickle has for it.

    An array has (version, shape, number type, whether in Fortran's order, bytes); a number type
    has its byte order second. Nothing else may have a state.
    """
    if type(target) is NumberType:
        target.dtype = target.dtype.newbyteorder(state[1])
    elif type(target) is np.ndarray:
        _, shape, kind, fortran, data = state
        array = as_array(_as_bytes(data), kind.dtype, shape, bool(fortran))
        checked: Any = (1, array.shape, array.dtype, False, array.tobytes())
        target.__setstate__(checked)
    else:
        raise ValueError(f"the pickle sets the state of a {brief(type(target).__name__)}")


def _new_array(*_: object) -> np.ndarray:
    """Make an array that gets its state later."""
    return np.empty(0, np.float32)


def _scalar(kind: Any, data: Any) -> Any:
    return as_array(_as_bytes(data), kind.dtype, ())[()]


def _as_bytes(data: Any) -> bytes:
    """Return the bytes that Python 2 called a string."""
    if type(data) not in (bytes, str):
        raise ValueError(f"an array must be given as bytes; got {brief(type(data).__name__)}")
    return data.encode("latin-1") if isinstance(data, str) else data


def _encode(text: str, encoding: str) -> bytes:
    """Return bytes as Python 3 writes them in protocol 2, where there were none."""
    if encoding != "latin1":
        raise ValueError(f"the pickle encodes bytes as {brief(encoding)}")
    return text.encode("latin-1")


NUMPY_GLOBALS = {
    "numpy ndarray": None,  # only ever an argument, and not looked at
    "numpy dtype": Function(NumberType),
    "numpy.core.multiarray _reconstruct": Function(_new_array),
    "numpy.core.multiarray scalar": Function(_scalar),
    "numpy._core.multiarray _reconstruct": Function(_new_array),
    "numpy._core.multiarray scalar": Function(_scalar),
    "_codecs encode": Function(_encode),
    "__builtin__ bytes": Function(lambda: b""),  # likewise, where it is empty
}
"""All that a pickle of arrays may name."""

PLAIN = (str, bytes, bool, int, float, type(None), np.ndarray, np.number, np.bool_)


def _check_plain(value: Any) -> None:
    """Raise for what is no plain data, and for too many items.

    Such as a list that holds itself, or that holds another ten times that holds another ten times:
    small as a file, and endless for whoever goes through it.
    """
    waiting, count = [value], 0
    while waiting:
        item = waiting.pop()
        if type(item) in (list, tuple, dict):
            waiting.extend(item.values() if type(item) is dict else item)
            count += len(item)
        elif not isinstance(item, PLAIN):
            raise ValueError(f"the pickle holds a {brief(type(item).__name__)}, not only arrays")
        if count > MAX_ITEMS:
            raise ValueError(f"the pickle holds more than {MAX_ITEMS:,} items")
