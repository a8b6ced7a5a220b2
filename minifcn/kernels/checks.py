"""Every argument check: of settings, of arrays, and of what single kernels ask for.

A wrong argument raises ValueError or TypeError that names it, what came and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minifcn.backend import Array, device, is_array
from minifcn.kernels import geometry
from minifcn.kernels.geometry import Pair

# --- What many share ----------------------------------------------------------------------------


def pair(value: Any, name: str, minimum: int = 0) -> Pair:
    """Return `value`, one whole number (in a tuple or not) or two (height, width), as a pair.

    Raises:
        TypeError: it is neither.
        ValueError: a number is below `minimum`.
    """
    numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    numbers = numbers * 2 if len(numbers) == 1 else numbers
    if len(numbers) != 2 or not whole_numbers(numbers):
        raise TypeError(f"{name} must be a whole number or a pair of them; got {value!r}")
    if min(numbers) < minimum:
        raise ValueError(f"{name} must be at least {minimum}; got {value!r}")
    return int(numbers[0]), int(numbers[1])


def size_pair(value: Any, name: str) -> Pair:
    """Return a size, one whole number or two (height, width), as a pair; no tuple of one."""
    if isinstance(value, (tuple, list)) and len(value) == 1:
        raise TypeError(f"{name} must be a whole number or a pair of them; got {value!r}")
    return pair(value, name, 1)


def whole_numbers(numbers: Iterable[Any]) -> bool:
    """Whether all of these are whole numbers; True and False are not."""
    return all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in numbers)


def check_array(array: Array, name: str, ndim: int | None = 4) -> None:
    """Raise unless `array` is a float32 or float64 array of `ndim` axes (None: of any number)."""
    if not is_array(array):
        raise TypeError(f"{name} must be an array; got {type(array).__name__}")
    if ndim is not None and array.ndim != ndim:
        layout = " (N, C, H, W)" if ndim == 4 and name != "weight" else ""
        raise ValueError(f"{name} must have {ndim} axes{layout}; got shape {array.shape}")
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} must be float32 or float64; got {array.dtype}")


def check_alike(first: Array, second: Array, names: Sequence[str]) -> None:
    """Raise unless two arrays have the same dtype and are on the same device."""
    if first.dtype != second.dtype:
        raise TypeError(f"{names[0]} is {first.dtype} but {names[1]} is {second.dtype}")
    check_device(first, second, names)


def check_device(first: Array, second: Array, names: Sequence[str]) -> None:
    """Raise unless two arrays are on the same device."""
    if device(first) != device(second):
        raise ValueError(f"{names[0]} is on {device(first)} but {names[1]} on {device(second)}")


def check_pixels(array: Array, name: str) -> None:
    """Raise for images (N, C, H, W) without any pixel."""
    if 0 in array.shape[2:]:
        raise ValueError(f"{name} must have at least one pixel; got shape {array.shape}")


def check_groups(groups: int, *channels: tuple[str, int]) -> None:
    """Raise unless `groups` is positive and divides each of the named channel counts."""
    if not whole_numbers([groups]) or groups < 1:
        raise ValueError(f"groups must be a whole number of at least 1; got {groups!r}")
    for name, count in channels:
        if count % groups:
            raise ValueError(f"groups must divide the {name}; got {groups} for {count}")


def check_channels(x: Array, weight: Array, groups: int) -> None:
    """Raise unless the weight has as many input channels as a group of x."""
    if weight.shape[1] * groups != x.shape[1]:
        raise ValueError(
            f"weight must have {x.shape[1] // groups} input channels ({x.shape[1]} in {groups}"
            f" groups); got {weight.shape[1]}"
        )


def check_window(
    size: Pair, kernel: Pair, padding: Pair, dilation: Pair, what: str = "kernel_size"
) -> None:
    """Raise unless a window of `kernel` fits into an input of `size` with its padding."""
    for axis, i, k, p, d in zip(("height", "width"), size, kernel, padding, dilation, strict=True):
        if d * (k - 1) + 1 > i + 2 * p:
            raise ValueError(
                f"{what} must fit into the padded input; got {axis} {d * (k - 1) + 1}"
                f" (kernel {k}, dilation {d}) for {i + 2 * p} (input {i}, padding {p})"
            )


def check_shape(array: Array, expected: tuple[int, ...], name: str) -> None:
    """Raise unless `array` has the `expected` shape."""
    if array.shape != expected:
        raise ValueError(f"{name} must have shape {expected}; got {array.shape}")


# --- Of single kernels --------------------------------------------------------------------------


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


def check_two(first: Array, second: Array, *names: str, ndim: int | None = 4) -> None:
    """Raise unless both are arrays of `ndim` axes, of one dtype and on one device."""
    check_array(first, names[0], ndim)
    check_array(second, names[1], ndim)
    check_alike(first, second, names)


def check_gradient(gradient: Array, of: Array, name: str, ndim: int | None = 4) -> None:
    """Raise unless the gradient is an array like the one that it is a gradient of."""
    check_two(gradient, of, "gradient", name, ndim=ndim)
    check_shape(gradient, of.shape, "gradient")


def check_bias(bias: Array | None, weight: Array) -> None:
    """Raise unless a bias, if there is one, has one number for each output of the weight."""
    if bias is not None:
        check_array(bias, "bias", 1)
        check_alike(bias, weight, ("bias", "weight"))
        check_shape(bias, weight.shape[:1], "bias")


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
        check_window(size, kernel_size, padding, dilation)
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
    check_shape(indices, shape, "indices")
    check_device(x, indices, ("x", "indices"))
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
    check_shape(labels, (len(x), *x.shape[2:]), "labels")
    check_device(x, labels, ("x", "labels"))
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


def check_values(x: Array, shape: tuple[int, ...], **values: Array) -> None:
    """Raise unless each of `values` has the `shape`, the dtype of x, and is where x is."""
    for name, value in values.items():
        check_array(value, name, len(shape))
        check_alike(x, value, ("x", name))
        check_shape(value, shape, name)


def check_statistics(x: Array, mean: Array | None, var: Array | None) -> None:
    """Raise unless both are given for the channels of x, or none and x has numbers of its own."""
    if mean is not None and var is not None:
        check_values(x, x.shape[1:2], mean=mean, var=var)
    elif mean is not None or var is not None:
        raise ValueError("mean and var go together; got only one of them")
    elif not x[:, :1].size:
        raise ValueError(f"x must have at least one number a channel; got shape {x.shape}")


def check_clip(x: Array, limit: float | None, y: Array | None = None) -> None:
    """Raise unless a limit, if there is one, is positive, and what was clipped to it is like x."""
    if limit is not None and not limit > 0:
        raise ValueError(f"limit must be positive, or None for no clipping; got {limit}")
    if y is not None:
        check_values(x, x.shape, y=y)


def check_update(parameter: Array, **others: Array) -> None:
    """Raise unless the others are arrays like `parameter`."""
    check_array(parameter, "parameter", None)
    for name, value in others.items():
        check_array(value, name, None)
        check_alike(parameter, value, ("parameter", name))
        check_shape(value, parameter.shape, name)
