"""Exercise resizing: larger and smaller images without weights.

nearest(x, factor) -> y

x        (N, C, H, W), of floats or of whole numbers
factor   one whole number for both axes, 1 or more
y        (N, C, H * factor, W * factor), float64: each pixel becomes factor x factor equal ones

bilinear(x, size) -> y

size     a pair (OH, OW), each larger or smaller than that of x or the same
y        (N, C, OH, OW), float64

Pixels are squares, and positions are those of their centres (half-pixel centres, as PyTorch's
align_corners=False, without antialias). Along the rows, row r of y lies at

s = (r + 0.5) * H / OH - 0.5, but 0 if that is less, and H - 1 if that is more

of x's rows, and is the mean of the two rows next to s, weighted by how near they are: row floor(s)
has weight 1 - (s - floor(s)), the one after it the rest. Likewise along the columns.

x must come back unchanged; returning x itself is allowed where that is the result.

An example, N = C = 1: nearest([[1, 2]], 2) and bilinear([[0, 8]], (1, 4)); here s is 0 (from
-0.25), 0.25, 0.75, 1 (from 1.25):

    1 1 2 2    0 2 6 8
    1 1 2 2
"""

import numpy as np


def nearest(x, factor):
    """Return y, whose pixels are repeated."""
    raise NotImplementedError


def bilinear(x, size):
    """Return y, whose pixels are weighted means."""
    raise NotImplementedError
