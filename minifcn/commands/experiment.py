"""minifcn experiment: reproduce a comparison of the topic, or draw a heatmap."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minifcn.commands import options
from minifcn.commands.terminal import say

if TYPE_CHECKING:
    from minifcn.experiments import Result


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the experiments, and how large each may be made."""
    from minifcn import experiments

    parser.description = (
        "Run an experiment; writes table.txt, result.json and pictures. All are deterministic by"
        " seed, and take at most a quarter of an hour on two cores by default."
    )
    names = parser.add_subparsers(required=True, metavar="name", dest="name")
    for name, known in experiments.EXPERIMENTS.items():
        own = names.add_parser(name, help=known.summary, description=known.summary)
        own.add_argument("--seeds", type=int, metavar="N", help=f"default: {known.seeds}")
        minutes = f"{known.minutes:g}" if known.minutes else "nothing is trained"
        own.add_argument(
            "--budget",
            type=float,
            metavar="MINUTES",
            help=f"about how long to train, on two cores; default: {minutes}",
        )
        if known.takes_root:
            own.add_argument(
                "--root",
                type=options.name,
                metavar="DIR",
                help="CamVid's folder, to do it on that; default: on shapes",
            )
        _add_outputs(own)
    summary = "where in a photo a pretrained classifier's scores are high"
    _add_heatmap(names.add_parser("heatmap", help=summary, description=f"Draw {summary}."))


def _add_heatmap(parser: argparse.ArgumentParser) -> None:
    from minifcn.models.pretrained import NETWORKS, PHOTOS

    add = parser.add_argument
    add(
        "image",
        type=options.name,
        metavar="IMAGE",
        help=f"a file, or one of the photos {', '.join(PHOTOS)}",
    )
    add("--model", choices=NETWORKS, default=next(iter(NETWORKS)), help="default: %(default)s")
    add(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="CLASS",
        help="a class to draw, by name or number; may be repeated; default: the likeliest",
    )
    add("--size", type=int, metavar="PIXELS", help="longer side, 32 or more; default: its own")
    _add_outputs(parser)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=options.path,
        metavar="DIR",
        help="folder of the results; default: a new one in runs/",
    )
    options.add_json(parser)


def run(choices: argparse.Namespace) -> None:
    """Run an experiment, and print its tables."""
    with _results_folder(choices.out, choices.name) as out:
        result, values = _results(choices, out)
    print(json.dumps(values) if choices.json else result.text())
    say(f"tables and pictures are in {out}")


def _results(choices: argparse.Namespace, out: Path) -> tuple[Result, dict[str, Any]]:
    from minifcn import experiments

    if choices.name == "heatmap":
        own = (choices.model, choices.classes, choices.size)
        return experiments.run_heatmap(choices.image, out, *own)
    root = getattr(choices, "root", None)
    return experiments.run(choices.name, out, choices.seeds, choices.budget, say, root)


@contextmanager
def _results_folder(out: Path | None, name: str) -> Iterator[Path]:
    """Give the folder of results, made and tried before any work; by default a new one in runs/."""
    from minifcn.runs.folders import folder_for

    with folder_for(out, f"experiment-{name}") as folder:
        folder.mkdir(exist_ok=True)  # or else it is a file
        str(folder).encode()  # results name their pictures, in UTF-8
        with tempfile.TemporaryFile(dir=folder):
            pass
        yield folder
