"""The animation of a transposed convolution: a kernel is stamped onto the output, and adds up."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from minifcn.kernels import IntOrPair
from minifcn.kernels.checks import pair
from minifcn.kernels.geometry import Pair
from minifcn.plots.animations.film import (
    check_choices,
    chosen_steps,
    factor,
    mark,
    only,
    render,
    settings_text,
    size_text,
)
from minifcn.plots.animations.page import CAPTION_LINES, Grids, Page
from minifcn.plots.animations.steps import Numbers, Stamp, check_transposed, kept, made_up, stamps
from minifcn.plots.numbers import written

_UNBROKEN = "\N{NO-BREAK SPACE}"


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
    check_choices(path, seed)
    x, weight = made_up(i, "i", 1, 4, seed), made_up(k, "k", 1, 3, seed + 1)
    stride, padding, dilation = pair(s, "s", 1), pair(p, "p"), pair(d, "d", 1)
    extra = pair(output_padding, "output_padding")
    check_transposed(x, weight, stride, padding, dilation, extra)
    found = stamps(x, weight, stride, padding, dilation, extra)
    chosen = chosen_steps(steps, len(found), path)

    def draw(page: Page, n: int) -> None:
        stamp = found[n]
        page.input.write(x)
        page.input.fill(np.full(x.shape, 0.2))
        page.input.outline(only(x.shape, [stamp.place]))
        page.kernel.write(weight)
        page.products.write(stamp.products)
        overlaps = stamp.lands & (stamp.hits > 1)
        page.output.write(stamp.after, _additions(stamp, overlaps))
        mark(page, stamp.lands.shape, np.argwhere(stamp.lands), stamp.hits > 0)
        sentences = _stamp_sentences(stamp, x[stamp.place], overlaps, padding, page)
        page.say(f"step {n + 1} of {len(found)}", sentences)

    grids = _transposed_grids(x, weight, found, (s, p, d, output_padding))
    render(path, grids, draw, chosen)


def _additions(stamp: Stamp, overlaps: np.ndarray) -> np.ndarray:
    """Return '3+4' where 4 is stamped onto 3, else nothing."""
    notes, new = np.full(stamp.after.shape, "", dtype=object), _landed(stamp)
    for place in map(tuple, np.argwhere(overlaps)):
        notes[place] = f"{written(stamp.before[place])}+{factor(new[place])}"
    return notes


def _landed(stamp: Stamp) -> np.ndarray:
    """Return the products where they land: after - before would show them rounded."""
    landed = np.zeros(stamp.after.shape)
    landed[stamp.lands] = stamp.products.ravel()
    return landed


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
    return f"{name}: {old} + {factor(new)} = {both}".replace(" ", _UNBROKEN)


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
    name = settings_text(k=size_text(weight), s=s, p=p, d=d, output_padding=output_padding)
    return Grids(
        f"Transposed convolution: {name}",
        np.zeros(x.shape, bool),
        ~inside,
        (weight.shape[0], weight.shape[1]),
        (0, 0),
        (-top, -left),
        (
            f"input {size_text(x)}",
            f"kernel {size_text(weight)}",
            "stamp: pixel × kernel",
            f"output {size_text(last.output)}",
        ),
        (x, weight, products, np.array([stamp.after for stamp in found])),
        legend,
        extra,
    )
