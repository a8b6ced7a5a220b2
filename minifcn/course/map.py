"""The map of the course: which tutorial is about which part of the network."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from minifcn.plots.canvas import figure_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STRIP = """\
image > convolution 02 > features 11 > scores 06 > coarse map 07 > upsampling 08 09 10 > mask 01
                         skips 12, and their crops 13, lead from features to upsampling
learning: gradients 03, checked 04, training 05    the whole job: 14    pretrained weights: 15"""


def here(number: int) -> str:
    """Return the map in three lines, a tutorial's number in brackets: you are here."""
    return re.sub(rf"\b{number:02}\b", f"[{number:02}]", STRIP)


# -- The picture ---------------------------------------------------------------------------------
# Lengths are inches, y grows upwards. The middle of the network's row is at _ROW.

_WIDTH, _HEIGHT, _ROW = 8.0, 4.75, 3.42

ABOUT = {
    1: "segmentation, and how good it is",
    2: "convolution",
    3: "gradients, computed",
    4: "gradients, checked (optional)",
    5: "training: steps down the loss",
    6: "from a classifier to maps of scores",
    7: "what a cell sees; how coarse the map is",
    8: "unpooling",
    9: "transposed convolution",
    10: "checkerboards",
    11: "features, early and late",
    12: "skips: finer scores, added",
    13: "the crops that align them",
    14: "the whole job",
    15: "pretrained weights",
}
"""What each tutorial is about, as the legend of the picture says it."""

PLACES = {
    1: (7.35, 4.3), 2: (1.65, 4.3), 3: (3.3, 1.83), 4: (3.58, 1.83), 5: (3.86, 1.83),
    6: (4.3, 3.88), 7: (4.95, 3.88), 8: (5.55, 4.3), 9: (5.83, 4.3), 10: (6.11, 4.3),
    11: (2.85, 4.3), 12: (4.75, 2.62), 13: (5.2, 2.3), 14: (0.5, 1.83),
    15: (2.57, 4.3),
}  # fmt: skip
"""Where the picture has each tutorial's number."""

_STAGES = [(1.5, 1.1), (2.0, 0.92), (2.5, 0.74), (3.0, 0.56), (3.5, 0.4)]
"""The middle and the height of what each of the five stages makes, half as high as the last."""

_FEATURES, _SCORES = "#F7DFA8", "#CBE6F7"  # Okabe and Ito's colours, lightened
_NOTE: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7.5}


def draw_map(path: str | os.PathLike[str]) -> None:
    """Draw a fully convolutional network with skips, the tutorials' numbers where they belong.

    Args:
        path: the PNG or SVG to write.

    Raises:
        ValueError: if path is no PNG or SVG in an existing folder.
    """
    with figure_file(path, _WIDTH, _HEIGHT) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, _WIDTH), ylim=(0, _HEIGHT))
        axes.set_axis_off()
        _draw_ends(axes)
        _draw_features(axes)
        _draw_scores(axes)
        _draw_skips(axes)
        _draw_learning(axes)
        for number, (x, y) in PLACES.items():
            _draw_number(axes, number, x, y)
        _draw_legend(axes)


def _draw_ends(axes: Axes) -> None:
    """The image on the left, the mask on the right: a disc and a square in both."""
    from matplotlib.patches import Circle, Rectangle

    colours = {0.65: ("0.8", "#8FB8A0", "#C8A080"), 7.35: ("0.15", "#E69F00", "#56B4E9")}
    for x, (ground, disc, square) in colours.items():
        _draw_box(axes, x, 0.95, 1.2, ground)
        axes.add_patch(Circle((x - 0.15, _ROW + 0.22), 0.22, color=disc))
        axes.add_patch(Rectangle((x - 0.05, _ROW - 0.45), 0.38, 0.38, color=square))
    axes.text(0.65, _ROW - 0.74, "image", **_NOTE)
    axes.text(7.35, _ROW - 0.74, "mask: a class\nfor each pixel", **{**_NOTE, "va": "top"})


def _draw_features(axes: Axes) -> None:
    for (x, height), stride in zip(_STAGES, (2, 4, 8, 16, 32), strict=True):
        _draw_box(axes, x, 0.26, height, _FEATURES)
        axes.text(x, _ROW - height / 2 - 0.1, f"1/{stride}", **_NOTE)
        _draw_arrow(axes, [(x - 0.35, _ROW), (x - 0.14, _ROW)])
    axes.text(1.84, 4.3, "convolution,\npooling", **{**_NOTE, "ha": "left", "fontsize": 7})
    axes.text(3.04, 4.3, "features", **{**_NOTE, "ha": "left", "fontsize": 7})
    axes.plot([1.36, 1.36, 3.64, 3.64], [4.02, 4.08, 4.08, 4.02], color="0.5", linewidth=0.8)


