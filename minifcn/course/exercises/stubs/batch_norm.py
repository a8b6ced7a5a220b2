"""Exercise batch_norm: batch normalization, forward and backward.

batch_norm(x, weight, bias, eps) -> y
batch_norm_backward(gradient, x, weight, eps) -> (of x, of weight, of bias)

x              (N, C, H, W), of floats or of whole numbers
weight, bias   (C,)
eps            a number, added to the variance
gradient       (N, C, H, W), the gradient of y; y and all gradients are float64

Each channel has one mean m and one variance v, over all pixels of all images, (N, H, W). The
variance is the biased one: the mean of (x - m) ** 2.

y = weight * (x - m) / sqrt(v + eps) + bias

m and v are made of x, and backward knows that. All arguments must come back unchanged.

An example, N = C = H = 1, W = 3, weight 2, bias 10, eps 1:

    x  1 4 7    m 4, v 6    y  10 + 2 * (-3) / sqrt(7)  10  10 + 2 * 3 / sqrt(7)
                               = 7.7322  10  12.2678

    gradient of y  1 0 0    of x  0.1800 -0.2520 0.0720    of weight -1.1339    of bias 1
"""

import numpy as np


def batch_norm(x, weight, bias, eps):
    """Return y."""
    raise NotImplementedError


def batch_norm_backward(gradient, x, weight, eps):
    """Return the gradients of x, of weight and of bias."""
    raise NotImplementedError
