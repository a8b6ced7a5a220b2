"""What the masks of a folder hold, gathered: each id and each colour, and where it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from minifcn.data.classes import Colour
from minifcn.data.labels import as_colours
from minifcn.data.masks import NO_ID, Values

BLACK, WHITE = (0, 0, 0), (255, 255, 255)

SHOWN, LEAST_SHOWN = 12, 0.01
"""How many values an error lists; of more, only those in at least this share of the pixels."""


@dataclass
class Found:
    """In how many pixels of how many masks a value is, the first of them, and its largest share."""

    first: Path
    pixels: int = 0
    masks: int = 0
    share: float = 0.0

    def add(self, count: int, of: int) -> None:
        """Count a mask that has the value in `count` of its pixels."""
        self.pixels, self.masks = self.pixels + count, self.masks + 1
        self.share = max(self.share, count / of)


@dataclass
class Seen:
    """The values of all masks, gathered.

    Attributes:
        masks: how many there are.
        ids, colours: each id and each colour that occurs.
        pairs: the colours that stand for an id, for each id.
        without_id: the first mask with a colour that is no shade of grey, if there is one.
        shared: the colours that two ids of one mask have, so that colours say too little.
        together: each set of ids that a mask has, and the first such mask.
    """

    masks: int = 0
    ids: dict[int, Found] = field(default_factory=dict)
    colours: dict[Colour, Found] = field(default_factory=dict)
    pairs: dict[int, dict[Colour, Path]] = field(default_factory=dict)
    without_id: Path | None = None
    shared: set[Colour] = field(default_factory=set)
    together: dict[frozenset[int], Path] = field(default_factory=dict)

    def add(self, path: Path, values: Values) -> None:
        """Take in the values of one mask."""
        self.masks += 1
        colours, size = as_colours(values.colours), int(values.counts.sum())
        for i, colour, count in zip(
            values.ids.tolist(), colours, values.counts.tolist(), strict=True
        ):
            self.colours.setdefault(colour, Found(path)).add(count, size)
            if i == NO_ID:
                self.without_id = self.without_id or path
                continue
            self.ids.setdefault(i, Found(path)).add(count, size)
            if values.is_palette:
                self.pairs.setdefault(i, {}).setdefault(colour, path)
        self.shared |= {colour for colour, times in Counter(colours).items() if times > 1}
        self.together.setdefault(frozenset(values.ids.tolist()), path)

    @property
    def disagreeing(self) -> tuple[int, dict[Colour, Path]] | None:
        """An index that is one colour in one mask and another in another."""
        return next((pair for pair in self.pairs.items() if len(pair[1]) > 1), None)

    @property
    def is_black_and_white(self) -> bool:
        """Whether all masks are black and white, and nothing else."""
        return self.colours.keys() == {BLACK, WHITE}


# -- In words --------------------------------------------------------------------------------------


def share_of(part: dict[Colour, Found], seen: Seen) -> float:
    """The share of all pixels that have one of these values."""
    whole = sum(found.pixels for found in seen.colours.values())
    return sum(found.pixels for found in part.values()) / max(whole, 1)


def frequent(colours: dict[Colour, Found]) -> list[Colour]:
    """The most frequent colours, black first: it is the background of most."""
    ordered = sorted(colours, key=lambda colour: -colours[colour].pixels)
    if len(ordered) > SHOWN:
        least = LEAST_SHOWN * sum(found.pixels for found in colours.values())
        many = sum(found.pixels >= least for found in colours.values())
        ordered = ordered[: min(max(many, 2), SHOWN)]
    return sorted(ordered, key=lambda colour: colour != BLACK)


def as_lines(seen: Seen) -> str:
    """A classes.txt of the colours that were found, in one line of text."""
    colours = frequent(seen.colours)
    lines = [f"'class{i} {r} {g} {b}'" for i, (r, g, b) in enumerate(colours)]
    more = len(seen.colours) - len(lines)
    rest = f" (and {more} rarer colours, if they are not smoothed edges)" if more else ""
    return f"into classes.txt, a line each: {', '.join(lines)}{rest}"


def counted(colours: dict[Colour, Found]) -> str:
    """Name the most frequent colours: '(9, 9, 9) in 3 pixels, ...'."""
    shown = sorted(colours, key=lambda colour: -colours[colour].pixels)[:3]
    more = ", ..." if len(colours) > len(shown) else ""
    return ", ".join(f"{c} in {colours[c].pixels} pixels" for c in shown) + more


def listed_ids(ids: dict[int, Found]) -> str:
    """The values, and how many there are if they are many."""
    values = sorted(ids)
    return ranges(values) if len(values) <= SHOWN else f"{len(values)} values, {ranges(values)}"


def ranges(values: list[int]) -> str:
    """'0 to 3, 7' of 0, 1, 2, 3, 7."""
    parts: list[list[int]] = []
    for value in values:
        if parts and value == parts[-1][-1] + 1:
            parts[-1].append(value)
        else:
            parts.append([value])
    words = [f"{p[0]} to {p[-1]}" if len(p) > 2 else ", ".join(map(str, p)) for p in parts]
    return ", ".join(words[:SHOWN]) + (", ..." if len(words) > SHOWN else "")
