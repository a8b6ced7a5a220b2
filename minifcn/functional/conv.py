"""Convolution, transposed convolution and the linear layer; each one's gradient is another one.

Write conv(x, w) for the convolution, its adjoint in x as conv_transpose(y, w), and its adjoint in
w as conv_weight(x, y). All three come from one sum over x * w * y, so the gradients of any one of
them are the other two, and gradients of gradients need nothing new.
"""

from __future__ import annotations

from minifcn import kernels
from minifcn.backend import Array
from minifcn.functional.activation import record_relu
from minifcn.functional.arguments import check_tensors
from minifcn.functional.shape import pad as pad_
from minifcn.kernels import IntOrPair, checks, geometry
from minifcn.kernels.checks import pair
from minifcn.kernels.geometry import Pair
from minifcn.tensor import Tensor, broadcast_to, record

Settings = tuple[Pair, Pair, Pair, int]
"""Stride, padding, dilation and groups."""


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrPair = 1,
    padding: IntOrPair | str = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    relu: bool = False,
) -> Tensor:
    """Convolve: y[n, f, oh, ow] = bias[f] + sum over (c, i, j) of weight[f, c, i, j] x[n, c, h, w].

    h = oh * stride - padding + i * dilation, likewise w.

    Args:
        input: (N, C, H, W).
        weight: (F, C / groups, KH, KW).
        bias: (F,), or None.
        stride: distance between windows, in pixels.
        padding: rows and columns of zeros around the input; or 'valid' (none), or 'same' (as many
            as keep the size, with stride 1; the odd one goes to the bottom and right).
        dilation: distance between kernel elements, in pixels.
        groups: how many independent convolutions share the channels.
        relu: whether to apply relu to the result, in the same pass over memory.

    Returns:
        (N, F, OH, OW) with OH = floor((H + 2p - d(KH - 1) - 1) / s) + 1.

    Raises:
        ValueError: shapes, or settings, that do not fit together.
        TypeError: a dtype other than float32 or float64, or two different ones.

    Source: Dumoulin and Visin (2016), A guide to convolution arithmetic for deep learning.
    """
    check_tensors(4, input=input, weight=weight)
    checks.check_pixels(input.data, "input")
    _check_bias(bias, input, weight.shape[0])
    if isinstance(padding, str):
        input, padding = _named_padding(input, weight, stride, padding, dilation)
    stride, padding = pair(stride, "stride", 1), pair(padding, "padding")
    settings = (stride, padding, pair(dilation, "dilation", 1), groups)
    if weight.shape[2:] == (1, 1) and (stride, padding, groups) == ((1, 1), (0, 0), 1):
        y = _conv1x1(input, weight.reshape(weight.shape[:2]), bias, relu)
    else:
        y = _conv(input, weight, settings, bias, relu)
    return _with_bias_and_relu(y, bias, relu)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    output_padding: IntOrPair = 0,
    groups: int = 1,
    dilation: IntOrPair = 1,
) -> Tensor:
    """Stamp the kernel, times each input pixel, onto the output: the adjoint of conv2d.

    Args:
        input: (N, C, H, W).
        weight: (C, F / groups, KH, KW), as for the conv2d that it is the adjoint of.
        bias: (F,), or None.
        stride: distance between stamps on the output, in pixels.
        padding: rows and columns cut off on each side of the output.
        output_padding: rows and columns added at the bottom and right, where stamps may reach;
            less than the stride or the dilation.
        groups: how many independent transposed convolutions share the channels.
        dilation: distance between kernel elements, in pixels.

    Returns:
        (N, F, OH, OW) with OH = s(H - 1) + d(KH - 1) + 1 - 2p + output_padding.

    Raises:
        ValueError, TypeError: as conv2d.

    Source: Dumoulin and Visin (2016), section 4.
    """
    check_tensors(4, input=input, weight=weight)
    checks.check_pixels(input.data, "input")
    stride, padding = pair(stride, "stride", 1), pair(padding, "padding")
    settings = (stride, padding, pair(dilation, "dilation", 1), groups)
    checks.check_groups(groups, ("input channels", input.shape[1]))
    _check_bias(bias, input, weight.shape[1] * groups)
    y = _conv_transpose(input, weight, pair(output_padding, "output_padding"), settings)
    if bias is not None:
        y.data += bias.data[:, None, None]  # in place: nothing else holds y yet
    return _with_bias_and_relu(y, bias, relu=False)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply by a matrix: y = x weight^T + bias.

    input: (N, ..., C), weight: (F, C), bias: (F,) or None. Returns (N, ..., F).
    """
    check_tensors(input=input, weight=weight)
    checks.check_array(weight.data, "weight", 2)
    if input.ndim < 2 or input.shape[-1] != weight.shape[1]:
        raise ValueError(f"input must be (N, ..., {weight.shape[1]}); got shape {input.shape}")
    _check_bias(bias, input, weight.shape[0])
    y = input @ weight.transpose()
    return y if bias is None else y + bias


def _conv(
    x: Tensor, weight: Tensor, settings: Settings, bias: Tensor | None = None, relu: bool = False
) -> Tensor:
    """Convolve, and let the kernel add the bias and apply relu; see _with_bias_and_relu."""
    return record(
        "conv2d",
        kernels.conv2d(x.data, weight.data, *settings, _data(bias), relu),
        (x, lambda g: _conv_transpose(g, weight, _rest(x, weight, settings), settings)),
        (weight, lambda g: _conv_weight(x, g, weight.shape[2:], settings)),
    )


def _conv_transpose(y: Tensor, weight: Tensor, rest: Pair, settings: Settings) -> Tensor:
    stride, padding, dilation, groups = settings
    # An output_padding of a whole stride or more (dilation allows it) is another row of zeros.
    more = (rest[0] // stride[0], rest[1] // stride[1])
    if more != (0, 0):
        checks.check_output_padding(rest, stride, dilation)
        y, rest = pad_(y, (0, more[1], 0, more[0])), (rest[0] % stride[0], rest[1] % stride[1])
    return record(
        "conv_transpose2d",
        kernels.conv_transpose2d(y.data, weight.data, stride, padding, rest, dilation, groups),
        (y, lambda g: _conv(g, weight, settings)),
        (weight, lambda g: _conv_weight(g, y, weight.shape[2:], settings)),
    )


def _conv_weight(x: Tensor, y: Tensor, kernel_size: Pair, settings: Settings) -> Tensor:
    return record(
        "conv2d_weight",
        kernels.conv2d_weight(x.data, y.data, kernel_size, *settings),
        (x, lambda g: _conv_transpose(y, g, _rest(x, g, settings), settings)),
        (y, lambda g: _conv(x, g, settings)),
    )


def _rest(x: Tensor, weight: Tensor, settings: Settings) -> Pair:
    """The output_padding with which the transposed convolution gets back to the size of x."""
    stride, padding, dilation, _ = settings
    h, w = map(geometry.conv_remainder, x.shape[2:], weight.shape[2:], stride, padding, dilation)
    return h, w


def _conv1x1(x: Tensor, weight: Tensor, bias: Tensor | None = None, relu: bool = False) -> Tensor:
    return record(
        "conv1x1",
        kernels.conv1x1(x.data, weight.data, _data(bias), relu),
        (x, lambda g: _conv1x1(g, weight.transpose())),
        (weight, lambda g: _conv1x1_weight(x, g)),
    )


def _conv1x1_weight(x: Tensor, y: Tensor) -> Tensor:
    return record(
        "conv1x1_weight",
        kernels.conv1x1_weight(x.data, y.data),
        (x, lambda g: _conv1x1(y, g.transpose())),
        (y, lambda g: _conv1x1(x, g)),
    )


def _check_bias(bias: Tensor | None, input: Tensor, count: int) -> None:
    if bias is not None:
        check_tensors(input=input, bias=bias)
        checks.check_shape(bias.data, (count,), "bias")


def _data(bias: Tensor | None) -> Array | None:
    return None if bias is None else bias.data


def _with_bias_and_relu(y: Tensor, bias: Tensor | None, relu: bool) -> Tensor:
    """Record the bias and relu that y.data already has: three steps that share one array.

    The gradient of each step needs the final values only, so none of the others are kept.
    """
    if bias is not None:
        y = record("bias", y.data, (y, lambda g: g), (bias, _channel_sums))
    return record_relu(y, y.data) if relu else y


def _channel_sums(x: Tensor) -> Tensor:
    back = lambda g: broadcast_to(g.reshape((-1, 1, 1)), x.shape)
    return record("channel_sums", kernels.channel_sums(x.data), (x, back))


def _named_padding(
    x: Tensor, weight: Tensor, stride: IntOrPair, padding: str, dilation: IntOrPair
) -> tuple[Tensor, Pair]:
    """Return the input, padded where one side needs more, and the padding left to do."""
    if padding == "valid":
        return x, (0, 0)
    if padding != "same" or pair(stride, "stride", 1) != (1, 1):
        raise ValueError(
            f"padding must be a number, 'valid', or with stride 1 'same'; got {padding!r}"
            f" with stride {stride}"
        )
    dh, dw = pair(dilation, "dilation", 1)
    total_h, total_w = dh * (weight.shape[2] - 1), dw * (weight.shape[3] - 1)
    odd = (0, total_w % 2, 0, total_h % 2)
    return pad_(x, odd) if any(odd) else x, (total_h // 2, total_w // 2)
