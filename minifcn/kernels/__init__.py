"""The kernels: array in, array out, no autograd. Checks every argument, then picks the library.

Each function here has a namesake in reference.py (loops: the definition), in cpu/ (NumPy: fast)
and in gpu/ (CUDA). They come in adjoint pairs, <A x, y> = <x, A* y>, and each is the other's
gradient: im2col and col2im, conv2d and conv_transpose2d (with conv2d_weight as the third corner),
gather and unpool, resize and resize_adjoint. Only the updates of the optimisers change an array in
place.

Arrays are float32 or float64, of the layout (N, C, H, W); `kernel_size`, `stride`, `padding` and
`dilation` are whole numbers or pairs (height, width). A wrong argument raises ValueError or
TypeError that names it, before any work.
"""

from __future__ import annotations

from math import inf
from typing import TypeAlias

from minifcn.backend import Array
from minifcn.kernels import checks, geometry
from minifcn.kernels.checks import pair
from minifcn.kernels.choice import implementation
from minifcn.kernels.choice import use as use
from minifcn.kernels.geometry import Pair

IntOrPair: TypeAlias = int | Pair


def im2col(
    x: Array,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
) -> Array:
    """Lay out windows: columns[n, c, i, j, oh, ow] = x[n, c, oh*s - p + i*d, ow*s - p + j*d].

    x: (N, C, H, W). Returns (N, C, KH, KW, OH, OW), 0 where a window lies on the padding.
    """
    kernel_size, stride, padding, dilation = checks.window(kernel_size, stride, padding, dilation)
    checks.check_array(x, "x")
    checks.check_window(x.shape[2:], kernel_size, padding, dilation)
    return implementation(x).im2col(x, kernel_size, stride, padding, dilation)


def col2im(
    columns: Array,
    size: IntOrPair,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
) -> Array:
    """Add windows up where they came from (scatter-add): the adjoint of im2col.

    columns: (N, C, KH, KW, OH, OW). Returns (N, C, *size).
    """
    checks.check_array(columns, "columns", 6)
    size, kernel_size = pair(size, "size", 1), columns.shape[2:4]
    _, stride, padding, dilation = checks.window(kernel_size, stride, padding, dilation)
    checks.check_window(size, kernel_size, padding, dilation)
    out = geometry.output_pair(size, kernel_size, stride, padding, dilation)
    checks.check_shape(columns, (*columns.shape[:4], *out), "columns")
    return implementation(columns).col2im(columns, size, stride, padding, dilation)


def conv2d(
    x: Array,
    weight: Array,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    bias: Array | None = None,
    rectify: bool = False,
) -> Array:
    """Convolve: y[n, f, oh, ow] = sum over (c, i, j) of weight[f, c, i, j] * x[n, c, h, w].

    h = oh * stride - padding + i * dilation, likewise w; as everywhere in deep learning the
    kernel is not flipped. In the same pass bias[f] is added, and relu applied, where wanted.
    x: (N, C, H, W), weight: (F, C / groups, KH, KW), bias: (F,). Returns (N, F, OH, OW).
    """
    checks.check_two(x, weight, "x", "weight")
    kernel_size = weight.shape[2:]
    _, stride, padding, dilation = checks.window(kernel_size, stride, padding, dilation)
    checks.check_groups(groups, ("input channels", x.shape[1]), ("outputs", len(weight)))
    checks.check_channels(x, weight, groups)
    checks.check_window(x.shape[2:], kernel_size, padding, dilation, "weight")
    checks.check_bias(bias, weight)
    return implementation(x).conv2d(x, weight, stride, padding, dilation, groups, bias, rectify)


