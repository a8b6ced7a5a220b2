"""Exercise convolution_backward: the gradients of a convolution.

conv2d_backward(gradient, x, weight, stride, padding) -> (of x, of weight, of bias)

gradient   (N, F, OH, OW), the gradient of a loss with respect to the output of the convolution
x          (N, C, H, W), what the convolution was given, of floats or of whole numbers
weight     (F, C, KH, KW)
stride     a pair (down, across), as is padding: rows of zeros above and below, columns left
           and right
of x       as x in shape, of weight as weight, of bias (F,); all float64

The convolution (exercise convolution) computed

y[n, f, oh, ow] = bias[f] + the sum over c, i, j of
                  weight[f, c, i, j] * padded[n, c, oh * stride[0] + i, ow * stride[1] + j]

Each result is the sum over n, f, oh, ow of gradient[n, f, oh, ow] times the derivative of
y[n, f, oh, ow]. Pixels that no window reaches have gradient 0. Nothing is divided by a count.
The arguments must come back unchanged.

An example, N = C = F = 1, stride (1, 1), padding (0, 1):

    gradient  1 2 3    x  1 2    weight  1 2    of x  1*2 + 2*1   2*2 + 3*1  =   4  7
              4 5 6       3 4                         4*2 + 5*1   5*2 + 6*1     13 16

    of weight  2*1 + 3*2 + 5*3 + 6*4   1*1 + 2*2 + 4*3 + 5*4  =  47 37    of bias  21
"""

import numpy as np


def conv2d_backward(gradient, x, weight, stride, padding):
    """Return the gradients of x, of weight and of bias."""
    raise NotImplementedError
