"""Exercise convolution_backward: the gradients of conv2d."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises.bank.convolution_backward_switches import SWITCHES
from minifcn.course.exercises.bank.drawing import integers, normal
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part

Pair = tuple[int, int]


def conv2d_backward(
    has: Has, gradient: np.ndarray, x: np.ndarray, weight: np.ndarray, stride: Pair, padding: Pair
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The reference: each result by a function of its own."""
    return (
        of_input(has, gradient, x.shape, weight, stride, padding),
        of_weight(has, gradient, x, weight.shape, stride, padding),
        of_bias(has, gradient),
    )


# -- Of the input --------------------------------------------------------------------------------


def of_input(
    has: Has, g: np.ndarray, shape: tuple[int, ...], weight: np.ndarray, stride: Pair, padding: Pair
) -> np.ndarray:
    """Scatter the gradient through the kernel into the padded input, then crop."""
    (_, c, h, w), (sh, sw), (ph, pw) = shape, stride, padding
    f, _, kh, kw = weight.shape
    if has("dx.mean/images"):
        g = g / len(g)
    if has("dx.mean/places"):
        g = g / (g.shape[2] * g.shape[3])
    if has("dx.not_rotated"):
        weight = weight[:, :, ::-1, ::-1]
    if has("dx.kernel_T"):
        weight = weight.swapaxes(2, 3)
    if has("dx.no_channel_swap/swap"):
        weight = weight.swapaxes(0, 1)
    if has("dx.no_channel_swap/reshape"):
        weight = weight.reshape(c, f, kh, kw).swapaxes(0, 1)
    if weight.shape != (f, c, kh, kw):
        raise ValueError("operands could not be broadcast together")
    if has("dx.stride_ignored"):
        sh = sw = 1
    if has("dx.size_swap"):
        if h > g.shape[2] or w > g.shape[3]:
            raise IndexError("index is out of bounds")
        g = g[:, :, :h, :w]
    reached = ((g.shape[2] - 1) * stride[0] + kh, (g.shape[3] - 1) * stride[1] + kw)
    size = (h + 2 * ph, w + 2 * (ph if has("dx.pad_hw/all") else pw))
    if has("dx.remainder/missing") or has("dx.remainder/short") or has("dx.full_pad"):
        size = reached
    padded = _scattered(has, g, weight, (sh, sw), size)
    if has("dx.remainder/shifted"):
        padded = np.roll(padded, (size[0] - reached[0], size[1] - reached[1]), (2, 3))
    return _cropped(has, padded, (h, w), padding)


def _scattered(has: Has, g: np.ndarray, weight: np.ndarray, stride: Pair, size: Pair) -> np.ndarray:
    (n, _, oh, ow), (_, c, kh, kw), (sh, sw) = g.shape, weight.shape, stride
    padded = np.zeros((n, c, *size))
    if has("dx.overwrite/tap"):
        for i in range(kh):
            for j in range(kw):
                window = padded[:, :, i : i + oh * sh : sh, j : j + ow * sw : sw]
                window[:, :, :oh, :ow] = np.einsum("nfhw,fc->nchw", g, weight[:, :, i, j])
        return padded
    overwrites = has("dx.overwrite/window") or has("dx.overwrite/filter")
    shares = np.einsum("nfhw,fcij->nchwij", g, weight)
    if has("dx.overwrite/filter"):
        shares = np.einsum("nhw,cij->nchwij", g[:, -1], weight[-1])
    for y in range(oh):
        for x in range(ow):
            top, left = y * sh, x * sw
            if has("dx.index/swapped"):
                top, left = x * sh, y * sw
            if has("dx.index/row_twice"):
                left = y * sw
            if has("dx.index/late"):
                top, left = top + 1, left + 1
            window = padded[:, :, top : top + kh, left : left + kw]
            window[...] = shares[:, :, y, x] + (0 if overwrites else window)
    return padded


