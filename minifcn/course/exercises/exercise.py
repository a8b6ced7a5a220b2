"""What an exercise is: functions, the cases they are tried on, and the mistakes that are known.

A mistake is a switch in the reference of its function: `has("conv.flip")` in there asks whether it
is on. So a mutant is the reference with one switch on, and two mistakes compose.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from minifcn.course.exercises.runner import Graph

Has: TypeAlias = Callable[[str], bool]
"""Whether a switch is on, by its id, such as 'col2im.overwrite/window'."""

Check: TypeAlias = Callable[[Any, Any, Mapping[str, Any]], str]
"""Says what is wrong with a result, given the right one and the arguments; '' if right."""

Form: TypeAlias = Callable[[Any, Mapping[str, Any]], Any]
"""Brings results that mean the same to one form, given the arguments."""


class Case(NamedTuple):
    """Arguments that a function is tried on; `name` says what is special about them."""

    name: str
    arguments: dict[str, Any]


class Switch(NamedTuple):
    """A known mistake.

    id: as in the bank, such as 'dx.overwrite'; with several readings, '/READING' behind it.
    words: what was done, as one says it to a student.
    question: one question that leads on, without the answer.
    """

    id: str
    words: str
    question: str

    @property
    def mistake(self) -> str:
        """The id without the reading."""
        return self.id.partition("/")[0]


def asked(question: str, *mistakes: tuple[str, str]) -> tuple[Switch, ...]:
    """Mistakes, by id and words, that one question leads on from."""
    return tuple(Switch(name, words, question) for name, words in mistakes)


@dataclass(frozen=True)
class Part:
    """One of the results of a function.

    Attributes:
        id: such as 'dx'.
        name: such as 'gradient of the input'.
        kind: 'float64', 'int64' (arrays), 'float', 'int', 'number' (either), or 'any'.
    """

    id: str
    name: str
    kind: str = "float64"


@dataclass(frozen=True, eq=False)
class Function:
    """A function that a student writes; equal to itself alone.

    Attributes:
        name: as it is called in the student's file.
        parts: its results, one or several.
        reference: computes it; called as reference(has, **arguments), returns one result a part.
        cases: draws the cases from a generator; they are unequal in everything.
        switches: the known mistakes.
        naming: draws further cases, which only serve to tell mistakes apart.
        check: judges a part by another rule than equality, for parts that have several right
            answers; by the part's id.
        form: brings results to one form before they are compared with those of a mistake; by the
            part's id.
        uses: other functions of the exercise that a student's may call.
    """

    name: str
    parts: tuple[Part, ...]
    reference: Callable[..., Any]
    cases: Callable[[np.random.Generator], Sequence[Case]]
    switches: tuple[Switch, ...]
    naming: Callable[[np.random.Generator], Sequence[Case]] = lambda generator: ()
    check: Mapping[str, Check] = field(default_factory=dict)
    form: Mapping[str, Form] = field(default_factory=dict)
    uses: tuple[str, ...] = ()

    def run(self, arguments: Mapping[str, Any], on: Iterable[str] = ()) -> Any:
        """Compute the reference, with some switches on; inputs are copied."""
        switches = frozenset(on)
        with np.errstate(all="ignore"):
            return self.reference(switches.__contains__, **copied(arguments))

    def changes(self, arguments: Mapping[str, Any], on: Iterable[str]) -> tuple[str, ...]:
        """The names of the arrays that the reference changes with some switches on."""
        given = copied(arguments)
        with suppress(Exception), np.errstate(all="ignore"):
            self.reference(frozenset(on).__contains__, **given)
        return tuple(
            name
            for name, value in arguments.items()
            if isinstance(value, np.ndarray) and not np.array_equal(value, given[name])
        )

    def ordered(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments in the reference's order: a student may call them by other names."""
        names = list(inspect.signature(self.reference).parameters)[1:]
        return {name: arguments[name] for name in names}


@dataclass(frozen=True)
class Exercise:
    """A file that a student writes.

    Attributes:
        name: the file without .py.
        title: what it is about, in a few words.
        functions: what is to be written.
        hints: one further each time: a question, where to look, the contract.
        tutorial: the number of the tutorial that explains it.
        version: changes when the contract does.
        points: how many it is worth by default.
    """

    name: str
    title: str
    functions: tuple[Function, ...]
    hints: tuple[str, ...]
    tutorial: int
    version: int = 1
    points: int = 10


def copied(value: Any) -> Any:
    """Copy arrays, in the order of their memory; in dicts, lists, tuples and graphs too."""
    if isinstance(value, np.ndarray):
        return value.copy(order="K")
    if isinstance(value, Graph):
        return replace(value, values=copied(value.values))
    if isinstance(value, Mapping):
        return {name: copied(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(copied, value))
    return value
