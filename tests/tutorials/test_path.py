"""The page that lists the tutorials says of each what its own first lines say."""

import re

import pytest
from reading import TUTORIALS, cells_of

ROOT = next(iter(TUTORIALS.values())).path.parent
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| \*\*\[(\d\d)\. (.*?)\]\((.*?)\)\*\*<br>(.*?) \| (.*?) \|$", PAGE, re.M)


def test_each_tutorial_has_a_row():
    assert [row[2] for row in ROWS] == [f"{name}.py" for name in TUTORIALS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_says_what_the_tutorial_says(row):
    number, question, file, text, picture = row
    tutorial = TUTORIALS[file.removesuffix(".py")]
    assert (int(number), question) == (tutorial.number, tutorial.question)
    before = re.search(r"\*\*Before:\*\* (.*)\.$", cells_of(tutorial.path.stem)[0].source, re.M)[1]
    facts = re.search(r"<br>(\d+) minutes, code (\d+) seconds?; before: (.*); section \d ", text)
    assert facts.groups() == (str(tutorial.minutes), str(tutorial.seconds), before)
    source, alternative = re.search(r'src="(.*?)" width="\d+" alt="(.*?)"', picture).groups()
    assert (ROOT / source).is_file()
    assert alternative


def test_links_of_the_page_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / target).exists(), target


def test_the_course_uses_each_tutorial_once():
    sections = re.findall(r"^\| \d .*? \| ([\d, ]+) \|", PAGE, re.M)
    used = [int(number) for cell in sections for number in cell.split(", ")]
    assert used == [tutorial.number for tutorial in TUTORIALS.values()]


def test_each_lesson_ends_at_a_heading_of_its_tutorial():
    lessons = re.findall(r'^\| (\d\d) \| [^|]*\? \| "(.*?)"(?:,.*)? \|$', PAGE, re.M)
    names = {name[:2]: name for name in TUTORIALS}
    assert [number for number, _ in lessons] == sorted(set(names) - {"04", "07", "13", "15"})
    for number, heading in lessons:
        text = TUTORIALS[names[number]].path.read_text(encoding="utf-8")
        assert f"\n# ## {heading}\n" in text, heading


def test_a_row_names_the_section_of_the_course():
    rows = re.findall(r"\*\*\[(\d\d)\..*section (\d [\w ]+?) \|", PAGE)
    sections = re.findall(r"^\| (\d [\w ]+?) \| ([\d, ]+) \|", PAGE, re.M)
    course = {number: section for section, cell in sections for number in cell.split(", ")}
    wrong = {number: course[number] for number, section in rows if section != course[number]}
    assert not wrong, f"these rows should name these sections: {wrong}"


def test_the_short_path_says_its_time():
    cell, minutes = re.search(r"\*\*In a weekend\*\*: ([\d, ]+) take (\d+) minutes", PAGE).groups()
    numbers = [int(number) for number in cell.split(", ")]
    assert len(numbers) == 7
    assert numbers == sorted(numbers)
    assert int(minutes) == sum(t.minutes for t in TUTORIALS.values() if t.number in numbers)


def test_the_page_counts_the_tutorials():
    counts = {12: "Twelve", 13: "Thirteen", 14: "Fourteen", 15: "Fifteen"}
    assert f"{counts[len(TUTORIALS)]} questions" in PAGE
    front = (ROOT.parent / "README.md").read_text(encoding="utf-8")
    assert f"{counts[len(TUTORIALS)]} tutorials" in front
