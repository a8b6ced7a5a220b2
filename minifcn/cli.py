"""The command line: minifcn train, eval, predict, export, experiment, bench, doctor.

Results go to stdout (JSON alone with --json), progress and messages to stderr. Exit codes: 0 done,
1 failed (the training diverged), 2 wrong usage or input, 130 interrupted, after saving.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import minifcn
from minifcn import experiments
from minifcn.backend import DEVICES
from minifcn.bench import DEVICES as BENCH_DEVICES
from minifcn.bench import PARTS
from minifcn.config import MODELS, Config
from minifcn.export import FORMATS, export_run
from minifcn.models.pretrained import NETWORKS, PHOTOS
from minifcn.training import Interrupted, Run, TrainingDivergedError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = build_parser()
    choices = parser.parse_args(arguments)
    try:
        choices.command(choices)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        return _fail(2, _one_line(error))
    except (TrainingDivergedError, FloatingPointError, MemoryError) as error:
        return _fail(1, _one_line(error))
    except Interrupted as error:
        return _fail(130, _one_line(error))
    except KeyboardInterrupt:
        return _fail(130, "interrupted")
    return 0


def _fail(code: int, message: str) -> int:
    print(f"minifcn: {message}", file=sys.stderr)
    return code


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error is said."""

    def error(self, message: str) -> NoReturn:
        self.exit(_fail(2, f"{message} (see {self.prog} --help)"))


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
    add("--out", type=Path, metavar="DIR", help="folder of the run; default: a new one in runs/")
    add("--resume", type=Path, metavar="DIR", help="go on with the run in DIR, as it was set")
    add("--json", action="store_true", help="print the scores as JSON")
    parser.set_defaults(command=train)


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", metavar="DATA", help="shapes, camvid, or a folder with images/ and masks/"
    )
    parser.add_argument("--root", metavar="DIR", help="folder of the CamVid data set")


def _add_eval(parser: argparse.ArgumentParser) -> None:
    parser.description = "Score a trained run: mean IU and its companions, beside the baseline."
    parser.add_argument("run", type=Path, help="folder of the run")
    _add_data_options(parser)
    parser.add_argument("--split", default="val", help="default: val")
    _add_model_options(parser)
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    parser.set_defaults(command=evaluate)


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.description = "Segment images: writes NAME-mask.png (class ids) and NAME-overlay.png."
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    _add_model_options(parser)
    parser.set_defaults(command=predict)


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="default: auto, a GPU if one works"
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.description = "Write a run's weights to one file, named as in a PyTorch state_dict."
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--format", choices=FORMATS, help="default: safetensors, or as --out ends")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: weights.FORMAT in the run's folder"
    )
    parser.set_defaults(command=export)


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
        own.set_defaults(command=experiment, name=name)
    summary = "where in a photo a pretrained classifier sees its classes"
    _add_heatmap(names.add_parser("heatmap", help=summary, description=f"Draw {summary}."))


