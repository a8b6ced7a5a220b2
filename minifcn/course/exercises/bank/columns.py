"""Exercise columns: im2col and col2im."""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn.course.exercises.bank.columns_mistakes import BACK_SWITCHES, SWITCHES
from minifcn.course.exercises.bank.drawing import integers, normal
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part

Pair = tuple[int, int]


def im2col(has: Has, x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair) -> np.ndarray:
    """The reference: pixels by their places."""
    given = x
    if has("im2col.args/kernel_stride"):
        kernel_size, stride = stride, kernel_size
    if has("im2col.args/stride_padding"):
        stride, padding = padding, stride
    if has("im2col.args/kernel_padding"):
        kernel_size, padding = padding, kernel_size
    stride, padding = _pairs(has, stride, padding)
    if has("conv.loop_over_input/every"):
        stride = (1, 1)
    (h, w), (kh, kw), (sh, sw), (ph, pw) = x.shape[2:], kernel_size, stride, padding
    padded = _padded(has, x, padding)
    if has("conv.pad_hw/both") or has("conv.pad_hw/size"):
        pw = ph
    oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    if has("size.h_for_w/kernel"):
        ow = (w + 2 * pw - kh) // sw + 1
    if has("size.no_plus_one"):
        oh, ow = oh - 1, ow - 1
    rows, across = _places(has, (kh, kw), (oh, ow), (sh, sw))
    columns = padded[:, :, rows, across].astype(float)
    if has("conv.loop_over_input/unpadded"):
        out = (np.arange(oh) * sh > h - kh)[:, None] | (np.arange(ow) * sw > w - kw)
        columns = np.where(out, 0, columns)
    if has("conv.mutates_input/x"):
        given += 1
    return _arranged(has, columns, x.dtype)


def _pairs(has: Has, stride: Pair, padding: Pair) -> tuple[Pair, Pair]:
    if has("size.swap_hw/stride"):
        stride = stride[::-1]
    if has("size.swap_hw/padding"):
        padding = padding[::-1]
    if has("size.h_for_w/stride"):
        stride = (stride[0], stride[0])
    return stride, padding


def _padded(has: Has, x: np.ndarray, padding: Pair) -> np.ndarray:
    (n, c), (ph, pw) = x.shape[:2], padding
    if has("conv.pad_batch/pair"):
        return np.pad(x, padding)[:n, :c]
    if has("conv.pad_batch/number"):
        return np.pad(x, ph)[:n, :c]
    if has("conv.pad_batch/pair_shape"):
        return np.pad(x, padding)
    if has("conv.pad_batch/number_shape"):
        return np.pad(x, ph)
    if has("conv.pad_hw/both") or has("conv.pad_hw/pad"):
        pw = ph
    sides = [(0, 0), (0, 0), (ph, ph), (pw, pw)]
    if has("conv.pad_end/end"):
        sides[2:] = [(0, 2 * ph), (0, 2 * pw)]
    if has("conv.pad_end/start"):
        sides[2:] = [(2 * ph, 0), (2 * pw, 0)]
    if has("conv.pad_value/one"):
        return np.pad(x, sides, constant_values=1)
    if has("conv.pad_value/edge"):
        return np.pad(x, sides, mode="edge")
    padded = np.pad(x, sides)
    if has("im2col.view_write"):  # strides computed from the shape, whatever the memory's order is
        return padded.ravel(order="K").reshape(padded.shape)
    return padded


def _places(has: Has, kernel: Pair, size: Pair, stride: Pair) -> tuple[np.ndarray, np.ndarray]:
    """The rows (KH, 1, OH, 1) and the columns (1, KW, 1, OW) of the windows' pixels."""
    i, j, oh, ow = np.ogrid[: kernel[0], : kernel[1], : size[0], : size[1]]
    (sh, sw) = stride
    if has("im2col.stride_pos/none"):
        return i + oh, j + ow
    if has("im2col.stride_pos/kernel"):
        return i + oh * kernel[0], j + ow * kernel[1]
    if has("im2col.stride_pos/taps"):
        return i * sh + oh, j * sw + ow
    if has("conv.flip/both"):
        i, j = i[::-1], j[:, ::-1]
    return i + oh * sh, j + ow * sw


