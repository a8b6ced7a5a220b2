"""What the values of masks mean: the class, or VOID, of each id or of each colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from os import PathLike
from typing import Any

import numpy as np

from minifcn.data.classes import Class, ClassList, Colour
from minifcn.data.dataset import VOID
from minifcn.data.masks import NO_ID, Values, read_raw_mask

MIX_TOLERANCE = 3
"""How far a channel of a mixed colour may be from the line between two others, of 255."""


MOST_TO_MEET = 32
"""Of more known colours, mixtures of three are not looked for: they fill the space of colours."""


@dataclass(frozen=True)
class Labels:
    """The classes of a data set, and how its masks are read.

    Attributes:
        classes: the name of each class.
        palette: its colour in pictures.
        ids: the class of each id, or VOID, if masks are read by their ids.
        colours: the class of each colour, or VOID, if masks are read by their colours.
        mixed: whether a colour between two of `colours`, as soft edges have, is VOID, not an error.
    """

    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    ids: dict[int, int] = field(default_factory=dict)
    colours: dict[Colour, int] = field(default_factory=dict)
    mixed: bool = False

    def classes_of(self, values: Values, path: str | PathLike) -> list[int]:
        """The class of each value, or VOID.

        Raises ValueError for a value without a meaning; `path` is named in it.
        """
        find = self._by_colour if self.colours else self._by_id
        return find(values, str(path))

    def _by_id(self, values: Values, path: str) -> list[int]:
        ids = values.ids.tolist()
        if NO_ID in ids:
            raise ValueError(
                f"mask {path!r}: an RGB mask, but no colour table; expected a mask of ids, or a"
                " classes.txt that gives each class its colour, as in 'road 128 64 128'"
            )
        wrong = [i for i in ids if i not in self.ids]
        if wrong:
            last = max(i for i, c in self.ids.items() if c != VOID)
            raise ValueError(
                f"mask {path!r} has id {max(wrong)}; expected 0 to {last}, or {VOID} for void"
            )
        return [self.ids[i] for i in ids]

    def _by_colour(self, values: Values, path: str) -> list[int]:
        found = [self.colours.get(colour) for colour in as_colours(values.colours)]
        unknown = np.array([c is None for c in found])
        if self.mixed:
            unknown &= ~mixed_colours(values.colours, list(self.colours))
        if unknown.any():
            counted = count_colours(values.colours[unknown], values.counts[unknown])
            raise ValueError(
                f"mask {path!r} has {unknown.sum()} colours that the colour table lacks"
                f" ({counted}); expected its {len(self.colours)} colours only"
            )
        return [VOID if c is None else c for c in found]

    def as_list(self, source: str) -> ClassList:
        """The classes as classes.txt would list them, with colours if masks are read by those."""
        colours = {i: colour for colour, i in self.colours.items() if i != VOID}
        entries = [Class(name, colours.get(i)) for i, name in enumerate(self.classes)]
        if self.ids.get(len(entries)) == VOID and len(entries) < VOID:
            entries.append(Class("void"))
        void = next((colour for colour, i in self.colours.items() if i == VOID), None)
        return ClassList(tuple(entries), source, void)

    def to_json(self) -> dict[str, Any]:
        """These labels as values that JSON knows."""
        return {
            "classes": {n: list(c) for n, c in zip(self.classes, self.palette, strict=True)},
            "ids": [list(pair) for pair in self.ids.items()],
            "colours": [[*colour, i] for colour, i in self.colours.items()],
            "mixed": self.mixed,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Labels:
        """Labels from what `to_json` gave."""
        return cls(
            tuple(values["classes"]),
            tuple(_colour(*colour) for colour in values["classes"].values()),
            dict(values["ids"]),
            {_colour(r, g, b): i for r, g, b, i in values["colours"]},
            values["mixed"],
        )


def read_labels(path: str | PathLike, labels: Labels) -> np.ndarray:
    """Read a mask file as class ids, uint8 (H, W), with VOID = 255.

    Raises ValueError for a file that `read_raw_mask` refuses, and a value without a meaning.
    """
    raw = read_raw_mask(path)
    return np.array(labels.classes_of(raw.values, path), np.uint8)[raw.where]


def read_mask(
    path: str | PathLike, colours: Mapping[Colour, int] | Sequence[Colour] | None = None
) -> np.ndarray:
    """Read one mask as ids, uint8 (H, W): as they were written, or by the table `colours`.

    A colour's id is `colours[colour]`, or its position if `colours` is a sequence. What the masks
    of a whole folder mean, `meaning.decide` decides. Raises ValueError as `read_labels` does.
    """
    if colours is None:
        return read_labels(path, Labels((), (), ids={i: i for i in range(256)}))
    table = colours if isinstance(colours, Mapping) else {c: i for i, c in enumerate(colours)}
    return read_labels(path, Labels((), (), colours=dict(table)))


def as_colours(rows: np.ndarray) -> list[Colour]:
    """Rows of three numbers as tuples."""
    return [_colour(*row) for row in rows.tolist()]


def _colour(red: int, green: int, blue: int) -> Colour:
    return int(red), int(green), int(blue)


def count_colours(colours: np.ndarray, counts: np.ndarray, most: int = 3) -> str:
    """Name the most frequent colours: '(0, 0, 255) in 3 pixels, ...'."""
    order = np.argsort(-counts, kind="stable")[:most]
    named = zip(as_colours(colours[order]), counts[order].tolist(), strict=True)
    more = ", ..." if len(counts) > most else ""
    return ", ".join(f"{colour} in {count} pixels" for colour, count in named) + more


def mixed_colours(colours: np.ndarray, known: list[Colour]) -> np.ndarray:
    """Whether each colour, (V, 3), is a mixture of two or three of the known ones: bool (V,).

    That is where soft edges go, and where three classes meet: c = a + s (b - a) + t (d - a) with
    s, t >= 0 and s + t <= 1.
    """
    mixed = np.zeros(len(colours), bool)
    for pair in combinations(known, 2):
        mixed |= between(colours, *pair)
    if len(known) <= MOST_TO_MEET:
        mixed[~mixed] = [_is_where_three_meet(c, known) for c in colours[~mixed].astype(float)]
    return mixed


def between(colours: np.ndarray, first: Colour, second: Colour) -> np.ndarray:
    """Whether each colour, (V, 3), lies between two: c = a + t (b - a) with 0 < t < 1."""
    a, step = np.array(first, float), np.subtract(second, first).astype(float)
    c = colours.astype(np.float64) - a
    t = np.clip(c @ step / (step @ step), 0, 1)
    off = np.abs(c - t[:, None] * step).max(axis=1)
    return (off <= MIX_TOLERANCE) & (t > 0) & (t < 1)


def _is_where_three_meet(colour: np.ndarray, known: list[Colour]) -> bool:
    threes = np.array(list(combinations(known, 3)), float).reshape(-1, 3, 3)
    edges = (threes[:, 1:] - threes[:, :1]).swapaxes(1, 2)
    c = (colour - threes[:, 0])[..., None]
    weights = np.linalg.pinv(edges) @ c
    off = np.abs(edges @ weights - c).max(axis=(1, 2), initial=0)
    inside = (weights >= 0).all(axis=(1, 2)) & (weights.sum(axis=(1, 2)) <= 1)
    return bool((inside & (off <= MIX_TOLERANCE)).any())
