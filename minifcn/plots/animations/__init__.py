"""Animations in numbers: the window of a convolution slides, a transposed one stamps its kernel.

Both compute with the project's kernels, and show real numbers: the reader's own, or made-up ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from minifcn.kernels import IntOrPair, im2col
from minifcn.kernels.geometry import Pair, pair, whole_numbers
from minifcn.plots.animations.page import CAPTION_LINES, Grids, Page, layout
from minifcn.plots.animations.steps import (
    Numbers,
    Stamp,
    WindowStep,
    check_convolution,
    check_seed,
    check_transposed,
    convolution_steps,
    kept,
    made_up,
    stamps,
)
from minifcn.plots.canvas import animation_file, check_path, figure_file
from minifcn.plots.numbers import written
from minifcn.plots.panels import page_axes

__all__ = ["animate_convolution", "animate_transposed", "convolution_steps", "stamps"]

_Draw: TypeAlias = Callable[[Page, int], None]

_LONGEST_SECONDS, _SECONDS, _LAST = 40.0, (0.25, 1.2), 3.0
"""Of all frames together, roughly; of one frame, at least and at most; and of the last one."""

_MOST_STILLS = 12
"""Steps below each other in a picture that stands still."""


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
    check_path(path, (".gif", ".png", ".svg"))
    check_seed(seed)
    x, weight = made_up(i, "i", 0, 3, seed), made_up(k, "k", 1, 3, seed + 1)
    stride, padding, dilation = pair(s, "s", 1), pair(p, "p"), pair(d, "d", 1)
    check_convolution(x, weight, padding)
    found = convolution_steps(x, weight, stride, padding, dilation)
    chosen = _chosen(steps, len(found), path)
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
        _mark(page, step.output.shape, [step.place], ~np.isnan(step.output))
        page.say(f"step {n + 1} of {len(found)}", _window_sentences(step, weight, page))

    grids = _convolution_grids(x, weight, padded, found, (s, p, d))
    _render(path, grids, draw, chosen)


def animate_transposed(
    path: str | os.PathLike[str],
    i: Numbers = 3,
    k: Numbers = 3,
    s: IntOrPair = 2,
    p: IntOrPair = 1,
    d: IntOrPair = 1,
    output_padding: IntOrPair = 0,
    steps: Sequence[int] | None = None,
    seed: int = 0,
) -> None:
    """Draw a transposed convolution as a kernel that is stamped onto the output, sums written out.

    Args:
        path: a GIF, or a PNG or SVG that shows some of the steps below each other.
        i: the input, or its size, as for animate_convolution.
        k: the kernel, or its size, likewise.
        s: stride, a number or a pair (height, width).
        p: padding, which cuts rows and columns off the output, likewise.
        d: dilation, likewise.
        output_padding: rows and columns more at the bottom and right, likewise.
        steps: as for animate_convolution.
        seed: of the made-up numbers.

    Raises:
        ValueError: the padding leaves nothing of the output, output_padding is not smaller than
            the stride or the dilation, the output is larger than 48x48 before the padding is cut
            off, a product is not finite, there is no such step, or there are more than 12 in a
            still, or path does not end in .gif, .png or .svg.
        TypeError: i or k does not hold numbers, or another argument is not of whole numbers.
    """
    check_path(path, (".gif", ".png", ".svg"))
    check_seed(seed)
    x, weight = made_up(i, "i", 1, 4, seed), made_up(k, "k", 1, 3, seed + 1)
    stride, padding, dilation = pair(s, "s", 1), pair(p, "p"), pair(d, "d", 1)
    extra = pair(output_padding, "output_padding")
    check_transposed(x, weight, stride, padding, dilation, extra)
    found = stamps(x, weight, stride, padding, dilation, extra)
    chosen = _chosen(steps, len(found), path)

    def draw(page: Page, n: int) -> None:
        stamp = found[n]
        page.input.write(x)
        page.input.fill(np.full(x.shape, 0.2))
        page.input.outline(_only(x.shape, [stamp.place]))
        page.kernel.write(weight)
        page.products.write(stamp.products)
        overlaps = stamp.lands & (stamp.hits > 1)
        page.output.write(stamp.after, _additions(stamp, overlaps))
        _mark(page, stamp.lands.shape, np.argwhere(stamp.lands), stamp.hits > 0)
        sentences = _stamp_sentences(stamp, x[stamp.place], overlaps, padding, page)
        page.say(f"step {n + 1} of {len(found)}", sentences)

    grids = _transposed_grids(x, weight, found, (s, p, d, output_padding))
    _render(path, grids, draw, chosen)


_UNBROKEN = "\N{NO-BREAK SPACE}"


def _render(path: str | os.PathLike[str], grids: Grids, draw: _Draw, steps: list[int]) -> None:
    width, height, *_ = layout(grids)
    if str(path).lower().endswith(".gif"):
        seconds = float(np.clip(_LONGEST_SECONDS / len(steps), *_SECONDS))
        with animation_file(path, width, height) as animation:
            page = Page(page_axes(animation.figure), grids)
            for n in (steps[-1], steps[0]):
                draw(page, n)
                animation.learn()
            for artist in page.artists():
                artist.set_animated(True)
            for n in steps:
                draw(page, n)
                shown = _LAST if n == steps[-1] else seconds
                animation.snap(page.changed(), page.passing(), shown)
        return
    total = height * len(steps)
    with figure_file(path, width, total) as figure:
        for row, n in enumerate(steps):
            draw(Page(page_axes(figure, top=row * height, height=height), grids), n)


def _chosen(steps: Sequence[int] | None, count: int, path: str | os.PathLike[str]) -> list[int]:
    """Return the numbers of the steps to show, or raise an error naming one that is not there."""
    is_gif = str(path).lower().endswith(".gif")
    if steps is None:
        return list(range(count)) if is_gif else sorted({0, min(1, count - 1), count - 1})
    if not isinstance(steps, (Sequence, np.ndarray)) or not whole_numbers(steps):
        raise TypeError(f"steps must be a list of whole numbers; got {steps!r}")
    if not len(steps):
        raise ValueError("steps must name at least one step, got none")
    if len(steps) > _MOST_STILLS and not is_gif:
        raise ValueError(f"steps must be at most {_MOST_STILLS} in a still; got {len(steps)}")
    for n in steps:
        if not -count <= n < count:
            raise ValueError(f"steps must be from 0 to {count - 1}, or negative; got {n}")
    return [int(n) % count for n in steps]


def _windows(
    padded: np.ndarray, weight: np.ndarray, stride: IntOrPair, dilation: IntOrPair
) -> np.ndarray:
    """Mark the cells of each window, bool (steps, H, W): im2col of the cells' numbers."""
    names = np.arange(padded.size, dtype=np.float64).reshape(1, 1, *padded.shape)
    read = im2col(names, weight.shape, stride, 0, dilation)[0, 0].reshape(weight.size, -1)
    return np.array([np.isin(names[0, 0], window) for window in read.T])


