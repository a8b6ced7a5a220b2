"""Convolution arithmetic in grids: how many windows reach each cell of the input and the output."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from minifcn import kernels
from minifcn.kernels.geometry import conv_output_size, conv_remainder
from minifcn.plots.grids import BETWEEN, EXTRA, PADDING, Grid, Panel, draw_page, marked_window

Sizes: TypeAlias = tuple[int, int, int, int, int]
"""Input size, kernel, stride, padding and dilation of a direct convolution."""


def plot_direct(path: str | os.PathLike[str], figures: Sequence[tuple[str, Sizes]]) -> None:
    """Draw convolutions: the padded input, and the output that its windows are summed into.

    Args:
        path: the PNG to write.
        figures: names, and sizes i, k, s, p, d of a convolution of which a window fits.

    Raises:
        ValueError: if there are no figures, or path is not a PNG in an existing folder.
    """
    notes = (
        "Numbers in the input (squares): how many windows read the pixel. Hatched: padding.",
        "Numbers in the output (circles): how many pixels of the input went into it.",
        "Thick outlines: the last window, and the output computed from it.",
    )
    draw_page(path, [direct_panel(name, sizes) for name, sizes in figures], notes)


def plot_transposed(path: str | os.PathLike[str], figures: Sequence[tuple[str, Sizes]]) -> None:
    """Draw the transposed convolutions as convolutions of an input with zeros between and around.

    Args:
        path: the PNG to write.
        figures: names, and sizes i, k, s, p, d of the direct convolutions; p is at most d(k - 1).

    Raises:
        ValueError: if there are no figures, a padding is larger, or path is not a PNG in an
            existing folder.
    """
    notes = (
        "Names, k, s and p are those of the direct convolution, which leads back from the output.",
        "Numbers in the input (squares): how many outputs the pixel reaches. 0: zeros between the"
        " pixels.",
        "Hatched: k - 1 - p zeros around it; a: the output padding, at the bottom and the right.",
        "Numbers in the output (circles): how many pixels reach it. Thick outlines: the last"
        " window, and its output.",
    )
    draw_page(path, [transposed_panel(name, sizes) for name, sizes in figures], notes)


def direct_panel(name: str, sizes: Sizes) -> Panel:
    """Count for a convolution: the windows that read each pixel, and the pixels of each output."""
    i, k, s, p, d = sizes
    read_by, made_of = _reach(sizes)
    o = len(made_of)
    cells = np.pad(read_by, p, constant_values=PADDING)
    title = f"{name}: {_parameters(k, s, p, d)}"
    return Panel(
        title,
        Grid(f"input {i}×{i}", cells, marked_window(cells, (o - 1) * s, k, d)),
        Grid(f"output {o}×{o}", made_of, marked_window(made_of, o - 1)),
    )


def transposed_panel(name: str, sizes: Sizes) -> Panel:
    """Count for a transposed convolution: outputs reached by a pixel, pixels that reach each."""
    i, k, s, p, d = sizes
    reached_by, reaches = _reach(sizes)
    o, a = len(reaches), conv_remainder(*sizes)
    border = d * (k - 1) - p
    if border < 0:
        raise ValueError(f"padding must be at most d(k - 1) to be drawn; got {p} for k={k}, d={d}")
    stuffed = np.full((s * (o - 1) + 1,) * 2, BETWEEN)
    stuffed[::s, ::s] = reaches
    cells = np.pad(np.pad(stuffed, border, constant_values=PADDING), (0, a), constant_values=EXTRA)
    odd = f", a={a}" if a else ""
    title = f"{name}: {_parameters(k, s, p, d)}{odd}"
    return Panel(
        title,
        Grid(f"input {o}×{o}", cells, marked_window(cells, i - 1, k, d)),
        Grid(f"output {i}×{i}", reached_by, marked_window(reached_by, i - 1)),
    )


def _reach(sizes: Sizes) -> tuple[np.ndarray, np.ndarray]:
    """Run the kernels on ones: windows over each cell of the larger grid, cells in each window."""
    i, k, s, p, d = sizes
    o, a = conv_output_size(*sizes), conv_remainder(*sizes)
    ones = np.ones((1, 1, k, k))
    over = kernels.conv_transpose2d(np.ones((1, 1, o, o)), ones, s, p, a, d)
    within = kernels.conv2d(np.ones((1, 1, i, i)), ones, s, p, d)
    return over[0, 0].astype(np.int64), within[0, 0].astype(np.int64)


def _parameters(k: int, s: int, p: int, d: int) -> str:
    return f"k={k}, s={s}, p={p}" + (f", d={d}" if d > 1 else "")
