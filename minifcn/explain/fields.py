"""What of the image each path of an FCN can see for the score of a pixel, by geometry alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from minifcn import nn
from minifcn.kernels.checks import pair
from minifcn.kernels.geometry import ReceptiveField, Window, receptive_field
from minifcn.models import FCN

_UPSAMPLINGS = {
    "top": ("upscore2", "upscore_pool4", "upscore"),
    "pool4": ("upscore_pool4", "upscore"),
    "pool3": ("upscore",),
}
_LAST_STAGE = {"top": 5, "pool4": 4, "pool3": 3}


class Sight(NamedTuple):
    """What a path sees for the score of one row of pixels: first and last, both included.

    cells: the rows of coarse scores that are added up. pixels: the rows of the image that these
    depend on; they may lie outside of it, in the padding. Along columns it is the same.
    """

    cells: tuple[int, int]
    pixels: tuple[int, int]


def path_field(model: FCN, path: str) -> ReceptiveField:
    """Return the receptive field of one coarse score of a path: 'top', 'pool4' or 'pool3'."""
    layers = [getattr(model.backbone, f"stage{k}") for k in range(1, _LAST_STAGE[path] + 1)]
    return receptive_field(windows_of([*layers, *([model.fc6, model.fc7] * (path == "top"))]))


def path_sights(model: FCN, path: str, size: int, places: Iterable[int]) -> list[Sight]:
    """Return what a path sees for pixels, along one axis of the image.

    A pixel gets its score from the coarse scores whose stamps reach it, in each transposed
    convolution from the last one back. Their receptive fields together are what the path sees.

    Args:
        model: the network.
        path: 'top', 'pool4' or 'pool3'.
        size: how many pixels the padded image has along this axis.
        places: the pixels.
    """
    field = path_field(model, path)
    layers = [getattr(model, name) for name in _UPSAMPLINGS[path] if hasattr(model, name)]
    upsamplings = windows_of(layers)
    found = []
    for place in places:
        low, high = _cells(upsamplings, size, place)
        start = field.start + field.stride * low
        found.append(
            Sight((low, high), (start, field.start + field.stride * high + field.size - 1))
        )
    return found


def _cells(upsamplings: Sequence[Window], size: int, place: int) -> tuple[int, int]:
    """Go back from a pixel to the first and last of the cells that it is made of.

    Output o has the stamp of input i where i s - p <= o <= i s - p + k - 1.
    """
    low = high = place
    for window in reversed(upsamplings):
        size //= window.stride
        low = max(-(-(low + window.padding - window.kernel + 1) // window.stride), 0)
        high = min((high + window.padding) // window.stride, size - 1)
    return low, high


def windows_of(layers: Iterable[nn.Module]) -> list[Window]:
    """Return layers as geometry sees them; those that stay within a pixel are left out."""
    return [w for layer in layers for module in layer.modules() for w in _window(module)]


def _window(module: nn.Module) -> list[Window]:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        kernel, transposed = module.weight.shape[2], isinstance(module, nn.ConvTranspose2d)
        assert not isinstance(module.padding, str)  # FCN gives numbers
        stride, padding = pair(module.stride, "stride", 1)[0], pair(module.padding, "padding", 0)[0]
        return [Window(kernel, stride, padding, transposed=transposed)]
    if isinstance(module, nn.MaxPool2d):
        kernel = pair(module.kernel_size, "kernel_size", 1)[0]
        return [Window(kernel, kernel, pair(module.padding, "padding", 0)[0])]
    return []
