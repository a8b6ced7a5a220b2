"""The log of a training: log.csv, a row for each iteration, as exact as it was computed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

LOG_COLUMNS = ("iteration", "loss", "lr", "mean_iu", "pixel_accuracy")
"""Scores are there where the run was validated; other cells of theirs are empty."""


def format_log(rows: list[dict[str, float | None]]) -> str:
    """Return rows of a log as CSV with a header."""
    return ",".join(LOG_COLUMNS) + "\r\n" + "".join(map(format_row, rows))


def format_row(row: dict[str, float | None]) -> str:
    """Return one row as a line."""
    text = io.StringIO()
    csv.DictWriter(text, LOG_COLUMNS).writerow(row)  # floats as repr: nothing is rounded
    return text.getvalue()


def read_log(path: Path) -> list[dict[str, float | None]]:
    """Read a log.csv back, up to the first row that a killed run left incomplete.

    Raises:
        ValueError: the file is missing, has other columns, or a cell that is no number.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a readable log ({type(error).__name__})") from error
    if not lines or lines[0].strip() != ",".join(LOG_COLUMNS):
        raise ValueError(f"{path}: must start with the columns {', '.join(LOG_COLUMNS)}")
    rows: list[dict[str, float | None]] = []
    for line in lines[1:]:
        row = read_row(line, path)
        if row is None:
            break
        rows.append(row)
    return rows


def read_row(line: str, path: Path) -> dict[str, float | None] | None:
    """Read a line of the file `path`; return None if it is incomplete."""
    cells = line.rstrip("\r\n").split(",")
    if not line.endswith("\n") or len(cells) != len(LOG_COLUMNS):
        return None
    numbers = [_number(cell, path) for cell in cells]
    return dict(zip(LOG_COLUMNS, numbers, strict=True))


def _number(cell: str, path: Path) -> float | None:
    if not cell:
        return None
    try:
        return int(cell) if cell.isdecimal() else float(cell)
    except ValueError as error:
        raise ValueError(f"{path}: a cell must be a number; got {cell!r}") from error
