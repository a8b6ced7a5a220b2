"""Exercise pooling: max_pool2d with indices, and its backward."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises.bank.drawing import integers, normal
from minifcn.course.exercises.bank.places import ROW_AND_COLUMN, few_places, places_of
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part, Switch

Pair = tuple[int, int]


def max_pool2d(
    has: Has, x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair
) -> tuple[np.ndarray, np.ndarray]:
    """The reference: window by window, each for all planes at once."""
    (n, c, h, w), (kh, kw), (sh, sw), (ph, pw) = x.shape, kernel_size, stride, padding
    if has("pool.dtype") and x.dtype.kind == "i" and (ph or pw):
        raise OverflowError("cannot convert float infinity to integer")
    sides = ((0, 0), (0, 0), (ph, ph), (pw, pw))
    border = 0.0 if has("pool.pad_zero") else -np.inf
    padded = np.pad(x.astype(float), sides, constant_values=border)
    if has("pool.window_k/all"):
        sh, sw = kh, kw
    over_h, over_w = h + 2 * ph - kh, w + 2 * pw - kw
    oh, ow = over_h // sh + 1, over_w // sw + 1
    if has("pool.ceil_border"):
        oh, ow = -(-over_h // sh) + 1, -(-over_w // sw) + 1
    if has("pool.window_k/start"):
        sh, sw = kh, kw
    values, places = np.zeros((n, c, oh, ow)), np.zeros((n, c, oh, ow), np.int64)
    rows, columns = places.copy(), places.copy()
    for i in range(oh):
        for j in range(ow):
            window = padded[:, :, i * sh : i * sh + kh, j * sw : j * sw + kw]
            values[:, :, i, j], place = _maximum(has, window)
            places[:, :, i, j] = place
            rows[:, :, i, j] = i * sh + place // window.shape[3]
            columns[:, :, i, j] = j * sw + place % window.shape[3]
    if has("pool.axes/reshape") or has("pool.axes/places"):
        return _wrong_axes(has, padded, (oh, ow), kernel_size, stride, padding, w)
    indices = places if has("pool.argmax_local") else _flat(has, rows, columns, x.shape, padding)
    if has("pool.init_zero"):
        indices, values = np.where(values > 0, indices, 0), np.maximum(values, 0)
    if has("pool.return_in_loop/image"):
        values[1:], indices[1:] = 0, 0
    if has("pool.return_in_loop/channel"):
        values[1:], indices[1:], values[:, 1:], indices[:, 1:] = 0, 0, 0, 0
    return (values.astype(x.dtype) if has("pool.dtype") else values), indices


def _maximum(has: Has, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The maxima of the planes of a window, and where they are in it."""
    n, c = window.shape[:2]
    flat = window.reshape(n, c, -1)
    area = flat.shape[2]
    if has("pool.over_channels"):
        flat = np.repeat(flat.reshape(n, 1, -1), c, axis=1)
    place = flat.argmax(2)
    if has("pool.last_tie"):
        place = flat.shape[2] - 1 - flat[:, :, ::-1].argmax(2)
    return flat.max(2), place % area


def _flat(
    has: Has, row: np.ndarray, column: np.ndarray, shape: tuple[int, ...], padding: Pair
) -> np.ndarray:
    """One number for a row and a column of the padded plane."""
    (n, c, h, w), (ph, pw) = shape, padding
    if has("pool.argmax_padded/all"):
        return row * (w + 2 * pw) + column
    if has("pool.argmax_padded/offset"):
        return row * w + column
    row, column = row - ph, column - pw
    if has("pool.argmax_padded/width"):
        return row * (w + 2 * pw) + column
    if has("pool.argmax_pooled"):
        return row * row.shape[3] + column
    if has("pool.argmax_xy/height"):
        return row * h + column
    if has("pool.argmax_xy/columns"):
        return column * h + row
    plane = np.zeros((n, c, 1, 1), int)
    if has("pool.argmax_plane/channel"):
        plane = plane + np.arange(c)[:, None, None]
    if has("pool.argmax_plane/image"):
        plane = np.arange(n * c).reshape(n, c, 1, 1)
    return (plane * h + row) * w + column


def _wrong_axes(has: Has, padded: np.ndarray, size: Pair, kernel: Pair, stride: Pair, padding: Pair,
                width: int) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """All windows as one array, of which the wrong axes are taken to be the window's."""
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))
    windows = windows[:, :, :: stride[0], :: stride[1]]
    n, c = windows.shape[:2]
    if has("pool.axes/places"):
        flat = windows.reshape(n, c, -1, *kernel)
        return flat.max(2), flat.argmax(2)
    flat = windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, c, *size, -1)
    place = flat.argmax(-1)
    row = np.arange(size[0])[:, None] * stride[0] - padding[0] + place // kernel[1]
    return flat.max(-1), row * width + np.arange(size[1]) * stride[1] - padding[1] + (
        place % kernel[1]
    )


