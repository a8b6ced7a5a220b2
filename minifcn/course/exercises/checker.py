"""Checks a student's file: whether it runs, types, shapes, values, and which mistake it is."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minifcn.course.exercises.exercise import Case, Exercise, Function, Part
from minifcn.course.exercises.mutants import RAISED, Mutants, mutants_of
from minifcn.course.exercises.naming import (
    Name,
    name_change,
    name_mistake,
    same,
    wrong_places,
)
from minifcn.course.exercises.runner import (
    SECONDS,
    Other,
    Outcome,
    Raised,
    Returned,
    Stopped,
    run,
)


@dataclass
class PartReport:
    """What was found of a part of a function.

    Attributes:
        function, part: whose it is.
        status: 'pass', 'fail', 'error', 'timeout', 'memory' or 'not-written'.
        problem: what is wrong, in a few words; '' if nothing.
        case: the case in which it was seen first.
        where, expected, got: the first wrong element.
        wrong, total: how many elements of that case are wrong, of how many.
        name: which mistake it is, if that is known.
        right_cases: the names of the cases in which it is right.
        result, right: of the first wrong case, to be drawn.
    """

    function: Function
    part: Part
    status: str = "pass"
    problem: str = ""
    case: Case | None = None
    where: tuple[int, ...] | None = None
    expected: float | None = None
    got: float | None = None
    wrong: int = 0
    total: int = 0
    name: Name = field(default_factory=lambda: Name("none"))
    right_cases: tuple[str, ...] = ()
    result: Any = None
    right: Any = None


@dataclass
class Report:
    """What was found of a file: a part report for each part of each function."""

    exercise: Exercise
    parts: list[PartReport]
    seconds: float
    sha256: str
    seed: int

    @property
    def status(self) -> str:
        """The worst of the parts' statuses; 'pass' if all are."""
        order = ("error", "timeout", "memory", "fail", "not-written", "pass")
        return min((part.status for part in self.parts), key=order.index)


def check(
    exercise: Exercise,
    source: str,
    seed: int = 0,
    python: Sequence[str] = (),
    seconds: float = SECONDS,
) -> Report:
    """Check a student's file, given its text; each function has this many seconds."""
    began = time.perf_counter()
    parts = _check_functions(exercise, exercise.functions, source, seed, python, seconds)
    digest = hashlib.sha256(source.encode()).hexdigest()
    return Report(exercise, parts, time.perf_counter() - began, digest, seed)


def check_function(
    exercise: Exercise,
    function: Function,
    source: str,
    seed: int,
    python: Sequence[str] = (),
    seconds: float = SECONDS,
) -> list[PartReport]:
    """Check a function of a student's file, part by part."""
    return _check_functions(exercise, [function], source, seed, python, seconds)


def _check_functions(
    exercise: Exercise,
    functions: Sequence[Function],
    source: str,
    seed: int,
    python: Sequence[str],
    seconds: float,
) -> list[PartReport]:
    mutants = {function.name: mutants_of(function, seed) for function in functions}
    calls = {
        name: [one.function.ordered(case.arguments) for case in one.every]
        for name, one in mutants.items()
    }
    outcomes = run(source, f"{exercise.name}.py", calls, seconds, python)
    return [part for name, one in mutants.items() for part in _judged(one, outcomes[name])]


def judge(exercise: Exercise, function: Function, outcomes: Sequence[Outcome], seed: int = 0
          ) -> list[PartReport]:  # fmt: skip
    """Judge outcomes as if a student's function had given them."""
    return _judged(mutants_of(function, seed), outcomes)


def _judged(mutants: Mutants, outcomes: Sequence[Outcome]) -> list[PartReport]:
    count = len(mutants.function.parts)
    reports = [_first_problem(mutants, part, outcomes) for part in range(count)]
    _name_parts(mutants, reports, outcomes)
    return reports


