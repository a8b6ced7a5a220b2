"""minifcn course: write the pieces of FCN-8s yourself, and hear which mistake is in them."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from minifcn.commands import options
from minifcn.commands.terminal import say

if TYPE_CHECKING:
    from minifcn.course.exercises.checker import Report
    from minifcn.course.grading.grade import Result

Stamp: TypeAlias = tuple[int, int] | None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe what one can do with the exercises."""
    from minifcn.course.exercises import NAMES

    parser.description = "Exercises: write each piece of FCN-8s; the checker names the mistake."
    actions = parser.add_subparsers(required=True, metavar="action", dest="action")
    start = actions.add_parser("start", help="write the stubs, never over a file that is there")
    start.add_argument("folder", type=options.path, metavar="DIR")
    check = actions.add_parser("check", help="check the exercises of a folder")
    check.add_argument(
        "folder", type=options.path, metavar="DIR", help="that start has made; . is this one"
    )
    check.add_argument(
        "exercises", nargs="*", metavar="EXERCISE", help="default: all in the folder"
    )
    check.add_argument("--watch", action="store_true", help="and when a file changes, till Ctrl-C")
    check.add_argument(
        "--plot", type=options.path, metavar="FILE", help="draw the first wrong result"
    )
    check.add_argument("--seed", type=int, default=0, metavar="S", help="of the cases; default: 0")
    options.add_json(check, "a JSON record a line")
    check.add_argument("--gradescope", type=options.path, metavar="FILE", help="write results.json")
    check.add_argument("--classroom50", type=options.path, metavar="FILE", help="write result.json")
    bank = actions.add_parser(
        "bank", help="try all mistakes that are known: are they found, and named?"
    )
    bank.add_argument(
        "exercise", nargs="?", choices=NAMES, metavar="EXERCISE", help="list its mistakes instead"
    )
    for name, purpose in (("hint", "one hint further each time"), ("answer", "show the answer")):
        action = actions.add_parser(name, help=purpose)
        action.add_argument("exercise", type=_file_stem, choices=NAMES, metavar="EXERCISE")
        action.add_argument(
            "--folder",
            type=options.path,
            metavar="DIR",
            help="of the course; default: my-course, or this",
        )
    _add_grade(actions.add_parser("grade", help="grade a class: a folder or a zip a student"))
    scope = actions.add_parser("gradescope", help="write an autograder for Gradescope")
    scope.add_argument("folder", type=options.path, metavar="DIR")
    scope.add_argument(
        "--install", default="minifcn", metavar="WHAT", help="what pip installs there"
    )
    scope.add_argument("--points", type=options.path, metavar="FILE", help="which are graded")
    action.add_argument("--give-up", action="store_true", help="before it has passed; is recorded")


def _file_stem(name: str) -> str:
    """A file's name without .py: exercises may be called by their files."""
    return name.removesuffix(".py")


def _add_grade(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Grade a class. Students' code runs in processes that are limited and watched: that stops"
        " accidents and simple cheats, not a hostile program. Run strangers' code in a container."
    )
    add = parser.add_argument
    add("submissions", type=options.path, metavar="DIR", help="a folder or a zip for each student")
    add("--out", type=options.path, required=True, metavar="DIR", help="folder of the results")
    add("--points", type=options.path, metavar="FILE", help="TOML; written to --out by default")
    add("--jobs", type=int, metavar="N", help="how many at once; default: all cores")
    add("--seed", type=int, metavar="S", help="of the cases; default: drawn once, and kept")
    add("--canvas", type=options.path, metavar="FILE", help="an export of Canvas, to fill")
    add("--column", metavar="TITLE", help="its column, as it stands there")


def run(choices: argparse.Namespace) -> int:
    """Do what was asked; return 1 if a check found something wrong."""
    actions = {
        "start": _start,
        "check": _check,
        "bank": _bank,
        "hint": _hint,
        "answer": _answer,
        "grade": _grade,
        "gradescope": _gradescope,
    }
    return actions[choices.action](choices)


def _start(choices: argparse.Namespace) -> int:
    from minifcn.course.exercises import find_exercise
    from minifcn.course.exercises.folder import start

    new, kept = start(choices.folder)
    for path in kept:
        say(f"kept as it is: {path}")
    if new:
        print(f"{len(new)} exercises in {choices.folder}, to be done in this order:")
    else:
        print(f"all {len(kept)} exercises are in {choices.folder} already")
    for path in new:
        print(f"  {path.name:24} tutorial {find_exercise(path.stem).tutorial:02}")
    say(f"check with: minifcn course check {choices.folder}")
    return 0


