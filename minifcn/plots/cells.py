"""Cells of pictures in numbers: squares for inputs, circles for outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.patches import Patch

RADIUS = 0.42
"""Of a circle, in cells."""


def square(centre: tuple[float, float], side: float = 1.0, **look: Any) -> Patch:
    """Return a square around a point."""
    from matplotlib.patches import Rectangle

    corner = (centre[0] - side / 2, centre[1] - side / 2)
    return Rectangle(corner, side, side, **look)


def circle(centre: tuple[float, float], radius: float = RADIUS, **look: Any) -> Patch:
    """Return a circle around a point."""
    from matplotlib.patches import Circle

    return Circle(centre, radius, **look)
