"""What a pretrained network sees in a photo: the scores of every cell, and of the whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minifcn.experiments.heatmap.photos import central_square, resize, size_text, sizes
from minifcn.kernels.geometry import CoordinateMap
from minifcn.models.pretrained import Model, Network
from minifcn.tensor import Tensor, no_grad


@dataclass(frozen=True)
class View:
    """An image as a network saw it.

    Attributes:
        image: uint8 (H, W, 3).
        scores: of every cell for every class, (classes, h, w).
        logits: what the classifier says about the image, (classes,).
        axes: for rows and for columns, where a pixel lies among the cells.
    """

    image: np.ndarray
    scores: np.ndarray
    logits: np.ndarray
    axes: tuple[CoordinateMap, CoordinateMap]

    @property
    def size(self) -> str:
        """Return width x height, as photographers write it."""
        return size_text(self.image.shape)

    @property
    def probabilities(self) -> np.ndarray:
        """Return the softmax of the logits."""
        exponentials = np.exp(self.logits - self.logits.max())
        return exponentials / exponentials.sum()

    def ranking(self) -> list[int]:
        """Return all classes, the likeliest first."""
        return np.argsort(-self.logits, kind="stable").tolist()

    def heatmap(self, number: int) -> np.ndarray:
        """Return the scores of a class at every pixel (H, W), bilinear between cells' centres."""
        rows, columns = (
            interpolation(size, cells, to_cells)
            for size, cells, to_cells in zip(
                self.image.shape[:2], self.scores.shape[1:], self.axes, strict=True
            )
        )
        return rows @ self.scores[number] @ columns.T


def views_of(network: Network, photo: np.ndarray, longest: int | None) -> dict[str, View]:
    """Show a photo to a network: a square as in training, and whole at two sizes."""
    trained, chosen = sizes(photo, network.shorter, longest)
    model, image = network.load(), resize(photo, trained)
    square = image[central_square(trained, network.crop)]
    return {
        "square, as trained": look(model, network, square),
        "whole, same scale": look(model, network, image),
        f"whole, {'chosen' if longest else 'own'} size": look(
            model, network, resize(photo, chosen)
        ),
    }


def look(model: Model, network: Network, image: np.ndarray) -> View:
    """Show an image, uint8 (H, W, 3), to a network.

    Logits are computed as the classifier does, by averaging features first, and score maps by the
    1x1 convolution: two ways through the same weights.
    """
    with no_grad():
        features = model.features(Tensor(network.prepare(image)[np.newaxis]))
        scores, logits = model.score_map(features), model.classify(features)
    axes = (model.to_cells(image.shape[0]), model.to_cells(image.shape[1]))
    return View(image, scores.numpy()[0], logits.numpy()[0], axes)


def interpolation(size: int, cells: int, to_cells: CoordinateMap) -> np.ndarray:
    """Return the matrix (size, cells) that interpolates linearly from cells to pixels.

    Pixel y lies at u = to_cells(y) among the cells, whose centres are at 0, 1, ..., and takes
    max(0, 1 - |u - j|) of cell j. Before the first centre, and after the last, it takes that cell.
    """
    positions = float(to_cells.scale) * np.arange(size) + float(to_cells.offset)
    inside = np.clip(positions, 0, cells - 1)
    tents = 1 - np.abs(inside[:, np.newaxis] - np.arange(cells))
    return np.maximum(tents, 0).astype(np.float32)
