"""Ctrl-C in the first moments of the command: imported first, so it imports little itself."""

from __future__ import annotations

import os
import signal
import sys


def is_command() -> bool:
    """Whether this process is `minifcn` or `python -m minifcn`, not a program that imports it."""
    if sys.argv[:1] == ["-m"]:  # as it stands there while Python looks for the module
        rest = sys.orig_argv[1:]
        return any(word in ("minifcn", "-mminifcn") for word in rest)
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    return os.path.splitext(name)[0] in ("minifcn", "minifcn-script")


def quit_on_ctrl_c() -> None:
    """Let Ctrl-C end the process at once, without a traceback: while there is nothing to undo.

    A KeyboardInterrupt in the middle of an import would be shown with a traceback, or be lost.
    Where Ctrl-C is ignored, as in a background job, or is handled already, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, quit_at_once)


def quit_at_once(number: int, frame: object) -> None:
    """Say that the command was interrupted, and end it, as a handler of a signal."""
    try:
        os.write(2, b"minifcn: interrupted\n")
    finally:
        os._exit(130)
