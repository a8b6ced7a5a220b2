"""Runs a student's functions in another process, which is limited, watched and killed at the end.

The parent builds the arguments and judges the results; the child (child.py) maps the one to the
other, and never sees what is expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from minifcn.course.exercises.given import given
from minifcn.course.exercises.process import Child, Ended

SECONDS = 5
"""Of one function, all its cases together."""


@dataclass(frozen=True)
class Given:
    """An argument that is a function; given.py holds it by this name."""

    name: str

    def __call__(self, *arguments: Any) -> Any:
        """Call the function, here and not in the child."""
        return given(np)[self.name](*arguments)


@dataclass(frozen=True)
class Graph:
    """An argument that is the last node of a graph: see `given.graph` for its nodes.

    calls: how often the function is called on it; the last result counts.
    """

    nodes: tuple[Mapping[str, Any], ...]
    values: tuple[np.ndarray, ...]
    calls: int = 1


@dataclass(frozen=True)
class Returned:
    """What a call gave back: its result, and the names of the arguments that it changed.

    result: an array, a number, a tuple or list of these, a list of places (of nodes), or Other.
    """

    result: Any
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Raised:
    """A call ended with an exception; line is that of the student's file."""

    type: str
    message: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Stopped:
    """A call did not end by itself: why is 'timeout', 'memory' or 'ended'."""

    why: str


@dataclass(frozen=True)
class Other:
    """A result that is no array and no number."""

    type: str


Outcome: TypeAlias = Returned | Raised | Stopped


def run(
    source: str,
    file: str,
    calls: Mapping[str, Sequence[Mapping[str, Any]]],
    seconds: float = SECONDS,
    python: Sequence[str] = (),
) -> dict[str, list[Outcome]]:
    """Call functions of a student's file, by their names, on each of several arguments.

    A call that raises does not stop the others. One that does not end, does; then the other
    functions have another process.

    Returns:
        For each function an outcome for each case.
    """
    outcomes: dict[str, list[Outcome]] = {}
    while left := {name: cases for name, cases in calls.items() if name not in outcomes}:
        outcomes |= _run_in_one(source, file, left, seconds, python)
    return outcomes


def _run_in_one(
    source: str,
    file: str,
    calls: Mapping[str, Sequence[Mapping[str, Any]]],
    seconds: float,
    python: Sequence[str],
) -> dict[str, list[Outcome]]:
    """The same in one process, up to the function with which it ends."""
    with Child(seconds, python, spells=len(calls)) as child:
        try:
            child.begin()
            child.send({"source": source, "file": file, "functions": [*calls]})
            answer, _ = child.receive()
        except Ended as error:
            return {name: [Stopped(str(error))] * len(cases) for name, cases in calls.items()}
        if "failed" in answer:
            failed = Raised(**_plain(answer["failed"]))
            return {name: [failed] * len(cases) for name, cases in calls.items()}
        outcomes: dict[str, list[Outcome]] = {}
        for name, cases in calls.items():
            if name in answer.get("missing", ()):
                missing = Raised("NotWritten", f"there is no function {name}")
                outcomes[name] = [missing] * len(cases)
                continue
            outcomes[name] = _called(child, name, cases)
            if any(isinstance(one, Stopped) for one in outcomes[name]):
                break
        return outcomes


def _called(child: Child, function: str, cases: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    child.restart_clock()
    for arguments in cases:
        try:
            outcomes.append(_call(child, function, arguments))
        except Ended as error:
            outcomes.append(Stopped(str(error)))
            break
    return outcomes + [outcomes[-1]] * (len(cases) - len(outcomes))


def _call(child: Child, function: str, arguments: Mapping[str, Any]) -> Outcome:
    arrays: list[np.ndarray] = []
    spoken = {name: _spoken(value, arrays) for name, value in arguments.items()}
    child.send({"function": function, "arguments": spoken}, arrays)
    answer, results = child.receive()
    if "failed" in answer:
        return Raised(**_plain(answer["failed"]))
    try:
        count = len(arrays)
        result = _understood(answer["returned"], results[count:])
        changed = _changed(arguments, arrays, results[:count])
    except Exception:  # whatever is wrong in it: the child did not write this
        return Stopped("ended")
    return Returned(result, changed)


def _plain(failed: Any) -> dict[str, Any]:
    failed = failed if isinstance(failed, dict) else {}
    line = failed.get("line")
    return {
        "type": _printable(failed.get("type"), 60) or "Exception",
        "message": _printable(failed.get("message"), 200),
        "line": line if isinstance(line, int) and 0 < line < 1_000_000 else None,
    }


def _printable(text: Any, length: int) -> str:
    """Text that may stand in a terminal or a table, whoever wrote it."""
    text = text[:length] if isinstance(text, str) else ""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _spoken(value: Any, arrays: list[np.ndarray]) -> Any:
    """Say an argument in JSON, its arrays aside."""
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, Given):
        return {"given": value.name}
    if isinstance(value, Graph):
        first = len(arrays)
        arrays.extend(value.values)
        nodes = [{**node, "value": first + node["value"]} for node in value.nodes]
        return {"graph": nodes, "calls": value.calls}
    if isinstance(value, list):
        return {"list": [_spoken(one, arrays) for one in value]}
    if isinstance(value, tuple):
        return [_spoken(one, arrays) for one in value]
    return value


def _understood(said: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Any:
    kind = said["kind"]
    if kind in ("tuple", "list"):
        parts = [_understood(one, arrays) for one in said["parts"]]
        return tuple(parts) if kind == "tuple" else parts
    if kind == "nodes":
        return [int(place) for place in said["order"]]
    if kind == "gradients":
        return {"extra": int(said["extra"]),
                "parts": [_understood(one, arrays) for one in said["parts"]]}  # fmt: skip
    if kind == "array":
        return arrays[said["array"]]
    if kind in ("number", "int", "float", "bool"):
        return arrays[said["array"]][()]
    return Other(_printable(said.get("type"), 80))


def _changed(
    arguments: Mapping[str, Any], sent: Sequence[np.ndarray], back: Sequence[np.ndarray]
) -> tuple[str, ...]:
    """The names of the arguments whose arrays did not come back as they were."""
    owners: list[np.ndarray] = []
    names: list[str] = []
    for name, value in arguments.items():
        before = len(owners)
        _spoken(value, owners)
        names += [name] * (len(owners) - before)
    if len(back) != len(sent):
        raise ValueError("arrays are missing")
    changed = [
        name
        for name, one, other in zip(names, sent, back, strict=True)
        if not _unchanged(one, other)
    ]
    return tuple(dict.fromkeys(changed))


def _unchanged(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether an array came back; x + eps - eps may differ from x by rounding."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.kind != "f":
        return one.tobytes() == other.tobytes()
    return np.allclose(one, other, rtol=1e-13, atol=1e-15, equal_nan=True)
