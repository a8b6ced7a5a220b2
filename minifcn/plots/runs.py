"""The numbers of a run as pictures: its curves, and its IU per class."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.data.palettes import default_palette
from minifcn.plots.canvas import WIDTH, check_names, figure_file, legible
from minifcn.plots.colours import BLUE, VERMILION, check_palette
from minifcn.plots.numbers import label_plainly

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREY = "#767676"
_BASELINE = "baseline (one class everywhere)"
_ABOVE: dict[str, Any] = {
    "loc": "lower right",
    "bbox_to_anchor": (1, 1),
    "ncols": 3,
    "frameon": False,
    "borderaxespad": 0.2,
}
"""Legends stand above the axes, where they cover no data."""


def plot_curves(
    path: str | os.PathLike[str],
    log: Mapping[str, Sequence[float | None]],
    baseline_mean_iu: float | None = None,
) -> None:
    """Draw the training loss and, beneath it, the validation scores over the iterations.

    The loss is drawn as recorded (pale) and as a trailing mean (dark), on a logarithmic axis
    where it spans a factor of ten or more. A run without validation has one panel.

    Args:
        path: the PNG to write.
        log: columns of one length: iteration, loss, and if there was validation mean_iu and
            pixel_accuracy (0 .. 1); None or NaN where a row has no value. Other columns are
            left out of the picture.
        baseline_mean_iu: the score of predicting one class everywhere, as a dashed line.

    Raises:
        ValueError: if log lacks iteration or loss, its columns are empty or differ in length,
            or path is not a PNG in an existing folder.
    """
    columns = _columns(log)
    validated = bool(np.isfinite(columns["mean_iu"]).any())
    panels = 1 + validated
    with figure_file(path, WIDTH, 0.4 + 2.4 * panels, layout="constrained") as figure:
        axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
        _draw_loss(axes[0], columns["iteration"], columns["loss"])
        if validated:
            _draw_validation(axes[1], columns, baseline_mean_iu)
        _draw_iterations(axes[-1], columns["iteration"])


def plot_beside(
    path: str | os.PathLike[str],
    logs: Mapping[str, Mapping[str, Sequence[float | None]]],
    title: str,
) -> None:
    """Draw two trainings beside each other: loss and mean IU over the iterations.

    Args:
        path: the PNG to write.
        logs: two logs by name, as for plot_curves; the second may have ended early.
        title: what is to be seen.

    Raises:
        ValueError: if there are not two logs, or as plot_curves.
    """
    if len(logs) != 2:
        raise ValueError(f"logs must be two, got {len(logs)}")
    columns = {name: _columns(log) for name, log in logs.items()}
    styles: tuple[dict[str, Any], ...] = (
        {"color": BLUE, "linestyle": "-"},
        {"color": VERMILION, "linestyle": "--"},
    )
    with figure_file(path, WIDTH, 5.2, layout="constrained") as figure:
        upper, lower = figure.subplots(2, 1, sharex=True)
        for (name, own), style in zip(columns.items(), styles, strict=True):
            iteration, score = own["iteration"], own["mean_iu"]
            window = max(len(iteration) // 20, 1)
            upper.plot(
                iteration, own["loss"], alpha=0.3, linewidth=0.8, **style | {"linestyle": "-"}
            )
            upper.plot(iteration, trailing_mean(own["loss"], window), linewidth=1.8, **style)
            known = np.isfinite(score)
            last = f"{name}: mean IU {score[known][-1]:.3f}" if known.any() else f"{name}: no score"
            lower.plot(iteration[known], score[known], marker=".", label=last, **style)
        figure.suptitle(title)
        upper.set_ylabel("training loss")
        lower.set(ylabel="mean IU", xlabel="iteration")
        lower.set_ylim(0, min(1.4 * max(lower.get_ylim()[1], 0.1), 1.03))
        lower.legend(loc="upper left", frameon=False)


def trailing_mean(values: ArrayLike, window: int) -> NDArray[np.float64]:
    """Return the mean of the last `window` values up to each place, shape (L,) to (L,).

    It looks back only, so no point of the curve knows what came after it. Values that are not
    finite are left out; NaN where none is left.

    Raises:
        ValueError: if window is below 1.
    """
    if window < 1:
        raise ValueError(f"window must be at least 1, got {window}")
    numbers = np.asarray(values, np.float64)
    finite = np.isfinite(numbers)
    sums = _trailing_sum(np.where(finite, numbers, 0), window)
    counts = _trailing_sum(finite, window)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def plot_iou(
    path: str | os.PathLike[str],
    iu: Mapping[str, float | None],
    mean_iu: float | None,
    baseline_mean_iu: float | None,
    palette: ArrayLike | None = None,
) -> None:
    """Draw the IU of each class as a bar with its value, the mean and the baseline as lines.

    A bar has its class's colour, so that no class is taken for another one of another picture.

    Args:
        path: the PNG to write.
        iu: the IU (0 .. 1) by class name, top to bottom; None or NaN for an absent class.
        mean_iu: the mean over the classes, or None.
        baseline_mean_iu: the mean IU of predicting one class everywhere, or None.
        palette: one RGB colour per class, shape (C, 3), values 0 .. 255; by default
            data.palettes.default_palette, as for masks.

    Raises:
        TypeError: if palette does not hold integers.
        ValueError: if iu is empty, palette has not as many colours, or path is not a PNG in an
            existing folder.
    """
    if not iu:
        raise ValueError("iu must hold at least one class, got none")
    scores, names = _numbers(list(iu.values())), legible(list(iu))
    colours = check_palette(default_palette(len(iu)) if palette is None else palette)
    check_names(list(iu), len(colours), "palette")
    with figure_file(path, WIDTH, 0.9 + 0.26 * len(scores), layout="constrained") as figure:
        axes = figure.subplots()
        _draw_bars(axes, names, scores, colours)
        _draw_line(axes.axvline, "mean", mean_iu, _GREY, "--")  # grey is seen on black bars too
        _draw_line(axes.axvline, _BASELINE, baseline_mean_iu, _GREY, ":")
        axes.set(xlim=(0, 1.09), xticks=np.linspace(0, 1, 6), xlabel="intersection over union")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(**_ABOVE)


def _columns(log: Mapping[str, Sequence[float | None]]) -> dict[str, NDArray[np.float64]]:
    """Return the columns that are drawn, checked; validation columns that are missing as NaN."""
    for name in ("iteration", "loss"):
        if name not in log:
            raise ValueError(f"log must have a column {name!r}, got {sorted(log)}")
    length = len(log["iteration"])
    empty = [None] * length
    names = ("iteration", "loss", "mean_iu", "pixel_accuracy")
    columns = {name: _numbers(log.get(name, empty)) for name in names}
    lengths = {name: len(column) for name, column in columns.items()}
    if length == 0 or set(lengths.values()) != {length}:
        raise ValueError(f"log must have columns of one length above 0, got lengths {lengths}")
    return columns


def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    """Return values as floats, None as NaN."""
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _trailing_sum(values: NDArray[Any], window: int) -> NDArray[np.float64]:
    """Sum each place and the window - 1 before it, as a difference of running sums."""
    running = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    ends = np.arange(1, len(running))
    return running[ends] - running[np.maximum(ends - window, 0)]


def _draw_loss(axes: Axes, iteration: NDArray[Any], loss: NDArray[Any]) -> None:
    window = len(loss) // 20
    if window > 1:
        axes.plot(iteration, loss, color=BLUE, alpha=0.4, linewidth=0.8, label="loss")
        label = f"mean of the last {window} iterations"
        axes.plot(iteration, trailing_mean(loss, window), color=BLUE, linewidth=1.6, label=label)
    else:
        axes.plot(iteration, loss, ".-", color=BLUE, label="loss")
    if _spans_a_decade(loss):
        _use_logarithmic_axis(axes)
    axes.set_ylabel("training loss")
    axes.legend(**_ABOVE)


def _draw_iterations(axes: Axes, iteration: NDArray[Any]) -> None:
    """Show every row's iteration, so that a loss that became NaN leaves a visible gap."""
    from matplotlib.ticker import MaxNLocator

    margin = max(0.02 * float(np.ptp(iteration)), 0.5)
    axes.set_xlim(iteration.min() - margin, iteration.max() + margin)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("iteration")


