"""Options that several commands have, and how their values are read."""

from __future__ import annotations

import argparse
from pathlib import Path

from minifcn.backend import DEVICES


def path(text: str) -> Path:
    """Read a path."""
    return Path(name(text))


def name(text: str) -> str:
    """Refuse '', as of a shell's variable that is not set: as a path it would be this folder."""
    if not text:
        raise argparse.ArgumentTypeError("must be a path; got ''")
    return text


def size(text: str, otherwise: str = "") -> tuple[int, int]:
    """Read 'HxW'; `otherwise` names what else an option takes, for the error."""
    height, by, width = text.partition("x")
    if not (by and height.isdecimal() and width.isdecimal()):
        raise argparse.ArgumentTypeError(f"must be HxW, like 96x128{otherwise}; got {text!r}")
    return int(height), int(width)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Let a user say which data set, and where it is."""
    parser.add_argument(
        "--data",
        type=name,
        metavar="DATA",
        help="shapes, camvid, or a folder with images/ and masks/",
    )
    parser.add_argument("--root", type=name, metavar="DIR", help="folder of the CamVid data set")


def add_run(parser: argparse.ArgumentParser) -> None:
    """Ask for a run."""
    parser.add_argument("run", type=path, help="folder of the run")


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Let a user choose which of a run's weights."""
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")


def add_device(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Let a user choose where to compute; `default` is what it is where nothing was said."""
    parser.add_argument(
        "--device", choices=DEVICES, default=default, help="default: auto, a GPU if one works"
    )


def add_json(parser: argparse.ArgumentParser, what: str = "JSON") -> None:
    """Let a program read the results."""
    parser.add_argument("--json", action="store_true", help=f"print {what}")
