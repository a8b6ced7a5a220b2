"""Pictures of features: the first filters, what excites units most, and linear probes by stage."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minifcn.plots.canvas import WIDTH, figure_file
from minifcn.plots.colours import BLUE, VERMILION, check_image
from minifcn.plots.legends import in_order
from minifcn.plots.outlines import draw_box
from minifcn.plots.panels import bare

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

_TRAINED, _UNTRAINED, _GUESS = BLUE, VERMILION, "0.35"

Stage = tuple[str, int, Mapping[int, Sequence[np.ndarray]]]
"""A title, the stride, and for some units the patches that excite each."""


# -- Filters -------------------------------------------------------------------------------------


def plot_filters(path: str | os.PathLike[str], groups: Mapping[str, np.ndarray]) -> None:
    """Draw filters over colours as small pictures, a row or more for each group.

    Grey is 0, and each filter has its own scale, up to its largest weight, as only the ratios
    within a filter matter where BatchNorm follows.

    Args:
        path: the PNG to write.
        groups: filters (F, 3, KH, KW) by the name of the group; as many in each.

    Raises:
        ValueError: no group, filters of another shape, or not as many in each group.
    """
    _check_filters(groups)
    count = len(next(iter(groups.values())))
    columns = min(count, 12)
    rows = -(-count // columns)
    side = (WIDTH - 0.2) / columns
    height = len(groups) * (0.35 + rows * side) + 0.3
    with figure_file(path, WIDTH, height, layout="constrained") as figure:
        parts = figure.subfigures(len(groups), 1, squeeze=False)[:, 0]
        for part, (name, filters) in zip(parts, groups.items(), strict=True):
            part.suptitle(f"filters of the first layer, {name} (grey: 0)", fontsize=10)
            axes = part.subplots(rows, columns, squeeze=False).ravel()
            for axis, weights in zip(axes, filters, strict=False):
                axis.imshow(filter_picture(weights), interpolation="nearest")
            _bare(axes, len(filters))


def filter_picture(weights: np.ndarray) -> np.ndarray:
    """Return a filter (3, KH, KW) as colours (KH, KW, 3) in 0 to 1: 1/2 + w / (2 max |w|)."""
    largest = np.abs(weights).max()
    return 0.5 + weights.transpose(1, 2, 0) / (2 * largest if largest > 0 else 1)


def _check_filters(groups: Mapping[str, np.ndarray]) -> None:
    shapes = {np.shape(filters) for filters in groups.values()}
    if len(shapes) != 1 or len(shape := next(iter(shapes))) != 4 or shape[1] != 3 or 0 in shape:
        raise ValueError(f"groups must hold filters of one shape (F, 3, KH, KW), got {shapes}")


def _bare(axes: Any, used: int) -> None:
    """Take ticks from axes, and hide those that nothing is drawn in."""
    for k, axis in enumerate(axes):
        bare(axis)
        axis.set_visible(k < used)


# -- Patches -------------------------------------------------------------------------------------


def plot_patches(path: str | os.PathLike[str], stages: Sequence[Stage]) -> None:
    """Draw the patches that excite units most: a block for each stage, a row for each unit.

    A patch is a whole receptive field; the square in its middle is what one cell stands for.

    Args:
        path: the PNG to write.
        stages: a title, the stride, and for some units the patches, uint8 (side, side, 3).

    Raises:
        TypeError: a patch is not uint8.
        ValueError: no stage, a stage without units, or a patch that is not (side, side, 3).
    """
    if not stages:
        raise ValueError("stages must hold at least one, got none")
    for title, _, units in stages:
        if not units:
            raise ValueError(f"{title}: there must be at least one unit, got none")
        for unit, own in units.items():
            for patch in own:
                check_image(f"{title}, unit {unit}", patch)
    lines = -(-len(stages) // 2)
    most = max(len(units) for _, _, units in stages)
    with figure_file(path, WIDTH, lines * (0.4 + 0.58 * most) + 0.3, layout="constrained") as page:
        blocks = page.subfigures(lines, 2, squeeze=False, wspace=0.03).ravel()
        for block, stage in zip(blocks, stages, strict=False):
            _draw_block(block, stage)
        note = "a row: the patches that excite one unit most,\neach from another scene\n\n"
        note += "a patch: what one cell sees\n\nthe square: the pixels that the cell stands for"
        if len(stages) < len(blocks):
            blocks[-1].text(0.1, 0.5, note, va="center")


def _draw_block(block: SubFigure, stage: Stage) -> None:
    title, stride, units = stage
    block.suptitle(title, fontsize=10)
    most = max(len(own) for own in units.values())
    grid = block.subplots(len(units), most, squeeze=False)
    for axes, (unit, own) in zip(grid, units.items(), strict=True):
        for axis, patch in zip(axes, own, strict=False):
            axis.imshow(patch, interpolation="nearest")
            _mark_cell(axis, patch.shape[0], stride)
        _bare(axes, len(own))
        axes[0].set_ylabel(f"unit {unit}", fontsize=7.5, labelpad=2)


def _mark_cell(axis: Axes, side: int, stride: int) -> None:
    """Draw a square of stride x stride pixels around the middle of a patch."""
    first = (side - stride) / 2 - 0.5
    looks = ({"ec": "black", "lw": 1.6}, {"ec": "white", "lw": 0.7})
    draw_box(axis, (first, first), stride, stride, *looks)


# -- Probes --------------------------------------------------------------------------------------


def plot_probes(
    path: str | os.PathLike[str],
    labels: Sequence[str],
    panels: Sequence[tuple[str, np.ndarray, float]],
) -> None:
    """Draw the scores of linear probes over the stages, of a trained and an untrained network.

    Lines go through the means over the seeds; bars reach from the lowest seed to the highest.

    Args:
        path: the PNG to write.
        labels: what the probes saw: K names.
        panels: for each probe a title, the scores (seeds, 2, K), untrained then trained, and what
            guessing scores.

    Raises:
        ValueError: no panel, or scores of another shape.
    """
    if not panels:
        raise ValueError("panels must hold at least one probe, got none")
    for title, scores, _ in panels:
        if np.ndim(scores) != 3 or np.shape(scores)[1:] != (2, len(labels)):
            raise ValueError(
                f"{title}: scores must have shape (seeds, 2, {len(labels)}), got {np.shape(scores)}"
            )
    with figure_file(path, WIDTH, 3.3, layout="constrained") as figure:
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axis, (title, scores, chance) in zip(axes, panels, strict=True):
            _draw_panel(axis, np.asarray(scores), chance)
            axis.set_xticks(range(len(labels)), labels, fontsize=7.5, rotation=45)
            axis.set_title(title, fontsize=9.5)
        handles, names = in_order(axes[0], ("trained", "untrained", "guessing").index)
        figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)


def _draw_panel(axis: Axes, scores: np.ndarray, chance: float) -> None:
    places = np.arange(scores.shape[2])
    styles: tuple[tuple[int, str, dict[str, Any]], ...] = (
        (1, "trained", {"color": _TRAINED, "marker": "o", "linestyle": "-"}),
        (0, "untrained", {"color": _UNTRAINED, "marker": "s", "linestyle": "--"}),
    )
    for k, name, style in styles:
        own = scores[:, k]
        mean = own.mean(0)
        bars = np.abs(np.stack([own.min(0), own.max(0)]) - mean)
        axis.errorbar(places, mean, bars, label=name, capsize=2, markersize=5, **style)
    axis.axhline(chance, color=_GUESS, linestyle=":", label="guessing")
    axis.set_ylim(min(0, scores.min()) - 0.03, 1.03)
    axis.grid(axis="y", linewidth=0.3)
