"""EfficientNet-Lite0: a classifier with global average pooling, and its linear layer made a map.

A stem and 16 inverted bottlenecks halve the image five times. Each bottleneck widens its input
with a 1x1 convolution, filters every channel by itself (a depthwise convolution: as many groups as
channels), and narrows the result with another 1x1 convolution. The features (N, 1280, h, w) are
averaged over the image, and a linear layer makes the class scores.

Averaging and the linear layer may change places: the same weights, as a 1x1 convolution, score
each cell, and the mean of these scores is what the classifier says. So a classifier that was never
shown where anything is has a map of each class. Sources: Sandler et al. (2018), MobileNetV2, for
the bottleneck; Tan and Le (2019), EfficientNet, table 1, and the Lite variant released with it,
which has no squeeze-and-excitation and uses ReLU6; Zhou et al. (2016), Learning Deep Features for
Discriminative Localization, for the map; Long et al. (2015), section 3.1, for the 1x1 convolution.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from minifcn import functional as F
from minifcn import nn
from minifcn.data.transforms import Normalisation
from minifcn.kernels.checks import pair
from minifcn.kernels.geometry import CoordinateMap, Window, coordinate_map
from minifcn.models.backbone import Backbone
from minifcn.models.blocks import check_images
from minifcn.tensor import Tensor

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""How many bottlenecks, their kernel size, the stride of the first, expansion and channels."""

STEM, HEAD = 32, 1280
"""The channels of the first convolution and of the features."""

EPSILON, MOMENTUM = 1e-3, 0.01
"""Of all BatchNorms; PyTorch's own defaults are 1e-5 and 0.1."""

LAST = {2: 4, 4: 8, 10: 16, 15: 32}
"""The last bottlenecks of a stride, by their numbers: what an FCN's skips read."""

AROUND_ZERO = Normalisation(scale=1, mean=(127, 127, 127), std=(128, 128, 128))
"""(RGB - 127) / 128, in about [-1, 1]."""

LEAN = Fraction(31, 2)
"""How many pixels before the centre of its windows the things lie that a trained cell tells of.

The network was trained on 224x224 pixels, and on mirrored copies. SAME pads an even axis more
behind than before, so each of the five halvings has its windows half a pixel late: 1/2 (1 + 2 + 4
+ 8 + 16) pixels of the image. To treat an image and its mirror image alike, the kernels had to
learn to lean the other way (a test measures it on photographs).
At other sizes, the padding differs, and the lean is the same.
"""


class EfficientNetLite0Backbone(Backbone):
    """The stem and the 16 bottlenecks: images (N, 3, H, W), (RGB - 127) / 128, in; features out.

    Where H and W are multiples of 32, the windows of stride s are centred (s - 1) / 2 pixels behind
    the middles of their cells. But from stride 8 on the trained kernels lean by about as much to
    the other side (see LEAN): at each stride, what a cell tells of is within 1.5 pixels of its
    middle, as it should be in an FCN (a test measures it on photographs and their mirror images).

    Args:
        generator: draws the initial weights.
    """

    normalisation = AROUND_ZERO

    def __init__(self, *, generator: np.random.Generator) -> None:
        self.conv_stem = SameConv2d(3, STEM, 3, 2, bias=False, generator=generator)
        self.bn0 = nn.BatchNorm2d(STEM, EPSILON, MOMENTUM, activation="relu6")
        self.blocks = nn.Sequential(*_bottlenecks(generator))
        self.widths = {
            stride: self.blocks[number].project_conv.weight.shape[0]
            for number, stride in LAST.items()
        }

    def feature_maps(self, x: Tensor) -> dict[int, Tensor]:
        """Return the features of x (N, 3, H, W) by stride: 24, 40, 112 and 320 channels."""
        x, maps = self.bn0(self.conv_stem(x)), {}
        for number, bottleneck in enumerate(self.blocks):
            x = bottleneck(x)
            if number in LAST:
                maps[LAST[number]] = x
        return maps


