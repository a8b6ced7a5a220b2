"""Linear probes: what can be read off a stage's features by a linear map, and what cannot.

A probe is asked for something at a pixel: the colour around it, the orientation of the edge it is
on, the shape it belongs to. It sees the features of one stage, interpolated to that pixel, as the
score layers of an FCN do, whose 1x1 convolutions are linear probes themselves.

Source: Alain and Bengio (2016), Understanding intermediate layers using linear classifier probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minifcn.data.transforms import MEAN, STD
from minifcn.kernels.geometry import source_positions

WINDOW = 5
"""Pixels: the side of the window whose mean colour is asked for."""

BINS = 8
"""Orientations of edges that are told apart, each 180 / BINS degrees wide."""

LEAST_GRADIENT = 0.1
"""How much a colour must change per pixel at an edge, of a colour range of 1."""


class Positions(NamedTuple):
    """Pixels of a set of scenes, and what is asked there.

    scene, row, column: int64 (P,); targets: (P, 3) colours, or (P,) labels from 0 on.
    """

    scene: np.ndarray
    row: np.ndarray
    column: np.ndarray
    targets: np.ndarray


# -- What is asked, and where --------------------------------------------------------------------


def colours(images: np.ndarray, count: int, generator: np.random.Generator) -> Positions:
    """Draw pixels, and the mean colour, 0 to 1, of the WINDOW x WINDOW pixels around each.

    images: normalised, (N, 3, H, W).
    """
    scenes, _, height, width = images.shape
    reach = WINDOW // 2
    scene = generator.integers(scenes, size=count)
    row = generator.integers(reach, height - reach, size=count)
    column = generator.integers(reach, width - reach, size=count)
    windows = _windows(images, WINDOW)[scene, :, row - reach, column - reach]
    means = windows.mean((2, 3), dtype=np.float64)
    return Positions(scene, row, column, means * STD + MEAN)


def orientations(images: np.ndarray, count: int, generator: np.random.Generator) -> Positions:
    """Draw pixels on strong edges, and the orientation of the colour's gradient, in BINS bins.

    Equally many of each bin; bin 0 is centred at 0 degrees, where colours change along the row.
    """
    angle, strength = gradients(images)
    bins = np.round(angle / (np.pi / BINS)).astype(np.int64) % BINS
    return _balanced(np.where(strength >= LEAST_GRADIENT, bins, -1), BINS, count, generator, 1)


def shapes(masks: np.ndarray, count: int, generator: np.random.Generator) -> Positions:
    """Draw pixels of objects, equally many of each of the five classes, and the class less 1."""
    return _balanced(masks.astype(np.int64) - 1, 5, count, generator)


def gradients(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return angle, modulo 180 degrees, and length of the colour's gradient at inner pixels.

    By Sobel's filters, per pixel, in the channel in which it is longest. images: normalised,
    (N, 3, H, W). Returns (N, H - 2, W - 2) twice: radians in [0, pi), and colour per pixel.
    """
    windows = _windows(images * STD[:, None, None], 3).astype(np.float64)
    across = np.outer([1, 2, 1], [-1, 0, 1]) / 8
    x = np.einsum("nchwij,ij->nchw", windows, across)
    y = np.einsum("nchwij,ij->nchw", windows, across.T)
    lengths = np.hypot(x, y)
    longest = lengths.argmax(1)[:, None]
    x, y, length = (np.take_along_axis(a, longest, 1)[:, 0] for a in (x, y, lengths))
    return np.arctan2(y, x) % np.pi, length


def _windows(images: np.ndarray, side: int) -> np.ndarray:
    """Return a view (N, C, H - side + 1, W - side + 1, side, side) of all windows."""
    return np.lib.stride_tricks.sliding_window_view(images, (side, side), (2, 3))


