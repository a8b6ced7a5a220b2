"""The command line: each command is the file of its name, with its options and what it does.

Results go to stdout (JSON alone with --json), progress and messages to stderr. Exit codes: 0 done,
1 failed (the training diverged), 2 wrong usage or input, 130 interrupted, after saving.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import minifcn
from minifcn.commands.terminal import (
    Output,
    check_printed,
    interruptible,
    plain_warnings,
    say,
    unbreakable,
)
from minifcn.runs.interrupt import Interrupted, TrainingDivergedError

COMMANDS = {
    "train": "train an FCN and draw how it does",
    "eval": "score a trained run on a data set",
    "predict": "segment images with a trained run",
    "experiment": "reproduce a comparison of the topic",
    "export": "write a run's weights for PyTorch and others",
    "bench": "time the training step and its kernels",
    "tutorials": "list the tutorials, or write notebooks",
    "explain": "write a page that steps through an operation, number by number",
    "serve-book": "show the built book in browsers, and let its tutorials run there",
    "course": "exercises: write the kernels yourself, and hear which mistake is in them",
    "doctor": "say what this machine brings",
}
"""What each command is for. The file of its name, with _ for -, holds `add_options(parser)` and
`run(choices)`, which may return an exit code."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error is said.

    Attributes:
        command: whose options it gets once it is to parse them: to list the commands, or to run
            one, the others need not be imported.
    """

    command: str | None = None

    def parse_known_args(self, *arguments: Any, **named: Any) -> Any:
        """Parse, as `argparse.ArgumentParser` does."""
        if self.command:
            _module(self.command).add_options(self)
            self.command = None
        return super().parse_known_args(*arguments, **named)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit."""
        say(f"minifcn: {message} (see {self.prog} --help)")
        self.exit(2)


def build_parser() -> Parser:
    """Describe all commands; `choices.command` of what it parses is the name of one."""
    parser = Parser(
        prog="minifcn", description="Semantic segmentation with FCNs, from scratch, in NumPy."
    )
    parser.add_argument("--version", action="version", version=f"minifcn {minifcn.__version__}")
    commands = parser.add_subparsers(required=True, metavar="command", dest="command")
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose).command = name
    return parser


def _module(command: str) -> Any:
    return import_module(f"minifcn.commands.{command.replace('-', '_')}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    try:
        with interruptible(), unbreakable("stderr"), plain_warnings():
            return _run(arguments)
    except KeyboardInterrupt:  # one more, while the first was answered
        return 130


def _run(arguments: Sequence[str] | None) -> int:
    try:
        with unbreakable("stdout") as output:
            return _run_command(arguments, output)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        return _fail(2, _one_line(error))
    except (TrainingDivergedError, FloatingPointError, MemoryError) as error:
        return _fail(1, _one_line(error))
    except Interrupted as error:
        return _fail(130, _one_line(error))
    except KeyboardInterrupt:
        return _fail(130, "interrupted")


def _run_command(arguments: Sequence[str] | None, output: Output) -> int:
    try:
        choices = build_parser().parse_args(arguments)
        code = _module(choices.command).run(choices)
    except SystemExit:  # of the parser, which has printed help or an error
        check_printed(output)
        raise
    check_printed(output)
    return code or 0


def _fail(code: int, message: str) -> int:
    say(f"minifcn: {message}")
    return code


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
