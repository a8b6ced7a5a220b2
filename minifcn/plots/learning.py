"""What a classifier learns from, and how its loss and its accuracy change."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.kernels.checks import whole_numbers
from minifcn.plots.canvas import WIDTH, figure_file, shortened
from minifcn.plots.colours import BLUE, GREEN, PURPLE, VERMILION, check_image
from minifcn.plots.numbers import label_plainly

_STYLES: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "linestyle": "-"},
    {"color": VERMILION, "linestyle": "--"},
    {"color": GREEN, "linestyle": "-."},
    {"color": PURPLE, "linestyle": (0, (1, 1))},
)
_GUESSING: dict[str, Any] = {"color": "0.35", "linestyle": ":", "linewidth": 1.2}


# -- Curves --------------------------------------------------------------------------------------


def plot_learning(
    path: str | os.PathLike[str],
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
    num_classes: int,
) -> None:
    """Draw loss (on a logarithmic axis) and accuracy of one to four trainings, step by step.

    Dotted lines show what guessing gives: the loss ln C and the accuracy 1 / C. Losses above
    10 ln C are cut off, so that a training that jumps leaves room for the others; not the lowest
    of each curve, though, so that every curve is seen.

    Args:
        path: the PNG or SVG to write.
        curves: by name, the losses (> 0) and the accuracies (0 .. 1) at steps 0, 1, ...; of one
            length within a curve. What is not finite is left out.
        num_classes: C, at least 2.

    Raises:
        TypeError: num_classes is not a whole number.
        ValueError: there are no or too many curves, lengths differ, a curve is empty, a finite
            loss is not above 0, or num_classes or path does not fit.
    """
    if not whole_numbers([num_classes]):
        raise TypeError(f"num_classes must be a whole number, got {num_classes!r}")
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")
    checked = _checked_curves(curves)
    with figure_file(path, WIDTH, 4.6, layout="constrained") as figure:
        upper, lower = figure.subplots(2, 1, sharex=True)
        for (name, (losses, accuracies)), style in zip(checked.items(), _STYLES, strict=False):
            upper.plot(losses, label=shortened(name, 40), linewidth=1.8, **style)
            lower.plot(accuracies, linewidth=1.8, **style)
        guess, share = math.log(num_classes), 1 / num_classes
        upper.axhline(guess, label=f"guessing: ln {num_classes} = {guess:.3f}", **_GUESSING)
        lower.axhline(share, **_GUESSING)
        upper.set(yscale="log", ylabel="loss")
        upper.set_ylim(bottom=min(upper.get_ylim()[0], guess / 2))
        upper.set_ylim(top=max(10 * guess, 2 * _highest_low(checked)))
        label_plainly(upper.yaxis)
        lower.set(ylabel="accuracy", xlabel="step", ylim=(-0.04, 1.04))
        longest = max(len(losses) for losses, _ in checked.values())
        lower.text(longest - 1, share - 0.03, f"guessing: 1/{num_classes}", ha="right", va="top")
        figure.legend(loc="outside upper left", ncols=min(len(checked) + 1, 4), frameon=False)


def _highest_low(curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> float:
    """Return the highest of the curves' lowest losses; 0 where none is finite."""
    finite = [losses[np.isfinite(losses)] for losses, _ in curves.values()]
    return max((float(losses.min()) for losses in finite if losses.size), default=0.0)


def _checked_curves(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]],
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    if not 1 <= len(curves) <= len(_STYLES):
        raise ValueError(f"curves must be 1 to {len(_STYLES)}, got {len(curves)}")
    checked = {}
    for name, (losses, accuracies) in curves.items():
        loss, accuracy = (np.array(values, np.float64) for values in (losses, accuracies))
        if loss.ndim != 1 or loss.shape != accuracy.shape or not loss.size:
            raise ValueError(
                f"curves[{name!r}] must be losses and accuracies of one length,"
                f" got shapes {loss.shape} and {accuracy.shape}"
            )
        if (loss <= 0).any():  # False for NaN
            raise ValueError(f"curves[{name!r}] losses must be above 0, got {np.nanmin(loss)}")
        loss[~np.isfinite(loss)] = np.nan
        checked[name] = (loss, accuracy)
    return checked


# -- Examples ------------------------------------------------------------------------------------


def plot_examples(
    path: str | os.PathLike[str], images: Sequence[ArrayLike], names: Sequence[str]
) -> None:
    """Draw small images side by side, each with its name above.

    Args:
        path: the PNG or SVG to write.
        images: 1 to 8, each uint8 (H, W, 3).
        names: one for each image.

    Raises:
        TypeError: an image is not uint8.
        ValueError: there are no or too many images, or shapes, names or path do not fit.
    """
    if not 1 <= len(images) <= 8:
        raise ValueError(f"images must be 1 to 8, got {len(images)}")
    if len(names) != len(images):
        raise ValueError(f"names must be {len(images)}, one for each image, got {len(names)}")
    checked = [check_image(f"images[{k}]", image) for k, image in enumerate(images)]
    with figure_file(path, WIDTH, WIDTH / 8 + 0.2, layout="constrained") as figure:
        grid = figure.subplots(1, 8, squeeze=False)[0]
        for axis in grid[len(checked) :]:
            axis.set_visible(False)
        for axis, image, name in zip(grid, checked, names, strict=False):
            axis.imshow(image, interpolation="nearest")
            axis.set_title(shortened(name, 14), pad=3, fontsize=9)
            axis.set_axis_off()
