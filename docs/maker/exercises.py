"""The exercises' statements, out of the stubs that a student gets."""

from __future__ import annotations

import ast

from maker.contents import MADE, ROOT, TUTORIALS, toctree, write
from minifcn.course.exercises import NAMES, find_exercise

_STUBS = ROOT / "minifcn" / "course" / "exercises" / "stubs"

_INDEX = """\
# Exercises

Sixteen files, each a piece of an FCN-8s, that you write in NumPy alone. A command,
`minifcn course start my-course`, writes the stubs; a checker runs them and names the mistake:
[how that goes](../../EXERCISES.md).

| exercise | what | tutorial |
|---|---|---|
"""


def write_exercises() -> None:
    """Write a page for each exercise, and one that lists them."""
    rows = []
    for name in NAMES:
        exercise = find_exercise(name)
        tutorial = _tutorial(exercise.tutorial)
        write(MADE / "exercises" / f"{name}.md", _page(name, tutorial))
        rows.append(f"| [{name}]({name}.md) | {exercise.title} | {tutorial} |\n")
    text = _INDEX + "".join(rows) + toctree(NAMES)
    write(MADE / "exercises" / "README.md", text)


def _tutorial(number: int) -> str:
    (path,) = (path for path in TUTORIALS if path.name.startswith(f"{number:02}_"))
    return f"[{number:02}](../tutorials/{path.stem}.ipynb)"


def _page(name: str, tutorial: str) -> str:
    stub = (_STUBS / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(stub)
    statement = ast.get_docstring(tree)
    assert statement
    first, _, rest = statement.partition("\n\n")
    title = " ".join(first.split()).removeprefix("Exercise ").rstrip(".")
    code = "\n".join(stub.splitlines()[tree.body[0].end_lineno :]).strip()
    return f"""\
# {title}

```text
{rest.strip()}
```

## The stub

```python
{code}
```

## Check it

Tutorial {tutorial} explains it. In the folder where you are:

```bash
minifcn course start my-course
minifcn course check my-course {name}
minifcn course hint {name} --folder my-course
```
"""
