"""The tables of the checkerboard experiment: every number in them is measured on a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minifcn.experiments.checkerboard.layers import (
    CHANNELS,
    KERNELS,
    MIDDLE_ROWS,
    Downsampling,
    Upsampling,
    bilinear_map,
    convolve_resized,
    disc,
    features,
    input_gradient,
    noise,
    overlap_line,
    overlap_map,
    ramp,
    upsample,
)
from minifcn.experiments.experiment import Table
from minifcn.metrics.phases import (
    bilinear_ideal,
    phase_error,
    phase_means,
    phase_share,
    phase_spread,
    phase_sums,
    phase_unevenness,
    phase_variation,
)

Row = dict[str, Any]

WEIGHTED = ((3, 2), (4, 2), (5, 2), (5, 3), (6, 3), (16, 8), (63, 32), (64, 32))
"""Kernel sizes and strides for which ones and bilinear weights are compared."""

UPSAMPLINGS = (
    *(Upsampling("transposed", k, s) for k, s in ((3, 2), (5, 2), (2, 2), (4, 2), (6, 2))),
    *(Upsampling("transposed", k, s) for k, s in ((4, 3), (5, 3), (3, 3), (6, 3))),
    Upsampling("nearest", 3),
    Upsampling("bilinear", 3),
)
STACKED = tuple(
    Upsampling(mode, k) for mode, k in
    (("transposed", 3), ("transposed", 2), ("transposed", 4), ("nearest", 3), ("bilinear", 3))
)  # fmt: skip
"""What is stacked up to three layers high."""

CONVOLUTIONS = tuple(Downsampling("conv", k, s) for k, s in
                     ((3, 1), (1, 2), (2, 2), (3, 2), (4, 2), (5, 2)))  # fmt: skip
POOLINGS = tuple(Downsampling(kind, k, 2) for kind in ("average", "max") for k in (2, 3))
IMAGES = {"noise": noise, "ReLU(noise)": features}
"""What is pooled: a ReLU's zeros are ties, of which max-pooling takes the first."""

SIMPLE_IMAGES: dict[str, Callable[[], np.ndarray]] = {
    "constant": lambda: np.ones((SIZE, SIZE)),
    "ramp": lambda: ramp(SIZE)[0, 0],
    "noise": lambda: noise(np.random.default_rng(0), SIZE, 1)[0, 0],
    "disc": lambda: disc(SIZE)[0, 0],
}
"""What resize-convolutions are shown that have equal phase sums."""

MEASURES = (
    "Q: the phase means' share of the variance, V: the phase spreads'; U = Q + V. E: the same of"
    " what differs from the mean of each period, resized bilinearly, as a share of the output's"
    " variance."
)

SIZE = 32
"""Of the images that the measures are taken on: 32x32 before upsampling, 128x128 for gradients."""


def overlap_table() -> Table:
    """Count how many windows overlap in each phase, for a grid of kernels and strides."""
    rows = [overlap_row(k, s) for s in (2, 3, 4) for k in range(s, 9)]
    note = "Windows over an output pixel, by phase; in two dimensions the counts multiply. CV: the"
    note += "\ncoefficient of variation of the phases' means, where all weights are 1. After Odena,"
    note += '\nDumoulin and Olah (2016), "Deconvolution and Checkerboard Artifacts".'
    return Table("Overlaps of a transposed convolution", rows, note=note)


