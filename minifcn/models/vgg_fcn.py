"""The networks that the paper published: FCN-32s, 16s and 8s on VGG16, layer by layer.

Here nothing is padded to stay aligned, as in `minifcn.models.FCN`: the first convolution pads by
100 pixels, so that even small images leave something for the 7x7 window of fc6, and the rest is
cropped away. By how much follows from where each layer's windows are centred (`crop_offset`).
Source: Long, Shelhamer and Darrell (2015), and their release (voc-fcn8s and its like).

Names and shapes of the weights are those of the public PyTorch port, pytorch-fcn, so its weights
load; VGG16's own come from torchvision's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from minifcn import functional as F
from minifcn import nn
from minifcn.backend import to_device
from minifcn.kernels.checks import whole_numbers
from minifcn.kernels.geometry import Window, crop_offset
from minifcn.models.blocks import check_images, score
from minifcn.tensor import Tensor
from minifcn.weights import check_keys, read_weights

PADDING = 100
"""Of the first convolution. With 97 or more, and ceil_mode, every image size works."""
DEPTHS = (2, 2, 3, 3, 3)
"""3x3 convolutions of VGG16's five stages."""
UPSAMPLING = {32: "upscore", 16: "upscore16", 8: "upscore8"}
"""The port's names of the last transposed convolution, by stride."""
AT_ONCE_SCALES = {"score_pool4": 0.01, "score_pool3": 0.0001}
"""What features are multiplied with before they are scored, when all is trained at once: see
Shelhamer, Long and Darrell (2017)."""


class VGGFCN(nn.Module):
    """FCN-32s, 16s or 8s on VGG16: images (N, 3, H, W) in, scores (N, num_classes, H, W) out.

    Args:
        num_classes: how many classes are scored; 21 on PASCAL VOC.
        stride: 32, 16 or 8: the stride of the finest scores that are used.
        at_once: scale pool4 by 0.01 and pool3 by 0.0001 before they are scored: the variant that
            is trained in one go instead of in three stages.
        widths: channels of VGG16's five stages.
        fc_width: channels of fc6 and fc7.
        dropout: probability of dropout after fc6 and fc7; of single elements as in the release
            (the port drops whole channels).
        generator: draws the initial weights, and later the dropout.

    Attributes:
        crops: how many pixels are cropped at the top and left of the scores of pool4 and of pool3,
            and of the upsampled scores: 19 for FCN-32s, 5 and 27 for 16s, 5, 9 and 31 for 8s.

    For VOC and without the transposed convolutions, FCN-32s has 134,346,581 parameters (0.54 GB);
    FCN-16s has 10,773 more, and FCN-8s another 5,397. Transposed convolutions are bilinear and
    fixed, and the layers that score start at 0, as in the release.
    """

    def __init__(
        self,
        num_classes: int = 21,
        stride: int = 8,
        at_once: bool = False,
        *,
        widths: Sequence[int] = (64, 128, 256, 512, 512),
        fc_width: int = 4096,
        dropout: float = 0.5,
        generator: np.random.Generator,
    ) -> None:
        if stride not in (32, 16, 8):
            raise ValueError(f"stride must be 32, 16 or 8; got {stride}")
        if len(widths) != len(DEPTHS) or not whole_numbers(widths) or min(widths) < 1:
            raise ValueError(f"widths must be five whole numbers, at least 1; got {tuple(widths)}")
        for name, number in (("num_classes", num_classes), ("fc_width", fc_width)):
            if not whole_numbers([number]) or number < 1:
                raise ValueError(f"{name} must be a whole number of at least 1; got {number}")
        self.stride, self.at_once = stride, at_once
        self.crops = crops(stride)
        into, padding = 3, PADDING
        for name, stage, _ in convolutions():
            out = widths[stage]
            layer = nn.Conv2d(into, out, 3, padding=padding, relu=True, generator=generator)
            setattr(self, name, layer)
            into, padding = out, 1
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.fc6 = nn.Conv2d(widths[4], fc_width, 7, relu=True, generator=generator)
        self.drop6 = nn.Dropout(dropout, generator=generator)
        self.fc7 = nn.Conv2d(fc_width, fc_width, 1, relu=True, generator=generator)
        self.drop7 = nn.Dropout(dropout, generator=generator)
        self.score_fr = score(fc_width, num_classes, generator)
        if stride <= 16:
            self.score_pool4 = score(widths[3], num_classes, generator)
            self.upscore2 = _upsampling(num_classes, 2)
        if stride == 8:
            self.score_pool3 = score(widths[2], num_classes, generator)
            self.upscore_pool4 = _upsampling(num_classes, 2)
        setattr(self, UPSAMPLING[stride], _upsampling(num_classes, stride))

    def forward(self, x: Tensor) -> Tensor:
        """Score each pixel of x (N, 3, H, W) for each class."""
        check_images(x)
        _, _, pool3, pool4, pool5 = self.features(x)
        top = self.drop7(self.fc7(self.drop6(self.fc6(pool5))))
        scores = self.score_fr(top)
        if self.stride <= 16:
            scores = self._add_skip(self.upscore2(scores), "score_pool4", pool4)
        if self.stride == 8:
            scores = self._add_skip(self.upscore_pool4(scores), "score_pool3", pool3)
        upsampled = getattr(self, UPSAMPLING[self.stride])(scores)
        return _crop(upsampled, self.crops["scores"], x.shape)

    def features(self, x: Tensor) -> list[Tensor]:
        """Return what the five poolings make of x: pool1 to pool5."""
        pools = []
        for stage, depth in enumerate(DEPTHS, 1):
            for i in range(1, depth + 1):
                x = getattr(self, f"conv{stage}_{i}")(x)
            x = self.pool(x)
            pools.append(x)
        return pools

    def _add_skip(self, coarse: Tensor, name: str, features: Tensor) -> Tensor:
        """Add the scores of finer features to upsampled coarse ones, where these are."""
        if self.at_once:
            features = features * AT_ONCE_SCALES[name]
        return coarse + _crop(getattr(self, name)(features), self.crops[name], coarse.shape)


