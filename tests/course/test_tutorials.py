"""The tutorials found, listed, and written as notebooks, without losing anybody's work."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from minifcn.commands import main
from minifcn.course import notebooks
from minifcn.course.lesson import STRICT
from minifcn.course.notebooks import (
    find_tutorials,
    format_list,
    notebook,
    run_tutorial,
    write_answers,
    write_notebooks,
)

SCRIPT = """\
# %% [markdown]
# # 03. What is three?
#
# **Time:** 5 minutes; the code runs in 1 second. **Before:** 01.

# %%
three = 1 + 2
print(three)
"""

MODULE = Path("minifcn", "course", "notebooks.py")
"""Where it lies in a checkout, or where pip installs."""

ANSWERS = """\
# %%
# 1. It is odd.
print("three:", three)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "03_three.py"
    path.write_text(SCRIPT)
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "03_three.py").write_text(ANSWERS)
    return notebooks._read(path)


def test_the_first_lines_describe_a_tutorial(script):
    assert script[:4] == (3, "What is three?", 5, 1)
    assert format_list([script]).splitlines()[1] == "03  What is three?   5 min    1 s"
    assert script.summary()["question"] == "What is three?"


def test_a_script_that_does_not_describe_itself_is_an_error(tmp_path):
    (tmp_path / "01_a.py").write_text("print(1)\n")
    with pytest.raises(ValueError, match=r"01_a.py must begin with its number, question and time"):
        notebooks._read(tmp_path / "01_a.py")