def _balanced(
    labels: np.ndarray, classes: int, count: int, generator: np.random.Generator, border: int = 0
) -> Positions:
    """Draw count // classes pixels of each label 0 to classes - 1 from maps (N, H, W).

    border: what to add to rows and columns, where the maps are those of inner pixels.

    Raises:
        ValueError: a label has no pixel.
    """
    drawn = []
    for label in range(classes):
        places = np.argwhere(labels == label)
        if not len(places):
            raise ValueError(f"scenes must show every class to probe for; none shows {label}")
        drawn.append(places[generator.integers(len(places), size=count // classes)])
    scene, row, column = np.concatenate(drawn).T
    targets = np.repeat(np.arange(classes), count // classes)
    return Positions(scene, row + border, column + border, targets)


# -- What a probe sees ---------------------------------------------------------------------------


def interpolated(maps: np.ndarray, stride: int, positions: Positions) -> np.ndarray:
    """Return features (P, C) at pixels, bilinearly between the cells of maps (N, C, h, w).

    The same as upsampling the maps `stride` times (without align_corners) and picking the pixels.
    """
    height, width = maps.shape[2:]
    rows = source_positions(height, height * stride, 1 / stride, False)[positions.row]
    columns = source_positions(width, width * stride, 1 / stride, False)[positions.column]
    total = np.zeros((len(rows), maps.shape[1]))
    for i, row_weight in _neighbours(rows, height):
        for j, column_weight in _neighbours(columns, width):
            weight = (row_weight * column_weight)[:, None]
            total += weight * maps[positions.scene, :, i, j]
    return total


def _neighbours(places: np.ndarray, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the cells before and after each place along an axis, with their weights."""
    before = np.floor(places).astype(np.int64)
    share = places - before
    return [(before, 1 - share), (np.minimum(before + 1, size - 1), share)]


def raw_patches(images: np.ndarray, positions: Positions) -> np.ndarray:
    """Return the 3x3 pixels around each position, (P, 27), zeros beyond the border: the baseline.

    It is what a filter of the first layer sees.
    """
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = _windows(padded, 3)[positions.scene, :, positions.row, positions.column]
    return windows.reshape(len(windows), -1).astype(np.float64)


# -- The probe -----------------------------------------------------------------------------------


class Probe(NamedTuple):
    """A linear map of standardised features: y = ((x - mean) / deviation) W + b."""

    mean: np.ndarray
    deviation: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Map features (P, C) to outputs (P, K)."""
        return (features - self.mean) / self.deviation @ self.weight + self.bias


def ridge(features: np.ndarray, outputs: np.ndarray, penalty: float = 1e-3) -> Probe:
    """Fit a linear map by least squares, with a penalty: in closed form.

    With X the standardised features (P, C) and Y the outputs (P, K) less their mean,

        W = (X^T X / P + penalty I)^-1 X^T Y / P.

    A feature that never changes gets the weight 0.
    """
    mean, deviation = features.mean(0), features.std(0)
    deviation = np.where(deviation > 0, deviation, 1)
    x, bias = (features - mean) / deviation, outputs.mean(0)
    moments = x.T @ x / len(x) + penalty * np.eye(x.shape[1])
    weight = np.linalg.solve(moments, x.T @ (outputs - bias) / len(x))
    return Probe(mean, deviation, weight, bias)


def r_squared(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return 1 - (squared errors) / (squared distances to the mean), (P, K), the mean over K."""
    errors = ((truth - predicted) ** 2).sum(0)
    return float((1 - errors / ((truth - truth.mean(0)) ** 2).sum(0)).mean())


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return the share of labels (P,) that are right, class by class, then the mean."""
    return float(
        np.mean([(predicted[truth == label] == label).mean() for label in np.unique(truth)])
    )


def probe(train: np.ndarray, asked: np.ndarray, test: np.ndarray, truth: np.ndarray) -> float:
    """Fit a probe and return its score on other positions.

    Args:
        train: features (P, C) of the positions to fit with.
        asked: what is asked there: (P, K) numbers, or (P,) labels, which become one-hot vectors.
        test: features (Q, C) of the positions to score.
        truth: what is asked there.

    Returns:
        R^2 for numbers; for labels the balanced accuracy of the class with the largest output.
    """
    if asked.ndim == 2:
        return r_squared(truth, ridge(train, asked)(test))
    outputs = ridge(train, np.eye(asked.max() + 1)[asked])(test)
    return balanced_accuracy(truth, outputs.argmax(1))


def probe_all(
    train: Sequence[np.ndarray], asked: np.ndarray, test: Sequence[np.ndarray], truth: np.ndarray
) -> list[float]:
    """Return the score of a probe for each kind of features."""
    return [probe(own, asked, other, truth) for own, other in zip(train, test, strict=True)]
