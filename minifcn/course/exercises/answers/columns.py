"""Answer to exercise columns: for each tap of the kernel, all windows at once."""

import numpy as np


def im2col(x, kernel_size, stride, padding):
    """Copy, for each tap (i, j), the pixel that it has in every window."""
    (n, c, h, w), (kh, kw), (sh, sw), (ph, pw) = x.shape, kernel_size, stride, padding
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    columns = np.zeros((n, c, kh, kw, oh, ow))
    for i in range(kh):
        for j in range(kw):
            taps = padded[:, :, i : i + oh * sh : sh, j : j + ow * sw : sw]
            columns[:, :, i, j] = taps[:, :, :oh, :ow]
    return columns


def col2im(columns, size, stride, padding):
    """Add, for each tap (i, j), its numbers to the places that im2col reads; then cut."""
    (n, c, kh, kw, oh, ow), (h, w), (sh, sw), (ph, pw) = columns.shape, size, stride, padding
    padded = np.zeros((n, c, h + 2 * ph, w + 2 * pw))
    for i in range(kh):
        for j in range(kw):
            rows, across = slice(i, i + (oh - 1) * sh + 1, sh), slice(j, j + (ow - 1) * sw + 1, sw)
            padded[:, :, rows, across] += columns[:, :, i, j]
    return padded[:, :, ph : ph + h, pw : pw + w]