def _spans_a_decade(values: NDArray[Any]) -> bool:
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() > 0 and finite.max() >= 10 * finite.min())


def _use_logarithmic_axis(axes: Axes) -> None:
    from matplotlib.ticker import LogLocator

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    label_plainly(axes.yaxis)


def _draw_validation(
    axes: Axes, columns: Mapping[str, NDArray[Any]], baseline: float | None
) -> None:
    _draw_scores(axes, "pixel accuracy", columns["iteration"], columns["pixel_accuracy"], _GREY)
    _draw_scores(axes, "mean IU", columns["iteration"], columns["mean_iu"], VERMILION)
    _draw_line(axes.axhline, _BASELINE, baseline, "black", ":")
    axes.set(ylabel="validation", ylim=(0, 1.03))
    axes.legend(**_ABOVE)


def _draw_scores(
    axes: Axes, name: str, iteration: NDArray[Any], score: NDArray[Any], colour: str
) -> None:
    """Draw the rows that have a score; the last one is written in the legend."""
    known = np.isfinite(score)
    if known.any():
        label = f"{name} (last {score[known][-1]:.3f})"
        axes.plot(iteration[known], score[known], ".-", color=colour, label=label)


def _draw_line(draw: Any, name: str, score: float | None, colour: str, style: str) -> None:
    """Draw a score that is defined as a line across the axes, its value in the legend."""
    if score is not None and np.isfinite(score):
        draw(score, color=colour, linestyle=style, linewidth=1.2, label=f"{name} {score:.3f}")


def _draw_bars(
    axes: Axes, names: Sequence[str], scores: NDArray[Any], colours: NDArray[np.uint8]
) -> None:
    places = np.arange(len(names))
    thin: dict[str, Any] = {"edgecolor": "black", "linewidth": 0.5}
    axes.barh(places, np.nan_to_num(scores), color=colours / 255, height=0.7, **thin)
    axes.set_yticks(places, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    for place, score in zip(places, scores, strict=True):
        _write_score(axes, float(score), int(place))


def _write_score(axes: Axes, score: float, place: int) -> None:
    """Write a bar's value at its end, on white so that a line behind it does not strike it out."""
    absent = bool(np.isnan(score))
    axes.text(
        0.008 if absent else score + 0.008,
        place,
        "absent" if absent else f"{score:.3f}",
        va="center",
        color=_GREY if absent else "black",
        fontstyle="italic" if absent else "normal",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )
