"""Windows laid out as columns, and added back: all of them (im2col), or a tile at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby, product
from math import ceil, prod
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minifcn.kernels import geometry
from minifcn.kernels.cpu.threads import MULTIPLICATIONS, WORTH_SHARING
from minifcn.kernels.geometry import Pair

ONE = (1, 1)

TILE_BYTES = 2**21
"""About what a tile of windows takes: small enough for the cache, large enough for the matrix
products on it to outweigh the calls. Many channels of wide images take more: see `_cut`."""

SMALL_IMAGE = 256
"""With fewer output pixels than this, several images share a matrix product."""

FEW_ROWS = 16
"""With fewer rows than this in a matrix, one product is faster than one for each kernel row."""

Tile: TypeAlias = tuple[slice, slice]
"""Images and output rows: some rows of one image, or all rows of some images."""


def im2col(
    x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """Lay the windows of x (N, C, H, W) out as columns (N, C, KH, KW, OH, OW)."""
    out = geometry.output_pair(x.shape[2:], kernel_size, stride, padding, dilation)
    offset = (-padding[0], -padding[1])
    return np.ascontiguousarray(_sliding(x, offset, kernel_size, out, stride, dilation))


def _sliding(
    x: np.ndarray, offset: Pair, kernel_size: Pair, out: Pair, stride: Pair, dilation: Pair
) -> np.ndarray:
    """The windows of x (A, B, H, W), the first at `offset`, as a view (A, B, KH, KW, OH, OW).

    The view is of a padded copy that holds these windows exactly; they overlap in it.
    """
    axes = zip(kernel_size, out, stride, dilation, strict=True)
    size = [(o - 1) * s + (k - 1) * d + 1 for k, o, s, d in axes]
    padded = np.empty((*x.shape[:2], *size), x.dtype)
    copy_shifts(padded[:, None], x, offset[0], [offset[1]])
    a, b, down, right = padded.strides
    steps = (down * dilation[0], right * dilation[1], down * stride[0], right * stride[1])
    shape = (*x.shape[:2], *kernel_size, *out)
    return as_strided(padded, shape, (a, b, *steps), writeable=False)


def copy_shifts(target: np.ndarray, image: np.ndarray, down: int, right: Sequence[int]) -> None:
    """target[a, j, b, r, c] = image[a, b, r + down, c + right[j]], and 0 outside the image."""
    to_rows, from_rows = strided_overlap(target.shape[-2], image.shape[-2], 1, down)
    _clear(target[..., : to_rows.start, :])
    _clear(target[..., to_rows.stop :, :])
    lines, source = target[..., to_rows, :], image[..., from_rows, :]
    for j, offset in enumerate(right):
        _copy_shifted(lines[:, j], source, offset)


def _copy_shifted(target: np.ndarray, image: np.ndarray, right: int) -> None:
    """target[..., c] = image[..., c + right], and 0 outside the image.

    Where both have the same width, rows follow one another in memory, and moving by one column is
    moving all of them by one pixel: one long copy instead of one a row. Pixels that went around a
    border into the next row are set to 0 with the rest.
    """
    columns, width = target.shape[-1], image.shape[-1]
    to_columns, from_columns = strided_overlap(columns, width, 1, right)
    if columns == width:
        count = image.shape[-2] * width
        moved = target.reshape(*target.shape[:-2], count)  # a view
        pixels = image.reshape(*image.shape[:-2], count)
        first, length = max(0, -right), max(0, count - abs(right))
        start = first + right
        moved[..., first : first + length] = pixels[..., start : start + length]
    else:
        target[..., to_columns] = image[..., from_columns]
    _clear(target[..., : to_columns.start])
    _clear(target[..., to_columns.stop :])


def _clear(array: np.ndarray) -> None:
    if array.size:
        array[...] = 0


@cache
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
      meets are a contiguous range of columns, which starts at i * row_step, row_step being
      dilation * OW. That makes KH products, summed, without a copy for each, and a third of the
      bytes for a 3x3 kernel.
    - For a 1x1 kernel the image itself is the matrix.

    Attributes:
        products: how many matrix products are summed: KH in the second layout, else 1.
        laid_out: kernel rows and columns that each of them covers: (1, KW), or (KH, KW).
        tiles: what is laid out at a time.
        elements: how much there is to do, for `share`.
        most_columns: of the matrices of a tile.
    """

    def __init__(
        self,
        x: np.ndarray,
        kernel_size: Pair,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
        groups: int,
        filters: int,
    ) -> None:
        self.x, self.stride, self.padding, self.dilation = x, stride, padding, dilation
        self.groups = groups
        self.out = geometry.output_pair(x.shape[2:], kernel_size, stride, padding, dilation)
        (kh, kw), ow = kernel_size, self.out[1]
        self.is_image = (kernel_size, stride, padding) == (ONE, ONE, (0, 0))
        by_row = x.shape[1] // groups * kw >= FEW_ROWS and self.out[0] * ow >= SMALL_IMAGE
        if stride == ONE and by_row:
            self.laid_out, self.products = (1, kw), kh
            self.row_step = dilation[0] * ow
        else:
            self.laid_out, self.products, self.row_step = kernel_size, 1, 0
        inputs = x.shape[1] // groups * prod(kernel_size)
        self.elements = inputs * len(x) * prod(self.out) * (1 + filters // MULTIPLICATIONS)
        self.halo = (self.products - 1) * self.row_step // ow  # rows that the last product adds
        self.tiles = self._cut()
        images, rows = self.tiles[0] if self.tiles else (slice(0, 0), slice(0, 0))
        self.tile_shape = (images.stop, rows.stop + self.halo, ow)
        self.most_columns = images.stop * rows.stop * ow

    def _cut(self) -> list[Tile]:
        """Cut the batch into tiles of about TILE_BYTES."""
        (n, c), (oh, ow) = self.x.shape[:2], self.out
        rows = TILE_BYTES // max(1, c * prod(self.laid_out) * ow * self.x.itemsize)
        if oh * ow < SMALL_IMAGE and rows >= oh:
            least = 2 if self.elements >= WORTH_SHARING else 1  # tiles: one for each of two threads
            images = max(1, min(rows // oh, ceil(n / least)))
            return [(slice(i, min(i + images, n)), slice(0, oh)) for i in range(0, n, images)]
        rows = max(rows, 4 * self.halo, 1)  # what two tiles share is laid out twice
        height = ceil(oh / ceil(oh / rows))
        bands = [slice(r, min(r + height, oh)) for r in range(0, oh, height)]
        return [(slice(i, i + 1), band) for i in range(n) for band in bands]

    def workspace(self) -> np.ndarray:
        """Memory for the windows of one tile: (C, kernel rows, KW, images, rows, OW)."""
        channels = 0 if self.is_image else self.x.shape[1]
        return np.empty((channels, *self.laid_out, *self.tile_shape), self.x.dtype)

    def lay_out(self, tile: Tile, workspace: np.ndarray) -> np.ndarray:
        """Return the windows as one matrix a product: (groups, products, C / groups * .., columns).

        The matrices of several kernel rows are views of one array, and overlap in it.
        """
        if self.is_image:
            return self.matrix_of(self.x, tile)[:, None]
        (images, rows), (top, left), (dh, dw) = tile, self.padding, self.dilation
        image = self.x[images].swapaxes(0, 1)
        windows = workspace[:, :, :, : image.shape[1]]
        first = rows.start * self.stride[0] - top
        if self.stride == ONE:
            shifts = [j * dw - left for j in range(self.laid_out[1])]
            for i in range(self.laid_out[0]):
                copy_shifts(windows[:, i], image, first + i * dh, shifts)
        else:
            settings = (self.laid_out, self.tile_shape[1:], self.stride, self.dilation)
            view = _sliding(image, (first, -left), *settings)
            windows[...] = view.transpose(0, 2, 3, 1, 4, 5)
        matrix = workspace.reshape(self.groups, -1, prod(self.tile_shape))
        count = image.shape[1] * (rows.stop - rows.start) * self.out[1]
        # The last product ends at column (products - 1) * row_step + count: `halo` made room.
        group, row, column = matrix.strides
        shape = (self.groups, self.products, matrix.shape[1], count)
        return as_strided(
            matrix, shape, (group, self.row_step * column, row, column), writeable=False
        )

    def matrices(self, weight: np.ndarray) -> np.ndarray:
        """The weight (F, C / groups, KH, KW) as (groups, products, F / groups, C / groups * ..)."""
        f, c = len(weight) // self.groups, weight.shape[1]
        parts = weight.reshape(self.groups, f, c, self.products, prod(self.laid_out))
        return parts.transpose(0, 3, 1, 2, 4).reshape(self.groups, self.products, f, -1)

    def weight(self, matrices: np.ndarray) -> np.ndarray:
        """The inverse of `matrices`."""
        f, c = matrices.shape[2], matrices.shape[3] // prod(self.laid_out)
        parts = matrices.reshape(self.groups, self.products, f, c, *self.laid_out)
        weight = parts.transpose(0, 2, 3, 1, 4, 5)
        kernel_size = (self.products * self.laid_out[0], self.laid_out[1])
        return np.ascontiguousarray(weight).reshape(self.groups * f, c, *kernel_size)

    def matrix_of(self, y: np.ndarray, tile: Tile) -> np.ndarray:
        """A tile of y (N, F, OH, OW) as a matrix (groups, F / groups, columns).

        It is a view for a single image, and a copy for several.
        """
        (images, rows), f, ow = tile, y.shape[1], y.shape[3]
        if images.stop - images.start == 1:
            matrix = y[images.start].reshape(self.groups, f // self.groups, -1)
            return matrix[:, :, rows.start * ow : rows.stop * ow]
        return y[images].swapaxes(0, 1).reshape(self.groups, f // self.groups, -1)

    def store(self, matrix: np.ndarray, y: np.ndarray, tile: Tile) -> None:
        """Write what `matrix_of` returned, and was changed, into y, where it is no view."""
        if (count := len(y[tile[0]])) > 1:
            y[tile[0]] = matrix.reshape(y.shape[1], count, *self.out).swapaxes(0, 1)


def col2im(
    columns: np.ndarray, size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray:
    """Add columns (N, C, KH, KW, OH, OW) back into x (N, C, *size): the adjoint of im2col.

    The padded image is cut into blocks of stride x stride pixels: padded row r is row r % SH of
    block r // SH, so window oh starts at row 0 of block oh. Kernel elements that land on the same
    block are added at once, ceil(k / s)^2 additions instead of k^2. They are added in the order of
    the columns, (N, C, SH, SW, blocks, blocks), and put in the order of the image at the end.
    """
    kernel_size, out = columns.shape[2:4], columns.shape[4:]
    grid = [
        o + d * (k - 1) // s for o, k, s, d in zip(out, kernel_size, stride, dilation, strict=True)
    ]
    blocks = np.zeros((*columns.shape[:2], *stride, *grid), columns.dtype)
    for taps, place in _moves(kernel_size, out, stride, dilation):
        blocks[place] += columns[taps]
    padded = blocks.transpose(0, 1, 4, 2, 5, 3).reshape(
        *columns.shape[:2], grid[0] * stride[0], grid[1] * stride[1]
    )
    x = np.zeros((*columns.shape[:2], *size), columns.dtype)
    plane = padded[:, :, padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]
    x[:, :, : plane.shape[2], : plane.shape[3]] = plane
    return x


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
        yield (*everything, i, j), (*everything, a, b, slice(q, q + out[0]), slice(r, r + out[1]))


def _taps_by_block(kernel: int, stride: int, dilation: int) -> list[tuple[int, slice, slice]]:
    """Along one axis: [(block offset, kernel elements, their positions in the block)]."""
    found = []
    for block, members in groupby(range(kernel), key=lambda i: i * dilation // stride):
        taps = list(members)
        start = taps[0] * dilation % stride
        positions = slice(start, start + (len(taps) - 1) * dilation + 1, dilation)
        found.append((block, slice(taps[0], taps[-1] + 1), positions))
    return found