def max_pool2d_backward(
    has: Has, gradient: np.ndarray, indices: np.ndarray, size: Pair
) -> np.ndarray:
    """The reference: all gradients are added where they belong."""
    result = np.zeros((*gradient.shape[:2], *size))
    n, c, row, column = places_of(has, indices, size)
    if has("pool.return_in_loop/image"):
        gradient = gradient * (n == 0)
    if has("pool.return_in_loop/channel"):
        gradient = gradient * ((n == 0) & (c == 0))
    if has("pool.overwrite"):
        result[n, c, row, column] = gradient
    elif not has("pool.grad_missing"):
        np.add.at(result, (n, c, row, column), gradient)
    return result


# -- Cases ---------------------------------------------------------------------------------------


def _case(name: str, x: np.ndarray, kernel: Pair, stride: Pair, padding: Pair) -> Case:
    return Case(name, {"x": x, "kernel_size": kernel, "stride": stride, "padding": padding})


def cases(generator: np.random.Generator) -> list[Case]:
    """Windows apart, side by side and overlapping; ties; planes and windows below 0."""
    return [
        _case("windows side by side", normal(generator, 2, 3, 4, 9), (2, 3), (2, 3), (0, 0)),
        _case("overlapping windows", normal(generator, 3, 2, 7, 6), (3, 2), (2, 1), (0, 0)),
        _case("padding", normal(generator, 2, 3, 6, 7) - 2, (2, 3), (2, 2), (1, 1)),
        _case("whole numbers, with ties", integers(generator, 2, 4, 7, 8, low=-2, high=3),
              (3, 4), (2, 3), (0, 0)),
        _case("stride that does not divide, and padding", normal(generator, 2, 3, 8, 10),
              (4, 3), (3, 2), (2, 1)),
        _case("windows apart", normal(generator, 2, 3, 7, 9), (2, 3), (3, 4), (0, 0)),
        _case("whole numbers and padding", integers(generator, 2, 3, 5, 6, low=-5, high=0),
              (2, 3), (1, 2), (1, 0)),
    ]  # fmt: skip


def naming(generator: np.random.Generator) -> list[Case]:
    """Here windows at the wrong step still lie in the image."""
    return [_case("a small kernel and a large stride", normal(generator, 2, 3, 9, 11),
                  (1, 2), (4, 3), (0, 1))]  # fmt: skip


def pooled(generator: np.random.Generator, shape: tuple[int, ...], kernel: Pair, stride: Pair,
           padding: Pair = (0, 0)) -> np.ndarray:  # fmt: skip
    """Indices as max pooling gives them."""
    x = normal(generator, *shape)
    return max_pool2d(lambda _: False, x, kernel, stride, padding)[1]


def backward_cases(generator: np.random.Generator) -> list[Case]:
    """Indices of windows apart, and of windows that share their maxima."""

    def case(name: str, shape: tuple[int, ...], kernel: Pair, stride: Pair,
             padding: Pair) -> Case:  # fmt: skip
        indices = pooled(generator, shape, kernel, stride, padding)
        gradient = normal(generator, *indices.shape)
        return Case(name, {"gradient": gradient, "indices": indices, "size": shape[2:]})

    return [
        case("windows side by side", (2, 3, 4, 9), (2, 3), (2, 3), (0, 0)),
        case("overlapping windows", (3, 2, 7, 6), (3, 3), (2, 1), (0, 0)),
        case("more columns than rows, and padding", (2, 4, 5, 8), (3, 4), (1, 2), (1, 2)),
    ]


def backward_naming(generator: np.random.Generator) -> list[Case]:
    """Indices small enough for wrong formulas, and a square plane."""
    return [
        Case(name, {"gradient": normal(generator, 2, 3, 2, 3), "indices": indices, "size": size})
        for name, indices, size in (
            ("all in the first rows", few_places(generator), (6, 5)),
            ("a square plane", generator.integers(0, 25, (2, 3, 2, 3)), (5, 5)),
        )
    ]


# -- Mistakes ------------------------------------------------------------------------------------

