"""The glossary as rows; run as a script it sorts both tables and writes the Korean one anew.

    python tests/tutorials/glossary.py

The Korean table follows from the English one: it has a row for each Korean word, and a comma in the
Korean column parts words that mean the same. In brackets is no other word but what the one before
them means, or how it is written in English.
"""

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parents[2] / "tutorials" / "GLOSSARY.md"
KOREAN_HEAD = "| 한국어 | English | Tutorial |\n|---|---|---|\n"


class Term(NamedTuple):
    english: str
    korean: str
    meaning: str
    tutorial: str

    @property
    def line(self):
        return f"| {' | '.join(self)} |\n"

    @property
    def korean_words(self):
        """Each Korean word of the term, without what is in brackets."""
        words = re.split(r",\s*(?![^()]*\))", self.korean)
        return [re.sub(r"\(.*?\)", "", word).strip() for word in words]


class KoreanRow(NamedTuple):
    korean: str
    english: str
    tutorial: str

    @property
    def line(self):
        return f"| {' | '.join(self)} |\n"


def terms(page):
    """The terms that tutorials explain: the rows that end in a tutorial's number."""
    return [Term(*cells) for cells in rows_of(page) if re.fullmatch(r"\d\d", cells[3])]


def other_words(page):
    """The words of other texts: the rows that end in "see" and a tutorial's number."""
    return [Term(*cells) for cells in rows_of(page) if re.fullmatch(r"see \d\d", cells[3])]


def rows_of(page):
    """The cells of all rows with four."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("| ")
    ]
    return [row for row in cells if len(row) == 4]


def korean_rows(page):
    """The rows of the Korean table, as they stand there."""
    _, _, table = page.partition(KOREAN_HEAD)
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [KoreanRow(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines]


def wanted_korean_rows(page):
    """The rows that the Korean table should have, in the order of the Korean alphabet."""
    rows = [
        KoreanRow(word, term.english, term.tutorial)
        for term in [*terms(page), *other_words(page)]
        for word in term.korean_words
    ]
    return sorted(rows, key=by_letters)  # NFC's code points of Hangul are in alphabetical order


def by_letters(row):
    """What rows are sorted by: the words of a row, capital letters as small ones."""
    return [cell.casefold() for cell in row]


def in_order(page):
    """The page with all its tables in order, and with the Korean table as it should be."""
    for rows in (terms(page), other_words(page)):
        lines = "".join(row.line for row in rows)
        assert lines in page, "a table is interrupted"
        page = page.replace(lines, "".join(row.line for row in sorted(rows, key=by_letters)))
    before, head, _ = page.partition(KOREAN_HEAD)
    return before + head + "".join(row.line for row in wanted_korean_rows(page))


if __name__ == "__main__":
    PAGE.write_text(in_order(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
