"""The page of an operation in a notebook, for the reader's own arrays."""

from __future__ import annotations

import html
import os
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.explain.operations import CHOICES, OPERATIONS, RANGES
from minifcn.explain.page import check_operation, make_page
from minifcn.kernels import geometry
from minifcn.system.files import write_atomically
from minifcn.tensor import Tensor

_PAIRS = ("size", "kernel", "stride", "padding", "dilation", "output_padding", "out")


class Explanation:
    """A page that a notebook shows where a cell returns it.

    Attributes:
        page: its HTML.
    """

    def __init__(self, page: str) -> None:
        self.page = page

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page into a file, and return its path."""
        write_atomically(Path(path), self.page.encode())
        return Path(path)

    def _repr_html_(self) -> str:
        frame = 'title="minifcn explain" width="100%" height="760" style="border: 1px solid #888"'
        return f'<iframe {frame} srcdoc="{html.escape(self.page)}"></iframe>'


def explain(operation: str, *arrays: Any, **settings: Any) -> Explanation:
    """Show an operation on your own arrays, step by step.

    Args:
        operation: a name of `OPERATIONS`, as in functional.
        arrays: the input, (C, H, W), (H, W) or (1, C, H, W), of at most 4 channels of 12x12; then
            the weight as the operation takes it, or the indices of max_unpool2d; for 'col2im' the
            columns (C KH KW, OH OW), for 'iou' the confusion matrix (C, C), for 'cross_entropy'
            the scores (C,). Without any, numbers are drawn.
        settings: those of the operation, such as stride=2.

    Raises:
        ValueError: there is no such operation or setting, an array does not fit, or has numbers
            that are not finite.
        TypeError: an array does not hold numbers.
    """
    check_operation(operation)
    own = {name: _checked_setting(operation, name, value) for name, value in settings.items()}
    keys = _keys(operation, own)
    if len(arrays) > len(keys):
        raise ValueError(f"{operation} takes at most {len(keys)} arrays; got {len(arrays)}")
    given = {key: _numbers(key, array) for key, array in zip(keys, arrays, strict=False)}
    own = _sizes(operation, given) | own
    whole = OPERATIONS[operation].settings | own
    for key, array in given.items():
        _check_array(operation, whole, key, array)
    if operation == "cross_entropy" and whole["label"] >= whole["classes"]:
        raise ValueError(f"label must be less than {whole['classes']}; got {whole['label']}")
    embedded = {
        key: {"shape": list(array.shape), "data": array.ravel().tolist()}
        for key, array in given.items()
    }
    return Explanation(make_page([operation], {"settings": own, "arrays": embedded}))


# -- Settings ------------------------------------------------------------------------------------


def _checked_setting(operation: str, name: str, value: Any) -> Any:
    known = OPERATIONS[operation].settings
    if name not in known:
        raise ValueError(f"{operation} has the settings {', '.join(known)}; got {name!r}")
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise ValueError(f"{name} must be one of {CHOICES[name]}; got {value!r}")
        return value
    numbers = (value, value) if name in _PAIRS and isinstance(value, int) else value
    numbers = tuple(numbers) if isinstance(numbers, tuple | list) else (numbers,)
    low, high = RANGES[name]
    if len(numbers) != 1 + (name in _PAIRS) or not all(
        isinstance(n, int) and low <= n <= high for n in numbers
    ):
        what = "a whole number or a pair of them" if name in _PAIRS else "a whole number"
        raise ValueError(f"{name} must be {what} from {low} to {high}; got {value!r}")
    return list(numbers) if name in _PAIRS else numbers[0]


def _keys(operation: str, settings: dict[str, Any]) -> tuple[str, ...]:
    if operation == "iou":
        return ("matrix",)
    if operation == "cross_entropy":
        return ("scores",)
    if operation in ("conv2d", "conv_transpose2d", "conv1x1"):
        return ("x", "weight")
    if operation == "max_unpool2d" and settings.get("way", "switches") == "switches":
        return ("x", "indices")
    return ("x",)


def _sizes(operation: str, given: dict[str, np.ndarray]) -> dict[str, Any]:
    """The settings that follow from the arrays' shapes."""
    found: dict[str, Any] = {}
    if "x" in given and operation != "col2im" and given["x"].ndim == 3:
        found |= {"channels": given["x"].shape[0], "size": list(given["x"].shape[1:])}
    if "weight" in given and given["weight"].ndim in (2, 4):
        shape = given["weight"].shape
        found["filters"] = shape[1] if operation == "conv_transpose2d" else shape[0]
        if len(shape) == 4:
            found["kernel"] = list(shape[2:])
    for key in ("scores", "matrix"):
        if key in given:
            found["classes"] = given[key].shape[-1]
    return found