SWITCHES = (
    Switch(
        "pool.window_k/start",
        "each window begins where the one before ends, whatever the stride",
        "Where does the window of output (1, 1) begin?",
    ),
    Switch(
        "pool.window_k/all",
        "the kernel's size is used for the stride, too",
        "What says how far the window moves, and what says how large it is?",
    ),
    Switch(
        "pool.return_in_loop/image",
        "only the first image is pooled",
        "Which planes do the loops reach before the function returns?",
    ),
    Switch(
        "pool.return_in_loop/channel",
        "only the first channel of the first image is pooled",
        "Which planes do the loops reach before the function returns?",
    ),
    Switch(
        "pool.over_channels",
        "the maximum is taken over all channels",
        "How many channels does the output have, and does one know of another?",
    ),
    Switch(
        "pool.pad_zero",
        "the padding is filled with zeros, which may be larger than what is in the image",
        "In a window with negative numbers only, which of them is the maximum?",
    ),
    Switch(
        "pool.argmax_local",
        "the index is that in the window, not that in the plane",
        "Two windows whose maximum is at their top left: should they have the same index?",
    ),
    Switch(
        "pool.argmax_padded/all",
        "the index is that in the padded plane",
        "Which index has the first pixel of x?",
    ),
    Switch(
        "pool.argmax_padded/width",
        "a row is taken to be as long as the padded plane's",
        "How many pixels of x are in one of its rows?",
    ),
    Switch(
        "pool.argmax_padded/offset",
        "row and column of the index are those of the padded plane",
        "Which row and which column has the first pixel of x?",
    ),
    Switch(
        "pool.argmax_pooled",
        "a row is taken to be as long as the output's",
        "In which plane is the index to be found: the input's or the output's?",
    ),
    Switch(
        "pool.argmax_xy/height",
        "the row is multiplied by the height",
        "How many pixels come before the first one of row 1?",
    ),
    Switch(
        "pool.argmax_xy/columns",
        "the index counts down the columns, not along the rows",
        "Which pixel has index 1: the one to the right of the first, or the one below it?",
    ),
    Switch(
        "pool.argmax_plane/channel",
        "the index counts through all channels of an image",
        "Which index has the first pixel of the second channel?",
    ),
    Switch(
        "pool.argmax_plane/image",
        "the index counts through all channels of all images",
        "Which index has the first pixel of the second image?",
    ),
    Switch(
        "pool.ceil_border",
        "the number of windows is rounded up, so the last one is cut off by the border",
        "May a window reach beyond the padded image?",
    ),
    Switch(
        "pool.last_tie",
        "of several equal maxima the last is taken",
        "When the next number equals the maximum so far, which of the two is kept?",
    ),
    Switch(
        "pool.init_zero",
        "the maximum begins at 0",
        "In a window with negative numbers only, what is the maximum?",
    ),
    Switch(
        "pool.axes/reshape",
        "the windows were reshaped so that numbers of different windows came together",
        "Which axes must be the last when the array of windows is reshaped?",
    ),
    Switch(
        "pool.axes/places",
        "the maximum is taken over the places of the window, not over what is in it",
        "Which axes of the array of windows count the pixels of one window?",
    ),
    Switch(
        "pool.dtype",
        "the values have the dtype of the input",
        "Which dtype must the values have when x holds whole numbers?",
    ),
)

BACKWARD_SWITCHES = (
    Switch(
        "pool.overwrite",
        "where one pixel is the maximum of several windows, only the last gradient is kept",
        "A pixel that is the maximum of two windows: what does it get?",
    ),
    Switch(
        "pool.grad_missing",
        "no gradient is written at all",
        "Which pixels changed the values, and by how much?",
    ),
    Switch(
        "pool.return_in_loop/image",
        "only the first image gets a gradient",
        "Which planes do the loops reach before the function returns?",
    ),
    Switch(
        "pool.return_in_loop/channel",
        "only the first channel of the first image gets a gradient",
        "Which planes do the loops reach before the function returns?",
    ),
    Switch(
        "unpool.no_batch/all",
        "all gradients go to the first plane of the first image",
        "An index counts within its own plane: where does that plane begin?",
    ),
    Switch(
        "unpool.no_batch/image",
        "all images' gradients go to the first image",
        "An index counts within its own plane: where do the planes of image 1 begin?",
    ),
    Switch(
        "unpool.no_batch/channel",
        "all channels' gradients go to the first channel",
        "An index counts within its own plane: where does the plane of channel 1 begin?",
    ),
    *ROW_AND_COLUMN,
    Switch(
        "unpool.pooled_width",
        "the index is divided by the width of the gradient, not of the plane",
        "In which plane does the index count?",
    ),
)

EXERCISE = Exercise(
    name="pooling",
    title="max pooling with the places of the maxima, and its gradient",
    functions=(
        Function(
            "max_pool2d",
            (Part("values", "array of maxima"), Part("indices", "array of places", "int64")),
            max_pool2d,
            cases,
            SWITCHES,
            naming,
        ),
        Function(
            "max_pool2d_backward",
            (Part("dx", "gradient of x"),),
            max_pool2d_backward,
            backward_cases,
            BACKWARD_SWITCHES,
            backward_naming,
        ),
    ),
    hints=(
        "Take one window alone: which pixel of the image is its maximum, and which of all pixels"
        " would change the output if they moved a little?",
        "Tutorial 08, 'Max pooling, and its switches', 'Change one thing: windows that overlap'.",
        "values[n, c, oh, ow] = the largest of x[n, c, r, q] over the rows r = oh * sh - ph + i and"
        " columns q = ow * sw - pw + j that lie in the image; indices is r * W + q of the first"
        " such pixel. Backward: of x[n, c, r, q] = the sum of all gradient[n, c, oh, ow] with"
        " indices[n, c, oh, ow] = r * W + q.",
    ),
    tutorial=8,
)