def conv_transpose2d(
    y: Array,
    weight: Array,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    output_padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    """Stamp: x[n, c, h, w] = sum of weight[f, c, i, j] * y[n, f, oh, ow]; conv2d's adjoint.

    The indices are those of conv2d. y: (N, F, OH, OW), weight: (F, C / groups, KH, KW).
    Returns (N, C, H, W) with H = s(OH - 1) + d(KH - 1) + 1 - 2p + output_padding.
    """
    checks.check_two(y, weight, "y", "weight")
    kernel_size = weight.shape[2:]
    _, stride, padding, dilation = checks.window(kernel_size, stride, padding, dilation)
    output_padding = pair(output_padding, "output_padding")
    checks.check_groups(groups, ("input channels", y.shape[1]))
    if len(weight) != y.shape[1]:
        raise ValueError(
            f"weight must have kernels for {y.shape[1]} input channels; got {len(weight)}"
        )
    checks.check_output_padding(output_padding, stride, dilation)
    size = geometry.transpose_output_pair(
        y.shape[2:], kernel_size, stride, padding, output_padding, dilation
    )
    if min(size) < 1:
        raise ValueError(
            f"padding {padding} leaves nothing of the output: its size would be {size}"
        )
    module = implementation(y)
    return module.conv_transpose2d(y, weight, stride, padding, output_padding, dilation, groups)


def conv2d_weight(
    x: Array,
    y: Array,
    kernel_size: IntOrPair,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Array:
    """Correlate: weight[f, c, i, j] = sum over (n, oh, ow) of x[n, c, h, w] * y[n, f, oh, ow].

    The gradient of both convolutions with respect to their weight. x: (N, C, H, W),
    y: (N, F, OH, OW). Returns (F, C / groups, KH, KW).
    """
    checks.check_two(x, y, "x", "y")
    kernel_size, stride, padding, dilation = checks.window(kernel_size, stride, padding, dilation)
    checks.check_groups(groups, ("channels of x", x.shape[1]), ("channels of y", y.shape[1]))
    checks.check_window(x.shape[2:], kernel_size, padding, dilation)
    out = geometry.output_pair(x.shape[2:], kernel_size, stride, padding, dilation)
    checks.check_shape(y, (len(x), y.shape[1], *out), "y")
    module = implementation(x)
    return module.conv2d_weight(x, y, kernel_size, stride, padding, dilation, groups)


def conv1x1(x: Array, weight: Array, bias: Array | None = None, rectify: bool = False) -> Array:
    """Mix channels: y[n, f, h, w] = sum over c of weight[f, c] * x[n, c, h, w].

    In the same pass bias[f] is added, and relu applied, where wanted. x: (N, C, H, W), weight:
    (F, C), bias: (F,). Returns (N, F, H, W). Without a bias its adjoint is itself with weight^T.
    """
    checks.check_array(x, "x")
    checks.check_array(weight, "weight", 2)
    checks.check_alike(x, weight, ("x", "weight"))
    checks.check_shape(weight, (len(weight), x.shape[1]), "weight")
    checks.check_bias(bias, weight)
    return implementation(x).conv1x1(x, weight, bias, rectify)


def conv1x1_weight(x: Array, y: Array) -> Array:
    """Correlate channels: weight[f, c] = sum over (n, h, w) of x[n, c, h, w] * y[n, f, h, w].

    x: (N, C, H, W), y: (N, F, H, W). Returns (F, C).
    """
    checks.check_two(x, y, "x", "y")
    checks.check_shape(y, (len(x), y.shape[1], *x.shape[2:]), "y")
    return implementation(x).conv1x1_weight(x, y)


def max_pool2d(
    x: Array,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    with_indices: bool = True,
) -> tuple[Array, Array | None]:
    """Return the maximum of each window, and its flat index in the (H, W) plane.

    The index is h * W + w in unpadded coordinates; the padding counts as -inf; the first of
    several maxima wins; NaN wins over numbers. `stride` is the kernel size by default.
    x: (N, C, H, W). Returns values and int64 indices, both (N, C, OH, OW); None in place of the
    indices where nobody wants them.
    """
    checks.check_array(x, "x")
    stride = kernel_size if stride is None else stride
    kernel_size, stride, padding, dilation = checks.window(kernel_size, stride, padding, dilation)
    size = x.shape[2:]
    checks.check_pool(size, kernel_size, stride, padding, dilation, ceil_mode)
    settings = (kernel_size, stride, padding, dilation, ceil_mode, with_indices)
    return implementation(x).max_pool2d(x, *settings)


def gather(x: Array, indices: Array, *, checked: bool = False) -> Array:
    """Pick: y[n, c, oh, ow] = x[n, c, indices[n, c, oh, ow]], counting along the rows of x.

    x: (N, C, H, W), indices: (N, C, OH, OW) of int64 in [0, H * W). Returns (N, C, OH, OW).
    checked: they are known to be in range; to look would make the CPU wait for a GPU.
    """
    checks.check_array(x, "x")
    checks.check_indices(x, indices, (*x.shape[:2], *indices.shape[-2:]), x.shape[2:], checked)
    return implementation(x).gather(x, indices)


def unpool(y: Array, indices: Array, size: IntOrPair, *, checked: bool = False) -> Array:
    """Scatter: x[n, c, indices[n, c, oh, ow]] += y[n, c, oh, ow], zeros elsewhere.

    Values with the same index are summed, so this is exactly the adjoint of gather. (SegNet and
    PyTorch leave that case undefined.) y, indices: (N, C, OH, OW). Returns (N, C, *size).
    checked: as for gather.
    """
    checks.check_array(y, "y")
    size = pair(size, "size", 1)
    checks.check_indices(y, indices, y.shape, size, checked)
    return implementation(y).unpool(y, indices, size)


def resize(
    x: Array,
    size: IntOrPair,
    steps: tuple[float, float],
    mode: str = "bilinear",
    align_corners: bool = False,
) -> Array:
    """Resize (N, C, H, W) to (N, C, *size), each output pixel a mean of its neighbours.

    steps: the distance of two output pixels, in input pixels, along H and W (see
    geometry.source_positions and nearest_positions). mode: 'nearest' or 'bilinear'.
    """
    checks.check_array(x, "x")
    checks.check_pixels(x, "x")
    checks.check_mode(mode)
    return implementation(x).resize(x, pair(size, "size", 1), steps, mode, align_corners)


def resize_adjoint(
    y: Array,
    size: IntOrPair,
    steps: tuple[float, float],
    mode: str = "bilinear",
    align_corners: bool = False,
) -> Array:
    """Send (N, C, OH, OW) back to (N, C, *size): the adjoint of resize from that size."""
    checks.check_array(y, "y")
    checks.check_mode(mode)
    return implementation(y).resize_adjoint(y, pair(size, "size", 1), steps, mode, align_corners)


def relu(x: Array) -> Array:
    """Rectify: y = max(x, 0), for an array of any shape; NaN stays NaN."""
    checks.check_array(x, "x", None)
    return implementation(x).relu(x)


def relu_gradient(gradient: Array, y: Array) -> Array:
    """Keep the gradient where y = relu(x) is positive, 0 elsewhere: the slope at 0 is 0.

    Linear in the gradient, and its own adjoint. Both arrays have one shape, any.
    """
    checks.check_gradient(gradient, y, "y", ndim=None)
    return implementation(y).relu_gradient(gradient, y)


def relu6(x: Array) -> Array:
    """Clip: y = min(max(x, 0), 6), for an array of any shape; NaN stays NaN."""
    checks.check_array(x, "x", None)
    return implementation(x).relu6(x)


def relu6_gradient(gradient: Array, y: Array) -> Array:
    """Keep the gradient where y = relu6(x) is between 0 and 6, 0 elsewhere; see relu_gradient."""
    checks.check_gradient(gradient, y, "y", ndim=None)
    return implementation(y).relu6_gradient(gradient, y)


def channel_sums(x: Array) -> Array:
    """Sum over the pixels: y[c] = sum over (n, h, w) of x[n, c, h, w]; the gradient of a bias.

    x: (N, C, H, W). Returns (C,).
    """
    checks.check_array(x, "x")
    return implementation(x).channel_sums(x)


def cross_entropy(x: Array, labels: Array, *, checked: bool = False) -> tuple[Array, Array]:
    """Compare scores with labels: -log softmax(x)[n, label, h, w] of each pixel.

    x: (N, C, H, W), labels: (N, H, W) of int64 in [0, C). Returns the losses, and
    log(sum over c of exp(x[n, c, h, w])), from which the gradient is computed; both (N, H, W).
    checked: the labels are known to be in range, as for gather.
    """
    checks.check_array(x, "x")
    checks.check_labels(x, labels, checked)
    return implementation(x).cross_entropy(x, labels)


def cross_entropy_gradient(
    x: Array, labels: Array, logs: Array, scale: Array, *, checked: bool = False
) -> Array:
    """Return scale[n, h, w] * (softmax(x)[n, c, h, w] - (1 where c is the label, else 0)).

    logs: the second result of cross_entropy; scale: the gradient of each pixel's loss; both
    (N, H, W). Returns (N, C, H, W). checked: as for cross_entropy.
    """
    checks.check_array(x, "x")
    checks.check_labels(x, labels, checked)
    checks.check_values(x, labels.shape, logs=logs, scale=scale)
    return implementation(x).cross_entropy_gradient(x, labels, logs, scale)


def batch_norm(
    x: Array,
    weight: Array,
    bias: Array,
    eps: float,
    limit: float | None = None,
    mean: Array | None = None,
    var: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Normalise each channel: y = (x - mean) / sqrt(var + eps) * weight + bias.

    mean and var (biased) are those of the channel's numbers, over (n, h, w), unless both are given.
    With a limit, y is clipped to [0, limit]: relu for infinity, relu6 for 6. x: (N, C, H, W);
    weight, bias, mean, var: (C,). Returns y (N, C, H, W), mean and var.
    """
    checks.check_array(x, "x")
    checks.check_values(x, x.shape[1:2], weight=weight, bias=bias)
    checks.check_statistics(x, mean, var)
    checks.check_clip(x, limit)
    return implementation(x).batch_norm(x, weight, bias, eps, limit, mean, var)


def batch_norm_gradient(
    gradient: Array,
    x: Array,
    weight: Array,
    mean: Array,
    var: Array,
    eps: float,
    y: Array | None = None,
    limit: float = inf,
    frozen: bool = False,
) -> tuple[Array, Array, Array]:
    """Return the gradients of batch_norm with respect to x, weight and bias.

    With x^ = (x - mean) / sqrt(var + eps), g the gradient of y, and < > the mean over a channel:
    weight / sqrt(var + eps) * (g - <g> - x^ <g x^>), sum of g x^, and sum of g. `frozen`: mean and
    var were given; the first is weight / sqrt(var + eps) * g. If y was clipped, g counts inside.
    gradient, x, y: (N, C, H, W); weight, mean, var: (C,), the last two as batch_norm returns them.
    """
    checks.check_gradient(gradient, x, "x")
    checks.check_values(x, x.shape[1:2], weight=weight, mean=mean, var=var)
    checks.check_clip(x, limit, y)
    module = implementation(x)
    return module.batch_norm_gradient(gradient, x, weight, mean, var, eps, y, limit, frozen)


def sgd_update(
    parameter: Array,
    gradient: Array,
    velocity: Array,
    lr: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """Step down the gradient, in place: velocity = momentum * velocity + g, parameter -= lr * it.

    g = gradient + weight_decay * parameter. The arrays have one shape, any.
    """
    checks.check_update(parameter, gradient=gradient, velocity=velocity)
    module = implementation(parameter)
    module.sgd_update(parameter, gradient, velocity, lr, momentum, weight_decay)


def adam_update(
    parameter: Array,
    gradient: Array,
    mean: Array,
    square: Array,
    steps: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> None:
    """Step as Adam does, in place: parameter -= lr * m^ / (sqrt(v^) + eps).

    mean += (1 - beta1) * (g - mean), square += (1 - beta2) * (g * g - square), with
    g = gradient + weight_decay * parameter; m^ = mean / (1 - beta1^steps), v^ likewise from square.
    The arrays have one shape, any.
    """
    checks.check_update(parameter, gradient=gradient, mean=mean, square=square)
    module = implementation(parameter)
    module.adam_update(parameter, gradient, mean, square, steps, lr, betas, eps, weight_decay)
