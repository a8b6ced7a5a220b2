"""The page of an operation in a notebook, for the reader's own arrays."""

from __future__ import annotations

import html
import os
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.explain.operations import OPERATIONS
from minifcn.explain.page import check_operation, make_page
from minifcn.system.files import write_atomically
from minifcn.tensor import Tensor

MOST = (4, 12, 12)
"""Channels, rows and columns that a page shows."""

_PAIRS = ("kernel", "stride", "padding", "dilation", "output_padding", "out")


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
        frame = 'width="100%" height="760" style="border: 1px solid #888"'
        return f'<iframe {frame} srcdoc="{html.escape(self.page)}"></iframe>'


def explain(operation: str, *arrays: Any, **settings: Any) -> Explanation:
    """Show an operation on your own arrays, step by step.

    Args:
        operation: a name of `OPERATIONS`, as in functional.
        arrays: the input, (C, H, W), (H, W) or (1, C, H, W), of at most 4 channels of 12x12; then
            the weight as the operation takes it, or the indices of max_unpool2d; for 'iou' the
            confusion matrix (C, C), for 'cross_entropy' the scores (C,). Without any, numbers are
            drawn.
        settings: those of the operation, such as stride=2.

    Raises:
        ValueError: there is no such operation or setting, or an array does not fit.
        TypeError: an array does not hold numbers.
    """
    check_operation(operation)
    first = OPERATIONS[operation].settings
    own: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in first:
            known = ", ".join(first)
            raise ValueError(f"{operation} has the settings {known}; got {name!r}")
        own[name] = list(_pair(name, value)) if name in _PAIRS else value
    given = {}
    for key, array in zip(_keys(operation, own), arrays, strict=False):
        given[key] = _checked(key, array, operation)
    if len(arrays) > len(given):
        raise ValueError(f"{operation} takes {len(given)} arrays; got {len(arrays)}")
    own = _sizes(operation, given) | own
    embedded = {
        key: {"shape": list(array.shape), "data": array.ravel().tolist()}
        for key, array in given.items()
    }
    return Explanation(make_page([operation], {"settings": own, "arrays": embedded}))


def _pair(name: str, value: Any) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(n, int) for n in pair):
        raise ValueError(f"{name} must be a whole number or a pair; got {value!r}")
    return pair[0], pair[1]


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


def _checked(key: str, array: Any, operation: str) -> np.ndarray:
    """Return an array of numbers in the shape that the page has for it."""
    numbers = np.asarray(array.data if isinstance(array, Tensor) else array)
    if numbers.dtype.kind not in "fiub":
        raise TypeError(f"{key} must hold numbers; got {numbers.dtype}")
    if key in ("x", "indices"):
        if numbers.ndim == 4 and len(numbers) == 1:
            numbers = numbers[0]
        if numbers.ndim == 2:
            numbers = numbers[None]
        fits = numbers.ndim == 3 and all(
            1 <= n <= most for n, most in zip(numbers.shape, MOST, strict=True)
        )
        if not fits and operation != "col2im":
            raise ValueError(f"{key} must be (C, H, W) of at most 4 x 12 x 12; got {numbers.shape}")
    elif key == "scores":
        numbers = numbers.reshape((1, 1, -1))
    elif key == "matrix":
        if numbers.ndim != 2 or numbers.shape[0] != numbers.shape[1]:
            raise ValueError(f"matrix must be (C, C); got {numbers.shape}")
        numbers = numbers[None]
    return numbers.astype(np.float64)


def _sizes(operation: str, given: dict[str, np.ndarray]) -> dict[str, Any]:
    """The settings that follow from the arrays' shapes."""
    found: dict[str, Any] = {}
    if "x" in given and operation != "col2im":
        found |= {"channels": given["x"].shape[0], "size": list(given["x"].shape[1:])}
    if "weight" in given:
        shape = given["weight"].shape
        found["filters"] = shape[1] if operation == "conv_transpose2d" else shape[0]
        if len(shape) == 4:
            found["kernel"] = list(shape[2:])
    for key in ("scores", "matrix"):
        if key in given:
            found["classes"] = given[key].shape[-1]
    return found
