"""Answer to exercise sizes: how far a window reaches, and how far it can move."""


def conv_output_size(size, kernel_size, stride, padding, dilation):
    """Count the first window, and its steps into the pixels that it leaves free."""
    reach = dilation * (kernel_size - 1) + 1
    free = size + 2 * padding - reach
    return free // stride + 1


def conv_transpose_output_size(size, kernel_size, stride, padding, output_padding, dilation):
    """Find where the last stamp begins, and add its reach."""
    reach = dilation * (kernel_size - 1) + 1
    return (size - 1) * stride + reach - 2 * padding + output_padding
