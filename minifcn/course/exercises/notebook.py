"""Checking functions that are written in a notebook."""

from __future__ import annotations

import inspect
from collections.abc import Callable
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
    source = "import numpy as np\n\n" + "\n\n".join(map(_source_of, functions))
    known = {f.name: (e, f) for e in map(find_exercise, NAMES) for f in e.functions}
    for function in functions:
        if function.__name__ not in known:
            continue
        for part in check_function(*known[function.__name__], source, 0):
            print(message(part) or f"{part.function.name}, {part.part.name}: right")
    if not any(function.__name__ in known for function in functions):
        names = ", ".join(function.__name__ for function in functions)
        raise ValueError(f"functions must be of an exercise, such as conv2d; got {names}")


def _source_of(function: Callable[..., Any]) -> str:
    try:
        return inspect.cleandoc("\n" + inspect.getsource(function))
    except (OSError, TypeError) as error:
        name = getattr(function, "__name__", repr(function))
        raise ValueError(f"the text of {name} cannot be found; define it with def") from error
