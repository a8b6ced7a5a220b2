"""The API reference: a page for each part of the package, and docstrings as Sphinx reads them."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from maker.contents import MADE, MODULES, write

_NESTED = re.compile(r"- |\d+\. |[A-Z][a-z]+:$")
"""How a list's item, or a section, begins."""

_TYPE = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
_INDEX = """\
API reference
=============

What can be imported, from the docstrings. N, C, H, W: images, channels, rows, columns.
In signatures, Array is NumPy's or CuPy's, Pair is (height, width), IntOrPair one number for both or
a Pair.

.. toctree::
   :maxdepth: 1

"""


def write_api() -> None:
    """Write a page for each part, and one that lists them."""
    for name, modules in MODULES.items():
        title = f"minifcn.{name}"
        parts = [f"{title}\n{'=' * len(title)}\n"]
        for module in modules:
            if module != title:
                parts.append(f"{module}\n{'-' * len(module)}\n")
            parts.append(f".. automodule:: {module}\n   :members:\n{_imported(module)}")
        write(MADE / "api" / f"{name}.rst", "\n".join(parts))
    write(MADE / "api" / "index.rst", _INDEX + "".join(f"   {name}\n" for name in MODULES))


def _imported(module: str) -> str:
    """What a module lists as its own is shown where it is imported; else what it defines."""
    listed = hasattr(import_module(module), "__all__")
    return "   :imported-members:\n" if listed else ""


def plain(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Make a docstring, which is plain text, one that reStructuredText shows as it is."""
    lines[:] = as_shown(lines)


def named(
    app: Any,
    what: str,
    name: str,
    thing: Any,
    options: Any,
    arguments: str | None,
    returned: str | None,
) -> tuple[str | None, ...]:
    """Name types of our own in a signature as they are imported, also where they are optional."""
    return tuple(part and _TYPE.sub(r"\1", part) for part in (arguments, returned))


def as_shown(lines: list[str]) -> list[str]:
    """Return the lines of a docstring as reStructuredText.

    Indented lines after an empty one are a formula or code; after a paragraph's first line, they
    belong to it. In sections, as Args:, and in lists indents keep their meaning. Letters that would
    be marks, as in 2*x, are letters.
    """
    shown: list[str] = []
    before, nested, block = "", False, False
    for line in lines:
        indented = line.startswith(" ")
        if line and not indented:
            nested = bool(_NESTED.match(line))
            block = False
        elif indented and not nested and not before.strip():
            if not block:
                shown += ["::", ""]
            block = True
        if block:
            shown.append(line)
        else:
            joined = indented and not nested
            shown.append(_escaped(line.lstrip() if joined else line))
        before = line
    return shown


def _escaped(line: str) -> str:
    parts = re.split(r"(`[^`]*`)", line)
    parts[::2] = [re.sub(r"([*|]|_(?!\w))", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)