def _cropped(has: Has, padded: np.ndarray, size: Pair, padding: Pair) -> np.ndarray:
    (h, w), (ph, pw) = size, padding
    bottom, right = padded.shape[2] - ph, padded.shape[3] - pw
    if has("dx.no_crop") or has("dx.full_pad"):
        return padded
    if has("dx.crop_zero"):
        return padded[:, :, ph:-ph, pw:-pw]
    if has("dx.remainder/missing"):
        return padded[:, :, ph:bottom, pw:right]
    if has("dx.crop_end/start"):
        ph = pw = 0
    if has("dx.crop_end/end"):
        ph, pw = 2 * ph, 2 * pw
    if has("dx.pad_hw/all") or has("dx.pad_hw/crop"):
        pw = ph
    return padded[:, :, ph : ph + h, pw : pw + w]


# -- Of the weight -------------------------------------------------------------------------------


def of_weight(
    has: Has, g: np.ndarray, x: np.ndarray, shape: tuple[int, ...], stride: Pair, padding: Pair
) -> np.ndarray:
    """For each tap, the gradient times the pixels that this tap saw."""
    (n, f, oh, ow), (_, c, kh, kw) = g.shape, shape
    (sh, sw), (ph, pw) = stride, padding
    if has("dw.pad_hw"):
        pw = ph
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw))).astype(float)
    if has("dw.unpadded_x/clipped"):
        padded = np.pad(x, ((0, 0), (0, 0), (0, 2 * ph), (0, 2 * pw))).astype(float)
    if has("dw.unpadded_x/smaller"):
        padded, kh, kw = x.astype(float), kh - 2 * ph, kw - 2 * pw
    if has("dw.stride/whole"):
        sh, sw, kh, kw = 1, 1, padded.shape[2] - oh + 1, padded.shape[3] - ow + 1
    if has("dw.stride/remainder"):
        kh, kw = padded.shape[2] - (oh - 1) * sh, padded.shape[3] - (ow - 1) * sw
    if has("dw.stride/step"):
        sh = sw = 1
    if min(kh, kw) < 1:
        raise ValueError("negative dimensions are not allowed")
    if has("dw.batch_index") and n > f:
        raise IndexError("index is out of bounds")
    result = np.zeros((f, c, kh, kw))
    for i in range(kh):
        for j in range(kw):
            rows = slice(i, i + (oh - 1) * sh + 1, sh)
            columns = slice(j, j + (ow - 1) * sw + 1, sw)
            seen = padded[:, :, rows, columns]
            if has("dw.batch_index"):
                result[:n, :, i, j] = np.einsum("nfhw,nchw->nc", g, seen)
            else:
                result[:, :, i, j] = _summed(has, g, seen)
    return _finished(has, result, n, n * oh * ow)


