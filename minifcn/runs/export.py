"""Taking a run's network elsewhere: its weights for PyTorch, or all of it for ONNX.

A network of PyTorch with the same layers takes the weights, named as in a state_dict, with
`load_state_dict`; examples/torch_fcn.py is one. An ONNX file is the network itself, which
onnxruntime and others run; examples/onnx_predict.py does.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.onnx_export import export_onnx
from minifcn.runs.checkpoint import load_model
from minifcn.runs.config import Config
from minifcn.system.files import save_arrays, write_atomically

FORMATS = ("safetensors", "npz", "onnx")


def export_run(
    folder: Path, path: Path | None = None, format: str | None = None, checkpoint: str = "best"
) -> Path:
    """Write the weights of a run's network, running statistics included; return the file's path.

    A safetensors or ONNX file also has metadata, 'minifcn': a JSON object with the name of the
    'model' and its 'backbone', the names of the 'classes' and their colours, the 'palette', the
    'size' [H, W] of the images it was trained on, and their 'normalisation': 'scale', 'mean', 'std'
    and 'order', as in data.transforms.Normalisation.

    Args:
        folder: the run.
        path: the file to write; by default weights.FORMAT in the run's folder, or model.onnx.
        format: 'safetensors', 'npz' or 'onnx'; by default what the path ends in, or else
            safetensors.
        checkpoint: 'best' or 'last'.

    Raises:
        ValueError: the file is there already, its name does not end in the format, the run cannot
            be read, or what ONNX needs is not installed.
        OSError: the file cannot be written.
    """
    path = _choose_path(folder, path, format)
    if path.exists() or path.is_symlink():
        raise ValueError(f"{path}: is there already, and would be lost; choose another --out")
    config, model = load_model(folder, checkpoint)
    about = _about(config)
    if path.suffix == ".onnx":
        export_onnx(model, path, {**about, "input": _input(config)})
    elif path.suffix == ".npz":
        write_atomically(path, _npz(model.state_dict()))
    else:
        # One entry, for the library writes several in any order: the same run, the same file.
        save_arrays(path, model.state_dict(), {"minifcn": json.dumps(about)})
    return path


def _choose_path(folder: Path, path: Path | None, format: str | None) -> Path:
    if format not in (None, *FORMATS):
        raise ValueError(f"format must be one of {', '.join(FORMATS)}; got {format!r}")
    format = format or (FORMATS[0] if path is None else None)
    path = path or folder / ("model.onnx" if format == "onnx" else f"weights.{format}")
    allowed = [format] if format else FORMATS
    if path.suffix[1:] not in allowed:
        *others, last = [f".{ending}" for ending in allowed]
        endings = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"out must end in {endings}; got {path}")
    return path


def _about(config: Config) -> dict[str, Any]:
    return {
        "model": config.model,
        "backbone": config.backbone,
        "classes": list(config.classes),
        "palette": config.palette.tolist(),
        "size": config.size,
        "normalisation": asdict(config.normalisation),
    }


def _input(config: Config) -> str:
    """Say how the input of the network is made from an image."""
    how = config.normalisation
    return (
        f"float32 (N, 3, H, W): {', '.join(how.order)} from 0 to 255, divided by {how.scale:g},"
        f" minus {how.mean}, divided by {how.std}"
    )


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()
