"""Which mistake is it? A name is given only where a known mistake gives the very same results.

The reference with one switch on, a mutant, is run on every case. A part of a student's function
has the mistake where its results are the mutant's on all of them. Where none fits, pairs of
mistakes are tried; where several fit, all are shown; else properties say what the results have in
common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from minifcn.course.exercises.exercise import Case, Function, Switch
from minifcn.course.exercises.runner import Other

RAISED = "raised"
"""Stands for the result of a call that ended with an exception, whichever that was."""

TOLERANCE = {"f8": 1e-9, "f4": 1e-5}
"""Of a difference, relative to the largest number expected; by the type of the numbers."""


@dataclass(frozen=True)
class Name:
    """What is known of a wrong part.

    match: 'exact' (one mistake fits), 'either' (several), 'pair' (two at once), 'property', 'none'.
    switches: the mistakes.
    property: what the results have in common with the right ones, in words.
    """

    match: str
    switches: tuple[Switch, ...] = ()
    property: str = ""


def name_mistake(
    function: Function, part: int, results: Sequence[Any], cases: Sequence[Case]
) -> Name:
    """Name the mistake of a part, given its results on all cases (RAISED where a call raised)."""
    formed = _former(function, part)
    results = [formed(one, case) for one, case in zip(results, cases, strict=True)]
    right = [formed(part_of(function.run(case.arguments), part, function), case) for case in cases]
    fitting = [s for s in function.switches if _fits(function, part, (s,), results, cases, right)]
    if fitting:
        return Name("exact" if len(fitting) == 1 else "either", tuple(fitting))
    able = [s for s in function.switches if _matters(function, part, s, cases, right)]
    pairs = [
        pair
        for pair in combinations(able, 2)
        if pair[0].mistake != pair[1].mistake and _fits(function, part, pair, results, cases, right)
    ]
    if len(pairs) == 1:
        return Name("pair", pairs[0])
    found = common_property(results, right, cases)
    return Name("property", property=found) if found else Name("none")


def name_change(
    function: Function, changed: Sequence[Sequence[str]], cases: Sequence[Case]
) -> Name:
    """Name the mistake of changing arguments, given which ones were changed in each case."""
    wanted = {name for one in changed for name in one}
    fitting = tuple(
        switch
        for switch in function.switches
        if {n for case in cases for n in function.changes(case.arguments, [switch.id])} == wanted
    )
    return Name("exact" if len(fitting) == 1 else "either", fitting) if fitting else Name("none")


def outcomes_of(
    function: Function, on: Iterable[str], cases: Sequence[Case]
) -> list[tuple[Any, ...] | str]:
    """What the reference gives with some switches on: the parts of each case, or RAISED."""
    outcomes: list[tuple[Any, ...] | str] = []
    for case in cases:
        try:
            result = function.run(case.arguments, on)
        except Exception:
            outcomes.append(RAISED)
            continue
        outcomes.append(result if len(function.parts) > 1 else (result,))
    return outcomes


def part_of(result: Any, part: int, function: Function) -> Any:
    """A part of what the reference returned."""
    return result[part] if len(function.parts) > 1 else result


def _former(function: Function, part: int) -> Callable[[Any, Case], Any]:
    """What brings a result of a part to one form; exceptions and strange types stay."""
    form = function.form.get(function.parts[part].id)

    def formed(result: Any, case: Case) -> Any:
        if form is None or isinstance(result, (str, Other)):
            return result
        return form(result, case.arguments)

    return formed


def _fits(
    function: Function,
    part: int,
    switches: Sequence[Switch],
    results: Sequence[Any],
    cases: Sequence[Case],
    right: Sequence[Any],
) -> bool:
    """Whether a part's results are those of the reference with these switches on, in every case.

    One that differs from the right result must be among them: that it raises in some cases could
    have any reason.
    """
    tells, formed = False, _former(function, part)
    for case, result, expected in zip(cases, results, right, strict=True):
        (outcome,) = outcomes_of(function, [switch.id for switch in switches], [case])
        mutant = RAISED if isinstance(outcome, str) else formed(outcome[part], case)
        if not same(mutant, result):
            return False
        tells = tells or (mutant is not RAISED and not same(mutant, expected))
    return tells


def _matters(
    function: Function, part: int, switch: Switch, cases: Sequence[Case], right: Sequence[Any]
) -> bool:
    """Whether a switch alone changes a part in some case; `right` is in its form."""
    formed = _former(function, part)
    for case, expected in zip(cases, right, strict=True):
        (outcome,) = outcomes_of(function, [switch.id], [case])
        if isinstance(outcome, str) or not same(formed(outcome[part], case), expected):
            return True
    return False


def same(one: Any, other: Any) -> bool:
    """Whether two results are equal: in kind, shape and, but for rounding, values."""
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str) and one == other
    if isinstance(one, (list, tuple)) or isinstance(other, (list, tuple)):
        return (
            type(one) is type(other)
            and len(one) == len(other)
            and all(same(a, b) for a, b in zip(one, other, strict=True))
        )
    if isinstance(one, dict) or isinstance(other, dict):
        return (
            type(one) is type(other)
            and one.keys() == other.keys()
            and all(same(one[key], other[key]) for key in one)
        )
    if one is None or other is None or not _is_numeric(one) or not _is_numeric(other):
        return one is other or (type(one) is type(other) and one == other)
    return _equal_numbers(np.asarray(one), np.asarray(other))


def _is_numeric(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic, int, float))


def _equal_numbers(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
        return False
    if a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    if a.dtype != b.dtype:
        return False
    return not wrong_places(a, b).any()


def wrong_places(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Where two arrays of one shape differ by more than rounding; NaN is like NaN."""
    kind = f"f{got.dtype.itemsize}" if got.dtype.kind == "f" else "f8"
    finite = np.abs(expected[np.isfinite(expected)])
    scale = float(finite.max(initial=0.0)) or 1.0
    tolerance = TOLERANCE.get(kind, 1e-9) * scale
    with np.errstate(invalid="ignore"):
        close = np.abs(got - expected) <= tolerance
    alike = (np.isnan(got) & np.isnan(expected)) | (got == expected)
    return ~(close | alike)


