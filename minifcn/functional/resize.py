"""Resizing by nearest neighbour or bilinear interpolation, and its adjoint."""

from __future__ import annotations

import math

from minifcn import kernels
from minifcn.functional.arguments import check_tensors
from minifcn.kernels import checks
from minifcn.kernels.checks import pair
from minifcn.kernels.geometry import Pair
from minifcn.tensor import Tensor, record

Settings = tuple[tuple[float, float], str, bool]
"""Steps, mode and align_corners."""


def interpolate(
    input: Tensor,
    size: int | tuple[int, int] | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Tensor:
    """Resize a tensor of images.

    Output pixel j takes the input at position floor(j * step) (nearest), (j + 0.5) * step - 0.5
    (bilinear: pixel areas are aligned) or j * step (bilinear with align_corners: the centres of
    the corner pixels are aligned).

    Args:
        input: (N, C, H, W).
        size: output height and width; or
        scale_factor: how many times larger the output is; sizes are rounded down.
        mode: 'nearest' or 'bilinear'.
        align_corners: for 'bilinear' only; False by default.
        recompute_scale_factor: whether the step is that of the rounded output size, as if `size`
            had been given, and not 1 / scale_factor; False by default.

    Returns:
        (N, C, OH, OW).

    Raises:
        ValueError: not exactly one of size and scale_factor, an unknown mode, align_corners with
            'nearest', recompute_scale_factor with size, an empty output.
    """
    check_tensors(4, input=input)
    checks.check_pixels(input.data, "input")
    if mode == "nearest" and align_corners is not None:
        raise ValueError("align_corners goes with mode 'bilinear' only; got it with 'nearest'")
    if (size is None) == (scale_factor is None):
        raise ValueError(f"give either size or scale_factor; got {size} and {scale_factor}")
    if recompute_scale_factor and scale_factor is None:
        raise ValueError(f"recompute_scale_factor goes with scale_factor only; got size {size}")
    align = bool(align_corners)
    if scale_factor is None:
        out = checks.size_pair(size, "size")
    else:
        out, steps = _scaled(input.shape[2:], scale_factor, mode, align)
    if scale_factor is None or recompute_scale_factor:
        steps = _steps(input.shape[2:], out, align)
    return _resize(input, out, (steps, mode, align))


def _steps(size: Pair, out: Pair, align_corners: bool) -> tuple[float, float]:
    """The distance between two output pixels, in input pixels."""
    if align_corners:
        sh, sw = ((n - 1) / (o - 1) if o > 1 else 0.0 for n, o in zip(size, out, strict=True))
    else:
        sh, sw = (n / o for n, o in zip(size, out, strict=True))
    return sh, sw


def _scaled(
    size: Pair, scale_factor: float | tuple[float, float], mode: str, align_corners: bool
) -> tuple[Pair, tuple[float, float]]:
    """Output size and steps for a scale: the step is 1 / scale even where the size was rounded.

    But, as in PyTorch, an axis that keeps its size is copied; nearest also counts one that doubles.
    """
    scales = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * 2
    if len(scales) != 2 or not all(0 < scale < math.inf for scale in scales):
        raise ValueError(f"scale_factor must be one or two positive numbers; got {scale_factor}")
    numbers = tuple(int(n * scale) for n, scale in zip(size, scales, strict=True))
    out = pair(numbers, "size (input size * scale_factor)", 1)
    sh, sw = _steps(size, out, align_corners)
    whole = (1, 0.5) if mode == "nearest" else (1,)
    if not align_corners:
        sh, sw = (
            step if step in whole else 1 / s for step, s in zip((sh, sw), scales, strict=True)
        )
    return out, (sh, sw)


def _resize(x: Tensor, size: Pair, settings: Settings) -> Tensor:
    data = kernels.resize(x.data, size, *settings)
    return record("resize", data, (x, lambda g: _resize_adjoint(g, x.shape[2:], settings)))


def _resize_adjoint(y: Tensor, size: Pair, settings: Settings) -> Tensor:
    data = kernels.resize_adjoint(y.data, size, *settings)
    return record("resize_adjoint", data, (y, lambda g: _resize(g, y.shape[2:], settings)))