def overlap_row(k: int, s: int) -> Row:
    """Compare what a layer stamps with the formula ceil((k - a) / s), phase by phase."""
    line, plane = overlap_line(k, s, 2 * k), overlap_map(k, s, 2 * k)
    formula = phase_sums(np.ones(k), s)
    in_line = line[k // s * s :][:s]
    in_plane = phase_means(plane, s, k)
    return {
        "s": s,
        "k": k,
        "s divides k": k % s == 0,
        "one dimension": _listed(in_line),
        "two dimensions": _listed(np.unique(in_plane)),
        "fewest": int(in_plane.min()),
        "most": int(in_plane.max()),
        "even": bool(in_plane.min() == in_plane.max()),
        "CV": float(phase_variation(plane, s, k)),
        "as the formula": bool(
            (in_line == formula).all() and (in_plane == np.outer(formula, formula)).all()
        ),
    }


def _listed(counts: np.ndarray) -> str:
    return " ".join(str(int(count)) for count in counts)


def weighted_table() -> Table:
    """Compare the phases of kernels of ones and of bilinear kernels."""
    note = "A bilinear kernel made for its stride, k = 2s or 2s - 1, has weights that sum to 1 in"
    note += "\nevery phase, however uneven the counts: what matters is the weighted sum."
    rows = [weighted_row(k, s) for k, s in WEIGHTED]
    return Table("Weighted sums by phase", rows, {"bilinear CV": ".1e"}, note)


def weighted_row(k: int, s: int) -> Row:
    """Stamp an image of ones with both kernels."""
    ones, bilinear = overlap_map(k, s, 6), bilinear_map(k, s, 6)
    counts, sums = (phase_means(y, s, k) for y in (ones, bilinear))
    return {
        "k": k,
        "s": s,
        "counts": f"{counts.min():.0f} to {counts.max():.0f}",
        "counts CV": float(phase_variation(ones, s, k)),
        "bilinear sums": f"{sums.min():.3f} to {sums.max():.3f}",
        "bilinear CV": float(phase_variation(bilinear, s, k)),
    }


def output_table(seeds: Sequence[int]) -> Table:
    """Measure single layers with each kind of kernel."""
    rows = [output_row(layer, kind, seeds) for kind in KERNELS for layer in UPSAMPLINGS]
    note = f"{CHANNELS} channels, {len(seeds)} seeds. CV: phases of a constant image's output; not"
    note += "\ndefined for kernels whose mean is near 0. The others are of random features (normal"
    note += f"\nnoise after a ReLU); lowest and highest over the seeds.\n{MEASURES}"
    return Table("One layer", rows, note=note)


def output_row(layer: Upsampling, kind: str, seeds: Sequence[int]) -> Row:
    """Average CV on a constant image, and Q, V, U, E on random features, over the seeds."""
    measured = [measures_of_noise([layer], kind, seed) for seed in seeds]
    return {
        "kernel": kind,
        "layer": layer.name,
        "CV": None if kind == "Gaussian" else _mean_variation([layer], kind, seeds),
        "Q": _mean(measured, "Q"),
        "lowest Q": min(own["Q"] for own in measured),
        "highest Q": max(own["Q"] for own in measured),
        **{name: _mean(measured, name) for name in ("V", "U", "E")},
        "highest U": max(own["U"] for own in measured),
    }


def _mean(rows: Sequence[Row], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


def stack_table(seeds: Sequence[int]) -> Table:
    """Measure one, two and three layers of the same kind."""
    rows = [
        stack_row(layer, kind, depth, seeds)
        for kind in KERNELS for layer in STACKED for depth in (1, 2, 3)
    ]  # fmt: skip
    note = "As above; n layers of stride 2 have phases that repeat every 2^n pixels. Where there"
    note += (
        "\nis no CV, signs differ; largest / smallest is that of the phases of a constant image."
    )
    return Table("Stacks of layers, with ReLUs between", rows, {"largest / smallest": ".2f"}, note)


def stack_row(layer: Upsampling, kind: str, depth: int, seeds: Sequence[int]) -> Row:
    """Average the measures of a stack over the seeds."""
    layers = [layer] * depth
    measured = [measures_of_noise(layers, kind, seed) for seed in seeds]
    signed = kind == "Gaussian"
    return {
        "kernel": kind,
        "layer": layer.name,
        "layers": depth,
        "CV": None if signed else _mean_variation(layers, kind, seeds),
        "largest / smallest": None if signed else _mean_ratio(layers, kind, seeds),
        **{name: _mean(measured, name) for name in ("Q", "V", "U", "E")},
        "highest U": max(own["U"] for own in measured),
    }


def constant_output(layers: Sequence[Upsampling], kind: str, seed: int) -> np.ndarray:
    """Upsample a constant image by layers with kernels drawn from a seed: (1, CHANNELS, H, W)."""
    ones = np.ones((1, CHANNELS, 12, 12))
    return upsample(ones, layers, KERNELS[kind], np.random.default_rng(seed))


def _mean_variation(layers: Sequence[Upsampling], kind: str, seeds: Sequence[int]) -> float:
    period = _period(layers)
    outputs = [constant_output(layers, kind, seed) for seed in seeds]
    return float(np.mean([phase_variation(y, period, 4 * period) for y in outputs]))


def _mean_ratio(layers: Sequence[Upsampling], kind: str, seeds: Sequence[int]) -> float:
    period = _period(layers)
    outputs = [constant_output(layers, kind, seed) for seed in seeds]
    means = np.array([phase_means(y, period, 4 * period) for y in outputs])
    return float((means.max(axis=(-2, -1)) / means.min(axis=(-2, -1))).mean())


def measures_of_noise(layers: Sequence[Upsampling], kind: str, seed: int) -> Row:
    """Return Q, V, U and E, averaged over the channels, of random features upsampled by layers."""
    generator, period = np.random.default_rng(seed), _period(layers)
    y = upsample(features(generator, SIZE), layers, KERNELS[kind], generator)
    return measures_of(y, period, 4 * period)


def measures_of(y: np.ndarray, period: int, margin: int) -> Row:
    """Return Q, V, U and E by name, averaged over the planes of y (..., H, W)."""
    return {
        "Q": float(phase_share(y, period, margin).mean()),
        "V": float(phase_spread(y, period, margin).mean()),
        "U": float(phase_unevenness(y, period, margin).mean()),
        "E": float(phase_error(y, bilinear_ideal(y, period), period, margin).mean()),
    }


def _period(layers: Sequence[Upsampling]) -> int:
    return int(np.prod([layer.stride for layer in layers]))


def counterexample_table() -> Table:
    """Measure resize-convolutions whose phase sums are equal, and that paint all the same."""
    rows = [
        counterexample_row(name, mode, image)
        for name in MIDDLE_ROWS for mode in ("nearest", "bilinear") for image in SIMPLE_IMAGES
    ]  # fmt: skip
    note = "Twice as large, then a 3x3 kernel that has only a middle row. Pixels: four neighbours"
    note += " in a row,\nfrom an even column on. A constant output has no variance to share: its"
    note += f" measures are 0/0, said to be 0.\n{MEASURES}"
    return Table("Equal phase sums, and what they do not rule out", rows, note=note)


def counterexample_row(name: str, mode: str, image: str) -> Row:
    """Resize an image and convolve it with a middle row; all phase sums are its sum."""
    y = convolve_resized(SIMPLE_IMAGES[image](), mode, MIDDLE_ROWS[name])
    return {
        "middle row": name,
        "resizing": mode,
        "image": image,
        "phase sums": float(sum(MIDDLE_ROWS[name])),
        "pixels": " ".join(f"{value:.2f}" for value in y[SIZE, SIZE // 2 :][:4]),
        **measures_of(y, 2, 8),
    }


def gradient_table(seeds: Sequence[int]) -> Table:
    """Measure the gradient that strided layers send back to their input."""
    rows = [gradient_row(layer, kind, "noise", seeds) for kind in ("ones", "positive")
            for layer in CONVOLUTIONS]  # fmt: skip
    rows += [gradient_row(layer, "-", image, seeds) for image in IMAGES for layer in POOLINGS]
    note = "Gradient of the sum of the outputs: every output sends 1 back. CV: its phases, averaged"
    note += f"\nover {CHANNELS} channels. Without: the share of pixels that get no gradient at all."
    note += "\nWhere max-pooling sends it depends on the input, so that chance adds to its CV."
    return Table("Gradients with respect to the input", rows, {"without": ".0%"}, note)


def gradient_row(layer: Downsampling, kind: str, image: str, seeds: Sequence[int]) -> Row:
    """Average the CV of the gradient over the seeds; a convolution has kernels of a kind."""
    k, period = layer.kernel, max(layer.stride, 2)
    gradients = [gradient_of(layer, kind, image, seed) for seed in seeds]
    return {
        "layer": layer.name,
        "kernel": kind,
        "input": image,
        "CV": float(np.mean([phase_variation(g.mean(axis=0), period, k) for g in gradients])),
        "without": float(np.mean([g[:, k:-k, k:-k] == 0 for g in gradients])),
    }


def gradient_of(layer: Downsampling, kind: str, image: str, seed: int) -> np.ndarray:
    """Send ones back to an image, with kernels drawn from a seed: (CHANNELS, H, W)."""
    generator = np.random.default_rng(seed)
    x = IMAGES[image](generator, 4 * SIZE)
    return input_gradient(layer, x, KERNELS.get(kind, KERNELS["ones"]), generator)[0]