def convolutions() -> Iterator[tuple[str, int, str]]:
    """VGG16's 13 convolutions: name, stage from 0 to 4, and name in torchvision.

    There, each is followed by a relu in one list, 'features', and each stage by a pooling.
    """
    place = 0
    for stage, depth in enumerate(DEPTHS):
        for i in range(depth):
            yield f"conv{stage + 1}_{i + 1}", stage, f"features.{place}"
            place += 2
        place += 1


def _upsampling(channels: int, factor: int) -> nn.ConvTranspose2d:
    """Upsample by a transposed convolution, k = 2f, s = f, p = 0: what sticks out is cropped."""
    layer = nn.ConvTranspose2d(channels, channels, 2 * factor, factor, bias=False)
    layer.weight.requires_grad = False
    return layer


# -- Geometry ------------------------------------------------------------------------------------


def crops(stride: int) -> dict[str, int]:
    """How far into each map the first pixel lies of what it is aligned with, by coordinate maps.

    The scores of pool4 and pool3 are aligned with the upsampled coarser scores, the upsampled
    final scores with the image.
    """
    scores, found = windows("score_fr"), {}
    doubled = Window(4, 2, transposed=True)
    for name, finer in (("score_pool4", 16), ("score_pool3", 8)):
        if stride <= finer:
            scores = [*scores, doubled]
            found[name] = crop_offset(windows(name), scores)
    last = Window(2 * stride, stride, transposed=True)
    return {**found, "scores": crop_offset([*scores, last])}


def windows(name: str) -> list[Window]:
    """Return the layers from the image to score_fr, score_pool4 or score_pool3, as geometry does.

    Scoring is 1x1 and changes nothing.
    """
    stages = {"score_pool3": 3, "score_pool4": 4, "score_fr": 5}[name]
    layers = []
    for depth in DEPTHS[:stages]:
        layers += [Window(3, padding=1)] * depth + [Window(2, 2)]
    layers[0] = Window(3, padding=PADDING)
    return [*layers, Window(7), Window(1)] if name == "score_fr" else layers


def _crop(x: Tensor, offset: int, shape: tuple[int, ...]) -> Tensor:
    """Cut a window of the last two sizes of `shape` out of x."""
    bottom, right = (n - offset - m for n, m in zip(x.shape[2:], shape[2:], strict=True))
    return F.pad(x, (-offset, -right, -offset, -bottom))


# -- Weights -------------------------------------------------------------------------------------


def load_fcn(model: VGGFCN, path: Path) -> None:
    """Load all weights of a network of pytorch-fcn: .safetensors, .npz, .pth or .pt.

    Raises:
        ValueError: the file cannot be read safely, or does not hold exactly this network's
            weights; nothing has changed then.
    """
    _load(model, path, read_weights(path), {name: name for name, _ in model.named_tensors()})


def load_backbone(model: VGGFCN, path: Path, fully_connected: bool = True) -> None:
    """Load the 13 convolutions of torchvision's VGG16, and its two hidden linear layers.

    A linear layer over 512 maps of 7x7 pixels is a 7x7 convolution: classifier.0 becomes fc6 and
    classifier.3 fc7, only written as another shape. This is how the paper makes a classifier
    fully convolutional (section 3.1).

    Args:
        model: the network to load into.
        path: a .safetensors, .npz, .pth or .pt file with torchvision's names.
        fully_connected: whether to load fc6 and fc7 too, where the file has them.

    Raises:
        ValueError: the file cannot be read safely, or is not VGG16's; nothing has changed then.
    """
    arrays = read_weights(path)
    wanted = {theirs: ours for ours, _, theirs in convolutions()}
    if fully_connected and any(name.startswith("classifier.") for name in arrays):
        wanted |= {"classifier.0": "fc6", "classifier.3": "fc7"}
    names = {
        f"{theirs}.{part}": f"{ours}.{part}"
        for theirs, ours in wanted.items()
        for part in ("weight", "bias")
    }
    used = {n: a for n, a in arrays.items() if n in names or not n.startswith("classifier.")}
    _load(model, path, used, names)


def _load(model: VGGFCN, path: Path, arrays: dict[str, np.ndarray], names: dict[str, str]) -> None:
    """Check arrays, and copy them into the model; `names` maps their names to the model's."""
    own = dict(model.named_tensors())
    try:
        check_keys(arrays, {name: _shape(name, own[names[name]]) for name in names})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    for name, array in arrays.items():
        tensor = own[names[name]]
        values = array.reshape(tensor.shape).astype(tensor.dtype, copy=False)
        tensor.data[...] = to_device(values, tensor.device)
        tensor.changed()


def _shape(name: str, tensor: Tensor) -> tuple[int, ...]:
    """The shape of a tensor as a file has it: a linear layer's weight is (F, C * KH * KW)."""
    if name.startswith("classifier.") and tensor.ndim == 4:
        return tensor.shape[0], math.prod(tensor.shape[1:])
    return tensor.shape
