"""minifcn predict: segment images with a trained run."""

from __future__ import annotations

import argparse

from minifcn.commands import options
from minifcn.commands.terminal import say


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe which run segments what, and where the results go."""
    parser.description = "Segment images: writes NAME-mask.png (class ids) and NAME-overlay.png."
    options.add_run(parser)
    parser.add_argument(
        "images", type=options.path, nargs="+", metavar="IMAGE", help="image, or folder of images"
    )
    parser.add_argument("--out", type=options.path, required=True, metavar="DIR")
    options.add_checkpoint(parser)
    options.add_device(parser, default="auto")


def run(choices: argparse.Namespace) -> None:
    """Segment images at the size that the run was trained on, and write masks and overlays."""
    from minifcn.runs.prediction import left_out_of, predict_files

    for note in left_out_of(choices.images):
        say(note)
    settings = (choices.checkpoint, choices.device)
    for written in predict_files(choices.run, choices.images, choices.out, *settings):
        print(written)
