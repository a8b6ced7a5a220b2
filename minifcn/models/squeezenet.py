"""SqueezeNet 1.1: a classifier that ends in a map of each class, and averages it.

Eight fire modules squeeze the channels with a 1x1 convolution and expand them again with 1x1 and
3x3 convolutions side by side; three poolings and the first convolution halve the image. The last
layer is a 1x1 convolution already: its output, rectified, is a map of each class, and the mean of
a map is the class's score. Source: Iandola et al. (2016), SqueezeNet, section 3, and release 1.1.
"""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn import nn
from minifcn.data.transforms import Normalisation
from minifcn.kernels.geometry import CoordinateMap, Window, coordinate_map
from minifcn.models.backbone import Backbone
from minifcn.tensor import Tensor

FIRES = {
    2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128),
    6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256),
}  # fmt: skip
"""The fire modules by their number: channels after squeezing, and of each half after expanding."""

POOLED = (1, 3, 5)
"""After the first convolution and these two fire modules, a max-pooling halves the image."""

LAST = {3: 4, 5: 8, 9: 16}
"""The last fire modules of a stride, by their numbers: what an FCN's skips read."""

WITHOUT_MEAN_COLOUR = Normalisation(scale=1, mean=(104, 117, 123), std=(1, 1, 1), order="BGR")
"""BGR - (104, 117, 123): what networks trained with Caffe read, the mean colour taken out."""

SMALLEST = 17
"""An image of fewer rows or columns leaves nothing to the last pooling, as nothing is padded."""


class SqueezeNetBackbone(Backbone):
    """All below the last layer: images (N, 3, H, W), BGR - (104, 117, 123), in; features out.

    Nothing is padded in the classifier. Here the image gets a row above and a column to the left,
    so that a multiple of 32 makes whole cells. The windows of stride s are centred s / 2 - 1.5
    pixels behind the middles of their cells then, but the trained kernels lean to the other side,
    as those of EfficientNet-Lite do: what a cell tells of is within a quarter of a cell of its
    middle, at each stride (a test measures it on photographs and their mirror images). The
    features of stride 32 are those of 16, pooled.

    Args:
        generator: draws the initial weights.
    """

    normalisation = WITHOUT_MEAN_COLOUR

    def __init__(self, *, generator: np.random.Generator) -> None:
        self.conv1 = nn.Conv2d(3, 64, 3, 2, relu=True, generator=generator)
        channels = 64
        for number, (squeezed, half) in FIRES.items():
            setattr(self, f"fire{number}", Fire(channels, squeezed, half, generator=generator))
            channels = 2 * half
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.pool32 = nn.MaxPool2d(2)
        maps = {stride: 2 * FIRES[number][1] for number, stride in LAST.items()}
        self.widths = {**maps, 32: maps[16]}

    def feature_maps(self, x: Tensor) -> dict[int, Tensor]:
        """Return the features of x (N, 3, H, W) by stride: 128, 256, 512 and 512 channels."""
        maps = self._levels(F.pad(x, (1, 0, 1, 0)))
        return {**maps, 32: self.pool32(maps[16])}

    def _levels(self, x: Tensor) -> dict[int, Tensor]:
        """Return the output of the last fire modules of strides 4, 8 and 16."""
        x, maps = self.pool(self.conv1(x)), {}
        for number in FIRES:
            x = getattr(self, f"fire{number}")(x)
            if number in LAST:
                maps[LAST[number]] = x
            x = self.pool(x) if number in POOLED else x
        return maps


class SqueezeNet(SqueezeNetBackbone):
    """Images (N, 3, H, W), BGR - (104, 117, 123), in; class scores (N, num_classes) out.

    Dropout before the last layer, which acts in training only, is left out.

    Args:
        num_classes: how many classes are scored.
        generator: draws the initial weights.

    Any image of at least 17x17 pixels works; h and w are about H / 16 and W / 16.
    """

    def __init__(self, num_classes: int = 1000, *, generator: np.random.Generator) -> None:
        super().__init__(generator=generator)
        self.conv10 = nn.Conv2d(self.widths[16], num_classes, 1, relu=True, generator=generator)

    def features(self, x: Tensor) -> Tensor:
        """Return the features (N, 512, h, w) of x (N, 3, H, W)."""
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < SMALLEST:
            raise ValueError(
                f"images must be (N, 3, H, W) with H and W at least {SMALLEST}; got shape {x.shape}"
            )
        return self._levels(x)[16]

    def score_map(self, features: Tensor) -> Tensor:
        """Score every cell of the features (N, 512, h, w), at least 0: (N, num_classes, h, w)."""
        return self.conv10(features)

    def classify(self, features: Tensor) -> Tensor:
        """Average the score maps of the features (N, 512, h, w): (N, num_classes)."""
        return F.adaptive_avg_pool2d(self.score_map(features), 1).reshape((features.shape[0], -1))

    def forward(self, x: Tensor) -> Tensor:
        """Score the images x (N, 3, H, W) for each class."""
        return self.classify(self.features(x))

    def windows(self, size: int) -> list[Window]:
        """Return the windows along an axis, of any size, from the image to a cell."""
        halving, expanding = Window(3, 2), Window(3, 1, 1)
        layers = [halving]
        for number in (1, *FIRES):
            layers += [expanding] * (number in FIRES) + [halving] * (number in POOLED)
        return layers

    def to_cells(self, size: int) -> CoordinateMap:
        """Map pixels of an axis of `size` pixels to cells, centre to centre of the windows."""
        return coordinate_map(self.windows(size))


class Fire(nn.Module):
    """Squeeze the channels of x with a 1x1 convolution; expand with 1x1 and 3x3 side by side."""

    def __init__(
        self, in_channels: int, squeezed: int, half: int, *, generator: np.random.Generator
    ) -> None:
        self.squeeze1x1 = nn.Conv2d(in_channels, squeezed, 1, relu=True, generator=generator)
        self.expand1x1 = nn.Conv2d(squeezed, half, 1, relu=True, generator=generator)
        self.expand3x3 = nn.Conv2d(squeezed, half, 3, padding=1, relu=True, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 2 half, H, W) of x (N, C, H, W)."""
        x = self.squeeze1x1(x)
        return F.cat([self.expand1x1(x), self.expand3x3(x)], 1)
