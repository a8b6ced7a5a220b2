"""Taking a run's weights elsewhere: one file of arrays, under the names of a PyTorch state_dict.

A network of PyTorch with the same layers takes them with `load_state_dict`; examples/torch_fcn.py
is one.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.runs.checkpoint import load_model
from minifcn.system.files import save_arrays, write_atomically

FORMATS = ("safetensors", "npz")


def export_run(
    folder: Path, path: Path | None = None, format: str | None = None, checkpoint: str = "best"
) -> Path:
    """Write the weights of a run's network, running statistics included; return the file's path.

    A safetensors file also has metadata, 'minifcn': a JSON object with the name of the 'model',
    the names of its 'classes', and the 'size' [H, W] of the images it was trained on.

    Args:
        folder: the run.
        path: the file to write; by default weights.FORMAT in the run's folder.
        format: 'safetensors' or 'npz'; by default what the path ends in, or else safetensors.
        checkpoint: 'best' or 'last'.

    Raises:
        ValueError: the file is there already, its name does not end in the format, or the run
            cannot be read.
        OSError: the file cannot be written.
    """
    if format not in (None, *FORMATS):
        raise ValueError(f"format must be one of {', '.join(FORMATS)}; got {format!r}")
    path = path or folder / f"weights.{format or FORMATS[0]}"
    allowed = [format] if format else FORMATS
    if path.suffix[1:] not in allowed:
        raise ValueError(f"out must end in {' or '.join(f'.{f}' for f in allowed)}; got {path}")
    format = path.suffix[1:]
    if path.exists() or path.is_symlink():
        raise ValueError(f"{path}: is there already, and would be lost; choose another --out")
    config, model = load_model(folder, checkpoint)
    state = model.state_dict()
    if format == "npz":
        write_atomically(path, _npz(state))
    else:
        about: dict[str, Any] = {
            "model": config.model,
            "classes": list(config.classes),
            "size": config.size,
        }
        about |= {"backbone": config.backbone, "normalisation": asdict(config.normalisation)}
        # One entry, for the library writes several in any order: the same run, the same file.
        save_arrays(path, state, {"minifcn": json.dumps(about)})
    return path


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()
