"""Runs a tutorial's cells in a page of the book, with Python in the browser (docs/BROWSER.md)."""

from __future__ import annotations

import ast
import io
import linecache
import os
import traceback
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import TracebackType
from typing import Any

from minifcn.course import lesson

Send = Callable[[str, Any], None]

MOST = 100_000
"""Letters that a cell may print: a loop that prints for ever must not fill the page."""


class Cells:
    """The cells of a page: they share their names, as those of a notebook do.

    Attributes:
        send: gets what a cell gives, as its kind and a value: 'stdout', 'stderr' and 'error' come
            with text, 'html' with a page or a part of one, a picture with its bytes, as the kind
            of its file: '.png', '.gif' or '.svg'.
        names: what the cells have defined.
    """

    def __init__(self, send: Send) -> None:
        os.environ["MPLBACKEND"] = "agg"  # a picture is a file; there is no window
        warnings.filterwarnings("ignore", module="threadpoolctl")  # it asks for what is deprecated
        self.send = send
        self.names: dict[str, Any] = {"__name__": "__main__"}
        lesson.show_by(self._show)

    def run(self, number: int, source: str) -> bool:
        """Run a cell; return whether it came to its end. An error is sent, not raised."""
        name = f"cell {number}"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        room = _Room(MOST)
        out, err = _Stream(self.send, "stdout", room), _Stream(self.send, "stderr", room)
        with redirect_stdout(out), redirect_stderr(err):
            try:
                self._give(_run(source, name, self.names))
            except BaseException as error:  # also Ctrl-C and exit()
                self.send("error", _told(error, name))
                return False
        return True

    def _give(self, value: Any) -> None:
        """Send the value of a cell's last line, as a notebook shows it."""
        if hasattr(value, "_repr_html_"):
            self.send("html", value._repr_html_())
        elif value is not None:
            print(repr(value))

    def _show(self, path: Path) -> None:
        if path.suffix == ".html":
            self.send("html", path.read_text(encoding="utf-8"))
        else:
            self.send(path.suffix, path.read_bytes())


def _run(source: str, name: str, names: dict[str, Any]) -> Any:
    """Run Python; return the value of the last line, or None if it has none or ends in ';'."""
    tree, last = ast.parse(source, name), None
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(";"):
        last = ast.Expression(tree.body.pop().value)  # type: ignore[attr-defined]
    exec(compile(tree, name, "exec"), names)
    return eval(compile(last, name, "eval"), names) if last else None


def _told(error: BaseException, name: str) -> str:
    """The traceback, from the cell on; of what is not in a cell, a line."""
    where: TracebackType | None = error.__traceback__
    while where and where.tb_frame.f_code.co_filename != name:
        where = where.tb_next
    return "".join(traceback.format_exception(type(error), error, where))


class _Room:
    """How many letters a cell may still print."""

    def __init__(self, left: int) -> None:
        self.left = left


class _Stream(io.TextIOBase):
    """Sends what is printed, until there is no room left; then it says so, once."""

    def __init__(self, send: Send, kind: str, room: _Room) -> None:
        self._send, self._kind, self._room = send, kind, room

    def write(self, text: str) -> int:
        if self._room.left > 0:
            self._send(self._kind, text[: self._room.left])
            self._room.left -= len(text)
            if self._room.left <= 0:
                self._send("stderr", f"\n(What is printed after {MOST:,} letters is left out.)\n")
        return len(text)
