"""minifcn tutorials: list the tutorials, or write notebooks, or the answers to the exercises."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from minifcn.commands import options
from minifcn.commands.terminal import say

if TYPE_CHECKING:
    from minifcn.course.notebooks import Tutorial


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe what is listed or written, and where."""
    parser.description = (
        "List the tutorials with the time that each takes, or write them as notebooks for Jupyter"
        " and Google Colab, or the answers to their exercises."
    )
    add = parser.add_argument
    add(
        "--notebooks",
        type=options.path,
        metavar="DIR",
        help="write a notebook of each into this folder",
    )
    add(
        "--answers",
        type=options.path,
        metavar="DIR",
        help="write the answers to the exercises of each into this folder; nothing else shows them",
    )
    add(
        "--install",
        metavar="WHAT",
        help="what pip installs on Colab, such as git+https://...; default: the address that this"
        " copy was cloned from if it is a public one, else minifcn from PyPI",
    )
    options.add_json(parser)


def run(choices: argparse.Namespace) -> None:
    """List the tutorials, or write them as notebooks, or their answers, and print where."""
    from minifcn.course.notebooks import find_tutorials, format_list, write_answers

    known = find_tutorials()
    if choices.install is not None and choices.notebooks is None:
        raise ValueError("--install says what notebooks install; it needs --notebooks DIR")
    if choices.notebooks is None and choices.answers is None:
        rows = [tutorial.summary() for tutorial in known]
        print(json.dumps(rows) if choices.json else format_list(known))
        return
    written = []
    if choices.answers is not None:
        written += write_answers(known, choices.answers)
    if choices.notebooks is not None:
        written += _write_notebooks(known, choices)
    paths = [str(path) for path in written]
    print(json.dumps(paths) if choices.json else "\n".join(paths))


def _write_notebooks(known: list[Tutorial], choices: argparse.Namespace) -> list[Path]:
    from minifcn.course.notebooks import public_address, write_notebooks

    install, hint = choices.install or "minifcn", ""
    if choices.install is None:
        install, hint = public_address() or install, "; --install WHAT changes that"
    paths = write_notebooks(known, choices.notebooks, install)
    say(f"on Colab, pip install {install}{hint}")
    return paths