def _only(shape: tuple[int, ...], places: Sequence[Pair] | np.ndarray) -> np.ndarray:
    marked = np.zeros(shape, bool)
    for place in places:
        marked[tuple(place)] = True
    return marked


def _mark(
    page: Page, shape: tuple[int, ...], places: Sequence[Pair] | np.ndarray, done: np.ndarray
) -> None:
    """Outline the output's cells of this step; they are dark, those of earlier steps light."""
    marked = _only(shape, places)
    page.output.outline(marked)
    page.output.fill(np.where(marked, 0.9, np.where(done, 0.25, 0)))


def _additions(stamp: Stamp, overlaps: np.ndarray) -> np.ndarray:
    """Return '3+4' where 4 is stamped onto 3, else nothing."""
    notes, new = np.full(stamp.after.shape, "", dtype=object), _landed(stamp)
    for place in map(tuple, np.argwhere(overlaps)):
        notes[place] = f"{written(stamp.before[place])}+{_factor(new[place])}"
    return notes


def _landed(stamp: Stamp) -> np.ndarray:
    """Return the products where they land: after - before would show them rounded."""
    landed = np.zeros(stamp.after.shape)
    landed[stamp.lands] = stamp.products.ravel()
    return landed


def _window_sentences(step: WindowStep, weight: np.ndarray, page: Page) -> list[str]:
    """Return the sum in full, or only its result where it would need too many lines."""
    name, result = f"output[{step.place[0]}, {step.place[1]}]", written(step.output[step.place])
    factors = zip(step.window.flat, weight.flat, strict=True)
    full = f"{name} = " + " + ".join(f"{written(a)}×{_factor(b)}" for a, b in factors)
    if len(page.wrapped(f"{full} = {result}")) < CAPTION_LINES:
        return [_window_place(step), f"{full} = {result}"]
    return [_window_place(step), f"{name} = the sum of the {weight.size} products = {result}"]


