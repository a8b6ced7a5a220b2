"""Files that are whole or not there: atomic writing, arrays by name, JSON.

Arrays are stored as safetensors: numbers and names only, so that loading executes nothing, and
PyTorch reads them too (`safetensors.torch.load_file`).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

KINDS = {"F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL", "C64"}
"""The types of numbers, as safetensors names them, that NumPy has."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that, whatever happens, either the old or the new content is there.

    The content goes to a temporary file in the same folder, is forced to the disk, and then takes
    the name over in one step.

    Raises:
        OSError: the folder cannot be written, or the disk is full; the old file is untouched.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes it private
            os.replace(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:  # name the file that was meant: a full disk names none
        raise OSError(error.errno, error.strerror, str(path)) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Force the folder's entry of a renamed file to the disk, where the system can do that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def save_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named arrays, and strings of metadata, as one safetensors file, atomically."""
    from safetensors.numpy import save

    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    write_atomically(path, save(contiguous, dict(metadata or {})))


def load_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read what `save_arrays` wrote, or any safetensors file: arrays and metadata.

    bfloat16 becomes float32, which holds each of its numbers.

    Raises:
        ValueError: the file is missing, truncated, no safetensors file, or holds a number type
            that NumPy lacks.
    """
    from safetensors import SafetensorError, deserialize, safe_open

    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        with safe_open(path, framework="np") as file:
            # The header gives the shapes in any order of names; files give them in one.
            kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
            _check_kinds(kinds)
            halves = [name for name, kind in kinds.items() if kind == "BF16"]
            raw = dict(deserialize(path.read_bytes())) if halves else {}
            arrays = {
                name: _from_bfloat16(raw[name]) if name in halves else file.get_tensor(name)
                for name in kinds
            }
            return arrays, dict(file.metadata() or {})
    except (SafetensorError, OSError, TypeError, AttributeError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: not a readable safetensors file ({reason})") from error


def _check_kinds(kinds: Mapping[str, str]) -> None:
    for name, kind in kinds.items():
        if kind not in KINDS | {"BF16"}:
            raise ValueError(
                f"{name!r} is of type {kind}, which NumPy lacks: convert it with PyTorch, as by"
                " tensor.float(), and save it again"
            )


def _from_bfloat16(tensor: Mapping[str, Any]) -> np.ndarray:
    return widen_bfloat16(np.frombuffer(tensor["data"], "<u2")).reshape(tensor["shape"])


def widen_bfloat16(bits: np.ndarray) -> np.ndarray:
    """Return as float32 what is stored in 16 bits as bfloat16: the upper half of a float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ValueError: it is missing, unreadable, or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not valid JSON"
        raise ValueError(f"{path}: {reason}") from error
