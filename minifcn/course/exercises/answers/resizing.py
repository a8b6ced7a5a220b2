"""Answer to exercise resizing: one axis after the other."""

import numpy as np


def nearest(x, factor):
    """Repeat rows, then columns."""
    return x.repeat(factor, axis=2).repeat(factor, axis=3).astype(float)


def bilinear(x, size):
    """Interpolate along the rows' axis, then along the columns'."""
    return along(along(x.astype(float), 2, size[0]), 3, size[1])


def along(x, axis, size):
    """Interpolate along one axis."""
    length = x.shape[axis]
    position = (np.arange(size) + 0.5) * length / size - 0.5
    position = position.clip(0, length - 1)  # before the weight is computed from it
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, length - 1)
    part = (position - low).reshape(-1, *[1] * (3 - axis))
    return (1 - part) * x.take(low, axis) + part * x.take(high, axis)
