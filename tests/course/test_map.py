"""The map of the course: each tutorial has one place in the strip and one in the picture."""

import re

import pytest
from matplotlib.figure import Figure

from minifcn.course import map as course_map
from minifcn.course.notebooks import find_tutorials

NUMBERS = [tutorial.number for tutorial in find_tutorials()]


@pytest.fixture
def figure(monkeypatch, tmp_path):
    """The map, drawn."""
    figures = []
    monkeypatch.setattr("minifcn.plots.canvas._save", lambda figure, path: figures.append(figure))
    course_map.draw_map(tmp_path / "map.png")
    assert isinstance(figures[0], Figure)
    return figures[0]


def test_the_strip_has_each_tutorial_once():
    assert sorted(int(n) for n in re.findall(r"\d\d", course_map.STRIP)) == list(range(1, 16))


def test_a_number_is_marked_and_nothing_else_changes():
    marked = course_map.here(7)
    assert "coarse map [07]" in marked
    assert marked.replace("[07]", "07") == course_map.STRIP


def test_the_picture_has_each_number_in_the_network_and_in_the_legend(figure):
    texts = [text.get_text() for text in figure.axes[0].texts]
    for number in range(1, 16):
        assert texts.count(f"{number:02}") == 2
        assert texts.count(course_map.ABOUT[number]) >= 1
    assert set(NUMBERS) <= set(course_map.PLACES)


def test_everything_lies_inside_the_page_and_no_text_is_on_another(figure):
    page = figure.bbox
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    for k, box in enumerate(boxes):
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
        assert not [other for other in boxes[:k] if box.overlaps(other)]


def test_a_path_that_is_no_picture_is_named(tmp_path):
    with pytest.raises(ValueError, match="must end in"):
        course_map.draw_map(tmp_path / "map.gif")
