"""minifcn predict: segment images with a trained run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from minifcn.commands import options
from minifcn.commands.terminal import say

if TYPE_CHECKING:
    from minifcn.runs.prediction import Settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe which run segments what, how, and where the results go."""
    parser.description = "Segment images: writes NAME-mask.png (class ids) and NAME-overlay.png."
    options.add_run(parser)
    parser.add_argument(
        "images", type=options.path, nargs="+", metavar="IMAGE", help="image, or folder of images"
    )
    parser.add_argument("--out", type=options.path, required=True, metavar="DIR")
    parser.add_argument(
        "--size",
        type=_size,
        metavar="HxW",
        help="what images are resized to, or 'native': their own size; default: the run's",
    )
    parser.add_argument(
        "--memory",
        type=float,
        metavar="GIB",
        help="of a native image, larger ones are scored in windows that overlap, or of the scores"
        " that are written; default: 2",
    )
    parser.add_argument(
        "--scores",
        action="store_true",
        help="write NAME-scores.npz, too: the probability of each class, float16 (C, H, W)",
    )
    options.add_checkpoint(parser)
    options.add_device(parser, default="auto")


def _size(text: str) -> tuple[int, int] | str:
    """Read 'native' or 'HxW'."""
    return text if text == "native" else options.size(text, " or 'native'")


def _settings(choices: argparse.Namespace) -> Settings:
    """Raises ValueError for what is out of range, or would have no effect."""
    from minifcn.runs.prediction import NATIVE, Settings

    if choices.memory is None:
        return Settings(choices.size, scores=choices.scores)
    settings = Settings(choices.size, choices.memory, choices.scores)
    if settings.size != NATIVE and not settings.scores:
        raise ValueError(
            f"--memory is what images take at --size {NATIVE}, or --scores; got --memory"
            f" {choices.memory:g} without them; add one, or leave it out"
        )
    return settings


def run(choices: argparse.Namespace) -> None:
    """Segment images, and write masks, overlays and perhaps scores; at the end, say how fast."""
    from minifcn.commands.progress import images_done, print_above
    from minifcn.runs.prediction import left_out_of, predict_files

    settings = _settings(choices)
    for note in left_out_of(choices.images):
        say(note)
    where = (choices.out, choices.checkpoint, choices.device)
    for written in predict_files(
        choices.run, choices.images, *where, settings, track=images_done, tell=say
    ):
        print_above(written)
