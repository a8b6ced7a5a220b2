"""Where things stand: panels without ticks, grids of them, and pages measured from the top left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN, GAP = 0.08, 0.08
"""Inches: around a grid of panels, and between them."""


def bare(axis: Axes, linewidth: float = 0.5) -> None:
    """Take the ticks from a panel, and put a thin frame around it."""
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set(visible=True, linewidth=linewidth)


def panel_grid(
    figure: Figure,
    lines: int,
    columns: int,
    panel: tuple[float, float],
    *,
    above: float,
    below: float,
    gap: tuple[float, float] = (GAP, GAP),
    **options: Any,
) -> NDArray[Any]:
    """Return (lines, columns) bare axes, as wide as the figure less its margins.

    panel: width and height of one, the mean where they differ; above, below: room over the first
    line and under the last one; gap: between columns and between lines; all in inches. options:
    for the GridSpec.
    """
    width, height = figure.get_size_inches()
    spacing = {
        "left": MARGIN / width,
        "right": 1 - MARGIN / width,
        "bottom": below / height,
        "top": 1 - above / height,
        "wspace": gap[0] / panel[0],
        "hspace": gap[1] / panel[1],
    }
    grid = figure.subplots(lines, columns, squeeze=False, gridspec_kw=spacing | options)
    for axis in grid.flat:
        bare(axis)
    return grid


def axes_at(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes at a place in inches, from the left and from the top."""
    across, down = figure.get_size_inches()
    bottom = down - top - height
    return figure.add_axes((left / across, bottom / down, width / across, height / down))


def page_axes(
    figure: Figure, unit: float = 1.0, top: float = 0.0, height: float | None = None
) -> Axes:
    """Return axes to draw a page on: measured in `unit` inches, from the top left corner.

    They have the figure's width and all of its height, or `height` inches from `top` on.
    """
    across, down = figure.get_size_inches()
    height = down if height is None else height
    axes = figure.add_axes((0, 1 - (top + height) / down, 1, height / down))
    axes.set(xlim=(0, across / unit), ylim=(height / unit, 0))
    axes.set_axis_off()
    return axes


def write_notes(axes: Axes, notes: Sequence[str], left: float, first: float, line: float) -> None:
    """Write lines of text on a page, below one another: the middle of the first at `first`."""
    for n, note in enumerate(notes):
        axes.text(left, first + n * line, note, va="center", fontsize=8)
