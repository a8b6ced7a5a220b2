"""What both animations do alike: they check their choices, and turn steps into a GIF or a still."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from minifcn.kernels import IntOrPair
from minifcn.kernels.checks import whole_numbers
from minifcn.kernels.geometry import Pair
from minifcn.plots.animations.page import Grids, Page, layout
from minifcn.plots.canvas import animation_file, check_path, figure_file
from minifcn.plots.numbers import written
from minifcn.plots.panels import page_axes

Draw: TypeAlias = Callable[[Page, int], None]
"""Shows a step, given by its number, on a page."""

_LONGEST_SECONDS, _SECONDS, _LAST = 40.0, (0.25, 1.2), 3.0
"""Of all frames together, roughly; of one frame, at least and at most; and of the last one."""

_MOST_STILLS = 12
"""Steps below each other in a picture that stands still."""


def check_choices(path: str | os.PathLike[str], seed: int) -> None:
    """Raise an error unless path is of a picture and seed a whole number of at least 0."""
    check_path(path, (".gif", ".png", ".svg"))
    if not whole_numbers([seed]):
        raise TypeError(f"seed must be a whole number; got {seed!r}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0; got {seed}")


def chosen_steps(
    steps: Sequence[int] | None, count: int, path: str | os.PathLike[str]
) -> list[int]:
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


def render(path: str | os.PathLike[str], grids: Grids, draw: Draw, steps: list[int]) -> None:
    """Draw steps into a GIF one after the other, or into a still below each other."""
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


def only(shape: tuple[int, ...], places: Sequence[Pair] | np.ndarray) -> np.ndarray:
    """Mark some cells, bool (H, W)."""
    marked = np.zeros(shape, bool)
    for place in places:
        marked[tuple(place)] = True
    return marked


def mark(
    page: Page, shape: tuple[int, ...], places: Sequence[Pair] | np.ndarray, done: np.ndarray
) -> None:
    """Outline the output's cells of this step; they are dark, those of earlier steps light."""
    marked = only(shape, places)
    page.output.outline(marked)
    page.output.fill(np.where(marked, 0.9, np.where(done, 0.25, 0)))


def factor(number: float) -> str:
    """Return a number as it stands in a formula: a negative one in brackets."""
    return f"({written(number)})" if number < 0 else written(number)


def settings_text(k: str, **others: IntOrPair) -> str:
    """Write the settings of a convolution down: no output padding where it is 0."""
    shown = {name: value for name, value in others.items() if name != "output_padding" or value}
    return ", ".join([f"k = {k}", *(f"{name} = {value}" for name, value in shown.items())])


def size_text(array: np.ndarray) -> str:
    """Write a size down: rows×columns."""
    return f"{array.shape[0]}×{array.shape[1]}"
