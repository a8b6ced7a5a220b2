"""Exercise sizes: how large the output of a layer is, along one axis.

conv_output_size(size, kernel_size, stride, padding, dilation) -> int
conv_transpose_output_size(size, kernel_size, stride, padding, output_padding, dilation) -> int

All are whole numbers, of one axis: of the rows, or of the columns.

size         how many pixels the input has
kernel_size  how many weights the kernel has
stride       how far a window lies behind the one before it
padding      how many zeros stand on each of the two sides; at a transposed convolution, how many
             pixels are cut off on each side
dilation     how far the pixels of two neighbouring weights are apart; 1: they are neighbours
output_padding  how many more pixels a transposed convolution computes at the end

A convolution puts its window wherever it fits into the padded input; the pixels behind the last
window are left out. Its output has a number for each window. There is always one at least.

A transposed convolution is the way back: each of its input pixels stamps a whole window onto the
output, a stride behind the stamp before it, and then the padding is cut off.

An example: 10 pixels, kernel size 3, stride 2, padding 1, dilation 1. The padded input has 12
pixels, 0 to 11. Windows begin at 0, 2, 4, 6 and 8: the size is 5. The one at 8 ends at 10, so pixel
11 is left out. And back: 5 stamps, the last begins at 8 and ends at 10. That makes 11 pixels, 9
without the padding; with output_padding 1 there are 10 again.

    conv_output_size(10, 3, 2, 1, 1)               = 5
    conv_transpose_output_size(5, 3, 2, 1, 0, 1)   = 9
    conv_transpose_output_size(5, 3, 2, 1, 1, 1)   = 10
"""


def conv_output_size(size, kernel_size, stride, padding, dilation):
    """Return how many windows there are."""
    raise NotImplementedError


def conv_transpose_output_size(size, kernel_size, stride, padding, output_padding, dilation):
    """Return how many pixels the output has."""
    raise NotImplementedError
