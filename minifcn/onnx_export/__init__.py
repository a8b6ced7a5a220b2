"""A network as an ONNX file, which runs without minifcn: in onnxruntime, in browsers, on phones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import minifcn
from minifcn import nn
from minifcn.onnx_export import check
from minifcn.onnx_export.graph import IR_VERSION, OPSET, Graph
from minifcn.onnx_export.networks import TRANSLATIONS
from minifcn.system.files import write_atomically

__all__ = ["export_onnx"]

MAX_BYTES = 2**31 - 2**20
"""Of all weights: a protocol buffer has at most 2 GiB."""

INSTALL = "pip install 'minifcn[onnx]', in a checkout pip install -e '.[onnx]'"


def export_onnx(model: nn.Module, path: Path, about: Mapping[str, Any] | None = None) -> None:
    """Write a network as an ONNX file: 'images' (N, 3, H, W) in, 'scores' (N, C, ...) out.

    N, H and W are free. The weights keep the names that they have in `state_dict`. Before anything
    is written, the file is checked, and its scores of noise in two sizes are compared with the
    network's own: within 1e-4 of the largest one.

    Args:
        model: one of `minifcn.models`, in evaluation mode, of float32.
        path: the file to write.
        about: what the metadata say, as JSON under 'minifcn', and each entry by itself.

    Raises:
        ValueError: onnx or onnxruntime is not installed; the network has a part that is unknown
            here, is being trained, is not of float32, is too large for one file, or its scores
            are not those of the graph.
        OSError: the file cannot be written.
    """
    _check_installed()
    _check_model(model)
    content = _build(model, about or {})
    check.compare(model, content)
    write_atomically(Path(path), content)


def _check_installed() -> None:
    for package in ("onnx", "onnxruntime"):
        try:
            import_module(package)
        except ImportError:
            raise ValueError(
                f"ONNX needs a package that is not installed, {package}: {INSTALL}"
            ) from None


def _check_model(model: nn.Module) -> None:
    if any(module.training for module in model.modules()):
        raise ValueError("model must be in evaluation mode; got one in training: call model.eval()")
    for name, tensor in model.named_tensors():
        if tensor.dtype not in (np.float32, np.int64):
            raise ValueError(
                f"model must be of float32, for which runtimes are made; got {name} of"
                f" {tensor.dtype}: call model.to(dtype=np.float32)"
            )
    size = sum(tensor.data.nbytes for _, tensor in model.named_tensors())
    if size > MAX_BYTES:
        raise ValueError(f"model must have at most {MAX_BYTES:,} bytes of weights; got {size:,}")


def _build(model: nn.Module, about: Mapping[str, Any]) -> bytes:
    """Return the bytes of the file, the same for the same network."""
    from onnx import checker, helper, numpy_helper

    graph = Graph(model, TRANSLATIONS)
    graph.add("Identity", graph(model, "images"), name="scores")
    constants = [numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    body = helper.make_graph(
        graph.nodes,
        type(model).__name__,
        [_value("images", ("N", 3, "H", "W"))],
        [_value("scores", _output_shape(model))],
        constants,
    )
    proto = helper.make_model(
        body,
        producer_name="minifcn",
        producer_version=minifcn.__version__,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    helper.set_model_props(proto, _properties(about))
    checker.check_model(proto, full_check=True)
    return proto.SerializeToString(deterministic=True)


def _value(name: str, shape: Sequence[int | str]) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _output_shape(model: nn.Module) -> list[int | str]:
    """Such as (N, 6, H, W), by what the network makes of an image; other sizes have other names."""
    images = np.zeros(check.SHAPES[0], np.float32)
    _, channels, *size = check.scores(model, images).shape
    names = ("H", "W") if tuple(size) == images.shape[2:] else ("rows", "columns")
    return ["N", channels, *names[: len(size)]]


def _properties(about: Mapping[str, Any]) -> dict[str, str]:
    """The metadata: all as JSON, and each entry to be read by a human."""
    texts = {name: v if isinstance(v, str) else json.dumps(v) for name, v in about.items()}
    return {"minifcn": json.dumps(about), **texts} if about else {}
