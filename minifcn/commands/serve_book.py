"""minifcn serve-book: shows the built book, and lets its tutorials run in the browser."""

from __future__ import annotations

import argparse

from minifcn.commands import options
from minifcn.commands.terminal import say


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe what is served, and where."""
    parser.description = "Serve the built book; its tutorials run in the browser, by Pyodide."
    add = parser.add_argument
    add("site", type=options.path, metavar="SITE", help="the folder that the book was built into")
    add("--pyodide", type=options.path, metavar="DIR",
        help="Pyodide's files, for browsers without internet, checked by SHA-256")  # fmt: skip
    add("--host", default="127.0.0.1",
        help="default: 127.0.0.1, this machine alone; 0.0.0.0 lets a class in")  # fmt: skip
    add("--port", type=_port, default=8000, help="default: 8000; 0 takes a free one")


def run(choices: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    from minifcn.course.book_server import BookServer, Pyodide

    pyodide = Pyodide(choices.pyodide) if choices.pyodide else None
    with BookServer(choices.site, pyodide, choices.host, choices.port) as server:
        print(server.address, flush=True)
        say("serving until Ctrl-C")
        server.serve_forever()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 65535; got {text!r}")
    return int(text)
