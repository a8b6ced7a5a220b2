"""A page that steps through operations: one HTML file that asks for nothing else.

engine.js computes, stories.js says what each step reads and writes, proof.js compares with the
kernels; state.js, tables.js, view.js and moving.js are the page itself. It gets texts, code and
cases as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import minifcn
from minifcn.explain.cases import proof_cases
from minifcn.explain.operations import CHOICES, OPERATIONS, RANGES

_PAGE = Path(__file__).parent / "page"
_SCRIPTS = (
    "engine.js",
    "stories.js",
    "proof.js",
    "state.js",
    "tables.js",
    "view.js",
    "moving.js",
)
CASES = 20
"""How many cases a page repeats when opened, of all its operations; at least two of each."""


def make_page(operations: Sequence[str] = (), given: Mapping[str, Any] | None = None) -> str:
    """Return the HTML of a page.

    Args:
        operations: which it shows; all by default.
        given: settings and arrays of the first operation, to begin with.

    Raises:
        ValueError: there is no such operation.
    """
    names = tuple(operations) or tuple(OPERATIONS)
    for name in names:
        check_operation(name)
    data = {
        "version": minifcn.__version__,
        "operations": names,
        "ranges": RANGES,
        "choices": CHOICES,
        "about": {name: OPERATIONS[name].as_json() for name in names},
        "texts": read_texts("texts.json"),
        "cases": list(proof_cases(names, max(CASES // len(names), 2))),
        "given": given,
    }
    return fill("page.html", _SCRIPTS, data)


def fill(template: str, scripts: Sequence[str], data: Mapping[str, Any]) -> str:
    """Put style, scripts and data into a page of the folder page/; return its HTML."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    page = (_PAGE / template).read_text(encoding="utf-8")
    parts = {
        "STYLE": (_PAGE / "style.css").read_text(encoding="utf-8"),
        "SCRIPT": "\n".join((_PAGE / name).read_text(encoding="utf-8") for name in scripts),
        "DATA": text.replace("<", "\\u003c"),  # no name in it may end, or begin, a tag
    }
    for name, part in parts.items():
        before, mark, after = page.partition(f"@{name}@")
        assert mark
        page = before + part + after
    return page


def read_texts(name: str) -> Any:
    """Read the texts of a page, by key and language."""
    return json.loads((_PAGE / name).read_text(encoding="utf-8"))


def check_operation(name: str) -> None:
    """Raise ValueError unless a page can show this operation."""
    if name not in OPERATIONS:
        raise ValueError(f"operation must be one of {', '.join(OPERATIONS)}; got {name!r}")
