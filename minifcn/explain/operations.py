"""The operations that a page can show: their first settings, examples, code and calls."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from minifcn.kernels import reference

WINDOW = {
    "channels": 1,
    "size": [5, 6],
    "kernel": [3, 3],
    "stride": [1, 1],
    "padding": [1, 1],
    "dilation": [1, 1],
}

RANGES = {
    "size": (1, 12),
    "kernel": (1, 5),
    "stride": (1, 4),
    "padding": (0, 4),
    "dilation": (1, 3),
    "output_padding": (0, 3),
    "out": (1, 12),
    "channels": (1, 4),
    "filters": (1, 4),
    "groups": (1, 2),
    "classes": (2, 6),
    "label": (0, 5),
}
"""The least and the most that a page shows of each setting, of both numbers of a pair."""

CHOICES = {
    "way": ("switches", "nails", "nearest"),
    "mode": ("nearest", "bilinear"),
    "align_corners": (False, True),
}
"""The values of settings that are no numbers."""

Preset = dict[str, Any]
"""A name (by language), settings, and arrays by name."""


@dataclass(frozen=True)
class Operation:
    """What a page must know of an operation.

    Attributes:
        settings: the first ones; each has a control.
        forward, backward: functions whose loops are shown, with the line that runs.
        minifcn, torch: the calls, {settings} in braces; by way, where there are several.
        views: the ways to look at it.
        presets: examples.
    """

    settings: dict[str, Any]
    forward: tuple[tuple[Callable[..., Any], str], ...]
    minifcn: str | dict[str, str]
    torch: str | dict[str, str]
    backward: tuple[tuple[Callable[..., Any], str], ...] = ()
    views: tuple[str, ...] = ("",)
    presets: tuple[Preset, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """What the page gets."""
        return {
            "settings": self.settings,
            "controls": list(self.settings),
            "views": list(self.views),
            "backward": bool(self.backward),
            "presets": list(self.presets),
            "code": {
                "forward": [_lines(*one) for one in self.forward],
                "backward": [_lines(*one) for one in self.backward],
            },
            "calls": {"minifcn": self.minifcn, "torch": self.torch},
        }


def _lines(function: Callable[..., Any], running: str) -> dict[str, Any]:
    """The lines of a function without its docstring, and the places of the line that runs."""
    source = inspect.getsource(function)
    source = re.sub(r'\n    """.*?"""\n', "\n", source, count=1, flags=re.DOTALL)
    lines = source.rstrip().splitlines()
    marked = [i for i, line in enumerate(lines) if running in line]
    assert marked, f"{function.__name__} has no line with {running!r}"
    return {"lines": lines, "marked": marked}


_CONV = "stride={stride}, padding={padding}, dilation={dilation}"
_FROM = "from minifcn import functional as F\n\n"
_TORCH = "import torch.nn.functional as F\n\n"
_KERNELS = "from minifcn import kernels\n\n"


def _named(english: str, korean: str, **settings: Any) -> Preset:
    return {"name": {"en": english, "ko": korean}, "settings": settings}


def _ones(preset: Preset, **shapes: list[int]) -> Preset:
    """The same example on ones, so that a result counts how often it is written to."""
    arrays = {name: {"shape": shape, "data": [1] * _count(shape)} for name, shape in shapes.items()}
    return preset | {"arrays": arrays}


def _count(shape: list[int]) -> int:
    count = 1
    for n in shape:
        count *= n
    return count


OPERATIONS: dict[str, Operation] = {
    "conv2d": Operation(
        {**WINDOW, "filters": 1, "groups": 1},
        forward=((reference.conv2d, "y[:, f, oh, ow] +="),),
        backward=(
            (reference.conv_transpose2d, "x[:, c, h, w] +="),
            (reference.conv2d_weight, "weight[f, cg, i, j] +="),
        ),
        minifcn=f"{_FROM}y = F.conv2d(x, weight, {_CONV}, groups={{groups}})",
        torch=f"{_TORCH}y = F.conv2d(x, weight, {_CONV}, groups={{groups}})",
        presets=(
            _named("stride 2", "스트라이드 2", stride=[2, 2]),
            _named("dilation 2", "딜레이션 2", size=[7, 7], dilation=[2, 2], padding=[2, 2]),
            _named("two groups", "그룹 2개", channels=2, filters=2, groups=2, size=[4, 4]),
            _named("a tall kernel", "세로로 긴 커널", kernel=[3, 1], padding=[1, 0]),
        ),
    ),
    "conv_transpose2d": Operation(
        {
            **WINDOW,
            "size": [3, 4],
            "stride": [2, 2],
            "output_padding": [0, 0],
            "filters": 1,
            "groups": 1,
        },
        forward=((reference.conv_transpose2d, "x[:, c, h, w] +="),),
        backward=(
            (reference.conv2d, "y[:, f, oh, ow] +="),
            (reference.conv2d_weight, "weight[f, cg, i, j] +="),
        ),
        minifcn=f"{_FROM}x = F.conv_transpose2d(y, weight, {_CONV},\n"
        "                       output_padding={output_padding}, groups={groups})",
        torch=f"{_TORCH}x = F.conv_transpose2d(y, weight, {_CONV},\n"
        "                       output_padding={output_padding}, groups={groups})",
        views=("stamps", "zeros", "matrix"),
        presets=(
            _ones(
                _named(
                    "checkerboard: kernel 3, stride 2",
                    "체커보드: 커널 3, 스트라이드 2",
                    size=[4, 4],
                    padding=[0, 0],
                ),
                x=[1, 4, 4],
                weight=[1, 1, 3, 3],
            ),
            _ones(
                _named(
                    "even overlaps: kernel 4, stride 2",
                    "고른 겹침: 커널 4, 스트라이드 2",
                    size=[4, 4],
                    kernel=[4, 4],
                    padding=[0, 0],
                ),
                x=[1, 4, 4],
                weight=[1, 1, 4, 4],
            ),
            _named("output_padding 1", "output_padding 1", output_padding=[1, 1]),
        ),
    ),
    "conv1x1": Operation(
        {"channels": 3, "filters": 2, "size": [3, 4]},
        forward=((reference.conv1x1, "y[:, f] +="),),
        backward=(
            (reference.conv1x1, "y[:, f] +="),
            (reference.conv1x1_weight, "weight[f, c] ="),
        ),
        minifcn=f"{_FROM}y = F.conv2d(x, weight.reshape(({{filters}}, {{channels}}, 1, 1)))",
        torch=f"{_TORCH}y = F.conv2d(x, weight.reshape({{filters}}, {{channels}}, 1, 1))",
    ),
    "im2col": Operation(
        {**WINDOW, "size": [4, 5], "padding": [0, 0]},
        forward=((reference.im2col, "columns[:, :, i, j, oh, ow] ="),),
        backward=((reference.col2im, "x[:, :, h, w] +="),),
        minifcn=f"{_KERNELS}columns = kernels.im2col(x, {{kernel}}, {{stride}}, {{padding}},"
        " {dilation})",
        torch=f"{_TORCH}columns = F.unfold(x, {{kernel}}, {{dilation}}, {{padding}}, {{stride}})",
    ),
    "col2im": Operation(
        {**WINDOW, "size": [4, 4], "kernel": [2, 2], "padding": [0, 0]},
        forward=((reference.col2im, "x[:, :, h, w] +="),),
        backward=((reference.im2col, "columns[:, :, i, j, oh, ow] ="),),
        minifcn=f"{_KERNELS}x = kernels.col2im(columns, {{size}}, {{stride}}, {{padding}},"
        " {dilation})",
        torch=f"{_TORCH}x = F.fold(columns, {{size}}, {{kernel}}, {{dilation}}, {{padding}},"
        " {stride})",
    ),
    "max_pool2d": Operation(
        {**WINDOW, "size": [6, 6], "kernel": [2, 2], "stride": [2, 2], "padding": [0, 0]},
        forward=((reference.max_pool2d, "values[n, c, oh, ow] ="),),
        backward=((reference.unpool, "x[n, c].flat["),),
        minifcn=f"{_FROM}y, indices = F.max_pool2d(x, {{kernel}}, {_CONV},\n"
        "                          return_indices=True)",
        torch=f"{_TORCH}y, indices = F.max_pool2d(x, {{kernel}}, {_CONV},\n"
        "                          return_indices=True)",
        presets=(
            _named(
                "windows that overlap", "겹치는 윈도", kernel=[3, 3], stride=[2, 2], size=[7, 7]
            ),
        ),
    ),
    "max_unpool2d": Operation(
        {"way": "switches", "channels": 1, "size": [3, 3], "kernel": [2, 2]},
        forward=((reference.unpool, "x[n, c].flat["),),
        backward=((reference.gather, "y[n, c, oh, ow] ="),),
        minifcn={
            "switches": f"{_FROM}x = F.max_unpool2d(y, indices, {{kernel}})",
            "nails": "import numpy as np\n\nx = np.kron(y, nail)  # nail: 1 in the first corner",
            "nearest": f'{_FROM}x = F.interpolate(y, scale_factor={{kernel}}, mode="nearest")',
        },
        torch={
            "switches": f"{_TORCH}x = F.max_unpool2d(y, indices, {{kernel}})",
            "nails": "import torch\n\nx = torch.kron(y, nail)  # nail: 1 in the first corner",
            "nearest": f'{_TORCH}x = F.interpolate(y, scale_factor={{kernel}}, mode="nearest")',
        },
        presets=(
            _named("by switches", "스위치", way="switches"),
            _named("bed of nails", "Bed of Nails", way="nails"),
            _named("nearest", "최근접 이웃", way="nearest"),
        ),
    ),
    "interpolate": Operation(
        {
            "mode": "bilinear",
            "channels": 1,
            "size": [3, 4],
            "out": [6, 8],
            "align_corners": False,
        },
        forward=((reference.resize, "y[:, :, oh, ow] +="),),
        backward=((reference.resize_adjoint, "x[:, :, h, w] +="),),
        minifcn=f'{_FROM}y = F.interpolate(x, size={{out}}, mode="{{mode}}",\n'
        "                  align_corners={align_corners})",
        torch=f'{_TORCH}y = F.interpolate(x, size={{out}}, mode="{{mode}}",\n'
        "                  align_corners={align_corners})",
        presets=(
            _named("nearest", "최근접 이웃", mode="nearest"),
            _named("align_corners", "align_corners", align_corners=True),
            _named("make it smaller", "축소", size=[6, 8], out=[3, 5]),
        ),
    ),
    "cross_entropy": Operation(
        {"classes": 4, "label": 1},
        forward=((reference.cross_entropy, "logs[n, h, w] ="),),
        minifcn=f"{_FROM}loss = F.cross_entropy(scores.reshape((1, {{classes}})), label)"
        "  # label: int64, shape (1,)",
        torch=f"{_TORCH}loss = F.cross_entropy(scores.reshape(1, {{classes}}), label)"
        "  # label: int64, shape (1,)",
    ),
    "iou": Operation(
        {"classes": 3},
        forward=(),
        minifcn="from minifcn.metrics import ConfusionMatrix\n\n"
        "matrix = ConfusionMatrix({classes})\n"
        "matrix.update(truth, prediction)\n"
        "matrix.mean_iu",
        torch="from torchmetrics.classification import MulticlassJaccardIndex\n\n"
        "MulticlassJaccardIndex({classes})(prediction, truth)",
    ),
}
"""By the name in functional, in the order of the tutorials."""
