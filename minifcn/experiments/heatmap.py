"""Where in a photograph are a classifier's scores high? Score maps of pretrained networks.

The networks have only ever been told what is in an image. Their last layer, as a 1x1 convolution,
scores every cell, at any size of the image. Training judged only the mean of these scores: whether
they are high where the object is has to be measured, as tutorial 14 does with masks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.data.images import read_image
from minifcn.experiments.experiment import Result, Table
from minifcn.kernels.geometry import CoordinateMap
from minifcn.models.pretrained import (
    NETWORKS,
    PHOTOS,
    Model,
    Network,
    class_names,
    find_class,
    first_name,
    locate,
    version,
)
from minifcn.plots.heatmaps import plot_heatmaps
from minifcn.tensor import Tensor, no_grad

TOP = 5
"""How many classes are listed."""

SHOWN, MOST = 2, 4
"""How many maps are drawn if no classes are asked for, and how many classes may be asked for."""

SMALLEST = 32
"""Pixels: the least that the longer side of an image may be resized to."""

MAX_PIXELS = 2**20
"""The most pixels that a network is given: about half a gigabyte and a few seconds."""


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
        return _size(self.image.shape)

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


def heatmap(
    image: str,
    out: Path,
    model: str = "efficientnet-lite0",
    classes: Sequence[str] = (),
    size: int | None = None,
) -> Result:
    """Classify a photo, and draw where in it the scores of its classes are high.

    The network is shown the photo three times: a square from its middle, as it was trained, which
    ranks the classes; the whole photo at the same scale; and the whole photo at a size of choice.

    Args:
        image: a file, or the name of one of PHOTOS.
        out: the folder for the picture; it is made once all is known to be right.
        model: the name of one of NETWORKS.
        classes: which classes to draw, by name or number; by default the likeliest.
        size: of the longer side of the third view, in pixels; by default the photo's own, or
            less for more than MAX_PIXELS.

    Raises:
        ValueError: an unknown model or class, a package that is not installed, a bad image or
            size.
    """
    network = _checked(model, classes)
    photo = read_image(find_photo(image))
    labels = class_names()
    wanted = list(dict.fromkeys(find_class(text, labels) for text in classes))
    views = _views(network, photo, size)
    crop, scaled, _ = views.values()
    drawn = wanted or crop.ranking()[:SHOWN]
    title = f"{network.title} on {image}"
    tables = {
        "classes": _class_table(title, labels, crop, wanted, network),
        "views": _view_table(views, labels, drawn),
    }
    findings = [_identity(crop), *(_place(scaled, number, labels) for number in drawn)]
    out.mkdir(parents=True, exist_ok=True)
    picture = out / "heatmap.png"
    _draw(picture, network.title, labels, drawn, list(views.values()))
    return Result(tables, findings, [picture])


def _checked(model: str, classes: Sequence[str]) -> Network:
    if model not in NETWORKS:
        raise ValueError(f"model must be one of {', '.join(NETWORKS)}; got {model!r}")
    if len(classes) > MOST:
        raise ValueError(f"classes must be at most {MOST}; got {len(classes)}")
    return NETWORKS[model]


# -- Photos and sizes ----------------------------------------------------------------------------


def find_photo(image: str) -> Path:
    """Return the path of a photo: `image` itself, or that of the photo of this name in PHOTOS."""
    if image in PHOTOS and not Path(image).is_file():
        return locate(PHOTOS[image])
    if not Path(image).exists():
        raise ValueError(f"{image}: no such file, and none of the photos {', '.join(PHOTOS)}")
    return Path(image)


def sizes(
    photo: np.ndarray, shorter: int, longest: int | None = None
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the sizes (H, W) of the two whole views of a photo.

    The first has `shorter` as its shorter side. The second has `longest` as its longer side; by
    default it is the photo's own, reduced to MAX_PIXELS.

    Raises:
        ValueError: longest is below SMALLEST, or a view would have more than MAX_PIXELS.
    """
    height, width = photo.shape[:2]
    if longest is not None and longest < SMALLEST:
        raise ValueError(f"size must be at least {SMALLEST} pixels; got {longest}")
    trained = _scaled((height, width), shorter / min(height, width))
    if math.prod(trained) > MAX_PIXELS:
        raise ValueError(
            f"image must be at most {MAX_PIXELS // shorter**2} times as long on one side as on the"
            f" other; got {_size((height, width))}"
        )
    own = min(1.0, math.sqrt(MAX_PIXELS / (height * width)))
    chosen = _scaled((height, width), longest / max(height, width) if longest else own)
    if longest and math.prod(chosen) > MAX_PIXELS:
        raise ValueError(f"size must make at most {MAX_PIXELS:,} pixels; got {_size(chosen)}")
    return trained, chosen


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    height, width = (max(1, round(n * factor)) for n in size)
    return height, width


