"""What a student is told: the part, the case, the first wrong number, the mistake, a question."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np

import minifcn
from minifcn.course.exercises.checker import PartReport, Report
from minifcn.course.exercises.runner import Given, Graph

WORDS = 120
"""The most words of a message."""


def message(report: PartReport) -> str:
    """Say what is wrong with a part, in at most WORDS words; '' if nothing is."""
    if report.status == "pass":
        return ""
    name = f"{report.function.name}, {report.part.name}"
    if report.status == "not-written":
        return f"{name} {report.problem}."
    lines = [f"{name} {report.problem}{_how_many(report)}.", *_seen(report), *_named(report)]
    if report.right_cases:
        right = "; ".join(report.right_cases)
        lines.append(f"It is right for: {right}. A test of these alone would pass it.")
    return "\n".join(fill(line, 96, subsequent_indent="  ") for line in lines)


def _how_many(report: PartReport) -> str:
    return f" in {report.wrong} of {report.total} numbers" if report.total > 1 else ""


def _seen(report: PartReport) -> list[str]:
    if report.case is None:
        return []
    said = [f"Seen with: {report.case.name} ({described(report.case.arguments)})."]
    if report.expected is not None:
        place = f"at {report.where} " if report.where else ""
        said.append(f"First {place}expected {report.expected:.6g}, got {report.got:.6g}.")
    return said


def described(arguments: Mapping[str, Any]) -> str:
    """Say arguments in a line: shapes of arrays, values of others."""
    return ", ".join(f"{name} {_short(value)}" for name, value in arguments.items())


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        few = value.ndim <= 1 and value.size <= 8 and value.dtype.kind in "iub"
        return str(value.tolist() if few else value.shape)
    if isinstance(value, Given):
        return value.name
    if isinstance(value, Graph):
        return f"of {len(value.nodes)} nodes"
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    return str(value)


def _named(report: PartReport) -> list[str]:
    name = report.name
    if name.match == "exact":
        (one,) = name.switches
        return [f"The mistake: {one.words} [{one.mistake}].", one.question]
    if name.match == "either":
        listed = "; or ".join(f"{one.words} [{one.mistake}]" for one in name.switches)
        return [f"The mistake is one of these, which give the same numbers: {listed}.",
                name.switches[0].question]  # fmt: skip
    if name.match == "pair":
        listed = ", and ".join(f"{one.words} [{one.mistake}]" for one in name.switches)
        return [f"Two mistakes together: {listed}.", name.switches[0].question]
    if report.status != "fail" or report.expected is None:
        return []
    said = f"What can be said: {name.property}. " if name.property else ""
    return [f"{said}It is no mistake that I know."]


def record(report: Report, student: str = "", hint_level: int = 0) -> dict[str, Any]:
    """A report as a line of JSON: schema minifcn/check/v1."""
    each = report.exercise.points / len(report.parts)
    parts = [_part_record(part, each, hint_level) for part in report.parts]
    return {
        "schema": "minifcn/check/v1",
        "minifcn": minifcn.__version__,
        "exercise": report.exercise.name,
        "exercise_version": report.exercise.version,
        "student": student,
        "file_sha256": report.sha256,
        "seed": report.seed,
        "seconds": round(report.seconds, 3),
        "points": round(sum(part["points"] for part in parts), 4),
        "max_points": report.exercise.points,
        "status": report.status,
        "parts": parts,
    }


def _part_record(part: PartReport, points: float, hint_level: int) -> dict[str, Any]:
    case = part.case.arguments if part.case else {}
    return {
        "id": f"{part.function.name}.{part.part.id}",
        "name": part.part.name,
        "points": points if part.status == "pass" else 0.0,
        "max_points": points,
        "status": part.status,
        "case": {name: _short(value) for name, value in case.items()},
        "where": None if part.where is None else list(part.where),
        "expected": _finite(part.expected),
        "got": _finite(part.got),
        "wrong": part.wrong,
        "total": part.total,
        "mistakes": list(dict.fromkeys(switch.mistake for switch in part.name.switches)),
        "match": part.name.match,
        "message": message(part),
        "hint_level": hint_level,
    }


def _finite(number: float | None) -> float | None:
    """JSON has no NaN."""
    return number if number is not None and np.isfinite(number) else None


def table(reports: list[Report]) -> str:
    """A line for each exercise: its parts that pass, and what is the matter with the others."""
    width = max(len(report.exercise.name) for report in reports)
    lines = []
    for report in reports:
        passed = sum(part.status == "pass" for part in report.parts)
        mark = {"pass": "passed", "not-written": "not written"}.get(report.status, report.status)
        said = f"{report.exercise.name:{width}}  {passed:2} of {len(report.parts):2}  {mark}"
        mistakes = [one.mistake for part in report.parts for one in part.name.switches]
        lines.append(f"{said:{width + 26}} {', '.join(dict.fromkeys(mistakes))}".rstrip())
    return "\n".join(lines)
