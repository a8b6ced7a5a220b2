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
    value = float(elements[i])
    elements[i] = above = value + eps
    right = terms()
    elements[i] = below = value - eps
    left = terms()
    elements[i] = value
    # Subtracting before summing lets the terms that did not change cancel exactly.
    slope = (right - left).sum() / (above - below)
    return float(slope), float((right - here - (here - left)).sum() / eps)


def is_kink(terms: Terms, array: Array, i: int, bend: float, eps: float) -> bool:
    """Whether the bend at element i does not shrink with eps as that of a smooth function does."""
    for part in (1 / 2, 1 / 4):  # one of them alone misses a kink at a third of eps
        _, smaller = slopes_and_bends(terms, array, [i], eps * part)
        if abs(smaller[0] - bend * part) > 0.1 * abs(bend):
            return True
    return False
