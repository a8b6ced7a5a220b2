"""A classifier of whole images, and the same network as a fully convolutional one.

A VGG-style backbone, the mean of each feature map over all positions (global average pooling),
and one linear layer: the classifier sees an image and says what is in it. A mean and a linear
layer can change places,

    logit_c = b_c + sum_k w_ck mean_ij f_kij = mean_ij (b_c + sum_k w_ck f_kij),

and what stands inside the last mean is a 1x1 convolution: a map of scores for each class, whose
mean is the classifier's logit. The identity fixes this mean and no more: how well the map says
where a class is has to be measured, as the experiment `classifier` does.

Sources: Zhou et al. (2016), Learning Deep Features for Discriminative Localization (class
activation mapping; without the bias there); Lin et al. (2014), Network In Network, section 3.2
(global average pooling); Long, Shelhamer and Darrell (2015), section 3.1 (classifiers cast into
fully convolutional networks).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from minifcn import functional as F
from minifcn import nn
from minifcn.models.blocks import block, cropped, padded, stage
from minifcn.tensor import Tensor


class Classifier(nn.Module):
    """Images (N, 3, H, W) in, one score per class (N, num_classes) out.

    Args:
        num_classes: how many classes are scored.
        widths: channels of the stages of the backbone; each stage halves the size.
        depths: 3x3 convolutions of each stage.
        head_width: channels of the two 3x3 convolutions after the last stage.
        batch_norm: whether BatchNorm follows each convolution, as in `FCN`.
        generator: draws the initial weights.

    The stride is 2 to the number of stages, by default 8: a 96x96 image has 12x12 cells, enough to
    see a place in their scores. At stride 32 it would have 3x3.

    Any image size works: inside, it is padded at the bottom and right to a multiple of the stride.

    Raises:
        ValueError: a number is below 1, or widths and depths differ in length.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        widths: Sequence[int] = (12, 24, 48),
        depths: Sequence[int] = (1, 1, 2),
        head_width: int = 64,
        batch_norm: bool = True,
        generator: np.random.Generator,
    ) -> None:
        _check(num_classes, widths, depths, head_width)
        self.stride = 2 ** len(widths)
        new_block = partial(block, batch_norm=batch_norm, generator=generator)
        inputs = (3, *widths[:-1])
        stages = [stage(*sizes, new_block) for sizes in zip(inputs, widths, depths, strict=True)]
        head = [new_block(widths[-1], head_width, 3), new_block(head_width, head_width, 3)]
        self.features = nn.Sequential(*stages, *head)
        self.classifier = nn.Linear(head_width, num_classes, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Score each image of x (N, 3, H, W) for each class."""
        return self.classifier(self.features(padded(x, self.stride)).mean((2, 3)))

    def fully_convolutional(self) -> ScoreMaps:
        """Return the same network with its linear layer as a 1x1 convolution."""
        return ScoreMaps(self)


class ScoreMaps(nn.Module):
    """A classifier as a fully convolutional network: a map of scores for each class.

    Images (N, 3, H, W) in, scores (N, num_classes, H / stride, W / stride) out, sizes rounded up.
    The mean of a map is the classifier's logit. The backbone is the classifier's own; the linear
    layer's weight (F, C) is copied into a convolution's (F, C, 1, 1). The bias is copied as it is:
    each cell adds it once, and the mean over the cells is the bias again.
    """

    def __init__(self, classifier: Classifier) -> None:
        linear = classifier.classifier
        num_classes, channels = linear.weight.shape
        self.stride, self.features = classifier.stride, classifier.features
        self.score = nn.Conv2d(channels, num_classes, 1, generator=_unused())
        self.score.to(linear.weight.device, linear.weight.dtype)
        own = linear.state_dict()
        self.score.load_state_dict(
            {"weight": own["weight"][:, :, np.newaxis, np.newaxis], "bias": own["bias"]}
        )
        self.training = classifier.training

    def forward(self, x: Tensor) -> Tensor:
        """Score each cell of x (N, 3, H, W) for each class."""
        return self.score(self.features(padded(x, self.stride)))

    def at_image_size(self, x: Tensor) -> Tensor:
        """Return the maps upsampled bilinearly to the pixels of x: (N, num_classes, H, W)."""
        maps = F.interpolate(self(x), scale_factor=self.stride, mode="bilinear")
        return cropped(maps, x.shape)


def _unused() -> np.random.Generator:
    """Return a generator for initial weights that are replaced at once."""
    return np.random.default_rng(0)


def _check(num_classes: int, widths: Sequence[int], depths: Sequence[int], head_width: int) -> None:
    for name, number in (("num_classes", num_classes), ("head_width", head_width)):
        if number < 1:
            raise ValueError(f"{name} must be at least 1; got {number}")
    if not 1 <= len(widths) <= 8 or len(widths) != len(depths) or min(*widths, *depths) < 1:
        raise ValueError(
            "widths and depths must be as many positive numbers each, 1 to 8;"
            f" got {tuple(widths)} and {tuple(depths)}"
        )
