"""minifcn bench: time the training step and its kernels."""

from __future__ import annotations

import argparse
import json
from functools import partial

from minifcn.commands import options
from minifcn.commands.terminal import say


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe what is timed, and beside what."""
    from minifcn.bench import DEVICES, PARTS

    parser.description = (
        "Time the training step of a small FCN-8s (on a GPU also of one of VGG-16's size), its"
        " forward pass and its kernels, beside the bare matrix products and copies in them and,"
        " if wanted, beside PyTorch: on a GPU without TF32, and with it as is its default."
        " Also the steps of `minifcn train` on shapes and CamVid, EfficientNet-Lite0's features"
        " with their gradients, and its depthwise convolutions."
    )
    add = parser.add_argument
    add("part", nargs="?", choices=PARTS, default="all", help="default: all (without scaling)")
    add("--device", choices=DEVICES, default="cpu", help="default: cpu")
    add("--against", choices=("torch",), help="compare with PyTorch, where it is installed")
    add("--threads", type=int, metavar="N", help="of each side; default: all cores")
    add("--rounds", type=int, metavar="N", default=5, help="turns of each side; default: 5")
    add("--plot", type=options.path, metavar="FILE", help="draw the times as bars, into a PNG")
    options.add_json(parser)


def run(choices: argparse.Namespace) -> None:
    """Compare, print a table, and draw it."""
    from tqdm import tqdm

    from minifcn import machine, plots
    from minifcn.bench import compare, format_table
    from minifcn.bench.picture import plot_speeds

    if choices.plot:
        plots.check_path(choices.plot)
    if choices.device == "cpu" and (warning := machine.warning("minifcn bench")):
        say(f"warning: {warning}")
    bar = partial(tqdm, disable=None, leave=False)  # on a terminal only
    settings = (choices.against, choices.part, choices.threads, choices.rounds)
    results = compare(*settings, track=bar, device=choices.device)
    print(json.dumps(results) if choices.json else format_table(results))
    if choices.plot:
        plot_speeds(choices.plot, results["rows"])