def _summed(has: Has, g: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Sum over images and windows what one tap saw, times the gradient."""
    if has("dw.last_window/image"):
        g, seen = g[-1:, :, -1:, -1:], seen[-1:, :, -1:, -1:]
    if has("dw.last_window/batch"):
        g, seen = g[:, :, -1:, -1:], seen[:, :, -1:, -1:]
    if has("dw.last_item"):
        g, seen = g[-1:], seen[-1:]
    if has("dw.first_item"):
        g, seen = g[:1], seen[:1]
    result: np.ndarray = np.einsum("nfhw,nchw->fc", g, seen)
    return result


def _finished(has: Has, result: np.ndarray, images: int, places: int) -> np.ndarray:
    """What is done with the sums."""
    if has("dw.dot"):
        result = np.broadcast_to(result.sum((1, 2, 3), keepdims=True), result.shape).copy()
    if has("dw.mean_n"):
        result = result / images
    if has("dw.mean_nhw"):
        result = result / places
    if has("dw.mean_hw"):
        result = result / (places // images)
    if has("dw.channels"):
        result = result.swapaxes(0, 1)
    return result[:, :, ::-1, ::-1] if has("dw.flip") else result


# -- Of the bias ---------------------------------------------------------------------------------


def of_bias(has: Has, g: np.ndarray) -> np.ndarray:
    """Sum over images and places."""
    if has("db.axes/keepdims"):
        return g.sum((0, 2, 3), keepdims=True)
    if has("db.axes/width_left"):
        return g.sum((0, 2))
    if has("db.axes/height_left"):
        return g.sum((0, 3))
    if has("db.axes/images_left"):
        return g.sum((2, 3))
    if has("db.axes/places_left"):
        return g.sum(0)
    if has("db.axes/width_only"):
        return g.sum((0, 1, 2))
    if has("db.axes/images_only"):
        return g.sum((1, 2, 3))
    if has("db.first_item"):
        g = g[:1]
    if has("db.overwrite/image"):
        g = g[-1:]
    if has("db.overwrite/window"):
        g = g[-1:, :, -1:, -1:]
    if has("db.mean/all"):
        return g.mean((0, 2, 3))
    if has("db.mean/places"):
        return g.mean((2, 3)).sum(0)
    return g.sum((0, 2, 3)) / (len(g) if has("db.mean/images") else 1)


# -- Cases ---------------------------------------------------------------------------------------


def case(generator: np.random.Generator, name: str, channels: tuple[int, int, int], size: Pair,
         kernel: Pair, stride: Pair, padding: Pair, draw: object = normal) -> Case:  # fmt: skip
    """Draw a case; channels are N, C, F."""
    n, c, f = channels
    x = integers(generator, n, c, *size) if draw is integers else normal(generator, n, c, *size)
    out = [(size[i] + 2 * padding[i] - kernel[i]) // stride[i] + 1 for i in (0, 1)]
    arguments = {
        "gradient": normal(generator, n, f, *out),
        "x": x,
        "weight": normal(generator, f, c, *kernel),
        "stride": stride,
        "padding": padding,
    }
    return Case(name, arguments)


def cases(generator: np.random.Generator) -> list[Case]:
    """Unequal in everything; rows that no window reaches, more and fewer than the padding."""
    return [
        case(generator, "stride 1, no padding", (2, 3, 4), (5, 6), (2, 3), (1, 1), (0, 0)),
        case(generator, "padding", (2, 3, 5), (5, 7), (4, 3), (1, 1), (1, 2)),
        case(generator, "stride", (3, 2, 4), (9, 8), (3, 2), (2, 3), (0, 0)),
        case(generator, "overlapping windows of stride 2 and 3", (2, 4, 3), (7, 11), (3, 5), (2, 3),
             (0, 0)),
        case(generator, "stride that does not divide, and padding", (2, 3, 5), (9, 10), (4, 5),
             (2, 3), (2, 1)),
        case(generator, "stride that does not divide, no padding", (3, 2, 5), (8, 9), (3, 2),
             (2, 3), (0, 0)),
        case(generator, "whole numbers as input", (2, 3, 4), (6, 5), (2, 3), (1, 2), (1, 0),
             integers),
    ]  # fmt: skip


def naming(generator: np.random.Generator) -> list[Case]:
    """Square, so that mistakes which raise elsewhere give numbers here."""
    four = (3, 4, 4)
    return [
        case(generator, "all sizes equal", four, (6, 6), (3, 3), (1, 1), (0, 0)),
        case(generator, "all sizes equal, padding", four, (7, 7), (3, 3), (2, 2), (1, 1)),
        case(generator, "more outputs than inputs", (2, 3, 4), (4, 5), (3, 4), (1, 1), (2, 3)),
        case(generator, "a row and a column that no window reaches", (2, 3, 4), (7, 8), (2, 3),
             (2, 2), (0, 0)),
        case(generator, "as many rows of outputs as columns", (2, 3, 4), (5, 6), (2, 3), (1, 1),
             (1, 1)),
    ]  # fmt: skip


EXERCISE = Exercise(
    name="convolution_backward",
    title="the gradients of a convolution",
    functions=(
        Function(
            "conv2d_backward",
            (
                Part("dx", "gradient of x"),
                Part("dweight", "gradient of weight"),
                Part("dbias", "gradient of bias"),
            ),
            conv2d_backward,
            cases,
            SWITCHES,
            naming,
        ),
    ),
    hints=(
        "Take one output alone: which pixels, which weights and which bias went into it, and what"
        " did each of them multiply?",
        "Tutorial 09, 'The backward of a convolution' and 'col2im: scatter or gather'; tutorial 04"
        " has three mistakes.",
        "With rows r = oh * sh + i and columns q = ow * sw + j: of_padded[n, c, r, q] +="
        " gradient[n, f, oh, ow] * weight[f, c, i, j] and of_weight[f, c, i, j] +="
        " gradient[n, f, oh, ow] * padded[n, c, r, q], over all n, f, c, oh, ow, i, j; of_bias[f]"
        " is the sum of gradient[:, f]; of x is of_padded without its padding.",
    ),
    tutorial=9,
)
