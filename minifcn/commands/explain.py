"""minifcn explain: a page that steps through an operation, or takes the scores of an FCN apart."""

from __future__ import annotations

import argparse
import os
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from minifcn.commands import options
from minifcn.commands.terminal import say

if TYPE_CHECKING:
    from minifcn.explain.microscope import Subject

NETWORK = "fcn8s"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe what can be shown."""
    from minifcn.explain.operations import OPERATIONS

    parser.description = (
        "Write a page, one HTML file, that steps through an operation; or, for fcn8s, that shows"
        " what each path of a trained network adds to the scores of every pixel of an image."
    )
    add = parser.add_argument
    add("operation", nargs="?", choices=[*OPERATIONS, NETWORK], metavar="OPERATION",
        help=f"{', '.join(OPERATIONS)} (default: all on one page), or {NETWORK}")  # fmt: skip
    add("run", nargs="?", type=options.path, metavar="RUN",
        help=f"for {NETWORK}: the folder of a run on the small backbone; default: a small"
        " FCN-8s is trained on shapes first")  # fmt: skip
    add("--image", type=options.path, metavar="FILE",
        help=f"for {NETWORK}: what it looks at; default: a validation scene")  # fmt: skip
    add("--checkpoint", choices=("best", "last"), help="of RUN; default: best")
    add("--out", type=options.path, metavar="FILE", help="default: minifcn-OPERATION.html")
    add("--open", action="store_true", help="open it in the browser")


def run(choices: argparse.Namespace) -> None:
    """Write the page, and open it if that was asked for."""
    from minifcn.system.files import write_atomically

    _check(choices)
    path = choices.out or Path(f"minifcn-{choices.operation or 'explain'}.html")
    _check_writable(path)
    page = _microscope(choices) if choices.operation == NETWORK else _steps(choices.operation)
    write_atomically(path, page.encode())
    print(path)
    if choices.open and not webbrowser.open(path.resolve().as_uri()):
        say(f"no browser was found; open {path} in one")


def _check(choices: argparse.Namespace) -> None:
    """Raise ValueError for what only the microscope takes."""
    given = {"RUN": choices.run, "--image": choices.image, "--checkpoint": choices.checkpoint}
    for name, value in given.items():
        if value is not None and choices.operation != NETWORK:
            which = choices.operation or "the page of all operations"
            raise ValueError(f"{which} takes no {name}, only {NETWORK} does; got {str(value)!r}")
    if choices.checkpoint and not choices.run:
        raise ValueError(f"--checkpoint is for a RUN; got {choices.checkpoint!r} without one")


def _check_writable(path: Path) -> None:
    """Raise ValueError, before a training, where a page cannot be written."""
    if path.is_dir():
        raise ValueError(f"--out must be a file; got the folder {path}")
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise ValueError(f"--out must lie in a folder that can be written; got {path}")


def _steps(operation: str | None) -> str:
    from minifcn.explain.page import make_page

    return make_page([operation] if operation else [])


def _microscope(choices: argparse.Namespace) -> str:
    from minifcn.explain.microscope import SMALL, make_microscope, subject_of

    if choices.run:
        subject = subject_of(choices.run, choices.image, choices.checkpoint or "best")
        return make_microscope(subject)
    return make_microscope(_train_small(choices.image), SMALL.iterations)


def _train_small(image: Path | None) -> Subject:
    from minifcn.commands.progress import Progress
    from minifcn.explain.microscope import SMALL, scene_of_file, train_small

    scene = scene_of_file(image, SMALL) if image else None
    say(
        f"no RUN was given: training a small {SMALL.model} on {SMALL.data}, {SMALL.iterations}"
        " iterations; it is not kept (minifcn train makes a RUN)"
    )
    with Progress(SMALL.iterations) as progress:
        return train_small(progress, scene)
