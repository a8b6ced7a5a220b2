"""Exercise convolution: conv2d, forward."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises.bank.drawing import integers, normal
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part, Switch

Pair = tuple[int, int]


def conv2d(
    has: Has, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: Pair, padding: Pair
) -> np.ndarray:
    """The reference: a sum over the taps of the kernel."""
    dtype = x.dtype if has("conv.dtype/input") else np.dtype(np.float64)
    if has("conv.weight_perm/cf"):
        f, c = weight.shape[:2]
        weight = weight.reshape(c, f, *weight.shape[2:]).swapaxes(0, 1)
    if has("conv.kernel_T"):
        weight = weight.swapaxes(2, 3)
    if has("conv.flip"):
        weight = weight[:, :, ::-1, ::-1]
    (n, _, h, w), (f, _, kh, kw), (sh, sw), (ph, pw) = x.shape, weight.shape, stride, padding
    if has("conv.pad_hw"):
        pw = ph
    before, after = (ph, pw), (ph, pw)
    if has("conv.pad_end"):
        before, after = (0, 0), (2 * ph, 2 * pw)
    sides = ((0, 0), (0, 0), (before[0], after[0]), (before[1], after[1]))
    padded = (
        np.pad(x, sides, constant_values=1)
        if has("conv.pad_value/one")
        else (np.pad(x, sides, mode="edge") if has("conv.pad_value/edge") else np.pad(x, sides))
    )
    oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    if has("conv.one_channel"):
        padded, weight = padded[:, :1], weight[:, :1]
    step_h, step_w = (1, 1) if has("conv.stride_size_only") else (sh, sw)
    y = np.zeros((n, f, oh, ow), dtype)
    for i in range(kh):
        for j in range(kw):
            window = padded[:, :, i : i + oh * step_h : step_h, j : j + ow * step_w : step_w]
            window = window[:, :, :oh, :ow]
            y += np.einsum("nchw,fc->nfhw", window, weight[:, :, i, j]).astype(dtype)
    if has("conv.no_sum/batch"):
        y = np.broadcast_to(y.sum(0, keepdims=True), y.shape).copy()
    if has("conv.acc_not_reset"):
        y = y.reshape(n, -1).cumsum(1).reshape(y.shape)
    if has("conv.bias_missing"):
        return y
    if has("conv.bias_axis"):
        return y + bias
    times = weight.shape[1] if has("conv.bias_per_channel") else 1
    y = y + times * bias.reshape(1, -1, 1, 1).astype(dtype)
    return y.swapaxes(2, 3).copy() if has("conv.out_T") else y


def cases(generator: np.random.Generator) -> list[Case]:
    """Unequal in everything; integers, which a careless dtype would cut."""

    def case(name: str, n: int, c: int, f: int, size: Pair, kernel: Pair, stride: Pair,
             padding: Pair, draw: object = normal) -> Case:  # fmt: skip
        x = integers(generator, n, c, *size) if draw is integers else normal(generator, n, c, *size)
        weight, bias = normal(generator, f, c, *kernel), normal(generator, f)
        return Case(
            name, {"x": x, "weight": weight, "bias": bias, "stride": stride, "padding": padding}
        )

    return [
        case("stride 1, no padding", 2, 3, 4, (5, 6), (2, 3), (1, 1), (0, 0)),
        case("padding", 2, 3, 4, (5, 7), (3, 2), (1, 1), (2, 1)),
        case("stride", 3, 2, 4, (8, 7), (3, 2), (2, 3), (0, 0)),
        case("stride that does not divide, and padding", 2, 3, 5, (7, 10), (3, 4), (2, 3), (1, 2)),
        case("whole numbers as input", 2, 3, 4, (6, 5), (2, 3), (1, 2), (1, 0), integers),
    ]


def naming(generator: np.random.Generator) -> list[Case]:
    """Square, so that mistakes which raise elsewhere give numbers here."""
    x, weight = normal(generator, 3, 4, 6, 6), normal(generator, 4, 4, 3, 3)
    square = {"x": x, "weight": weight, "bias": normal(generator, 4), "padding": (0, 0)}
    return [
        Case("all sizes equal", {**square, "stride": (1, 1)}),
        Case("all sizes equal, padding", {**square, "stride": (2, 2), "padding": (1, 1)}),
    ]


SWITCHES = (
    Switch(
        "conv.flip",
        "the kernel is flipped: a convolution of mathematics, where a network's is a"
        " cross-correlation",
        "Which weight lies on the top left pixel of the window?",
    ),
    Switch(
        "conv.kernel_T",
        "rows and columns of the kernel are exchanged",
        "Does weight[f, c, i, j] meet the pixel i rows down, or i columns across?",
    ),
    Switch(
        "conv.out_T",
        "rows and columns of the output are exchanged",
        "Which axis of y counts the windows from top to bottom?",
    ),
    Switch(
        "conv.one_channel",
        "only the first channel of the input is used",
        "Over which axes of a window does the sum go?",
    ),
    Switch(
        "conv.stride_size_only",
        "the stride makes the output smaller, but the window moves by 1",
        "Where does the window of output (1, 1) begin?",
    ),
    Switch(
        "conv.bias_missing", "the bias is not added", "What is the output of an image of zeros?"
    ),
    Switch(
        "conv.bias_axis",
        "the bias is added along the width, not one number a channel",
        "Which axis of y do the numbers of bias belong to?",
    ),
    Switch(
        "conv.bias_per_channel",
        "the bias is added once for each channel of the input",
        "How many times does one output need its bias?",
    ),
    Switch(
        "conv.pad_end",
        "all the padding is at the bottom and right",
        "How many rows of zeros stand above the first row of x?",
    ),
    Switch(
        "conv.pad_value/one", "the padding is filled with ones", "What stands around the image?"
    ),
    Switch(
        "conv.pad_value/edge",
        "the padding repeats the outermost pixels",
        "What stands around the image?",
    ),
    Switch(
        "conv.pad_hw",
        "the padding of the height is used for the width, too",
        "padding is a pair: which of its numbers is for the columns?",
    ),
    Switch(
        "conv.weight_perm/cf",
        "the weight is read as (C, F, KH, KW)",
        "Is the first axis of weight the channels that come in, or those that go out?",
    ),
    Switch(
        "conv.acc_not_reset",
        "the sum goes on from one output to the next",
        "What must the sum be when a new window begins?",
    ),
    Switch(
        "conv.no_sum/batch",
        "the sum goes over the images of the batch, too",
        "May one image of the batch change the result of another?",
    ),
    Switch(
        "conv.dtype/input",
        "the output has the dtype of the input, so whole numbers are cut",
        "What becomes of 0.5 in an array of whole numbers?",
    ),
)

EXERCISE = Exercise(
    name="convolution",
    title="the convolution of an image, forward",
    functions=(Function("conv2d", (Part("y", "output"),), conv2d, cases, SWITCHES, naming),),
    hints=(
        "How large is the output, and where does the window of its cell (1, 1) begin?",
        "Tutorial 02, 'As loops', and its 'Stride, padding, dilation'.",
        "y[n, f, oh, ow] = bias[f] + sum over c, i, j of weight[f, c, i, j] *"
        " padded[n, c, oh * sh + i, ow * sw + j], where padded has ph rows and pw columns of zeros"
        " on each side.",
    ),
    tutorial=2,
)