def _arranged(has: Has, columns: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The columns in their order of axes."""
    n, c, kh, kw, oh, ow = columns.shape
    if has("im2col.order/windows_first"):
        columns = columns.transpose(0, 1, 4, 5, 2, 3)
    if has("im2col.order/places_first"):
        columns = columns.transpose(0, 4, 5, 1, 2, 3)
    if has("im2col.order/channels_last"):
        columns = columns.transpose(0, 2, 3, 1, 4, 5)
    if has("im2col.order/channels_first"):
        columns = columns.swapaxes(0, 1)
    if has("im2col.order/flat"):
        columns = columns.reshape(n, c * kh * kw, oh * ow)
    if has("im2col.order/matrix"):
        columns = columns.transpose(0, 4, 5, 1, 2, 3).reshape(n * oh * ow, -1)
    if has("im2col.nchw_reshape/windows_first"):
        columns = columns.transpose(0, 1, 4, 5, 2, 3).reshape(columns.shape)
    if has("im2col.nchw_reshape/places_first"):
        columns = columns.transpose(0, 4, 5, 1, 2, 3).reshape(columns.shape)
    if has("im2col.nchw_reshape/channels_last"):
        columns = columns.transpose(0, 2, 3, 1, 4, 5).reshape(columns.shape)
    if has("conv.kernel_T/shape"):
        columns = columns.swapaxes(2, 3)
    if has("conv.out_T/shape"):
        columns = columns.swapaxes(4, 5)
    if has("conv.dtype/input"):
        columns = columns.astype(dtype)
    return columns.astype(np.float32) if has("conv.dtype/float32") else columns


def col2im(has: Has, columns: np.ndarray, size: Pair, stride: Pair, padding: Pair) -> np.ndarray:
    """The reference: every number is added to its pixel."""
    if has("im2col.args/stride_padding"):
        stride, padding = padding, stride
    stride, padding = _pairs(has, stride, padding)
    dtype, given, columns = columns.dtype, columns, _read(has, columns.astype(float))
    kh, kw, oh, ow = columns.shape[2:]
    if has("size.swap_hw/size"):
        size = size[::-1]
    (h, w), (sh, sw), (ph, pw) = size, stride, padding
    if has("conv.pad_hw/both"):
        pw = ph
    shape = (h + 2 * ph, w + 2 * pw)
    if has("col2im.remainder/from_start") or has("col2im.remainder/both_sides"):
        shape = ((oh - 1) * sh + kh, (ow - 1) * sw + kw)
    rows, across = _places(has, (kh, kw), (oh, ow), (sh, sw))
    padded = _gathered(has, columns, shape, rows, across)
    if has("conv.mutates_input/columns"):
        given += 1
    x = _cut(has, padded, (h, w), (ph, pw)).copy()
    if has("conv.dtype/input"):
        x = x.astype(dtype)
    return x.astype(np.float32) if has("conv.dtype/float32") else x


def _read(has: Has, columns: np.ndarray) -> np.ndarray:
    if has("im2col.order/windows_first"):
        columns = columns.transpose(0, 1, 4, 5, 2, 3)
    if has("im2col.nchw_reshape/windows_first"):
        n, c, kh, kw, oh, ow = columns.shape
        columns = columns.reshape(n, c, oh, ow, kh, kw).transpose(0, 1, 4, 5, 2, 3)
    if has("conv.kernel_T/read"):
        columns = columns.swapaxes(2, 3)
    if has("conv.out_T/read"):
        columns = columns.swapaxes(4, 5)
    return columns


def _gathered(
    has: Has, columns: np.ndarray, shape: Pair, rows: np.ndarray, across: np.ndarray
) -> np.ndarray:
    """The sum of what goes to each pixel of the padded image."""
    padded, count = np.zeros((*columns.shape[:2], *shape)), np.zeros(shape)
    rows, across = np.broadcast_arrays(rows, across)
    if has("col2im.overwrite/taps"):  # the last number in the order of taps, then windows, stays
        for place in np.ndindex(rows.shape):
            padded[:, :, rows[place], across[place]] = columns[(..., *place)]
        return padded
    if has("col2im.overwrite/windows"):
        for place in np.ndindex(rows.shape[2:]):
            padded[:, :, rows[(..., *place)], across[(..., *place)]] = columns[(..., *place)]
        return padded
    places: Any = (slice(None), slice(None), rows, across)
    np.add.at(padded, places, columns)
    np.add.at(count, (rows, across), 1)
    if has("col2im.mean"):
        return padded / np.maximum(count, 1)
    if has("col2im.mean/nan"):
        return padded / count
    if has("col2im.mean/kernel"):
        return padded / (columns.shape[2] * columns.shape[3])
    return padded


def _cut(has: Has, padded: np.ndarray, size: Pair, padding: Pair) -> np.ndarray:
    """The image without its padding."""
    (h, w), (ph, pw) = size, padding
    if has("col2im.crop/none"):
        return padded
    if has("col2im.crop/start"):
        return padded[:, :, :h, :w]
    if has("col2im.crop/end"):
        return padded[:, :, 2 * ph :, 2 * pw :]
    if has("col2im.crop/one_side"):
        return padded[:, :, ph:, pw:]
    if has("dx.crop_zero"):
        return padded[:, :, ph:-ph, pw:-pw]
    if has("col2im.remainder/both_sides"):
        return padded[:, :, ph : padded.shape[2] - ph, pw : padded.shape[3] - pw]
    return padded[:, :, ph : ph + h, pw : pw + w]


_SETTINGS: dict[str, tuple[Pair, Pair, Pair, Pair]] = {
    "windows that overlap": ((5, 6), (3, 2), (1, 1), (0, 0)),
    "padding": ((4, 6), (2, 3), (1, 1), (1, 2)),
    "padding of the rows alone": ((5, 4), (3, 2), (2, 1), (2, 0)),
    "windows side by side": ((6, 8), (3, 2), (3, 2), (0, 0)),
    "a stride that does not divide": ((6, 9), (3, 4), (2, 3), (0, 0)),
    "a stride that does not divide, and padding": ((7, 10), (3, 4), (3, 3), (2, 1)),
    "gaps between the windows": ((9, 8), (2, 1), (3, 2), (1, 1)),
}
"""Name: size, kernel, stride, padding."""


def cases(generator: np.random.Generator) -> list[Case]:
    """Unequal in everything; whole numbers; an array in the other order of memory."""
    found = []
    for place, (name, (size, kernel, stride, padding)) in enumerate(_SETTINGS.items()):
        x = normal(generator, 2 + place % 2, 3 - place % 2, *size)
        arguments = {"kernel_size": kernel, "stride": stride, "padding": padding}
        found.append(Case(name, {"x": x, **arguments}))
    arguments = {"kernel_size": (2, 3), "stride": (1, 2), "padding": (0, 0)}
    whole, other = integers(generator, 2, 3, 5, 6), np.asfortranarray(normal(generator, 2, 3, 4, 5))
    return [
        *found,
        Case("whole numbers as input", {"x": whole, **arguments}),
        Case("memory in another order (Fortran's)", {"x": other, **arguments}),
    ]


def naming(generator: np.random.Generator) -> list[Case]:
    """Square, with as many windows along each side as pixels in one."""
    arguments = {"kernel_size": (3, 3), "padding": (1, 1)}
    return [
        Case("all sizes equal",
             {"x": normal(generator, 3, 3, 3, 3), "stride": (1, 1), **arguments}),
        Case("as many windows as pixels in one",
             {"x": normal(generator, 3, 3, 5, 5), "stride": (2, 2), **arguments}),
    ]  # fmt: skip


def _back(generator: np.random.Generator, case: Case) -> Case:
    """A case of col2im: columns of random numbers, in the shape of those of an image."""
    x, stride, padding = (case.arguments[name] for name in ("x", "stride", "padding"))
    shape = im2col(lambda name: False, **case.arguments).shape
    draw = integers if x.dtype.kind == "i" else normal
    columns = draw(generator, *shape)
    if x.flags.f_contiguous and not x.flags.c_contiguous:
        columns = np.asfortranarray(columns)
    arguments = {"size": x.shape[2:], "stride": stride, "padding": padding}
    return Case(case.name, {"columns": columns, **arguments})


def back_cases(generator: np.random.Generator) -> list[Case]:
    """The same windows, and random numbers in them."""
    return [_back(generator, case) for case in cases(generator)]


def back_naming(generator: np.random.Generator) -> list[Case]:
    """The same windows, and random numbers in them."""
    return [_back(generator, case) for case in naming(generator)]


EXERCISE = Exercise(
    name="columns",
    title="the windows of an image as columns, and back",
    functions=(
        Function("im2col", (Part("columns", "array of columns"),), im2col, cases, SWITCHES, naming),
        Function("col2im", (Part("x", "image"),), col2im, back_cases, BACK_SWITCHES, back_naming),
    ),
    hints=(
        "Where does the window (1, 1) begin? And back: how many windows does a pixel lie in?",
        "Tutorial 02, 'As a matrix product'; for the way back tutorial 09, 'col2im: scatter or"
        " gather'.",
        "columns[n, c, i, j, oh, ow] = padded[n, c, oh * sh + i, ow * sw + j]; and back, the same"
        " line from right to left with += into zeros of (H + 2 * ph, W + 2 * pw), of which then"
        " [ph : ph + H, pw : pw + W] is left.",
    ),
    tutorial=2,
)
