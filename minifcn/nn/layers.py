"""Layers: the functions of `minifcn.functional` together with their parameters and settings.

Names, state and most arguments are PyTorch's. What draws random numbers, initial weights or
dropout, takes the `generator` to draw them from; weights start from He's initialisation, but those
of a transposed convolution without a generator bilinear.
"""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.kernels import IntOrPair
from minifcn.kernels.checks import pair
from minifcn.nn import init
from minifcn.nn.module import Buffer, Module, Parameter
from minifcn.tensor import Tensor


def _zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


class _Weighted(Module):
    """A layer with a weight and, if wanted, a bias: zeros at first."""

    def __init__(self, shape: tuple[int, ...], outputs: int, bias: bool) -> None:
        self.weight = Parameter(_zeros(*shape))
        self.bias: Parameter | None = Parameter(_zeros(outputs))
        if not bias:
            self.bias = None  # the name stays one of a Parameter


class Conv2d(_Weighted):
    """Convolution with a weight (F, C / groups, KH, KW) and a bias (F,); see F.conv2d.

    With `relu` it applies relu too, in the same pass over memory.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair | str = 0,
        dilation: IntOrPair = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        relu: bool = False,
        generator: np.random.Generator,
    ) -> None:
        kernel = pair(kernel_size, "kernel_size", 1)
        _check_channels(in_channels, out_channels, groups)
        super().__init__((out_channels, in_channels // groups, *kernel), out_channels, bias)
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.relu = relu
        init.kaiming_normal_(self.weight, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (N, C, H, W)."""
        return F.conv2d(
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.relu,
        )

    def settings(self) -> str:
        """Name the shape of the weight too."""
        return f"weight={self.weight.shape}, {super().settings()}"


class ConvTranspose2d(_Weighted):
    """Transposed convolution, weight (C, F / groups, KH, KW), bias (F,); see F.conv_transpose2d.

    Without a generator it starts as bilinear upsampling (see init.bilinear_).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntOrPair,
        stride: IntOrPair = 1,
        padding: IntOrPair = 0,
        output_padding: IntOrPair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: IntOrPair = 1,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        kernel = pair(kernel_size, "kernel_size", 1)
        _check_channels(in_channels, out_channels, groups)
        super().__init__((in_channels, out_channels // groups, *kernel), out_channels, bias)
        self.stride, self.padding, self.output_padding = stride, padding, output_padding
        self.dilation, self.groups = dilation, groups
        if generator is not None:
            init.kaiming_normal_(self.weight, generator)
        elif in_channels == out_channels:
            init.bilinear_(self.weight)
        else:
            raise ValueError(
                f"in_channels and out_channels must be equal to start bilinear; got {in_channels}"
                f" and {out_channels} (pass a generator to start at random)"
            )

    def forward(self, x: Tensor) -> Tensor:
        """Upsample x (N, C, H, W)."""
        return F.conv_transpose2d(
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )

    def settings(self) -> str:
        """Name the shape of the weight too."""
        return f"weight={self.weight.shape}, {super().settings()}"


class Linear(_Weighted):
    """Matrix product with a weight (F, C), plus a bias (F,); see F.linear."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        generator: np.random.Generator,
    ) -> None:
        super().__init__((out_features, in_features), out_features, bias)
        init.kaiming_normal_(self.weight, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply x (..., C)."""
        return F.linear(x, self.weight, self.bias)


class BatchNorm2d(Module):
    """Batch normalisation of C channels with a learned scale and shift; see F.batch_norm.

    With an `activation`, 'relu' or 'relu6', it applies that too, in the same pass over memory.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        *,
        activation: str | None = None,
    ) -> None:
        self.eps, self.momentum, self.activation = eps, momentum, activation
        self.weight = Parameter(_zeros(num_features) + 1)
        self.bias = Parameter(_zeros(num_features))
        self.running_mean = Buffer(_zeros(num_features))
        self.running_var = Buffer(_zeros(num_features) + 1)
        self.num_batches_tracked = Buffer(np.zeros((), np.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (N, C, H, W); in training, move the running statistics."""
        if self.training:
            self.num_batches_tracked.data += 1
            self.num_batches_tracked.changed()
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
            self.activation,
        )


class ReLU(Module):
    """Set negative values to 0; see F.relu."""

    def forward(self, x: Tensor) -> Tensor:
        """Rectify x."""
        return F.relu(x)


class ReLU6(Module):
    """Clip to [0, 6]; see F.relu6."""

    def forward(self, x: Tensor) -> Tensor:
        """Clip x."""
        return F.relu6(x)


class MaxPool2d(Module):
    """Maximum of each window, with its indices if `return_indices`; see F.max_pool2d."""

    def __init__(
        self,
        kernel_size: IntOrPair,
        stride: IntOrPair | None = None,
        padding: IntOrPair = 0,
        dilation: IntOrPair = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation, self.return_indices, self.ceil_mode = dilation, return_indices, ceil_mode

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Pool x (N, C, H, W)."""
        return F.max_pool2d(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MaxUnpool2d(Module):
    """Put values back where a max-pooling took them from; see F.max_unpool2d."""

    def __init__(
        self, kernel_size: IntOrPair, stride: IntOrPair | None = None, padding: IntOrPair = 0
    ) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(
        self, x: Tensor, indices: Tensor, output_size: tuple[int, ...] | None = None
    ) -> Tensor:
        """Unpool x (N, C, H, W) with the indices of the pooling."""
        return F.max_unpool2d(x, indices, self.kernel_size, self.stride, self.padding, output_size)


class AvgPool2d(Module):
    """Mean of each window; see F.avg_pool2d."""

    def __init__(
        self,
        kernel_size: IntOrPair,
        stride: IntOrPair | None = None,
        padding: IntOrPair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        """Pool x (N, C, H, W)."""
        return F.avg_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )


class AdaptiveAvgPool2d(Module):
    """Means over a fixed number of windows; 1 is global average pooling. F.adaptive_avg_pool2d."""

    def __init__(self, output_size: int | tuple[int | None, int | None]) -> None:
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        """Pool x (N, C, H, W)."""
        return F.adaptive_avg_pool2d(x, self.output_size)


class Upsample(Module):
    """Resize by interpolation; see F.interpolate."""

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        scale_factor: float | tuple[float, float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        self.size, self.scale_factor = size, scale_factor
        self.mode, self.align_corners = mode, align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, x: Tensor) -> Tensor:
        """Resize x (N, C, H, W)."""
        return F.interpolate(
            x,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
        )


class Dropout(Module):
    """Set elements to 0 at random, in training only; see F.dropout."""

    def __init__(self, p: float = 0.5, *, generator: np.random.Generator) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"p must be between 0 and 1; got {p}")
        self.p, self.generator = p, generator

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of x."""
        return F.dropout(x, self.p, self.training, self.generator)


class Dropout2d(Dropout):
    """Set whole channels to 0 at random, in training only; see F.dropout2d."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop channels of x (N, C, H, W)."""
        return F.dropout2d(x, self.p, self.training, self.generator)


def _check_channels(in_channels: int, out_channels: int, groups: int) -> None:
    if groups < 1:
        raise ValueError(f"groups must be at least 1; got {groups}")
    for name, count in (("in_channels", in_channels), ("out_channels", out_channels)):
        if count < 1 or count % groups:
            raise ValueError(f"{name} must be a positive multiple of groups {groups}; got {count}")
