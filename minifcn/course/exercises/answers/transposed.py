"""Answer to exercise transposed: for each tap of the kernel, all numbers of y at once."""

import numpy as np


def conv_transpose2d(y, weight, stride, padding, output_padding):
    """Add up what each tap gives to each place, then cut the padding away."""
    (n, _, height, width), (_, f, kh, kw) = y.shape, weight.shape
    (sh, sw), (ph, pw), (extra_h, extra_w) = stride, padding, output_padding
    uncropped = np.zeros((n, f, (height - 1) * sh + kh + extra_h, (width - 1) * sw + kw + extra_w))
    for i in range(kh):
        for j in range(kw):
            rows = slice(i, i + (height - 1) * sh + 1, sh)
            columns = slice(j, j + (width - 1) * sw + 1, sw)
            uncropped[:, :, rows, columns] += np.einsum("nchw,cf->nfhw", y, weight[:, :, i, j])
    bottom, right = uncropped.shape[2] - ph, uncropped.shape[3] - pw
    return uncropped[:, :, ph:bottom, pw:right]
