"""SegNet: an encoder that remembers where its maxima were, and a decoder that puts them back.

Each stage of the encoder ends with a 2 x 2 max-pooling, which keeps its indices ("switches"). Each
stage of the decoder unpools with the switches of its partner, which costs no parameters, and fills
the gaps between the values with a convolution. Source: Badrinarayanan, Kendall and Cipolla (2017),
SegNet: A Deep Convolutional Encoder-Decoder Architecture, section 3.

It is smaller than the paper's network, which takes VGG-16's thirteen convolutions as its encoder
and mirrors them: here the decoder has one convolution a stage, like SegNet-Basic, with which the
paper compares variants of decoders. (That one, as the paper describes it, has no relu in its
decoder; here one follows every convolution.) And unpooling is one of eight ways to double the size
(see decoders.py), so that they can be compared behind one encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from minifcn import functional as F
from minifcn import nn
from minifcn.models.blocks import block, cropped, padded
from minifcn.models.decoders import DecoderStage
from minifcn.tensor import Tensor

MAX_STAGES = 8
"""After so many poolings, 256 pixels are one."""


class EncoderDecoder(nn.Module):
    """Halve the size in stages, then double it: images (N, 3, H, W) in, class scores out.

    Args:
        num_classes: how many classes are scored.
        decoder: how the size is doubled: one of `decoders.DECODERS`.
        widths: channels of the encoder's stages. The decoder has them in reverse: its last stage
            keeps widths[0].
        depths: 3x3 convolutions of each stage of the encoder.
        generator: draws the initial weights, those of the encoder first: decoders that start from
            equal generators have equal encoders.

    Any image size works, 1x1 included: inside, it is padded at the bottom and right to a multiple
    of 2^stages; the scores (N, num_classes, H, W) are cropped back.

    Raises:
        ValueError: a setting is out of range, or the decoder cannot change the number of channels.
    """

    def __init__(
        self,
        num_classes: int,
        decoder: str,
        *,
        widths: Sequence[int] = (32, 32, 32),
        depths: Sequence[int] = (1, 2, 3),
        generator: np.random.Generator,
    ) -> None:
        _check_settings(num_classes, widths, depths)
        into = (3, *widths)
        self.encoder = nn.Sequential(
            *(_convolutions(*stage, generator) for stage in zip(into, widths, depths, strict=False))
        )
        out = (widths[0], *widths)
        self.decoder = nn.Sequential(
            *(
                DecoderStage(decoder, widths[i], out[i], generator)
                for i in reversed(range(len(widths)))
            )
        )
        self.score = nn.Conv2d(widths[0], num_classes, 1, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Score each pixel of x (N, 3, H, W) for each class."""
        features, switches = self.encode(padded(x, 2 ** len(self.encoder)))
        return cropped(self.score(self.decode(features, switches)), x.shape)

    def encode(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the features at the highest stride, and the switches of every pooling, in order.

        x: (N, 3, H, W), H and W multiples of 2^stages = s. Features: (N, widths[-1], H/s, W/s).
        """
        switches = []
        for stage in self.encoder:
            pooled = F.max_pool2d(stage(x), 2, return_indices=True)
            assert isinstance(pooled, tuple)  # for mypy
            x, indices = pooled
            switches.append(indices)
        return x, switches

    def decode(self, x: Tensor, switches: Sequence[Tensor]) -> Tensor:
        """Bring features back to the size of the image: (N, widths[0], H, W)."""
        for stage, indices in zip(self.decoder, reversed(switches), strict=True):
            x = stage(x, indices)
        return x


class SegNet(EncoderDecoder):
    """A small SegNet: the encoder-decoder that unpools with stored switches."""

    def __init__(
        self,
        num_classes: int,
        *,
        widths: Sequence[int] = (32, 32, 32),
        depths: Sequence[int] = (1, 2, 3),
        generator: np.random.Generator,
    ) -> None:
        super().__init__(
            num_classes, "unpooling", widths=widths, depths=depths, generator=generator
        )


def _convolutions(
    in_channels: int, out_channels: int, depth: int, generator: np.random.Generator
) -> nn.Sequential:
    """Convolve, normalise and rectify, `depth` times."""
    channels = (in_channels, *[out_channels] * depth)
    return nn.Sequential(*(block(*pair, 3, True, generator) for pair in pairwise(channels)))


def _check_settings(num_classes: int, widths: Sequence[int], depths: Sequence[int]) -> None:
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1; got {num_classes}")
    if not 1 <= len(widths) <= MAX_STAGES or min(widths) < 1:
        raise ValueError(
            f"widths must be 1 to {MAX_STAGES} numbers of at least 1; got {tuple(widths)}"
        )
    if len(depths) != len(widths) or min(depths) < 1:
        raise ValueError(
            f"depths must be {len(widths)} numbers of at least 1, as widths; got {tuple(depths)}"
        )
