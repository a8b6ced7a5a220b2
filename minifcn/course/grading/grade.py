"""Grades a class: submissions side by side, each result written when it is done, so it can go on.

A submission that is broken costs its own points, and stops nobody else's. One whose result is in
the folder already, for the same texts, points, seed and version, is not run again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import minifcn
from minifcn import machine
from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import Report, check
from minifcn.course.exercises.messages import messages, record, table
from minifcn.course.grading.submissions import Submission, find_submissions, read_submission
from minifcn.system.files import write_atomically

Record = dict[str, Any]


@dataclass
class Result:
    """The records of a student, one an exercise, and what could not be read."""

    student: str
    records: list[Record]
    problems: list[str]

    @property
    def points(self) -> float:
        """All points."""
        return float(sum(record["points"] for record in self.records))


def grade_class(
    submissions: Path,
    out: Path,
    points: dict[str, float],
    seed: int = 0,
    jobs: int | None = None,
    track: Callable[[Iterable[Path]], Iterable[Path]] = iter,
) -> list[Result]:
    """Grade all submissions of a folder; write each student's results into `out`/students.

    Args:
        submissions: a folder with a folder or a zip for each student.
        out: made if missing.
        points: what each exercise is worth (see points.py).
        seed: of the cases, the same for all.
        jobs: how many at once; by default as many as there are cores.
        track: shows progress.

    Raises:
        ValueError: there are no submissions.
        OSError: a result cannot be written.
    """
    paths = find_submissions(submissions)
    (out / "students").mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs or machine.cores()) as pool:
        waiting = [pool.submit(_grade, path, out / "students", points, seed) for path in paths]
        return [future.result() for future, _ in zip(waiting, track(paths), strict=True)]


def _grade(path: Path, folder: Path, points: dict[str, float], seed: int) -> Result:
    submission = read_submission(path)
    place = folder / f"{_file_name(submission.student)}.jsonl"
    known = _known(place, submission, points, seed)
    if known is not None:
        return known
    reports = [_report(submission, name, seed) for name in points]
    records = [_record(report, submission.student, points) for report in reports]
    result = Result(submission.student, records, submission.problems)
    write_atomically(place.with_suffix(".txt"), _text(result, reports).encode())
    head = {**_key(submission, points, seed), "problems": submission.problems}
    lines = [json.dumps(one) for one in (head, *records)]
    write_atomically(place, ("\n".join(lines) + "\n").encode())
    return result


def _report(submission: Submission, name: str, seed: int) -> Report:
    """Check an exercise; one that is not there counts as not written."""
    missing = f"# {name}.py was not handed in"
    return check(find_exercise(name), submission.sources.get(name, missing), seed)


def _record(report: Report, student: str, points: dict[str, float]) -> Record:
    """A record with the teacher's points."""
    found = record(report, student)
    share = points[report.exercise.name] / report.exercise.points
    for part in found["parts"]:
        part["points"], part["max_points"] = part["points"] * share, part["max_points"] * share
    found["points"] = round(found["points"] * share, 4)
    found["max_points"] = points[report.exercise.name]
    return found


def _key(submission: Submission, points: dict[str, float], seed: int) -> Record:
    """What a result depends on."""
    return {
        "schema": "minifcn/grade/v1",
        "minifcn": minifcn.__version__,
        "student": submission.student,
        "sha256": submission.sha256,
        "points": points,
        "seed": seed,
    }


def _known(
    place: Path, submission: Submission, points: dict[str, float], seed: int
) -> Result | None:
    """The result that is there, if it is of the same submission, points, seed and version."""
    try:
        head, *records = map(json.loads, place.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError):
        return None
    wanted = _key(submission, points, seed)
    if not isinstance(head, dict) or {name: head.get(name) for name in wanted} != wanted:
        return None
    if [one.get("exercise") for one in records] != list(points):
        return None
    return Result(submission.student, records, list(head.get("problems", [])))


def _text(result: Result, reports: Sequence[Report]) -> str:
    """What a student reads."""
    most = sum(record["max_points"] for record in result.records)
    lines = [f"{result.student}: {result.points:g} of {most:g} points", "", table(list(reports))]
    lines += [f"not read: {problem}" for problem in result.problems]
    for report in reports:
        if report.status != "not-written":
            lines += [line for text in messages(report) for line in ("", text)]
    return "\n".join(lines) + "\n"


def _file_name(student: str) -> str:
    """A name of a file for a student, whatever they are called."""
    return re.sub(r"[^\w. -]", "_", student)[:120] or "_"