def _add_heatmap(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("image", metavar="IMAGE", help=f"a file, or one of the photos {', '.join(PHOTOS)}")
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
    parser.set_defaults(command=heatmap)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the results; default: a new one in runs/"
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
    add("--plot", type=Path, metavar="FILE", help="draw the times as bars, into a PNG")
    add("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=bench)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.description = "Say which libraries, matrix library, cores and GPU minifcn would use."
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=doctor)


def _size(text: str) -> tuple[int, int]:
    height, by, width = text.partition("x")
    if not (by and height.isdecimal() and width.isdecimal()):
        raise argparse.ArgumentTypeError(f"must be HxW, like 96x128; got {text!r}")
    return int(height), int(width)


def train(choices: argparse.Namespace) -> None:
    """Train, or go on training, then evaluate and draw the pictures."""
    from minifcn.metrics import format_table
    from minifcn.progress import Progress
    from minifcn.report import write_report

    run = _resumed(choices) if choices.resume else _started(choices)
    _say(f"{run.config.model} on {run.config.data}: {_describe(run)}")
    try:
        with Progress(run.config.iterations, run.iteration) as progress:
            run.train(progress)
    except Interrupted as error:
        raise Interrupted(f"{error}; go on with: minifcn train --resume {run.folder}") from None
    summary = write_report(run.folder, device=run.device)
    print(
        json.dumps({"run": str(run.folder), **summary}) if choices.json else format_table(summary)
    )
    _say(f"pictures, weights and log are in {run.folder}")


def _describe(run: Run) -> str:
    count = sum(parameter.size for parameter in run.model.parameters())
    height, width = run.config.crop or run.config.size
    return (
        f"{len(run.config.classes)} classes, {count:,} weights, {run.config.iterations} iterations"
        f" of {run.config.batch_size} images of {height}x{width}, on {run.device}, in {run.folder}"
    )


def _started(choices: argparse.Namespace) -> Run:
    config = Config.make(**_config_choices(choices))
    folder = choices.out or _new_folder(f"{Path(config.data).name}-{config.model}")
    return Run.start(config, folder, minifcn.__version__)


def _resumed(choices: argparse.Namespace) -> Run:
    given = [name for name, value in _config_choices(choices).items() if value is not None]
    others = [name for name in [*given, *["out"] * bool(choices.out)] if name != "device"]
    if others:
        option = "--" + others[0].replace("_", "-")
        raise ValueError(f"--resume takes all but --device from the run's config; got {option} too")
    return Run.resume(choices.resume, choices.device)


def _config_choices(choices: argparse.Namespace) -> dict[str, Any]:
    others = ("command", "out", "resume", "json")
    return {name: value for name, value in vars(choices).items() if name not in others}


def _new_folder(name: str) -> Path:
    """The first of runs/NAME, runs/NAME-2, ... that is not there yet."""
    folder, number = Path("runs") / name, 1
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{name}-{number}"
    return folder


def evaluate(choices: argparse.Namespace) -> None:
    """Score a run, and print the scores."""
    from minifcn.data import open_dataset
    from minifcn.metrics import format_table
    from minifcn.report import evaluate_run

    config = Config.load(choices.run / "config.json")
    data, root = choices.data or config.data, choices.root or config.root
    dataset = open_dataset(
        data, choices.split, root=root if data == "camvid" else choices.root, size=config.size
    )
    matrix = evaluate_run(
        choices.run, dataset, checkpoint=choices.checkpoint, device=choices.device
    )
    summary = matrix.summary(dataset.classes)
    print(json.dumps(summary) if choices.json else format_table(summary))


def predict(choices: argparse.Namespace) -> None:
    """Segment images at the size that the run was trained on, and write masks and overlays."""
    from minifcn.prediction import predict_files

    settings = (choices.checkpoint, choices.device)
    for written in predict_files(choices.run, choices.images, choices.out, *settings):
        print(written)


def export(choices: argparse.Namespace) -> None:
    """Write a run's weights, and print where."""
    print(export_run(choices.run, choices.out, choices.format, choices.checkpoint))


def experiment(choices: argparse.Namespace) -> None:
    """Run an experiment, and print its tables."""
    with _results_folder(choices.out, choices.name) as out:
        result, values = experiments.run(choices.name, out, choices.seeds, choices.budget, _say)
    _show_results(result, values, out, choices.json)


def heatmap(choices: argparse.Namespace) -> None:
    """Draw where a pretrained network sees its classes, and print what it sees."""
    with _results_folder(choices.out, "heatmap") as out:
        result, values = experiments.run_heatmap(
            choices.image, out, choices.model, choices.classes, choices.size
        )
    _show_results(result, values, out, choices.json)


@contextmanager
def _results_folder(out: Path | None, name: str) -> Iterator[Path]:
    """Give the folder of results, made and tried before any work; by default a new one in runs/.

    What was made here is taken away again if the work ends with an error and it is still empty.
    """
    made = out is None or not out.exists()
    folder = out or _own_folder(f"experiment-{name}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        str(folder).encode()  # results name their pictures, in UTF-8
        with tempfile.TemporaryFile(dir=folder):
            pass
        yield folder
    except BaseException:
        if made:
            with suppress(OSError):
                folder.rmdir()
                if out is None:
                    folder.parent.rmdir()
        raise


def _own_folder(name: str) -> Path:
    """Make a new folder in runs/, that no other command that runs now makes too."""
    while True:
        with suppress(FileExistsError):
            folder = _new_folder(name)
            folder.mkdir(parents=True)
            return folder


def _show_results(result: Any, values: dict[str, Any], out: Path, as_json: bool) -> None:
    print(json.dumps(values) if as_json else result.text())
    _say(f"tables and pictures are in {out}")


def bench(choices: argparse.Namespace) -> None:
    """Compare, print a table, and draw it."""
    from tqdm import tqdm

    from minifcn import plots
    from minifcn.bench import compare, format_table

    if choices.plot:
        plots.check_path(choices.plot)
    bar = partial(tqdm, disable=None, leave=False)  # on a terminal only
    settings = (choices.against, choices.part, choices.threads, choices.rounds)
    results = compare(*settings, track=bar, device=choices.device)
    print(json.dumps(results) if choices.json else format_table(results))
    if choices.plot:
        plots.plot_speeds(choices.plot, results["rows"])


def doctor(choices: argparse.Namespace) -> None:
    """Print what this machine brings."""
    from minifcn.doctor import diagnose

    facts = diagnose()
    if choices.json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name:15} {value}")


def _say(message: str) -> None:
    print(message, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
