"""FCN-32s, FCN-16s and FCN-8s: one family, that differs in how many skips it adds up.

A VGG-style backbone halves the image five times. 1x1 convolutions turn features into class
scores: at the top (stride 32), and, for the skips, after pool4 (stride 16) and pool3 (stride 8).
Coarse scores are upsampled by transposed convolutions and added to finer ones; the last one
brings them back to the size of the image. Source: Long, Shelhamer and Darrell (2015), Fully
Convolutional Networks for Semantic Segmentation, figure 3.

It is smaller than the paper's network and, by default, uses BatchNorm. And nothing inside needs a
crop: all convolutions and transposed convolutions are padded so that scores stay aligned with the
image, which is padded at the bottom and right to a multiple of 32; only that is cut off at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from minifcn import nn
from minifcn.models.blocks import block, cropped, padded, score, stage
from minifcn.tensor import Tensor

STRIDES = (32, 16, 8)
MAX_WEIGHTS = 2**28
"""The most weights of a backbone and head, 1 GiB; the paper's network, on VGG-16, has half."""


class FCN(nn.Module):
    """FCN-32s, 16s or 8s: images (N, 3, H, W) in, class scores (N, num_classes, H, W) out.

    Args:
        num_classes: how many classes are scored.
        stride: 32, 16 or 8: the stride of the finest scores that are used.
        widths: channels of the five stages of the backbone.
        depths: 3x3 convolutions of each stage.
        head_width: channels of the two layers between pool5 and the scores (fc6, fc7).
        upsampling: 'bilinear' (fixed) or 'learned' (starts bilinear); the last transposed
            convolution is fixed in both, as in the paper.
        dropout: probability of dropout after fc6 and fc7.
        batch_norm: whether BatchNorm follows each convolution; otherwise the convolution has a
            bias, and applies the relu itself.
        generator: draws the initial weights, and later the dropout.

    Any image size works, 1x1 included: inside, it is padded at the bottom and right to a multiple
    of 32; the scores are cropped back.
    """

    def __init__(
        self,
        num_classes: int,
        stride: int = 8,
        *,
        widths: Sequence[int] = (12, 24, 48, 64, 64),
        depths: Sequence[int] = (1, 1, 2, 2, 1),
        head_width: int = 96,
        upsampling: str = "bilinear",
        dropout: float = 0.0,
        batch_norm: bool = True,
        generator: np.random.Generator,
    ) -> None:
        _check_settings(num_classes, stride, widths, depths, upsampling)
        _check_weights(widths, depths, head_width)
        self.stride = stride
        new_block = partial(block, batch_norm=batch_norm, generator=generator)
        self.stage1 = stage(3, widths[0], depths[0], new_block)
        self.stage2 = stage(widths[0], widths[1], depths[1], new_block)
        self.stage3 = stage(widths[1], widths[2], depths[2], new_block)
        self.stage4 = stage(widths[2], widths[3], depths[3], new_block)
        self.stage5 = stage(widths[3], widths[4], depths[4], new_block)
        self.fc6 = new_block(widths[4], head_width, 3)
        self.drop6 = nn.Dropout(dropout, generator=generator)
        self.fc7 = new_block(head_width, head_width, 1)
        self.drop7 = nn.Dropout(dropout, generator=generator)
        self.score_fr = score(head_width, num_classes, generator)
        learned = upsampling == "learned"
        if stride <= 16:
            self.upscore2 = _upsampling(num_classes, 2, learned)
            self.score_pool4 = score(widths[3], num_classes, generator)
        if stride == 8:
            self.upscore_pool4 = _upsampling(num_classes, 2, learned)
            self.score_pool3 = score(widths[2], num_classes, generator)
        self.upscore = _upsampling(num_classes, stride, learned=False)

    def forward(self, x: Tensor) -> Tensor:
        """Score each pixel of x (N, 3, H, W) for each class."""
        return cropped(self.upscore(self.coarse_scores(padded(x, 32))), x.shape)

    def coarse_scores(self, x: Tensor) -> Tensor:
        """Return the scores at this network's stride, before the last upsampling.

        x: (N, 3, H, W), H and W multiples of 32. Returns (N, num_classes, H / s, W / s).
        """
        return self.fuse(self.path_scores(x))

    def path_scores(self, x: Tensor) -> dict[str, Tensor]:
        """Return the scores that the 1x1 convolutions give: 'top', and those of the skips.

        x: (N, 3, H, W), H and W multiples of 32. Returns (N, num_classes, H / s, W / s), where s
        is 32 for 'top', 16 for 'pool4' and 8 for 'pool3'.
        """
        pool3 = self.stage3(self.stage2(self.stage1(x)))
        pool4 = self.stage4(pool3)
        fc7 = self.drop7(self.fc7(self.drop6(self.fc6(self.stage5(pool4)))))
        scores = {"top": self.score_fr(fc7)}
        if self.stride <= 16:
            scores["pool4"] = self.score_pool4(pool4)
        if self.stride == 8:
            scores["pool3"] = self.score_pool3(pool3)
        return scores

    def score_terms(self, x: Tensor) -> dict[str, Tensor]:
        """Return what each path adds to the score of each pixel; their sum is `forward`'s.

        All that follows the 1x1 convolutions is linear, so what a path adds is what comes out when
        the scores of the others are 0.

        x: (N, 3, H, W). Returns scores (N, num_classes, H, W) by path, as in `path_scores`.
        """
        scores = self.path_scores(padded(x, 32))
        terms = {}
        for path in scores:
            alone = {name: own if name == path else 0 * own for name, own in scores.items()}
            terms[path] = cropped(self.upscore(self.fuse(alone)), x.shape)
        return terms

    def fuse(self, paths: dict[str, Tensor]) -> Tensor:
        """Upsample coarse scores by 2 and add the next finer ones, down to this stride.

        paths: as `path_scores` returns them. Returns (N, num_classes, H / s, W / s).
        """
        scores = paths["top"]
        if self.stride <= 16:
            scores = self.upscore2(scores) + paths["pool4"]
        if self.stride == 8:
            scores = self.upscore_pool4(scores) + paths["pool3"]
        return scores


