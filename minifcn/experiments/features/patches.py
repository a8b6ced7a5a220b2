"""What excites a unit most: receptive fields cut out of scenes, and how alike they are.

A unit is a channel of a stage's output. Source: Zeiler and Fergus (2014), Visualizing and
Understanding Convolutional Networks, figure 2, which shows such patches for a network of ImageNet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minifcn import nn
from minifcn.data import Shapes
from minifcn.data.transforms import MEAN, STD, denormalise
from minifcn.experiments.scenes import parts, read, same_sized
from minifcn.kernels.geometry import ReceptiveField, Window, receptive_field
from minifcn.models.fcn import FCN
from minifcn.tensor import Tensor, no_grad

STAGES = 5
SIDE = 256
"""Of the scenes to cut patches from, so that the largest receptive field fits in many times."""

UNITS, PATCHES = 4, 6
"""How many units a stage, and patches a unit, are drawn."""

ALIKE = 8
"""The likeness of a unit's patches is that of so many."""


class LargeScenes(NamedTuple):
    """Large scenes to cut patches from: images (N, 3, SIDE, SIDE), normalised, and masks."""

    images: np.ndarray
    masks: np.ndarray


def draw_large_scenes(count: int) -> LargeScenes:
    """Draw larger scenes, with objects of the standard size, as dense as in the standard ones."""
    return LargeScenes(*read(Shapes("val", count, (SIDE, SIDE), design=same_sized(SIDE, (28, 50)))))


def stages_of(network: FCN) -> list[nn.Module]:
    """Return the five stages of an FCN's backbone."""
    return [getattr(network.backbone, f"stage{k}") for k in range(1, STAGES + 1)]


def fields_of(network: FCN) -> list[ReceptiveField]:
    """Return what a cell of each stage's output sees of the image, along an axis."""
    windows: list[Window] = []
    fields = []
    for stage in stages_of(network):
        windows += [w for module in stage.modules() for w in _window(module)]
        fields.append(receptive_field(windows))
    return fields


def _window(module: nn.Module) -> list[Window]:
    """Return a layer as geometry sees it, or nothing for layers that stay within a pixel."""
    if isinstance(module, nn.Conv2d):
        return [Window(module.weight.shape[2], _int(module.stride), _int(module.padding))]
    if isinstance(module, nn.MaxPool2d):
        kernel = _int(module.kernel_size)
        return [Window(kernel, kernel, _int(module.padding))]
    return []


def _int(number: object) -> int:
    """Return what is a number and not a pair of them, as in all layers of an FCN."""
    assert isinstance(number, int)
    return number


def stage_maps(network: FCN, images: np.ndarray) -> list[np.ndarray]:
    """Return the outputs (N, C, h, w) of the five stages for images (N, 3, H, W)."""
    outputs: list[list[np.ndarray]] = [[] for _ in range(STAGES)]
    with no_grad():
        for part in parts(len(images)):
            x = Tensor(images[part])
            for stage, output in zip(stages_of(network), outputs, strict=True):
                x = stage(x)
                output.append(x.data)
    return [np.concatenate(output) for output in outputs]


# -- The strongest cells -------------------------------------------------------------------------


class Strongest(NamedTuple):
    """For each scene and unit the strongest cell: its activation, row and column, (N, C) each."""

    value: np.ndarray
    row: np.ndarray
    column: np.ndarray


def strongest(maps: np.ndarray, field: ReceptiveField, side: int) -> Strongest:
    """Find the strongest cell of each unit in each scene, the first of equals.

    Only cells whose receptive field lies inside the image count: their patches are whole, and no
    unit is excited by the zeros around.

    Args:
        maps: a stage's output, (N, C, h, w).
        field: of the stage.
        side: of the scenes, which are square.
    """
    first, last = whole_cells(field, side)
    inside = maps[:, :, first:last, first:last]
    places = inside.reshape(*maps.shape[:2], -1).argmax(2)
    row, column = np.divmod(places, last - first)
    value = inside.max((2, 3))
    return Strongest(value, row + first, column + first)


