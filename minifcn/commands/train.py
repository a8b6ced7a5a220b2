"""minifcn train: train a network, then evaluate it and draw how it does."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import minifcn
from minifcn.commands import options, own_kernels
from minifcn.commands.progress import Progress, looking
from minifcn.commands.terminal import say

if TYPE_CHECKING:
    from minifcn.runs.run import Run


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe every choice of a run."""
    parser.description = "Train an FCN. Without options: FCN-8s on synthetic shapes, in minutes."
    options.add_data(parser)
    _add_network(parser.add_argument_group("the network"))
    _add_samples(parser.add_argument_group("what is done to samples"))
    _add_learning(parser.add_argument_group("how it learns"))
    add = parser.add_argument_group("for a course").add_argument
    add("--by-heart", type=int, metavar="N", help="train and score on the first N samples: a check")
    add("--kernels", type=options.name, metavar="DIR", help="compute by the functions of a course")
    add("--mistake", metavar="ID", help="train with a known mistake, and without")
    add = parser.add_argument_group("the run").add_argument
    add("--evaluate-every", type=int, metavar="N", help="iterations between validations")
    add("--checkpoint-every", type=int, metavar="N", help="iterations between checkpoints")
    path = options.path
    add("--out", type=path, metavar="DIR", help="folder of the run; default: a new one in runs/")
    add("--resume", type=path, metavar="DIR", help="go on with the run in DIR, as it was set")
    options.add_device(parser)
    options.add_json(parser, "the scores as JSON")


def _add_network(group: argparse._ArgumentGroup) -> None:
    from minifcn.models.backbones import NAMES
    from minifcn.runs.config import MODELS

    add = group.add_argument
    add(
        "--model",
        choices=sorted(MODELS),
        help="default: fcn8s; on CamVid with another backbone than the small one fcn4s",
    )
    add("--stride", type=int, choices=MODELS.values(), help="the same, by its stride")
    add("--backbone", choices=NAMES, help="what makes the features; default: small")
    add(
        "--backbone-weights",
        type=options.name,
        metavar="FILE",
        help="trained weights of the backbone; default: those of the extra 'pretrained'",
    )
    add("--from-scratch", action="store_true", help="start a larger backbone with random weights")
    add("--upsampling", choices=("bilinear", "learned"), help="default: bilinear (fixed)")


