"""Exercise transposed: the transposed convolution.

conv_transpose2d(y, weight, stride, padding, output_padding) -> x

y                (N, C, H, W), of floats or of whole numbers
weight           (C, F, KH, KW): channels in first
stride           a pair (down, across), as are padding and output_padding
padding          rows cut away above and below, columns left and right
output_padding   rows more below, columns more on the right: they are what the formula gives, and 0
                 only where no kernel reaches them; each is less than the stride, or 0
x                (N, F, OH, OW), float64, OH = (H - 1) * stride[0] - 2 * padding[0] + KH +
                 output_padding[0], OW likewise

Each number of y puts its multiple of the kernel into the result, and where kernels overlap, they
are added:

uncropped[n, f, h * stride[0] + i, w * stride[1] + j] = the sum over all c, h, w, i, j that lead to
                                                        this place of
                                                        y[n, c, h, w] * weight[c, f, i, j]
x[n, f, r, q] = uncropped[n, f, r + padding[0], q + padding[1]], 0 where uncropped has no number

There is no bias. The arguments must come back unchanged.

An example, N = C = F = 1, stride (1, 2), padding (0, 1), output_padding (0, 1):

    y  1 2 3    weight  1 2 3    uncropped  1 2 3+2 4 6+3 6 9 0

    x  2 5 4 9 6 9
"""

import numpy as np


def conv_transpose2d(y, weight, stride, padding, output_padding):
    """Return x."""
    raise NotImplementedError
