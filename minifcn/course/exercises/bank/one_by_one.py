"""Exercise one_by_one: conv1x1, and linear_to_conv."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises.bank.drawing import integers, normal
from minifcn.course.exercises.bank.one_by_one_mistakes import LINEAR_SWITCHES, SWITCHES
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part


def conv1x1(has: Has, x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The reference: pixels as rows of a matrix, (N, H, W, C)."""
    (n, c, h, w), f = x.shape, len(weight)
    dtype, given = x.dtype, (x, weight)
    matrix = _matrix(has, weight)
    if has("conv.one_channel"):
        x, matrix = x[:, :1], matrix[:, :1]
    sums = np.asarray(_pixels(has, x) @ matrix.T)
    if has("conv.no_sum/last_channel"):
        sums = x[:, -1, ..., None] * matrix[:, -1]
    if has("conv.no_sum/mean"):
        sums = sums / c
    if has("conv.no_sum/batch"):
        sums = np.broadcast_to(sums.sum(0), sums.shape)
    whole = dtype.kind == "i"
    if has("conv.dtype/input_then_bias") and whole:
        sums = sums.astype(dtype).astype(float)
    y = _images(has, _biased(has, sums, bias, c), bias, (n, f, h, w))
    if has("conv.mutates_input/x"):
        given[0][...] += 1
    if has("conv.mutates_input/weight"):
        given[1][...] += 1
    if has("conv.dtype/input"):
        y = y.astype(dtype)
    return y.astype(np.float32) if has("conv.dtype/float32") else np.array(y)


def _matrix(has: Has, weight: np.ndarray) -> np.ndarray:
    f, c = weight.shape
    if has("one.W_T/whole"):
        return weight.T
    if has("one.W_T/reshape"):
        return weight.reshape(c, f).T
    return weight


def _pixels(has: Has, x: np.ndarray) -> np.ndarray:
    """The pixels, (N, H, W, C)."""
    n, c, h, w = x.shape
    if has("one.reshape_for_T/in") or has("one.reshape_for_T/in_and_out"):
        return x.reshape(n, h, w, c)
    if has("one.reshape_for_T/in_and_out_then_bias"):
        return x.reshape(n, h, w, c)
    if has("one.batch_merged/in") or has("one.batch_merged/in_and_out"):
        return x.reshape(c, n, h, w).transpose(1, 2, 3, 0)
    if has("one.batch_merged/in_and_out_then_bias"):
        return x.reshape(c, n, h, w).transpose(1, 2, 3, 0)
    if has("one.perm/in"):
        return x.transpose(0, 3, 1, 2)
    return x.transpose(0, 2, 3, 1)


def _biased(has: Has, y: np.ndarray, bias: np.ndarray, channels: int) -> np.ndarray:
    """The sums (N, H, W, F) with the bias, unless it follows later."""
    later = ("one.reshape_for_T/out_then_bias", "one.reshape_for_T/in_and_out_then_bias",
             "one.batch_merged/out_then_bias", "one.batch_merged/in_and_out_then_bias")  # fmt: skip
    if has("conv.bias_missing") or any(has(one) for one in later):
        return y
    if has("one.bias_axis/width"):
        return np.asarray(y + bias[:, None])
    if has("one.bias_axis/height"):
        return np.asarray(y + bias[:, None, None])
    if has("one.bias_axis/batch"):
        return np.asarray(y + bias[:, None, None, None])
    return np.asarray(y + bias * (channels if has("conv.bias_per_channel") else 1))


def _images(
    has: Has, y: np.ndarray, bias: np.ndarray, shape: tuple[int, int, int, int]
) -> np.ndarray:
    """From (N, H, W, F) to the shape of the result."""
    if has("one.reshape_for_T/out") or has("one.reshape_for_T/in_and_out"):
        return y.reshape(shape)
    if has("one.reshape_for_T/out_then_bias") or has("one.reshape_for_T/in_and_out_then_bias"):
        return np.asarray(y.reshape(shape) + bias[:, None, None])
    if has("one.batch_merged/out") or has("one.batch_merged/in_and_out"):
        return y.transpose(3, 0, 1, 2).reshape(shape)
    if has("one.batch_merged/out_then_bias") or has("one.batch_merged/in_and_out_then_bias"):
        return np.asarray(y.transpose(3, 0, 1, 2).reshape(shape) + bias[:, None, None])
    if has("one.perm/none"):
        return y
    if has("one.perm/same_again"):
        return y.transpose(0, 2, 3, 1)
    if has("one.perm/back_hw"):
        return y.transpose(0, 3, 2, 1)
    if has("one.perm/channels_first"):
        return y.transpose(3, 0, 1, 2)
    return y.transpose(0, 3, 1, 2)