# -- Properties ----------------------------------------------------------------------------------


def common_property(results: Sequence[Any], right: Sequence[Any], cases: Sequence[Case]) -> str:
    """Say what wrong results have in common with the right ones, or ''; never a cause."""
    pairs = [(np.asarray(r), np.asarray(e)) for r, e in zip(results, right, strict=True)
             if isinstance(r, (np.ndarray, np.generic, float, int))]  # fmt: skip
    pairs = [(r, e) for r, e in pairs if r.dtype.kind in "fiu" and e.dtype.kind in "fiu"]
    if len(pairs) < len(results) or not pairs:
        return ""
    if all(r.shape == e.shape for r, e in pairs):
        return _of_values(pairs)
    if all(r.size == e.size and _sorted_equal(r, e) for r, e in pairs):
        return "all numbers are right, but the shape is not"
    return ""


def _of_values(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> str:
    if all(not np.asarray(r).any() for r, _ in pairs):
        return "all numbers are 0"
    if all(same(-r.astype(float), e.astype(float)) for r, e in pairs):
        return "every number has the wrong sign"
    factors = [_factor(r, e) for r, e in pairs]
    if all(factor is not None for factor in factors):
        known = [f for f in factors if f is not None]
        if np.ptp(known) <= 1e-9 * abs(known[0]):
            return f"every number is {known[0]:g} times the right one"
        if all(e.size > 1 for _, e in pairs):
            return "in each case all numbers are wrong by one factor, another one in each case"
    if all(_sorted_equal(r, e) for r, e in pairs):
        return "the numbers are right, but stand at other places"
    return ""


def _factor(got: np.ndarray, expected: np.ndarray) -> float | None:
    flat, wanted = got.ravel().astype(float), expected.ravel().astype(float)
    at = int(np.abs(wanted).argmax()) if wanted.size else 0
    if not wanted.size or not wanted[at] or not np.isfinite(flat).all():
        return None
    factor = flat[at] / wanted[at]
    return factor if factor and same(flat, factor * wanted) else None


def _sorted_equal(got: np.ndarray, expected: np.ndarray) -> bool:
    return got.size == expected.size and same(
        np.sort(got, axis=None).astype(float), np.sort(expected, axis=None).astype(float)
    )
