"""Submissions: a folder or a zip a student; read as text into memory, and never unpacked."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from minifcn.course.exercises import NAMES

LARGEST, MOST = 1 << 20, 2000
"""Bytes of one file, and entries of one zip or folder, beyond which nobody wrote it by hand."""


@dataclass
class Submission:
    """What a student has handed in.

    Attributes:
        student: the name of the folder, or of the zip without its ending.
        sources: the text of each exercise that is there, by its name.
        problems: what could not be read, in a line each.
    """

    student: str
    sources: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        """A checksum of all texts."""
        digest = hashlib.sha256()
        for name in sorted(self.sources):
            digest.update(f"{name}\0{self.sources[name]}\0".encode())
        return digest.hexdigest()


def find_submissions(folder: Path) -> list[Path]:
    """Return the submissions in a folder: its folders and zips, in the order of their names.

    Raises:
        ValueError: it is no folder, or there are none, or two have one name.
    """
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is no folder of submissions: a folder or a zip for each student"
        )
    found = sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith((".", "__MACOSX"))
        and (path.is_dir() or path.suffix.lower() == ".zip")
    )
    if not found:
        raise ValueError(f"{folder} has no submissions: a folder or a zip for each student")
    students: dict[str, Path] = {}
    for path in found:
        other = students.setdefault(student_of(path).casefold(), path)
        if other is not path:
            raise ValueError(f"{path} and {other} would be one student: rename one of them")
    return found


def student_of(path: Path) -> str:
    """The name by which a submission's student is known."""
    return path.name if path.is_dir() else path.stem


def read_submission(path: Path) -> Submission:
    """Read all exercises of a submission; what cannot be read is a problem, never an exception."""
    submission = Submission(student_of(path))
    try:
        files = _in_folder(path) if path.is_dir() else _in_zip(path)
        for name, content in files:
            _add(submission, name, content)
    except (OSError, zipfile.BadZipFile, ValueError, RuntimeError, NotImplementedError) as error:
        submission.problems.append(f"{path.name}: {' '.join(str(error).split())[:200]}")
    return submission


def _add(submission: Submission, name: str, content: bytes) -> None:
    """Take a file as an exercise if it is called like one; of two, the first counts."""
    exercise = PurePosixPath(name).stem
    if exercise in submission.sources:
        submission.problems.append(f"{name}: is there twice; the first counts")
        return
    try:
        submission.sources[exercise] = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        submission.problems.append(f"{name}: no text in UTF-8")


def _is_exercise(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not hidden and path.suffix == ".py" and path.stem in NAMES


def _in_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for count, path in enumerate(sorted(folder.rglob("*.py"))):
        if count >= MOST:
            raise ValueError(f"more than {MOST} files")
        name = path.relative_to(folder).as_posix()
        if _is_exercise(name) and not path.is_symlink() and path.is_file():
            if path.stat().st_size > LARGEST:
                raise ValueError(f"{name} is larger than {LARGEST} bytes")
            yield name, path.read_bytes()


def _in_zip(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > MOST:
            raise ValueError(f"more than {MOST} files")
        for entry in sorted(entries, key=lambda entry: entry.filename):
            if not _is_exercise(entry.filename):
                continue
            with archive.open(entry) as file:
                content = file.read(LARGEST + 1)  # whatever size the zip says
            if len(content) > LARGEST:
                raise ValueError(f"{entry.filename} is larger than {LARGEST} bytes")
            yield entry.filename, content