def _size(shape: Sequence[int]) -> str:
    return f"{shape[1]}x{shape[0]}"


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image, uint8 (H, W, 3), to (height, width), bicubically, without aliasing."""
    from PIL.Image import Resampling, fromarray

    if image.shape[:2] == size:
        return image
    return np.array(fromarray(image).resize(size[::-1], Resampling.BICUBIC))


def central_square(size: tuple[int, ...], side: int) -> tuple[slice, slice]:
    """Return the rows and columns of the square in the middle of an image of size (H, W)."""
    top, left = ((n - side) // 2 for n in size)
    return slice(top, top + side), slice(left, left + side)


# -- What the network says -----------------------------------------------------------------------


def _views(network: Network, photo: np.ndarray, longest: int | None) -> dict[str, View]:
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


# -- What is told --------------------------------------------------------------------------------


def _class_table(
    title: str, labels: Sequence[str], crop: View, wanted: Sequence[int], network: Network
) -> Table:
    """The likeliest classes and those asked for, each with its logit and the mean of its map."""
    ranking = crop.ranking()
    means = crop.scores.mean((1, 2))
    rows = [
        {
            "rank": ranking.index(number) + 1,
            "number": str(number),
            "class": labels[number],
            "probability": crop.probabilities[number],
            "logit": crop.logits[number],
            "mean of map": means[number],
            "difference": abs(means[number] - crop.logits[number]),
        }
        for number in dict.fromkeys([*ranking[:TOP], *wanted])
    ]
    source = network.weights
    note = (
        f"The weights are those of the package {source.package} {version(source)}"
        f" ({source.licence}). Shown was the square of {crop.size} pixels from the middle."
    )
    return Table(title, rows, {"difference": ".1e"}, note)


def _view_table(views: Mapping[str, View], labels: Sequence[str], drawn: Iterable[int]) -> Table:
    rows = []
    for name, view in views.items():
        best = view.ranking()[0]
        row: dict[str, Any] = {"view": name, "pixels": view.size}
        row |= {"cells": _size(view.scores.shape[1:]), "top-1": first_name(labels[best])}
        row |= {"its probability": view.probabilities[best]}
        row |= {f"{first_name(labels[n])} ({n})": view.probabilities[n] for n in drawn}
        rows.append(row)
    note = (
        "A logit is the mean over all cells: what is around an object counts as much as the object."
    )
    return Table("The same network at other sizes", rows, note=note)


def _identity(view: View) -> str:
    difference = np.abs(view.scores.mean((1, 2)) - view.logits).max()
    return (
        f"the mean of a class's map is its logit: over all {len(view.logits):,} classes they differ"
        f" by at most {difference:.1e}, where the largest logit is {np.abs(view.logits).max():.1f}"
    )


def _place(view: View, number: int, labels: Sequence[str]) -> str:
    """Say where the strongest cell of a class is, and how much of the photo exceeds half of it."""
    name, scores, heat = first_name(labels[number]), view.scores[number], view.heatmap(number)
    if scores.max() <= 0:
        return f"{name}: no cell has a positive score"
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    y, x = (
        (float(to_cells.inverse()(int(i))) + 0.5) / size
        for i, to_cells, size in zip((row, column), view.axes, view.image.shape, strict=False)
    )
    share = (heat > scores.max() / 2).mean()
    return (
        f"{name}: the strongest cell is {x:.0%} from the left and {y:.0%} from the top;"
        f" {share:.0%} of the photo scores more than half of it"
    )


def _draw(
    path: Path, title: str, labels: Sequence[str], drawn: Sequence[int], views: Sequence[View]
) -> None:
    crop, *whole = views
    ranking = [(first_name(labels[n]), float(crop.probabilities[n])) for n in crop.ranking()[:TOP]]
    heatmaps = [(first_name(labels[n]), [view.heatmap(n) for view in whole]) for n in drawn]
    frame = _frame(whole[0].image.shape[:2], crop.image.shape[0])
    photo = max((view.image for view in whole), key=np.size)
    plot_heatmaps(path, title, photo, frame, ranking, heatmaps, [view.size for view in whole])


def _frame(size: tuple[int, ...], side: int) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of the central square as shares of the image."""
    rows, columns = central_square(size, side)
    return (
        columns.start / size[1],
        rows.start / size[0],
        columns.stop / size[1],
        rows.stop / size[0],
    )
