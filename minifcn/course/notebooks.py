"""The tutorials: where they are, what they say first, their answers, and notebooks of them."""

from __future__ import annotations

import io
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from minifcn.system.files import write_atomically

if TYPE_CHECKING:
    from nbformat import NotebookNode

_TITLE = re.compile(r"# # (\d\d)\. (.+)")
_TIME = re.compile(r"# \*\*Time:\*\* (\d+) minutes; the code runs in (\d+) seconds?\. .*")
_HOST = re.compile(r"(?:[\w-]+\.)+[A-Za-z]{2,}")
_INSTALL = re.compile(r"(?:[\w.,\[\]-]+ @ )?[\w.+:/@=<>~!,\[\]#-]+", re.ASCII)

_COLAB = """\
# Google Colab comes without minifcn: this installs it there. Elsewhere it does nothing.
import sys

if "google.colab" in sys.modules:
    %pip install -q "{install}"
"""


class Tutorial(NamedTuple):
    """A tutorial, as its first lines describe it.

    number: its place on the path, from 1 on; question: what it answers; minutes: to read it and
    try things out; seconds: its code runs, on two cores; path: the script.
    """

    number: int
    question: str
    minutes: int
    seconds: int
    path: Path

    @property
    def answers(self) -> Path:
        """The file with the answers to its exercises. It is no part of the tutorial."""
        return self.path.parent / "answers" / self.path.name

    def summary(self) -> dict[str, Any]:
        """Return its fields in a dict that `json.dumps` takes."""
        return {**self._asdict(), "path": str(self.path)}


def find_tutorials() -> list[Tutorial]:
    """Return all tutorials in their order.

    They lie beside the package in a checkout, and where pip put them with an installed package.

    Raises:
        FileNotFoundError: if there are none.
        ValueError: if the first lines of one do not describe it.
    """
    found = _beside() or _installed()
    if not found:
        raise FileNotFoundError(f"there are no tutorials beside {_checkout()}, and none installed")
    return [_read(path) for path in found]


def _checkout() -> Path:
    """The folder that holds the package: a checkout, or where pip installs."""
    return Path(__file__).resolve().parents[2]


def _beside() -> list[Path]:
    if not (_checkout() / "pyproject.toml").is_file():  # beside an installed package are others'
        return []
    return sorted((_checkout() / "tutorials").glob("[0-9][0-9]_*.py"))


def _installed() -> list[Path]:
    try:
        files = metadata.files("minifcn") or []
    except metadata.PackageNotFoundError:
        return []
    named = [file for file in files if file.match("share/minifcn/tutorials/[0-9][0-9]_*.py")]
    paths = (Path(str(file.locate())).resolve() for file in named)
    # With pip's --target the files are not where its list says, but beside the package.
    return sorted(filter(Path.is_file, paths)) or sorted(
        (_checkout() / "share" / "minifcn" / "tutorials").glob("[0-9][0-9]_*.py")
    )


def _read(path: Path) -> Tutorial:
    lines = path.read_text(encoding="utf-8").splitlines()[:8]
    titles = [found for line in lines if (found := _TITLE.fullmatch(line))]
    times = [found for line in lines if (found := _TIME.fullmatch(line))]
    if not (titles and times):
        raise ValueError(f"{path.name} must begin with its number, question and time")
    number, question = titles[0].groups()
    minutes, seconds = map(int, times[0].groups())
    return Tutorial(int(number), question, minutes, seconds, path)


def format_list(tutorials: Sequence[Tutorial]) -> str:
    """Return a table of tutorials, with their times and where they are."""
    width = max(len(tutorial.question) for tutorial in tutorials)
    lines = [f"    {'question':{width}}  time    code runs"]
    for number, question, minutes, seconds, _ in tutorials:
        lines.append(f"{number:02}  {question:{width}}  {minutes:2} min  {seconds:3} s")
    total = sum(tutorial.minutes for tutorial in tutorials) / 60
    folder = tutorials[0].path.parent
    lines += [
        "",
        f"About {total:.0f} hours in all. Scripts, to be run, or opened as cells: {folder}",
        "As notebooks: minifcn tutorials --notebooks DIR",
        "Answers to the exercises: minifcn tutorials --answers DIR",
    ]
    return "\n".join(lines)


