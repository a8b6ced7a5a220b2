"""Folders of results: each made by one process, used by one at a time, none left by a failure."""

from __future__ import annotations

import os
import platform
import warnings
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from minifcn.runs.config import Config

LOCK = ".lock"
"""The file that a process holds which trains in a folder; one that was left means nothing."""

STARTED = ("config.json", "data.json", "log.csv")
"""The files of a run that has no checkpoint yet: another start may replace them."""

_FAR = 1 << 30  # on Windows what is locked cannot be read: a byte behind all that is written


def make_folder(folder: Path) -> list[Path]:
    """Make a folder, and those above it, if missing; return what was made, the innermost first.

    Of processes that do this at once, each folder is made, and returned, by one.

    Raises:
        OSError: it cannot be made; those above it are not left behind.
    """
    made: list[Path] = []
    try:
        for path in reversed([p for p in (folder, *folder.parents) if not p.exists()]):
            with suppress(FileExistsError):
                path.mkdir()
                made.insert(0, path)
    except OSError:
        remove_empty(made)
        raise
    return made


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove those folders that are empty, the innermost first."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def folder_for(out: Path | None, name: str) -> Iterator[Path]:
    """Give the folder `out`, made if missing; or, if it is None, a new one in runs/.

    What was made here is taken away again if the work ends with an error and it is still empty.
    """
    folder, made = _make_new(name) if out is None else (out, make_folder(out))
    try:
        yield folder
    except BaseException:
        remove_empty(made)
        raise


def _make_new(name: str) -> tuple[Path, list[Path]]:
    """Make the first of runs/NAME, runs/NAME-2, ... that is not there yet."""
    folder, number = Path("runs") / name, 1
    while folder not in (made := make_folder(folder)):
        number += 1
        folder = Path("runs") / f"{name}-{number}"
    return folder, made


def is_unused(folder: Path) -> bool:
    """Whether nothing is in a folder but what a start left that came to no checkpoint."""
    temporary = tuple(f".{name}." for name in (*STARTED, "best.safetensors", "last.safetensors"))
    names = {path.name for path in folder.iterdir() if not path.name.startswith(temporary)}
    if names <= {LOCK}:
        return True
    try:
        Config.load(folder / "config.json")  # or is it somebody else's?
    except (ValueError, TypeError):
        return False
    return names <= {LOCK, *STARTED}


def check_unused(folder: Path) -> None:
    """Raise ValueError unless a run can start there: in a new folder, or see `is_unused`."""
    if folder.exists() and not (folder.is_dir() and is_unused(folder)):
        raise ValueError(f"out must be a new or empty folder; got {folder} (see --resume)")


def remove_files(folder: Path, names: Iterable[str]) -> None:
    """Remove those of the files that are there."""
    for name in names:
        (folder / name).unlink(missing_ok=True)


def stamp(path: Path) -> tuple[int, ...]:
    """What is another once a file is written anew."""
    if not path.exists():
        return ()
    status = path.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size


class Lock:
    """Hold a folder: nobody else can, in this process or another, before it is let go.

    Use it in a `with` statement, or `release` it. The system keeps the lock, so that it ends with
    the process, even if that is killed. On file systems that have no locks, it warns.

    Raises:
        ValueError: somebody else holds it.
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        descriptor = _locked(folder / LOCK)
        self._letting_go = weakref.finalize(self, _let_go, descriptor, folder / LOCK, os.getpid())

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def release(self) -> None:
        """Let the folder go, and take the lock's file away."""
        self._letting_go()


def _locked(path: Path) -> int:
    """Open the file and lock it; return its descriptor."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor, path)
            if _is_at(descriptor, path):  # or else its holder took it away just now
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(descriptor, _FAR, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        holder = path.read_text(errors="replace") or "another process"
        raise ValueError(
            f"{path.parent} is in use by another training, {holder}: wait until it ends, stop it,"
            " or train in another folder"
        ) from error
    except OSError as error:
        warnings.warn(
            f"{path.parent} cannot be locked ({error.strerror}): see to it that only one process"
            " trains there",
            stacklevel=2,
        )


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _let_go(descriptor: int, path: Path, process: int) -> None:
    if os.getpid() == process:  # a fork's end is not the end of the training
        with suppress(OSError):  # Windows removes no file that is open
            path.unlink()
    os.close(descriptor)
    if os.name == "nt" and os.getpid() == process:
        with suppress(OSError):
            path.unlink()
