"""What a student is told: the part, the case, the first wrong number, the mistake, a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np

import minifcn
from minifcn.course.exercises.checker import NOT_WRITTEN, PartReport, Report
from minifcn.course.exercises.runner import Given, Graph

WORDS = 120
"""The most words of a message."""


CASES = 4
"""The most cases that are listed."""


def messages(report: Report) -> list[str]:
    """Say what is wrong with a file; what is the same for all parts is said once.

    A function that is as the stub has it is passed over.
    """
    if _is_of_file(report):
        return [_filled([f"{report.exercise.name}.py {_problem(report.parts[0])}"])]
    said: list[str] = []
    for function in report.exercise.functions:
        parts = [part for part in report.parts if part.function is function]
        once = len(parts) > 1 and len({_without_name(part) for part in parts}) == 1
        for part in parts[:1] if once else parts:
            if part.problem not in ("", NOT_WRITTEN):
                said.append("\n".join((message(part, of_function=once), *_causes(part, report))))
    return said


def _causes(part: PartReport, report: Report) -> list[str]:
    """Functions that the one of an unnamed problem may call, and that are wrong themselves."""
    wrong = {one.function.name for one in report.parts if one.status != "pass"}
    called = [name for name in part.function.uses if name in wrong]
    if not called or part.name.switches:
        return []
    names, verb = " and ".join(called), "is" if len(called) == 1 else "are"
    return [f"Is it called here? {names} {verb} not right yet: mend that first."]


def _is_of_file(report: Report) -> bool:
    """Whether nothing of a file could be tried, for one reason."""
    (first, *others), stopped = report.parts, report.status in STOPPED
    return stopped and (
        all(part.problem == first.problem for part in others)
        and not any(part.right_cases for part in report.parts)
        and (bool(others) or first.case is None)
    )


STOPPED = ("error", "timeout", "memory")
"""A file or a call that did not come to an end by itself."""


def _without_name(report: PartReport) -> tuple[Any, ...]:
    """What is said of a part but for its name; of a wrong number, which is only its own."""
    where = id(report) if report.expected is not None else None
    return report.status, report.problem, report.name.switches, report.right_cases, where


def message(report: PartReport, of_function: bool = False) -> str:
    """Say what is wrong with a part, in at most WORDS words; '' if nothing is.

    of_function: it is so with all parts of the function, whose name alone is said.
    """
    if report.status == "pass":
        return ""
    name = report.function.name if of_function else f"{report.function.name}, {report.part.name}"
    if report.status == "not-written":
        return _filled([f"{name} {report.problem}."])
    lines = [f"{name} {_problem(report)}", *_seen(report), *_named(report)]
    if report.right_cases:
        right = "; ".join(report.right_cases[:CASES])
        if more := len(report.right_cases[CASES:]):
            right += f"; and {more} other case{'s' * (more != 1)}"
        lines.append(f"It is right for: {right}. A test of these alone would pass it.")
    return _filled(lines)


def _filled(lines: Sequence[str]) -> str:
    return "\n".join(fill(line, 96, subsequent_indent="  ") for line in lines)


def _problem(report: PartReport) -> str:
    """The problem as the end of a sentence."""
    count = f" in {report.wrong} of {report.total} numbers" if report.total > 1 else ""
    said = f"{report.problem}{count}"
    return said if said.endswith(("?", ".")) else f"{said}."


def _seen(report: PartReport) -> list[str]:
    if report.case is None:
        return []
    said = [f"Seen with: {report.case.name} ({described(report.case.arguments)})."]
    if report.expected is not None:
        place = f"First at {report.where} expected" if report.where else "Expected"
        expected, got = told_apart(report.expected, report.got)
        said.append(f"{place} {expected}, got {got}.")
    return said


def told_apart(expected: float, got: float | None) -> tuple[str, str]:
    """Two numbers in six digits, or as many as it takes to see that they differ."""
    for digits in (6, 9, 12, 17):
        one, other = f"{expected:.{digits}g}", f"{got:.{digits}g}"
        if one != other:
            break
    return one, other


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
    wrong_array = report.expected is not None or report.problem.startswith("has ")
    if report.status != "fail" or not wrong_array:
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