def run_tutorial(number: int) -> dict[str, Any]:
    """Run a tutorial without showing what it prints; return its names with their values.

    The answers to its exercises begin with that. Pictures are written as ever.

    Raises:
        ValueError: if there is no tutorial of this number.
    """
    found = [tutorial for tutorial in find_tutorials() if tutorial.number == number]
    if not found:
        raise ValueError(f"there is no tutorial {number}; minifcn tutorials lists them")
    path = found[0].path
    names: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    with redirect_stdout(io.StringIO()):
        exec(compile(path.read_text(encoding="utf-8"), path, "exec"), names)
    return names


def write_answers(tutorials: Sequence[Tutorial], folder: Path) -> list[Path]:
    """Write the answers to each tutorial's exercises, as scripts that run; return the paths.

    Raises:
        ValueError: if a file is there already and differs: somebody may have worked in it. Then
            nothing is written.
        OSError: if the folder cannot be written.
    """
    return _write_all(
        {
            folder / f"{tutorial.path.stem}_answers.py": tutorial.answers.read_bytes()
            for tutorial in tutorials
        },
        folder,
    )


def write_notebooks(
    tutorials: Sequence[Tutorial], folder: Path, install: str = "minifcn"
) -> list[Path]:
    """Write each tutorial as a notebook; return the paths.

    A first cell, which does something on Google Colab only, installs the package.

    Args:
        tutorials: which.
        folder: is made if need be.
        install: what pip is told to install on Colab, see also `public_address`.

    Raises:
        ValueError: if jupytext is not installed, install is not a package or an address, or a
            notebook is there already and differs: somebody may have worked in it. Then nothing
            is written.
        OSError: if the folder cannot be written.
    """
    if not _INSTALL.fullmatch(install) or install.startswith("-"):
        raise ValueError(f"install must be what pip installs, as git+https://...; got {install!r}")
    books = {
        folder / f"{tutorial.path.stem}.ipynb": _as_json(notebook(tutorial, install)).encode()
        for tutorial in tutorials
    }
    return _write_all(books, folder)


def _write_all(contents: Mapping[Path, bytes], folder: Path) -> list[Path]:
    """Write all files, or none if one of them is there with another content."""
    for path, content in contents.items():
        if path.exists() and path.read_bytes() != content:
            raise ValueError(f"{path} is there already, and differs; choose another folder")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"notebooks and answers must go into a folder; got the file {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        write_atomically(path, content)
    return list(contents)


def notebook(tutorial: Tutorial, install: str) -> NotebookNode:
    """Return a tutorial as a notebook (see `write_notebooks`)."""
    try:
        import jupytext
        from nbformat.v4 import new_code_cell
    except ImportError:
        raise ValueError("the package jupytext is not installed: pip install jupytext") from None

    book = jupytext.read(tutorial.path, fmt="py:percent")
    book.cells.insert(0, new_code_cell(_COLAB.format(install=install)))
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number}"  # else drawn by lot, and another on each writing
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return book


def _as_json(book: NotebookNode) -> str:
    import nbformat

    nbformat.validate(book)
    return str(nbformat.writes(book)) + "\n"


def public_address() -> str | None:
    """Return where pip finds what this checkout was cloned from; None if that is not public.

    Without user and password, which are nobody else's business, and by https whatever git uses.
    """
    if not (_checkout() / ".git").exists():  # git would look further up, in somebody else's
        return None
    command = ["git", "-C", str(_checkout()), "remote", "get-url", "origin"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return _without_user(answer.stdout.strip())


def _without_user(origin: str) -> str | None:
    short = re.fullmatch(r"[\w.-]+@([\w.-]+):/?(.+)", origin)  # git@github.com:who/what
    try:
        parts = urlsplit(f"ssh://{short[1]}/{short[2]}" if short else origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    plain = re.fullmatch(r"/[\w./~-]+", parts.path) and not (parts.query or parts.fragment)
    public = _HOST.fullmatch(host) and not host.endswith((".local", ".internal", ".lan"))
    if parts.scheme not in ("https", "ssh") or not (plain and public):
        return None
    return f"git+https://{host}{f':{port}' if port and parts.scheme == 'https' else ''}{parts.path}"
