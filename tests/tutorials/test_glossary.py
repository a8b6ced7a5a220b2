"""The glossary: a row for each bold term, in English and Korean, and both tables agree."""

import re
import unicodedata

import pytest
from glossary import PAGE, by_letters, in_order, korean_rows, other_words, terms, wanted_korean_rows
from reading import TUTORIALS, cells_of

TEXT = PAGE.read_text(encoding="utf-8")
TERMS, OTHERS = terms(TEXT), other_words(TEXT)
MEND = "mend it with: python tests/tutorials/glossary.py"

NO_TERM = {"time:", "before:", "predict", "optional."}
"""What tutorials set in bold that is no term: the first words of a line."""

ENGLISH_IN_KOREAN = {"Adam", "Bed of Nails", "FCN", "FCN-16s", "FCN-32s", "FCN-8s", "GPU"}
"""Words that Korean texts write in English."""

NOT_KOREAN = {
    "베드 오브 네일스", "아담", "그래픽 처리 장치", "야코비안 행렬", "상류 기울기", "최상위 층",
    "분산 비율", "기울기 검사", "팽창", "교집합/합집합 비율", "꺾임점", "기준선", "커널 찍기",
}  # fmt: skip
"""Translations that nobody uses, or that mislead; they stood here once."""


def bold_in(name):
    """The terms that a tutorial sets in bold, each in one line and in small letters."""
    text = "\n".join(cell.source for cell in cells_of(name) if cell.is_markdown)
    found = re.findall(r"\*\*(.*?)\*\*", text, re.DOTALL)
    return {" ".join(term.split()).casefold() for term in found} - NO_TERM


def written(term):
    """How a term may be written in a text: with its brackets or without, as one or several."""
    whole = term.casefold()
    short = re.sub(r" \(.*\)", "", whole)
    inside = set(re.findall(r" \((.*)\)", whole))
    return {whole, short, f"{short}s", f"{short}es"} | inside


def test_each_bold_term_has_a_row():
    known = set().union(*(written(term.english) for term in TERMS))
    missing = [
        f"| {term} |  |  | {name[:2]} |"
        for name in TUTORIALS
        for term in sorted(bold_in(name) - known)
    ]
    assert not missing, "rows that GLOSSARY.md lacks:\n" + "\n".join(missing)


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.english)
def test_a_term_is_first_in_bold_where_the_glossary_says(term):
    places = [name[:2] for name in TUTORIALS if bold_in(name) & written(term.english)]
    assert places, "it is in bold nowhere"
    assert term.tutorial == places[0], f"it is in bold in {places}"


def test_a_term_stands_once():
    names = [term.english.casefold() for term in [*TERMS, *OTHERS]]
    assert len(TERMS) >= 60
    assert not [name for name in names if names.count(name) > 1]


@pytest.mark.parametrize("term", [*TERMS, *OTHERS], ids=lambda term: term.english)
def test_each_term_has_a_meaning_and_korean_words(term):
    assert term.meaning.endswith((".", ". "))
    for word in term.korean_words:
        assert re.search("[가-힣]", term.korean) or word in ENGLISH_IN_KOREAN
        assert word
        assert word not in NOT_KOREAN
    assert " (" not in term.korean, "brackets stand close to the word"
    assert term.korean == unicodedata.normalize("NFC", term.korean)


def test_words_of_other_texts_name_a_tutorial():
    numbers = {name[:2] for name in TUTORIALS}
    assert {term.tutorial.removeprefix("see ") for term in OTHERS} <= numbers


def test_the_english_tables_are_sorted():
    for rows in (TERMS, OTHERS):
        assert rows == sorted(rows, key=by_letters), MEND


def test_the_korean_table_has_the_same_terms():
    there, wanted = korean_rows(TEXT), wanted_korean_rows(TEXT)
    missing = "".join(row.line for row in wanted if row not in there)
    unknown = "".join(row.line for row in there if row not in wanted)
    assert not missing, f"the Korean table lacks these; {MEND}\n{missing}"
    assert not unknown, f"the Korean table has these, the English one not; {MEND}\n{unknown}"


def test_the_korean_table_is_sorted():
    assert korean_rows(TEXT) == wanted_korean_rows(TEXT), MEND
    assert in_order(TEXT) == TEXT, MEND


def test_a_term_that_one_table_lacks_would_be_noticed(monkeypatch):
    page = TEXT.replace(TERMS[5].line, "", 1)
    monkeypatch.setitem(globals(), "TEXT", page)
    with pytest.raises(AssertionError, match="the English one not"):
        test_the_korean_table_has_the_same_terms()
    assert korean_rows(in_order(page)) == wanted_korean_rows(page)


@pytest.mark.parametrize(
    ("korean", "words"),
    [
        ("수용 영역, 수용장", ["수용 영역", "수용장"]),
        ("위상(phase, 스트라이드 안의 자리)", ["위상"]),
        ("분할(시맨틱 분할), 세그멘테이션", ["분할", "세그멘테이션"]),
    ],
)
def test_korean_words_are_found(korean, words):
    assert TERMS[0]._replace(korean=korean).korean_words == words
