"""What the reference of a function gives on its cases, with any mistakes: each is run once.

Each wrong part asks for the mutants again, and so does each student of a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from minifcn.course.exercises.exercise import Case, Function
from minifcn.course.exercises.runner import Other

RAISED = "raised"
"""Stands for the result of a call that ended with an exception, whichever that was."""


class Mutants:
    """The reference of a function, with any switches on, on the cases that a seed draws.

    Results are computed when they are first asked for, and kept; nobody may change them.

    Attributes:
        function: whose reference it is.
        cases: what a solution is judged by.
        every: these, and then the cases that only serve to tell mistakes apart.
    """

    def __init__(self, function: Function, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.function = function
        self.cases = list(function.cases(generator))
        self.every = [*self.cases, *function.naming(generator)]
        self._right: dict[int, Any] = {}
        self._results: dict[tuple[int, tuple[str, ...]], tuple[Any, ...]] = {}
        self._changes: dict[tuple[int, str], tuple[str, ...]] = {}

    def right(self, place: int, part: int) -> Any:
        """A part of the right result in a case, given its place among `every`."""
        if place not in self._right:
            self._right[place] = self.function.run(self.every[place].arguments)
        result = self._right[place]
        return result[part] if len(self.function.parts) > 1 else result

    def result(self, place: int, on: tuple[str, ...], part: int) -> Any:
        """A part of what the reference gives in a case with some switches on: formed, or RAISED."""
        if (place, on) not in self._results:
            outcome = outcome_of(self.function, on, self.every[place])
            count = len(self.function.parts)
            parts = (RAISED,) * count if isinstance(outcome, str) else outcome
            self._results[place, on] = tuple(
                self.formed(one, place, i) for i, one in enumerate(parts)
            )
        return self._results[place, on][part]

    def formed(self, result: Any, place: int, part: int) -> Any:
        """Bring a result of a part to one form; exceptions and strange types stay."""
        form = self.function.form.get(self.function.parts[part].id)
        if form is None or isinstance(result, (str, Other)):
            return result
        return form(result, self.every[place].arguments)

    def changes(self, place: int, switch: str) -> tuple[str, ...]:
        """The names of the arrays that the reference changes in a case with one switch on."""
        if (place, switch) not in self._changes:
            arguments = self.every[place].arguments
            self._changes[place, switch] = self.function.changes(arguments, [switch])
        return self._changes[place, switch]


@lru_cache(maxsize=64)
def mutants_of(function: Function, seed: int) -> Mutants:
    """The mutants of a function on the cases of a seed: the same ones when it is asked again."""
    return Mutants(function, seed)


def outcome_of(function: Function, on: Sequence[str], case: Case) -> tuple[Any, ...] | str:
    """What the reference gives with some switches on: its parts, or RAISED."""
    try:
        result = function.run(case.arguments, on)
    except Exception:
        return RAISED
    return result if len(function.parts) > 1 else (result,)
