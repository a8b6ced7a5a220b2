"""Sphinx's settings for the book: `pip install -e '.[docs]' && sphinx-build docs site`.

The pages are the repository's own files. maker/ makes what Sphinx cannot read as it is: tutorials
with their outputs, exercises, step pages, the API reference; it writes into docs/book/. Nothing is
loaded from elsewhere, neither when the book is built nor when it is read: only where a reader asks
to run a page, and no folder of Pyodide lies beside it (BROWSER.md).

`-D run_tutorials=0` leaves out running the tutorials. `-D repository=https://.../blob/main` makes
links to source files lead there; else they are copies to download.
"""

import sys
from pathlib import Path

from sphinx.util import logging

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from maker import api, contents, exercises, links, run_here, steps, tutorials  # noqa: E402

import minifcn  # noqa: E402

contents.EXTRA.mkdir(parents=True, exist_ok=True)

project = "minifcn"
author = "the minifcn contributors"
copyright = author
version = release = minifcn.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
root_doc = "index"
exclude_patterns = ["book/outputs", "book/extra", "book/FRONT.md", "maker"]

nb_execution_mode = "off"  # maker/tutorials.py runs them
nb_merge_streams = True
myst_heading_anchors = 6
myst_enable_extensions = ["html_image"]

default_role = "code"
highlight_language = "text"
smartquotes = False  # docstrings quote code
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_type_aliases = {name: name for name in ("Array", "IntOrPair", "Pair")}
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "minifcn"
html_static_path = ["static"]
html_css_files = ["book.css", "run_here.css"]
html_js_files = ["run_here.js"]
html_extra_path = ["book/extra"]
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

_say = logging.getLogger(__name__).info


def make(app):
    """Write all pages that Sphinx cannot read as they are."""
    for page, made in contents.COPIED.items():
        text = page.read_text(encoding="utf-8")
        text = links.lead(text, page, contents.page_of(page), app.config.repository)
        contents.write(made, text + contents.below(page))
    run_here.write_package(contents.EXTRA)
    exercises.write_exercises()
    steps.write_steps()
    api.write_api()
    tutorials.write_tutorials(contents.TUTORIALS, app.config.run_tutorials, _say)


def lead(app, name, source):
    """Lead the links of docs/*.md into the book."""
    page = HERE / f"{name}.md"
    if page in contents.PAGES:
        source[0] = links.lead(source[0], page, page, app.config.repository)


def setup(app):
    """Tell Sphinx of the two settings, and of what makes the pages."""
    app.add_config_value("run_tutorials", True, "env", [bool])
    app.add_config_value("repository", "", "env", [str])
    app.connect("builder-inited", make, priority=100)
    app.connect("source-read", lead)
    app.connect("autodoc-process-docstring", api.plain, priority=100)
    app.connect("autodoc-process-signature", api.named)
