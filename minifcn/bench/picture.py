"""The benchmark as a picture: what is achieved, what PyTorch does, and what the machine can do."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minifcn.plots.canvas import figure_file
from minifcn.plots.colours import BLUE, GREEN, ORANGE
from minifcn.plots.legends import in_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _hatched(label: str, colour: str, hatch: str) -> dict[str, Any]:
    return {
        "label": label, "facecolor": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0
    }  # fmt: skip


_SIDES: dict[str, dict[str, Any]] = {
    "minifcn": {"color": BLUE, "label": "minifcn"},
    "torch": _hatched("PyTorch", ORANGE, "////"),
    "torch_fp32": _hatched("PyTorch, float32", ORANGE, "////"),
    "torch_tf32": _hatched("PyTorch, TF32", GREEN, "...."),
}
_WIDTH, _ROW, _MARGIN = 9.0, 0.34, 1.0  # inches
_PANELS = (
    ("", "milliseconds (shorter is faster)"),
    ("gflop", "GFLOP/s (longer is faster)"),
    ("megabytes", "GB/s (longer is faster)"),
)


def plot_speeds(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw the rows of a benchmark as bars: minifcn, PyTorch where measured, and the limit.

    Networks are drawn as times; convolutions as GFLOP/s, with the bare matrix product of the same
    shape as the limit; what only moves bytes as GB/s, with a copy of as many bytes as the limit.

    Args:
        path: the PNG to write.
        rows: as in the 'rows' of minifcn.bench.compare.

    Raises:
        ValueError: if there are no rows, or path is not a PNG in an existing folder.
    """
    if not any(row.get("minifcn_ms") for row in rows):
        raise ValueError("rows must hold at least one piece of work that was timed, got none")
    panels = [(amount, label, _rows_of(amount, rows)) for amount, label in _PANELS]
    panels = [panel for panel in panels if panel[2]]
    heights = [_MARGIN + _ROW * len(shown) for _, _, shown in panels]
    with figure_file(path, _WIDTH, sum(heights), layout="constrained") as figure:
        axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axis, (amount, label, shown) in zip(axes, panels, strict=True):
            _draw(axis, amount, shown)
            axis.set_xlabel(label)
            _add_legend(axis)


def _add_legend(axes: Axes) -> None:
    """Bars first, then the limit; above the axes, where it covers nothing."""
    handles, labels = in_order(axes, lambda label: label == "limit")
    above: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "frameon": False}
    axes.legend(handles, labels, ncols=len(labels), **above)


def _rows_of(amount: str, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows that belong into the panel of this amount: the network's have none."""
    amounts = [name for name, _ in _PANELS[1:]]
    return [row for row in rows if next((n for n in amounts if row.get(n)), "") == amount]


def _draw(axes: Axes, amount: str, rows: Sequence[Mapping[str, Any]]) -> None:
    places = np.arange(len(rows))
    sides = [side for side in _SIDES if any(row.get(f"{side}_ms") for row in rows)]
    thickness = 0.8 / len(sides)
    for i, side in enumerate(sides):
        values = [_value(row, amount, side) for row in rows]
        axes.barh(places + (i - (len(sides) - 1) / 2) * thickness, values, thickness,
                  **_SIDES[side])  # fmt: skip
    limits = [_value(row, amount, "limit") for row in rows]
    if np.isfinite(limits).any():
        axes.plot(limits, places, "|k", markersize=13, markeredgewidth=2, label="limit")
    axes.set_yticks(places, [row["name"] for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)


def _value(row: Mapping[str, Any], amount: str, side: str) -> float:
    """Milliseconds, or how much of the amount a millisecond (1e9 a second: GFLOP/s, GB/s)."""
    milliseconds = row.get(f"{side}_ms")
    if not milliseconds:
        return float("nan")
    if not amount:
        return milliseconds
    return row[amount] / milliseconds * (1000 if amount == "gflop" else 1)