def _draw_scores(axes: Axes) -> None:
    """The layers of the former classifier, the coarse map, and the way back to full size."""
    _draw_box(axes, 4.3, 0.4, 0.4, _FEATURES)
    axes.text(4.3, _ROW - 0.42, "layers of a\nclassifier, as\nconvolutions", **_NOTE)
    _draw_arrow(axes, [(3.65, _ROW), (4.08, _ROW)])
    for x, height in [(4.95, 0.4), (5.6, 0.56), (6.25, 0.74)]:
        _draw_box(axes, x, 0.14, height, _SCORES)
    axes.text(4.95, _ROW - 0.36, "scores\n1/32", **_NOTE)
    _draw_arrow(axes, [(4.52, _ROW), (4.86, _ROW)])
    for start, end, factor in [(5.04, 5.51, 2), (5.69, 6.16, 2), (6.34, 6.85, 8)]:
        _draw_arrow(axes, [(start, _ROW), (end, _ROW)])
        axes.text((start + end) / 2, _ROW + 0.1, f"x{factor}", **_NOTE)
    axes.text(6.3, 4.3, "upsampling", **{**_NOTE, "ha": "left", "fontsize": 7})
    axes.plot([5.04, 5.04, 6.85, 6.85], [4.02, 4.08, 4.08, 4.02], color="0.5", linewidth=0.8)


def _draw_skips(axes: Axes) -> None:
    """From the stages of 1/16 and 1/8 to the scores of the same size."""
    for (start, top), end, y, arrives in [
        ((3.0, 2.9), 5.6, 2.62, 3.08), ((2.5, 2.8), 6.25, 2.3, 2.99),
    ]:  # fmt: skip
        _draw_arrow(axes, [(start, top), (start, y), (end, y), (end, arrives)])
        axes.text(end - 0.1, arrives - 0.14, "+", **{**_NOTE, "ha": "right", "fontsize": 11})
    axes.text(3.1, 2.71, "skip: scores of its own", **{**_NOTE, "ha": "left"})
    axes.text(2.6, 2.39, "skip: scores of its own", **{**_NOTE, "ha": "left"})


def _draw_learning(axes: Axes) -> None:
    """From the loss back to the layers, as far as the first; and a frame for the whole job."""
    from matplotlib.patches import FancyBboxPatch

    dashed = (0, (4, 2))
    _draw_arrow(axes, [(7.35, 2.2), (7.35, 2.03), (1.5, 2.03), (1.5, 2.7)], linestyle=dashed)
    _draw_arrow(axes, [(2.0, 2.03), (2.0, 2.78)], linestyle=dashed)
    axes.text(4.06, 1.83, "gradients of the loss, back to the weights", **{**_NOTE, "ha": "left"})
    axes.text(0.7, 1.83, "the whole job, in this frame", **{**_NOTE, "ha": "left"})
    style = "round,pad=0,rounding_size=0.1"
    axes.add_patch(
        FancyBboxPatch((0.08, 1.65), 7.84, 3.02, boxstyle=style, fill=False, edgecolor="0.6")
    )


def _draw_legend(axes: Axes) -> None:
    """What each number stands for, in three columns."""
    for k, (number, about) in enumerate(ABOUT.items()):
        x, y = 0.24 + 2.62 * (k // 5), 1.42 - 0.29 * (k % 5)
        _draw_number(axes, number, x, y)
        axes.text(x + 0.2, y, about, **{**_NOTE, "ha": "left"})


def _draw_box(axes: Axes, x: float, width: float, height: float, colour: str) -> None:
    from matplotlib.patches import Rectangle

    corner = (x - width / 2, _ROW - height / 2)
    axes.add_patch(Rectangle(corner, width, height, facecolor=colour, edgecolor="black"))


def _draw_arrow(
    axes: Axes, points: Sequence[tuple[float, float]], linestyle: Any = "solid"
) -> None:
    """Draw a line through points, with a head at the last one."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    axes.add_patch(
        FancyArrowPatch(
            path=Path(points), arrowstyle="-|>", mutation_scale=8, linewidth=1, color="0.25",
            linestyle=linestyle, joinstyle="miter",
        )
    )  # fmt: skip


def _draw_number(axes: Axes, number: int, x: float, y: float) -> None:
    """A tutorial's number, white in a dark disc."""
    from matplotlib.patches import Circle

    axes.add_patch(Circle((x, y), 0.125, color="#1F3A5F", zorder=4))
    axes.text(
        x, y - 0.005, f"{number:02}", color="white", fontsize=7.5, fontweight="bold",
        ha="center", va="center", zorder=5,
    )  # fmt: skip