def _add_samples(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--size", type=options.size, metavar="HxW", help="resize samples to height x width")
    add("--crop", type=options.size, metavar="HxW", help="train on random windows of this size")
    add("--scale", type=_factors, metavar="LOW-HIGH", help="resize samples at random before that")
    add("--jitter", type=float, metavar="X", help="change brightness, contrast and saturation")


def _add_learning(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    flag: dict[str, Any] = {"action": "store_true", "default": None}
    add("--iterations", type=int, metavar="N")
    add("--batch-size", type=int, metavar="B")
    add("--lr", type=float, metavar="LR", help="highest learning rate of Adam")
    add("--backbone-lr", type=float, metavar="LR", help="that of the backbone")
    add("--freeze", **flag, help="train the head only, in minutes")
    add(
        "--freeze-statistics",
        **flag,
        help="leave the running statistics of the backbone's BatchNorms as they are",
    )
    add("--bn-momentum", type=float, metavar="M", help="how fast running statistics move")
    add("--class-weights", choices=("balanced",), help="make rare classes count more in the loss")
    add("--label-smoothing", type=float, metavar="X", help="of the loss; 0.1 is common")
    add("--seed", type=int, metavar="S", help="fixes everything random; default: 0")


def _factors(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    try:
        return float(low), float(high)
    except ValueError:
        message = f"must be LOW-HIGH, like 0.75-1.5; got {text!r}"
        raise argparse.ArgumentTypeError(message) from None


def run(choices: argparse.Namespace) -> None:
    """Train, or go on training, then evaluate and draw the pictures."""
    from minifcn.runs.config import Config
    from minifcn.runs.folders import folder_for
    from minifcn.runs.run import Run

    def finish(run: Run) -> None:
        _finish(run, choices.json)

    if choices.resume:
        run = _resumed(choices)
        if own_kernels.are_used(run.config) or choices.kernels:
            own_kernels.go_on(run, choices.kernels, finish)
        else:
            finish(run)
        return
    if choices.kernels is not None or choices.mistake is not None:
        own_kernels.start(_config_choices(choices), choices.out, finish)
        return
    config = Config.make(**_config_choices(choices))
    with folder_for(choices.out, f"{Path(config.data).name}-{config.model}") as folder:
        finish(Run.start(config, folder, minifcn.__version__, looking))


def _finish(run: Run, as_json: bool) -> None:
    """Train a run to its end, and show what it has come to."""
    from minifcn.metrics import format_table
    from minifcn.runs.interrupt import Interrupted
    from minifcn.runs.report import remarks, where_scored, write_report

    for note in run.notes:
        say(note)
    say(f"{_network(run)} on {run.config.data}: {_describe(run)}")
    if weights := run.config.class_weights:
        pairs = zip(run.config.classes, weights, strict=False)  # a step checks how many
        say(f"class weights: {', '.join(f'{name} {weight:.3g}' for name, weight in pairs)}")
    try:
        images = len(run.val_data)
        with Progress(run.config.iterations, run.iteration, images=images) as progress:
            run.train(progress)
        summary = write_report(run.folder, run.val_data, device=run.device)
    except Interrupted as error:
        raise Interrupted(f"{error}; {own_kernels.how_to_go_on(run)}") from None
    except KeyboardInterrupt:
        if not (run.folder / "config.json").exists():  # nothing is left to go on with
            raise
        raise Interrupted(f"interrupted; {own_kernels.how_to_go_on(run)}") from None
    for remark in [
        *remarks(run.log, summary, run.config.freeze),
        *where_scored(summary, run.config.size),
    ]:
        say(remark)
    print(json.dumps({"run": str(run.folder), **summary}) if as_json else format_table(summary))
    say(f"pictures, weights and log are in {run.folder}")
    _say_spelled(list(run.config.classes))


def _say_spelled(classes: Sequence[str]) -> None:
    """Say which class names the pictures lack, for no font has their letters."""
    from minifcn.plots.fonts import spelled_by_id

    if names := spelled_by_id(classes):
        known = ", ".join(f"class {i} is {name}" for i, name in names.items())
        say(f"in the pictures {known}: no font of this machine has their letters")


def _network(run: Run) -> str:
    """Name the network, and what it begins with."""
    config = run.config
    if config.backbone == "small":
        return config.model
    start = "pretrained" if config.pretrained else "from scratch"
    frozen = " and frozen" if config.freeze else ""
    return f"{config.model} on {config.backbone} ({start}{frozen})"


def _describe(run: Run) -> str:
    count = sum(parameter.size for parameter in run.model.parameters())
    trained = sum(p.size for p in run.model.parameters() if p.requires_grad)
    part = f" ({trained:,} trained)" if run.config.freeze else ""
    height, width = run.config.crop or run.config.size
    heart = f", the first {run.config.by_heart} by heart" if run.config.by_heart else ""
    return (
        f"{len(run.config.classes)} classes, {count:,} weights{part}, {run.config.iterations}"
        f" iterations of {run.config.batch_size} images of {height}x{width}{heart}, on"
        f" {run.device}, in {run.folder}"
    )


def _resumed(choices: argparse.Namespace) -> Run:
    from minifcn.runs.run import Run

    taken = ("command", "resume", "json", "device", "data", "root", "kernels")
    given = [n for n, value in vars(choices).items() if value is not None and value is not False]
    if others := [name for name in given if name not in taken]:
        option = "--" + others[0].replace("_", "-")
        raise ValueError(
            "--resume takes all but --device, --kernels, and --data or --root if the data was"
            f" moved, from the run's config; got {option} too"
        )
    return Run.resume(choices.resume, choices.device, choices.data, choices.root, looking)


def _config_choices(choices: argparse.Namespace) -> dict[str, Any]:
    others = ("command", "out", "resume", "json", "stride", "from_scratch")
    given = {name: value for name, value in vars(choices).items() if name not in others}
    if choices.stride is not None:
        named = f"fcn{choices.stride}s"
        if choices.model not in (None, named):
            raise ValueError(f"--stride {choices.stride} is --model {named}; got {choices.model}")
        given["model"] = named
    if choices.from_scratch:
        given["pretrained"] = False
    return given
