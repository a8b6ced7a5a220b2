"""The pictures of the checkerboard experiment: what is drawn, computed by the layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from minifcn.experiments.checkerboard.layers import (
    CHANNELS,
    KERNELS,
    MIDDLE_ROWS,
    Downsampling,
    Upsampling,
    convolve_resized,
    disc,
    input_gradient,
    noise,
    overlap_map,
    ramp,
    upsample,
)
from minifcn.metrics.phases import phase_share, phase_sums, phase_unevenness, phase_variation
from minifcn.plots.checkerboard import CountMap, OutputRow, plot_counts, plot_outputs, plot_stamps

CASES = ((3, 2), (2, 2), (5, 2), (4, 2), (4, 3), (6, 3))
"""Kernel sizes and strides: uneven ones on the left of a page, even ones on the right."""

SHOWN = (
    Upsampling("transposed", 3),
    Upsampling("transposed", 4),
    Upsampling("nearest", 3),
    Upsampling("bilinear", 3),
)
"""The columns of the picture of outputs."""

GRADIENTS = (
    Downsampling("conv", 3, 2),
    Downsampling("conv", 4, 2),
    Downsampling("conv", 1, 2),
    Downsampling("conv", 2, 2),
    Downsampling("max", 3, 2),
    Downsampling("max", 2, 2),
)

INNER, BORDER = 14, 2
"""Input pixels along an axis that are shown, and those around them that are not."""


def draw_counts(path: Path) -> None:
    """Draw the overlaps of transposed convolutions of ones."""
    maps = [count_map(k, s) for k, s in CASES]
    notes = (
        "Squares: an input of ones. Circles: the output of a transposed convolution with a kernel"
        " of ones, which",
        "counts the windows over each pixel. Outlined: a pixel, and the window that it stamps.",
    )
    plot_counts(path, maps, notes)


def count_map(k: int, s: int) -> CountMap:
    """Count the overlaps of a few windows; as many as a page is wide for."""
    counts = phase_sums(np.ones((k, k), np.int64), s)
    evenness = "even" if counts.min() == counts.max() else "uneven"
    title = f"k={k}, s={s}: {evenness}, " + ", ".join(str(n) for n in np.unique(counts))
    return CountMap(title, "input", "output", overlap_map(k, s, 4 if s == 2 else 3), k, s)


def draw_gradients(path: Path) -> None:
    """Draw the gradients of strided layers with one channel; pooling sees noise."""
    notes = (
        "Squares: the gradient that comes back to the output, 1 each. Circles: the gradient that"
        " goes on to the input.",
        "Convolutions have kernels of ones; max-pooling sees random numbers, and sends each 1 to"
        " the largest of a window.",
        "Outlined: an output, and the window that it was computed from.",
    )
    plot_counts(path, [gradient_map(layer) for layer in GRADIENTS], notes)


def gradient_map(layer: Downsampling, outputs: int = 4) -> CountMap:
    """Return the gradient with respect to the input of a layer with 4x4 outputs."""
    generator = np.random.default_rng(0)
    x = noise(generator, layer.stride * (outputs - 1) + layer.kernel, channels=1)
    gradient = input_gradient(layer, x, KERNELS["ones"], generator)[0, 0]
    return CountMap(
        layer.name, "at the output", "at the input", gradient, layer.kernel, layer.stride
    )


def draw_outputs(path: Path, seeds: Sequence[int] = (0,)) -> None:
    """Draw what single layers and stacks of three make of a constant image and of a disc."""
    size = INNER + 2 * BORDER
    constant, shape = np.ones((1, CHANNELS, size, size)), np.repeat(disc(size), CHANNELS, axis=1)
    most = f"kernels of {CHANNELS} channels; of {len(seeds)} seeds that nearest to their mean Q"
    rows = [
        output_row("A constant image, kernels of ones", constant, "ones"),
        output_row("A disc, kernels of ones", shape, "ones"),
        output_row(f"A disc, random positive {most}", shape, "positive", 1, seeds),
        output_row(f"A disc, three layers of random positive {most}", shape, "positive", 3, seeds),
        output_row(f"A disc, random Gaussian {most}", shape, "Gaussian", 1, seeds),
    ]
    plot_outputs(path, [layer.name for layer in SHOWN], rows)


def output_row(
    title: str, image: np.ndarray, kind: str, depth: int = 1, seeds: Sequence[int] = (0,)
) -> OutputRow:
    """Upsample an image (1, C, H, W) by each of SHOWN; show the most typical seed's output."""
    typical = [typical_output(image, [layer] * depth, kind, seeds) for layer in SHOWN]
    outputs = [plane for plane, *_ in typical]
    captions = [caption(values, unevenness) for _, values, unevenness in typical]
    return OutputRow(title, _inner(image, 1), outputs, captions, kind != "Gaussian")


