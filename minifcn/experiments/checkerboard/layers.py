"""Layers that upsample, and layers whose gradient does: what they make of simple images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from minifcn import Tensor, tensor
from minifcn import functional as F
from minifcn.nn.init import bilinear_kernel

CHANNELS = 8


class Upsampling(NamedTuple):
    """A way to make an image s times as large: a transposed convolution, or resize and convolve.

    mode: 'transposed', or the resizing, 'nearest' or 'bilinear', that a convolution follows; that
    has an odd kernel.
    """

    mode: str
    kernel: int
    stride: int = 2

    @property
    def name(self) -> str:
        """In words."""
        if self.mode == "transposed":
            return f"transposed k={self.kernel} s={self.stride}"
        return f"{self.mode} x{self.stride}, conv k={self.kernel}"

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        """Upsample x (N, C, H, W) to (N, F, sH, sW) with the kernels of weight (F, C, k, k).

        The padding of the transposed convolution is (k - s) / 2, rounded up where that is odd;
        the resized image is padded by repeating its border before it is convolved.
        """
        if self.mode != "transposed":
            resized = F.interpolate(x, scale_factor=self.stride, mode=self.mode)
            border = (self.kernel // 2,) * 4
            return F.conv2d(F.pad(resized, border, mode="replicate"), weight)
        beyond = self.kernel - self.stride
        padding = max(0, (beyond + 1) // 2)
        weight = weight.transpose(0, 1)
        return F.conv_transpose2d(
            x, weight, stride=self.stride, padding=padding, output_padding=2 * padding - beyond
        )


Kernel = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
"""Gives weights (F, C, k, k) of a shape."""

KERNELS: dict[str, Kernel] = {
    "ones": lambda generator, shape: np.ones(shape),
    "positive": lambda generator, shape: generator.random(shape),
    "Gaussian": lambda generator, shape: generator.standard_normal(shape),
}
"""Kinds of kernels: all ones; uniform from 0 to 1; normal with mean 0."""

MIDDLE_ROWS = {"0, 1, 0": (0.0, 1.0, 0.0), "-1, 1, 0": (-1.0, 1.0, 0.0)}
"""Of 3x3 kernels with zeros around: one that keeps the image, and one that subtracts from each
pixel its neighbour on the left."""


def upsample(
    x: np.ndarray, layers: Sequence[Upsampling], kernel: Kernel, generator: np.random.Generator
) -> np.ndarray:
    """Upsample x (N, C, H, W) by layers of CHANNELS channels, with ReLUs between them.

    The last layer has as many channels as x. The weights are divided by the power of two that is
    nearest to their number C k k, so that values neither grow nor vanish. That is exact, and
    changes no share and no coefficient of variation.
    """
    y, channels = tensor(x), x.shape[1]
    for n, layer in enumerate(layers):
        into = CHANNELS if n + 1 < len(layers) else channels
        weight = kernel(generator, (into, y.shape[1], layer.kernel, layer.kernel))
        weight /= 2.0 ** round(math.log2(weight[0].size))
        y = layer(F.relu(y) if n else y, tensor(weight))
    return y.numpy()


def convolve_resized(x: np.ndarray, mode: str, middle_row: Sequence[float]) -> np.ndarray:
    """Make an image (H, W) twice as large, then convolve with a kernel of one row: (2H, 2W)."""
    weight = np.zeros((1, 1, 3, 3))
    weight[0, 0, 1] = middle_row
    return Upsampling(mode, 3)(tensor(x[None, None]), tensor(weight)).numpy()[0, 0]


def overlap_map(kernel: int, stride: int, cells: int = 4) -> np.ndarray:
    """Count the windows over each output pixel by letting a layer stamp ones, without padding."""
    return _stamp(np.ones((cells, cells)), np.ones((kernel, kernel)), stride)


def overlap_line(kernel: int, stride: int, cells: int = 6) -> np.ndarray:
    """Count the same along one axis, where a layer has kernels of one row."""
    return _stamp(np.ones((1, cells)), np.ones((1, kernel)), stride)[0]


def bilinear_map(kernel: int, stride: int, cells: int = 6) -> np.ndarray:
    """Stamp an image of ones with the bilinear kernel, without padding."""
    return _stamp(np.ones((cells, cells)), bilinear_kernel(kernel), stride)


def _stamp(image: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    x, weight = tensor(image[None, None]), tensor(kernel[None, None])
    return F.conv_transpose2d(x, weight, stride=stride).numpy()[0, 0]


# -- Gradients of what makes an image smaller ----------------------------------------------------


class Downsampling(NamedTuple):
    """A strided convolution, an average or a maximum of windows: 'conv', 'average' or 'max'."""

    kind: str
    kernel: int
    stride: int

    @property
    def name(self) -> str:
        """In words."""
        words = {"conv": "convolution", "average": "average pooling", "max": "max-pooling"}
        return f"{words[self.kind]} k={self.kernel} s={self.stride}"

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        """Apply it to x (N, C, H, W), without padding; weight (F, C, k, k) is a convolution's."""
        if self.kind == "conv":
            return F.conv2d(x, weight, stride=self.stride)
        if self.kind == "average":
            return F.avg_pool2d(x, self.kernel, self.stride)
        maxima = F.max_pool2d(x, self.kernel, self.stride)
        assert isinstance(maxima, Tensor)  # no indices were asked for
        return maxima


def input_gradient(
    layer: Downsampling, x: np.ndarray, kernel: Kernel, generator: np.random.Generator
) -> np.ndarray:
    """Gradient of the sum of a layer's outputs, which sends 1 back from every output.

    x: (N, C, H, W). Returns the same shape; a convolution has C outputs.
    """
    image = tensor(x, requires_grad=True)
    weight = kernel(generator, (x.shape[1], x.shape[1], layer.kernel, layer.kernel))
    layer(image, tensor(weight)).sum().backward()
    assert image.grad is not None
    return image.grad.numpy()


# -- Images --------------------------------------------------------------------------------------


def noise(generator: np.random.Generator, size: int, channels: int = CHANNELS) -> np.ndarray:
    """Normal noise of mean 0 and variance 1: (1, C, size, size)."""
    return generator.standard_normal((1, channels, size, size))


def features(generator: np.random.Generator, size: int) -> np.ndarray:
    """The same after a ReLU, as a layer's features are: (1, CHANNELS, size, size)."""
    return F.relu(tensor(noise(generator, size))).numpy()


def ramp(size: int) -> np.ndarray:
    """Brighter by 1 from column to column: (1, 1, size, size), values 0 to size - 1."""
    return np.broadcast_to(np.arange(float(size)), (1, 1, size, size)).copy()


def disc(size: int) -> np.ndarray:
    """A bright disc with a smooth edge on a grey ground: (1, 1, size, size), values 0.3 to 1."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    inside = 1 / (1 + np.exp((np.hypot(y, x) - 0.25 * size) / (0.04 * size)))
    return (0.3 + 0.7 * inside)[None, None]
