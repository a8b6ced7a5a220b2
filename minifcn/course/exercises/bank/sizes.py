"""Exercise sizes: of the output of a convolution and of a transposed one."""

from __future__ import annotations

import math

import numpy as np

from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part, asked


def conv_output_size(
    has: Has, size: int, kernel_size: int, stride: int, padding: int, dilation: int
) -> float:
    """The reference: a first window, and its steps."""
    stride, padding = _settings(has, stride, padding)
    around = padding if has("size.one_pad") else 2 * padding
    if has("size.pad_twice/twice"):
        around = 4 * padding
    if has("size.pad_twice/missing"):
        around = 0
    free = size + around - _reach(has, kernel_size, dilation)
    if has("size.swap_kernel_stride"):
        free, stride = size + around - dilation * (stride - 1) - 1, kernel_size
    if has("size.precedence/stride"):
        return size + around - (_reach(has, kernel_size, dilation) - 1) - 1 // stride + 1
    if has("size.precedence/kernel"):
        return size + around - _reach(has, kernel_size, dilation) // stride + 1
    if has("size.plus_one_inside"):
        return (free + 1) // stride
    if has("size.no_floor/divide"):
        return free / stride + 1
    if has("size.no_floor/float"):
        return float(free // stride + 1)
    if has("size.no_floor/round"):
        return round(free / stride) + 1
    if has("size.no_plus_one/two_plus"):
        return free // stride + 2
    if has("size.no_plus_one/last"):
        return math.ceil(free / stride)
    steps = math.ceil(free / stride) if has("size.ceil") else free // stride
    return steps + (not has("size.no_plus_one/first"))


def _settings(has: Has, stride: int, padding: int) -> tuple[int, int]:
    if has("size.hardcoded/stride_1"):
        stride = 1
    if has("size.hardcoded/stride_2"):
        stride = 2
    if has("size.hardcoded/padding_1"):
        padding = 1
    return stride, padding


def _reach(has: Has, kernel_size: int, dilation: int) -> int:
    """How far a window reaches."""
    if has("size.dilation/ignored"):
        return kernel_size
    if has("size.dilation/times"):
        return dilation * kernel_size
    if has("size.dilation/times_plus_one"):
        return dilation * kernel_size + 1
    if has("size.dilation/sum"):
        return kernel_size + dilation
    if has("size.dilation/no_one"):
        return dilation * (kernel_size - 1)
    if has("size.dilation/holes"):
        return kernel_size + dilation * (kernel_size - 1)
    if has("size.dilation/once"):
        return kernel_size + dilation - 1
    if has("size.dilation/sign"):
        return 1 - dilation * (kernel_size - 1)
    return dilation * (kernel_size - 1) + 1


def conv_transpose_output_size(
    has: Has,
    size: int,
    kernel_size: int,
    stride: int,
    padding: int,
    output_padding: int,
    dilation: int,
) -> float:
    """The reference: where the last stamp begins, and its reach."""
    stride, padding = _settings(has, stride, padding)
    cut = padding if has("size.one_pad") else 2 * padding
    if has("tconv.size/padding_missing"):
        cut = 0
    if has("tconv.size/padding_added"):
        cut = -2 * padding
    reach = _reach(has, kernel_size, dilation)
    if has("tconv.size/forward"):
        return (size + cut - reach) // stride + 1
    if has("tconv.size/forward_and_outpad"):
        return (size + cut - reach) // stride + 1 + output_padding
    if has("tconv.size_sH/alone"):
        return size * stride
    if has("tconv.size_sH/outpad"):
        return size * stride + output_padding
    more = output_padding
    if has("size.inverse_lossy"):
        more = 0
    if has("tconv.size/outpad_twice"):
        more = 2 * output_padding
    if has("tconv.size/outpad_cut"):
        more = -output_padding
    if has("tconv.size/outpad_stride"):
        more = output_padding * stride
    last = (size - 1) * stride
    if has("tconv.size/no_minus_one"):
        last = size * stride
    if has("tconv.pad_input"):
        last, cut = (size + cut - 1) * stride, 0
    if has("size.precedence/stamps"):
        last = size - stride
    if has("size.no_plus_one"):
        more -= 1
    if has("size.no_floor/float"):
        return float(last + reach - cut + more)
    return last + reach - cut + more


def cases(generator: np.random.Generator) -> list[Case]:
    """The size grows by whole strides, so that what is special about a case stays."""

    def case(name: str, size: int, kernel: int, stride: int, padding: int, dilation: int) -> Case:
        size += stride * int(generator.integers(0, 5))
        arguments = {"size": size, "kernel_size": kernel, "stride": stride, "padding": padding}
        return Case(name, {**arguments, "dilation": dilation})

    return [
        case("stride 1, no padding", 9, 3, 1, 0, 1),
        case("padding", 11, 4, 1, 2, 1),
        case("a stride that divides", 13, 5, 2, 0, 1),
        case("a stride that does not divide", 14, 3, 4, 0, 1),
        case("padding, and a stride that does not divide", 19, 6, 5, 3, 1),
        case("stride 3 and padding 1", 16, 4, 3, 1, 1),
        case("dilation", 17, 3, 1, 0, 2),
        case("dilation, stride and padding", 25, 4, 3, 2, 3),
        case("the window fits once", 4, 6, 7, 1, 1),
    ]


def transposed_cases(generator: np.random.Generator) -> list[Case]:
    """Of every setting some that are 0 or 1, and some that are not."""

    def case(name: str, kernel: int, stride: int, padding: int, more: int, dilation: int) -> Case:
        arguments = {"size": int(generator.integers(4, 12)), "kernel_size": kernel}
        arguments |= {"stride": stride, "padding": padding}
        return Case(name, {**arguments, "output_padding": more, "dilation": dilation})

    return [
        case("stride 1, no padding", 3, 1, 0, 0, 1),
        case("stride, no padding", 5, 2, 0, 0, 1),
        case("padding", 4, 1, 1, 0, 1),
        case("stride and padding", 7, 3, 2, 0, 1),
        case("output padding", 3, 4, 0, 2, 1),
        case("output padding and padding", 6, 5, 3, 3, 1),
        case("dilation", 3, 2, 0, 0, 2),
        case("all at once", 4, 3, 2, 1, 3),
    ]


_DILATION = asked(
    "Three weights with dilation 2: write down the pixels that they lie on. From the first to the"
    " last, how many pixels is that?",
    ("size.dilation/ignored", "the dilation is not used"),
    ("size.dilation/times", "the window reaches over dilation * kernel_size pixels"),
    ("size.dilation/times_plus_one", "the window reaches over dilation * kernel_size + 1 pixels"),
    ("size.dilation/sum", "the window reaches over kernel_size + dilation pixels"),
    ("size.dilation/no_one", "the reach of the window is one pixel too short"),
    ("size.dilation/holes", "dilation is taken for the number of pixels between two weights"),
    ("size.dilation/once", "the dilation is added once, not between each two weights"),
    ("size.dilation/sign", "the reach of the window has the wrong sign"),
)
_HARDCODED = asked(
    "Does your result change with each of the arguments?",
    ("size.hardcoded/stride_1", "the stride is not used: it is always 1"),
    ("size.hardcoded/stride_2", "the stride that is given is not used: it is always 2"),
    ("size.hardcoded/padding_1", "the padding that is given is not used: it is always 1"),
)

SWITCHES = (
    *_DILATION,
    *_HARDCODED,
    *asked(
        "Can there be half a window?",
        ("size.no_floor/divide", "the division keeps its fraction"),
        ("size.no_floor/float", "the number is right, but it is a float, not an int"),
        ("size.no_floor/round", "the division is rounded to the nearest number"),
        ("size.ceil", "the division is rounded up"),
    ),
    *asked(
        "If the window just fits into the input, and cannot move: how many outputs are there?",
        ("size.no_plus_one/first", "the first window is not counted"),
        ("size.no_plus_one/two_plus", "one window too many is counted"),
        ("size.no_plus_one/last", "a window that ends just at the border is not counted"),
        ("size.plus_one_inside", "1 is added before the division, not behind it"),
    ),
    *asked(
        "10 pixels with padding 2: how long is the padded line?",
        ("size.one_pad", "the padding is counted on one side only"),
        ("size.pad_twice/twice", "the padding is added twice"),
        ("size.pad_twice/missing", "the padding is not added"),
    ),
    *asked(
        "In which order does Python compute a - b // c + 1?",
        ("size.precedence/stride", "without parentheses, only the last 1 is divided by the stride"),
        ("size.precedence/kernel", "without parentheses, only the window is divided by the stride"),
    ),
    *asked(
        "Which of the two numbers says how far the window moves?",
        ("size.swap_kernel_stride", "kernel size and stride are exchanged"),
    ),
)
TRANSPOSED_SWITCHES = (
    *(switch for switch in _DILATION if switch.id != "size.dilation/no_one"),  # size.no_plus_one
    *_HARDCODED,
    *asked(
        "Where does the last stamp begin, and where does it end?",
        ("tconv.size/forward", "this is the formula of the convolution, not of the way back"),
        (
            "tconv.size/forward_and_outpad",
            "this is the formula of the convolution, plus the output padding",
        ),
        ("tconv.size_sH/alone", "the output is taken to be stride times the input, always"),
        (
            "tconv.size_sH/outpad",
            "the output is taken to be stride times the input, plus the output padding",
        ),
        ("tconv.size/no_minus_one", "the first stamp is taken to begin at the stride, not at 0"),
        ("size.no_plus_one", "the size is one pixel too small"),
        ("size.precedence/stamps", "without parentheses, only the 1 is multiplied by the stride"),
    ),
    *asked(
        "Does padding make the output of a transposed convolution larger or smaller, and by how"
        " many pixels?",
        ("size.one_pad", "the padding is cut off on one side only"),
        ("tconv.size/padding_missing", "the padding is not cut off"),
        ("tconv.size/padding_added", "the padding is added, not cut off"),
        ("tconv.pad_input", "the padding is put around the input"),
    ),
    *asked(
        "By how many pixels does output_padding 1 change the size?",
        ("size.inverse_lossy", "the output padding is not used"),
        ("tconv.size/outpad_twice", "the output padding is added on both sides"),
        ("tconv.size/outpad_cut", "the output padding is subtracted"),
        ("tconv.size/outpad_stride", "the output padding is multiplied by the stride"),
    ),
    *asked("Can there be half a pixel?",
           ("size.no_floor/float", "the number is right, but it is a float, not an int")),
)  # fmt: skip

EXERCISE = Exercise(
    name="sizes",
    title="how large the output of a layer is",
    functions=(
        Function(
            "conv_output_size", (Part("size", "size", "int"),), conv_output_size, cases, SWITCHES
        ),
        Function(
            "conv_transpose_output_size",
            (Part("size", "size", "int"),),
            conv_transpose_output_size,
            transposed_cases,
            TRANSPOSED_SWITCHES,
        ),
    ),
    hints=(
        "How many pixels does the first window leave free, and how many steps fit into these?",
        "Tutorial 02, 'The size of the output'; for the way back tutorial 09, 'Stamping' and"
        " 'output_padding'.",
        "With reach = d * (k - 1) + 1: floor((size + 2 * p - reach) / s) + 1; and the other way"
        " (size - 1) * s + reach - 2 * p + output_padding.",
    ),
    tutorial=2,
)
