"""Exercise convolution: the convolution of an image, forward.

conv2d(x, weight, bias, stride, padding) -> y

x        (N, C, H, W), of floats or of whole numbers
weight   (F, C, KH, KW)
bias     (F,), always given
stride   a pair (down, across), as is padding: rows of zeros above and below, columns left and right
y        (N, F, OH, OW), float64

y[n, f, oh, ow] = bias[f] + the sum over c, i, j of
                  weight[f, c, i, j] * padded[n, c, oh * stride[0] + i, ow * stride[1] + j]

The last rows and columns that no window reaches are left out. x must come back unchanged.

An example, N = C = F = 1, stride (1, 2), padding (0, 1), bias 10:

    x  1 2 3    weight  1 2    padded  0 1 2 3 0    y  10 + 1*0 + 2*1   10 + 1*2 + 2*3   =  12 18
       4 5 6                           0 4 5 6 0       10 + 1*0 + 2*4   10 + 1*5 + 2*6      18 27
"""

import numpy as np


def conv2d(x, weight, bias, stride, padding):
    """Return y."""
    raise NotImplementedError
