"""Finite differences: the slope of a function where it is smooth, and the sign that it is not.

L is the sum of `terms()`, which depend on the elements of an array. Nudging element i gives

    slope = (L(x + eps) - L(x - eps)) / (2 eps)                 the central difference
    bend  = (L(x + eps) - L(x)) / eps - (L(x) - L(x - eps)) / eps   right minus left difference

A smooth L has a bend of about eps L'': half the eps, half the bend. A kink keeps its bend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from minifcn.backend import Array

Terms: TypeAlias = Callable[[], np.ndarray]

WHY_FLOAT64 = (
    "A difference of two values of a function loses half of the digits: a right gradient is off by"
    " 1e-10 in float64, by 2e-2 in float32"
)


def numeric_gradient(
    terms: Terms,
    array: Array,
    chosen: np.ndarray,
    eps: float,
    expected: np.ndarray,
    tolerance: float,
    noise: float,
) -> tuple[np.ndarray, list[int]]:
    """Return the slopes at the chosen elements (flat indices), and which of these are on a kink.

    Where a slope is not as expected, within the tolerance, a closer look tells what kept it: the
    curvature, for which it is corrected; a kink; or neither, and the expectation is wrong. Where
    left and right differ plainly, it looks for a kink in any case. noise: what rounding alone can
    change in a slope.
    """
    slopes, bends = slopes_and_bends(terms, array, chosen, eps)
    least = tolerance * float(np.linalg.norm(slopes)) / max(1, len(slopes)) ** 0.5
    differs = np.abs(slopes - expected) > least
    bends_much = np.abs(bends) > 1e-3 * np.abs(slopes).max(initial=0)
    kinks = []
    for k in np.flatnonzero(differs | bends_much):
        slope, kink = closer_look(terms, array, chosen[k], eps, slopes[k], bends[k])
        slopes[k] = slope if differs[k] else slopes[k]
        off, bend = abs(slopes[k] - expected[k]), abs(bends[k])
        if kink > max(30 * noise, 0.1 * (min(off, bend) if off > least else bend)):
            kinks.append(int(chosen[k]))
    return slopes, kinks


def slopes_and_bends(
    terms: Terms, array: Array, chosen: Sequence[int] | np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Nudge the chosen elements (flat indices) one after another; the array ends as it was."""
    here, elements = terms(), array.reshape(-1)
    pairs = [_nudge(terms, elements, i, eps, here) for i in chosen]
    slopes, bends = np.array(pairs).reshape(-1, 2).T
    return slopes, bends


def _nudge(
    terms: Terms, elements: Array, i: int, eps: float, here: np.ndarray
) -> tuple[float, float]:
    right, left, distance = _both_sides(terms, elements, i, eps)
    # Subtracting before summing lets the terms that did not change cancel exactly.
    slope = (right - left).sum() / distance
    return float(slope), float((right - here - (here - left)).sum() / eps)


def _both_sides(
    values: Terms, elements: Array, i: int, eps: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the values with element i above and below its own, and how far apart these are."""
    value = float(elements[i])
    elements[i] = above = value + eps
    right = values()
    elements[i] = below = value - eps
    left = values()
    elements[i] = value
    return right, left, above - below


def differences(
    values: Terms, array: Array, chosen: Sequence[int] | np.ndarray, eps: float
) -> np.ndarray:
    """Return the central difference of each value for each chosen element: a row for each."""
    elements, rows = array.reshape(-1), []
    for i in chosen:
        right, left, distance = _both_sides(values, elements, i, eps)
        rows.append((right - left) / distance)
    return np.array(rows)


def closer_look(
    terms: Terms, array: Array, i: int, eps: float, slope: float, bend: float
) -> tuple[float, float]:
    """Halve eps twice at element i; return a more exact slope, and the size of a kink.

    The error of a central difference goes with eps^2, so (4 slope(eps / 2) - slope(eps)) / 3 has
    that error cancelled (Richardson). The kink is how far the bends are from halving each time. A
    jump of the same size to the left and to the right has no bend, as sign(x) at 0: slopes double.
    """
    (half_slope,), (half_bend,) = slopes_and_bends(terms, array, [i], eps / 2)
    (quarter_slope,), (quarter_bend,) = slopes_and_bends(terms, array, [i], eps / 4)
    # Two comparisons, since one alone misses a kink that is a third (a sixth) of eps away.
    kink = max(abs(half_bend - bend / 2), abs(quarter_bend - half_bend / 2))
    change, next_change = abs(half_slope - slope), abs(quarter_slope - half_slope)
    kink = max(kink, next_change if next_change > change else 0.0)
    return (4 * half_slope - slope) / 3, kink
