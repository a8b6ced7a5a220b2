"""A tutorial read as a reader meets it: cells, prose without code, and what `measured` says."""

import ast
import os
import re
from typing import NamedTuple

from minifcn.course.lesson import STRICT
from minifcn.course.notebooks import find_tutorials

TUTORIALS = {tutorial.path.stem: tutorial for tutorial in find_tutorials()}

NUMBER = re.compile(
    r"(?<![\w.,/])[+−-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+−-]?\d+)?(?: ?%)?(?![\w]|[.,]\d)"
)
NEEDS_MEASURING = re.compile(r"[.,%e]")
"""In a whole number without a comma none of these occurs: it may be counted by the reader."""

STRICTLY = {**os.environ, STRICT: "1"}
"""The environment in which what is not as the text says is an error."""

TOLD = re.compile(r"^.*(?:you measured|in the original).*$", re.MULTILINE)
"""The lines that a reader gets instead of an error."""


class Cell(NamedTuple):
    options: str
    source: str

    @property
    def is_markdown(self):
        return self.options.startswith("[markdown]")


def cells_of(name):
    """Each cell's header, after `# %%`, and its text; markdown without its comment signs."""
    return cells_in(TUTORIALS[name].path.read_text(encoding="utf-8"))


def answers_of(name):
    """The cells of the answers, without the first two, which run the tutorial."""
    title, first, *cells = cells_in(TUTORIALS[name].answers.read_text(encoding="utf-8"))
    assert title.source.startswith(f"# Answers to the exercises of tutorial {name[:2]}\n")
    assert f"globals().update(run_tutorial({int(name[:2])}))" in first.source
    return cells


def explained_in(cell):
    """The comments of an answer, line by line, without signs and numbers."""
    return re.findall(r"^# (?:\d\.|  ) (.*)$", cell.source, flags=re.MULTILINE)


def cells_in(text):
    """Each cell's header and its text, of a script."""
    before, *parts = re.split(r"^# %%(.*)\n", text, flags=re.MULTILINE)
    assert not before.strip(), "text before the first cell"
    cells = [Cell(h.strip(), body) for h, body in zip(parts[::2], parts[1::2], strict=True)]
    return [
        cell._replace(source=re.sub(r"^# ?", "", cell.source, flags=re.MULTILINE))
        if cell.is_markdown
        else cell
        for cell in cells
    ]


def prose_of(name):
    """All markdown, less what is code: fences, backticks, the line of times, links' targets."""
    text = "\n\n".join(cell.source for cell in cells_of(name) if cell.is_markdown)
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`]*`", " code ", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    text = re.sub(r"^# \d\d\. ", "", text, flags=re.MULTILINE)
    return re.sub(r"^\*\*Time:\*\*.*$", "", text, flags=re.MULTILINE)


def numbers_in(prose):
    return {plain(found.group()) for found in NUMBER.finditer(prose)}


def measured_in(name):
    """The texts of all calls of `measured`, which must be written out in the call."""
    return [text for cell in cells_of(name) for text in measured_by(cell)]


def measured_by(cell):
    """The texts of the calls in one cell."""
    texts = []
    for node in ast.walk(ast.parse("" if cell.is_markdown else cell.source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "measured":
            assert isinstance(node.args[2], ast.Constant), "write the text out in the call"
            texts.append(plain(node.args[2].value))
    return texts


def said_near(cells, place):
    """The numbers in the two cells of text before a place and the two after it."""
    before = [cell for cell in cells[:place] if cell.is_markdown][-2:]
    after = [cell for cell in cells[place:] if cell.is_markdown][:2]
    return numbers_in("\n\n".join(cell.source for cell in before + after))


def decimals_in_backticks(name):
    """Decimals that the prose sets as code, where `prose_of` does not see them."""
    text = "\n\n".join(cell.source for cell in cells_of(name) if cell.is_markdown)
    code = re.findall(r"```.*?```|`[^`]*`", text, re.DOTALL)
    return {found for part in code for found in re.findall(r"\d+\.\d+", part)}


def plain(number):
    """One way of writing: no thin space before a percent sign, a hyphen for a minus."""
    return re.sub(r" ?%", " %", number.replace("−", "-"))
