"""A student's folder: the files of the exercises, and what hints and answers were asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from minifcn.course.exercises import NAMES, find_exercise
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


def read_source(folder: Path, name: str) -> str:
    """Read a student's file.

    Raises:
        ValueError: there is none, or it is no text.
    """
    path = folder / f"{name}.py"
    if not path.is_file():
        raise ValueError(f"{path} is not there: minifcn course start {folder} writes it")
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a readable text file ({type(error).__name__})") from error


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
    state = state_of(folder)
    if passed and name not in state["passed"]:
        state["passed"].append(name)
        remember(folder, state)
