"""minifcn explain: a page that steps through an operation."""

from __future__ import annotations

import argparse
import webbrowser
from pathlib import Path

from minifcn.commands import options
from minifcn.commands.terminal import say


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe what can be shown."""
    from minifcn.explain.operations import OPERATIONS

    parser.description = "Write a page, one HTML file, that steps through an operation."
    add = parser.add_argument
    add("operation", nargs="?", choices=OPERATIONS, metavar="OPERATION",
        help=f"one of {', '.join(OPERATIONS)}; default: all on one page")  # fmt: skip
    add("--out", type=options.path, metavar="FILE", help="default: minifcn-OPERATION.html")
    add("--open", action="store_true", help="open it in the browser")


def run(choices: argparse.Namespace) -> None:
    """Write the page, and open it if that was asked for."""
    from minifcn.explain.page import make_page
    from minifcn.system.files import write_atomically

    names = [choices.operation] if choices.operation else []
    path = choices.out or Path(f"minifcn-{choices.operation or 'explain'}.html")
    write_atomically(path, make_page(names).encode())
    print(path)
    if choices.open and not webbrowser.open(path.resolve().as_uri()):
        say(f"no browser was found; open {path} in one")
