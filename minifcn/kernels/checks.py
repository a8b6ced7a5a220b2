"""Argument checks of single kernels; those that many share are in geometry.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn.backend import Array
from minifcn.kernels import geometry
from minifcn.kernels.geometry import Pair, pair


def window(
    kernel_size: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[Pair, Pair, Pair, Pair]:
    """Return the four settings of a window, each a whole number or two, as pairs."""
    return (
        pair(kernel_size, "kernel_size", 1),
        pair(stride, "stride", 1),
        pair(padding, "padding"),
        pair(dilation, "dilation", 1),
    )


def check_x_and_weight(first: Array, second: Array, *names: str) -> None:
    """Raise unless both are arrays of 4 axes, of one dtype and on one device."""
    geometry.check_array(first, names[0])
    geometry.check_array(second, names[1])
    geometry.check_alike(first, second, names)


def check_bias(bias: Array | None, weight: Array) -> None:
    """Raise unless a bias, if there is one, has one number for each output of the weight."""
    if bias is not None:
        geometry.check_array(bias, "bias", 1)
        geometry.check_alike(bias, weight, ("bias", "weight"))
        geometry.check_shape(bias, weight.shape[:1], "bias")


def check_output_padding(output_padding: Pair, stride: Pair, dilation: Pair) -> None:
    """Raise unless output_padding is smaller than the stride or the dilation, on each axis."""
    for extra, s, d in zip(output_padding, stride, dilation, strict=True):
        if extra >= max(s, d):
            raise ValueError(
                f"output_padding must be smaller than the stride or the dilation;"
                f" got {output_padding} for stride {stride}, dilation {dilation}"
            )


def check_pool(
    size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> None:
    """Raise unless every pooling window meets the input and the padding is at most half of it."""
    for k, p in zip(kernel_size, padding, strict=True):
        if 2 * p > k:
            raise ValueError(
                f"padding must be at most half of kernel_size; got {padding} for {kernel_size}"
            )
    out = geometry.pool_output_pair(size, kernel_size, stride, padding, dilation, ceil_mode)
    if min(out) < 1:
        geometry.check_window(size, kernel_size, padding, dilation)
    for n, o, s, p, d in zip(size, out, stride, padding, dilation, strict=True):
        if geometry.first_inside(o, s, p, d).max() >= n:
            raise ValueError(
                f"a window of kernel_size {kernel_size}, dilation {dilation} and padding {padding}"
                f" meets no pixel of an input of size {size}"
            )


def check_indices(
    x: Array, indices: Array, shape: tuple[int, ...], size: Pair, in_range: bool = False
) -> None:
    """Raise unless `indices` has this shape, is where x is, and points into planes of `size`.

    in_range: the last is known.
    """
    if indices.dtype != np.int64:
        raise TypeError(f"indices must be int64; got {indices.dtype}")
    geometry.check_shape(indices, shape, "indices")
    geometry.check_device(x, indices, ("x", "indices"))
    area = size[0] * size[1]
    if in_range or not indices.size:
        return
    if not (indices.min() >= 0 and indices.max() < area):
        raise ValueError(
            f"indices must be in [0, {area}) for a plane of {size[0]}x{size[1]};"
            f" got {int(indices.min())} to {int(indices.max())}"
        )


def check_labels(x: Array, labels: Array, in_range: bool = False) -> None:
    """Raise unless `labels` has a label in [0, C) for each pixel of x, and is where x is.

    in_range: that they are in [0, C) is known.
    """
    if labels.dtype != np.int64:
        raise TypeError(f"labels must be int64; got {labels.dtype}")
    geometry.check_shape(labels, (len(x), *x.shape[2:]), "labels")
    geometry.check_device(x, labels, ("x", "labels"))
    if in_range or not labels.size:
        return
    if not (labels.min() >= 0 and labels.max() < x.shape[1]):
        raise ValueError(
            f"labels must be in [0, {x.shape[1]}); got {int(labels.min())} to {int(labels.max())}"
        )


def check_mode(mode: str) -> None:
    """Raise unless `mode` is a way to resize."""
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"mode must be 'nearest' or 'bilinear'; got {mode!r}")


def check_channels(x: Array, **values: Array) -> None:
    """Raise unless each of `values` has one number for each channel of x."""
    for name, value in values.items():
        geometry.check_array(value, name, 1)
        geometry.check_alike(x, value, ("x", name))
        geometry.check_shape(value, x.shape[1:2], name)


def check_update(parameter: Array, **others: Array) -> None:
    """Raise unless the others are arrays like `parameter`."""
    geometry.check_array(parameter, "parameter", None)
    for name, value in others.items():
        geometry.check_array(value, name, None)
        geometry.check_alike(parameter, value, ("parameter", name))
        geometry.check_shape(value, parameter.shape, name)
