"""Cells of a page: what they print, show and return is sent, and errors are told in the cell."""

import pytest

from minifcn.course import lesson
from minifcn.course.in_page import MOST, Cells


@pytest.fixture
def cells():
    """Cells, and what they sent, in `cells.sent`."""
    sent = []
    made = Cells(lambda kind, value: sent.append((kind, value)))
    made.sent = sent
    yield made
    lesson.show_by(None)


def text(cells, kind="stdout"):
    return "".join(value for sent, value in cells.sent if sent == kind)


def test_names_are_shared(cells):
    assert cells.run(1, "a = 2")
    assert cells.run(2, "print(a + 1)")
    assert cells.sent == [("stdout", "3"), ("stdout", "\n")]


@pytest.mark.parametrize(
    ("source", "printed"),
    [("2 * 3", "6\n"), ("2 * 3;", ""), ("None", ""), ("'a'", "'a'\n"), ("a = 1", ""), ("", "")],
)
def test_the_value_of_the_last_line_is_shown(source, printed, cells):
    assert cells.run(1, source)
    assert text(cells) == printed


def test_a_value_that_is_a_page_is_sent_as_one(cells):
    from minifcn.explain import explain

    cells.names["explain"] = explain
    assert cells.run(1, "explain('conv2d')")
    ((kind, page),) = cells.sent
    assert kind == "html"
    assert page.startswith("<iframe")


def test_an_error_is_told_from_the_cell_on(cells):
    cells.run(1, "def divide(a, b):\n    return a / b")
    assert not cells.run(2, "print('before')\ndivide(1, 0)\nprint('after')")
    told = text(cells, "error").splitlines()
    assert told[:3] == [
        "Traceback (most recent call last):",
        '  File "cell 2", line 2, in <module>',
        "    divide(1, 0)",
    ]
    assert '  File "cell 1", line 2, in divide' in told
    assert told[-1] == "ZeroDivisionError: division by zero"
    assert text(cells) == "before\n"


def test_what_is_not_python_is_told(cells):
    assert not cells.run(3, "a = (1\nb")
    told = text(cells, "error")
    assert 'File "cell 3", line 1' in told
    assert "SyntaxError" in told
    assert "in_page" not in told


@pytest.mark.parametrize("stop", ["raise KeyboardInterrupt", "raise SystemExit"])
def test_nothing_ends_the_worker(stop, cells):
    assert not cells.run(1, f"a = 1\n{stop}")
    assert cells.run(2, "a")
    assert text(cells) == "1\n"


def test_stderr_is_told_apart(cells):
    cells.run(1, "import sys\nprint('a', file=sys.stderr)")
    assert (text(cells, "stderr"), text(cells)) == ("a\n", "")


def test_endless_output_is_cut_once_and_anew_in_each_cell(cells):
    cells.run(1, f"for _ in range({MOST}):\n    print('abc')")
    assert len(text(cells)) == MOST
    assert text(cells, "stderr").count("left out") == 1
    cells.sent.clear()
    cells.run(2, "print('again')")
    assert text(cells) == "again\n"


@pytest.mark.parametrize("suffix", [".png", ".gif", ".svg"])
def test_pictures_are_sent_as_they_are_when_shown(suffix, cells, tmp_path):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"first")
    show = f"from minifcn.course.lesson import show\nshow({str(path)!r})"
    assert cells.run(1, show)
    path.write_bytes(b"second")
    assert cells.sent == [(suffix, b"first")]


def test_pages_are_sent_and_what_cannot_be_shown_is_refused_as_elsewhere(cells, tmp_path):
    path = tmp_path / "a.html"
    path.write_text("<p>é</p>", encoding="utf-8")
    assert cells.run(1, f"from minifcn.course.lesson import show\nshow({str(path)!r})")
    assert cells.sent == [("html", "<p>é</p>")]
    assert not cells.run(2, "show('missing.png')")
    assert not cells.run(3, "show('a.jpg')")
    assert "path must end in" in text(cells, "error")


def test_without_cells_pictures_are_named_again(cells, tmp_path, capsys):
    lesson.show_by(None)
    path = tmp_path / "a.png"
    path.write_bytes(b"")
    lesson.show(path)
    assert capsys.readouterr().out == f"picture: {path}\n"
    assert cells.sent == []
