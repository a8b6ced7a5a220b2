"""The animation of a convolution: a window slides over numbers, each sum written out."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from minifcn.kernels import IntOrPair, im2col
from minifcn.kernels.checks import pair
from minifcn.plots.animations.film import (
    check_choices,
    chosen_steps,
    factor,
    mark,
    render,
    settings_text,
    size_text,
)
from minifcn.plots.animations.page import CAPTION_LINES, Grids, Page
from minifcn.plots.animations.steps import (
    Numbers,
    WindowStep,
    check_convolution,
    convolution_steps,
    kept,
    made_up,
)
from minifcn.plots.numbers import written


def animate_convolution(
    path: str | os.PathLike[str],
    i: Numbers = 5,
    k: Numbers = 3,
    s: IntOrPair = 1,
    p: IntOrPair = 0,
    d: IntOrPair = 1,
    steps: Sequence[int] | None = None,
    seed: int = 0,
) -> None:
    """Draw a convolution as a window that slides over numbers, each sum written out.

    Args:
        path: a GIF, or a PNG or SVG that shows some of the steps below each other.
        i: the input (H, W), up to 12x12; or only its size, a number or a pair (a tuple): it is
            then filled with small whole numbers.
        k: the kernel (KH, KW), or its size, likewise.
        s: stride, a number or a pair (height, width).
        p: padding, likewise.
        d: dilation, likewise.
        steps: which to show, negative ones counted from the end. By default all in a GIF; in a
            still the first, the second and the last.
        seed: of the made-up numbers.

    Raises:
        ValueError: no window fits, the padded input is larger than 48x48, a product is not
            finite, there is no such step, or there are more than 12 in a still, or path does not
            end in .gif, .png or .svg.
        TypeError: i or k does not hold numbers, or another argument is not of whole numbers.
    """
    check_choices(path, seed)
    x, weight = made_up(i, "i", 0, 3, seed), made_up(k, "k", 1, 3, seed + 1)
    stride, padding, dilation = pair(s, "s", 1), pair(p, "p"), pair(d, "d", 1)
    check_convolution(x, weight, padding)
    found = convolution_steps(x, weight, stride, padding, dilation)
    chosen = chosen_steps(steps, len(found), path)
    padded = np.pad(x, [(n, n) for n in padding])
    marked = _windows(padded, weight, s, d)

    def draw(page: Page, n: int) -> None:
        step = found[n]
        page.input.write(padded)
        page.input.fill(np.full(padded.shape, 0.2))
        page.input.outline(marked[n])
        page.kernel.write(weight)
        page.products.write(step.products)
        page.output.write(step.output)
        mark(page, step.output.shape, [step.place], ~np.isnan(step.output))
        page.say(f"step {n + 1} of {len(found)}", _window_sentences(step, weight, page))

    grids = _convolution_grids(x, weight, padded, found, (s, p, d))
    render(path, grids, draw, chosen)


def _windows(
    padded: np.ndarray, weight: np.ndarray, stride: IntOrPair, dilation: IntOrPair
) -> np.ndarray:
    """Mark the cells of each window, bool (steps, H, W): im2col of the cells' numbers."""
    names = np.arange(padded.size, dtype=np.float64).reshape(1, 1, *padded.shape)
    read = im2col(names, weight.shape, stride, 0, dilation)[0, 0].reshape(weight.size, -1)
    return np.array([np.isin(names[0, 0], window) for window in read.T])


def _window_sentences(step: WindowStep, weight: np.ndarray, page: Page) -> list[str]:
    """Return the sum in full, or only its result where it would need too many lines."""
    name, result = f"output[{step.place[0]}, {step.place[1]}]", written(step.output[step.place])
    factors = zip(step.window.flat, weight.flat, strict=True)
    full = f"{name} = " + " + ".join(f"{written(a)}×{factor(b)}" for a, b in factors)
    if len(page.wrapped(f"{full} = {result}")) < CAPTION_LINES:
        return [_window_place(step), f"{full} = {result}"]
    return [_window_place(step), f"{name} = the sum of the {weight.size} products = {result}"]


def _window_place(step: WindowStep) -> str:
    top, left = map(written, step.corner)
    return f"The window begins at row {top}, column {left} of the input: s × output index − p."


def _convolution_grids(
    x: np.ndarray,
    weight: np.ndarray,
    padded: np.ndarray,
    found: list[WindowStep],
    settings: tuple[IntOrPair, IntOrPair, IntOrPair],
) -> Grids:
    s, p, d = settings
    y, (top, left) = found[-1].output, pair(p, "p")
    inside = np.zeros(padded.shape, bool)
    inside[kept((x.shape[0], x.shape[1]), p)] = True
    products = np.array([step.products for step in found])
    return Grids(
        f"Convolution: {settings_text(k=size_text(weight), s=s, p=p, d=d)}",
        ~inside,
        np.zeros(y.shape, bool),
        (weight.shape[0], weight.shape[1]),
        (-top, -left),
        (0, 0),
        (
            f"input {size_text(x)}",
            f"kernel {size_text(weight)}",
            "window × kernel",
            f"output {size_text(y)}",
        ),
        (x, weight, products, y),
        "Squares: input. Circles: output. Thick lines, dark: this step."
        + (" Hatched: the padding, zeros around the input." if (top, left) != (0, 0) else ""),
    )
