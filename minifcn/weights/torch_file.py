"""State dicts that PyTorch saved, in its zip format (since 1.6) and in the older one.

In both, a pickle describes tensors: their shape and strides, and which storage their numbers are
in. The storages, plain numbers, are members of the zip archive, or follow the pickle in the file.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np

from minifcn.system.files import widen_bfloat16
from minifcn.weights.keys import brief
from minifcn.weights.numpy_file import NUMPY_GLOBALS, build_array
from minifcn.weights.pickles import Function, pairs_as_dict, unpickle
from minifcn.weights.zip_file import Archive

MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of a file in the older format; the second is the version below."""
VERSION = 1001
NESTED = ("state_dict", "model_state_dict", "model")
"""Where checkpoints keep a state_dict, beside other things."""


class StorageType(NamedTuple):
    """What a storage holds; bfloat16 is stored as 16 bits."""

    dtype: np.dtype
    bfloat16: bool = False


class Storage(NamedTuple):
    """A pickle's reference to numbers elsewhere in the file."""

    kind: StorageType
    key: str
    length: int


class Layout(NamedTuple):
    """A tensor as a pickle describes it: a view of a storage; all counted in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


Bytes: TypeAlias = bytes | memoryview


# -- The two formats -----------------------------------------------------------------------------


def read_zip(archive: Archive) -> dict[str, np.ndarray]:
    """Read a state_dict in PyTorch's zip format."""
    pickles = [name for name in archive.sizes if name.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise ValueError("a zip file, but neither .npz nor a state_dict of PyTorch")
    folder = pickles[0].removesuffix("data.pkl")
    order = f"{folder}byteorder"
    if order in archive.sizes and archive.read(order) != b"little":
        raise ValueError("its numbers are not little-endian")
    state, _ = _unpickle(io.BytesIO(archive.read(pickles[0])))
    return _tensors(state, lambda storage: archive.read(f"{folder}data/{storage.key}"))


def read_legacy(data: bytes) -> dict[str, np.ndarray]:
    """Read a state_dict in PyTorch's older format: five pickles, then the storages."""
    file = io.BytesIO(data)
    if any(_unpickle(file)[0] != number for number in (MAGIC, VERSION)):
        raise ValueError("a pickle, but not one that torch.save wrote")
    system, _ = _unpickle(file)
    if system["little_endian"] is not True:
        raise ValueError("its numbers are not little-endian")
    state, storages = _unpickle(file)
    keys, _ = _unpickle(file)
    contents, place = {}, file.tell()
    for key in keys:  # each storage follows its length
        if type(key) is not str or key not in storages:
            raise ValueError(f"storage {brief(key)} belongs to nothing")
        size = storages[key].length * storages[key].kind.dtype.itemsize
        if data[place : place + 8] != storages[key].length.to_bytes(8, "little"):
            raise ValueError(f"storage {brief(key)} is missing, or has another length")
        contents[key] = memoryview(data)[place + 8 : place + 8 + size]
        place += 8 + size
    return _tensors(state, lambda storage: contents[storage.key])


# -- The pickle ----------------------------------------------------------------------------------


def _unpickle(file: BinaryIO) -> tuple[Any, dict[str, Storage]]:
    """Read the next pickle, and the storages that it refers to, by their keys."""
    storages: dict[str, Storage] = {}

    def refer(reference: Any) -> Storage:
        storage = _storage(reference)
        if storages.setdefault(storage.key, storage) != storage:
            raise ValueError(f"storage {brief(storage.key)} is described in two ways")
        return storage

    return unpickle(file, TORCH_GLOBALS, _build, refer), storages


def _storage(reference: Any) -> Storage:
    if type(reference) is not tuple or len(reference) not in (5, 6):
        raise ValueError("the pickle refers to something that is no storage")
    tag, kind, key, _, length, *view = reference
    if tag != "storage" or type(kind) is not StorageType or type(key) is not str:
        raise ValueError("the pickle refers to something that is no storage")
    if type(length) is not int or not 0 <= length < 2**63 or any(view):
        raise ValueError(f"storage {brief(key)} has a length that is not supported")
    return Storage(kind, key, length)


def _layout(storage: Any, offset: Any, shape: Any, strides: Any, *_: object) -> Layout:
    """Stand in for torch._utils._rebuild_tensor_v2 (and for its elder, without the 2)."""
    if type(storage) is not Storage or type(shape) is not tuple or type(strides) is not tuple:
        raise ValueError("the pickle builds a tensor from something else than numbers")
    return Layout(storage, offset, shape, strides)


def _parameter(layout: Any, *_: object) -> Any:
    """Stand in for torch._utils._rebuild_parameter: a parameter is read as its tensor."""
    return layout


def _build(target: Any, state: Any) -> None:
    """Drop the attributes of a dict, where modules keep version numbers."""
    if type(target) is not dict:
        build_array(target, state)


def _storage_types() -> dict[str, StorageType]:
    codes = {
        "Double": "<f8", "Float": "<f4", "Half": "<f2", "Bool": "?", "Byte": "u1",
        "Char": "i1", "Short": "<i2", "Int": "<i4", "Long": "<i8",
    }  # fmt: skip
    types = {f"torch {name}Storage": StorageType(np.dtype(c)) for name, c in codes.items()}
    return types | {"torch BFloat16Storage": StorageType(np.dtype("<u2"), bfloat16=True)}


TORCH_GLOBALS = {
    **NUMPY_GLOBALS,  # checkpoints hold a score or two beside the weights
    **_storage_types(),
    "collections OrderedDict": Function(lambda pairs=(): pairs_as_dict(pairs)),
    "torch Size": Function(lambda sizes=(): tuple(sizes)),
    "torch._utils _rebuild_tensor": Function(_layout),
    "torch._utils _rebuild_tensor_v2": Function(_layout),
    "torch._utils _rebuild_parameter": Function(_parameter),
}
"""All that a state_dict's pickle may name."""


# -- The tensors ---------------------------------------------------------------------------------


def _tensors(value: Any, contents: Callable[[Storage], Bytes]) -> dict[str, np.ndarray]:
    """Turn the layouts of a state_dict into arrays; each storage is read once, and shared."""
    arrays: dict[Storage, np.ndarray] = {}
    tensors = {}
    for name, layout in _state_dict(value).items():
        _check_inside(name, layout)
        if layout.storage not in arrays:
            arrays[layout.storage] = _numbers(layout.storage, contents(layout.storage))
        tensors[name] = _view(arrays[layout.storage], layout)
    return tensors


def _state_dict(value: Any) -> dict[str, Layout]:
    """Find the state_dict in what a file holds."""
    if type(value) is not dict:
        raise ValueError(f"must hold a state_dict; got a {brief(type(value).__name__)}")
    inside = [value[name] for name in NESTED if type(value.get(name)) is dict]
    state = inside[0] if inside else value
    others = [name for name, item in state.items() if type(item) is not Layout]
    if others:
        first = type(state[others[0]]).__name__
        raise ValueError(
            f"must hold tensors only; {len(others)} of {len(state)} entries are none: the first,"
            f" {brief(others[0])}, is a {brief(first)}"
        )
    return {str(name): layout for name, layout in state.items()}


def _check_inside(name: str, layout: Layout) -> None:
    """Raise unless a tensor lies inside its storage, and has no more elements than that."""
    numbers = (layout.offset, *layout.shape, *layout.strides)
    if len(layout.shape) != len(layout.strides) or not all(
        type(n) is int and 0 <= n < 2**63 for n in numbers
    ):
        raise ValueError(
            f"{brief(name)}: offset {brief(layout.offset)}, shape {brief(layout.shape)} and strides"
            f" {brief(layout.strides)} make no tensor"
        )
    steps = zip(layout.shape, layout.strides, strict=True)
    last = layout.offset + sum((n - 1) * stride for n, stride in steps)
    size = math.prod(layout.shape)
    if size and (last >= layout.storage.length or size > layout.storage.length):
        raise ValueError(
            f"{brief(name)}: shape {brief(layout.shape)} reaches outside its storage of"
            f" {layout.storage.length} elements"
        )


def _numbers(storage: Storage, data: Bytes) -> np.ndarray:
    """Return the elements of a storage."""
    dtype, bfloat16 = storage.kind
    if len(data) != storage.length * dtype.itemsize:
        raise ValueError(
            f"storage {brief(storage.key)} must have {storage.length} elements of"
            f" {dtype.itemsize} bytes; got {len(data)} bytes"
        )
    numbers = np.frombuffer(data, dtype)
    return widen_bfloat16(numbers) if bfloat16 else numbers


def _view(numbers: np.ndarray, layout: Layout) -> np.ndarray:
    if 0 in layout.shape:
        return np.empty(layout.shape, numbers.dtype)
    strides = tuple(stride * numbers.itemsize for stride in layout.strides)
    return np.lib.stride_tricks.as_strided(
        numbers[layout.offset :], layout.shape, strides, writeable=False
    )
