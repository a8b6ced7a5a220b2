"""Depthwise convolutions in NumPy: every channel by itself, as products with banded matrices.

One output pixel of a depthwise convolution needs KH * KW products only, too few for a matrix
product of its own. But along an image's columns it is one: with the kernel's column j written along
the diagonals of a banded matrix, band[j][a, b] = weight[i, j] where b = a * stride + i * dilation,

    y = sum over j of band[j] @ (the rows of x, moved left by j * dilation).

Rows are long, as the images of a batch stand side by side in them, with the padding between them.
So moving by a column is moving by a number in memory: no copy for each j. Most numbers of a large
band would be 0; so y is cut into blocks of few rows, which all have the same small band. That does
some five times the multiplications of the definition, at twenty times the speed of a sum of taps.

With a stride, columns are sorted by what is left when they are divided by it, one phase after the
other: then the pixels that element j of all windows meets are neighbours.

A band's zeros meet pixels that no window joins, and 0 * infinity is no number. So each function
returns None where the numbers it reads are not all finite, and the general convolution does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minifcn.kernels.cpu.pointwise import relu_in_place
from minifcn.kernels.cpu.threads import share
from minifcn.kernels.cpu.windows import strided_overlap
from minifcn.kernels.geometry import Pair, output_pair, transpose_output_pair

BLOCK_ROWS = 8
"""At most so many rows of y share a product."""

WORK_ELEMENTS = 2**17
"""About so many numbers of x are laid out at a time: with what is made of them, they stay in the
cache of a core."""

FEWEST_TASKS = 4
"""Where there are as many channels: so that threads that take them end at about the same time."""

Task: TypeAlias = tuple[slice, list[slice]]
"""Some channels, and the images to take at a time."""


def conv2d(
    x: np.ndarray,
    weight: np.ndarray,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    bias: np.ndarray | None = None,
    rectify: bool = False,
) -> np.ndarray | None:
    """y[n, c, oh, ow] = bias[c] + sum over (i, j) of weight[c, 0, i, j] * x[n, c, h, w]."""
    bands = Bands(x.shape, weight.shape[2:], stride, padding, dilation)
    y = np.empty((*x.shape[:2], *bands.out), x.dtype)

    def work(task: Task) -> bool:
        channels, parts = task
        matrices = bands.matrices(weight[channels])
        for images in parts:
            laid_out = bands.lay_out(x[images, channels])
            if not _is_finite(laid_out):
                return False
            total = _sum_of_products(bands, matrices, laid_out)
            if bias is not None:
                total += bias[channels, None, None, None]
            if rectify:
                relu_in_place(total)
            bands.store(total, y[images, channels])
        return True

    return y if _share(work, bands, y.size) else None


def _sum_of_products(bands: Bands, matrices: np.ndarray, laid_out: np.ndarray) -> np.ndarray:
    total = product = np.matmul(matrices[:, 0], bands.rows(laid_out, 0))
    for j in range(1, bands.kernel_size[1]):
        product = np.matmul(matrices[:, j], bands.rows(laid_out, j), out=product if j > 1 else None)
        total += product
    return total


def conv2d_weight(
    x: np.ndarray, y: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> np.ndarray | None:
    """weight[c, 0, i, j] = sum over (n, oh, ow) of x[n, c, h, w] * y[n, c, oh, ow]."""
    bands = Bands(x.shape, kernel_size, stride, padding, dilation)
    weight = np.empty((x.shape[1], 1, *kernel_size), x.dtype)

    def work(task: Task) -> bool:
        channels, parts = task
        sums = bands.empty_matrices(weight[channels])
        for images in parts:
            laid_out, rows = bands.lay_out(x[images, channels]), bands.load(y[images, channels])
            if not (_is_finite(laid_out) and _is_finite(rows)):
                return False
            for j in range(kernel_size[1]):
                products = rows @ bands.rows(laid_out, j).swapaxes(2, 3)
                sums[:, j] += products[:, 0] if bands.blocks == 1 else products.sum(1)
        bands.sum_diagonals(sums, weight[channels])
        return True

    return weight if _share(work, bands, y.size) else None


def conv_transpose2d(
    y: np.ndarray,
    weight: np.ndarray,
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    dilation: Pair,
) -> np.ndarray | None:
    """x[n, c, h, w] = sum over (i, j) of weight[c, 0, i, j] * y[n, c, oh, ow]."""
    size = transpose_output_pair(
        y.shape[2:], weight.shape[2:], stride, padding, output_padding, dilation
    )
    x = np.zeros((*y.shape[:2], *size), y.dtype)
    bands = Bands(x.shape, weight.shape[2:], stride, padding, dilation)

    def work(task: Task) -> bool:
        channels, parts = task
        matrices = bands.matrices(weight[channels]).swapaxes(3, 4)
        for images in parts:
            rows = bands.load(y[images, channels])
            if not _is_finite(rows):
                return False
            laid_out = bands.empty(x[images, channels])
            for j in range(weight.shape[3]):
                products = matrices[:, j] @ rows
                for block, place in enumerate(bands.places(laid_out, j)):
                    place += products[:, block]
            bands.put_back(laid_out, x[images, channels])
        return True

    return x if _share(work, bands, y.size) else None


class Bands:
    """Where everything lies: the one place that knows the order of numbers in the workspaces.

    x is laid out as (channels, rows, phases, columns), y as (channels, blocks, rows of a block,
    columns); columns are those of one image after the other, `width` each.

    Attributes:
        out: rows and columns of y.
        blocks, block: how many blocks of rows y has, and how many rows they have.
        span: rows of x that a block meets.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        kernel_size: Pair,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
    ) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation, self.shape = dilation, shape
        self.out = output_pair((shape[2], shape[3]), kernel_size, stride, padding, dilation)
        self.blocks = ceil(self.out[0] / BLOCK_ROWS)
        self.block = ceil(self.out[0] / self.blocks)
        self.span = (self.block - 1) * stride[0] + (kernel_size[0] - 1) * dilation[0] + 1
        self.height = (self.blocks - 1) * self.block * stride[0] + self.span
        self.reach = (kernel_size[1] - 1) * dilation[1] // stride[1]
        self.width = self.out[1] + self.reach

    def tasks(self) -> list[Task]:
        """Cut the batch into parts of about WORK_ELEMENTS: channels, and if need be images."""
        n, c = self.shape[:2]
        plane = self.height * self.stride[1] * self.width
        images = max(1, min(n, WORK_ELEMENTS // plane))
        channels = max(1, min(WORK_ELEMENTS // (images * plane), c // FEWEST_TASKS))
        parts = [slice(i, min(i + images, n)) for i in range(0, n, images)]
        return [(slice(i, i + channels), parts) for i in range(0, c, channels)]

    # -- Kernels and bands -----------------------------------------------------------------------

    def empty_matrices(self, weight: np.ndarray) -> np.ndarray:
        """Bands of zeros for kernels (C, 1, KH, KW): (C, KW, block, span)."""
        return np.zeros((len(weight), weight.shape[3], self.block, self.span), weight.dtype)

    def matrices(self, weight: np.ndarray) -> np.ndarray:
        """Write kernels (C, 1, KH, KW) along the diagonals: (C, KW, 1, block, span)."""
        bands = self.empty_matrices(weight)
        for i in range(weight.shape[2]):
            self._diagonal(bands, i)[...] = weight[:, 0, i, :, None]
        return bands[:, :, None]

    def sum_diagonals(self, bands: np.ndarray, weight: np.ndarray) -> None:
        """Write the sums of the diagonals into kernels: the adjoint of `matrices`."""
        for i in range(weight.shape[2]):
            np.einsum("cjr->cj", self._diagonal(bands, i), out=weight[:, 0, i])

    def _diagonal(self, bands: np.ndarray, i: int) -> np.ndarray:
        """The places of kernel row i in bands (.., block, span), as a view (.., block)."""
        *outer, down, right = bands.strides
        start = bands[..., i * self.dilation[0] :]
        strides = (*outer, down + self.stride[0] * right)
        return as_strided(start, (*bands.shape[:-2], self.block), strides)

    # -- x ---------------------------------------------------------------------------------------

    def empty(self, x: np.ndarray) -> np.ndarray:
        """Zeros where some images of x are laid out; as many as `reach` lie behind the last."""
        columns = len(x) * self.width + self.reach
        return np.zeros((x.shape[1], self.height, self.stride[1], columns), x.dtype)

    def lay_out(self, x: np.ndarray) -> np.ndarray:
        """Lay some images (N, C, H, W) out, with their padding."""
        laid_out = self.empty(x)
        for place, pixels in self._pixels(laid_out, x):
            place[...] = pixels
        return laid_out

    def put_back(self, laid_out: np.ndarray, x: np.ndarray) -> None:
        """Write what is laid out into images: the inverse of `lay_out`, and its adjoint."""
        for place, pixels in self._pixels(laid_out, x):
            pixels[...] = place

    def _pixels(
        self, laid_out: np.ndarray, x: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield what belongs together, phase by phase: views (C, rows, N, columns) of both."""
        ordered = x.transpose(1, 2, 0, 3)
        images = self._by_image(laid_out[..., : len(x) * self.width], len(x))
        to_rows, from_rows = strided_overlap(self.height, x.shape[2], 1, -self.padding[0])
        for phase in range(self.stride[1]):
            offset = phase - self.padding[1]
            to, source = strided_overlap(self.width, x.shape[3], self.stride[1], offset)
            yield images[:, to_rows, phase, :, to], ordered[:, from_rows, :, source]

    def _by_image(self, columns: np.ndarray, count: int) -> np.ndarray:
        return columns.reshape(*columns.shape[:-1], count, self.width)

    def _columns(self, laid_out: np.ndarray, j: int) -> np.ndarray:
        """The pixels that kernel column j meets, as a view (C, height, columns)."""
        shift, phase = divmod(j * self.dilation[1], self.stride[1])
        count = laid_out.shape[3] - self.reach
        return laid_out[:, :, phase, shift : shift + count]

    def rows(self, laid_out: np.ndarray, j: int) -> np.ndarray:
        """The rows that each block meets with kernel column j: a view (C, blocks, span, columns).

        The rows of neighbouring blocks overlap.
        """
        columns = self._columns(laid_out, j)
        channel, row, number = columns.strides
        shape = (len(columns), self.blocks, self.span, columns.shape[2])
        strides = (channel, self.block * self.stride[0] * row, row, number)
        return as_strided(columns, shape, strides, writeable=False)

    def places(self, laid_out: np.ndarray, j: int) -> Iterator[np.ndarray]:
        """Yield the same block by block, to be added to: views (C, span, columns)."""
        columns, step = self._columns(laid_out, j), self.block * self.stride[0]
        for block in range(self.blocks):
            yield columns[:, block * step : block * step + self.span]

    # -- y ---------------------------------------------------------------------------------------

    def load(self, y: np.ndarray) -> np.ndarray:
        """Lay some images of y out as (C, blocks, block, columns), with zeros between them."""
        n, c, oh, ow = y.shape
        rows = np.zeros((c, self.blocks * self.block, n, self.width), y.dtype)
        rows[:, :oh, :, :ow] = y.transpose(1, 2, 0, 3)
        return rows.reshape(c, self.blocks, self.block, n * self.width)

    def store(self, rows: np.ndarray, y: np.ndarray) -> None:
        """Write such rows into y; what is between the images in them has no meaning."""
        n, c, oh, ow = y.shape
        by_image = self._by_image(rows.reshape(c, self.blocks * self.block, -1), n)
        y[...] = by_image[:, :oh, :, :ow].transpose(2, 0, 1, 3)


def _is_finite(array: np.ndarray) -> bool:
    """Whether all numbers are; False for some that are very large, too."""
    flat = array.reshape(-1)
    return bool(np.isfinite(np.dot(flat, flat)))


def _share(work: Callable[[Task], bool], bands: Bands, elements: int) -> bool:
    """Do the tasks in several threads; return whether all numbers were finite."""
    results: list[bool] = []

    def do(tasks: Iterator[Task]) -> None:
        results.extend(work(task) for task in tasks)

    share(do, bands.tasks(), elements * bands.kernel_size[1])
    return all(results)
