"""The command line: what each command of options.py does.

Results go to stdout (JSON alone with --json), progress and messages to stderr. Exit codes: 0 done,
1 failed (the training diverged), 2 wrong usage or input, 130 interrupted, after saving.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import minifcn
from minifcn import experiments
from minifcn.config import Config
from minifcn.export import export_run
from minifcn.options import build_parser
from minifcn.training import Interrupted, Run, TrainingDivergedError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    choices = build_parser().parse_args(arguments)
    try:
        COMMANDS[choices.command](choices)
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

    from minifcn import machine, plots
    from minifcn.bench import compare, format_table

    if choices.plot:
        plots.check_path(choices.plot)
    if choices.device == "cpu" and (warning := machine.warning("minifcn bench")):
        _say(f"warning: {warning}")
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


def tutorials(choices: argparse.Namespace) -> None:
    """List the tutorials, or write them as notebooks and print where."""
    from minifcn.tutorials import find_tutorials, format_list, public_address, write_notebooks

    known = find_tutorials()
    if choices.notebooks is None:
        if choices.install is not None:
            raise ValueError("--install says what notebooks install; it needs --notebooks DIR")
        rows = [tutorial.summary() for tutorial in known]
        print(json.dumps(rows) if choices.json else format_list(known))
        return
    install, hint = choices.install or "minifcn", ""
    if choices.install is None:
        install, hint = public_address() or install, "; --install WHAT changes that"
    written = [str(path) for path in write_notebooks(known, choices.notebooks, install)]
    print(json.dumps(written) if choices.json else "\n".join(written))
    _say(f"on Colab, pip install {install}{hint}")


def _say(message: str) -> None:
    print(message, file=sys.stderr)


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    command.__name__: command
    for command in (train, evaluate, predict, export, experiment, heatmap, bench, tutorials, doctor)
}

if __name__ == "__main__":
    sys.exit(main())
