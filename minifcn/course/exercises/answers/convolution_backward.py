"""Answer to exercise convolution_backward: each tap of the kernel sends its share back."""

import numpy as np


def conv2d_backward(gradient, x, weight, stride, padding):
    """Go through the taps, as forward does: what a tap multiplied, it now gives its share of."""
    (_, _, height, width), (_, _, kh, kw) = x.shape, weight.shape
    (_, _, oh, ow), (sh, sw), (ph, pw) = gradient.shape, stride, padding
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    of_padded, of_weight = np.zeros(padded.shape), np.zeros(weight.shape)
    for i in range(kh):
        for j in range(kw):
            rows = slice(i, i + (oh - 1) * sh + 1, sh)
            columns = slice(j, j + (ow - 1) * sw + 1, sw)
            of_weight[:, :, i, j] = np.einsum(
                "nfhw,nchw->fc", gradient, padded[:, :, rows, columns]
            )
            # Windows overlap, so a pixel gets a share from several: add, do not assign.
            of_padded[:, :, rows, columns] += np.einsum(
                "nfhw,fc->nchw", gradient, weight[:, :, i, j]
            )
    of_x = of_padded[:, :, ph : ph + height, pw : pw + width]
    return of_x, of_weight, gradient.sum((0, 2, 3))
