"""minifcn train --kernels and --mistake: on a student's functions, or with a mistake on purpose."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import minifcn
from minifcn.commands.progress import Progress, looking
from minifcn.commands.terminal import say

if TYPE_CHECKING:
    from minifcn.course.training.kernels import OwnKernels
    from minifcn.course.training.rehearsal import Rehearsal
    from minifcn.runs.config import Config
    from minifcn.runs.run import Run

RIGHT = "right"
"""The folder, in that of a run with a mistake, of the run without."""

NOT_WITH_THEM = ("backbone", "class_weights", "label_smoothing")
"""Choices of a training that functions of a course do not know."""

Finish = Callable[["Run"], None]
"""Trains a run to its end and shows what it has come to."""


def start(choices: dict[str, Any], out: Path | None, finish: Finish) -> None:
    """Begin a run on the functions of a course, or with a mistake, and finish it.

    Raises:
        ValueError: a folder, a mistake or a device cannot be used.
    """
    from minifcn.course.training.rehearsal import choose_mistake, choose_recipe, rehearse
    from minifcn.runs.folders import check_unused, folder_for
    from minifcn.runs.run import Run

    if choices["device"] == "cuda":
        raise ValueError("device must be cpu for functions of a course; got --device cuda")
    for name in NOT_WITH_THEM:
        if choices.get(name) not in (None, "small"):
            option = "--" + name.replace("_", "-")
            raise ValueError(
                f"{option} cannot go with --kernels or --mistake, which train the small backbone by"
                f" a plain loss; got {choices[name]}"
            )
    if out is not None:
        check_unused(out)  # before minutes of checks and rehearsals
    given = choices | {"device": "cpu"}
    if given["kernels"] is not None:
        given["kernels"] = os.path.abspath(given["kernels"])
    right = own = _load(given["kernels"])
    if given["mistake"] is None:
        config, rehearsal = choose_recipe(given, own)
    else:
        config, rehearsal, own = choose_mistake(given["mistake"], given, right)
        _say_mistake(own)
    beside = [] if own is right else [rehearse(config, right)]
    with folder_for(out, f"{Path(config.data).name}-{config.model}-own") as folder:
        run = Run.start(config, folder, minifcn.__version__, looking)
        images = len(run.val_data)
        seconds = sum(one.total(run.config, images) for one in [rehearsal, *beside])
        try:
            _say_cost(rehearsal, seconds, own)
        except BaseException:
            run.keep(False)
            raise
        own.forget()
        right.forget()
        _train(run, own, right, finish)


def go_on(run: Run, folder: str | None, finish: Finish) -> None:
    """Go on with such a run, on the functions in `folder`, which may have moved.

    The folder that its config.json names is not taken: a run may come from somebody else, and what
    it names would be executed.

    Raises:
        ValueError: no folder is given though it needs one, its functions are not there any more, or
            it would be on a GPU.
    """
    from minifcn.course.training.functions import mistaken_pieces
    from minifcn.course.training.kernels import OwnKernels

    if folder is not None and run.config.kernels is None:
        raise ValueError(f"kernels of {run.folder} are minifcn's; got --kernels {folder}")
    if run.device != "cpu":
        raise ValueError(f"device must be cpu for functions of a course; got --device {run.device}")
    if folder is None and run.config.kernels is not None:
        raise ValueError(
            f"{run.folder} computes by functions of a course, whose files are executed: give"
            f" --kernels {run.config.kernels} if that is yours"
        )
    right = own = _load(folder)
    if run.config.mistake is not None:
        piece = mistaken_pieces(run.config.mistake)[0]
        own = OwnKernels(right.pieces | {piece.name: piece})
        _say_mistake(own)
    _train(run, own, right, finish)


def are_used(config: Config) -> bool:
    """Whether a run computes by others than minifcn's kernels."""
    return config.kernels is not None or config.mistake is not None


def how_to_go_on(run: Run) -> str:
    """The command that takes a run up."""
    kernels = f" --kernels {run.config.kernels}" if run.config.kernels else ""
    return f"go on with: minifcn train --resume {run.folder}{kernels}"


def _load(folder: str | None) -> OwnKernels:
    """Load the functions of a folder that pass their checks, and say which do."""
    from minifcn.course.training.functions import load_pieces
    from minifcn.course.training.kernels import OwnKernels

    if folder is None:
        return OwnKernels({})
    pieces, reasons = load_pieces(Path(folder))
    say(f"yours: {', '.join(pieces) or 'nothing yet'}")
    for reason in dict.fromkeys(reasons.values()):
        names = [name for name, own in reasons.items() if own == reason]
        say(f"minifcn's: {', '.join(names)} ({reason})")
    return OwnKernels(pieces)


# -- Training ------------------------------------------------------------------------------------


