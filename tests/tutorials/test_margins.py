"""Where more than rounding is allowed between a number and the text, the text says so."""

import ast

import pytest
from reading import TUTORIALS, cells_of

from minifcn.course.lesson import _read

MARGIN = "give or take"


def wide_margins(cells):
    """The place of each cell that measures with a margin, what it measures, and how it is said."""
    for place, cell in enumerate(cells):
        for node in ast.walk(ast.parse("" if cell.is_markdown else cell.source)):
            if getattr(getattr(node, "func", None), "id", "") == "measured":
                within = [word.value for word in node.keywords if word.arg == "within"]
                text = node.args[2].value
                if within and ast.literal_eval(within[0]) > _read(text)[1] * (1 + 1e-9):
                    yield place, text


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_margin_is_said_near_by(name):
    cells = cells_of(name)
    missing = []
    for place, number in wide_margins(cells):
        before = [cell.source for cell in cells[:place] if cell.is_markdown][-2:]
        after = [cell.source for cell in cells[place:] if cell.is_markdown][:2]
        if MARGIN not in " ".join(" ".join(before + after).split()):
            missing.append(number)
    assert not missing, f'say how far these may be off, "{MARGIN} ...": {missing}'