def test_the_command_lists_all_with_their_times(capsys):
    assert main(["tutorials"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = find_tutorials()
    assert [line[:2] for line in lines[1:16]] == [f"{n:02}" for n in range(1, 16)]
    for line, tutorial in zip(lines[1:], found, strict=False):
        assert tutorial.question in line
        assert line.endswith(f"{tutorial.minutes} min  {tutorial.seconds:3} s")
    assert main(["tutorials", "--json"]) == 0
    assert [row["number"] for row in json.loads(capsys.readouterr().out)] == list(range(1, 16))


def test_a_notebook_installs_on_colab_and_has_no_answers(script):
    pytest.importorskip("jupytext")
    book = notebook(script, "git+https://example.org/minifcn")
    first, text, code = book.cells
    assert 'if "google.colab" in sys.modules:' in first.source
    assert '%pip install -q "git+https://example.org/minifcn"' in first.source
    assert text.cell_type == "markdown"
    assert text.source.startswith("# 03. What is three?")
    assert code.source == "three = 1 + 2\nprint(three)"
    assert "odd" not in notebooks._as_json(book)


def test_notebooks_are_the_same_each_time_and_written_again_in_place(script, tmp_path):
    pytest.importorskip("jupytext")
    first, second = tmp_path / "a", tmp_path / "b" / "c"
    (path,) = write_notebooks([script], first)
    assert path == first / "03_three.ipynb"
    (other,) = write_notebooks([script], second)
    assert path.read_bytes() == other.read_bytes()
    assert write_notebooks([script], first) == [path]
    assert [file.name for file in first.iterdir()] == ["03_three.ipynb"]


def test_a_notebook_that_somebody_has_worked_in_is_not_replaced(script, tmp_path):
    pytest.importorskip("jupytext")
    other = script._replace(path=tmp_path / "04_other.py")
    other.path.write_text(SCRIPT)
    (tmp_path / "04_other.ipynb").write_text("my work")
    with pytest.raises(ValueError, match=r"04_other.ipynb is there already, and differs"):
        write_notebooks([script, other], tmp_path)
    assert (tmp_path / "04_other.ipynb").read_text() == "my work"
    assert not (tmp_path / "03_three.ipynb").exists()


def test_answers_are_written_into_files_of_their_own(script, tmp_path):
    folder = tmp_path / "a" / "b"
    (path,) = write_answers([script], folder)
    assert path == folder / "03_three_answers.py"
    assert path.read_text() == ANSWERS
    assert write_answers([script], folder) == [path]
    assert [file.name for file in folder.iterdir()] == ["03_three_answers.py"]


def test_answers_that_somebody_has_worked_in_are_not_replaced(script, tmp_path):
    mine = tmp_path / "03_three_answers.py"
    mine.write_text("mine")
    with pytest.raises(ValueError, match=r"03_three_answers.py is there already, and differs"):
        write_answers([script], tmp_path)
    assert mine.read_text() == "mine"


def test_a_tutorial_runs_without_its_output_for_its_answers(script, monkeypatch, capsys):
    monkeypatch.setattr(notebooks, "find_tutorials", lambda: [script])
    names = run_tutorial(3)
    assert names["three"] == 3
    assert not capsys.readouterr().out
    with pytest.raises(ValueError, match="there is no tutorial 4; minifcn tutorials lists them"):
        run_tutorial(4)


def test_the_command_writes_answers_that_run_anywhere(tmp_path, cli):
    folder = tmp_path / "answers"
    result = cli("tutorials", "--answers", folder)
    assert result.code == 0
    paths = result.out.splitlines()
    assert [path[-11:] for path in paths] == ["_answers.py"] * 15
    assert json.loads(cli("tutorials", "--answers", folder, "--json").out) == paths
    done = subprocess.run(
        [sys.executable, paths[1]],
        cwd=tmp_path, env={**os.environ, STRICT: "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("moved to the left: exactly equal")
    assert last.startswith("the box: exactly equal, 9 numbers")


def test_answers_and_notebooks_in_one_call(tmp_path, cli):
    pytest.importorskip("jupytext")
    result = cli("tutorials", "--answers", tmp_path / "a", "--notebooks", tmp_path / "b")
    assert result.code == 0
    assert len(result.out.splitlines()) == 30
    assert len(list((tmp_path / "a").iterdir())) == len(list((tmp_path / "b").iterdir())) == 15


@pytest.mark.parametrize(
    "install",
    [
        "",
        " ",
        'a" b',
        "a\nb",
        "a'",
        "{x}",
        "$HOME",
        "\\",
        "`a`",
        "a;b",
        "-r x",
        "a\u2028b",
        "a b",
        "한글",
    ],
)
def test_what_to_install_is_one_word_or_line(script, tmp_path, install):
    with pytest.raises(ValueError, match="install must be what pip installs, .*; got"):
        write_notebooks([script], tmp_path / "a", install)
    assert not (tmp_path / "a").exists()


def test_the_command_writes_notebooks(tmp_path, capsys):
    pytest.importorskip("nbformat")
    import nbformat

    arguments = [
        "tutorials",
        "--notebooks",
        str(tmp_path / "books"),
        "--install",
        "minifcn @ git+https://example.org/m",
    ]
    assert main(arguments) == 0
    paths = capsys.readouterr().out.splitlines()
    assert len(paths) == 15
    for path in paths:
        book = nbformat.read(path, as_version=4)
        nbformat.validate(book)
        assert "minifcn @ git+https://example.org/m" in book.cells[0].source
        assert not [cell for cell in book.cells if cell.get("outputs")]


def test_wrong_usage(tmp_path, capsys):
    for option in ("--notebooks", "--answers"):
        with pytest.raises(SystemExit, match="2"):
            main(["tutorials", option, ""])
        assert f"{option}: must be a path; got ''" in capsys.readouterr().err
    assert main(["tutorials", "--install", "minifcn"]) == 2
    assert (
        "--install says what notebooks install; it needs --notebooks DIR" in capsys.readouterr().err
    )
    (tmp_path / "file").write_text("")
    for option in ("--notebooks", "--answers"):
        assert main(["tutorials", option, str(tmp_path / "file")]) == 2
        error = capsys.readouterr().err
        assert "minifcn: notebooks and answers must go into a folder; got the file" in error


def test_without_jupytext_the_error_says_what_to_install(script, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jupytext", None)
    with pytest.raises(ValueError, match="jupytext is not installed: pip install jupytext"):
        write_notebooks([script], tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("origin", "address"),
    [
        ("https://github.com/a/minifcn.git", "git+https://github.com/a/minifcn.git"),
        ("git@github.com:a/minifcn.git", "git+https://github.com/a/minifcn.git"),
        ("ssh://git@git.example.org:2222/a/b", "git+https://git.example.org/a/b"),
        ("https://me:secret@github.com/a/minifcn", "git+https://github.com/a/minifcn"),
        ("/srv/minifcn", None),
        ("file:///srv/minifcn", None),
        ("../minifcn", None),
        ("https://localhost/minifcn", None),
        ("http://github.com/a/minifcn", None),
        ("git@github.com:/a/minifcn", "git+https://github.com/a/minifcn"),
        ("https://git.example.org:8443/a/b", "git+https://git.example.org:8443/a/b"),
        ("https://github.com/a/b?access_token=secret", None),
        ("https://github.com/a/b#secret", None),
        ("https://github.com/a/b;token=secret", None),
        ("https://github.com/secret@github.com/a", None),
        ("https://192.168.1.5/a/b", None),
        ("https://git.local/a/b", None),
        ("https://github.com/a/b c", None),
        ("https://github.com:x/a", None),
    ],
)
def test_the_address_is_that_of_a_public_origin_without_passwords(
    origin, address, tmp_path, monkeypatch
):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    git = ["git", "-C", str(checkout)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "config", "remote.origin.url", origin], check=True)
    monkeypatch.setattr(notebooks, "__file__", str(checkout / MODULE))
    assert notebooks.public_address() == address


def test_a_full_disk_leaves_no_half_a_notebook(script, tmp_path, monkeypatch):
    pytest.importorskip("jupytext")

    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(notebooks, "write_atomically", full)
    with pytest.raises(OSError, match="No space left"):
        write_notebooks([script], tmp_path / "a")
    assert not list((tmp_path / "a").iterdir())


def test_somebody_elses_checkout_around_the_package_is_not_asked(tmp_path, monkeypatch):
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    origin = ["remote", "add", "origin", "https://example.org/theirs"]
    subprocess.run(["git", "-C", str(tmp_path), *origin], check=True)
    place = tmp_path / "site-packages" / MODULE
    monkeypatch.setattr(notebooks, "__file__", str(place))
    assert notebooks.public_address() is None


def test_an_installed_package_has_them_elsewhere(tmp_path, monkeypatch, script):
    class File:
        def match(self, pattern):
            return pattern.startswith("share/minifcn/tutorials/")

        def locate(self):
            return script.path

    monkeypatch.setattr(notebooks, "__file__", str(tmp_path / MODULE))
    monkeypatch.setattr(metadata, "files", lambda name: [File()])
    assert find_tutorials() == [script._replace(path=script.path.resolve())]
    monkeypatch.setattr(metadata, "files", lambda name: [])
    with pytest.raises(FileNotFoundError, match="there are no tutorials"):
        find_tutorials()


def test_tutorials_of_others_beside_an_installed_package_are_not_taken(tmp_path, monkeypatch):
    (tmp_path / "tutorials").mkdir()
    (tmp_path / "tutorials" / "01_theirs.py").write_text("print(1)\n")
    shared = tmp_path / "share" / "minifcn" / "tutorials"  # as pip install --target puts them
    shared.mkdir(parents=True)
    (shared / "03_three.py").write_text(SCRIPT)
    monkeypatch.setattr(notebooks, "__file__", str(tmp_path / MODULE))
    monkeypatch.setattr(metadata, "files", lambda name: [])
    assert [tutorial.question for tutorial in find_tutorials()] == ["What is three?"]