def _check(choices: argparse.Namespace) -> int:
    names = _names(choices.folder, choices.exercises)
    if choices.seed < 0:
        raise ValueError(f"seed must be at least 0; got {choices.seed}")
    if choices.plot:
        from minifcn.plots.canvas import check_path

        check_path(choices.plot)
    if choices.watch:
        _watch(choices, names)
    return _check_once(choices, names)


def _names(folder: Path, given: Sequence[str]) -> list[str]:
    from minifcn.course.exercises import NAMES
    from minifcn.course.exercises.folder import path_of

    if folder.is_file():
        folder, name = folder.parent, folder.stem
        raise ValueError(f"DIR must be a folder: minifcn course check {folder} {name}")
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder: minifcn course start {folder} makes it")
    names = list(dict.fromkeys(map(_exercise, given)))
    for name in names:
        path_of(folder, name)
    names = names or [name for name in NAMES if (folder / f"{name}.py").is_file()]
    if not names:
        raise ValueError(f"{folder} has no exercises: minifcn course start {folder} writes them")
    return names


def _exercise(name: str) -> str:
    """The name of an exercise; that of its file is as good."""
    from minifcn.course.exercises import find_exercise

    return find_exercise(_file_stem(name)).name


def _check_once(choices: argparse.Namespace, names: Sequence[str]) -> int:
    from minifcn.course.exercises.folder import hints_seen
    from minifcn.course.exercises.messages import messages, record, table

    reports, records = [], []
    for name in names:
        report = _report(choices.folder, name, choices.seed)
        reports.append(report)
        records.append(record(report, hint_level=hints_seen(choices.folder, name)))
        if choices.json:
            print(json.dumps(records[-1]), flush=True)
    if not choices.json:
        print(table(reports))
        for text in dict.fromkeys(text for report in reports for text in messages(report)):
            print(f"\n{text}")
    if choices.plot:
        _plot(choices.plot, reports)
    _write_results(choices, records)
    return int(any(report.status != "pass" for report in reports))


def _write_results(choices: argparse.Namespace, records: list[dict[str, Any]]) -> None:
    """Write what an autograder reads, if that was asked for."""
    from minifcn.course.grading.formats import as_json, classroom50_result, gradescope_results
    from minifcn.system.files import write_atomically

    if choices.gradescope:
        write_atomically(choices.gradescope, as_json(gradescope_results(records)))
    if choices.classroom50:
        write_atomically(choices.classroom50, as_json(classroom50_result(records, os.environ)))


def _report(folder: Path, name: str, seed: int) -> Report:
    from minifcn.course.exercises.folder import check_file, note_passed

    report = check_file(folder, name, seed)
    try:
        note_passed(folder, name, report.status == "pass")
    except (ValueError, OSError) as error:  # it is checked all the same
        say(f"not remembered that {name} has passed: {error}")
    return report


def _plot(path: Path, reports: Sequence[Report]) -> None:
    from minifcn.course.exercises.picture import plot_wrong

    wrong = [part for report in reports for part in report.parts if part.expected is not None]
    if not wrong:
        say("nothing to draw: no array of numbers is wrong")
        return
    plot_wrong(path, wrong[0])
    say(f"{wrong[0].function.name}, {wrong[0].part.name}: {path}")


def _watch(choices: argparse.Namespace, names: Sequence[str]) -> NoReturn:
    """Check all, then what has changed, until Ctrl-C."""
    seen = _stamps(choices.folder, names)  # before the check: what is saved meanwhile is new
    _watched(choices, names)
    say("waiting for changes; Ctrl-C ends")
    while True:
        sys.stdout.flush()  # a pipe would hold it back
        time.sleep(0.3)
        now = _stamps(choices.folder, seen)
        changed = [name for name in seen if now[name] != seen[name]]
        seen = now
        for name in changed:
            if now[name] is None:  # many editors put a new file in place of the old one
                say(f"{choices.folder / name}.py is gone; checked again when it is back")
        if there := [name for name in changed if now[name] is not None]:
            print()
            _watched(choices, there)


def _watched(choices: argparse.Namespace, names: Sequence[str]) -> None:
    """Check once; what cannot be done is said, and does not end the watch."""
    try:
        _check_once(choices, names)
    except (ValueError, OSError) as error:
        say(f"minifcn: {error}")


