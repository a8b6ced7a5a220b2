"""The command line: what each command of options.py does.

Results go to stdout (JSON alone with --json), progress and messages to stderr. Exit codes: 0 done,
1 failed (the training diverged), 2 wrong usage or input, 130 interrupted, after saving.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import minifcn
from minifcn import experiments
from minifcn.config import Config
from minifcn.export import export_run
from minifcn.folders import folder_for
from minifcn.options import build_parser
from minifcn.terminal import Output, check_printed, interruptible, plain_warnings, unbreakable
from minifcn.training import Interrupted, Run, TrainingDivergedError

if TYPE_CHECKING:
    from minifcn.tutorials import Tutorial


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    try:
        with interruptible(), unbreakable("stderr"), plain_warnings():
            return _run(arguments)
    except KeyboardInterrupt:  # one more, while the first was answered
        return 130


def _run(arguments: Sequence[str] | None) -> int:
    try:
        with unbreakable("stdout") as output:
            _run_command(arguments, output)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        return _fail(2, _one_line(error))
    except (TrainingDivergedError, FloatingPointError, MemoryError) as error:
        return _fail(1, _one_line(error))
    except Interrupted as error:
        return _fail(130, _one_line(error))
    except KeyboardInterrupt:
        return _fail(130, "interrupted")
    return 0


def _run_command(arguments: Sequence[str] | None, output: Output) -> None:
    try:
        choices = build_parser().parse_args(arguments)
        COMMANDS[choices.command](choices)
    except SystemExit:  # of the parser, which has printed help or an error
        check_printed(output)
        raise
    check_printed(output)


def _fail(code: int, message: str) -> int:
    print(f"minifcn: {message}", file=sys.stderr)
    return code


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def train(choices: argparse.Namespace) -> None:
    """Train, or go on training, then evaluate and draw the pictures."""
    if choices.resume:
        _finish(_resumed(choices), choices.json)
        return
    config = Config.make(**_config_choices(choices))
    with folder_for(choices.out, f"{Path(config.data).name}-{config.model}") as folder:
        _finish(Run.start(config, folder, minifcn.__version__, _looking), choices.json)


def _finish(run: Run, as_json: bool) -> None:
    """Train a run to its end, and show what it has come to."""
    from minifcn.metrics import format_table
    from minifcn.progress import Progress
    from minifcn.report import remarks, write_report

    for note in run.notes:
        _say(note)
    _say(f"{run.config.model} on {run.config.data}: {_describe(run)}")
    try:
        images = len(run.val_data)
        with Progress(run.config.iterations, run.iteration, images=images) as progress:
            run.train(progress)
        summary = write_report(run.folder, run.val_data, device=run.device)
    except Interrupted as error:
        raise Interrupted(f"{error}; {_go_on(run)}") from None
    except KeyboardInterrupt:
        if run.iteration == 0:  # nothing is left to go on with
            raise
        raise Interrupted(f"interrupted; {_go_on(run)}") from None
    for remark in remarks(run.log, summary):
        _say(remark)
    print(json.dumps({"run": str(run.folder), **summary}) if as_json else format_table(summary))
    _say(f"pictures, weights and log are in {run.folder}")
    _say_spelled(list(run.config.classes))


def _say_spelled(classes: Sequence[str]) -> None:
    """Say which class names the pictures lack, for no font has their letters."""
    from minifcn.plots.fonts import spelled_by_id

    if names := spelled_by_id(classes):
        known = ", ".join(f"class {i} is {name}" for i, name in names.items())
        _say(f"in the pictures {known}: no font of this machine has their letters")


def _go_on(run: Run) -> str:
    return f"go on with: minifcn train --resume {run.folder}"


def _describe(run: Run) -> str:
    count = sum(parameter.size for parameter in run.model.parameters())
    height, width = run.config.crop or run.config.size
    return (
        f"{len(run.config.classes)} classes, {count:,} weights, {run.config.iterations} iterations"
        f" of {run.config.batch_size} images of {height}x{width}, on {run.device}, in {run.folder}"
    )


def _resumed(choices: argparse.Namespace) -> Run:
    given = [name for name, value in _config_choices(choices).items() if value is not None]
    places = ("device", "data", "root")
    others = [name for name in [*given, *["out"] * bool(choices.out)] if name not in places]
    if others:
        option = "--" + others[0].replace("_", "-")
        raise ValueError(
            "--resume takes all but --device, and --data or --root if the data was moved, from the"
            f" run's config; got {option} too"
        )
    return Run.resume(choices.resume, choices.device, choices.data, choices.root, _looking)


def _config_choices(choices: argparse.Namespace) -> dict[str, Any]:
    others = ("command", "out", "resume", "json")
    return {name: value for name, value in vars(choices).items() if name not in others}


def evaluate(choices: argparse.Namespace) -> None:
    """Score a run, and print the scores and of how many images they are."""
    from minifcn.metrics import format_table
    from minifcn.report import evaluate_run
    from minifcn.run_data import open_scored

    config = Config.load(choices.run / "config.json")
    place = (choices.data, choices.root, choices.split)
    dataset, notes = open_scored(config, choices.run, *place, track=_looking)
    summary = evaluate_run(
        choices.run, dataset, checkpoint=choices.checkpoint, device=choices.device
    )
    for note in notes:
        _say(note)
    print(json.dumps(summary) if choices.json else format_table(summary))


def _looking(loop: Iterable[Any]) -> Iterable[Any]:
    """Show, on a terminal, how far a look at all files has come."""
    from tqdm import tqdm

    return tqdm(loop, desc="looking at files", disable=None, leave=False, delay=0.5)


def predict(choices: argparse.Namespace) -> None:
    """Segment images at the size that the run was trained on, and write masks and overlays."""
    from minifcn.prediction import left_out_of, predict_files

    for note in left_out_of(choices.images):
        _say(note)
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
    """Give the folder of results, made and tried before any work; by default a new one in runs/."""
    with folder_for(out, f"experiment-{name}") as folder:
        folder.mkdir(exist_ok=True)  # or else it is a file
        str(folder).encode()  # results name their pictures, in UTF-8
        with tempfile.TemporaryFile(dir=folder):
            pass
        yield folder


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
    """List the tutorials, or write them as notebooks, or their answers, and print where."""
    from minifcn.tutorials import find_tutorials, format_list, write_answers

    known = find_tutorials()
    if choices.install is not None and choices.notebooks is None:
        raise ValueError("--install says what notebooks install; it needs --notebooks DIR")
    if choices.notebooks is None and choices.answers is None:
        rows = [tutorial.summary() for tutorial in known]
        print(json.dumps(rows) if choices.json else format_list(known))
        return
    written = []
    if choices.answers is not None:
        written += write_answers(known, choices.answers)
    if choices.notebooks is not None:
        written += _write_notebooks(known, choices)
    paths = [str(path) for path in written]
    print(json.dumps(paths) if choices.json else "\n".join(paths))


def _write_notebooks(known: list[Tutorial], choices: argparse.Namespace) -> list[Path]:
    from minifcn.tutorials import public_address, write_notebooks

    install, hint = choices.install or "minifcn", ""
    if choices.install is None:
        install, hint = public_address() or install, "; --install WHAT changes that"
    paths = write_notebooks(known, choices.notebooks, install)
    _say(f"on Colab, pip install {install}{hint}")
    return paths


def _say(message: str) -> None:
    print(message, file=sys.stderr)


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    command.__name__: command
    for command in (train, evaluate, predict, export, experiment, heatmap, bench, tutorials, doctor)
}

if __name__ == "__main__":
    sys.exit(main())
