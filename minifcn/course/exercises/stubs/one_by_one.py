"""Exercise one_by_one: the convolution with a 1 x 1 kernel, and a linear layer as a convolution.

conv1x1(x, weight, bias) -> y
linear_to_conv(weight, bias, channels, height, width) -> (weight, bias) of a convolution

conv1x1:

x        (N, C, H, W), of floats or of whole numbers
weight   (F, C)
bias     (F,)
y        (N, F, H, W), float64: at each pixel, y[n, f, h, w] = bias[f] + the sum over c of
         weight[f, c] * x[n, c, h, w]

linear_to_conv: a linear layer computes scores = weight @ features + bias, where the features are
C channels of H x W numbers in one row, in the order channels, rows, columns (as reshape does it).
Give the weight and the bias of the convolution that computes the same from (N, C, H, W):

weight   (F, C * H * W)     becomes (F, C, H, W), float64
bias     (F,)               stays (F,)
channels, height, width     C, H, W

Arguments must come back unchanged; a result may be one of them, or a view.

An example with N = H = 1, C = W = 2, F = 3:

    x[0]  channel 0:  1 2    weight  1 0    bias  0    y[0]   1  2
          channel 1:  3 4            0 1          0           3  4
                                     1 1          5           9 11
"""

import numpy as np


def conv1x1(x, weight, bias):
    """Return y."""
    raise NotImplementedError


def linear_to_conv(weight, bias, channels, height, width):
    """Return the weight and the bias of the convolution, a tuple."""
    raise NotImplementedError
