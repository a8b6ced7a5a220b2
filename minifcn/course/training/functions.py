"""The functions of a course that a training can use, each from the file of a student, or wrong."""

from __future__ import annotations

import difflib
import inspect
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import Report
from minifcn.course.exercises.exercise import Function, Switch
from minifcn.course.exercises.folder import check_file

USED = {
    "conv2d": "convolution",
    "conv2d_backward": "convolution_backward",
    "conv1x1": "one_by_one",
    "max_pool2d": "pooling",
    "max_pool2d_backward": "pooling",
    "conv_transpose2d": "transposed",
    "upsampling_weight": "bilinear_kernel",
    "batch_norm": "batch_norm",
    "batch_norm_backward": "batch_norm",
    "cross_entropy": "loss",
}
"""The functions that the training of an FCN calls, and the exercise of each."""

_ANSWERS = Path(__file__).parents[1] / "exercises" / "answers"

_SHORT = 0.5
"""A call of fewer seconds is timed anew, the best of three: it may just have been interrupted."""


@dataclass
class Piece:
    """A function that takes the place of one of minifcn's, and how long it took.

    Attributes:
        name: as in its exercise.
        call: the function.
        mistake: the mistake that it makes on purpose.
        seconds: of all calls.
        longest: the seconds of the longest call, and its arguments.
    """

    name: str
    call: Callable[..., Any]
    mistake: Switch | None = None
    seconds: float = 0.0
    longest: tuple[float, tuple[Any, ...]] = field(default=(0.0, ()), repr=False)

    def __call__(self, *arguments: Any) -> Any:
        """Call the function, and look at the clock. What it prints is no part of the results."""
        began = time.perf_counter()
        with redirect_stdout(sys.stderr):
            result = self.call(*arguments)
        taken = time.perf_counter() - began
        self.seconds += taken
        self.longest = max(self.longest, (taken, arguments), key=lambda one: one[0])
        return result

    def forget(self) -> None:
        """Begin to count anew, and let go of the arguments."""
        self.seconds, self.longest = 0.0, (0.0, ())

    def times_slower(self) -> float:
        """How many times as long as the exercise's answer its longest call has taken."""
        exercise = USED[self.name]
        answer = _defined_by(_ANSWERS / f"{exercise}.py")
        seconds, arguments = self.longest
        if seconds < _SHORT:
            seconds = _least_seconds(self, arguments)
        return seconds / _least_seconds(answer[self.name], arguments)


def _least_seconds(function: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    """The seconds of the shortest of three calls: the others were interrupted, or the first."""
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        with np.errstate(all="ignore"):
            function(*arguments)
        taken.append(time.perf_counter() - began)
    return max(min(taken), 1e-9)


def load_pieces(folder: Path) -> tuple[dict[str, Piece], dict[str, str]]:
    """Load the functions of a course's folder that pass their checks; say why others do not count.

    The files are the user's own, and run in this process: nothing but the checks looks at them.

    Returns:
        The functions by name; and, by name, the reason why one is not among them.

    Raises:
        ValueError: the folder has no file of an exercise that a training can use.
    """
    if not any((folder / f"{name}.py").is_file() for name in USED.values()):
        raise ValueError(
            f"kernels must be the folder of a course; got {folder}, which has no"
            f" {USED['conv2d']}.py (minifcn course start {folder} writes it)"
        )
    pieces: dict[str, Piece] = {}
    reasons: dict[str, str] = {}
    for exercise in dict.fromkeys(USED.values()):
        names = [name for name, own in USED.items() if own == exercise]
        path = folder / f"{exercise}.py"
        if not path.is_file():
            reasons |= dict.fromkeys(names, f"there is no {path.name}")
            continue
        report = check_file(folder, exercise, 0)
        reasons |= {name: why for name in names if (why := _objection(report, name, folder))}
        passed = [name for name in names if name not in reasons]
        if not passed:
            continue
        try:
            defined = _defined_by(path)
            pieces |= {name: Piece(name, defined[name]) for name in passed}
        except (Exception, SystemExit) as error:
            reasons |= dict.fromkeys(passed, f"{path.name}: {type(error).__name__}: {error}")
    return pieces, reasons


def _objection(report: Report, name: str, folder: Path) -> str:
    """Why a function cannot be used; '' if it passes."""
    statuses = {part.status for part in report.parts if part.function.name == name}
    if statuses == {"pass"}:
        return ""
    if statuses == {"not-written"}:
        return "not written yet"
    return f"wrong: minifcn course check {folder} {report.exercise.name}"


def _defined_by(path: Path) -> dict[str, Any]:
    """Run a file, and return what it defines. What it prints goes to stderr."""
    namespace: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    with redirect_stdout(sys.stderr):
        exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), namespace)
    return namespace


# -- Mistakes on purpose -------------------------------------------------------------------------


def mistaken_pieces(mistake: str) -> list[Piece]:
    """Return the readings of a known mistake, each a function that makes it.

    mistake: an id, such as 'dx.overwrite', with or without its reading ('dx.overwrite/tap'); where
        several functions have it, the one that is meant before it: 'conv2d_backward:dx.overwrite'.

    Raises:
        ValueError: no function that a training uses has it, or several have.
    """
    where, _, identity = mistake.rpartition(":")
    found = [
        (function, switch)
        for function in _functions()
        if where in ("", function.name)
        for switch in function.switches
        if identity in (switch.id, switch.mistake)
    ]
    if not found:
        raise ValueError(_unknown(mistake))
    names = list(dict.fromkeys(function.name for function, _ in found))
    if len(names) > 1:
        options = ", ".join(f"{name}:{identity}" for name in names)
        raise ValueError(f"mistake {identity} can be made in several functions; give {options}")
    return [Piece(f.name, _reference(f, [switch.id]), switch) for f, switch in found]


def without_mistake(piece: Piece) -> Piece:
    """The same function as the bank has it, without the mistake."""
    (function,) = (function for function in _functions() if function.name == piece.name)
    return Piece(piece.name, _reference(function, []))


def _functions() -> Iterable[Function]:
    exercises = map(find_exercise, dict.fromkeys(USED.values()))
    return (f for exercise in exercises for f in exercise.functions if f.name in USED)


def _unknown(mistake: str) -> str:
    known = [switch.mistake for function in _functions() for switch in function.switches]
    near = difflib.get_close_matches(mistake, list(dict.fromkeys(known)), 3, 0.4)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    return (
        f"mistake must be one that a training can make; got {mistake!r}{hint}"
        " (minifcn course bank convolution_backward lists those of an exercise)"
    )


def _reference(function: Function, on: Sequence[str]) -> Callable[..., Any]:
    """The reference of a function with some switches on, called as a student's function is."""
    names = list(inspect.signature(function.reference).parameters)[1:]

    def call(*arguments: Any) -> Any:
        numbers = map(_doubled, arguments)
        return function.run(dict(zip(names, numbers, strict=True)), on)

    return call


def _doubled(value: Any) -> Any:
    """A float64 array of a float32 one: the references of the bank compute in float64."""
    single = isinstance(value, np.ndarray) and value.dtype == np.float32
    return value.astype(np.float64) if single else value
