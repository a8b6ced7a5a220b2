"""The tutorials: where they are, what their first lines say, and notebooks made of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from nbformat import NotebookNode

_TITLE = re.compile(r"# # (\d\d)\. (.+)")
_TIME = re.compile(r"# \*\*Time:\*\* (\d+) minutes; the code runs in (\d+) seconds?\. .*")
_ADDRESS = re.compile(
    r"(?:https?://|ssh://|git@)(?:[^@/]*@)?([\w-]+(?:\.[\w-]+)+)(?::\d+/|[:/])(.+)"
)

ANSWERS = "answers"
"""The tag of the last cell, which holds the answers to the exercises."""

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
    beside = Path(__file__).parents[1] / "tutorials"
    found = sorted(beside.glob("[0-9][0-9]_*.py")) or _installed()
    if not found:
        raise FileNotFoundError(f"there are no tutorials: none in {beside}, none installed")
    return [_read(path) for path in found]


def _installed() -> list[Path]:
    try:
        files = metadata.files("minifcn") or []
    except metadata.PackageNotFoundError:
        return []
    named = [file for file in files if file.match("share/minifcn/tutorials/[0-9][0-9]_*.py")]
    return sorted(Path(str(file.locate())).resolve() for file in named)


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
    ]
    return "\n".join(lines)


def write_notebooks(
    tutorials: Sequence[Tutorial], folder: Path, install: str | None = None
) -> list[Path]:
    """Write each tutorial as a notebook; return the paths.

    A first cell, which does something on Google Colab only, installs the package. The last one,
    which holds the answers, is collapsed.

    Args:
        tutorials: which.
        folder: is made if need be.
        install: what pip is told to install on Colab; by default the address that this checkout
            was cloned from if it is a public one, else "minifcn".

    Raises:
        ValueError: if jupytext is not installed, install is not one line without quotes, or a
            notebook is there already and differs: somebody may have worked in it. Then nothing
            is written.
    """
    install = _public_address() or "minifcn" if install is None else install
    if not install.strip() or re.search(r"[\n\r\"'{}$\\]", install):
        raise ValueError(f"install must be one line without quotes, got {install!r}")
    texts = {
        folder / f"{tutorial.path.stem}.ipynb": _as_json(notebook(tutorial, install))
        for tutorial in tutorials
    }
    for path, text in texts.items():
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise ValueError(f"{path} is there already, and differs; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return list(texts)


def notebook(tutorial: Tutorial, install: str) -> NotebookNode:
    """Return a tutorial as a notebook (see `write_notebooks`)."""
    try:
        import jupytext
        from nbformat.v4 import new_code_cell
    except ImportError:
        raise ValueError("the package jupytext is not installed: pip install jupytext") from None

    book = jupytext.read(tutorial.path, fmt="py:percent")
    book.cells.insert(0, new_code_cell(_COLAB.format(install=install)))
    _collapse(book.cells[-1])
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number}"  # else drawn by lot, and another on each writing
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return book


def _collapse(cell: NotebookNode) -> None:
    """Hide the code of a cell: in Jupyter by its metadata, in Colab as a form with a title."""
    cell.metadata.update(jupyter={"source_hidden": True}, cellView="form")
    cell.source = "# @title Answers\n" + cell.source


def _as_json(book: NotebookNode) -> str:
    import nbformat

    nbformat.validate(book)
    return str(nbformat.writes(book)) + "\n"


def _public_address() -> str | None:
    """Return where pip finds what this checkout was cloned from, without anybody's password."""
    checkout = Path(__file__).parents[1]
    if not (checkout / ".git").exists():  # git would look further up, in somebody else's checkout
        return None
    command = ["git", "-C", str(checkout), "remote", "get-url", "origin"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = _ADDRESS.fullmatch(answer.stdout.strip())
    return f"git+https://{found[1]}/{found[2]}" if found else None
