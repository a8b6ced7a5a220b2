"""The terminal may go away: Ctrl-C at any moment, a reader that left, letters it cannot show.

Until a command starts to run, interrupts.py decides what Ctrl-C does.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import Any

from minifcn.system.interrupts import quit_at_once

GONE = (errno.EPIPE, errno.EINVAL, errno.EIO)
"""What writing fails with once nobody reads: a closed pipe, one on Windows, a closed terminal."""


# -- Ctrl-C --------------------------------------------------------------------------------------


def _raise_or_quit(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, but not out of an import: matplotlib's parts in C crash on it."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            quit_at_once(number, frame)
        frame = frame.f_back
    raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt within the block, where it quits outside of it."""
    if signal.getsignal(signal.SIGINT) is not quit_at_once:
        yield
        return
    signal.signal(signal.SIGINT, _raise_or_quit)
    before, sys.unraisablehook = sys.unraisablehook, _quit_if_interrupted
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, quit_at_once)
        sys.unraisablehook = before


def _quit_if_interrupted(unraisable: Any) -> None:
    """Where nothing can be raised, as in a finaliser, a Ctrl-C would be shown and then be lost."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        quit_at_once(signal.SIGINT, None)
    sys.__unraisablehook__(unraisable)


# -- Output --------------------------------------------------------------------------------------


class Output:
    """A text stream that never stops the work: what it cannot take is dropped.

    Letters that the terminal lacks are written as escapes, such as \\xdf. Once a write fails,
    `error` says why, and all the rest goes nowhere.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.error: OSError | None = None
        fails = getattr(stream, "errors", None) in ("strict", "surrogateescape")
        if fails and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write, as of a text stream."""
        try:
            self.stream.write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Flush, as of a text stream."""
        try:
            self.stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Let the file's number mean a place where all can be written: so what waits is, too."""
        self.error = self.error or error
        with suppress(OSError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)


@contextmanager
def unbreakable(name: str) -> Iterator[Output]:
    """Make sys.stdout or sys.stderr, by its name, an Output within the block.

    A stream that was closed from the start, which Python has as None, writes nowhere.
    """
    before = getattr(sys, name)
    with nullcontext(before) if before is not None else open(os.devnull, "w") as stream:
        output = Output(stream)
        setattr(sys, name, output)
        try:
            yield output
        finally:
            output.flush()
            setattr(sys, name, before)


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show warnings as the command shows errors: in a line, without a path in the code."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *where: print(
            f"minifcn: warning: {message}", file=sys.stderr
        )
        yield


def check_printed(output: Output) -> None:
    """Raise OSError if results could not be printed though somebody wanted to read them.

    A reader that left, such as `head`, has had what it wanted. The command went on, and did all
    of its work, so that ends as it would have: with exit code 0 and not a word.
    """
    output.flush()
    if output.error and output.error.errno not in GONE:
        raise OSError(output.error.errno, output.error.strerror, "standard output")


def say(message: str) -> None:
    """Print what is no result, on stderr."""
    print(message, file=sys.stderr)
