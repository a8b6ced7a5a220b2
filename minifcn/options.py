"""What can be said on the command line: the commands, their options, and what each is for."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

import minifcn
from minifcn import experiments
from minifcn.backend import DEVICES
from minifcn.bench import DEVICES as BENCH_DEVICES
from minifcn.bench import PARTS
from minifcn.config import MODELS
from minifcn.export import FORMATS
from minifcn.models.pretrained import NETWORKS, PHOTOS


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error is said."""

    def error(self, message: str) -> NoReturn:
        print(f"minifcn: {message} (see {self.prog} --help)", file=sys.stderr)
        self.exit(2)


def build_parser() -> argparse.ArgumentParser:
    """Describe all commands and their options."""
    parser = _Parser(
        prog="minifcn", description="Semantic segmentation with FCNs, from scratch, in NumPy."
    )
    parser.add_argument("--version", action="version", version=f"minifcn {minifcn.__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_train(commands.add_parser("train", help="train an FCN and draw how it does"))
    _add_eval(commands.add_parser("eval", help="score a trained run on a data set"))
    _add_predict(commands.add_parser("predict", help="segment images with a trained run"))
    _add_experiment(commands.add_parser("experiment", help="reproduce a comparison of the topic"))
    _add_export(commands.add_parser("export", help="write a run's weights for PyTorch and others"))
    _add_bench(commands.add_parser("bench", help="time the training step and its kernels"))
    _add_tutorials(commands.add_parser("tutorials", help="list the tutorials, or write notebooks"))
    _add_doctor(commands.add_parser("doctor", help="say what this machine brings"))
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.description = "Train an FCN. Without options: FCN-8s on synthetic shapes, in minutes."
    add = parser.add_argument
    _add_data_options(parser)
    add("--model", choices=sorted(MODELS), help="default: fcn8s")
    add("--iterations", type=int, metavar="N")
    add("--batch-size", type=int, metavar="B")
    add("--size", type=_size, metavar="HxW", help="resize samples to height x width")
    add("--crop", type=_size, metavar="HxW", help="train on random windows of this size")
    add("--lr", type=float, metavar="LR", help="highest learning rate of Adam")
    add("--upsampling", choices=("bilinear", "learned"), help="default: bilinear (fixed)")
    add("--seed", type=int, metavar="S", help="fixes everything random; default: 0")
    add("--device", choices=DEVICES, help="default: auto, a GPU if one works")
    add("--evaluate-every", type=int, metavar="N", help="iterations between validations")
    add("--checkpoint-every", type=int, metavar="N", help="iterations between checkpoints")
    add("--out", type=_path, metavar="DIR", help="folder of the run; default: a new one in runs/")
    add("--resume", type=_path, metavar="DIR", help="go on with the run in DIR, as it was set")
    add("--json", action="store_true", help="print the scores as JSON")
    parser.set_defaults(command="train")


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=_name,
        metavar="DATA",
        help="shapes, camvid, or a folder with images/ and masks/",
    )
    parser.add_argument("--root", type=_name, metavar="DIR", help="folder of the CamVid data set")


def _add_eval(parser: argparse.ArgumentParser) -> None:
    parser.description = "Score a trained run: mean IU and its companions, beside the baseline."
    parser.add_argument("run", type=_path, help="folder of the run")
    _add_data_options(parser)
    parser.add_argument(
        "--split",
        help="train, val, test or all; default: val; of another folder without splits, all",
    )
    _add_model_options(parser)
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    parser.set_defaults(command="evaluate")


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.description = "Segment images: writes NAME-mask.png (class ids) and NAME-overlay.png."
    parser.add_argument("run", type=_path, help="folder of the run")
    parser.add_argument(
        "images", type=_path, nargs="+", metavar="IMAGE", help="image, or folder of images"
    )
    parser.add_argument("--out", type=_path, required=True, metavar="DIR")
    _add_model_options(parser)
    parser.set_defaults(command="predict")


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="default: auto, a GPU if one works"
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.description = "Write a run's weights to one file, named as in a PyTorch state_dict."
    parser.add_argument("run", type=_path, help="folder of the run")
    parser.add_argument("--format", choices=FORMATS, help="default: safetensors, or as --out ends")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")
    parser.add_argument(
        "--out", type=_path, metavar="FILE", help="default: weights.FORMAT in the run's folder"
    )
    parser.set_defaults(command="export")


def _add_experiment(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Run an experiment; writes table.txt, result.json and pictures. All are deterministic by"
        " seed, and take at most ten minutes on two cores by default."
    )
    names = parser.add_subparsers(required=True, metavar="name")
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
        _add_outputs(own)
        own.set_defaults(command="experiment", name=name)
    summary = "where in a photo a pretrained classifier sees its classes"
    _add_heatmap(names.add_parser("heatmap", help=summary, description=f"Draw {summary}."))


def _add_heatmap(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "image",
        type=_name,
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
    parser.set_defaults(command="heatmap")


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=_path,
        metavar="DIR",
        help="folder of the results; default: a new one in runs/",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Time the training step of a small FCN-8s (on a GPU also of one of VGG-16's size), its"
        " forward pass and its kernels, beside the bare matrix products and copies in them and,"
        " if wanted, beside PyTorch: on a GPU without TF32, and with it as is its default."
    )
    add = parser.add_argument
    add("part", nargs="?", choices=PARTS, default="all", help="default: all (without scaling)")
    add("--device", choices=BENCH_DEVICES, default="cpu", help="default: cpu")
    add("--against", choices=("torch",), help="compare with PyTorch, where it is installed")
    add("--threads", type=int, metavar="N", help="of each side; default: all cores")
    add("--rounds", type=int, metavar="N", default=5, help="turns of each side; default: 5")
    add("--plot", type=_path, metavar="FILE", help="draw the times as bars, into a PNG")
    add("--json", action="store_true", help="print JSON")
    parser.set_defaults(command="bench")


def _add_tutorials(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "List the tutorials with the time that each takes, or write them as notebooks for Jupyter"
        " and Google Colab, or the answers to their exercises."
    )
    add = parser.add_argument
    add("--notebooks", type=_path, metavar="DIR", help="write a notebook of each into this folder")
    add(
        "--answers",
        type=_path,
        metavar="DIR",
        help="write the answers to the exercises of each into this folder; nothing else shows them",
    )
    add(
        "--install",
        metavar="WHAT",
        help="what pip installs on Colab, such as git+https://...; default: the address that this"
        " copy was cloned from if it is a public one, else minifcn from PyPI",
    )
    add("--json", action="store_true", help="print JSON")
    parser.set_defaults(command="tutorials")


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.description = "Say which libraries, matrix library, cores and GPU minifcn would use."
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command="doctor")


def _path(text: str) -> Path:
    return Path(_name(text))


def _name(text: str) -> str:
    """Refuse '', as of a shell's variable that is not set: as a path it would be this folder."""
    if not text:
        raise argparse.ArgumentTypeError("must be a path; got ''")
    return text


def _size(text: str) -> tuple[int, int]:
    height, by, width = text.partition("x")
    if not (by and height.isdecimal() and width.isdecimal()):
        raise argparse.ArgumentTypeError(f"must be HxW, like 96x128; got {text!r}")
    return int(height), int(width)
