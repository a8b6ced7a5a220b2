"""What an experiment is: settings in; tables, findings and pictures out."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

WIDTH = 100
"""Characters of a line of text; tables may be wider."""


@dataclass(frozen=True)
class Settings:
    """What the user chose.

    Attributes:
        out: the folder for the pictures; it exists.
        seeds: the seeds to repeat everything with.
        scale: the budget as a share of the default one. Numbers of iterations are multiplied with
            it, so that a result depends on the budget and the seeds, never on the machine's speed.
        say: reports progress, a line at a time.
        root: CamVid's folder, for an experiment that takes it.
    """

    out: Path
    seeds: tuple[int, ...] = (0,)
    scale: float = 1.0
    say: Callable[[str], None] = lambda line: None
    root: str | None = None

    def iterations(self, default: int) -> int:
        """How many iterations the budget allows where the default budget allows `default`."""
        return max(1, round(default * self.scale))


@dataclass(frozen=True)
class Table:
    """A named table of results; the columns are the keys of its first row.

    Attributes:
        title: what is compared, in a few words.
        rows: one dict a row: text, numbers, None for what is undefined.
        formats: how a column's numbers are written, as in `{"seconds": ".1f"}`; three digits after
            the point otherwise, whole numbers with separators.
        note: a sentence below the table.
    """

    title: str
    rows: Sequence[Mapping[str, Any]]
    formats: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def text(self) -> str:
        """Return the table as lines of text."""
        columns = list(self.rows[0])
        lines = [[self._cell(name, row[name]) for name in columns] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(columns, *lines, strict=True)]
        left = [any(isinstance(row[name], str) for row in self.rows) for name in columns]
        header = _line(columns, widths, left)
        body = [_line(line, widths, left) for line in lines]
        rule = "-" * sum(widths, 2 * (len(widths) - 1))
        note = ["", *map(_wrapped, self.note.splitlines())] if self.note else []
        return "\n".join([self.title, "", header, rule, *body, *note])

    def _cell(self, name: str, value: Any) -> str:
        value = _json(value)
        if isinstance(value, str):
            return value
        if value is None:
            return "-"
        if isinstance(value, bool):
            return "yes" if value else "no"
        return format(value, self.formats.get(name, "," if isinstance(value, int) else ".3f"))


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _line(cells: Sequence[str], widths: Sequence[int], left: Sequence[bool]) -> str:
    padded = [
        cell.ljust(width) if on_the_left else cell.rjust(width)
        for cell, width, on_the_left in zip(cells, widths, left, strict=True)
    ]
    return "  ".join(padded).rstrip()


@dataclass(frozen=True)
class Result:
    """What came out.

    Attributes:
        tables: by a name of one word, the key in the JSON.
        findings: sentences that the numbers of this very run say.
        pictures: the files that were written, in the order to look at them.
    """

    tables: Mapping[str, Table]
    findings: Sequence[str] = ()
    pictures: Sequence[Path] = ()

    def text(self) -> str:
        """Return tables, findings and the names of the pictures as text."""
        parts = [table.text() for table in self.tables.values()]
        listed = [_wrapped(f"- {finding}", "  ") for finding in self.findings]
        parts += ["\n".join(listed)] if listed else []
        parts += ["\n".join(f"picture: {path}" for path in self.pictures)] if self.pictures else []
        return "\n\n".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Return the same as what `json.dumps` takes; NaN becomes None."""
        tables = {name: [_json(row) for row in table.rows] for name, table in self.tables.items()}
        return {
            "tables": tables,
            "findings": list(self.findings),
            "pictures": [str(path) for path in self.pictures],
        }


def _json(value: Any) -> Any:
    """The same value in types that JSON has: no NaN, no NumPy."""
    if isinstance(value, Mapping):
        return {str(name): _json(own) for name, own in value.items()}
    if isinstance(value, list | tuple):
        return [_json(own) for own in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Experiment(NamedTuple):
    """An entry of the list of experiments.

    summary: one line for --help; run: does it; seeds, minutes: how many seeds and which budget it
    has by default. `minutes` of 0: the budget changes nothing, as nothing is trained. takes_root:
    whether it can be done on CamVid.
    """

    summary: str
    run: Callable[[Settings], Result]
    seeds: int = 1
    minutes: float = 0
    takes_root: bool = False
