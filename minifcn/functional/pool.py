"""Pooling and unpooling: gather and scatter, each one's gradient is the other."""

from __future__ import annotations

import numpy as np

from minifcn import kernels
from minifcn.backend import Array, library
from minifcn.functional.arguments import check_tensor, check_tensors
from minifcn.functional.shape import pad as pad_
from minifcn.kernels import IntOrPair, checks, geometry
from minifcn.kernels.checks import pair
from minifcn.kernels.geometry import Pair
from minifcn.tensor import Tensor, is_grad_enabled, record


def max_pool2d(
    input: Tensor,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Take the maximum of each window.

    Args:
        input: (N, C, H, W).
        kernel_size: size of the window.
        stride: distance between windows; the kernel size by default.
        padding: rows and columns of -inf around the input, at most half the kernel size.
        dilation: distance between the pixels of a window.
        ceil_mode: round the output size up, so that the last pixels are not left out.
        return_indices: also return where the maxima are ("switches"): h * W + w in the unpadded
            (H, W) plane, the first of several maxima.

    Returns:
        (N, C, OH, OW), and with `return_indices` the int64 indices of the same shape.

    Raises:
        ValueError: a window that does not fit, or a padding over half the kernel.
    """
    check_tensors(4, input=input)
    with_indices = return_indices or (is_grad_enabled() and input.requires_grad)
    values, indices = kernels.max_pool2d(
        input.data, kernel_size, stride, padding, dilation, ceil_mode, with_indices
    )
    size = input.shape[2:]
    back = lambda g: _unpool(g, indices, size)
    if not return_indices:
        return record("max_pool2d", values, (input, back))
    switches = Tensor(indices)
    return record("max_pool2d", values, (input, back), (switches, _no_gradient)), switches


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    output_size: tuple[int, ...] | None = None,
) -> Tensor:
    """Put each value where its index points, zeros elsewhere; values with equal indices sum.

    Args:
        input: (N, C, H, W).
        indices: (N, C, H, W), as max_pool2d returns them.
        kernel_size: window size of that pooling.
        stride: stride of that pooling; the kernel size by default.
        padding: padding of that pooling.
        output_size: the pooling's input size, where it is not (H - 1) s - 2p + k; the last two
            numbers count. It must be less than a stride away from that.

    Returns:
        (N, C, *output_size).

    Raises:
        ValueError: an index outside the output, a wrong shape or output_size.

    Source: Badrinarayanan et al. (2017), SegNet, section 3.
    """
    check_tensors(4, input=input)
    check_tensor(indices, "indices")
    kernel_size = pair(kernel_size, "kernel_size", 1)
    stride = pair(kernel_size if stride is None else stride, "stride", 1)
    axes = zip(input.shape[2:], kernel_size, stride, pair(padding, "padding"), strict=True)
    default = tuple((n - 1) * s - 2 * p + k for n, k, s, p in axes)
    wanted = default if output_size is None else output_size
    last = wanted[-2:] if isinstance(wanted, (tuple, list)) else wanted
    size = checks.size_pair(last, "output_size")
    for n, usual, s in zip(size, default, stride, strict=True):
        if abs(n - usual) >= s:
            raise ValueError(
                f"output_size must be within one stride {stride} of {default}; got {size}"
            )
    data, switches = kernels.unpool(input.data, indices.data, size), indices.data
    back = lambda g: _gather(g, switches)
    return record("unpool", data, (input, back), (indices, _no_gradient))


def _no_gradient(gradient: Tensor) -> Tensor:
    """Stand for the gradient of indices: they have none, but must be as they were."""
    raise TypeError("indices have no gradient")


def _unpool(y: Tensor, indices: Array, size: Pair) -> Tensor:
    data = kernels.unpool(y.data, indices, size, checked=True)
    return record("unpool", data, (y, lambda g: _gather(g, indices)))


def _gather(x: Tensor, indices: Array) -> Tensor:
    data = kernels.gather(x.data, indices, checked=True)
    return record("gather", data, (x, lambda g: _unpool(g, indices, x.shape[2:])))


def avg_pool2d(
    input: Tensor,
    kernel_size: IntOrPair,
    stride: IntOrPair | None = None,
    padding: IntOrPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Take the mean of each window.

    Args:
        input: (N, C, H, W).
        kernel_size: size of the window.
        stride: distance between windows; the kernel size by default.
        padding: rows and columns of zeros around the input, at most half the kernel size.
        ceil_mode: round the output size up.
        count_include_pad: whether the zeros of the padding count as elements of the mean.
        divisor_override: divide the sums by this number instead.

    Returns:
        (N, C, OH, OW).

    Raises:
        ValueError: a window that does not fit, a padding over half the kernel, a divisor of 0.
    """
    check_tensors(4, input=input)
    kernel_size = pair(kernel_size, "kernel_size", 1)
    stride = pair(kernel_size if stride is None else stride, "stride", 1)
    padding, size = pair(padding, "padding"), input.shape[2:]
    checks.check_pool(size, kernel_size, stride, padding, (1, 1), ceil_mode)
    if divisor_override == 0:
        raise ValueError("divisor_override must not be 0")
    out = geometry.pool_output_pair(size, kernel_size, stride, padding, (1, 1), ceil_mode)
    reach = [(o - 1) * s + k for o, s, k in zip(out, stride, kernel_size, strict=True)]
    (top, left), (h, w) = padding, size
    amounts = (left, reach[1] - w - left, top, reach[0] - h - top)
    padded = pad_(input, amounts) if any(amounts) else input
    sums = _im2col(padded, kernel_size, stride).sum((2, 3))
    counts = (
        _window_counts(
            size[axis], out[axis], kernel_size[axis], stride[axis], padding[axis], count_include_pad
        )
        for axis in (0, 1)
    )
    divisor = np.multiply.outer(*counts) if divisor_override is None else divisor_override
    return sums / Tensor(library(input.data).asarray(divisor, input.dtype))


def _window_counts(
    size: int, out: int, kernel: int, stride: int, padding: int, count_include_pad: bool
) -> np.ndarray:
    """How many positions of each window count, along one axis."""
    start = geometry.window_starts(out, stride, padding)
    if count_include_pad:  # the padding counts, but not what ceil_mode added beyond it
        return np.minimum(start + kernel, size + padding) - start
    return np.minimum(start + kernel, size) - np.maximum(start, 0)


def _im2col(x: Tensor, kernel_size: Pair, stride: Pair) -> Tensor:
    data = kernels.im2col(x.data, kernel_size, stride)
    return record("im2col", data, (x, lambda g: _col2im(g, x.shape[2:], stride)))


def _col2im(columns: Tensor, size: Pair, stride: Pair) -> Tensor:
    data = kernels.col2im(columns.data, size, stride)
    return record("col2im", data, (columns, lambda g: _im2col(g, columns.shape[2:4], stride)))


def adaptive_avg_pool2d(input: Tensor, output_size: int | tuple[int | None, int | None]) -> Tensor:
    """Take means over windows that divide the input into `output_size` parts, (1, 1) for all of it.

    Window i covers the rows from floor(i H / OH) to ceil((i + 1) H / OH). None keeps a size.
    input: (N, C, H, W). Returns (N, C, *output_size).
    """
    check_tensors(4, input=input)
    checks.check_pixels(input.data, "input")
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    checks.size_pair(tuple(1 if o is None else o for o in wanted), "output_size")
    oh, ow = (n if o is None else o for n, o in zip(input.shape[2:], wanted, strict=True))
    rows, columns = (
        Tensor(library(input.data).asarray(_means(n, out), input.dtype))
        for n, out in zip(input.shape[2:], (oh, ow), strict=True)
    )
    return rows @ input @ columns.transpose()


def _means(size: int, out: int) -> np.ndarray:
    """The matrix (out, size) that takes means along one axis."""
    window, pixels = np.arange(out, dtype=np.int64)[:, None], np.arange(size, dtype=np.int64)
    start, stop = window * size // out, -(-(window + 1) * size // out)
    inside = (pixels >= start) & (pixels < stop)
    return inside / inside.sum(1, keepdims=True)
