"""A student's folder: the files of the exercises, and what hints and answers were asked for."""

from __future__ import annotations

import codecs
import hashlib
import io
import json
import tokenize
from pathlib import Path
from typing import Any

from minifcn.course.exercises import NAMES, find_exercise
from minifcn.course.exercises.checker import PartReport, Report, check
from minifcn.system.files import read_json, write_atomically

STATE = ".minifcn-course.json"
"""The file that remembers hints, passed exercises and answers that were shown."""

_HERE = Path(__file__).parent


def start(folder: Path) -> tuple[list[Path], list[Path]]:
    """Write the stubs into a folder, never over a file that is there; return new and kept paths.

    Raises:
        ValueError: the folder is a file.
        OSError: it cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"the course must be in a folder; got the file {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    new, kept = [], []
    for name in NAMES:
        path = folder / f"{name}.py"
        if path.exists() or path.is_symlink():
            kept.append(path)
            continue
        write_atomically(path, (_HERE / "stubs" / f"{name}.py").read_bytes())
        new.append(path)
    return new, kept


def check_file(folder: Path, name: str, seed: int = 0) -> Report:
    """Check a student's file; one that is no text fails in all its parts, as if it raised.

    Raises:
        ValueError: there is none.
        OSError: it cannot be read.
    """
    exercise, path = find_exercise(name), path_of(folder, name)
    content = path.read_bytes()
    try:
        return check(exercise, _decoded(content), seed)
    except UnreadableError as error:
        parts = [
            PartReport(function, part, "error", str(error))
            for function in exercise.functions
            for part in function.parts
        ]
        return Report(exercise, parts, 0.0, hashlib.sha256(content).hexdigest(), seed)


def path_of(folder: Path, name: str) -> Path:
    """Return the path of a student's file.

    Raises:
        ValueError: there is none.
    """
    path = folder / f"{name}.py"
    if not path.is_file():
        raise ValueError(f"{path} is not there: minifcn course start {folder} writes it")
    return path


class UnreadableError(ValueError):
    """A file that is no text in the encoding that Python takes it to be in."""


def _decoded(content: bytes) -> str:
    """The text of a Python file: UTF-8, but where its first lines say otherwise."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableError("is saved as UTF-16, which Python cannot read: save it as UTF-8")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return io.TextIOWrapper(io.BytesIO(content), encoding).read()
    except (SyntaxError, UnicodeDecodeError):
        line = _undecodable_line(content)
        place = f": see line {line}" if line else ""
        raise UnreadableError(f"is not saved as UTF-8{place}; save it as UTF-8") from None


def _undecodable_line(content: bytes) -> int | None:
    """The first line that is no UTF-8, counted from 1."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1
    return None


def state_of(folder: Path) -> dict[str, Any]:
    """What the folder remembers: hints (a number each), passed, given_up."""
    empty: dict[str, Any] = {"hints": {}, "passed": [], "given_up": []}
    path = folder / STATE
    if not path.exists():
        return empty
    found = read_json(path)
    known = isinstance(found, dict) and all(
        isinstance(found.get(name), type(value)) for name, value in empty.items()
    )
    if not known:
        raise ValueError(f"{path}: not what minifcn wrote; remove it to begin hints anew")
    return found


def remember(folder: Path, state: dict[str, Any]) -> None:
    """Keep the state."""
    write_atomically(folder / STATE, (json.dumps(state, indent=2) + "\n").encode())


def next_hint(folder: Path, name: str) -> tuple[str, int, int]:
    """Return the next hint of an exercise, its number and how many there are; the last again."""
    hints, state = find_exercise(name).hints, state_of(folder)
    level = min(int(state["hints"].get(name, 0)) + 1, len(hints))
    state["hints"][name] = level
    remember(folder, state)
    return hints[level - 1], level, len(hints)


def hints_seen(folder: Path, name: str) -> int:
    """How many hints of an exercise were asked for; 0 where that cannot be known."""
    try:
        return int(state_of(folder)["hints"].get(name, 0))
    except (ValueError, TypeError, OSError):
        return 0


def answer(folder: Path, name: str, give_up: bool) -> str:
    """Return the answer to an exercise that has passed, or that a student gives up, which is kept.

    Raises:
        ValueError: it has not passed, and is not given up.
    """
    find_exercise(name)
    state = state_of(folder)
    if name not in state["passed"]:
        if not give_up:
            raise ValueError(
                f"{name} has not passed yet: minifcn course check {folder} {name}, or course hint"
                f" {name}; --give-up shows the answer, and that is recorded"
            )
        if name not in state["given_up"]:
            state["given_up"].append(name)
            remember(folder, state)
    return (_HERE / "answers" / f"{name}.py").read_text(encoding="utf-8")


def note_passed(folder: Path, name: str, passed: bool) -> None:
    """Keep that an exercise has passed once."""
    if passed and name not in (state := state_of(folder))["passed"]:
        state["passed"].append(name)
        remember(folder, state)