def whole_cells(field: ReceptiveField, side: int) -> tuple[int, int]:
    """Return the first cell whose receptive field is inside the image, and one after the last.

    Raises:
        ValueError: no receptive field fits into `side` pixels.
    """
    first = -(field.start // field.stride)
    last = (side - field.size - field.start) // field.stride + 1
    if last <= first:
        raise ValueError(f"side must hold a receptive field of {field.size} pixels; got {side}")
    return first, last


def top_scenes(found: Strongest, unit: int, count: int) -> np.ndarray:
    """Return the scenes that excite a unit most, strongest first: no two patches from one scene."""
    return np.argsort(-found.value[:, unit], kind="stable")[:count]


def alive(found: Strongest, count: int) -> list[int]:
    """Return the first `count` units that at least one scene excites."""
    return np.flatnonzero(found.value.max(0) > 0)[:count].tolist()


def cut(image: np.ndarray, field: ReceptiveField, row: int, column: int) -> np.ndarray:
    """Return the receptive field of a cell, (..., size, size), of an image (..., H, W)."""
    top, left = field.start + field.stride * row, field.start + field.stride * column
    return image[..., top : top + field.size, left : left + field.size]


# -- How alike the patches of a unit are ---------------------------------------------------------


def cell_square(image: np.ndarray, stride: int, row: int, column: int) -> np.ndarray:
    """Return the stride x stride pixels that a cell stands for, of an image (..., H, W)."""
    return image[..., stride * row : stride * (row + 1), stride * column : stride * (column + 1)]


def nearest_shape(labels: np.ndarray) -> int:
    """Return the class of the object pixel that is nearest to the middle of a patch (side, side).

    The first of equally near ones; 0 where there is no object. Not the class of the middle itself:
    a cell that answers to a ring may well lie in its hole.
    """
    row, column = np.nonzero(labels)
    if not len(row):
        return 0
    middle = (len(labels) - 1) / 2
    return int(labels[row, column][np.hypot(row - middle, column - middle).argmin()])


def likeness(classes: np.ndarray, colours: np.ndarray) -> tuple[float, float]:
    """Return how alike some patches are in what they show and in colour.

    Args:
        classes: of each patch, (K,); 0 where it shows none.
        colours: the mean colour of each patch, (K, 3).

    Returns:
        The share of the most frequent class but 0, from 0 to 1; and the root of the mean
        squared distance to the mean colour: 0 for patches of one colour.
    """
    frequent = np.bincount(classes, minlength=2)[1:].max()
    spread = np.sqrt(((colours - colours.mean(0)) ** 2).sum(1).mean())
    return float(frequent / len(classes)), float(spread)


def likeness_of_units(network: FCN, scenes: LargeScenes) -> np.ndarray:
    """Return the mean likeness, over a stage's units, of the patches that excite each: (5, 2).

    See `likeness`; the colour is that of the square that a cell stands for.
    """
    stages = []
    for field, maps in zip(fields_of(network), stage_maps(network, scenes.images), strict=True):
        found = strongest(maps, field, SIDE)
        cells = [
            [(n, found.row[n, unit], found.column[n, unit]) for n in top]
            for unit in alive(found, maps.shape[1])
            for top in [top_scenes(found, unit, ALIKE)]
        ]
        stages.append(np.mean([_likeness(scenes, field, own) for own in cells], axis=0))
    return np.array(stages)


def likeness_of_random_cells(network: FCN, scenes: LargeScenes, draws: int = 200) -> np.ndarray:
    """Return the same of cells drawn at random, each from another scene: (5, 2)."""
    generator, stages = np.random.default_rng(0), []
    for field in fields_of(network):
        places = whole_cells(field, SIDE)
        found = []
        for _ in range(draws):
            chosen = generator.permutation(len(scenes.images))[:ALIKE]
            cells = [(n, *generator.integers(*places, 2)) for n in chosen]
            found.append(_likeness(scenes, field, cells))
        stages.append(np.mean(found, axis=0))
    return np.array(stages)


def _likeness(
    scenes: LargeScenes, field: ReceptiveField, cells: Sequence[Any]
) -> tuple[float, float]:
    """How alike some cells (scene, row, column) are: the shape nearest to each, and its colour."""
    shapes = [nearest_shape(cut(scenes.masks[n], field, i, j)) for n, i, j in cells]
    means = [cell_square(scenes.images[n], field.stride, i, j).mean((1, 2)) for n, i, j in cells]
    return likeness(np.array(shapes), np.array(means) * STD + MEAN)


# -- For the picture ----------------------------------------------------------------------------


def cut_patches(
    network: FCN, scenes: LargeScenes
) -> list[tuple[str, int, dict[int, list[np.ndarray]]]]:
    """Return, for each stage, a title, the stride, and for some units the patches, uint8."""
    stages = []
    maps_of_stages = stage_maps(network, scenes.images)
    for k, (field, maps) in enumerate(zip(fields_of(network), maps_of_stages, strict=True), 1):
        found = strongest(maps, field, SIDE)
        units = {
            unit: [
                denormalise(cut(scenes.images[n], field, found.row[n, unit], found.column[n, unit]))
                for n in top_scenes(found, unit, PATCHES)
            ]
            for unit in alive(found, UNITS)
        }
        stages.append((f"stage {k}: {field.size}x{field.size} pixels", field.stride, units))
    return stages
