"""Exercise convolution: conv2d, forward."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises.bank.convolution_mistakes import SWITCHES
from minifcn.course.exercises.bank.drawing import integers, normal
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part

Pair = tuple[int, int]


def conv2d(
    has: Has, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: Pair, padding: Pair
) -> np.ndarray:
    """The reference: a sum over the taps of the kernel, then the bias."""
    x, weight = _kept(has, x, weight)
    weight = _read(has, weight)
    if has("size.swap_hw/stride"):
        stride = stride[::-1]
    if has("size.swap_hw/padding"):
        padding = padding[::-1]
    if has("size.h_for_w/stride"):
        stride = (stride[0], stride[0])
    if has("conv.loop_over_input/every"):
        stride = (1, 1)
    if has("size.hardcoded/padding_0"):
        padding = (0, 0)
    (h, w), (kh, kw), (sh, sw), (ph, pw) = x.shape[2:], weight.shape[2:], stride, padding
    padded = _padded(has, x, padding)
    if has("conv.pad_hw/both") or has("conv.pad_hw/size"):
        pw = ph
    if has("size.h_for_w/kernel"):
        oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kh) // sw + 1
    else:
        oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    if has("size.no_plus_one"):
        oh, ow = oh - 1, ow - 1
    if has("size.plus_one_inside"):
        oh, ow = (h + 2 * ph - kh + 1) // sh, (w + 2 * pw - kw + 1) // sw
    if has("size.one_pad/before") or has("size.one_pad/after"):
        oh, ow = (h + ph - kh) // sh + 1, (w + pw - kw) // sw + 1
    step = (1, 1) if has("conv.stride_size_only") else stride
    if has("size.h_for_w/step"):
        step = (sh, sh)
    taps = _taps(padded, weight, (oh, ow), step)
    if has("conv.one_channel"):
        taps = taps[:1]
    if x.dtype.kind == "i" and (cut := _cut(has, taps, bias)) is not None:
        return cut
    y = _biased(has, _summed(has, taps), bias, weight)
    return _returned(has, y, (h - kh, w - kw), stride, bias)


def _kept(has: Has, x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Copies to go on with; the mistakes change the student's arguments."""
    kept = x.copy(), weight.copy()
    if has("conv.mutates_input/x"):
        x += 1
    if has("conv.mutates_input/weight"):
        weight += 1
    return kept


def _read(has: Has, weight: np.ndarray) -> np.ndarray:
    """The weight as (F, C, KH, KW)."""
    if has("conv.weight_perm/cf"):
        weight = weight.swapaxes(0, 1)
    if has("conv.weight_perm/hwio"):
        weight = weight.transpose(3, 2, 0, 1)
    if has("conv.weight_perm/ohwi"):
        weight = weight.transpose(0, 3, 1, 2)
    f, c, kh, kw = weight.shape
    if has("conv.kernel_T/all"):
        weight = weight.swapaxes(2, 3)
    if has("conv.kernel_T/read"):
        if kh != kw:
            raise IndexError
        weight = weight.swapaxes(2, 3)
    if has("im2col.order/taps_first"):
        weight = weight.reshape(f, kh, kw, c).transpose(0, 3, 1, 2)
    if has("im2col.order/weight"):
        weight = weight.transpose(0, 2, 3, 1).reshape(weight.shape)
    if has("conv.flip/both"):
        weight = weight[:, :, ::-1, ::-1]
    if has("conv.flip/channels"):
        weight = weight[:, ::-1, ::-1, ::-1]
    if has("conv.flip/all"):
        weight = weight[::-1, ::-1, ::-1, ::-1]
    if has("conv.flip/rows"):
        weight = weight[:, :, ::-1]
    if has("conv.flip/columns"):
        weight = weight[:, :, :, ::-1]
    return weight


def _padded(has: Has, x: np.ndarray, padding: Pair) -> np.ndarray:
    (n, c), (ph, pw) = x.shape[:2], padding
    if has("conv.pad_batch/pair"):
        return np.pad(x, padding)[:n, :c]
    if has("conv.pad_batch/number"):
        return np.pad(x, ph)[:n, :c]
    if has("conv.pad_hw/both") or has("conv.pad_hw/pad"):
        pw = ph
    sides = [(0, 0), (0, 0), (ph, ph), (pw, pw)]
    if has("conv.pad_end/end"):
        sides[2:] = [(0, 2 * ph), (0, 2 * pw)]
    if has("conv.pad_end/start"):
        sides[2:] = [(2 * ph, 0), (2 * pw, 0)]
    if has("size.one_pad/before"):
        sides[2:] = [(ph, 0), (pw, 0)]
    if has("size.one_pad/after"):
        sides[2:] = [(0, ph), (0, pw)]
    if has("conv.pad_value/one"):
        return np.pad(x, sides, constant_values=1)
    if has("conv.pad_value/edge"):
        return np.pad(x, sides, mode="edge")
    if has("conv.pad_value/reflect"):
        return np.pad(x, sides, mode="reflect")
    return np.pad(x, sides)


def _taps(padded: np.ndarray, weight: np.ndarray, size: Pair, step: Pair) -> np.ndarray:
    """What each tap gives to each output, (C, KH * KW, N, F, OH, OW)."""
    (f, c, kh, kw), (oh, ow), (sh, sw) = weight.shape, size, step
    if padded.shape[1] != c:
        raise ValueError
    taps = np.empty((c, kh * kw, len(padded), f, oh, ow))
    for i in range(kh):
        for j in range(kw):
            window = padded[:, :, i : i + oh * sh : sh, j : j + ow * sw : sw][:, :, :oh, :ow]
            if window.shape[2:] != (oh, ow):
                raise IndexError
            taps[:, i * kw + j] = np.einsum("nchw,fc->cnfhw", window, weight[:, :, i, j])
    return taps