def _train(run: Run, own: OwnKernels, right: OwnKernels, finish: Finish) -> None:
    """Train a run by its functions; one with a mistake after the same without it."""
    from minifcn.runs.interrupt import TrainingDivergedError

    beside = _without_mistake(run, right) if run.config.mistake else None
    with _using(own, run):
        try:
            finish(run)
        except TrainingDivergedError as error:
            if beside is None or not run.log:
                raise
            say(str(error))
    for name, failure in own.failures.items():
        say(f"{name} failed, and minifcn's has computed since: {failure}")
    if beside is not None:
        _compare(run, beside)


def _using(own: OwnKernels, run: Run) -> ExitStack:
    """Put the functions into their places."""
    from minifcn import kernels

    run.compute_loss = own.compute_loss
    if run.iteration == 0:
        own.prepare(run.model)
    places = ExitStack()
    places.enter_context(kernels.use(own))
    return places


def _without_mistake(run: Run, right: OwnKernels) -> Run:
    """Train the same run without its mistake, or as much as is missing of that."""
    from minifcn.runs.interrupt import Interrupted

    started = False
    try:
        beside = _beside(run)
        try:
            if beside.iteration < beside.config.iterations:
                say(f"first without the mistake, in {beside.folder}")
                progress = Progress(beside.config.iterations, beside.iteration)
                with _using(right, beside), progress:
                    beside.train(progress)
        finally:
            started = beside.iteration > 0
            beside.keep(started)
    except (Interrupted, KeyboardInterrupt) as error:
        if not started:
            raise
        said = str(error) or "interrupted"
        raise Interrupted(f"{said} without the mistake; {how_to_go_on(run)}") from None
    finally:
        run.keep(started)
    return beside


def _beside(run: Run) -> Run:
    """Start the run without the mistake, or take it up, with the data where `run` has it."""
    from minifcn.runs.recipes import RECIPES
    from minifcn.runs.run import Run

    folder = run.folder / RIGHT
    if not (folder / "config.json").exists():
        config = dataclasses.replace(run.config, mistake=None)
        return Run.start(config, folder, minifcn.__version__)
    data = None if run.config.data in RECIPES else run.config.data
    return Run.resume(folder, None, data, run.config.root)


def _compare(run: Run, beside: Run) -> None:
    """Say and draw what the mistake has done."""
    from minifcn.plots import plot_beside

    logs = {"right": beside.log, "with the mistake": run.log}
    for name, log in logs.items():
        score = log[-1]["mean_iu"]
        end = "no score" if score is None else f"mean IU {score:.3f}"
        say(f"{name}: loss {log[0]['loss']:.3f}, at the end {_last_loss(log):.3f}; {end}")
    whole = len(run.log) == run.config.iterations
    trains = whole and _last_loss(run.log) < float(run.log[0]["loss"] or 0)
    verdict = "this bug still trains: the loss falls" if trains else "this bug does not train"
    columns = {name: {key: [row[key] for row in log] for key in log[0]}
               for name, log in logs.items()}  # fmt: skip
    plot_beside(run.folder / "beside.png", columns, f"{run.config.mistake}: {verdict}")
    say(f"{verdict} ({run.folder / 'beside.png'})")


def _last_loss(log: list[dict[str, float | None]]) -> float:
    """The mean loss of the last ten iterations, or of the second half of fewer."""
    rows = log[-min(10, (len(log) + 1) // 2) :]
    return sum(float(row["loss"] or 0) for row in rows) / len(rows)


# -- What is said before -------------------------------------------------------------------------


def _say_mistake(own: OwnKernels) -> None:
    for piece in own.pieces.values():
        if piece.mistake is not None:
            say(f"the mistake, in {piece.name}: {piece.mistake.id}: {piece.mistake.words}")


def _say_cost(rehearsal: Rehearsal, seconds: float, own: OwnKernels) -> None:
    """Say how long a step takes, what takes most of it, and how many seconds all will take."""
    dear = [f"{name} {taken:.2g} s" for name, taken in list(rehearsal.shares.items())[:3]]
    of = f", of which {', '.join(dear)}" if dear else ""
    say(f"a step takes {rehearsal.step:.2g} s{of}; all of it {_duration(seconds)}")
    for name in list(rehearsal.shares)[:1]:
        piece = own.pieces.get(name)
        if piece is not None and piece.mistake is None and (times := piece.times_slower()) >= 2:
            from minifcn.course.exercises import find_exercise
            from minifcn.course.training.functions import USED

            number = find_exercise(USED[name]).tutorial
            say(
                f"your {name} takes {float(f'{times:.2g}'):,.0f} times as long as with whole"
                f" arrays (tutorial {number:02})"
            )


def _duration(seconds: float) -> str:
    """'about 40 seconds', 'about 7 minutes'."""
    if seconds < 90:
        return f"about {max(round(seconds), 1)} seconds"
    return f"about {round(seconds / 60)} minutes"