def _upsampling(channels: int, factor: int, learned: bool) -> nn.ConvTranspose2d:
    """Bilinear upsampling as a transposed convolution: k = 2f, s = f, p = f / 2, aligned."""
    layer = nn.ConvTranspose2d(channels, channels, 2 * factor, factor, factor // 2, bias=False)
    layer.weight.requires_grad = learned
    return layer


def _check_settings(
    num_classes: int, stride: int, widths: Sequence[int], depths: Sequence[int], upsampling: str
) -> None:
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1; got {num_classes}")
    if stride not in STRIDES:
        raise ValueError(f"stride must be 32, 16 or 8; got {stride}")
    for name, numbers, most in (("widths", widths, 2**16), ("depths", depths, 100)):
        if len(numbers) != 5 or min(numbers) < 1 or max(numbers) > most:
            raise ValueError(f"{name} must be five numbers from 1 to {most}; got {tuple(numbers)}")
    if upsampling not in ("bilinear", "learned"):
        raise ValueError(f"upsampling must be 'bilinear' or 'learned'; got {upsampling!r}")


def _check_weights(widths: Sequence[int], depths: Sequence[int], head_width: int) -> None:
    """Refuse a network that would not fit into memory, before any of it is made."""
    stages = zip((3, *widths), widths, depths, strict=False)
    weights = sum(9 * out * (into + (depth - 1) * out) for into, out, depth in stages)
    weights += head_width * (9 * widths[-1] + head_width)
    if weights > MAX_WEIGHTS:
        raise ValueError(
            f"widths, depths and head_width must make at most {MAX_WEIGHTS:,} weights;"
            f" got {weights:,}"
        )
