"""The three convolutions and their 1x1 kin, each a tiled matrix product (see cuda/tiles.cuh)."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from minifcn.backend import Array
from minifcn.kernels import geometry
from minifcn.kernels.geometry import Pair
from minifcn.kernels.gpu import depthwise
from minifcn.kernels.gpu.launch import (
    LARGEST,
    TILE,
    WINDOWS,
    blocks_of,
    contiguous,
    empty,
    launch,
    struct,
    window_fields,
)
from minifcn.kernels.gpu.reductions import sum_parts

CONVOLUTION = np.dtype(
    [
        *((name, np.int32) for name in ("images", "channels", "outputs", "groups")),
        ("windows", WINDOWS),
    ]
)
"""struct Convolution of cuda/convolution.cu."""

ENOUGH_BLOCKS = 512
"""Blocks that keep a large GPU busy: a sum over pixels is cut into parts to have so many."""
FEWEST_STEPS = 256
"""Steps of a sum for which a block of its own is worth it."""


def conv2d(
    x: Array,
    weight: Array,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    bias: Array | None = None,
    rectify: bool = False,
) -> Array:
    """y[n, f, oh, ow] = bias[f] + sum of weight[f, c, i, j] * x[n, c, h, w]; then relu."""
    if geometry.is_depthwise(groups, x.shape[1], len(weight)):
        return depthwise.conv2d(x, weight, stride, padding, dilation, bias, rectify)
    settings = (weight.shape[2:], stride, padding, dilation)
    out = geometry.output_pair(x.shape[2:], *settings)
    y = empty((len(x), len(weight), *out), x)
    struct = _convolution(x.shape, y.shape, groups, *settings)
    tiles = (blocks_of(len(x) * prod(out), TILE), blocks_of(len(weight) // groups, TILE), groups)
    arrays = (contiguous(x), contiguous(weight), None if bias is None else contiguous(bias), y)
    launch("convolution.cu", "conv2d", tiles, *arrays, struct, bool(rectify))
    return y


def conv_transpose2d(
    y: Array,
    weight: Array,
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """x[n, c, h, w] = sum of weight[f, c, i, j] * y[n, f, oh, ow], the pixels sorted by phase."""
    settings = (weight.shape[2:], stride, padding, dilation)
    size = geometry.transpose_output_pair(
        y.shape[2:], weight.shape[2:], stride, padding, output_padding, dilation
    )
    if geometry.is_depthwise(groups, weight.shape[1] * groups, len(weight)):
        return depthwise.conv_transpose2d(y, weight, size, stride, padding, dilation)
    x = empty((len(y), weight.shape[1] * groups, *size), y)
    struct = _convolution(x.shape, y.shape, groups, *settings)
    pixels = blocks_of(size[0], stride[0]) * blocks_of(size[1], stride[1])
    a_phase = blocks_of(len(x) * pixels, TILE)
    tiles = (a_phase * prod(stride), blocks_of(weight.shape[1], TILE), groups)
    arrays = (contiguous(y), contiguous(weight), x)
    launch("convolution.cu", "conv_transpose2d", tiles, *arrays, struct, a_phase)
    return x


def conv2d_weight(
    x: Array,
    y: Array,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """weight[f, c, i, j] = sum of x[n, c, h, w] * y[n, f, oh, ow] over the pixels of y."""
    if geometry.is_depthwise(groups, x.shape[1], y.shape[1]):
        return depthwise.conv2d_weight(x, y, kernel_size, stride, padding, dilation)
    struct = _convolution(x.shape, y.shape, groups, kernel_size, stride, padding, dilation)
    shape = (y.shape[1], x.shape[1] // groups, *kernel_size)
    tiles = (blocks_of(prod(shape[1:]), TILE), blocks_of(shape[0] // groups, TILE))
    parts = _parts(prod(tiles) * groups, len(y) * prod(y.shape[2:]))
    weights = empty((parts, *shape), x)
    arrays = (contiguous(x), contiguous(y), weights)
    launch("convolution.cu", "conv2d_weight", (*tiles, groups * parts), *arrays, struct, parts)
    return sum_parts(weights)


def conv1x1(x: Array, weight: Array, bias: Array | None = None, rectify: bool = False) -> Array:
    """y[n, f, h, w] = bias[f] + sum of weight[f, c] * x[n, c, h, w]; then relu."""
    y = empty((len(x), len(weight), *x.shape[2:]), x)
    pixels = prod(x.shape[2:])
    tiles = (blocks_of(len(x) * pixels, TILE), blocks_of(len(weight), TILE))
    arrays = (contiguous(x), contiguous(weight), None if bias is None else contiguous(bias), y)
    sizes = (*x.shape[:2], len(weight), pixels)
    launch("conv1x1.cu", "conv1x1", tiles, *arrays, *sizes, bool(rectify))
    return y


def conv1x1_weight(x: Array, y: Array) -> Array:
    """weight[f, c] = sum of x[n, c, h, w] * y[n, f, h, w] over the pixels."""
    shape, pixels = (y.shape[1], x.shape[1]), prod(x.shape[2:])
    tiles = (blocks_of(shape[1], TILE), blocks_of(shape[0], TILE))
    parts = _parts(prod(tiles), len(x) * pixels)
    weights = empty((parts, *shape), x)
    sizes = (*x.shape[:2], y.shape[1], pixels, parts)
    arrays = (contiguous(x), contiguous(y), weights)
    launch("conv1x1.cu", "conv1x1_weight", (*tiles, parts), *arrays, *sizes)
    return sum_parts(weights)


def _convolution(x_shape: Any, y_shape: Any, groups: int, *settings: Pair) -> np.ndarray:
    steps = max(x_shape[1], y_shape[1]) * prod(settings[0])
    if steps > LARGEST - TILE:
        raise ValueError(f"a GPU kernel takes up to {LARGEST - TILE} steps a sum; got {steps}")
    where = window_fields(x_shape[2:], y_shape[2:], *settings)
    return struct(CONVOLUTION, *x_shape[:2], y_shape[1], groups, where)


def _parts(tiles: int, steps: int) -> int:
    """How many blocks share each tile of a sum of so many steps."""
    wanted = min(blocks_of(ENOUGH_BLOCKS, max(1, tiles)), blocks_of(steps, FEWEST_STEPS))
    return max(1, wanted)
