"""What the book holds: each page of the repository, and the file that Sphinx reads for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MADE = DOCS / "book"
"""Where pages are made: never by hand, and not under version control."""

EXTRA = MADE / "extra"
"""What Sphinx copies to the root of the site as it is."""

TUTORIALS = sorted((ROOT / "tutorials").glob("[0-9][0-9]_*.py"))
PAGES = sorted(DOCS.glob("*.md"))
"""Pages that Sphinx reads where they lie."""

COPIED = {
    ROOT / "README.md": MADE / "FRONT.md",
    ROOT / "CONTRIBUTING.md": MADE / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md": MADE / "CHANGELOG.md",
    ROOT / "tutorials" / "README.md": MADE / "tutorials" / "README.md",
    ROOT / "tutorials" / "GLOSSARY.md": MADE / "tutorials" / "GLOSSARY.md",
}
"""Pages that lie outside of docs/, and their copies. That of the README is part of index.rst."""

MODULES = {
    "functional": ["minifcn.functional"],
    "nn": ["minifcn.nn", "minifcn.nn.init"],
    "models": ["minifcn.models"],
    "kernels": ["minifcn.kernels", "minifcn.kernels.reference", "minifcn.kernels.geometry"],
    "gradcheck": ["minifcn.gradcheck"],
    "tensor": ["minifcn.tensor"],
    "optim": ["minifcn.optim"],
    "data": ["minifcn.data"],
    "metrics": ["minifcn.metrics", "minifcn.metrics.boundaries", "minifcn.metrics.phases"],
    "plots": ["minifcn.plots", "minifcn.plots.animations"],
    "runs": [
        "minifcn.runs.config",
        "minifcn.runs.run",
        "minifcn.runs.steps",
        "minifcn.runs.checkpoint",
        "minifcn.runs.report",
        "minifcn.runs.prediction",
        "minifcn.runs.segmentation",
        "minifcn.runs.windows",
        "minifcn.runs.export",
    ],
    "weights": ["minifcn.weights"],
    "onnx_export": ["minifcn.onnx_export"],
    "explain": ["minifcn.explain"],
}
"""The pages of the API reference, and the modules on each."""

STEPS_OF = {
    1: ["iou"],
    2: ["conv2d", "im2col"],
    5: ["cross_entropy", "max_pool2d"],
    6: ["conv1x1"],
    8: ["max_pool2d", "max_unpool2d"],
    9: ["conv_transpose2d", "col2im"],
    10: ["conv_transpose2d", "interpolate"],
}
"""The operations that can be stepped through beside a tutorial, by its number."""


def page_of(path: Path) -> Path | None:
    """The file that Sphinx reads for a file of the repository; None if it is no page."""
    if path == ROOT / "README.md":
        return DOCS / "index.rst"
    if path in COPIED:
        return COPIED[path]
    if path in TUTORIALS:
        return MADE / "tutorials" / f"{path.stem}.ipynb"
    return path if path in PAGES else None


def below(page: Path) -> str:
    """What is written below a copied page: the one about the tutorials has them below it."""
    if page != ROOT / "tutorials" / "README.md":
        return ""
    return toctree(path.stem for path in TUTORIALS)


def toctree(names: Iterable[str]) -> str:
    """The Markdown that puts pages below another, in the order of the names."""
    return "\n```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n"


def number_of(tutorial: Path) -> int:
    """The number of a tutorial, from its name."""
    return int(tutorial.name[:2])


def write(path: Path, text: str) -> None:
    """Write a page, unless it is there already: Sphinx reads again what is newer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
