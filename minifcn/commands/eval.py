"""minifcn eval: score a trained run on a data set."""

from __future__ import annotations

import argparse
import json

from minifcn.commands import options
from minifcn.commands.progress import looking
from minifcn.commands.terminal import say


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe which run is scored, and on what."""
    parser.description = "Score a trained run: mean IU and its companions, beside the baseline."
    options.add_run(parser)
    options.add_data(parser)
    parser.add_argument(
        "--split",
        help="train, val, test or all; default: val; of another folder without splits, all",
    )
    options.add_checkpoint(parser)
    options.add_device(parser, default="auto")
    options.add_json(parser, "the scores as JSON")


def run(choices: argparse.Namespace) -> None:
    """Score a run, and print the scores and of how many images they are."""
    from minifcn.metrics import format_table
    from minifcn.runs.config import Config
    from minifcn.runs.data import open_scored
    from minifcn.runs.report import evaluate_run, where_scored

    config = Config.load(choices.run / "config.json")
    place = (choices.data, choices.root, choices.split)
    dataset, notes = open_scored(config, choices.run, *place, track=looking)
    summary = evaluate_run(
        choices.run, dataset, checkpoint=choices.checkpoint, device=choices.device
    )
    for note in [*notes, *where_scored(summary, config.size)]:
        say(note)
    print(json.dumps(summary) if choices.json else format_table(summary))
