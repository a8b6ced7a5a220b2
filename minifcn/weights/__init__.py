"""Weights of other projects, read safely: nothing that a file says is ever executed.

`read_weights` reads .safetensors, .npz and PyTorch's .pth and .pt, without PyTorch, and
`read_numpy_pickle` plain pickles of NumPy arrays. Every damaged or hostile file is one ValueError
of one line that names the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from minifcn.system.files import load_arrays
from minifcn.weights.keys import check_keys, check_like
from minifcn.weights.numpy_file import numpy_pickle, read_npz
from minifcn.weights.torch_file import read_legacy, read_zip
from minifcn.weights.zip_file import Archive, explained

__all__ = ["check_keys", "check_like", "read_numpy_pickle", "read_weights"]

PICKLE = b"\x80"
"""How every pickle of protocol 2 or later begins."""


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read named arrays from a .safetensors, .npz, .pth or .pt file; its content says which it is.

    A file of PyTorch may hold the state_dict itself, or in an entry 'state_dict',
    'model_state_dict' or 'model'. bfloat16 becomes float32. The arrays may be read-only.

    Raises:
        ValueError: the file is missing, damaged, of another kind, asks for anything but arrays,
            or holds something that is no array of numbers.
    """
    path = Path(path)
    start = _start(path)
    if path.suffix == ".safetensors" or start[8:9] == b"{":  # after a length, which may be any
        return load_arrays(path)[0]
    with explained(path):
        if start.startswith(b"PK"):
            return _read_zip(path)
        if start.startswith(PICKLE):
            return read_legacy(path.read_bytes())
        raise ValueError("neither safetensors, npz, nor a state_dict of PyTorch")


def read_numpy_pickle(path: Path) -> Any:
    """Read a pickle of lists, tuples, dicts, strings, numbers and NumPy arrays, and nothing else.

    Pickles of Python 2, with its NumPy, are read too; dicts have strings or numbers as keys.

    Raises:
        ValueError: the file is missing, damaged, or asks for anything else.
    """
    path = Path(path)
    start = _start(path)
    with explained(path):
        if not start.startswith(PICKLE):
            raise ValueError("not a pickle of protocol 2 or later")
        return numpy_pickle(path.read_bytes())


def _start(path: Path) -> bytes:
    """The first bytes of a file."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    with explained(path), open(path, "rb") as file:
        return file.read(16)


def _read_zip(path: Path) -> dict[str, np.ndarray]:
    with Archive(path) as archive:
        if all(name.endswith(".npy") for name in archive.sizes):
            return read_npz(archive)
        return read_zip(archive)
