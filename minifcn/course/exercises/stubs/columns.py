"""Exercise columns: every window of an image, side by side, and the way back.

im2col(x, kernel_size, stride, padding) -> columns
col2im(columns, size, stride, padding) -> x

x            (N, C, H, W), of floats or of whole numbers
kernel_size  a pair (KH, KW): rows and columns of a window
stride       a pair (down, across): how far a window lies from the one before it
padding      a pair: rows of zeros above and below, columns of zeros left and right
columns      (N, C, KH, KW, OH, OW), float64 (col2im also takes whole numbers). The pixel (i, j) of
             the window (oh, ow):
             columns[n, c, i, j, oh, ow] = padded[n, c, oh * stride[0] + i, ow * stride[1] + j]
size         a pair (H, W): that of the image without padding, from which the windows would come

im2col takes all windows that fit into the padded image; the last rows and columns that no window
reaches are left out.

col2im adds: each number of columns goes to the pixel it would come from. What lies in several
windows is the sum of several numbers, what lies in none is 0, and what lies in the padding is left
out. Its result is (N, C, H, W), float64. It is no inverse: it is what the gradient needs.

Arguments must come back unchanged; a result may be a view of them.

An example, N = C = 1, one row: kernel size (1, 3), stride (1, 2), padding (0, 1).

    x  1 2 3 4    padded  0 1 2 3 4 0    windows  0 1 2 and 2 3 4    columns  0 2    OW = 2
                                                                              1 3
                                                                              2 4    KW = 3

    col2im of these, for size (1, 4)     0 1 2 at 0, 2 3 4 at 2      x  1 4 3 4
"""

import numpy as np


def im2col(x, kernel_size, stride, padding):
    """Return columns."""
    raise NotImplementedError


def col2im(columns, size, stride, padding):
    """Return x."""
    raise NotImplementedError
