"""Which mistake is it? A name is given only where a known mistake gives the very same results.

The reference with one switch on, a mutant, is run on every case. A part of a student's function
has the mistake where its results are the mutant's on all of them. Where none fits, pairs of
mistakes are tried; where several fit, all are shown; else properties say what the results have in
common.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from minifcn.course.exercises.exercise import Switch
from minifcn.course.exercises.mutants import RAISED, Mutants

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


def name_mistake(mutants: Mutants, part: int, results: Sequence[Any]) -> Name:
    """Name the mistake of a part, given its results on all cases (RAISED where a call raised)."""
    results = [mutants.formed(result, place, part) for place, result in enumerate(results)]
    switches = mutants.function.switches
    fitting = [switch for switch in switches if _fits(mutants, part, (switch,), results)]
    if fitting:
        return Name("exact" if len(fitting) == 1 else "either", tuple(fitting))
    able = [switch for switch in switches if _matters(mutants, part, switch)]
    pairs = [
        pair
        for pair in combinations(able, 2)
        if pair[0].mistake != pair[1].mistake and _fits(mutants, part, pair, results)
    ]
    if len(pairs) == 1:
        return Name("pair", pairs[0])
    found = common_property(results, [_right(mutants, i, part) for i in range(len(results))])
    return Name("property", property=found) if found else Name("none")


def name_change(mutants: Mutants, changed: Sequence[Sequence[str]]) -> Name:
    """Name the mistake of changing arguments, given which ones were changed in each case."""
    wanted = {name for one in changed for name in one}
    places = range(len(mutants.every))
    fitting = tuple(
        switch
        for switch in mutants.function.switches
        if {name for place in places for name in mutants.changes(place, switch.id)} == wanted
    )
    return Name("exact" if len(fitting) == 1 else "either", fitting) if fitting else Name("none")


def _right(mutants: Mutants, place: int, part: int) -> Any:
    """The right result of a part in a case, in its form."""
    return mutants.formed(mutants.right(place, part), place, part)


def _fits(mutants: Mutants, part: int, switches: Sequence[Switch], results: Sequence[Any]) -> bool:
    """Whether a part's results are those of the reference with these switches on, in every case.

    One that differs from the right result must be among them: that it raises in some cases could
    have any reason.
    """
    on, tells = tuple(switch.id for switch in switches), False
    for place, result in enumerate(results):
        mutant = mutants.result(place, on, part)
        if not same(mutant, result):
            return False
        tells = tells or (mutant is not RAISED and not same(mutant, _right(mutants, place, part)))
    return tells


def _matters(mutants: Mutants, part: int, switch: Switch) -> bool:
    """Whether a switch alone changes a part in some case."""
    return any(
        not same(mutants.result(place, (switch.id,), part), _right(mutants, place, part))
        for place in range(len(mutants.every))
    )


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


def common_property(results: Sequence[Any], right: Sequence[Any]) -> str:
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
