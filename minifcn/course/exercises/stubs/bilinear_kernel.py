"""Exercise bilinear_kernel: the weight with which a transposed convolution interpolates.

bilinear_kernel(factor) -> kernel

factor   a whole number, 1 or more: how many times larger the image is to become
kernel   (2 * factor, 2 * factor), float64

Along one axis, number i is 1 - |i - m| / factor, where m = factor - 0.5 is the middle of the
numbers 0, 1, ..., 2 * factor - 1; kernel[i, j] is the product of number i and number j. A
transposed convolution with this kernel and stride factor leaves a constant image as it is, but for
its border.

upsampling_weight(channels, factor) -> weight

channels   a whole number
weight     (channels, channels, 2 * factor, 2 * factor), float64, as conv_transpose2d takes it: each
           channel is interpolated by itself, and no channel gets anything from another

An example: bilinear_kernel(2), all divided by 16:

    1 3 3 1
    3 9 9 3
    3 9 9 3
    1 3 3 1
"""

import numpy as np


def bilinear_kernel(factor):
    """Return the kernel."""
    raise NotImplementedError


def upsampling_weight(channels, factor):
    """Return the weight for all channels."""
    raise NotImplementedError
