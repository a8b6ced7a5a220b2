"""Results as tables: CSV, Moodle's CSV, and a column of the teacher's own Canvas export."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from minifcn.course.grading.grade import Result

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def results_csv(results: Sequence[Result]) -> str:
    """A row a student: points of each exercise and their sum."""
    names = [record["exercise"] for record in results[0].records]
    rows = [["student", *names, "total"]]
    for result in results:
        points = [f"{record['points']:g}" for record in result.records]
        rows.append([_cell(result.student), *points, f"{result.points:g}"])
    return _written(rows)


def moodle_csv(results: Sequence[Result]) -> str:
    """What Moodle's grade import takes: the student as username, points and feedback of each.

    The teacher maps the columns (grade/import/csv of Moodle).
    """
    names = [record["exercise"] for record in results[0].records]
    head = ["username", *(column for name in names for column in (name, f"{name} feedback"))]
    rows = [head]
    for result in results:
        row = [_cell(result.student)]
        for record in result.records:
            messages = [part["message"] for part in record["parts"] if part["message"]]
            row += [f"{record['points']:.2f}", _cell(" / ".join(messages))]
        rows.append(row)
    return _written(rows)


def fill_canvas(export: Path, column: str, results: Sequence[Result]) -> tuple[str, list[str]]:
    """Fill one column of a Canvas grade-book export with the sums of points.

    Students are found by their ID, SIS User ID, SIS Login ID or name, which must be what their
    submission is called. All other cells stay as they are.

    Returns:
        The text of the file to import, and the students that are not in it.

    Raises:
        ValueError: it is no export of Canvas, or has no such column.
    """
    try:
        text = export.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{export}: not a readable CSV ({type(error).__name__})") from error
    delimiter = (
        ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    )
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    if not rows or "Student" not in rows[0][:1] or "ID" not in rows[0]:
        raise ValueError(f"{export}: must begin with the columns Student and ID, as Canvas exports")
    places = [i for i, title in enumerate(rows[0]) if title == column]
    if len(places) != 1:
        raise ValueError(f"{export}: must have one column {column!r}; it has {len(places)}")
    missing = _fill(rows, places[0], {result.student: result.points for result in results})
    return _written(rows, delimiter), missing


def _fill(rows: list[list[str]], place: int, points: Mapping[str, float]) -> list[str]:
    """Write the points into the rows of their students; return who has none."""
    known = [rows[0].index(name) for name in ("ID", "SIS User ID", "SIS Login ID", "Student")
             if name in rows[0]]  # fmt: skip
    found = set()
    for row in rows[1:]:
        if not row or row[0].strip() == "Points Possible":
            continue
        keys = [row[i] for i in known if i < len(row) and row[i] in points]
        if keys:
            row += [""] * (place + 1 - len(row))
            row[place] = f"{points[keys[0]]:.2f}"
            found.add(keys[0])
    return [student for student in points if student not in found]


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _written(rows: Sequence[Sequence[str]], delimiter: str = ",") -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return file.getvalue()
