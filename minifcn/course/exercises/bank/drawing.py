"""Drawing the arguments of cases."""

from __future__ import annotations

import numpy as np


def normal(generator: np.random.Generator, *shape: int) -> np.ndarray:
    """Normal numbers of both signs, float64."""
    return generator.standard_normal(shape)


def integers(
    generator: np.random.Generator, *shape: int, low: int = -4, high: int = 5
) -> np.ndarray:
    """Small whole numbers, int64, among which there are ties."""
    return generator.integers(low, high, shape)
