"""The picture of curves: mean IU against the number of images, a line for each start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minifcn.plots.canvas import WIDTH, figure_file
from minifcn.plots.colours import BLUE, GREEN, PURPLE, VERMILION

_STYLES: tuple[dict[str, Any], ...] = (
    {"color": VERMILION, "linestyle": "--", "marker": "s"},
    {"color": GREEN, "linestyle": "-.", "marker": "^"},
    {"color": BLUE, "linestyle": "-", "marker": "o"},
    {"color": PURPLE, "linestyle": ":", "marker": "D"},
)


def plot_curves(
    path: str | os.PathLike[str], curves: Mapping[str, Mapping[int, ArrayLike]], title: str
) -> None:
    """Draw a line for each network: the mean of its seeds against the number of images.

    Args:
        path: the PNG or SVG to write.
        curves: one to four: by name and number of images, the mean IU of each seed.
        title: what the scores are of.

    Raises:
        ValueError: there are no or too many curves, or the path does not fit.
    """
    if not 1 <= len(curves) <= len(_STYLES):
        raise ValueError(f"curves must be from 1 to {len(_STYLES)}; got {len(curves)}")
    counts = sorted({count for curve in curves.values() for count in curve})
    with figure_file(path, 0.8 * WIDTH, 3.6, layout="constrained") as figure:
        axes = figure.subplots()
        for (name, curve), style in zip(curves.items(), _STYLES, strict=False):
            numbers = sorted(curve)
            scores = [np.asarray(curve[n], float) for n in numbers]
            axes.plot(numbers, [own.mean() for own in scores], label=name, **style)
            ends = [own.min() for own in scores], [own.max() for own in scores]
            axes.vlines(numbers, *ends, color=style["color"], linewidth=1)
        axes.set_xscale("log")
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()
        axes.set(xlabel="training images", ylabel="mean IU", title=title, ylim=(0, None))
        axes.grid(color="0.9")
        axes.legend(frameon=False)
