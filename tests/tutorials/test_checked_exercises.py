"""Tutorials, their page and the checked exercises name each other, and the names exist.

Which tutorial explains an exercise is said once, in `Exercise.tutorial`.
"""

import re

import pytest
from reading import TUTORIALS, cells_of

from minifcn.course.exercises import NAMES, find_exercise

EACH = pytest.mark.parametrize("name", TUTORIALS)
PAGE = next(iter(TUTORIALS.values())).path.with_name("README.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"`minifcn course (?:check my-course|hint|answer)((?: \w+)*)`")
HEADING = re.compile(r"^#{2,3} (.*)$", re.MULTILINE)

PLACE = re.compile(r"'(.+?)'(?=[,;.:]| and)")
"""A heading in a hint: its quotes end where the sentence goes on; it may have an apostrophe."""


def explained_by(number):
    """The names of the exercises that a tutorial explains, in order."""
    return [name for name in NAMES if find_exercise(name).tutorial == number]


def text_of(name):
    """The text of a tutorial, its lines joined, as paragraphs."""
    text = "\n\n".join(cell.source for cell in cells_of(name) if cell.is_markdown)
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text))


def announced_in(text):
    """The exercises that a text gives its reader to write, and the ones its command checks."""
    found = re.search(r"^Write (?:it|them) yourself, checked: (.*?) \((.*?)\)", text, re.MULTILINE)
    if not found:
        return [], []
    return re.findall(r"`(\w+)`", found[1]), COMMAND.findall(found[2])[-1].split()


def places_in(hint):
    """The headings that a hint sends to, each with the number of its tutorial."""
    for number, rest in re.findall(r"[Tt]utorial (\d\d)(.*?)(?=[Tt]utorial \d\d|$)", hint):
        yield from ((number, place) for place in PLACE.findall(rest))


@EACH
def test_a_tutorial_names_the_exercises_that_it_explains(name):
    exercises = text_of(name).split("## Exercises")[1].split("## Next")[0]
    names, checked = announced_in(exercises)
    assert names == checked == explained_by(int(name[:2]))


@EACH
def test_each_exercise_in_a_command_exists(name):
    named = {word for words in COMMAND.findall(text_of(name)) for word in words.split()}
    assert named <= set(NAMES)


def test_the_exercises_are_in_the_order_of_the_tutorials():
    numbers = [find_exercise(name).tutorial for name in NAMES]
    assert numbers == sorted(numbers)


def test_the_course_names_each_exercise_in_its_section():
    rows = re.findall(r"^\| \d [\w ]+? \| ([\d, ]+) \| (.*?) \|", PAGE, re.MULTILINE)
    assert len(rows) == 9
    for tutorials, cell in rows:
        expected = [name for number in tutorials.split(", ") for name in explained_by(int(number))]
        assert re.findall(r"`(\w+)`", cell) == expected, tutorials


@pytest.mark.parametrize("exercise", NAMES)
def test_a_hint_sends_to_headings_that_exist(exercise):
    places = list(places_in(find_exercise(exercise).hints[1]))
    for number, place in places:
        (text,) = (text_of(name) for name in TUTORIALS if name.startswith(number))
        assert place in HEADING.findall(text), number
    assert f"{find_exercise(exercise).tutorial:02}" == places[0][0]


def test_places_are_found_in_a_hint():
    hint = "Tutorial 02, 'Is it?' and 'A, and its b'; for c tutorial 09, 'Don't stop: go on'."
    assert list(places_in(hint)) == [
        ("02", "Is it?"),
        ("02", "A, and its b"),
        ("09", "Don't stop: go on"),
    ]


def test_an_announcement_is_found():
    text = "1. A.\n\nWrite it yourself, checked: `a`, b (`minifcn course check my-course c d`). `e`"
    assert announced_in(text) == (["a"], ["c", "d"])
    assert announced_in("Nothing (`minifcn course check my-course c`).") == ([], [])
