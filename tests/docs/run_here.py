"""A small book to run tutorials in: pages with MyST-NB's markup, and what the book adds to them."""

import html
import shutil
import sys

from pages import ROOT

sys.path.append(str(ROOT / "docs"))
from maker.run_here import write_package  # noqa: E402

STATIC = ROOT / "docs" / "static"


def cells_of(tutorial):
    """The code of each cell of a py:percent script."""
    for part in tutorial.read_text(encoding="utf-8").split("# %%")[1:]:
        kind, _, code = part.partition("\n")
        if "markdown" not in kind and code.strip():
            yield code.strip()


def page_of(cells):
    """A page as MyST-NB writes it, with Pygments' empty span, and an output of the book."""
    shown = [
        '<div class="cell docutils container"><div class="cell_input docutils container">'
        '<div class="highlight-ipython3 notranslate"><div class="highlight"><pre><span></span>'
        f"{html.escape(code)}\n</pre></div></div></div>"
        '<div class="cell_output docutils container"><pre>what the book printed</pre></div></div>'
        for code in cells
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="../_static/run_here.css">'
        '<script src="../_static/run_here.js"></script>'
    )
    body = "\n".join(shown)
    return f"<!doctype html><html lang=en><head>{head}<title>A page</title></head>{body}</html>"


def make_book(folder, pages):
    """Write a book into a folder: `pages` are the cells of each page, by its name."""
    write_package(folder)
    (folder / "_static").mkdir()
    for path in STATIC.glob("run_here*"):
        shutil.copy(path, folder / "_static")
    (folder / "index.html").write_text("<title>A book</title>", encoding="utf-8")
    (folder / "pages").mkdir()
    for name, cells in pages.items():
        (folder / "pages" / f"{name}.html").write_text(page_of(cells), encoding="utf-8")
    return folder
