"""A max-pooling of one plane, and three ways of going back: the numbers behind the pictures."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn import functional as F
from minifcn.kernels.checks import pair
from minifcn.kernels.geometry import Pair
from minifcn.tensor import Tensor, no_grad


class Pooled(NamedTuple):
    """A max-pooling of one plane: its values (OH, OW) and its switches, flat places in (H, W)."""

    values: NDArray[Any]
    switches: NDArray[np.int64]


def pool(
    plane: ArrayLike,
    kernel_size: int | Pair = 2,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
) -> Pooled:
    """Max-pool a plane (H, W) by `functional.max_pool2d`.

    Raises:
        TypeError: a size is neither a whole number nor a pair of them.
        ValueError: the plane is not (H, W) of finite numbers, or no window fits into it.
    """
    x = Tensor(check_plane("plane", plane)[np.newaxis, np.newaxis])
    with no_grad():
        pooled = F.max_pool2d(x, kernel_size, stride, padding, return_indices=True)
    assert isinstance(pooled, tuple)  # as indices were asked for
    values, switches = (tensor.numpy()[0, 0] for tensor in pooled)
    return Pooled(values, switches)


def ways_back(plane: ArrayLike, kernel_size: int | Pair = 2) -> dict[str, NDArray[Any]]:
    """Max-pool a plane (H, W) and bring it back to its size in three ways, by name.

    nearest: every value is repeated over its window (`functional.interpolate`); bed of nails: it
    goes to the top left corner of its window, zeros elsewhere; switches: it goes to where the
    maximum was (`functional.max_unpool2d`, both).

    Raises:
        TypeError: the kernel size is neither a whole number nor a pair of them.
        ValueError: the plane is not (H, W) of finite numbers, or H or W is not a multiple of the
            kernel size.
    """
    x, (down, across) = check_plane("plane", plane), pair(kernel_size, "kernel_size", 1)
    if x.shape[0] % down or x.shape[1] % across:
        raise ValueError(f"plane must be of multiples of {kernel_size}; got shape {x.shape}")
    pooled = pool(x, kernel_size)
    values, switches = (Tensor(part[np.newaxis, np.newaxis]) for part in pooled)
    corners = np.arange(x.size, dtype=np.int64).reshape(x.shape)[::down, ::across]
    nails = Tensor(np.ascontiguousarray(corners)[np.newaxis, np.newaxis])
    with no_grad():
        planes = {
            "nearest: repeated": F.interpolate(values, scale_factor=(down, across), mode="nearest"),
            "bed of nails: top left": F.max_unpool2d(values, nails, kernel_size),
            "switches: where it was": F.max_unpool2d(values, switches, kernel_size),
        }
    return {name: own.numpy()[0, 0] for name, own in planes.items()}


def check_plane(name: str, plane: ArrayLike) -> NDArray[Any]:
    """Return a plane as float64, or raise ValueError naming it."""
    values = np.asarray(plane, np.float64)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"{name} must be (H, W) of finite numbers; got shape {values.shape}")
    return values
