"""Exercise transposed: conv_transpose2d."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises.bank.drawing import integers, normal
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part, Switch

Pair = tuple[int, int]


def conv_transpose2d(
    has: Has, y: np.ndarray, weight: np.ndarray, stride: Pair, padding: Pair, output_padding: Pair
) -> np.ndarray:
    """The reference: a scatter of each number of y through the kernel, then a crop."""
    weight = _weight(has, weight)
    if weight.shape[0] != y.shape[1]:
        raise ValueError("operands could not be broadcast together")
    if has("tconv.one_channel"):
        y, weight = y[:, :1], weight[:1]
    if has("tconv.pad_input"):
        y = np.pad(y, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
        padding = (0, 0)
    if has("tconv.pad_hw"):
        padding = (padding[0], padding[0])
    (h, w), (kh, kw), (ph, pw) = y.shape[2:], weight.shape[2:], padding
    full = ((h - 1) * stride[0] + kh, (w - 1) * stride[1] + kw)
    extra = output_padding
    if has("tconv.outpad_zeros/missing"):
        extra = (0, 0)
    size = (full[0] + extra[0], full[1] + extra[1])
    if has("tconv.stride_step/conv"):
        return _stepped(y, weight, stride, padding, extra)
    if has("tconv.size/plus"):
        size = (size[0] + 2 * ph, size[1] + 2 * pw)
    uncropped = _scattered(has, y, weight, stride, size)
    if has("tconv.size/plus") or has("tconv.size/no_crop"):
        return uncropped
    return _cropped(has, uncropped, full, (y.shape[2:], weight.shape[2:]), stride, padding, extra)


def _weight(has: Has, weight: np.ndarray) -> np.ndarray:
    """The weight as (C, F, KH, KW)."""
    c, f, *kernel = weight.shape
    if has("tconv.flip"):
        weight = weight[:, :, ::-1, ::-1]
    if has("tconv.kernel_T"):
        if kernel[0] != kernel[1]:
            raise ValueError("operands could not be broadcast together")
        weight = weight.swapaxes(2, 3)
    if has("tconv.weight_io/swap"):
        weight = weight.swapaxes(0, 1)
    if has("tconv.weight_io/reshape"):
        weight = weight.reshape(f, c, *kernel).swapaxes(0, 1)
    return weight


def _scattered(has: Has, y: np.ndarray, weight: np.ndarray, stride: Pair, size: Pair) -> np.ndarray:
    (n, _, h, w), (_, f, kh, kw), (sh, sw) = y.shape, weight.shape, stride
    if has("tconv.stride_step/scatter"):
        sh = sw = 1
    result = np.zeros((n, f, *size))
    if has("tconv.overwrite/tap"):
        for i in range(kh):
            for j in range(kw):
                places = result[:, :, i : i + (h - 1) * sh + 1 : sh, j : j + (w - 1) * sw + 1 : sw]
                places[...] = np.einsum("nchw,cf->nfhw", y, weight[:, :, i, j])
        return result
    overwrites = has("tconv.overwrite/window") or has("tconv.overwrite/channel")
    if has("tconv.overwrite/channel"):
        y, weight = y[:, -1:], weight[-1:]
    stamps = np.einsum("nchw,cfij->nfhwij", y, weight)
    for i in range(h):
        for j in range(w):
            window = result[:, :, i * sh : i * sh + kh, j * sw : j * sw + kw]
            window[...] = stamps[:, :, i, j] + (0 if overwrites else window)
    return result


def _stepped(
    y: np.ndarray, weight: np.ndarray, stride: Pair, padding: Pair, extra: Pair
) -> np.ndarray:
    """A convolution at the stride, padded by k - 1 - p: y is not spread."""
    kh, kw = weight.shape[2:]
    before = (kh - 1 - padding[0], kw - 1 - padding[1])
    if min(before) < 0:
        raise ValueError("index can't contain negative values")
    sides = [(before[i], before[i] + extra[i]) for i in (0, 1)]
    padded = np.pad(y, ((0, 0), (0, 0), *sides)).astype(float)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(2, 3))
    windows = windows[:, :, :: stride[0], :: stride[1]]
    return np.einsum("nchwij,cfij->nfhw", windows, weight[:, :, ::-1, ::-1])


def _cropped(has: Has, x: np.ndarray, full: Pair, sizes: tuple[tuple[int, ...], ...], stride: Pair,
             padding: Pair, extra: Pair) -> np.ndarray:  # fmt: skip
    """Cut the padding away; full is the size without output_padding."""
    (h, w), kernel = sizes
    (ph, pw), size = padding, x.shape[2:]
    out = (size[0] - 2 * ph, size[1] - 2 * pw)
    if has("tconv.crop_one_side/start"):
        return x[:, :, 2 * ph :, 2 * pw :]
    if has("tconv.crop_one_side/end"):
        return x[:, :, : out[0], : out[1]]
    if has("tconv.crop_zero"):
        return x[:, :, ph:-ph, pw:-pw]
    if has("tconv.outpad_zeros/appended"):
        kept = x[:, :, ph : full[0] - ph, pw : full[1] - pw]
        return np.pad(kept, ((0, 0), (0, 0), (0, extra[0]), (0, extra[1])))
    if has("tconv.outpad_zeros/start"):
        kept = x[:, :, ph : full[0] - ph, pw : full[1] - pw]
        return np.pad(kept, ((0, 0), (0, 0), (extra[0], 0), (extra[1], 0)))
    if has("tconv.size_sH/crop") or has("tconv.size_sH/zeros"):
        out = (h * stride[0], w * stride[1])
        if has("tconv.size_sH/zeros"):
            x = np.pad(x, ((0, 0), (0, 0), (0, out[0]), (0, out[1])))
        return x[:, :, ph : ph + out[0], pw : pw + out[1]]
    if has("tconv.pad_formula/p"):
        return _recropped(x, padding, kernel)
    if has("tconv.pad_formula/k_p"):
        return _recropped(x, (kernel[0] - ph, kernel[1] - pw), kernel)
    if has("tconv.pad_formula/half"):
        return _recropped(x, ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2), kernel)
    return x[:, :, ph : ph + out[0], pw : pw + out[1]]


def _recropped(x: np.ndarray, sides: Pair, kernel: tuple[int, ...]) -> np.ndarray:
    """What a convolution of the spread y gives that is padded by sides, not by k - 1 - p."""
    cut = [kernel[i] - 1 - sides[i] for i in (0, 1)]
    more = [max(0, -one) for one in cut]
    x = np.pad(x, ((0, 0), (0, 0), (more[0],) * 2, (more[1],) * 2))
    top, left = (max(0, one) for one in cut)
    if x.shape[2] <= 2 * top or x.shape[3] <= 2 * left:
        raise ValueError("negative dimensions are not allowed")
    return x[:, :, top : x.shape[2] - top, left : x.shape[3] - left]


def _case(generator: np.random.Generator, name: str, channels: tuple[int, int, int], size: Pair,
          kernel: Pair, stride: Pair, padding: Pair = (0, 0), extra: Pair = (0, 0),
          draw: object = normal) -> Case:  # fmt: skip
    """Draw a case; channels are N, C, F."""
    n, c, f = channels
    y = integers(generator, n, c, *size) if draw is integers else normal(generator, n, c, *size)
    weight = normal(generator, c, f, *kernel)
    return Case(name, {"y": y, "weight": weight, "stride": stride, "padding": padding,
                       "output_padding": extra})  # fmt: skip


def cases(generator: np.random.Generator) -> list[Case]:
    """Unequal in everything; kernels larger and smaller than the stride."""
    return [
        _case(generator, "stride 1, no padding", (2, 3, 4), (4, 5), (2, 3), (1, 1)),
        _case(generator, "overlapping kernels", (3, 2, 4), (4, 3), (3, 5), (2, 3)),
        _case(generator, "kernels that leave gaps", (2, 4, 3), (3, 4), (3, 2), (2, 3)),
        _case(generator, "padding", (2, 3, 5), (3, 6), (4, 6), (2, 3), (1, 2)),
        _case(generator, "padding and output_padding", (2, 3, 4), (4, 5), (5, 4), (3, 2), (2, 1),
              (2, 1)),
        _case(generator, "output_padding, no padding", (2, 3, 4), (3, 4), (2, 3), (2, 3), (0, 0),
              (1, 2)),
        _case(generator, "whole numbers", (2, 4, 3), (5, 4), (4, 3), (2, 1), (0, 1), (1, 0),
              integers),
    ]  # fmt: skip


def naming(generator: np.random.Generator) -> list[Case]:
    """Square, so that mistakes which raise elsewhere give numbers here."""
    four = (3, 4, 4)
    return [
        _case(generator, "all sizes equal", four, (4, 4), (3, 3), (2, 2)),
        _case(generator, "all sizes equal, padding", four, (5, 5), (4, 4), (2, 2), (1, 1), (1, 1)),
        _case(generator, "a large kernel and a large padding", (2, 3, 4), (5, 4), (5, 6), (1, 2),
              (3, 4)),
    ]  # fmt: skip


SWITCHES = (
    Switch(
        "tconv.overwrite/window",
        "where kernels overlap, the later one overwrites the earlier one",
        "A place that two numbers of y reach: what does it get?",
    ),
    Switch(
        "tconv.overwrite/channel",
        "each channel and each kernel overwrites what was there, so the last of them is left",
        "How many channels of y give something to one place?",
    ),
    Switch(
        "tconv.overwrite/tap",
        "each tap of the kernel overwrites what an earlier tap gave",
        "Which taps of the kernel reach one place, and what becomes of their shares?",
    ),
    Switch(
        "tconv.one_channel",
        "only the first channel of y is used",
        "How many channels of y give something to one place?",
    ),
    Switch(
        "tconv.pad_input",
        "y is padded, where the result should be cropped",
        "Does padding make the result of a transposed convolution larger or smaller?",
    ),
    Switch(
        "tconv.size/no_crop",
        "the padding is not cut away",
        "What does padding do to the size of the result?",
    ),
    Switch(
        "tconv.size/plus",
        "the size has + 2p where it needs - 2p",
        "Does padding make the result of a transposed convolution larger or smaller?",
    ),
    Switch(
        "tconv.size_sH/crop",
        "the size is taken to be stride times that of y, as far as there are numbers",
        "y of one pixel and a kernel of 4: how large is the result?",
    ),
    Switch(
        "tconv.size_sH/zeros",
        "the size is taken to be stride times that of y",
        "y of one pixel and a kernel of 4: how large is the result?",
    ),
    Switch(
        "tconv.outpad_zeros/appended",
        "the rows and columns of output_padding are zeros, though the kernels reach them",
        "Does cropping come before output_padding, or after?",
    ),
    Switch(
        "tconv.outpad_zeros/start",
        "the rows and columns of output_padding are zeros above and on the left",
        "On which side does output_padding make the result larger?",
    ),
    Switch(
        "tconv.outpad_zeros/missing",
        "output_padding is not used",
        "Which argument makes the result larger by less than a stride?",
    ),
    Switch(
        "tconv.stride_step/scatter",
        "the kernels lie side by side at a step of 1, whatever the stride",
        "Where in the result does the kernel of y's pixel (1, 1) begin?",
    ),
    Switch(
        "tconv.stride_step/conv",
        "the stride moves a window over y, where it should spread y",
        "With stride 2, does the result have more pixels than y, or fewer?",
    ),
    Switch(
        "tconv.weight_io/swap",
        "the weight is read as (F, C, KH, KW)",
        "Which axis of weight belongs to the channels of y?",
    ),
    Switch(
        "tconv.weight_io/reshape",
        "the weight is reshaped to (F, C, KH, KW), which moves its numbers to other channels",
        "What does reshape do to the order of the numbers?",
    ),
    Switch(
        "tconv.flip",
        "the kernel lies the wrong way round (in a scatter it is as it is, as a convolution of the"
        " spread y it must be rotated)",
        "What is the result of a y with a single 1?",
    ),
    Switch(
        "tconv.kernel_T",
        "rows and columns of the kernel are exchanged",
        "What is the result of a y with a single 1?",
    ),
    Switch(
        "tconv.crop_one_side/start",
        "all that is cropped is cropped at the top and left",
        "How many rows are cut away above, and how many below?",
    ),
    Switch(
        "tconv.crop_one_side/end",
        "all that is cropped is cropped at the bottom and right",
        "How many rows are cut away above, and how many below?",
    ),
    Switch(
        "tconv.crop_zero",
        "the padding is cut away by a slice such as [p:-p], which is empty where p is 0",
        "What is a[0:-0]?",
    ),
    Switch(
        "tconv.pad_formula/p",
        "the spread y is padded by p",
        "How far must y be padded so that every tap of the kernel meets its corner pixel?",
    ),
    Switch(
        "tconv.pad_formula/k_p",
        "the spread y is padded by one too much",
        "How far must y be padded so that every tap of the kernel meets its corner pixel?",
    ),
    Switch(
        "tconv.pad_formula/half",
        "the spread y is padded by half the kernel, whatever the padding",
        "How does the padding of y depend on p?",
    ),
    Switch(
        "tconv.pad_hw",
        "the padding of the height is used for the width, too",
        "padding is a pair: which of its numbers is for the columns?",
    ),
)

EXERCISE = Exercise(
    name="transposed",
    title="the transposed convolution",
    functions=(
        Function("conv_transpose2d", (Part("x", "output"),), conv_transpose2d, cases, SWITCHES,
                 naming),
    ),
    hints=(
        "What does a single 1 in y, all else 0, give, and where does it lie?",
        "Tutorial 09, 'Stamping' and 'output_padding'.",
        "uncropped[n, f, h * sh + i, w * sw + j] += y[n, c, h, w] * weight[c, f, i, j] over all n,"
        " f, c, h, w, i, j, where uncropped has (H - 1) * sh + KH + output_padding[0] rows; then ph"
        " rows are cut away above and below, and columns likewise.",
    ),
    tutorial=9,
)  # fmt: skip