def _summed(has: Has, taps: np.ndarray) -> np.ndarray:
    if has("conv.no_sum/last_channel"):
        return taps[-1].sum(0)
    if has("conv.no_sum/last_tap"):
        return taps[:, -1].sum(0)
    y = taps.sum((0, 1))
    if has("conv.no_sum/mean"):
        y = y / (taps.shape[0] * taps.shape[1])
    if has("conv.no_sum/batch"):
        y = np.broadcast_to(y.sum(0, keepdims=True), y.shape).copy()
    n, f, oh, ow = y.shape
    if has("conv.acc_not_reset/never"):
        y = y.ravel().cumsum().reshape(y.shape)
    if has("conv.acc_not_reset/image"):
        y = y.reshape(n, -1).cumsum(1).reshape(y.shape)
    if has("conv.acc_not_reset/channel"):
        y = y.reshape(n, f, -1).cumsum(2).reshape(y.shape)
    if has("conv.acc_not_reset/row"):
        y = y.cumsum(3)
    if has("im2col.nchw_reshape/nhwf_then_bias"):
        y = y.transpose(0, 2, 3, 1).reshape(y.shape)
    if has("im2col.nchw_reshape/fnhw_then_bias"):
        y = y.swapaxes(0, 1).reshape(y.shape)
    return y


def _cut(has: Has, taps: np.ndarray, bias: np.ndarray) -> np.ndarray | None:
    """An output of whole numbers, as it is filled: all at once, or product by product."""

    def cut(y: np.ndarray) -> np.ndarray:
        return y.astype(np.int64)

    def product_by_product(y: np.ndarray) -> np.ndarray:
        for tap in taps.reshape(-1, *taps.shape[2:]):
            y = cut(y + tap)
        return y

    places, nothing = bias[:, None, None], np.zeros(taps.shape[2:], np.int64)
    if has("conv.dtype/input"):
        return cut(taps.sum((0, 1)) + places)
    if has("conv.dtype/input_then_bias"):
        return np.asarray(cut(taps.sum((0, 1))) + places)
    if has("conv.dtype/input_bias_cut"):
        return cut(cut(taps.sum((0, 1))) + places)
    if has("conv.dtype/products"):
        return cut(product_by_product(nothing) + places)
    if has("conv.dtype/products_then_bias"):
        return np.asarray(product_by_product(nothing) + places)
    if has("conv.dtype/bias_then_products"):
        return product_by_product(nothing + cut(places))
    return None


def _biased(has: Has, y: np.ndarray, bias: np.ndarray, weight: np.ndarray) -> np.ndarray:
    _, c, kh, kw = weight.shape
    if has("conv.bias_missing"):
        return y
    if has("conv.bias_axis/width"):
        return np.asarray(y + bias)
    if has("conv.bias_axis/height"):
        return np.asarray(y + bias[:, None])
    if has("conv.bias_axis/batch"):
        return np.asarray(y + bias[:, None, None, None])
    times = 1
    if has("conv.bias_per_channel/channel"):
        times = c
    if has("conv.bias_per_channel/place"):
        times = kh * kw
    if has("conv.bias_per_channel/product"):
        times = c * kh * kw
    return np.asarray(y + times * bias[:, None, None])


def _returned(has: Has, y: np.ndarray, last: Pair, stride: Pair, bias: np.ndarray) -> np.ndarray:
    """The output in its shape; `last` is where a window can begin at most without padding."""
    n, f, oh, ow = y.shape
    beyond = (np.arange(oh) * stride[0] > last[0])[:, None] | (np.arange(ow) * stride[1] > last[1])
    if has("conv.loop_over_input/unpadded"):
        y = np.where(beyond, 0, y)
    if has("conv.loop_over_input/unpadded_then_bias"):
        y = np.where(beyond, bias[:, None, None], y)
    if has("im2col.nchw_reshape/nhwf"):
        y = y.transpose(0, 2, 3, 1).reshape(y.shape)
    if has("im2col.nchw_reshape/fnhw"):
        y = y.swapaxes(0, 1).reshape(y.shape)
    if has("im2col.nchw_reshape/fhwn"):
        y = y.transpose(1, 2, 3, 0).reshape(y.shape)
    if has("conv.out_T/placed") and oh != ow:
        raise IndexError
    if has("conv.out_T/placed") or has("conv.out_T/shape"):
        y = y.swapaxes(2, 3)
    if has("pool.return_in_loop/image"):
        y = np.concatenate([y[:1], np.zeros_like(y[1:])])
    if has("pool.return_in_loop/channel"):
        y = np.where(np.arange(n * f).reshape(n, f, 1, 1) == 0, y, 0)
    if has("conv.first_image"):
        y = np.broadcast_to(y[:1], y.shape)
    if has("conv.axis_missing/first_image"):
        y = y[0]
    if has("conv.axis_missing/last_image"):
        y = y[-1]
    if has("conv.axis_missing/last_channel"):
        y = y[:, -1]
    return y.astype(np.float32) if has("conv.dtype/float32") else y.copy()


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
    square = {"bias": normal(generator, 4), "padding": (0, 0), "stride": (1, 1)}
    square |= {"x": normal(generator, 3, 4, 6, 6), "weight": normal(generator, 4, 4, 3, 3)}
    threes = {"x": normal(generator, 3, 3, 5, 5), "weight": normal(generator, 3, 3, 3, 3)}
    return [
        Case("all sizes equal", square),
        Case("all sizes equal, padding", {**square, "stride": (2, 2), "padding": (1, 1)}),
        Case("all sizes 3", {**square, **threes, "bias": normal(generator, 3)}),
    ]


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