def linear_to_conv(
    has: Has, weight: np.ndarray, bias: np.ndarray, channels: int, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """The reference: another shape."""
    c, h, w = channels, height, width
    kernel = _kernel(has, weight, c, h, w)
    if has("conv.dtype/float32"):
        kernel = kernel.astype(np.float32)
    scale = bias
    if has("fc.bias/zero"):
        scale = np.zeros_like(bias)
    if has("fc.bias/places"):
        scale = bias / (h * w)
    if has("fc.bias/inputs"):
        scale = bias / (c * h * w)
    if has("fc.bias/times"):
        scale = bias * (h * w)
    if has("fc.bias/axes"):
        scale = bias[:, None, None]
    if has("fc.bias/axes_of_weight"):
        scale = bias[:, None, None, None]
    if has("fc.bias/map"):
        scale = np.broadcast_to(bias[:, None, None], (len(bias), h, w))
    if has("conv.mutates_input/weight"):
        weight += 1
    return kernel, scale


def _kernel(has: Has, weight: np.ndarray, c: int, h: int, w: int) -> np.ndarray:
    f = len(weight)
    if has("fc.one_by_one/axes"):
        return weight[:, :, None, None]
    if has("fc.one_by_one/mean"):
        return weight.reshape(f, c, h, w).mean((2, 3), keepdims=True)
    if has("fc.one_by_one/sum"):
        return weight.reshape(f, c, h, w).sum((2, 3), keepdims=True)
    if has("fc.order/hwc"):
        return weight.reshape(f, h, w, c).transpose(0, 3, 1, 2)
    if has("fc.order/hwc_shape"):
        return weight.reshape(f, h, w, c)
    if has("fc.order/whc"):
        return weight.reshape(f, w, h, c).transpose(0, 3, 2, 1)
    if has("fc.hw/values"):
        return weight.reshape(f, c, w, h).swapaxes(2, 3)
    if has("fc.hw/shape"):
        return weight.reshape(f, c, w, h)
    if has("fc.hw/moved"):
        return weight.reshape(f, c, h, w).swapaxes(2, 3)
    if has("fc.W_T/transposed"):
        return weight.T.reshape(f, c, h, w)
    if has("fc.W_T/inputs_first"):
        return weight.reshape(c, h, w, f).transpose(3, 0, 1, 2)
    if has("fc.W_T/shape"):
        return weight.T.reshape(c, h, w, f)
    if has("conv.weight_perm/cf"):
        return weight.reshape(f, c, h, w).swapaxes(0, 1)
    if has("conv.weight_perm/hwio"):
        return weight.reshape(f, c, h, w).transpose(2, 3, 1, 0)
    if has("conv.flip/both"):
        return weight.reshape(f, c, h, w)[:, :, ::-1, ::-1]
    return weight.reshape(f, c, h, w)


def cases(generator: np.random.Generator) -> list[Case]:
    """Unequal in everything; integers, which a careless dtype would cut."""

    def case(name: str, shape: tuple[int, int, int, int], f: int, draw: object = normal) -> Case:
        x = integers(generator, *shape) if draw is integers else normal(generator, *shape)
        weight, bias = normal(generator, f, shape[1]), normal(generator, f)
        return Case(name, {"x": x, "weight": weight, "bias": bias})

    return [
        case("more channels go out than come in", (2, 3, 4, 6), 5),
        case("fewer channels go out than come in", (3, 5, 4, 2), 2),
        case("one row", (2, 3, 1, 7), 4),
        case("whole numbers as input", (2, 4, 3, 5), 3, integers),
    ]


def naming(generator: np.random.Generator) -> list[Case]:
    """Some sizes equal, so that mistakes which raise elsewhere give numbers here."""

    def case(name: str, shape: tuple[int, int, int, int], f: int) -> Case:
        x, weight, bias = (normal(generator, *size) for size in (shape, (f, shape[1]), (f,)))
        return Case(name, {"x": x, "weight": weight, "bias": bias})

    return [
        case("all sizes equal", (3, 3, 3, 3), 3),
        case("as many channels out as in", (2, 4, 3, 5), 4),
        case("as many channels as rows and columns", (2, 4, 4, 4), 3),
    ]


def linear_cases(generator: np.random.Generator) -> list[Case]:
    """Unequal in everything."""

    def case(name: str, f: int, c: int, h: int, w: int) -> Case:
        arguments = {"weight": normal(generator, f, c * h * w), "bias": normal(generator, f)}
        return Case(name, {**arguments, "channels": c, "height": h, "width": w})

    return [
        case("2 classes, 3 channels of 4 x 5", 2, 3, 4, 5),
        case("5 classes, 2 channels of 4 x 3", 5, 2, 4, 3),
        case("features of one pixel", 4, 6, 1, 1),
    ]


EXERCISE = Exercise(
    name="one_by_one",
    title="the 1 x 1 convolution, and a linear layer as a convolution",
    functions=(
        Function("conv1x1", (Part("y", "output"),), conv1x1, cases, SWITCHES, naming),
        Function(
            "linear_to_conv",
            (Part("weight", "weight"), Part("bias", "bias")),
            linear_to_conv,
            linear_cases,
            LINEAR_SWITCHES,
        ),
    ),
    hints=(
        "Which numbers of x meet in one number of y? Which number of a feature map does each"
        " number of a row of the weight belong to?",
        "Tutorial 06, 'A linear layer is a convolution'; tutorial 02, 'Channels, and several"
        " images'.",
        "y[n, f, h, w] = bias[f] + sum over c of weight[f, c] * x[n, c, h, w]; and the new"
        " weight[f, c, h, w] = weight[f, (c * H + h) * W + w], with the same bias.",
    ),
    tutorial=6,
)