def _window_place(step: WindowStep) -> str:
    top, left = map(written, step.corner)
    return f"The window begins at row {top}, column {left} of the input: s × output index − p."


def _stamp_sentences(
    stamp: Stamp, value: float, overlaps: np.ndarray, padding: Pair, page: Page
) -> list[str]:
    """Say where the stamp lands, and write the additions of overlapping stamps, while they fit."""
    (h, w), (top, left) = stamp.place, map(written, stamp.corner)
    where = (
        f"input[{h}, {w}] = {written(value)}: {written(value)} × kernel lands from row {top},"
        f" column {left} of the output on: s × input index − p."
    )
    places = [tuple(place) for place in np.argwhere(overlaps)]
    if not places:
        return [where, "No other stamp has been here before."]
    new = _landed(stamp)
    sums = [_addition(stamp, place, new[place], padding) for place in places]
    for shown in range(len(sums), -1, -1):
        more = len(sums) - shown
        rest = [f"and {more} more"] if more else []
        text = "Stamps overlap, and add up: " + ", ".join(sums[:shown] + rest) + "."
        if len(page.wrapped(text)) < CAPTION_LINES:
            break
    return [where, text]


def _addition(stamp: Stamp, place: tuple[int, ...], new: float, padding: Pair) -> str:
    name = f"[{written(place[0] - padding[0])}, {written(place[1] - padding[1])}]"
    old, both = written(stamp.before[place]), written(stamp.after[place])
    return f"{name}: {old} + {_factor(new)} = {both}".replace(" ", _UNBROKEN)


def _factor(number: float) -> str:
    """Return a number as it stands in a formula: a negative one in brackets."""
    return f"({written(number)})" if number < 0 else written(number)


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
        f"Convolution: {_settings(k=_size(weight), s=s, p=p, d=d)}",
        ~inside,
        np.zeros(y.shape, bool),
        (weight.shape[0], weight.shape[1]),
        (-top, -left),
        (0, 0),
        (f"input {_size(x)}", f"kernel {_size(weight)}", "window × kernel", f"output {_size(y)}"),
        (x, weight, products, y),
        "Squares: input. Circles: output. Thick lines, dark: this step."
        + (" Hatched: the padding, zeros around the input." if (top, left) != (0, 0) else ""),
    )


def _transposed_grids(
    x: np.ndarray,
    weight: np.ndarray,
    found: list[Stamp],
    settings: tuple[IntOrPair, IntOrPair, IntOrPair, IntOrPair],
) -> Grids:
    s, p, d, output_padding = settings
    last, (top, left), extra = found[-1], pair(p, "p"), pair(output_padding, "output_padding")
    inside = np.zeros(last.after.shape, bool)
    inside[kept((last.output.shape[0], last.output.shape[1]), p)] = True
    products = np.array([stamp.products for stamp in found])
    legend = "Squares: input. Circles: output. Thick lines, dark: this step."
    legend += " Hatched: cut off by the padding." if (top, left) != (0, 0) else ""
    legend += " Below and right of the dashes: output padding." if extra != (0, 0) else ""
    name = _settings(k=_size(weight), s=s, p=p, d=d, output_padding=output_padding)
    return Grids(
        f"Transposed convolution: {name}",
        np.zeros(x.shape, bool),
        ~inside,
        (weight.shape[0], weight.shape[1]),
        (0, 0),
        (-top, -left),
        (
            f"input {_size(x)}",
            f"kernel {_size(weight)}",
            "stamp: pixel × kernel",
            f"output {_size(last.output)}",
        ),
        (x, weight, products, np.array([stamp.after for stamp in found])),
        legend,
        extra,
    )


def _settings(k: str, **others: IntOrPair) -> str:
    shown = {name: value for name, value in others.items() if name != "output_padding" or value}
    return ", ".join([f"k = {k}", *(f"{name} = {value}" for name, value in shown.items())])


def _size(array: np.ndarray) -> str:
    return f"{array.shape[0]}×{array.shape[1]}"
