"""Lines that are seen on any ground: rims, boundaries between classes, and boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.plots.colours import class_boundaries, colour_mask

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def halo(width: float, **look: Any) -> list[Any]:
    """Return the path effects that draw a white rim around letters or lines.

    width: of the line below, in points: the rim is half as wide on each side.
    """
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="white", **look)]


def draw_boundaries(
    axis: Axes, mask: ArrayLike, width: float, colour: str = "black", rim: str = "white"
) -> None:
    """Draw lines between the labels of a mask (H, W), on a rim of twice their width."""
    from matplotlib.collections import LineCollection

    segments = list(class_boundaries(mask))
    for own, own_width in ((rim, 2 * width), (colour, width)):
        lines = LineCollection(segments, colors=own, linewidths=own_width)
        axis.add_collection(lines, autolim=False)


def draw_mask(
    axis: Axes, mask: NDArray[Any], palette: ArrayLike, width: float, **look: Any
) -> None:
    """Draw the colours of a mask, and the boundaries between its labels."""
    # Smoothing would mix two classes into the colour of a third.
    axis.imshow(colour_mask(mask, palette), interpolation="nearest")
    draw_boundaries(axis, mask, width, **look)


def thin(points_per_pixel: float) -> float:
    """Return the width of boundaries that leave small objects visible: a quarter of a pixel."""
    return min(max(0.25 * points_per_pixel, 0.25), 0.5)


def draw_box(
    axis: Axes, corner: tuple[float, float], width: float, height: float, *looks: dict[str, Any]
) -> None:
    """Draw the outline of a rectangle in each look, the last on top."""
    from matplotlib.patches import Rectangle

    for look in looks:
        axis.add_patch(Rectangle(corner, width, height, fill=False, **look))


def cell_edges(
    marked: NDArray[np.bool_], corner: tuple[float, float] = (0.0, 0.0), cell: float = 1.0
) -> list[NDArray[np.float64]]:
    """Return segments around the marked cells (H, W) of a grid, whose first cell is at corner."""
    # Boundaries are in the coordinates of imshow, where pixel 0 is from -1/2 to 1/2; less the ring.
    return list((class_boundaries(np.pad(marked, 1)) - 0.5) * cell + np.array(corner))
