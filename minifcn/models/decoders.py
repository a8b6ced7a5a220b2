"""Eight ways to double the size of a feature map: the stages that a decoder is made of.

All but the first learn one kernel a stage, and differ only in how a value reaches the finer grid:

- bilinear: interpolation with fixed weights; nothing is learned, as in the last layer of an FCN.
- transposed_k4_bilinear, transposed_k4: a transposed convolution with k = 4, s = 2; as s divides
  k, every pixel sums over as many windows (2 x 2). It starts as bilinear upsampling, or at random.
- transposed_k3: with k = 3, s = 2, so that pixels sum over 1, 2 or 4 windows: a checkerboard that
  the weights have to undo (Odena, Dumoulin and Olah 2016, "Deconvolution and Checkerboard
  Artifacts").
- nearest_convolution, bilinear_convolution: resize, then convolve (what that article recommends; it
  keeps constants even, and can learn patterns all the same).
- unpooling: values go back to where the encoder's pooling took them from, its "switches", zeros
  elsewhere; then a convolution (Badrinarayanan et al. 2017, SegNet, section 3).
- bed_of_nails: the same without switches, values go to the upper left pixel of each 2 x 2. With
  the convolution behind it, this is transposed_k3 written differently: zeros between the pixels
  and a 3 x 3 convolution are a transposed convolution, the kernel turned by 180 degrees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minifcn import functional as F
from minifcn import nn
from minifcn.backend import library
from minifcn.tensor import Tensor

Enlarge = Callable[[Tensor, Tensor], Tensor]
MakeLayer = Callable[[int, int, np.random.Generator], nn.Module]


class Decoder(NamedTuple):
    """A way to double the size: `enlarge(x, switches)`, and then a layer that learns."""

    enlarge: Enlarge
    layer: MakeLayer | None


class DecoderStage(nn.Module):
    """Double the size of features: (N, C, H, W) in, (N, out_channels, 2H, 2W) out.

    What is learned is followed by BatchNorm and relu. 'bilinear' learns nothing, and is nothing but
    the interpolation; it keeps the number of channels.

    Args:
        decoder: one of DECODERS.
        in_channels: C; 'unpooling' needs as many as the pooling had.
        out_channels: equal to in_channels for 'bilinear' and 'transposed_k4_bilinear'.
        generator: draws the initial weights.

    Raises:
        ValueError: there is no such decoder, or it cannot change the number of channels.
    """

    def __init__(
        self, decoder: str, in_channels: int, out_channels: int, generator: np.random.Generator
    ) -> None:
        if decoder not in DECODERS:
            raise ValueError(f"decoder must be one of {', '.join(DECODERS)}; got {decoder!r}")
        if decoder in KEEP_CHANNELS and in_channels != out_channels:
            raise ValueError(
                f"widths must be equal for decoder {decoder!r}; got {in_channels} and"
                f" {out_channels}"
            )
        self.decoder = decoder
        make_layer = DECODERS[decoder].layer
        if make_layer is not None:
            layer = make_layer(in_channels, out_channels, generator)
            self.learned = nn.Sequential(layer, nn.BatchNorm2d(out_channels, activation="relu"))

    def forward(self, x: Tensor, switches: Tensor) -> Tensor:
        """Double the size of x; switches: the indices (N, C, H, W) that max_pool2d returned."""
        x = DECODERS[self.decoder].enlarge(x, switches)
        return x if DECODERS[self.decoder].layer is None else self.learned(x)


def corners(x: Tensor) -> Tensor:
    """Return switches that all point to the upper left pixel of their 2 x 2 window.

    x: (N, C, H, W). Returns indices of that shape: 2h * 2W + 2w in the (2H, 2W) plane.
    """
    height, width = x.shape[2:]
    xp = library(x.data)
    rows, columns = 2 * xp.arange(height)[:, None], 2 * xp.arange(width)
    return Tensor(xp.broadcast_to(2 * width * rows + columns, x.shape).copy())


def _keep(x: Tensor, switches: Tensor) -> Tensor:
    """A transposed convolution enlarges by itself."""
    return x


def _nearest(x: Tensor, switches: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2)


def _bilinear(x: Tensor, switches: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear")


def _unpool(x: Tensor, switches: Tensor) -> Tensor:
    return F.max_unpool2d(x, switches, 2)


def _nails(x: Tensor, switches: Tensor) -> Tensor:
    return F.max_unpool2d(x, corners(x), 2)


def _convolution(into: int, out: int, generator: np.random.Generator) -> nn.Module:
    return nn.Conv2d(into, out, 3, padding=1, bias=False, generator=generator)


def _transposed_k4(into: int, out: int, generator: np.random.Generator) -> nn.Module:
    return nn.ConvTranspose2d(into, out, 4, 2, 1, bias=False, generator=generator)


def _transposed_k4_bilinear(into: int, out: int, generator: np.random.Generator) -> nn.Module:
    return nn.ConvTranspose2d(into, out, 4, 2, 1, bias=False)


def _transposed_k3(into: int, out: int, generator: np.random.Generator) -> nn.Module:
    return nn.ConvTranspose2d(into, out, 3, 2, 1, output_padding=1, bias=False, generator=generator)


DECODERS = {
    "bilinear": Decoder(_bilinear, None),
    "transposed_k4_bilinear": Decoder(_keep, _transposed_k4_bilinear),
    "transposed_k4": Decoder(_keep, _transposed_k4),
    "transposed_k3": Decoder(_keep, _transposed_k3),
    "nearest_convolution": Decoder(_nearest, _convolution),
    "bilinear_convolution": Decoder(_bilinear, _convolution),
    "unpooling": Decoder(_unpool, _convolution),
    "bed_of_nails": Decoder(_nails, _convolution),
}

KEEP_CHANNELS = ("bilinear", "transposed_k4_bilinear")
"""These map every channel to itself, the second at its start."""
