"""The book holds every tutorial, exercise, page and operation, and its links lead somewhere."""

import importlib.util
import re
import subprocess
import sys

import pytest
from pages import PAGES, ROOT, understood

from minifcn import functional
from minifcn.course.exercises import NAMES
from minifcn.course.notebooks import find_tutorials
from minifcn.explain import OPERATIONS

sys.path.append(str(ROOT / "docs"))
from maker import api, check, contents, exercises, links, steps, tutorials  # noqa: E402

INDEX = (ROOT / "docs" / "index.rst").read_text(encoding="utf-8")
LISTED = re.findall(r"^   ([\w/]+)$", INDEX, re.MULTILINE)
"""What the first page has below it."""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """An empty folder, in which pages are made."""
    for module in (api, exercises, steps):
        monkeypatch.setattr(module, "MADE", tmp_path)
    monkeypatch.setattr(steps, "EXTRA", tmp_path / "extra")
    return tmp_path


def below(page):
    """The names in the tables of contents of a page that was made."""
    return re.findall(r"^(?:   )?(\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)


# -- What it holds -------------------------------------------------------------------------------


def test_every_page_is_listed_once():
    assert len(LISTED) == len({*LISTED})
    assert {path.stem for path in ROOT.glob("docs/*.md")} <= {*LISTED}
    assert {contents.page_of(ROOT / name).stem for name in PAGES} - {"index"} <= {
        name.rpartition("/")[2] for name in LISTED
    }


def test_every_tutorial_is_listed_below_their_page():
    text = contents.below(ROOT / "tutorials" / "README.md")
    listed = re.findall(r"^\d\d_\w+$", text, re.MULTILINE)
    assert listed == [tutorial.path.stem for tutorial in find_tutorials()]
    assert contents.below(ROOT / "CHANGELOG.md") == ""


def test_every_exercise_has_its_statement(made):
    exercises.write_exercises()
    assert below(made / "exercises" / "README.md") == [*NAMES]
    for name in NAMES:
        stub = (exercises._STUBS / f"{name}.py").read_text(encoding="utf-8")
        page = (made / "exercises" / f"{name}.md").read_text(encoding="utf-8")
        assert page.startswith(f"# {name}: ")
        statement, code = re.search(r"^\"\"\".*?\n\n(.*?)\n\"\"\"\n\n(.*)\Z", stub, re.S).groups()
        assert statement in page
        assert code in page
        commands = re.findall(r"^minifcn .*$", page, re.MULTILINE)
        assert len(commands) == 3
        assert all(map(understood, commands))


def test_every_operation_has_its_steps(made):
    steps.write_steps()
    assert below(made / "steps" / "README.md") == [*OPERATIONS]
    for name in OPERATIONS:
        frame = (made / "steps" / f"{name}.md").read_text(encoding="utf-8")
        (source,) = re.findall(r'<iframe [^>]*src="\.\./\.\./(.*?)"', frame)
        page = (made / "extra" / source).read_text(encoding="utf-8")
        assert f'"operations":["{name}"]' in page
    assert {name for names in contents.STEPS_OF.values() for name in names} <= {*OPERATIONS}


def test_the_reference_has_a_page_for_each_part(made):
    api.write_api()
    assert below(made / "api" / "index.rst") == [*contents.MODULES]
    for name, modules in contents.MODULES.items():
        page = (made / "api" / f"{name}.rst").read_text(encoding="utf-8")
        assert re.findall(r"automodule:: (.*)", page) == modules
        assert all(importlib.util.find_spec(module) for module in modules)


# -- Links ---------------------------------------------------------------------------------------

PAGE, README = ROOT / "docs" / "GPU.md", ROOT / "README.md"
LED = {
    "[a](SPEED.md#its-speed)": "[a](SPEED.md#its-speed)",
    "[a](../tutorials/README.md#a-course)": "[a](book/tutorials/README.md#a-course)",
    "[a `b`](../tutorials/12_skips.py)": "[a `b`](book/tutorials/12_skips.ipynb)",
    "[a](../README.md#start)": "[a](index.rst#start)",
    "[a](../minifcn/optim.py)": "[a](../minifcn/optim.py)",
    "[a](../tests/docs)": "a (`tests/docs`)",
    "![a](tutorials/07.png)": "![a](tutorials/07.png)",
    "[a](#b)": "[a](#b)",
    "[a](https://example.org/b)": "[a](https://example.org/b)",
    "```\n[a](../README.md)\n```": "```\n[a](../README.md)\n```",
}


@pytest.mark.parametrize("text", LED)
def test_a_link_is_led_to_what_it_means(text):
    assert links.lead(text, PAGE, PAGE) == LED[text]


def test_links_of_a_page_elsewhere_are_led_from_where_it_is_read():
    page = ROOT / "tutorials" / "README.md"
    text = '[a](GLOSSARY.md) <img src="../docs/tutorials/01.png"> [b](../README.md)'
    led = '[a](GLOSSARY.md) <img src="../../tutorials/01.png"> [b](../../index.rst)'
    assert links.lead(text, page, contents.page_of(page)) == led
    assert links.lead("[a](docs/GPU.md)", README, contents.page_of(README)) == "[a](GPU.md)"


def test_files_are_links_into_a_repository_whose_address_is_known():
    text = "[a](../minifcn/optim.py) [b](../tests/docs) [c](SPEED.md)"
    led = links.lead(text, PAGE, PAGE, "https://example.org/blob/main/")
    address = "https://example.org/blob/main"
    assert led == f"[a]({address}/minifcn/optim.py) [b]({address}/tests/docs) [c](SPEED.md)"


def test_a_link_that_leads_nowhere_is_an_error():
    with pytest.raises(ValueError, match=r"docs/GPU.md: the link NONE.md leads nowhere"):
        links.lead("[a](NONE.md)", PAGE, PAGE)


@pytest.mark.parametrize("name", PAGES)
def test_links_of_every_page_are_led(name):
    links.lead(PAGES[name], ROOT / name, contents.page_of(ROOT / name))


# -- Docstrings ----------------------------------------------------------------------------------


def test_formulas_of_docstrings_are_blocks_and_their_letters_letters():
    lines = [
        "Add 2*x to |y_ of `a*b`:",
        "",
        "    y = a*x",
        "",
        "    z",
        "",
        "Then:",
        "",
        "- an item",
        "  of two",
    ]
    shown = ["Add 2\\*x to \\|y\\_ of `a*b`:", "", "::", "", "    y = a*x", "", "    z", ""]
    assert api.as_shown(lines) == [*shown, "Then:", "", "- an item", "  of two"]


def test_sections_of_docstrings_keep_their_indents_and_paragraphs_lose_them():
    lines = [
        "One.",
        "",
        "x: an array of",
        "    numbers.",
        "",
        "Args:",
        "    x: of *args,",
        "        two.",
    ]
    shown = [
        "One.",
        "",
        "x: an array of",
        "numbers.",
        "",
        "Args:",
        "    x: of \\*args,",
        "        two.",
    ]
    assert api.as_shown(lines) == shown


def test_types_of_our_own_have_their_names():
    arguments, returned = (
        "(x: TypeAliasForwardRef('Array') | None = None)",
        "TypeAliasForwardRef('Pair')",
    )
    assert api.named(*[None] * 5, arguments, returned) == ("(x: Array | None = None)", "Pair")
    assert api.named(*[None] * 5, None, None) == (None, None)


# -- Tutorials -----------------------------------------------------------------------------------

CODE = """\
# %% [markdown]
# # 01. A question?
#
# ```
# a map
# ```

# %%
import sys

print(6 * 7)
print("it: step 1 of 2, 3 s left", file=sys.stderr)

# %%
show(out / "a.png") if False else None
"""


def test_a_tutorial_is_run_once_and_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(tutorials, "_KEPT", tmp_path / "outputs")
    path, said = tmp_path / "01_small.py", []
    path.write_text(CODE)
    for number in ("6", "6", "8"):
        path.write_text(CODE.replace("6", number))
        book = tutorials._run(path, said.append)
        (output,) = book.cells[1].outputs  # what progress says on stderr is left out
        assert output.text == f"{int(number) * 7}\n"
    assert said == ["running 01_small.py"] * 2
    assert len([*(tmp_path / "outputs").iterdir()]) == 1


def test_what_a_tutorial_shows_has_words_and_its_maps_no_colours(tmp_path):
    path = tmp_path / "01_small.py"
    path.write_text(CODE.replace(" if False else None", ""))
    book = tutorials._read(path)
    assert "```text\na map\n```" in book.cells[0].source
    assert book.cells[2].metadata["mystnb"]["image"]["alt"].endswith(": a.png")


@pytest.mark.parametrize("path", contents.TUTORIALS, ids=lambda path: path.stem)
@pytest.mark.parametrize("run", [True, False])
def test_a_tutorial_says_where_its_outputs_are_from(path, run):
    book = tutorials._read(path)
    tutorials._add_note(book, path, contents.page_of(path), run)
    note = book.cells[1].source
    assert ("what the cells gave as this book was built" in note) == run
    assert ("The cells were not run" in note) == (not run)
    for target in re.findall(r"\]\(([^)]+)\)", note):
        file = contents.page_of(path).parent / target
        assert file.resolve().exists() or file.parent.name == "steps"


# -- The check of a book that was built ----------------------------------------------------------

WRONG = {
    '<a href="b.html">': "b.html leads nowhere",
    '<a href="#c">': "#c leads nowhere",
    '<a href="../a.html">': "../a.html leads nowhere",
    '<img src="b.png">': "b.png leads nowhere",
    '<script src="https://example.org/x.js"></script>': "loads https://example.org/x.js",
    '<link href="//example.org/x.css">': "loads //example.org/x.css",
    "<style>@import 'https://example.org/x.css';</style>": "loads https://example.org/x.css",
    "<style>a { b: url(https://example.org/x) }</style>": "loads https://example.org/x",
    '<script>fetch("https://example.org/x")</script>': "loads https://example.org/x",
}


@pytest.mark.parametrize("text", WRONG)
def test_the_check_finds_what_is_wrong(tmp_path, text):
    (tmp_path / "index.html").write_text(text)
    (problem,) = check.problems(tmp_path)
    assert WRONG[text] in problem


def test_the_check_finds_a_book_that_is_empty_or_too_large(tmp_path, monkeypatch):
    assert [*check.problems(tmp_path)] == [f"{tmp_path} has no pages"]
    (tmp_path / "index.html").write_text("<p>long enough")
    assert [*check.problems(tmp_path)] == []
    monkeypatch.setattr(check, "LARGEST", 5)
    assert [*check.problems(tmp_path)] == ["it has 14 bytes, more than 5"]


def test_the_check_passes_what_is_right(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "index.html").write_text('<h1 id="한국어">')
    links = "b/#%ED%95%9C%EA%B5%AD%EC%96%B4", "https://example.org", "#c"
    text = "".join(f'<a href="{link}">' for link in links)
    (tmp_path / "index.html").write_text(f'<p id="c">{text}')
    assert [*check.problems(tmp_path)] == []


# -- The book ------------------------------------------------------------------------------------


@pytest.mark.book
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("sphinx", "myst_nb", "furo")),
    reason="Sphinx, MyST-NB and furo are not installed: pip install -e '.[docs]'",
)
def test_it_is_built_without_warnings_and_nothing_in_it_is_broken(tmp_path):
    repository = "repository=https://example.org/blob/main"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-D", "run_tutorials=0"]
    done = subprocess.run(
        [*command, "-D", repository, ROOT / "docs", tmp_path], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [*check.problems(tmp_path)] == []
    assert {path.stem for path in tmp_path.glob("book/exercises/*.html")} == {*NAMES, "README"}
    reference = (tmp_path / "book" / "api" / "functional.html").read_text("utf-8")
    assert {f"minifcn.functional.{name}" for name in functional.__all__} <= {
        *re.findall(r'<dt [^>]*id="([\w.]+)"', reference)
    }
    assert "https://example.org/blob/main/LICENSE" in (tmp_path / "index.html").read_text("utf-8")
