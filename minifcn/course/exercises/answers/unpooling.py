"""Answer to exercise unpooling: one flat index for all planes."""

import numpy as np


def max_unpool2d(y, indices, size):
    """Give each plane its own stretch of a long row, and add the numbers there."""
    n, c, *_ = y.shape
    area = size[0] * size[1]
    first = (np.arange(n * c) * area).reshape(n, c, 1, 1)
    places = (indices + first).ravel()
    return np.bincount(places, y.ravel(), n * c * area).reshape(n, c, *size)
