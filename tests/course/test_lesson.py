"""What the tutorials check their text with: it passes what is so, and fails what is not."""

import numpy as np
import pytest

import minifcn
from minifcn.course.lesson import STRICT, claim, equal, measured, pictures, progress, show


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    """As the tests of the tutorials run them; a test of what a reader sees takes it back."""
    monkeypatch.setenv(STRICT, "1")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.8349, "0.83"), (0.825, "0.83"), (0.835, "0.83"), (0.8249999, "0.82"),
        (0.8206, "82.1 %"), (0.82, "82%"), (1296, "1,296"), (1_000_000, "1,000,000"),
        (-5, "-5"), (-5, "−5"), (1.4e-7, "1e-7"), (27, "27"), (np.float32(0.5), "0.5"),
        (np.array([[3]]), "3"), (minifcn.tensor([0.25]), "0.25"), (2.5e-11, "2.5e-11"),
    ],
)  # fmt: skip
def test_rounded_values_are_what_the_text_says(value, text, capsys):
    measured("share", value, text)
    assert capsys.readouterr().out.startswith("share: ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.836, "0.83"), (0.824, "0.83"), (0.83, "83"), (83, "83 %"), (1295, "1,296"), (5, "-5"),
        (1.6e-7, "1e-7"), (float("nan"), "0"), (float("inf"), "1e300"), (28, "27"),
    ],
)  # fmt: skip
def test_other_values_are_not(value, text, capsys):
    with pytest.raises(AssertionError, match=r"share: measured .*, but the text says "):
        measured("share", value, text)
    assert not capsys.readouterr().out


def test_within_widens_and_narrows():
    measured("score", 0.64, "0.6", within=0.05)
    with pytest.raises(AssertionError, match="measured 0.66, but the text says 0.6"):
        measured("score", 0.66, "0.6", within=0.05)
    with pytest.raises(AssertionError, match="measured 0.62,"):
        measured("score", 0.62, "0.6", within=0.01)


def test_what_was_measured_is_printed(capsys):
    measured("pixels", 0.82060384, "82.1 %")
    measured("sum", 4076863488, "4,076,863,488")
    measured("ratio", 2 / 3, "0.67")
    measured("nothing", -0.0, "0")
    assert capsys.readouterr().out.splitlines() == [
        "pixels: 82.0604 % (the text says 82.1 %)",
        "sum: 4,076,863,488 (the text says 4,076,863,488)",
        "ratio: 0.666667 (the text says 0.67)",
        "nothing: 0 (the text says 0)",
    ]


@pytest.mark.parametrize("text", ["", "about 3", "3 px", "1,29", "1.", ".5", "0x3", "1e", "nan"])
def test_a_text_that_is_no_number_is_an_error(text):
    with pytest.raises(ValueError, match="text must be a number"):
        measured("share", 3, text)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"value must be one number, got shape \(2,\)"):
        measured("share", [1, 2], "3")
    for within in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="within must be a number of 0 or more, got"):
            measured("share", 3, "3", within=within)
        with pytest.raises(ValueError, match="within must be a number of 0 or more, got"):
            equal("pair", 3, 3, within)


def test_equal_arrays(capsys):
    a = np.arange(6.0).reshape(2, 3)
    equal("exact", a, a, within=0)
    equal("tensor", minifcn.tensor(a), a + 1e-12)
    equal("number", 1 / 3, 1 / 3)
    equal("bool", [True], [True])
    equal("infinite", [-np.inf, 1], [-np.inf, 1], within=0)
    assert capsys.readouterr().out.splitlines() == [
        "exact: exactly equal, 6 numbers",
        "tensor: equal, to 1.0e-12, 6 numbers",
        "number: exactly equal",
        "bool: exactly equal, 1 numbers",
        "infinite: exactly equal, 2 numbers",
    ]