def typical_output(
    image: np.ndarray, layers: Sequence[Upsampling], kind: str, seeds: Sequence[int]
) -> tuple[np.ndarray, list[float], list[float]]:
    """Upsample an image (1, C, H, W) with the kernels of each seed, and look at channel 0.

    Returns the plane whose measure is nearest to the mean over the seeds, and the measures, its own
    first: CV for a constant image; for one with content Q, and, in the same order, U.
    """
    scale = 2 ** len(layers)
    constant = image.min() == image.max()
    measure = phase_variation if constant else phase_share
    generators = [np.random.default_rng(seed) for seed in seeds]
    planes = [_inner(upsample(image, layers, KERNELS[kind], own), scale) for own in generators]
    values = [float(measure(plane, scale)) for plane in planes]
    order = np.argsort(np.abs(np.array(values) - np.mean(values)), kind="stable")
    uneven = [] if constant else [float(phase_unevenness(planes[i], scale)) for i in order]
    return planes[order[0]], [values[i] for i in order], uneven


def caption(values: Sequence[float], unevenness: Sequence[float]) -> str:
    """Write what is measured on what is shown and, where there are several seeds, their mean.

    values are Q, with the unevenness U in a second line; where there is none, they are CV.
    """
    if not unevenness:
        return _with_mean("CV", values)
    return "\n".join((_with_mean("Q", values), _with_mean("U", unevenness)))


def _with_mean(name: str, values: Sequence[float]) -> str:
    shown = f"{name} {values[0]:.3f}"
    return shown if len(values) == 1 else f"{shown}, mean {np.mean(values):.3f}"


def draw_counterexamples(path: Path) -> None:
    """Draw resize-convolutions with equal phase sums that keep an image, and that paint."""
    size = INNER + 2 * BORDER
    noisy = noise(np.random.default_rng(0), size, channels=1)
    rows = [
        counterexample_row("A constant image", np.ones((1, 1, size, size))),
        counterexample_row("A ramp: each column is brighter by 1 than the one before", ramp(size)),
        counterexample_row("Noise", noisy, from_zero=False),
        counterexample_row("A disc", disc(size), from_zero=False),
    ]
    columns = [f"{mode}, ({row})" for row in MIDDLE_ROWS for mode in ("nearest", "bilinear")]
    note = (
        "On top: the resizing and the kernel's middle row. Black is 0; for noise and what becomes"
        " of the disc it is the lowest value."
    )
    plot_outputs(path, columns, rows, note)


def counterexample_row(title: str, image: np.ndarray, from_zero: bool = True) -> OutputRow:
    """Resize an image (1, 1, H, W) in two ways, and convolve with each of MIDDLE_ROWS."""
    planes = [
        convolve_resized(image[0, 0], mode, row)
        for row in MIDDLE_ROWS.values() for mode in ("nearest", "bilinear")
    ]  # fmt: skip
    outputs = [_inner(plane[None, None], 2) for plane in planes]
    captions = [_caption_or_constant(y) for y in outputs]
    return OutputRow(title, _inner(image, 1), outputs, captions, from_zero)


def _caption_or_constant(y: np.ndarray) -> str:
    """Say where there is no variance to share."""
    if y.min() == y.max():
        return "constant: 0/0"
    return caption([float(phase_share(y, 2))], [float(phase_unevenness(y, 2))])


def _inner(y: np.ndarray, scale: int) -> np.ndarray:
    """Cut off the border, where fewer windows reach; return the one plane that there is."""
    border = BORDER * scale
    return y[0, 0, border:-border, border:-border]


def draw_stamps(path: Path) -> None:
    """Draw the stamps along a line for the same kernels and strides as the overlaps."""
    plot_stamps(path, CASES)


def draw_all(out: Path, seeds: Sequence[int]) -> list[Path]:
    """Draw everything into a folder; return the files, in the order to look at them."""
    pictures: dict[str, Callable[[Path], None]] = {
        "stamps": draw_stamps,
        "counts": draw_counts,
        "outputs": partial(draw_outputs, seeds=seeds),
        "counterexamples": draw_counterexamples,
        "gradients": draw_gradients,
    }
    paths = {name: out / f"checkerboard_{name}.png" for name in pictures}
    for name, draw in pictures.items():
        draw(paths[name])
    return list(paths.values())