def _name_parts(
    mutants: Mutants, reports: Sequence[PartReport], outcomes: Sequence[Outcome]
) -> None:
    """Name the mistake of each wrong part.

    A call that raises loses all its parts: what is named in one explains those that are right
    wherever the call returned.
    """
    changed = [one.changed for one in outcomes if isinstance(one, Returned)]
    for report in reports:
        if report.status == "fail" and report.problem == CHANGED:
            report.name = name_change(mutants, changed)
    wrong = [i for i, one in enumerate(reports)
             if one.status == "fail" and one.problem != CHANGED]  # fmt: skip
    for i in wrong:
        results = [_result_of(outcome, i, mutants.function) for outcome in outcomes]
        reports[i].name = name_mistake(mutants, i, results)
    causes = [reports[i].name for i in wrong if reports[i].name.switches]
    for i in wrong:
        if causes and not reports[i].name.switches:
            returned = [(place, one) for place, one in enumerate(outcomes)
                        if isinstance(one, Returned)]  # fmt: skip
            if all(_problem(mutants, i, place, one) is None for place, one in returned):
                reports[i].name = causes[0]


CHANGED = "is not judged: the arguments must come back unchanged"
NOT_WRITTEN = "is not written yet"
_MISCOUNTED = "wrong number of results"


def _first_problem(mutants: Mutants, part: int, outcomes: Sequence[Outcome]) -> PartReport:
    """Compare a part with the reference, case by case, up to the first that is wrong."""
    report = PartReport(mutants.function, mutants.function.parts[part])
    right_cases = []
    for place, case in enumerate(mutants.cases):
        found = _problem(mutants, part, place, outcomes[place])
        if found is None:
            right_cases.append(case.name)
        elif report.status == "pass":
            report = found
    report.right_cases = tuple(right_cases)
    return report


def _problem(mutants: Mutants, part: int, place: int, outcome: Outcome) -> PartReport | None:
    function = mutants.function
    report = PartReport(function, function.parts[part], "fail", case=mutants.every[place])
    if isinstance(outcome, Raised):
        return _raised(report, outcome)
    if isinstance(outcome, Stopped):
        report.status = {"timeout": "timeout", "memory": "memory"}.get(outcome.why, "error")
        report.problem = {
            "timeout": "did not end in time: is there a loop without an end?",
            "memory": "wants more memory than there is for an exercise",
        }.get(outcome.why, "ended the process before it returned")
        return report
    if outcome.changed:
        report.problem = CHANGED
        report.got = None
        return report
    return _compared(report, outcome, mutants, part, place)


def _raised(report: PartReport, outcome: Raised) -> PartReport:
    if outcome.type in ("NotImplementedError", "NotWritten"):
        report.status, report.problem = "not-written", NOT_WRITTEN
        if outcome.type == "NotWritten":
            report.problem += f": {outcome.message}"
        return report
    place = f" in line {outcome.line}" if outcome.line else ""
    if outcome.type == "MemoryError":
        report.status = "memory"
    report.problem = f"raised {outcome.type}{place}: {outcome.message}".rstrip(": ")
    if outcome.type in ("SyntaxError", "IndentationError", "ImportError", "NameError",
                        "ModuleNotFoundError", "PermissionError", "SystemExit"):  # fmt: skip
        report.status = "error"
    if outcome.type in ("SyntaxError", "IndentationError"):
        report.case = None  # it has nothing to do with the arguments
    for kind, said, reason in _REASONS:
        if outcome.type == kind and said in outcome.message:
            report.problem += f" ({reason})"
    return report


_REASONS = (
    ("RecursionError", "", "it calls itself too many levels deep"),
    ("UFuncTypeError", "to dtype('int", "an array of whole numbers takes no fractions"),
    ("OverflowError", "float infinity to integer", "an array of whole numbers holds no infinity"),
)
"""Exceptions, by their type and what is in their message, that say too little by themselves."""