@pytest.mark.parametrize(
    ("a", "b", "within", "message"),
    [
        ([1.0, 2, 3], [1.0, 2, 4], 1e-9, r"differ at \(2,\), 3 and 4"),
        ([1.0, 2, 3], [1.0, 2, 3 + 1e-12], 0, r"differ at \(2,\)"),
        ([1.0, np.nan], [1.0, 2], 1, r"differ at \(1,\), nan and 2"),
        ([1.0, 1], [1.0, np.inf], 1, r"differ at \(1,\)"),
        ([-np.inf, 1], [-np.inf, 999], 0.1, r"differ at \(1,\), 1 and 999"),
        ([2**60, 1], [2**60 + 1, 1], 0, r"differ at \(0,\)"),
        ([1.0, 2], [[1.0, 2]], 1, r"shapes differ, \(2,\) and \(1, 2\)"),
        ([], [], 1, r"nothing to compare"),
        (3, 4, 0.2, "differ, 3 and 4"),
        (np.uint8([0]), np.uint8([255]), 0.5, "differ"),
    ],
)
def test_different_arrays(a, b, within, message, capsys):
    with pytest.raises(AssertionError, match=f"pair: {message}"):
        equal("pair", a, b, within)
    assert not capsys.readouterr().out


def test_pictures_have_a_folder_and_scripts_say_where(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = pictures("07")
    assert folder.is_dir()
    assert pictures("07") == folder
    (folder / "a.png").write_bytes(b"")
    show(folder / "a.png")
    assert capsys.readouterr().out.split() == ["picture:", "runs/tutorials/07/a.png"]
    (folder / "steps.html").write_text("")
    show(folder / "steps.html")
    assert capsys.readouterr().out == "page: runs/tutorials/07/steps.html (open it in a browser)\n"
    with pytest.raises(FileNotFoundError, match="there is no picture"):
        show(folder / "b.png")
    with pytest.raises(
        ValueError, match=r"path must end in .png, .gif, .svg or .html, got 'a.jpg'"
    ):
        show("a.jpg")


def test_a_claim_is_silent_where_it_is_so_and_an_error_where_it_is_not(capsys):
    claim("two is even", 2 % 2 == 0)
    claim("some are large", np.array([1, 5]).max() > 3)
    assert not capsys.readouterr().out
    with pytest.raises(AssertionError, match="^not so: three is even$"):
        claim("three is even", 3 % 2 == 0)


@pytest.mark.parametrize("switch", [None, "", "0"])
def test_a_reader_is_told_and_nothing_stops(switch, monkeypatch, capsys):
    monkeypatch.delenv(STRICT)
    if switch is not None:
        monkeypatch.setenv(STRICT, switch)
    measured("share", 0.9132, "83 %")
    measured("pixels", 12, "1,296")
    equal("pair", [1, 2], [1, 3])
    equal("sizes", [1, 2], [1, 2, 3])
    claim("three is even", 3 % 2 == 0)
    measured("right", 3, "3")
    assert capsys.readouterr().out.splitlines() == [
        "share: you measured 91.32 %; the text says 83 % for the original",
        "pixels: you measured 12; the text says 1,296 for the original",
        "pair: differ at (1,), 2 and 3; in the original they are equal",
        "sizes: shapes differ, (2,) and (3,); in the original they are equal",
        "not so here, but in the original: three is even",
        "right: 3 (the text says 3)",
    ]


def test_wrong_use_is_an_error_for_a_reader_too(monkeypatch):
    monkeypatch.delenv(STRICT)
    with pytest.raises(ValueError, match="text must be a number"):
        measured("share", 3, "about 3")
    with pytest.raises(ValueError, match="value must be one number"):
        measured("share", [1, 2], "3")


def test_progress_counts_and_says_how_far_it_is_every_few_seconds(monkeypatch, capsys):
    seconds = iter(range(0, 100, 2))  # each step takes two
    monkeypatch.setattr("minifcn.course.lesson.time.monotonic", lambda: next(seconds))
    assert list(progress(8, "training", every=5)) == list(range(8))
    printed = capsys.readouterr()
    assert not printed.out
    assert printed.err.splitlines() == [
        "training: step 2 of 8, 18 s left",
        "training: step 5 of 8, 7 s left",
    ]


def test_progress_of_what_is_soon_done_says_nothing(capsys):
    assert list(progress(5, "training")) == [0, 1, 2, 3, 4]
    assert list(progress(0, "training")) == []
    assert capsys.readouterr() == ("", "")
