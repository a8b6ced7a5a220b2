"""Sizes as students compute them: the right ones pass, the wrong ones are named or not."""

import pytest

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check

FORWARD = (
    "import math\nimport numpy as np\ndef conv_output_size("
    "size, kernel_size, stride, padding, dilation):\n"
)
BACK = (
    "import numpy as np\ndef conv_transpose_output_size("
    "size, kernel_size, stride, padding, output_padding, dilation):\n"
)
RIGHT = {
    "the windows are counted": FORWARD
    + """
    count = start = 0
    while start + dilation * (kernel_size - 1) < size + 2 * padding:
        count, start = count + 1, start + stride
    return count
""",
    "math.floor": FORWARD
    + """
    effective = kernel_size + (kernel_size - 1) * (dilation - 1)
    return math.floor((size - effective + 2 * padding) / stride + 1)
""",
    "a NumPy integer": FORWARD
    + """
    starts = np.arange(0, size + 2 * padding - dilation * (kernel_size - 1), stride)
    return np.int64(len(starts))
""",
    "int of a float": FORWARD
    + """
    return int((size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride) + 1
""",
    "back: the outputs are touched": BACK
    + """
    line = np.zeros(1000)
    for i in range(size):
        for j in range(kernel_size):
            line[i * stride + j * dilation] = 1
    return int(np.flatnonzero(line)[-1]) + 1 - 2 * padding + output_padding
""",
    "back: a search for the size whose windows are as many": BACK
    + """
    for n in range(1, 1000):
        free = n + 2 * padding - dilation * (kernel_size - 1) - 1
        if free >= 0 and free // stride + 1 == size:
            return n + output_padding
""",
}
WRONG = {
    "no floor": (
        FORWARD + "    return (size + 2*padding - dilation*(kernel_size-1) - 1) / stride + 1",
        "size.no_floor/divide",
    ),
    "np.floor": (
        FORWARD
        + "    return np.floor((size + 2*padding - dilation*(kernel_size-1) - 1) / stride) + 1",
        "size.no_floor/float",
    ),
    "-(-a // b)": (
        FORWARD + "    return -(-(size + 2*padding - dilation*(kernel_size-1) - 1) // stride) + 1",
        "size.ceil",
    ),
    "no dilation, no floor": (
        FORWARD + "    return (size + 2 * padding - kernel_size) / stride + 1",
        "size.dilation/ignored + size.no_floor/divide",
    ),
    "no dilation": (
        FORWARD + "    return (size + 2 * padding - kernel_size) // stride + 1",
        "size.dilation/ignored",
    ),
    "windows are counted, the last one not": (
        FORWARD
        + "    return len(range(0, size + 2*padding - dilation*(kernel_size-1) - 1, stride))",
        "size.no_plus_one/last",
    ),
    "back: the formula of the lectures, without dilation": (
        BACK + "    return stride * (size - 1) + kernel_size - 2 * padding + output_padding",
        "size.dilation/ignored",
    ),
    "back: same padding is believed": (BACK + "    return size * stride", "tconv.size_sH/alone"),
    "back: the padding once": (
        BACK
        + "    return (size-1)*stride + dilation*(kernel_size-1) + 1 - padding + output_padding",
        "size.one_pad",
    ),
    "back: one pixel is missing": (
        BACK + "    return (size-1)*stride + dilation*(kernel_size-1) - 2*padding + output_padding",
        "size.no_plus_one",
    ),
    "back: two too many": (
        BACK
        + "    return (size-1)*stride + dilation*(kernel_size-1) - 2*padding + output_padding + 3",
        None,
    ),
}


def written(source):
    return [p for p in check(find_exercise("sizes"), source).parts if p.status != "not-written"]


@pytest.mark.parametrize("style", RIGHT)
def test_a_right_size_passes(style):
    (part,) = written(RIGHT[style])
    assert (part.status, part.problem) == ("pass", "")


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_size_is_named_right_or_not_at_all(mistake):
    source, known = WRONG[mistake]
    (part,) = written(source)
    assert part.status == "fail"
    assert part.name.match != "either"
    assert (" + ".join(one.id for one in part.name.switches) or None) == known