def _stamps(folder: Path, names: Iterable[str]) -> dict[str, Stamp]:
    return {name: _stamp(folder / f"{name}.py") for name in names}


def _stamp(path: Path) -> Stamp:
    """What changes when a file is saved; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _bank(choices: argparse.Namespace) -> int:
    from minifcn.course.exercises import NAMES, find_exercise
    from minifcn.course.exercises.proof import bank_table, try_all

    if choices.exercise:
        for function in find_exercise(choices.exercise).functions:
            for switch in function.switches:
                print(f"{function.name}:{switch.id}  {switch.words}")
        return 0
    print(bank_table([trial for name in NAMES for trial in try_all(find_exercise(name))]))
    return 0


def _folder(choices: argparse.Namespace) -> Path:
    """The folder that is meant: the one given, my-course, or this one."""
    folder = choices.folder or (Path("my-course") if Path("my-course").is_dir() else Path())
    if not (folder / f"{choices.exercise}.py").is_file():
        raise ValueError(
            f"{folder / choices.exercise}.py is not there: give --folder DIR, the folder that"
            " minifcn course start has made"
        )
    return Path(folder)


def _hint(choices: argparse.Namespace) -> int:
    from minifcn.course.exercises.folder import next_hint

    hint, number, count = next_hint(_folder(choices), choices.exercise)
    print(f"{number} of {count}: {hint}")
    if number == count:
        say(f"the last one; after it: minifcn course answer {choices.exercise} --give-up")
    return 0


def _answer(choices: argparse.Namespace) -> int:
    from minifcn.course.exercises.folder import answer

    print(answer(_folder(choices), choices.exercise, choices.give_up), end="")
    return 0


def _grade(choices: argparse.Namespace) -> int:
    from tqdm import tqdm

    from minifcn.course.grading.grade import grade_class

    if (choices.canvas is None) != (choices.column is None):
        raise ValueError("--canvas and --column go together: an export, and its column to fill")
    if choices.jobs is not None and choices.jobs < 1:
        raise ValueError(f"jobs must be at least 1; got {choices.jobs}")
    points = _points(choices.points)
    bar = partial(tqdm, desc="submissions", disable=None, leave=False)
    settings = (points, _seed(choices), choices.jobs, bar)
    results = grade_class(choices.submissions, choices.out, *settings)
    for path in _write_class(choices, points, results):
        print(path)
    for result in results:
        for problem in result.problems:
            say(f"{result.student}: not read: {problem}")
    return 0


def _seed(choices: argparse.Namespace) -> int:
    """The seed that was given; or one that nobody knew before, kept in the results' folder."""
    from minifcn.system.files import read_json, write_atomically

    path = choices.out / "seed.json"
    if choices.seed is not None:
        return int(choices.seed)
    if not path.exists():
        choices.out.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f"{secrets.randbits(32)}\n".encode())
    seed = read_json(path)
    if type(seed) is not int or seed < 0:
        raise ValueError(f"{path}: must hold a whole number; remove it to draw another")
    return seed


def _points(path: Path | None) -> dict[str, float]:
    from minifcn.course.grading.points import default_points, read_points

    return default_points() if path is None else read_points(path)


def _write_class(
    choices: argparse.Namespace, points: dict[str, float], results: list[Result]
) -> list[Path]:
    """Write the tables and the page of a class; return the paths."""
    from minifcn.course.grading.page import class_page
    from minifcn.course.grading.points import as_toml
    from minifcn.course.grading.tables import fill_canvas, moodle_csv, results_csv
    from minifcn.system.files import write_atomically

    texts = {
        "results.csv": results_csv(results),
        "moodle.csv": moodle_csv(results),
        "class.html": class_page(results, choices.submissions.resolve().name),
        "points.toml": as_toml(points),
    }
    if choices.canvas:
        texts["canvas.csv"], missing = fill_canvas(choices.canvas, choices.column, results)
        for student in missing:
            say(f"not in the export of Canvas: {student}")
    for name, text in texts.items():
        write_atomically(choices.out / name, text.encode())
    return [choices.out / name for name in texts]


def _gradescope(choices: argparse.Namespace) -> int:
    from minifcn.course.grading.formats import gradescope_zip
    from minifcn.system.files import write_atomically

    content = gradescope_zip(choices.install, list(_points(choices.points)))
    choices.folder.mkdir(parents=True, exist_ok=True)
    path = choices.folder / "autograder.zip"
    write_atomically(path, content)
    print(path)
    return 0