# -- Arrays --------------------------------------------------------------------------------------


def _numbers(key: str, array: Any) -> np.ndarray:
    """Return an array of finite numbers with the axes that the page has for it."""
    numbers = np.asarray(array.data if isinstance(array, Tensor) else array)
    if numbers.dtype.kind not in "fiub":
        raise TypeError(f"{key} must hold numbers; got {numbers.dtype}")
    if not np.isfinite(numbers).all():
        raise ValueError(f"{key} must hold finite numbers")
    if key in ("x", "indices") and numbers.ndim == 4 and len(numbers) == 1:
        numbers = numbers[0]
    axes = {"x": 3, "indices": 3, "matrix": 3, "scores": 3}.get(key, numbers.ndim)
    lacking = max(axes - numbers.ndim, 0) if numbers.ndim >= (1 if key == "scores" else 2) else 0
    return numbers.reshape((1,) * lacking + numbers.shape).astype(np.float64)


def _check_array(operation: str, settings: dict[str, Any], key: str, array: np.ndarray) -> None:
    """Raise ValueError unless the page can show this array."""
    wanted, words = _shape(operation, settings, key)
    limits = [RANGES.get(word, (1, 100)) for word in words]
    fits = array.shape == wanted and all(
        low <= n <= high for n, (low, high) in zip(array.shape, limits, strict=True)
    )
    if not fits and key == "x" and operation != "col2im":
        raise ValueError(
            f"{key} must be (C, H, W) of at most 4 x 12 x 12, of the settings; got {array.shape}"
        )
    if not fits:
        axes = "(C, C)" if key == "matrix" else str(wanted)
        high = max(high for _, high in limits)
        raise ValueError(
            f"{key} must be {axes}, of at most {high} along an axis; got {array.shape}"
        )
    whole = (array == np.round(array)).all() and (array >= 0).all()
    if key == "matrix" and not whole:
        raise ValueError("matrix must hold counts")
    if key == "indices" and not (whole and (array < prod(_unpooled(settings))).all()):
        raise ValueError(f"indices must be from 0 to {prod(_unpooled(settings)) - 1}")


def _unpooled(settings: dict[str, Any]) -> tuple[int, int]:
    h, w = (n * k for n, k in zip(settings["size"], settings["kernel"], strict=True))
    return h, w


def _shape(
    operation: str, settings: dict[str, Any], key: str
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The shape that an array has to have, and for each axis the setting whose range it has."""
    s = {"groups": 1, "filters": 1, "channels": 1} | settings
    channels, filters, groups = s["channels"], s["filters"], s["groups"]
    if key == "scores":
        return (1, 1, s["classes"]), ("", "", "classes")
    if key == "matrix":
        return (1, s["classes"], s["classes"]), ("", "classes", "classes")
    if key == "weight" and operation == "conv1x1":
        return (filters, channels), ("filters", "channels")
    if key == "weight":
        first, second = (channels, filters) if "transpose" in operation else (filters, channels)
        axes = ("filters", "channels", "kernel", "kernel")
        return (first, second // groups, *s["kernel"]), axes
    if operation == "col2im":
        window = (tuple(s[name]) for name in ("size", "kernel", "stride", "padding", "dilation"))
        out = geometry.output_pair(*window)
        return (1, channels * prod(s["kernel"]), prod(out)), ("", "", "")
    return (channels, *s["size"]), ("channels", "size", "size")
