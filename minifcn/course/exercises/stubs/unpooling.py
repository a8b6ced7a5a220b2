"""Exercise unpooling: values go back to where they were the maxima.

max_unpool2d(y, indices, size) -> x

y         (N, C, OH, OW), of floats or of whole numbers
indices   (N, C, OH, OW), whole numbers: for each number of y its place in its own plane, row * W +
          column, as max_pool2d returns them
size      a pair (H, W)
x         (N, C, H, W), float64: zeros but for the numbers of y; where several numbers of one
          plane have the same place, they are added

The arguments must come back unchanged.

An example, N = C = 1, size (2, 4):

    y  5 2    indices  1 6    x  0 5 0 0
       3 4             6 4       4 0 5 0
"""

import numpy as np


def max_unpool2d(y, indices, size):
    """Return x."""
    raise NotImplementedError
