"""Random numbers, sizes and windows, for tests that hold for any of them."""

import numpy as np
from hypothesis import strategies as st


def pairs(least, most):
    return st.tuples(st.integers(least, most), st.integers(least, most))


GENERATORS = st.integers(0, 2**16).map(np.random.default_rng)
CHANNELS = st.integers(1, 3)
STRIDES = st.just((1, 1)) | pairs(1, 4)  # stride 1 takes a path of its own


@st.composite
def windows(draw, most_dilation=3):
    """The size of an input and a window that fits: (size, kernel_size, stride, padding, dilation).

    A stride may exceed the kernel, and a padding all of the input.
    """
    kernel_size, stride = draw(pairs(1, 4)), draw(STRIDES)
    padding, dilation = draw(pairs(0, 4)), draw(pairs(1, most_dilation))
    size = tuple(
        max(1, d * (k - 1) + 1 - 2 * p) + extra
        for k, p, d, extra in zip(kernel_size, padding, dilation, draw(pairs(0, 5)), strict=True)
    )
    return size, kernel_size, stride, padding, dilation
