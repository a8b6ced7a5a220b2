"""Every kernel as plain loops: the definition that the fast ones are tested against.

Read these first. They are slow and never run in training. Sizes are written as in geometry.py;
`kernel_size`, `stride`, `padding` and `dilation` are pairs (height, width), already checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

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
    x: np.ndarray,
    weight: np.ndarray,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    bias: np.ndarray | None = None,
    rectify: bool = False,
) -> np.ndarray:
    """y[n, f, oh, ow] += weight[f, c, i, j] * x[n, c, h, w]; then the bias, and relu, if wanted."""
    out = geometry.output_pair(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    y = np.zeros((len(x), len(weight), *out), x.dtype)
    for f, c, cg in _channels(len(weight), x.shape[1], groups):
        for oh, ow, i, j, h, w in _taps(
            x.shape[2:], out, weight.shape[2:], stride, padding, dilation
        ):
            y[:, f, oh, ow] += weight[f, cg, i, j] * x[:, c, h, w]
    return _add_bias_and_relu(y, bias, rectify)


def _add_bias_and_relu(y: np.ndarray, bias: np.ndarray | None, rectify: bool) -> np.ndarray:
    for f in range(y.shape[1]):
        y[:, f] += 0 if bias is None else bias[f]
    return relu(y) if rectify else y


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


def conv1x1(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None, rectify: bool = False
) -> np.ndarray:
    """y[n, f, h, w] += weight[f, c] * x[n, c, h, w]: a matrix product over channels.

    Then the bias, and relu, if wanted.
    """
    y = np.zeros((len(x), len(weight), *x.shape[2:]), x.dtype)
    for f, c in np.ndindex(*weight.shape):
        y[:, f] += weight[f, c] * x[:, c]
    return _add_bias_and_relu(y, bias, rectify)


def conv1x1_weight(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """weight[f, c] += x[n, c, h, w] * y[n, f, h, w]."""
    weight = np.zeros((y.shape[1], x.shape[1]), x.dtype)
    for f, c in np.ndindex(*weight.shape):
        weight[f, c] = (x[:, c] * y[:, f]).sum()
    return weight


def max_pool2d(
    x: np.ndarray,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
    with_indices: bool = True,
) -> tuple[np.ndarray, np.ndarray | None]:
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
    return values, indices if with_indices else None


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


def relu(x: np.ndarray) -> np.ndarray:
    """Keep x where x > 0, else 0; NaN stays NaN."""
    return _clipped(x, inf)


def relu_gradient(gradient: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient where y = relu(x) is positive, 0 elsewhere."""
    return _kept_inside(gradient, y, inf)


def relu6(x: np.ndarray) -> np.ndarray:
    """Keep x where 0 < x < 6, else the nearer of the two; NaN stays NaN."""
    return _clipped(x, 6)


