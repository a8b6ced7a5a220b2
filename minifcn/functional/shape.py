"""Padding, cropping and concatenation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minifcn.backend import library
from minifcn.functional.arguments import check_dim, check_tensor
from minifcn.kernels.checks import check_device, whole_numbers
from minifcn.tensor import Tensor, record

_NUMPY_MODES = {"reflect": "reflect", "replicate": "edge"}


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """Add rows and columns around a tensor, or, with negative numbers, crop them.

    Args:
        input: a tensor of any shape.
        pad: amounts (left, right, top, bottom, ...): two for the last axis, then two for the one
            before, and so on. Cropping is the adjoint of padding with zeros.
        mode: 'constant' (`value`), 'replicate' (repeat the border) or 'reflect' (mirror at it).
        value: what to pad with, in mode 'constant'.

    Raises:
        ValueError: a wrong number of amounts, an unknown mode, or nothing left after cropping.
    """
    check_tensor(input, "input")
    amounts = _pairs_by_axis(input, pad)
    for n, (before, after) in zip(input.shape, amounts, strict=True):
        if min(before, after) < 0 and n + min(before, 0) + min(after, 0) < 1:
            raise ValueError(f"pad {tuple(pad)} leaves nothing of an input of shape {input.shape}")
    if mode in _NUMPY_MODES:
        return _pad_by_index(input, amounts, _NUMPY_MODES[mode])
    if mode != "constant":
        raise ValueError(f"mode must be 'constant', 'replicate' or 'reflect'; got {mode!r}")
    return _pad_constant(input, amounts, value)


def _pairs_by_axis(x: Tensor, amounts: Sequence[int]) -> list[tuple[int, int]]:
    if len(amounts) % 2 or len(amounts) > 2 * x.ndim or not whole_numbers(amounts):
        raise ValueError(
            f"pad must have two whole numbers for each of at most {x.ndim} axes;"
            f" got {tuple(amounts)}"
        )
    pairs = [(amounts[i], amounts[i + 1]) for i in range(0, len(amounts), 2)]
    return [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]


def _pad_constant(x: Tensor, amounts: list[tuple[int, int]], value: float) -> Tensor:
    """Copy what the padded and the unpadded tensor share; the adjoint has the signs changed."""
    shape = [n + before + after for n, (before, after) in zip(x.shape, amounts, strict=True)]
    inner, outer = [], []
    for n, (before, after) in zip(x.shape, amounts, strict=True):
        inner.append(slice(max(0, -before), n - max(0, -after)))
        outer.append(slice(max(0, before), max(0, before) + inner[-1].stop - inner[-1].start))
    data = library(x.data).full(shape, value, x.dtype)
    data[tuple(outer)] = x.data[tuple(inner)]
    back = [(-before, -after) for before, after in amounts]
    return record("pad", data, (x, lambda g: _pad_constant(g, back, 0.0)))


def _pad_by_index(x: Tensor, amounts: list[tuple[int, int]], mode: str) -> Tensor:
    """Pick, for every pixel of the padded tensor, the pixel that it repeats."""
    for axis, (before, after) in enumerate(amounts):
        too_far = max(before, after) >= x.shape[axis] if mode == "reflect" else x.shape[axis] == 0
        if min(before, after) < 0 or (max(before, after) > 0 and too_far):
            raise ValueError(
                f"pad must be 0 or more, and less than the size to reflect; got {before}, {after}"
                f" for axis {axis} of size {x.shape[axis]}"
            )
    positions = [
        np.pad(np.arange(n, dtype=np.int64), sides, mode=mode)  # type: ignore[call-overload]
        for n, sides in zip(x.shape, amounts, strict=True)
    ]
    return x[np.ix_(*positions)]


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along the axis `dim`; their other sizes must agree.

    Raises:
        ValueError: no tensors, no such axis, or shapes that differ in another axis than `dim`.
        TypeError: different dtypes, or something that is no tensor.
    """
    if not isinstance(tensors, (tuple, list)):
        raise TypeError(f"tensors must be a list of Tensors; got {type(tensors).__name__}")
    if not tensors:
        raise ValueError("tensors must hold at least one tensor; got none")
    for i, x in enumerate(tensors):
        check_tensor(x, f"tensors[{i}]")
    check_dim(dim, tensors[0].ndim)
    dim = dim % tensors[0].ndim
    for i, x in enumerate(tensors):
        if _without(dim, x.shape) != _without(dim, tensors[0].shape) or x.ndim != tensors[0].ndim:
            raise ValueError(
                f"tensors must agree but in axis {dim}; got {tensors[0].shape} and {x.shape} at {i}"
            )
        if x.dtype != tensors[0].dtype:
            raise TypeError(f"tensors must have one dtype; got {tensors[0].dtype} and {x.dtype}")
        check_device(tensors[0].data, x.data, ("tensors[0]", f"tensors[{i}]"))
    ends = np.cumsum([x.shape[dim] for x in tensors], dtype=np.int64).tolist()
    parts = [
        (x, lambda g, end=end, n=x.shape[dim]: _narrow(g, dim, end - n, end))
        for x, end in zip(tensors, ends, strict=True)
    ]
    return record("cat", np.concatenate([x.data for x in tensors], dim), *parts)


def _without(axis: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _narrow(x: Tensor, axis: int, start: int, stop: int) -> Tensor:
    """Keep the positions from `start` to `stop` of one axis."""
    amounts = [(0, 0)] * x.ndim
    amounts[axis] = (-start, stop - x.shape[axis])
    return _pad_constant(x, amounts, 0.0)
