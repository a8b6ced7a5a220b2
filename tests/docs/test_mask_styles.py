"""The table of mask styles in docs/OWN_IMAGES.md says what becomes of each, as the code does.

Each row stands for cases of tests/data/test_data_meaning.py, where folders are written and read.
"""

import re
import sys

import pytest
from pages import PAGES, ROOT

sys.path.append(str(ROOT / "tests" / "data"))
from test_data_meaning import CASES  # noqa: E402

SECTION = re.search(r"^## What masks mean\n(.*?)^## ", PAGES["docs/OWN_IMAGES.md"], re.M | re.S)[1]
ROWS = dict(re.findall(r"^\| (.*?) \| (.*?) \| .* \|$", SECTION, re.MULTILINE)[1:])

STYLES = {
    "ids 0, 1, 2, ...": ["ids", "ids, names", "ids of 16 bits", "ids saved as RGB", "ids and void"],
    "ids as the indices of a palette": ["ids in a palette", "ids in a palette, names"],
    "ids with a gap": ["ids with a gap", "ids with a gap, names", "ids from 1"],
    "ids from 1, and a name": ["ids from 1, names"],
    "an id that has no name": ["an id too many", "a stray id, names"],
    "ids, and you want colours": ["ids, colours for pictures", "few pixels of ids, colours"],
    "0 and 255 alone, in any mode": [
        "0 and 255", "0 and 255, names", "0 and 255 as RGB", "0 and 255 as RGBA",
        "0 and 255 with alpha", "0 and 255, some in one bit",
    ],
    "0 and 255 alone, but": ["0 and 255, one name", "0 and 255, three names"],
    "0 and 1 in some masks": [
        "some 0 and 1, some 0 and 255", "some 0 and 1, some 0 and 255, names",
    ],
    "one id beside 255": ["1 and 255"],
    "shades of grey": ["0, 128 and 255", "0, 128 and 255, names"],
    "colours (RGB, RGBA)": ["RGB", "RGB, names"],
    "colours, and each name": [
        "RGB, colours", "RGBA, colours", "RGBA, transparent background", "palette by colours",
        "0, 128 and 255, colours",
    ],
    "a colour that has no line": [
        "RGB, a colour missing", "RGB, one stray pixel", "0 and 255, other colours",
    ],
    "a palette in another order": ["palette shuffled", "palette shuffled, names"],
    "a palette of two": [
        "white and black in a palette", "white and black in a palette, names",
        "white and black in some palettes",
    ],
    "smoothed edges between 0": [
        "soft edges of 0 and 255", "soft edges of 0 and 255, names",
    ],
    "smoothed edges between colours": [
        "soft edges of colours", "soft edges where three meet", "soft edges of shades, colours",
    ],
    "edges of a sharper filter": ["edges of a sharper filter"],
    "a stray pixel": ["a stray id", "a near stray id"],
    "black everywhere": ["shapes in alpha", "ids in alpha"],
    "255 in every pixel": ["all void"],
}  # fmt: skip
"""How each row begins, and the cases that it stands for."""

REMEDIES = {
    "shades of grey": "0, 128 and 255, colours",
    "colours (RGB, RGBA)": "RGB, colours",
    "a palette in another order": "palette shuffled, colours",
    "a palette of two": "white and black in a palette, colours",
    "a colour that has no line": "RGB, void colour",
    "0 and 255 alone, but": "0 and 255, names",
}
"""What is refused, and the case in which what the row says was written."""


def row_of(beginning):
    (row,) = [cells for cells in ROWS.items() if cells[0].startswith(beginning)]
    return row


def test_each_row_has_its_cases():
    assert len(ROWS) == len(STYLES)
    assert {row_of(beginning)[0] for beginning in STYLES} == {*ROWS}


@pytest.mark.parametrize("beginning", STYLES)
def test_a_row_says_refused_where_the_code_refuses(beginning):
    said = row_of(beginning)[1].startswith("refused")
    for case in STYLES[beginning]:
        _, _, expected, _ = CASES[case]
        assert (expected is None) == said, case


@pytest.mark.parametrize("beginning", REMEDIES)
def test_what_a_row_says_to_write_is_read(beginning):
    _, _, expected, _ = CASES[REMEDIES[beginning]]
    assert expected is not None


def test_colours_that_are_looked_up_are_said_to_be():
    assert all("colours" in CASES[case][3] for case in STYLES["colours, and each name"])