def _result_of(outcome: Outcome, part: int, function: Function) -> Any:
    if not isinstance(outcome, Returned):
        return RAISED
    result = outcome.result
    if len(function.parts) > 1:
        if not isinstance(result, (tuple, list)) or len(result) != len(function.parts):
            return Other(_MISCOUNTED)
        result = result[part]
    if function.parts[part].kind == "float" and isinstance(result, np.integer):
        return np.float64(result)  # 0 is as good as 0.0
    return result


def _compared(
    report: PartReport, outcome: Returned, mutants: Mutants, part: int, place: int
) -> PartReport | None:
    function, expected = mutants.function, mutants.right(place, part)
    got = _result_of(outcome, part, function)
    if isinstance(got, Other) and got.type == _MISCOUNTED:
        report.problem = f"returned {_counted(outcome.result, len(function.parts))}"
        return report
    if rule := function.check.get(function.parts[part].id):
        report.problem = rule(got, expected, mutants.every[place].arguments)
        report.result, report.right = got, expected
        return report if report.problem else None
    if problem := _type_problem(got, function.parts[part]):
        report.problem = problem
        return report
    array, right = np.asarray(got), np.asarray(expected)
    if function.parts[part].kind in ("float", "number"):
        array, right = array.astype(np.float64), right.astype(np.float64)
    if array.shape != right.shape:
        report.problem = f"has shape {array.shape}, expected {right.shape}"
        return report
    return _values(report, array, right, same(array, right))


def _counted(result: Any, expected: int) -> str:
    """How many results came, and were expected, in words."""
    if isinstance(result, Other) and result.type == "NoneType":
        return f"None (is a return missing?), expected {expected} results"
    count = len(result) if isinstance(result, (tuple, list)) else 1
    return f"{count} result{'s' * (count != 1)}, expected {expected}"


def _values(
    report: PartReport, got: np.ndarray, right: np.ndarray, equal: bool
) -> PartReport | None:
    if equal:
        return None
    places = wrong_places(got, right)
    where = tuple(int(i) for i in np.argwhere(places)[0]) if places.any() else ()
    report.problem = "is wrong"
    report.where, report.wrong, report.total = where, int(places.sum()), int(places.size)
    report.expected, report.got = float(right[where]), float(got[where])
    report.result, report.right = got, right
    return report


def _type_problem(got: Any, part: Part) -> str:
    """Say what is wrong with the type of a result; '' if nothing is."""
    if isinstance(got, Other) and got.type == "NoneType":
        return f"is None (is a return missing?), expected {_KINDS[part.kind]}"
    if isinstance(got, Other):
        return f"is of type {got.type}, expected {_KINDS[part.kind]}"
    if isinstance(got, (tuple, list)):
        return f"is a {type(got).__name__}, expected {_KINDS[part.kind]}"
    if part.kind in ("float", "int", "number"):
        if isinstance(got, np.ndarray) and got.shape:
            return f"is an array of shape {got.shape}, expected {_KINDS[part.kind]}"
        dtype = np.asarray(got).dtype
        if part.kind == "int" and dtype.kind not in "iu":
            return f"is {got!r}, expected a whole number (int)"
        if part.kind == "float" and dtype.kind != "f":
            return f"is {got!r}, expected a float"
        if part.kind == "float" and dtype != np.float64:
            return f"has dtype {dtype}, expected a float of 64 bits"
        if dtype.kind not in "fiu":
            return f"is {got!r}, expected a number"
        return ""
    if isinstance(got, np.generic):
        got = np.asarray(got)  # of an array without axes NumPy makes a number
    if not isinstance(got, np.ndarray):
        return f"is of type {type(got).__name__}, expected {_KINDS[part.kind]}"
    if got.dtype != np.dtype(part.kind):
        return f"has dtype {got.dtype}, expected {part.kind}"
    return ""


_KINDS: Mapping[str, str] = {
    "float64": "a float64 array",
    "int64": "an int64 array",
    "float": "a float",
    "int": "an int",
    "number": "a number",
    "any": "a result",
}
