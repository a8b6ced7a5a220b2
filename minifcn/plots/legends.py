"""Legends: a swatch for each class, and for what else a mask is drawn in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from minifcn.plots.colours import CORRECT, WRONG

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

HATCHED: dict[str, Any] = {"facecolor": "white", "edgecolor": "0.6", "hatch": "//////"}
"""The ground where there is no label."""


def swatch(label: str, **look: Any) -> Patch:
    """Return a small rectangle for a legend."""
    from matplotlib.patches import Patch

    return Patch(label=label, **{"edgecolor": "black", "linewidth": 0.5, **look})


def class_swatches(names: Sequence[str], palette: ArrayLike, **look: Any) -> list[Patch]:
    """Return a swatch for each class, of its colour in the palette (C, 3)."""
    colours = np.asarray(palette) / 255
    return [
        swatch(name, facecolor=colour, **look) for name, colour in zip(names, colours, strict=True)
    ]


def error_swatches() -> list[Patch]:
    """Return swatches for the right and the wrong pixels of an error map."""
    return class_swatches(("correct", "wrong"), (CORRECT, WRONG))


def add_legend(
    figure: Figure,
    handles: Sequence[Artist],
    corner: tuple[float, float],
    columns: int = 1,
    **look: Any,
) -> None:
    """Draw a legend without a frame, its upper left at a place given in shares of the figure."""
    bare = {"loc": "upper left", "frameon": False, "borderpad": 0, "borderaxespad": 0}
    look = {**bare, "handlelength": 1.4, "columnspacing": 1.2, **look}
    figure.legend(handles=handles, ncols=columns, bbox_to_anchor=corner, **look)


def in_order(axes: Axes, rank: Callable[[str], int]) -> tuple[list[Any], list[str]]:
    """Return the handles and labels of axes, for a legend; those of a low rank come first."""
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda k: rank(labels[k]))
    return [handles[k] for k in order], [labels[k] for k in order]
