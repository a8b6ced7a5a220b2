"""Argument checks that the operations share; what their settings must be, the kernels check."""

from __future__ import annotations

from typing import Any

from minifcn.kernels import checks
from minifcn.tensor import Tensor


def check_tensor(x: Any, name: str) -> None:
    """Raise unless `x` is a Tensor."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a Tensor; got {type(x).__name__}")


def check_tensors(ndim: int | None = None, /, **tensors: Tensor) -> None:
    """Raise unless the named arguments are Tensors of `ndim` axes (None: any number of them).

    All must have one dtype, float32 or float64, and be on one device.
    """
    first_name, first = next(iter(tensors.items()))
    for name, x in tensors.items():
        check_tensor(x, name)
        checks.check_array(x.data, name, x.ndim if ndim is None else ndim)
        checks.check_alike(first.data, x.data, (first_name, name))


def check_dim(dim: int, ndim: int) -> None:
    """Raise unless `dim` names one of `ndim` axes, negative numbers counting from the last."""
    if dim not in range(-ndim, ndim):
        raise ValueError(f"dim must be from {-ndim} to {ndim - 1}; got {dim!r}")
