"""FCN-32s, FCN-16s, FCN-8s and FCN-4s: one family, that differs in how many skips it adds up.

A backbone halves the image five times. 1x1 convolutions turn features into class scores: at the
top (stride 32), and, for the skips, at stride 16, 8 and 4: after pool4, pool3 and pool2 in VGG,
whose names they have. Coarse scores are upsampled by transposed convolutions and added to finer
ones; the last one brings them back to the size of the image. Source: Long, Shelhamer and Darrell
(2015), Fully Convolutional Networks for Semantic Segmentation, figure 3; stride 4 goes on as they
do.

Any backbone will do (models/backbone.py says what it must give): a small one in the style of VGG,
trained from scratch, or a classifier that has learnt from a million images. The head is the same:
it is smaller than the paper's and, by default, uses BatchNorm. And nothing inside needs a crop: all
convolutions and transposed convolutions are padded so that scores stay aligned with the image,
which is padded at the bottom and right to a multiple of 32; only that is cut off at the end.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from minifcn import nn
from minifcn.models.backbone import VGG, Backbone, check_weights
from minifcn.models.blocks import block, cropped, padded, score
from minifcn.tensor import Tensor

STRIDES = (32, 16, 8, 4)


class FCN(nn.Module):
    """FCN-32s, 16s, 8s or 4s: images (N, 3, H, W) in, scores (N, num_classes, H, W) out.

    Args:
        num_classes: how many classes are scored.
        stride: 32, 16, 8 or 4: the stride of the finest scores that are used.
        backbone: makes the features; a small VGG by default.
        head_width: channels of the two layers between the backbone and the scores (fc6, fc7).
        upsampling: 'bilinear' (fixed) or 'learned' (starts bilinear); the last transposed
            convolution is fixed in both, as in the paper.
        dropout: probability of dropout after fc6 and fc7.
        batch_norm: whether BatchNorm follows fc6 and fc7, and each convolution of the backbone by
            default; otherwise a convolution has a bias, and applies the relu itself.
        generator: draws the initial weights, and later the dropout.

    Any image size works, 1x1 included: inside, it is padded at the bottom and right to a multiple
    of 32; the scores are cropped back.
    """

    def __init__(
        self,
        num_classes: int,
        stride: int = 8,
        *,
        backbone: Backbone | None = None,
        head_width: int = 96,
        upsampling: str = "bilinear",
        dropout: float = 0.0,
        batch_norm: bool = True,
        generator: np.random.Generator,
    ) -> None:
        _check_settings(num_classes, stride, head_width, upsampling)
        backbone = backbone or VGG(batch_norm=batch_norm, generator=generator)
        widths = backbone.widths
        check_weights("head_width", head_width * (9 * widths[32] + head_width))
        self.stride, self.backbone = stride, backbone
        new_block = partial(block, batch_norm=batch_norm, generator=generator)
        self.fc6 = new_block(widths[32], head_width, 3)
        self.drop6 = nn.Dropout(dropout, generator=generator)
        self.fc7 = new_block(head_width, head_width, 1)
        self.drop7 = nn.Dropout(dropout, generator=generator)
        self.score_fr = score(head_width, num_classes, generator)
        learned = upsampling == "learned"
        if stride <= 16:
            self.upscore2 = _upsampling(num_classes, 2, learned)
            self.score_pool4 = score(widths[16], num_classes, generator)
        if stride <= 8:
            self.upscore_pool4 = _upsampling(num_classes, 2, learned)
            self.score_pool3 = score(widths[8], num_classes, generator)
        if stride <= 4:
            self.upscore_pool3 = _upsampling(num_classes, 2, learned)
            self.score_pool2 = score(widths[4], num_classes, generator)
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
        is 32 for 'top', 16 for 'pool4', 8 for 'pool3' and 4 for 'pool2'.
        """
        maps = self.backbone.feature_maps(x)
        scores = {"top": self.score_fr(self.top(maps[32]))}
        if self.stride <= 16:
            scores["pool4"] = self.score_pool4(maps[16])
        if self.stride <= 8:
            scores["pool3"] = self.score_pool3(maps[8])
        if self.stride <= 4:
            scores["pool2"] = self.score_pool2(maps[4])
        return scores

    def top(self, x: Tensor) -> Tensor:
        """Pass the coarsest features through the two layers before their scores."""
        return self.drop7(self.fc7(self.drop6(self.fc6(x))))

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
        if self.stride <= 8:
            scores = self.upscore_pool4(scores) + paths["pool3"]
        if self.stride <= 4:
            scores = self.upscore_pool3(scores) + paths["pool2"]
        return scores


def _upsampling(channels: int, factor: int, learned: bool) -> nn.ConvTranspose2d:
    """Bilinear upsampling as a transposed convolution: k = 2f, s = f, p = f / 2, aligned."""
    layer = nn.ConvTranspose2d(channels, channels, 2 * factor, factor, factor // 2, bias=False)
    layer.weight.requires_grad = learned
    return layer


def _check_settings(num_classes: int, stride: int, head_width: int, upsampling: str) -> None:
    for name, number in (("num_classes", num_classes), ("head_width", head_width)):
        if number < 1:
            raise ValueError(f"{name} must be at least 1; got {number}")
    if stride not in STRIDES:
        raise ValueError(f"stride must be 32, 16, 8 or 4; got {stride}")
    if upsampling not in ("bilinear", "learned"):
        raise ValueError(f"upsampling must be 'bilinear' or 'learned'; got {upsampling!r}")
