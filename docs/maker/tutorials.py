"""The tutorials as notebooks with their outputs: each is run, two at a time, as the book is built.

What a tutorial printed and drew is kept, and used again as long as nothing has changed: neither its
text, nor a file of the package, nor Python, NumPy or Matplotlib.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import re
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from maker.contents import DOCS, MADE, ROOT, STEPS_OF, number_of, page_of, write

_KEPT = MADE / "outputs"
_PROGRESS = re.compile(r"(.+: step \d+ of \d+, \d+ s left\n)+")
_BARE = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PARTS = ("minifcn", "numpy", "matplotlib")


def write_tutorials(tutorials: Sequence[Path], run: bool, say: Callable[[str], None]) -> None:
    """Write the notebooks that Sphinx reads.

    Args:
        tutorials: the scripts.
        run: whether they are run; else a page has the recorded picture only, and says so.
        say: is told what is being run.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raises.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # tutorials run side by side, one on each core
    logging.getLogger("traitlets").setLevel(logging.WARNING)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        slowest_first = sorted(tutorials, key=_seconds, reverse=True)
        books = list(pool.map(lambda path: _run(path, say) if run else _read(path), slowest_first))
    for path, book in zip(slowest_first, books, strict=True):
        made = page_of(path)
        assert made
        _add_note(book, path, made, run)
        write(made, nbformat.writes(book) + "\n")


def _seconds(path: Path) -> int:
    found = re.search(r"the code runs in (\d+) second", path.read_text(encoding="utf-8"))
    return int(found[1]) if found else 0


def _read(path: Path) -> NotebookNode:
    """A tutorial as a notebook without outputs, pictures with words for who cannot see them."""
    book = jupytext.read(path, fmt="py:percent")
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number}"
        if cell.cell_type == "markdown":  # Sphinx would colour formulas and maps as Python
            cell.source = _BARE.sub(r"```text\n\1```", cell.source)
        if drawn := re.findall(r'^show\(out / "([\w.]+)"\)', cell.source, re.MULTILINE):
            words = f"what this cell draws: {', '.join(drawn)}"
            cell.metadata["mystnb"] = {"image": {"alt": words}}
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "pygments_lexer": "ipython3"},
    }
    return book


def _run(path: Path, say: Callable[[str], None]) -> NotebookNode:
    """A tutorial as a notebook with its outputs: kept ones, or those of a run."""
    kept = _KEPT / f"{path.stem}-{_key(path)}.ipynb"
    if not kept.is_file():
        say(f"running {path.name}")
        for old in _KEPT.glob(f"{path.stem}-*.ipynb"):
            old.unlink()
        write(kept, nbformat.writes(_executed(path)))
    book = _read(path)
    outputs = [cell.get("outputs") for cell in nbformat.read(kept, as_version=4).cells]
    for cell, given in zip(book.cells, outputs, strict=True):
        if cell.cell_type == "code":
            cell.outputs = [output for output in given if not _is_progress(output)]
    return book


def _executed(path: Path) -> NotebookNode:
    book = _read(path)
    quiet = ["--log-level=ERROR"]
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(book, timeout=600, resources=resources, extra_arguments=quiet).execute()
    return book


def _is_progress(output: NotebookNode) -> bool:
    return output.get("name") == "stderr" and bool(_PROGRESS.fullmatch(output.text))


def _key(path: Path) -> str:
    """What the outputs of a tutorial depend on, as a few letters."""
    digest = hashlib.sha256(f"{platform.python_version()} {_versions()}".encode())
    package = (file for file in (ROOT / "minifcn").rglob("*") if file.suffix in (".py", ".cu"))
    for file in [path, *sorted(package)]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _versions() -> str:
    return ", ".join(f"{name} {metadata.version(name)}" for name in _PARTS)


def _add_note(book: NotebookNode, path: Path, made: Path, run: bool) -> None:
    """Say below the first cell where the outputs come from, and what there is beside them."""
    script = Path(os.path.relpath(path, made.parent)).as_posix()
    if run:
        said = f"Outputs are what the cells gave as this book was built ({_versions()})."
    else:
        number, folder = f"{number_of(path):02}", os.path.relpath(DOCS / "tutorials", made.parent)
        (picture,) = (DOCS / "tutorials").glob(f"{number}.*")
        said = "The cells were not run for this book; this is a picture that they draw:\n\n"
        said += f"![a picture that this tutorial draws]({Path(folder).as_posix()}/{picture.name})\n"
    steps = [f"[`{name}`](../steps/{name}.md)" for name in STEPS_OF.get(number_of(path), [])]
    beside = f" Step by step, with numbers of your own: {', '.join(steps)}." if steps else ""
    note = f"{said}\n[The script]({script}) is to be run and changed.{beside}"
    cell = new_markdown_cell(f"```{{admonition}} On this page\n{note}\n```", id="note")
    book.cells.insert(1, cell)
