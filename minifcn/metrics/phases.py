"""How uneven upsampling is: the phases of a plane, their means and variances, and what they share.

An output pixel (h, w) of a layer of stride s has the phase (h mod s, w mod s). A transposed
convolution gives every phase its own share of the kernel, so that a checkerboard is a difference
between the phases, repeated every s pixels (Odena, Dumoulin and Olah 2016, "Deconvolution and
Checkerboard Artifacts"). With m_ab and d_ab the mean and the standard deviation of phase (a, b),
the variance of a plane is a sum of three:

    Var(y) = Var_ab(m_ab) + Var_ab(d_ab) + (mean_ab d_ab)^2

`phase_share` is the first of them, Q, `phase_spread` the second, V, as shares of Var(y); their sum
is `phase_unevenness`, U. The third is what all phases have in common.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn import functional as F
from minifcn.tensor import Tensor


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


def phase_variances(y: ArrayLike, stride: int, margin: int = 0) -> NDArray[np.float64]:
    """Measure how much the pixels of each phase vary: v_ab = Var(y[..., a::s, b::s]).

    Each around the mean of its own phase. See `phase_means` for the arguments.

    Returns:
        The variances, (..., s, s).
    """
    return _by_phase(y, stride, margin).var(axis=(-4, -2))


def phase_variation(y: ArrayLike, stride: int, margin: int = 0) -> NDArray[np.float64]:
    """Coefficient of variation of the phase means, CV = std_ab(m_ab) / |mean_ab(m_ab)|.

    For what is positive, such as the output of a positive kernel for an image of ones; 0 where
    all phases have the same mean. See `phase_means` for the arguments.

    Returns:
        One number for each plane, (...); NaN where the mean is 0.
    """
    means = phase_means(y, stride, margin)
    deviation, mean = means.std(axis=(-2, -1)), np.abs(means.mean(axis=(-2, -1)))
    return np.divide(deviation, mean, out=np.full_like(mean, np.nan), where=mean > 0)[()]


def phase_share(y: ArrayLike, stride: int, margin: int = 0) -> NDArray[np.float64]:
    """The phase means' share of the variance, Q = Var_ab(m_ab) / Var(y), from 0 to 1.

    For what has any sign, such as logits: 0 where all phases have the same mean, 1 where nothing
    but the phase varies. Q cannot see phases that vary differently around one mean, such as noise
    of which every second column is 0: see `phase_spread`. The content counts too: its own phases
    differ by chance, the less the more periods there are, and a ramp of slope 1 adds
    (s^2 - 1) / 12 to Var_ab along its axis. So compare outputs of one image. See `phase_means` for
    the arguments.

    Returns:
        One number for each plane, (...). For a plane that is constant but for rounding Q is 0/0;
        it is said to be 0, as no pixel differs from another.
    """
    phases = _by_phase(y, stride, margin)
    return _share(_between_means(phases), phases, y)


def phase_spread(y: ArrayLike, stride: int, margin: int = 0) -> NDArray[np.float64]:
    """The phase spreads' share of the variance, V = Var_ab(sqrt(v_ab)) / Var(y).

    With v_ab the `phase_variances`. From 0, where all phases vary equally, to 1 - 1/s^2, where one
    of them varies and the others are constant, all with one mean. Noise of which every second
    column is 0 has V = 1/2. V cannot see means (Q does), nor the order of the pixels within a
    phase or what neighbours have to do with each other: the blocks that nearest upsampling makes of
    noise, or a sign that changes from column to column, leave it at 0. Here too content counts, and
    a constant plane has 0. See `phase_means` for the arguments.

    Returns:
        One number for each plane, (...).
    """
    phases = _by_phase(y, stride, margin)
    return _share(_between_spreads(phases), phases, y)


def phase_unevenness(y: ArrayLike, stride: int, margin: int = 0) -> NDArray[np.float64]:
    """The phases' share of the variance, by their means and their spreads: U = Q + V, 0 to 1.

    U = 0 if and only if all phases have the same mean and the same variance; 1 if nothing but the
    phase varies. It is the mean squared distance (Wasserstein's, between normal distributions of
    the phases' means and variances) from the phases to their average, as a share of Var(y). It
    cannot see what neither `phase_share` nor `phase_spread` sees; a constant plane has 0. See
    `phase_means` for the arguments.

    Returns:
        One number for each plane, (...).
    """
    phases = _by_phase(y, stride, margin)
    return _share(_between_means(phases) + _between_spreads(phases), phases, y)


def phase_error(
    y: ArrayLike, ideal: ArrayLike, stride: int, margin: int = 0
) -> NDArray[np.float64]:
    """How uneven the difference e = y - ideal is, E = (Var_ab(m_ab(e)) + Var_ab(d_ab(e))) / Var(y).

    m_ab(e) and d_ab(e) are the means and standard deviations of the phases of e. What the ideal
    explains, such as a ramp or the content of an image, does not count. 0 where y differs from the
    ideal equally in all phases, by an offset for instance, or not at all; at most Var(e) / Var(y),
    which is above 1 if the ideal is far off. Scaling both changes nothing; scaling one does. E
    cannot see a pattern whose sign changes over the image, as at the two sides of a disc: there
    e is +a and -a in turns, means of 0 and equal spreads. U of y itself does.

    Args:
        y: planes (..., H, W).
        ideal: the same without artifacts: what the layer should have made, or
            `bilinear_ideal` of y.
        stride: s, the period in pixels, at least 1.
        margin: rows and columns to leave out on each side; at least s if the ideal is that of
            `bilinear_ideal`, which repeats the outermost means there.

    Returns:
        One number for each plane, (...); 0 for a plane y that is constant but for rounding, as
        nothing is painted there, whatever the ideal is.

    Raises:
        ValueError: the shapes differ, or as for `phase_means`.
    """
    y, ideal = np.asarray(y), np.asarray(ideal)
    if y.shape != ideal.shape:
        raise ValueError(f"ideal must have the shape of y, {y.shape}; got {ideal.shape}")
    apart = _by_phase(np.subtract(y, ideal, dtype=np.float64), stride, margin)
    parts = _between_means(apart) + _between_spreads(apart)
    return _share(parts, _by_phase(y, stride, margin), y)


def bilinear_ideal(y: ArrayLike, stride: int) -> NDArray[np.float64]:
    """Upsample the mean of each period of s x s pixels bilinearly: y without what is finer.

    A constant plane, and a ramp but for its ends, stay what they are. Of a photograph or of logits
    the edges are lost with the checkerboard: for `phase_error` they count only as far as they
    differ between the phases.

    Args:
        y: planes (..., H, W), H and W multiples of the stride.
        stride: s, at least 1.

    Returns:
        The same shape.

    Raises:
        ValueError: H or W is no multiple of the stride, or as for `phase_means`.
    """
    phases = _by_phase(y, stride, 0)
    shape = np.shape(y)
    if any(size % stride for size in shape[-2:]):
        raise ValueError(f"y must have sides that are multiples of {stride}; got shape {shape}")
    means = phases.mean(axis=(-3, -1))
    planes = Tensor(means.reshape(1, -1, *means.shape[-2:]))
    return F.interpolate(planes, scale_factor=stride, mode="bilinear").numpy().reshape(shape)


def _between_means(phases: NDArray[np.float64]) -> NDArray[np.float64]:
    return phases.mean(axis=(-4, -2)).var(axis=(-2, -1))


def _between_spreads(phases: NDArray[np.float64]) -> NDArray[np.float64]:
    return phases.std(axis=(-4, -2)).var(axis=(-2, -1))


def _share(
    part: NDArray[np.float64], phases: NDArray[np.float64], y: ArrayLike
) -> NDArray[np.float64]:
    """Divide by the variance of y, given by its phases; 0 where that is rounding."""
    total = phases.var(axis=(-4, -3, -2, -1))
    rounding = 32 * _epsilon(y) * np.abs(phases).max(axis=(-4, -3, -2, -1))
    constant = total <= rounding**2
    return np.divide(part, total, out=np.zeros_like(total), where=~constant)[()]


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
