"""Answer to exercise bilinear_kernel: a tent along each axis."""

import numpy as np


def bilinear_kernel(factor):
    """Multiply the tent of the rows by that of the columns."""
    tent = 1 - np.abs(np.arange(2 * factor) - (factor - 0.5)) / factor
    return np.outer(tent, tent)


def upsampling_weight(channels, factor):
    """Put the kernel on the diagonal of channels in and channels out."""
    weight = np.zeros((channels, channels, 2 * factor, 2 * factor))
    for channel in range(channels):
        weight[channel, channel] = bilinear_kernel(factor)
    return weight
