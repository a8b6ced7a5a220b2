"""Every kernel as plain loops: the definition that the fast ones are tested against.

Read these first. They are slow and never run in training. Sizes are written as in geometry.py;
`kernel_size`, `stride`, `padding` and `dilation` are pairs (height, width), already checked.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minifcn.kernels import geometry
from minifcn.kernels.geometry import Pair


def _taps(
    size: Pair, out: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Yield (oh, ow, i, j, h, w): kernel element (i, j) of window (oh, ow) meets pixel (h, w).

    h = oh * stride - padding + i * dilation, likewise w; the padding itself is left out.
    """
    for oh, ow, i, j in np.ndindex(*out, *kernel_size):
        h = oh * stride[0] - padding[0] + i * dilation[0]
        w = ow * stride[1] - padding[1] + j * dilation[1]
        if 0 <= h < size[0] and 0 <= w < size[1]:
            yield oh, ow, i, j, h, w


def im2col(
    x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """Lay the windows of x out: columns[n, c, i, j, oh, ow] = x[n, c, h, w], 0 in the padding."""
    out = geometry.output_pair(x.shape[2:], kernel_size, stride, padding, dilation)
    columns = np.zeros((*x.shape[:2], *kernel_size, *out), x.dtype)
    for oh, ow, i, j, h, w in _taps(x.shape[2:], out, kernel_size, stride, padding, dilation):
        columns[:, :, i, j, oh, ow] = x[:, :, h, w]
    return columns


def col2im(
    columns: np.ndarray, size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """Add the windows back where they came from: x[n, c, h, w] += columns[n, c, i, j, oh, ow]."""
    kernel_size, out = columns.shape[2:4], columns.shape[4:]
    x = np.zeros((*columns.shape[:2], *size), columns.dtype)
    for oh, ow, i, j, h, w in _taps(size, out, kernel_size, stride, padding, dilation):
        x[:, :, h, w] += columns[:, :, i, j, oh, ow]
    return x


# A convolution is one sum over (n, f, c, oh, ow, i, j) of x * weight * y, with three arrays in it.
# Which of the three is written, and which two are read, gives the next three kernels.


def conv2d(
    x: np.ndarray, weight: np.ndarray, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> np.ndarray:
    """y[n, f, oh, ow] += weight[f, c, i, j] * x[n, c, h, w]."""
    out = geometry.output_pair(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    y = np.zeros((len(x), len(weight), *out), x.dtype)
    for f, c, cg in _channels(len(weight), x.shape[1], groups):
        for oh, ow, i, j, h, w in _taps(
            x.shape[2:], out, weight.shape[2:], stride, padding, dilation
        ):
            y[:, f, oh, ow] += weight[f, cg, i, j] * x[:, c, h, w]
    return y


def conv_transpose2d(
    y: np.ndarray,
    weight: np.ndarray,
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """x[n, c, h, w] += weight[f, c, i, j] * y[n, f, oh, ow]: y is stamped onto x with the kernel.

    weight has the shape (F, C / groups, KH, KW), F being the channels of y.
    """
    size = geometry.transpose_output_pair(
        y.shape[2:], weight.shape[2:], stride, padding, output_padding, dilation
    )
    x = np.zeros((len(y), weight.shape[1] * groups, *size), y.dtype)
    for f, c, cg in _channels(y.shape[1], x.shape[1], groups):
        for oh, ow, i, j, h, w in _taps(
            size, y.shape[2:], weight.shape[2:], stride, padding, dilation
        ):
            x[:, c, h, w] += weight[f, cg, i, j] * y[:, f, oh, ow]
    return x


def conv2d_weight(
    x: np.ndarray,
    y: np.ndarray,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> np.ndarray:
    """weight[f, c, i, j] += x[n, c, h, w] * y[n, f, oh, ow]."""
    weight = np.zeros((y.shape[1], x.shape[1] // groups, *kernel_size), x.dtype)
    for f, c, cg in _channels(y.shape[1], x.shape[1], groups):
        for oh, ow, i, j, h, w in _taps(
            x.shape[2:], y.shape[2:], kernel_size, stride, padding, dilation
        ):
            weight[f, cg, i, j] += (x[:, c, h, w] * y[:, f, oh, ow]).sum()
    return weight


def _channels(outputs: int, inputs: int, groups: int) -> Iterator[tuple[int, int, int]]:
    """Yield (f, c, c within its group) for every output channel f and input channel c it sees."""
    per_group = inputs // groups
    for f, cg in np.ndindex(outputs, per_group):
        yield f, f // (outputs // groups) * per_group + cg, cg


def conv1x1(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """y[n, f, h, w] += weight[f, c] * x[n, c, h, w]: a matrix product over channels."""
    y = np.zeros((len(x), len(weight), *x.shape[2:]), x.dtype)
    for f, c in np.ndindex(*weight.shape):
        y[:, f] += weight[f, c] * x[:, c]
    return y


def conv1x1_weight(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """weight[f, c] += x[n, c, h, w] * y[n, f, h, w]."""
    weight = np.zeros((y.shape[1], x.shape[1]), x.dtype)
    for f, c in np.ndindex(*weight.shape):
        weight[f, c] = (x[:, c] * y[:, f]).sum()
    return weight


def max_pool2d(
    x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the maximum of every window, and where it is: h * W + w in the unpadded plane.

    The padding counts as -inf, the first of several maxima wins, and a NaN wins over all.
    """
    out = geometry.pool_output_pair(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    values = np.full((*x.shape[:2], *out), -np.inf, x.dtype)
    indices = np.full((*x.shape[:2], *out), -1, np.int64)
    for oh, ow, _, _, h, w in _taps(x.shape[2:], out, kernel_size, stride, padding, dilation):
        for n, c in np.ndindex(*x.shape[:2]):
            value, best = x[n, c, h, w], values[n, c, oh, ow]
            if indices[n, c, oh, ow] < 0 or value > best or np.isnan(value):
                values[n, c, oh, ow] = value
                indices[n, c, oh, ow] = h * x.shape[3] + w
    return values, indices


def gather(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """y[n, c, oh, ow] = x[n, c, indices[n, c, oh, ow]], the index counting along rows."""
    y = np.empty(indices.shape, x.dtype)
    for n, c, oh, ow in np.ndindex(*indices.shape):
        y[n, c, oh, ow] = x[n, c].flat[indices[n, c, oh, ow]]
    return y


def unpool(y: np.ndarray, indices: np.ndarray, size: Pair) -> np.ndarray:
    """x[n, c, indices[n, c, oh, ow]] += y[n, c, oh, ow]; zero where no index points."""
    x = np.zeros((*y.shape[:2], *size), y.dtype)
    for n, c, oh, ow in np.ndindex(*y.shape):
        x[n, c].flat[indices[n, c, oh, ow]] += y[n, c, oh, ow]
    return x


def resize(
    x: np.ndarray, size: Pair, steps: tuple[float, float], mode: str, align_corners: bool
) -> np.ndarray:
    """Each output pixel is a weighted sum of at most four input pixels (see `_neighbours`)."""
    y = np.zeros((*x.shape[:2], *size), x.dtype)
    for oh, ow, h, w, share in _resize_taps(x.shape[2:], size, steps, mode, align_corners):
        y[:, :, oh, ow] += x.dtype.type(share) * x[:, :, h, w]
    return y


def resize_adjoint(
    y: np.ndarray, size: Pair, steps: tuple[float, float], mode: str, align_corners: bool
) -> np.ndarray:
    """Send each output pixel back to the input pixels (of `size`) that it was made from."""
    x = np.zeros((*y.shape[:2], *size), y.dtype)
    for oh, ow, h, w, share in _resize_taps(size, y.shape[2:], steps, mode, align_corners):
        x[:, :, h, w] += y.dtype.type(share) * y[:, :, oh, ow]
    return x


def _resize_taps(
    size: Pair, out: Pair, steps: tuple[float, float], mode: str, align_corners: bool
) -> Iterator[tuple[int, int, int, int, float]]:
    """Yield (oh, ow, h, w, share): input pixel (h, w) has this share in output pixel (oh, ow)."""
    rows, columns = (
        _neighbours(size[axis], out[axis], steps[axis], mode, align_corners) for axis in (0, 1)
    )
    for oh, ow in np.ndindex(*out):
        for h, share_h in rows[oh]:
            for w, share_w in columns[ow]:
                yield oh, ow, h, w, share_h * share_w


def _neighbours(
    size: int, out: int, step: float, mode: str, align_corners: bool
) -> list[list[tuple[int, float]]]:
    """For each output position along an axis, the input positions it is made from, with shares."""
    if mode == "nearest":
        return [[(int(i), 1.0)] for i in geometry.nearest_positions(size, out, step)]
    shares = []
    for position in geometry.source_positions(size, out, step, align_corners):
        low = int(position)
        high = min(low + 1, size - 1)
        shares.append([(low, 1 - (position - low)), (high, position - low)])
    return shares
