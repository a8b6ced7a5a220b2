"""The form of the tutorials: what each begins and ends with, and that its numbers are measured."""

import ast
import re

import pytest
from reading import (
    NEEDS_MEASURING,
    TUTORIALS,
    answers_of,
    cells_of,
    decimals_in_backticks,
    explained_in,
    measured_by,
    measured_in,
    numbers_in,
    prose_of,
    said_near,
)

from minifcn.course.map import here

EACH = pytest.mark.parametrize("name", TUTORIALS)
ROOT = next(iter(TUTORIALS.values())).path.parent


def test_there_are_fifteen_in_order():
    assert [tutorial.number for tutorial in TUTORIALS.values()] == list(range(1, 16))
    assert [int(name[:2]) for name in TUTORIALS] == list(range(1, 16))
    assert sorted(path.stem for path in ROOT.glob("*.py")) == list(TUTORIALS)
    assert sorted(path.stem for path in ROOT.glob("answers/*")) == list(TUTORIALS)


@EACH
def test_begins_with_a_question_and_ends_with_what_comes_next(name):
    first, *_, last = cells_of(name)
    assert first.is_markdown
    assert re.match(rf"# {name[:2]}\. .*\?\n\n\*\*Time:\*\* ", first.source)
    assert last.is_markdown
    assert "## Next" in last.source


def exercises_of(name):
    """The text of the exercises, and how many there are."""
    text = "\n\n".join(cell.source for cell in cells_of(name) if cell.is_markdown)
    exercises = text.split("## Exercises")[1].split("## Next")[0]
    return exercises, len(re.findall(r"^\d\. ", exercises, re.MULTILINE))


@EACH
def test_each_exercise_has_an_answer_that_is_checked(name):
    cells = answers_of(name)
    assert [cell.source.lstrip()[:5] for cell in cells] == [
        f"# {n}. " for n in range(1, exercises_of(name)[1] + 1)
    ]
    for cell in cells:
        assert re.search(r"^ *(claim|equal|measured)\(", cell.source, re.MULTILINE), cell.source


@EACH
def test_answers_stand_nowhere_else(name):
    text = TUTORIALS[name].path.read_text(encoding="utf-8")
    assert "minifcn tutorials --answers DIR" in exercises_of(name)[0]
    for line in (line for cell in answers_of(name) for line in explained_in(cell)):
        assert line not in text


@EACH
def test_each_decimal_of_an_answer_is_measured_or_in_its_code(name):
    for cell in answers_of(name):
        code = re.sub(r"^# .*$", "", cell.source, flags=re.MULTILINE)
        said = numbers_in(" ".join(explained_in(cell)))
        unknown = {n for n in said if re.search(r"[.e]", n)} - set(measured_by(cell))
        assert unknown <= set(re.findall(r"[\d.]+(?:e-?\d+)?", code))


@EACH
def test_nothing_but_the_lesson_holds_the_text(name):
    for path in (TUTORIALS[name].path, TUTORIALS[name].answers):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
        assert not nodes, "claim, equal and measured tell a reader; an assert stops"


@EACH
def test_the_reader_is_told_where_on_the_map_this_is(name):
    assert f"```\n{here(int(name[:2]))}\n```" in cells_of(name)[0].source


@EACH
def test_what_comes_before_is_named(name):
    before = re.search(r"\*\*Before:\*\* (.*)\.$", cells_of(name)[0].source, re.MULTILINE)[1]
    numbers = [] if before == "nothing" else [int(number) for number in before.split(", ")]
    assert all(1 <= number < int(name[:2]) for number in numbers)
    assert bool(numbers) == (name[:2] != "01")


@EACH
def test_has_a_prediction_exercises_and_what_comes_next(name):
    headings = re.findall(r"^## (.*)$", prose_of(name), re.MULTILINE)
    assert headings.count("Predict") >= 1
    assert headings[-2:] == ["Exercises", "Next"]
    assert 2 <= exercises_of(name)[1] <= 3


@EACH
def test_shows_a_picture_and_compares_by_hand_with_the_package(name):
    code = "\n".join(cell.source for cell in cells_of(name) if not cell.is_markdown)
    assert re.search(r"^ *show\(", code, re.MULTILINE)
    assert re.search(r"^ *equal\(", code, re.MULTILINE)
    assert re.search(r"^ *measured\(", code, re.MULTILINE)


@EACH
def test_cells_are_short(name):
    for cell in cells_of(name):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= (40 if "class " in cell.source else 30), cell.source


@EACH
def test_every_number_of_the_text_is_measured(name):
    numbers = {n for n in numbers_in(prose_of(name)) if NEEDS_MEASURING.search(n)}
    assert numbers <= set(measured_in(name)), "in the text, but not measured"


@EACH
def test_every_measured_number_is_in_the_text(name):
    assert set(measured_in(name)) <= numbers_in(prose_of(name)), "measured, but not in the text"


@EACH
def test_a_measured_number_is_said_near_by(name):
    cells = cells_of(name)
    for place, cell in enumerate(cells):
        assert set(measured_by(cell)) <= said_near(cells, place)


# Quoted from the paper, a constant of an algorithm, or steps of a sum whose result is measured.
WRITTEN_OUT = {
    "04_gradient_check": {"0.61"},
    "12_skips": {"0.00001", "0.42", "0.34"},
    "13_crops": {"15.5", "31.5"},
}


@EACH
def test_a_decimal_in_backticks_is_in_the_code_too(name):
    cells = [*cells_of(name), *answers_of(name)]
    code = "\n".join(cell.source for cell in cells if not cell.is_markdown)
    known = set(re.findall(r"\d+\.\d+", code)) | WRITTEN_OUT.get(name, set())
    assert decimals_in_backticks(name) <= known


@EACH
def test_uses_no_private_name_of_the_package(name):
    tree = ast.parse(TUTORIALS[name].path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("minifcn"):
            names = [*node.module.split("."), *(alias.name for alias in node.names)]
            assert not [name for name in names if name.startswith("_")]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert node.value.id in ("self", "cls") or not re.match(r"_[^_]", node.attr)


@pytest.mark.parametrize(
    ("prose", "numbers"),
    [
        ("82.1 % of 1,296, 3 and 1e-7.", {"82.1 %", "1,296", "3", "1e-7"}),
        ("between 0.5, 0.25 and −4.5%", {"0.5", "0.25", "-4.5 %"}),
        ("tutorials 01, 02; VGG16; 8x8; 3 x 3", {"01", "02", "3"}),
    ],
)
def test_numbers_are_found(prose, numbers):
    assert numbers_in(prose) == numbers