class EfficientNetLite0(EfficientNetLite0Backbone):
    """Images (N, 3, H, W), (RGB - 127) / 128, in; class scores (N, num_classes) out.

    The names of its state are those of the PyTorch weights without their leading underscores.
    Dropout before the linear layer, which acts in training only, is left out.

    Args:
        num_classes: how many classes are scored.
        generator: draws the initial weights.

    Any image size works, 1x1 included; h and w are H / 32 and W / 32, rounded up.
    """

    def __init__(self, num_classes: int = 1000, *, generator: np.random.Generator) -> None:
        super().__init__(generator=generator)
        self.conv_head = nn.Conv2d(STAGES[-1][-1], HEAD, 1, bias=False, generator=generator)
        self.bn1 = nn.BatchNorm2d(HEAD, EPSILON, MOMENTUM, activation="relu6")
        self.fc = nn.Linear(HEAD, num_classes, generator=generator)

    def features(self, x: Tensor) -> Tensor:
        """Return the features (N, 1280, h, w) of x (N, 3, H, W)."""
        check_images(x)
        return self.bn1(self.conv_head(self.feature_maps(x)[32]))

    def classify(self, features: Tensor) -> Tensor:
        """Average the features (N, 1280, h, w) over the image; score that: (N, num_classes)."""
        return self.fc(F.adaptive_avg_pool2d(features, 1).reshape((-1, HEAD)))

    def score_map(self, features: Tensor) -> Tensor:
        """Score every cell with the linear layer as a 1x1 convolution: (N, num_classes, h, w).

        Its mean over the cells is what `classify` returns, the bias included.
        """
        return F.conv2d(features, self.fc.weight.reshape((-1, HEAD, 1, 1)), self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Score the images x (N, 3, H, W) for each class."""
        return self.classify(self.features(x))

    def windows(self, size: int) -> list[Window]:
        """Return the windows along an axis of `size` pixels, from the image to a cell.

        Padding depends on the size, and so does where a window lies in the image.
        """
        found = []
        blocks = [block for block in self.blocks if isinstance(block, Bottleneck)]
        for layer in (self.conv_stem, *(block.depthwise_conv for block in blocks)):
            kernel, stride = layer.weight.shape[2], pair(layer.stride, "stride")[0]
            found.append(Window(kernel, stride, same_padding(size, kernel, stride)[0]))
            size = -(-size // stride)
        return found

    def to_cells(self, size: int) -> CoordinateMap:
        """Map pixels of an axis of `size` pixels to the cells that are about them (see LEAN)."""
        return CoordinateMap(offset=LEAN).then(coordinate_map(self.windows(size)))


class Bottleneck(nn.Module):
    """An inverted bottleneck: widen, filter each channel by itself, narrow.

    The input is added to the output where both have the same shape.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        expansion: int,
        *,
        generator: np.random.Generator,
    ) -> None:
        inside = in_channels * expansion
        self.expands = expansion > 1
        self.adds = stride == 1 and in_channels == out_channels
        if self.expands:
            self.expand_conv = nn.Conv2d(in_channels, inside, 1, bias=False, generator=generator)
            self.bn0 = nn.BatchNorm2d(inside, EPSILON, MOMENTUM, activation="relu6")
        self.depthwise_conv = SameConv2d(
            inside, inside, kernel_size, stride, groups=inside, bias=False, generator=generator
        )
        self.bn1 = nn.BatchNorm2d(inside, EPSILON, MOMENTUM, activation="relu6")
        self.project_conv = nn.Conv2d(inside, out_channels, 1, bias=False, generator=generator)
        self.bn2 = nn.BatchNorm2d(out_channels, EPSILON, MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        """Transform x (N, C, H, W)."""
        wide = self.bn0(self.expand_conv(x)) if self.expands else x
        filtered = self.bn1(self.depthwise_conv(wide))
        narrow = self.bn2(self.project_conv(filtered))
        return x + narrow if self.adds else narrow


def _bottlenecks(generator: np.random.Generator) -> Iterator[Bottleneck]:
    channels = STEM
    for count, kernel, first_stride, expansion, width in STAGES:
        for i in range(count):
            stride = first_stride if i == 0 else 1
            yield Bottleneck(channels, width, kernel, stride, expansion, generator=generator)
            channels = width


class SameConv2d(nn.Conv2d):
    """A convolution with the padding that TensorFlow calls SAME; see `same_padding`."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (N, C, H, W); the output has H / stride rows, rounded up."""
        (top, bottom), (left, right) = (
            same_padding(*axis)
            for axis in zip(
                x.shape[2:], self.weight.shape[2:], pair(self.stride, "stride"), strict=True
            )
        )
        more = (0, right - left, 0, bottom - top)
        return F.conv2d(
            F.pad(x, more) if any(more) else x,
            self.weight,
            self.bias,
            self.stride,
            (top, left),
            self.dilation,
            self.groups,
        )


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how much to pad before and after an axis for an output of ceil(size / stride).

    (ceil(size / stride) - 1) * stride + kernel - size in all, or 0 if that is negative; of an odd
    number the larger half goes after. With stride 2 an even axis is padded unequally, an odd one
    equally. Source: TensorFlow, tf.nn, "padding".
    """
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2
