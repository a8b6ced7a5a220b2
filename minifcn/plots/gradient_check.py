"""The error of a finite difference against its step: a U for each dtype."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.gradcheck import gradcheck
from minifcn.gradcheck.finite_differences import slopes_and_bends
from minifcn.plots.canvas import WIDTH, figure_file
from minifcn.plots.colours import BLUE, VERMILION
from minifcn.plots.numbers import compact, label_plainly
from minifcn.plots.outlines import halo
from minifcn.tensor import Tensor, grad

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT = 4.8  # inches
_AXES = (0.095, 0.11, 0.89, 0.87)  # left, bottom, width and height, as shares of the picture
_LOWEST, _HIGHEST = 1e-13, 30.0  # errors that are always shown

_DEFAULTS = inspect.signature(gradcheck).parameters
DEFAULT_EPS: float = _DEFAULTS["eps"].default
"""The step that gradcheck takes."""

TOLERANCE: float = _DEFAULTS["tolerance"].default
"""The largest error that gradcheck accepts."""

# The markers differ too, and their sizes, to see both where they meet.
_LOOKS: dict[str, dict[str, Any]] = {
    "float64": {"color": BLUE, "marker": "o", "markersize": 7},
    "float32": {"color": VERMILION, "marker": "s", "markersize": 4.5},
}


def difference_errors(
    function: Callable[..., Tensor],
    inputs: Sequence[NDArray[Any]],
    steps: ArrayLike,
    dtype: str = "float64",
    seed: int = 0,
) -> NDArray[np.float64]:
    """Measure the error of the central difference for each step.

    For L = <u, function(*inputs)>, with a random u, and each element i of the first input x,

        numeric = (L(x + eps at i) - L(x - eps at i)) / (2 eps)
        error = ||numeric - gradient|| / ||gradient||

    where numeric is computed in `dtype`, and the gradient by backward, in float64.

    Args:
        function: called with Tensors; smooth, else a step may run over a kink.
        inputs: arrays; they are rounded to float32 first, so that each dtype starts from the same.
        steps: the values of eps.
        dtype: 'float64' or 'float32'.
        seed: fixes u.

    Raises:
        ValueError: another dtype; steps that are not positive and finite; a gradient that is 0
            everywhere.
    """
    steps = _checked_steps(steps)
    if dtype not in _LOOKS:
        raise ValueError(f"dtype must be one of {list(_LOOKS)}; got {dtype!r}")
    arrays = [np.asarray(array, np.float32).astype(np.float64) for array in inputs]
    tensors = [Tensor(array, requires_grad=k == 0) for k, array in enumerate(arrays)]
    output = function(*tensors)
    upstream = np.random.default_rng(seed).standard_normal(output.shape)
    (gradient,) = grad(output, tensors[0], Tensor(upstream))
    exact = gradient.numpy()
    if not exact.any():
        raise ValueError("the gradient of the first input must not be 0 everywhere; it is")
    rounded = [Tensor(array.astype(dtype)) for array in arrays]
    terms = lambda: upstream.astype(dtype) * function(*rounded).numpy()
    everywhere = np.arange(exact.size)
    slopes = [slopes_and_bends(terms, rounded[0].data, everywhere, eps)[0] for eps in steps]
    return np.linalg.norm(np.array(slopes) - exact.ravel(), axis=1) / np.linalg.norm(exact)


def _checked_steps(steps: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(steps, np.float64)
    if values.ndim != 1 or not values.size or not ((values > 0) & (values < np.inf)).all():
        raise ValueError(f"steps must be a list of positive, finite numbers; got {steps!r}")
    return values


def arms(
    steps: NDArray[np.float64], errors: NDArray[np.float64], unit: float
) -> tuple[float, float]:
    """Return a and b of the two arms of the U: error = a * unit / eps, and error = b * eps^2.

    Each fits where it rules: left of the smallest error and right of it, away from the bottom.

    steps, errors: as measured, the steps growing; unit: the machine epsilon. NaN for an arm that
    is not there, as for a function with no curvature.

    Raises:
        ValueError: fewer than two steps.
    """
    if len(steps) < 2:
        raise ValueError(f"steps must be at least 2 for the arms of a U; got {len(steps)}")
    rounding, truncation = errors * steps / unit, errors / steps**2
    bottom = steps[errors.argmin()]
    left = (steps < bottom / 10) & (errors < 0.1) & (errors > 0)
    right = (steps > bottom * 10) & (errors < 0.1) & (np.gradient(errors, steps) > 0)
    typical = lambda values: float(np.exp(np.log(values).mean())) if values.size else float("nan")
    return typical(rounding[left]), typical(truncation[right])


def plot_difference_errors(
    path: str | os.PathLike[str], steps: ArrayLike, errors: Mapping[str, ArrayLike]
) -> None:
    """Draw error against step, both logarithmic, with the two arms of each U.

    Args:
        path: the PNG or SVG to write.
        steps: the values of eps, two or more, growing.
        errors: for 'float64' or 'float32', or both, the error at each step, as
            `difference_errors` measures it.

    Raises:
        ValueError: no errors, another dtype, another number of errors than of steps, fewer than
            two steps, steps that do not grow or are not finite, or a path that is no PNG or SVG
            in an existing folder.
    """
    steps = _checked_steps(steps)
    curves = {name: np.asarray(values, np.float64) for name, values in errors.items()}
    if not curves or set(curves) - set(_LOOKS) or (np.diff(steps) <= 0).any():
        raise ValueError(
            f"errors must be for some of {list(_LOOKS)}, at growing steps; got {list(curves)}"
        )
    for name, values in curves.items():
        if values.shape != steps.shape:
            raise ValueError(
                f"errors[{name!r}] must be {steps.size} numbers; got shape {values.shape}"
            )
    with figure_file(path, WIDTH, _HEIGHT) as figure:
        axes = figure.add_axes(_AXES)
        axes.set(xscale="log", yscale="log", xlim=(steps[0] / 2, steps[-1] * 2))
        axes.set_ylim(_lowest(curves) / 3, _HIGHEST)
        axes.set_xlabel("eps: how far an element is moved")
        axes.set_ylabel("norm-relative error of the central difference")
        for axis in (axes.xaxis, axes.yaxis):
            label_plainly(axis, lambda value, _: _power(value))
        axes.grid(color="0.92", linewidth=0.6)
        _draw_gradcheck(axes)
        for name, values in curves.items():
            _draw_curve(axes, name, steps, values)
        _draw_arms(axes, steps, curves)
        axes.legend(loc="lower left", frameon=False, bbox_to_anchor=(0.01, 0.02))


def _lowest(curves: Mapping[str, NDArray[np.float64]]) -> float:
    positive = [values[values > 0].min(initial=_LOWEST) for values in curves.values()]
    return float(min(positive))


def _draw_curve(
    axes: Axes, name: str, steps: NDArray[np.float64], errors: NDArray[np.float64]
) -> None:
    look, label = _LOOKS[name], f"computed in {name}"
    axes.plot(
        steps, errors, linewidth=0, markeredgecolor="black", label=label, zorder=3,
        **look,
    )  # fmt: skip
    lost = np.flatnonzero(np.isclose(errors, 1, rtol=1e-9))  # every slope comes out as 0
    if lost.size > 2:
        said, place = "x + eps rounds to x", (steps[lost[0]], 1.8)
        axes.text(*place, said, fontsize=8.5, color=look["color"], va="bottom")


def _draw_gradcheck(axes: Axes) -> None:
    """Mark the step and the tolerance of gradcheck."""
    grey: dict[str, Any] = {"color": "0.35", "linewidth": 1, "linestyle": (0, (1, 2))}
    axes.axvline(DEFAULT_EPS, **grey)
    axes.axhline(TOLERANCE, **grey)
    where = axes.get_yaxis_transform()
    said = f"gradcheck's eps: {_power(DEFAULT_EPS)}"
    axes.text(DEFAULT_EPS * 1.2, _HIGHEST * 0.6, said, fontsize=8.5, va="top")
    said = f"gradcheck's tolerance: {_power(TOLERANCE)}"
    axes.text(0.99, TOLERANCE * 0.8, said, fontsize=8.5, ha="right", va="top", transform=where)


def _power(value: float) -> str:
    """Write a power of ten as Python does, without the zero: 1e-5."""
    return "1" if value == 1 else compact(f"{value:.0e}")


def _draw_arms(
    axes: Axes, steps: NDArray[np.float64], curves: Mapping[str, NDArray[np.float64]]
) -> None:
    """Draw and label a line for the rounding of each dtype, and one for the truncation of all."""
    found = {name: arms(steps, curves[name], float(np.finfo(name).eps)) for name in curves}
    known = [b for _, b in found.values() if np.isfinite(b)]
    for name, (a, _) in found.items():
        line = a * np.finfo(name).eps / steps
        rules = line > (0.3 * known[0] * steps**2 if known else 0)
        said = f"rounding: {a:.1f} · {compact(f'{np.finfo(name).eps:.1e}')} / eps"
        _draw_arm(axes, steps[rules], line[rules], -1, said, _LOOKS[name]["color"])
    if known:
        line = known[0] * steps**2
        rules = line > 0.3 * min(np.nanmin(values) for values in curves.values())
        said = f"truncation: {known[0]:.2g} · eps²"
        _draw_arm(axes, steps[rules], line[rules], 2, said, "0.2")


def _draw_arm(
    axes: Axes,
    steps: NDArray[np.float64],
    line: NDArray[np.float64],
    power: int,
    said: str,
    colour: str,
) -> None:
    """Draw a line of error against step, and write along it what it is."""
    axes.plot(steps, line, color=colour, linewidth=1.2, linestyle="--", zorder=2)
    bottom, top = axes.get_ylim()
    inside = np.flatnonzero((line > bottom) & (line < 1))
    if not inside.size:  # also where the arm was not found, and the line is NaN
        return
    low, high = axes.get_xlim()
    across = WIDTH * _AXES[2] / np.log10(high / low)  # inches for a factor of 10
    up = _HEIGHT * _AXES[3] / np.log10(top / bottom)
    at = inside[inside.size // (2 if power > 0 else 8)]
    below = power > 0
    axes.annotate(
        said, (steps[at], line[at]), (8, -8) if below else (4, 6), textcoords="offset points",
        rotation=float(np.degrees(np.arctan2(power * up, across))), rotation_mode="anchor",
        ha="left", va="top" if below else "bottom", fontsize=8.5, color=colour,
        path_effects=halo(3),
    )  # fmt: skip
