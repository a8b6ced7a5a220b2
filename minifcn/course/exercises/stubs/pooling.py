"""Exercise pooling: max pooling that remembers where the maxima were, and its gradient.

max_pool2d(x, kernel_size, stride, padding) -> values, indices

x             (N, C, H, W), of floats or of whole numbers
kernel_size   a pair (height, width), as are stride (down, across) and padding
padding       rows above and below, columns left and right; they count as minus infinity, so they
              are never a maximum; at most half of the kernel
values        (N, C, OH, OW), float64: the maximum of each window of each channel
indices       (N, C, OH, OW), int64: where in its own plane, row * W + column in the plane without
              padding; of equal maxima the first, row by row

OH = (H + 2 * padding[0] - kernel_size[0]) // stride[0] + 1, OW likewise: what is left over is left
out.

max_pool2d_backward(gradient, indices, size) -> of x

gradient   (N, C, OH, OW), the gradient of a loss with respect to values
indices    as max_pool2d returned them
size       a pair (H, W)
of x       (N, C, H, W), float64: each gradient goes to the pixel that was the maximum; where one
           pixel was the maximum of several windows, the gradients are added

The arguments must come back unchanged.

An example, N = C = 1, kernel_size (2, 2), stride (1, 2), padding (0, 1):

    x  1 9 2    values  4 9    indices  3 1    gradient  1 2    of x  0 2 0
       4 4 3            8 4             6 4              3 4          1 4 0
       8 0 1                                                          3 0 0
"""

import numpy as np


def max_pool2d(x, kernel_size, stride, padding):
    """Return the maxima of the windows, and where they are."""
    raise NotImplementedError


def max_pool2d_backward(gradient, indices, size):
    """Return the gradient of x, given that of the values."""
    raise NotImplementedError
