"""Answer to exercise one_by_one: a matrix product at each pixel, and a weight in another shape."""


def conv1x1(x, weight, bias):
    """Move the channels to the end, multiply, and move them back."""
    pixels = x.transpose(0, 2, 3, 1)
    y = pixels @ weight.T + bias
    return y.transpose(0, 3, 1, 2)


def linear_to_conv(weight, bias, channels, height, width):
    """Put each row of the weight into the shape of the features."""
    return weight.reshape(-1, channels, height, width), bias
