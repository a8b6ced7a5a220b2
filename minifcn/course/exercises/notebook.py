"""Checking functions that are written in a notebook."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

from minifcn.course.exercises import NAMES, find_exercise
from minifcn.course.exercises.checker import check_function
from minifcn.course.exercises.messages import message


def check(*functions: Callable[..., Any]) -> None:
    """Check functions of the exercises by their names, and print what is found.

    They run in another process, with `import numpy as np` before them and nothing else of the
    notebook: what they call must be among the functions that are given.

    Raises:
        ValueError: no exercise has a function of this name, or its text cannot be found.
    """
    texts = list(map(_source_of, functions))
    source = "import numpy as np\n\n" + "\n\n".join(texts)
    lines = ["line 1", "line 2"]  # the import, and an empty one
    for function, text in zip(functions, texts, strict=True):
        lines += _lines_of(function.__name__, text)
    known = {f.name: (e, f) for e in map(find_exercise, NAMES) for f in e.functions}
    for function in functions:
        if function.__name__ not in known:
            continue
        for part in check_function(*known[function.__name__], source, 0):
            part.problem = _told(part.problem, lines)
            print(message(part) or f"{part.function.name}, {part.part.name}: right")
    if not any(function.__name__ in known for function in functions):
        names = ", ".join(function.__name__ for function in functions)
        raise ValueError(f"functions must be of an exercise, such as conv2d; got {names}")


def _lines_of(name: str, text: str) -> list[str]:
    """What each line of a function is called, and the empty one after it."""
    return [f"line {number} of {name}" for number in range(1, text.count("\n") + 2)] + [""]


def _told(problem: str, lines: Sequence[str]) -> str:
    """Say a line by its function: the file in which it was counted is nowhere to be seen."""
    found = re.match(r"(raised \w+ in )line (\d+)", problem)
    if not found or int(found[2]) > len(lines):  # a SyntaxError may count in a text of its own
        return problem
    return f"{found[1]}{lines[int(found[2]) - 1]}{problem[found.end() :]}"


def _source_of(function: Callable[..., Any]) -> str:
    try:
        return inspect.cleandoc("\n" + inspect.getsource(function))
    except (OSError, TypeError) as error:
        name = getattr(function, "__name__", repr(function))
        raise ValueError(f"the text of {name} cannot be found; define it with def") from error
