"""Whether an ONNX file computes what the network does: run by onnxruntime, and compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn import nn
from minifcn.backend import first_line, to_device
from minifcn.tensor import Tensor, no_grad

SHAPES = ((1, 3, 33, 50), (2, 3, 64, 47))
"""Of the images that are compared: two sizes, so that none can be built in; not all multiples."""

TOLERANCE = 1e-4
"""The largest difference of two scores, in parts of the largest score."""


def compare(model: nn.Module, content: bytes) -> None:
    """Run the file and the network on the same noise.

    Raises ValueError where a score differs, or is not finite.
    """
    session = open_session(content)
    for i, shape in enumerate(SHAPES):
        x = np.random.default_rng(i).standard_normal(shape).astype(np.float32)
        expected, found = scores(model, x), _run(session, x)
        if not np.isfinite(expected).all():
            raise ValueError(f"model must have finite scores; got others on noise of {shape}")
        if difference := _difference(expected, found):
            raise ValueError(
                f"{type(model).__name__} and its ONNX graph {difference} on noise of {shape}: its"
                " translation in onnx_export/networks.py must be mended"
            )


def _run(session: Any, images: np.ndarray) -> np.ndarray:
    try:
        return session.run(None, {"images": images})[0]
    except Exception as error:  # of onnxruntime, whose exceptions have no class in common
        raise ValueError(f"onnxruntime cannot run this network: {first_line(error)}") from error


def _difference(expected: np.ndarray, found: np.ndarray) -> str:
    """Say how scores differ; '' if they do not."""
    if found.shape != expected.shape:
        return f"give scores of {expected.shape} and {found.shape}"
    difference = np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30)
    same = difference <= TOLERANCE  # not so for NaN
    return "" if same else f"differ by {difference:.1e} of the largest score"


def scores(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """Return the network's own scores of images (N, 3, H, W)."""
    device = next((p.device for p in model.parameters()), "cpu")
    with no_grad(), np.errstate(all="ignore"):
        return model(Tensor(to_device(images, device))).numpy()


def open_session(content: bytes) -> Any:
    """Let onnxruntime read a file; on one core, which a comparison does not need more of."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
