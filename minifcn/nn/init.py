"""Initial values of parameters, written into them in place."""

from __future__ import annotations

import math

import numpy as np

from minifcn.backend import library
from minifcn.tensor import Tensor


def kaiming_normal_(weight: Tensor, generator: np.random.Generator) -> None:
    """Draw from a normal distribution with standard deviation sqrt(2 / fan_in).

    fan_in is what one output sums over: C / groups * KH * KW. It keeps the variance of the signal
    constant through layers of convolution and relu. Source: He et al. (2015), section 2.2.
    """
    fan_in = math.prod(weight.shape[1:])
    _fill(weight, generator.standard_normal(weight.shape) * math.sqrt(2 / fan_in))


def bilinear_kernel(kernel_size: int) -> np.ndarray:
    """Return the (k, k) kernel with which a transposed convolution interpolates bilinearly.

    With f = ceil(k / 2): the outer product of 1 - |i - (k - 1) / 2| / f with itself. For stride f,
    k = 2f - f % 2 and padding ceil((f - 1) / 2) the interior equals bilinear resizing without
    align_corners. Source: Long et al. (2015), section 3.3, and their surgery.py.
    """
    factor = (kernel_size + 1) // 2
    tent = 1 - np.abs(np.arange(kernel_size) - (kernel_size - 1) / 2) / factor
    return np.multiply.outer(tent, tent)


def bilinear_(weight: Tensor) -> None:
    """Make a transposed convolution upsample each channel by itself, bilinearly.

    weight: (C, C / groups, k, k). Only the kernels from a channel to itself are filled.
    """
    c, per_group, kh, kw = weight.shape
    if kh != kw:
        raise ValueError(f"weight must have a square kernel to be bilinear; got {kh}x{kw}")
    values = np.zeros(weight.shape)
    values[np.arange(c), np.arange(c) % per_group] = bilinear_kernel(kh)
    _fill(weight, values)


def _fill(weight: Tensor, values: np.ndarray) -> None:
    """Copy the values, drawn or computed on the CPU, to where the weight is."""
    weight.data[...] = library(weight.data).asarray(values, weight.dtype)
    weight.changed()