def relu6_gradient(gradient: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient where y = relu6(x) is between 0 and 6, 0 elsewhere."""
    return _kept_inside(gradient, y, 6)


def _clipped(x: np.ndarray, limit: float) -> np.ndarray:
    y = x.copy()
    for place in np.ndindex(*x.shape):
        y[place] = 0 if x[place] <= 0 else limit if x[place] > limit else x[place]
    return y


def _kept_inside(gradient: np.ndarray, y: np.ndarray, limit: float) -> np.ndarray:
    inside = (y > 0) & ((y < limit) | (limit == inf))
    return np.where(inside, gradient, y.dtype.type(0))


def channel_sums(x: np.ndarray) -> np.ndarray:
    """y[c] += x[n, c, h, w]: the gradient of a bias."""
    y = np.zeros(x.shape[1], x.dtype)
    for n, c, h, w in np.ndindex(*x.shape):
        y[c] += x[n, c, h, w]
    return y


def cross_entropy(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return -log softmax(x)[n, label, h, w], and log(sum over c of exp(x[n, c, h, w])).

    The logarithm is taken relative to the largest score, so that no exponential overflows.
    """
    losses, logs = np.zeros(labels.shape, x.dtype), np.zeros(labels.shape, x.dtype)
    for n, h, w in np.ndindex(*labels.shape):
        largest = x[n, :, h, w].max()
        logs[n, h, w] = largest + np.log(np.exp(x[n, :, h, w] - largest).sum())
        losses[n, h, w] = logs[n, h, w] - x[n, labels[n, h, w], h, w]
    return losses, logs


def cross_entropy_gradient(
    x: np.ndarray, labels: np.ndarray, logs: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """scale[n, h, w] * (softmax(x)[n, c, h, w] - (1 where c is the label, else 0))."""
    gradient = np.zeros_like(x)
    for n, c, h, w in np.ndindex(*x.shape):
        probability = np.exp(x[n, c, h, w] - logs[n, h, w])
        gradient[n, c, h, w] = scale[n, h, w] * (probability - (labels[n, h, w] == c))
    return gradient


def batch_norm(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    eps: float,
    limit: float | None = None,
    mean: np.ndarray | None = None,
    var: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y[n, c, h, w] = (x - mean[c]) / sqrt(var[c] + eps) * weight[c] + bias[c]; y, mean, var."""
    y = np.zeros_like(x)
    if mean is None or var is None:
        mean, var = _statistics(x)
    for c in range(x.shape[1]):
        y[:, c] = (x[:, c] - mean[c]) / np.sqrt(var[c] + eps) * weight[c] + bias[c]
    return y if limit is None else _clipped(y, limit), mean, var


def _statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the variance of each channel."""
    mean, var = np.zeros(x.shape[1], x.dtype), np.zeros(x.shape[1], x.dtype)
    for c, n, h, w in np.ndindex(x.shape[1], len(x), *x.shape[2:]):
        mean[c] += x[n, c, h, w] / x[:, c].size
    for c, n, h, w in np.ndindex(x.shape[1], len(x), *x.shape[2:]):
        var[c] += (x[n, c, h, w] - mean[c]) ** 2 / x[:, c].size
    return mean, var


def batch_norm_gradient(
    gradient: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    eps: float,
    y: np.ndarray | None = None,
    limit: float = inf,
    frozen: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients to x, weight and bias: each number moves y, and the mean, and the variance.

    With x^ the normalised x: weight / std * (g - <g> - x^ <g x^>), sum of g x^, and sum of g.
    """
    if y is not None:
        gradient = _kept_inside(gradient, y, limit)
    to_x = np.zeros_like(x)
    to_weight, to_bias = np.zeros_like(weight), np.zeros_like(weight)
    for c in range(x.shape[1]):
        std = np.sqrt(var[c] + eps)
        normalised = (x[:, c] - mean[c]) / std
        for g, value in zip(gradient[:, c].flat, normalised.flat, strict=True):
            to_weight[c] += g * value
            to_bias[c] += g
        means = (to_bias[c] + normalised * to_weight[c]) / max(1, normalised.size)
        to_x[:, c] = weight[c] / std * (gradient[:, c] - (0 if frozen else means))
    return to_x, to_weight, to_bias


def sgd_update(
    parameter: np.ndarray,
    gradient: np.ndarray,
    velocity: np.ndarray,
    lr: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """Step: g = gradient + weight_decay * p; v = momentum * v + g; p -= lr * v, in place."""
    for i in np.ndindex(parameter.shape):
        g = gradient[i] + weight_decay * parameter[i]
        velocity[i] = momentum * velocity[i] + g
        parameter[i] -= lr * velocity[i]


def adam_update(
    parameter: np.ndarray,
    gradient: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    steps: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> None:
    """Move m and v towards g and g^2; p -= lr * m^ / (sqrt(v^) + eps), in place."""
    for i in np.ndindex(parameter.shape):
        g = gradient[i] + weight_decay * parameter[i]
        mean[i] += (1 - betas[0]) * (g - mean[i])
        square[i] += (1 - betas[1]) * (g * g - square[i])
        m, v = mean[i] / (1 - betas[0] ** steps), square[i] / (1 - betas[1] ** steps)
        parameter[i] -= lr * m / (np.sqrt(v) + eps)
