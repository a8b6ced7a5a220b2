"""How uneven upsampling is: the phases of a plane, their means, and two measures of checkerboards.

An output pixel (h, w) of a layer of stride s has the phase (h mod s, w mod s). A transposed
convolution gives every phase its own share of the kernel, so that a checkerboard is a difference
between the phases, repeated every s pixels (Odena, Dumoulin and Olah 2016, "Deconvolution and
Checkerboard Artifacts").
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def phase_sums(weight: ArrayLike, stride: int) -> NDArray[Any]:
    """Add up the kernel's weights that reach each phase: S_ab = sum of weight[a::s, b::s].

    A transposed convolution with that kernel turns an image of ones into S, repeated; padding
    shifts it. For a kernel of ones S counts how many windows overlap: ceil((k - a) / s) along each
    axis, the same for all a if and only if s divides k. In two dimensions the counts multiply.

    Args:
        weight: (K,) or (KH, KW).
        stride: s, at least 1.

    Returns:
        The sums, (s,) or (s, s), in the weights' own dtype.

    Raises:
        ValueError: weight has another number of axes, or stride is below 1.
    """
    weight = np.asarray(weight)
    if weight.ndim not in (1, 2):
        raise ValueError(f"weight must have shape (K,) or (KH, KW); got {weight.shape}")
    _check_stride(stride)
    sums = np.empty((stride,) * weight.ndim, weight.dtype)
    for phase in np.ndindex(sums.shape):
        sums[phase] = weight[tuple(slice(a, None, stride) for a in phase)].sum()
    return sums


def phase_means(y: ArrayLike, stride: int, margin: int = 0) -> NDArray[np.float64]:
    """Average the pixels of each phase: m_ab = mean of y[..., a::s, b::s].

    Only whole periods of s pixels count, so that every phase has as many pixels as any other.

    Args:
        y: planes (..., H, W).
        stride: s, the period in pixels, at least 1.
        margin: rows and columns to leave out on each side, where fewer windows reach.

    Returns:
        The means, (..., s, s). Phase (a, b) is that of rows h = a and columns w = b (mod s),
        whatever the margin.

    Raises:
        ValueError: y has fewer than two axes, stride or margin is out of range, or less than one
            period is left.
    """
    return _by_phase(y, stride, margin).mean(axis=(-4, -2))


def phase_variation(y: ArrayLike, stride: int, margin: int = 0) -> NDArray[np.float64]:
    """Coefficient of variation of the phase means, CV = std_ab(m_ab) / |mean_ab(m_ab)|.

    For what is positive, such as the output of a positive kernel for an image of ones; 0 where
    all phases are alike. See `phase_means` for the arguments.

    Returns:
        One number for each plane, (...); NaN where the mean is 0.
    """
    means = phase_means(y, stride, margin)
    deviation, mean = means.std(axis=(-2, -1)), np.abs(means.mean(axis=(-2, -1)))
    return np.divide(deviation, mean, out=np.full_like(mean, np.nan), where=mean > 0)[()]


def phase_share(y: ArrayLike, stride: int, margin: int = 0) -> NDArray[np.float64]:
    """The checkerboard's share of the variance, Q = Var_ab(m_ab) / Var(y), from 0 to 1.

    For what has any sign, such as logits: 0 where all phases have the same mean, 1 where nothing
    but the phase varies. The content counts too: its own phases differ by chance, the less the
    more periods there are, and a ramp of slope 1 adds (s^2 - 1) / 12 to Var_ab along its axis. So
    compare outputs of one image. See `phase_means` for the arguments.

    Returns:
        One number for each plane, (...); 0 for a plane that is constant but for rounding.
    """
    phases = _by_phase(y, stride, margin)
    between = phases.mean(axis=(-4, -2)).var(axis=(-2, -1))
    total = phases.var(axis=(-4, -3, -2, -1))
    rounding = 32 * _epsilon(y) * np.abs(phases).max(axis=(-4, -3, -2, -1))
    constant = total <= rounding**2
    return np.divide(between, total, out=np.zeros_like(total), where=~constant)[()]


def _by_phase(y: ArrayLike, stride: int, margin: int) -> NDArray[np.float64]:
    """Return the inner pixels as (..., periods down, s, periods across, s) in float64."""
    planes = np.asarray(y, np.float64)
    _check_stride(stride)
    if planes.ndim < 2:
        raise ValueError(f"y must have at least two axes (H, W); got shape {planes.shape}")
    if margin < 0:
        raise ValueError(f"margin must be at least 0; got {margin}")
    start = -(-margin // stride) * stride
    periods = [(size - margin - start) // stride for size in planes.shape[-2:]]
    if min(periods) < 1:
        raise ValueError(
            f"y must have a whole period of {stride} pixels inside a margin of {margin};"
            f" got shape {planes.shape}"
        )
    down, across = periods
    inner = planes[..., start : start + down * stride, start : start + across * stride]
    return inner.reshape(*planes.shape[:-2], down, stride, across, stride)


def _check_stride(stride: int) -> None:
    if stride < 1:
        raise ValueError(f"stride must be at least 1; got {stride}")


def _epsilon(y: ArrayLike) -> float:
    """Relative rounding of the values as they came."""
    dtype = np.asarray(y).dtype
    return float(np.finfo(dtype).eps) if np.issubdtype(dtype, np.floating) else 0.0
