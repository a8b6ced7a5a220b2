"""Windows laid out as columns, and added back: all of them (im2col), or a tile at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, product
from math import ceil, prod
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minifcn.kernels import geometry
from minifcn.kernels.geometry import Pair

ONE = (1, 1)

TILE_BYTES = 2**21
"""About what a tile of windows takes: small enough for the cache of a core, large enough for the
matrix products on it to outweigh the calls."""

SMALL_IMAGE = 256
"""With fewer output pixels than this, several images share a matrix product."""

Tile: TypeAlias = tuple[slice, slice]
"""Images and output rows: some rows of one image, or all rows of some images."""

Workspace: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]


def im2col(
    x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """Lay the windows of x (N, C, H, W) out as columns (N, C, KH, KW, OH, OW)."""
    out = geometry.output_pair(x.shape[2:], kernel_size, stride, padding, dilation)
    padded = _padded_for(x.shape[:2], kernel_size, out, stride, dilation, x.dtype)
    copy_shifted(padded, x, (-padding[0], -padding[1]))
    return np.ascontiguousarray(_sliding(padded, kernel_size, out, stride, dilation))


def _padded_for(
    leading: Pair, kernel_size: Pair, out: Pair, stride: Pair, dilation: Pair, dtype: np.dtype
) -> np.ndarray:
    """Zeros for images (*leading, H, W) that hold exactly the windows of an output."""
    axes = zip(kernel_size, out, stride, dilation, strict=True)
    return np.zeros((*leading, *((o - 1) * s + (k - 1) * d + 1 for k, o, s, d in axes)), dtype)


def _sliding(
    padded: np.ndarray, kernel_size: Pair, out: Pair, stride: Pair, dilation: Pair
) -> np.ndarray:
    """The windows of padded (A, B, H, W) as a view (A, B, KH, KW, OH, OW)."""
    a, b, down, right = padded.strides
    steps = (down * dilation[0], right * dilation[1], down * stride[0], right * stride[1])
    shape = (*padded.shape[:2], *kernel_size, *out)
    return as_strided(padded, shape, (a, b, *steps), writeable=False)


def copy_shifted(target: np.ndarray, image: np.ndarray, offset: Pair) -> None:
    """target[..., r, c] = image[..., r + offset, c + offset], rows outside the image being 0.

    Columns outside the image are left as they are.
    """
    (to_rows, rows), (to_columns, columns) = (
        strided_overlap(count, size, 1, o)
        for count, size, o in zip(target.shape[-2:], image.shape[-2:], offset, strict=True)
    )
    target[..., : to_rows.start, :] = 0
    target[..., to_rows.stop :, :] = 0
    target[..., to_rows, to_columns] = image[..., rows, columns]


def strided_overlap(count: int, size: int, stride: int, offset: int) -> tuple[slice, slice]:
    """Of `count` positions o, those with 0 <= o * stride + offset < size, and where they lead."""
    first = min(max(0, -(offset // stride)), count)
    last = max(first, min(count, (size - 1 - offset) // stride + 1))
    start = first * stride + offset
    return slice(first, last), slice(start, start + (last - first) * stride, stride)


class Windows:
    """The windows of a batch as matrices, one tile after the other, in a workspace that is reused.

    A convolution is the product of the kernels as a matrix (F, C * KH * KW) with the windows as
    columns (C * KH * KW, OH * OW). There are three ways to lay the windows out:

    - All kernel elements, several small images side by side: a product with few columns is slow.
    - With stride 1, on larger images, only the KW horizontal shifts of an image, stacked: (C * KW,
      rows * OW). Moving down by a row is moving by OW in memory, so the windows that kernel row i
      meets are a contiguous range of columns, which starts at i * dilation * OW: KH products,
      summed, without a copy for each, and a third of the bytes for a 3x3 kernel.
    - For a 1x1 kernel the image itself is the matrix.

    Attributes:
        kernel_rows: the kernel rows of each product.
        tiles: what is laid out at a time.
        most: the largest number of columns of a tile.
    """

    def __init__(
        self,
        x: np.ndarray,
        kernel_size: Pair,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
        groups: int,
    ) -> None:
        self.x, self.stride, self.padding, self.dilation = x, stride, padding, dilation
        self.groups = groups
        self.out = geometry.output_pair(x.shape[2:], kernel_size, stride, padding, dilation)
        (kh, kw), ow = kernel_size, self.out[1]
        self.is_image = (kernel_size, stride, padding) == (ONE, ONE, (0, 0))
        if stride == ONE and self.out[0] * ow >= SMALL_IMAGE:
            self.laid_out = (1, kw)  # kernel elements
            self.kernel_rows = [slice(i, i + 1) for i in range(kh)]
            self.starts = [i * dilation[0] * ow for i in range(kh)]
        else:
            self.laid_out = kernel_size
            self.kernel_rows, self.starts = [slice(None)], [0]
        self.tiles = self._cut()
        images, rows = self.tiles[0] if self.tiles else (slice(0, 0), slice(0, 0))
        self.tile_shape = (images.stop, rows.stop + self.starts[-1] // ow, ow)
        self.most = images.stop * rows.stop * ow

    def _cut(self) -> list[Tile]:
        """Cut the batch into tiles of about TILE_BYTES."""
        (n, c), (oh, ow) = self.x.shape[:2], self.out
        rows = TILE_BYTES // max(1, c * prod(self.laid_out) * ow * self.x.itemsize)
        if oh * ow < SMALL_IMAGE and rows >= oh:
            images = max(1, min(rows // oh, ceil(n / 2)))  # so that two threads have something
            return [(slice(i, min(i + images, n)), slice(0, oh)) for i in range(0, n, images)]
        rows = max(rows, 4 * self.starts[-1] // ow, 1)  # what two tiles share is laid out twice
        height = ceil(oh / ceil(oh / rows))
        bands = [slice(r, min(r + height, oh)) for r in range(0, oh, height)]
        return [(slice(i, i + 1), band) for i in range(n) for band in bands]

    def workspace(self) -> Workspace:
        """Memory for one tile: padded images, a view of their windows, and where these are copied.

        The windows are (C, kernel rows, KW, images, rows, OW).
        """
        (images, *out), settings = self.tile_shape, (self.stride, self.dilation)
        channels = 0 if self.is_image else self.x.shape[1]
        padded = _padded_for((channels, images), self.laid_out, out, *settings, self.x.dtype)
        view = _sliding(padded, self.laid_out, out, *settings).transpose(0, 2, 3, 1, 4, 5)
        return padded, view, np.empty(view.shape, self.x.dtype)

    def lay_out(self, tile: Tile, workspace: Workspace) -> list[np.ndarray]:
        """Return the windows as a matrix (groups, C / groups * .., columns) a product."""
        if self.is_image:
            return [self.columns(self.x, tile)]
        (images, rows), (top, left), (padded, view, windows) = tile, self.padding, workspace
        image = self.x[images].swapaxes(0, 1)
        first = rows.start * self.stride[0] - top
        copy_shifted(padded[:, : image.shape[1]], image, (first, -left))
        np.copyto(windows, view)
        matrix = windows.reshape(self.groups, -1, prod(self.tile_shape))
        count = image.shape[1] * (rows.stop - rows.start) * self.out[1]
        return [matrix[:, :, start : start + count] for start in self.starts]

    def columns(self, y: np.ndarray, tile: Tile) -> np.ndarray:
        """A tile of y (N, F, OH, OW) as a matrix (groups, F / groups, columns).

        It is a view for a single image, and a copy for several.
        """
        (images, rows), (f, ow) = tile, y.shape[1::2]
        matrix = y[images].swapaxes(0, 1).reshape(self.groups, f // self.groups, -1)
        return matrix[:, :, rows.start * ow : rows.stop * ow] if len(y[images]) == 1 else matrix


def col2im(
    columns: np.ndarray, size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """Add columns (N, C, KH, KW, OH, OW) back into x (N, C, *size): the adjoint of im2col.

    Kernel elements that land on the same block of stride x stride pixels are added at once.
    """
    blocks = _blocks(columns, stride, dilation)
    for taps, place in _moves(columns.shape[2:4], columns.shape[4:], stride, dilation):
        blocks[place] += columns[taps].transpose(0, 1, 4, 2, 5, 3)
    x = np.zeros((*columns.shape[:2], *size), columns.dtype)
    plane, kept = _overlap_with_padding(blocks, x, padding)
    kept[...] = plane
    return x


def _blocks(columns: np.ndarray, stride: Pair, dilation: Pair) -> np.ndarray:
    """Zeros for the padded image of `columns`, cut into blocks: (N, C, BH, SH, BW, SW).

    Padded row r is row r % SH of block r // SH, so window oh starts at row 0 of block oh.
    """
    kernel_size, out = columns.shape[2:4], columns.shape[4:]
    bh, bw = (
        o + d * (k - 1) // s for o, k, s, d in zip(out, kernel_size, stride, dilation, strict=True)
    )
    return np.zeros((*columns.shape[:2], bh, stride[0], bw, stride[1]), columns.dtype)


def _overlap_with_padding(
    blocks: np.ndarray, x: np.ndarray, padding: Pair
) -> tuple[np.ndarray, np.ndarray]:
    """Return matching views: where x lies in the padded blocks, and the part of x they reach."""
    n, c, bh, sh, bw, sw = blocks.shape
    (top, left), (h, w) = padding, x.shape[2:]
    plane = blocks.reshape(n, c, bh * sh, bw * sw)[:, :, top : top + h, left : left + w]
    return plane, x[:, :, : plane.shape[2], : plane.shape[3]]


def _moves(
    kernel_size: Pair, out: Pair, stride: Pair, dilation: Pair
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Yield pairs (index into columns, index into blocks) that together cover the kernel.

    Kernel row i meets row (i * dilation) % stride of a block that is (i * dilation) // stride
    blocks further down: rows with the same quotient touch different rows of the same block, so
    one addition handles them all, ceil(k / s) along an axis instead of k.
    """
    everything = (slice(None), slice(None))
    rows, columns = (
        _taps_by_block(*axis) for axis in zip(kernel_size, stride, dilation, strict=True)
    )
    for (q, i, a), (r, j, b) in product(rows, columns):
        yield (*everything, i, j), (*everything, slice(q, q + out[0]), a, slice(r, r + out[1]), b)


def _taps_by_block(kernel: int, stride: int, dilation: int) -> list[tuple[int, slice, slice]]:
    """Along one axis: [(block offset, kernel elements, their positions in the block)]."""
    found = []
    for block, members in groupby(range(kernel), key=lambda i: i * dilation // stride):
        taps = list(members)
        start = taps[0] * dilation % stride
        positions = slice(start, start + (len(taps) - 1) * dilation + 1, dilation)
        found.append((block, slice(taps[0], taps[-1] + 1), positions))
    return found
