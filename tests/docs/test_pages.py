"""What the pages show works: their commands exist, their code runs, their links lead somewhere."""

import contextlib
import io
import re
import shutil
import subprocess

import pytest
from pages import (
    BLOCKS,
    INLINE,
    PAGES,
    ROOT,
    SHELL,
    SHOWN,
    block_with,
    headings_of,
    links_of,
    parts_of,
    target_of,
    understood,
)

from minifcn import functional, models, nn
from minifcn.cuda_on_cpu import sanitizer

# -- Commands ------------------------------------------------------------------------------------

RUN = {
    "mypy": ".ci/run",
    "pip install -e '.[docs]'": ".ci/run",
    "pip install -e '.[pretrained]'": ".ci/run",
    "pip install -e '.[test]'": ".ci/run",
    "pip install -e .": ".ci/run",
    "pytest": ".ci/run",
    "python docs/maker/check.py site": ".ci/run",
    "python examples/onnx_predict.py model.onnx image.png classes.png": "tests/test_examples.py",
    "python examples/torch_fcn.py weights.safetensors image.png classes.png":
        "tests/test_examples.py",
    "python tutorials/01_what_is_segmentation.py": "tests/tutorials/test_run.py",
    "ruff check .": ".ci/run",
    "ruff format --check .": ".ci/run",
    "sphinx-build docs site": ".ci/run",
}  # fmt: skip
"""Commands that are no minifcn's, and what runs each."""

NOT_RUN = {
    ".venv\\Scripts\\Activate.ps1": "for Windows",
    "Set-ExecutionPolicy RemoteSigned -Scope Process -Force": "for Windows",
    "cp -r pyodide site/pyodide": "Pyodide is loaded from the internet",
    "python3 -m http.server --directory site --bind 127.0.0.1 8000": "serves until Ctrl-C",
    "cd minifcn": "the folder that git clone makes",
    "git clone ADDRESS minifcn": "there is no public address to clone from",
    "jupyter notebook notebooks": "opens a browser",
    "pip install -e '.[cuda13]'": "for a GPU; CI installs CuPy alone",
    "pip install -e '.[onnx]'": "its packages come with [test], too",
    "pip install jupytext notebook": "jupytext comes with [test]; notebook opens a browser",
    "py -m venv .venv": "for Windows",
    "pytest -m gpu": "needs a GPU",
    "python3 -m venv .venv": "CI makes its environment so, under another name",
    "source .venv/bin/activate": "CI enters its environment so, under another name",
}
"""Commands that nothing runs, and why not."""

OWN = [command for command in SHOWN if command.startswith("minifcn ")]
PARTS_OF_THE_SUITE = [command for command in SHOWN if command.startswith("pytest -n 0 tests")]
OTHERS = sorted({*SHOWN} - {*OWN} - {*PARTS_OF_THE_SUITE})


def test_commands_were_found():
    assert len(OWN) >= 30
    assert len(PARTS_OF_THE_SUITE) >= 3


@pytest.mark.parametrize("command", OWN)
def test_every_command_is_understood(command):
    assert understood(command)


@pytest.mark.parametrize("command", INLINE)
def test_every_command_of_the_text_is_understood(command):
    """Where it is named without what it needs, it must at least have help."""
    assert understood(command) or understood(f"{command} --help")


@pytest.mark.parametrize("command", OTHERS)
def test_every_other_command_is_run_or_it_is_said_why_not(command):
    assert (command in RUN) != (command in NOT_RUN)


def test_no_command_is_listed_that_no_page_shows():
    assert {*RUN, *NOT_RUN} <= {*OTHERS}
    assert all((ROOT / place).is_file() for place in RUN.values())


@pytest.mark.parametrize("command", PARTS_OF_THE_SUITE)
def test_parts_of_the_suite_exist(command):
    for place in command.removeprefix("pytest -n 0").split():
        assert (ROOT / place).exists(), place


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_can_read_what_is_for_bash():
    for block in SHELL:
        if block.language == "bash":
            done = subprocess.run(["bash", "-n"], input=block.code, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, ""), block


# -- Code ----------------------------------------------------------------------------------------

PRINTED = {
    "RawModule(code": ["[3 2 1 0]", "[-1 -1  1  0]"],
    "sanitizer.run": [""],
    "gradcheck(lambda": None,  # see below
}
"""What a block prints, by a word in it; others print nothing."""


def names_after(code):
    """Run a block of Python; return what it printed, line by line, and the names it defined."""
    names, output = {}, io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, "a page", "exec"), names)
    return output.getvalue().splitlines(), names


def parameter(block):
    """A block as an argument of a test, with its mark."""
    marks = [pytest.mark.cuda_on_cpu] if "cuda_on_cpu" in block.code else []
    return pytest.param(block.code, id=f"{block.page}-{block.code.splitlines()[1]}", marks=marks)


PYTHON = [parameter(block) for block in BLOCKS if block.language == "python"]


@pytest.mark.parametrize("code", PYTHON)
def test_the_python_code_runs_and_prints_what_its_comments_say(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "script.py" in code:
        shown = block_with("docs/CUDA_WITHOUT_A_GPU.md", "RawModule")
        (tmp_path / "script.py").write_text(shown.split("code = code.replace")[0])
    expected = next((lines for word, lines in PRINTED.items() if word in code), [])
    printed, names = names_after(code)
    assert printed == expected or expected is None
    for test in (value for name, value in names.items() if name.startswith("test_")):
        test()


def test_the_first_block_of_the_library_prints_what_its_comment_says():
    (loss, *report), _ = names_after(block_with("docs/LIBRARY.md", "gradcheck("))
    assert loss.startswith("1.609")
    assert len(report) == 2
    assert all(line.startswith("ok") for line in report)


def test_the_gradient_check_of_arrays_passes_and_fails_as_the_text_says():
    code = block_with("docs/LIBRARY.md", "check_b")
    for text in (code, code.replace(" * upstream", "")):
        _, names = names_after(text)
        if text == code:
            names["test_square"]()
        else:
            with pytest.raises(AssertionError, match="backward ignores its upstream gradient"):
                names["test_square"]()


@pytest.mark.cuda_on_cpu
def test_a_missing_barrier_is_found_as_the_text_says(tmp_path):
    code = block_with("docs/CUDA_WITHOUT_A_GPU.md", "RawModule")
    (tmp_path / "script.py").write_text(code)
    assert "data race" in sanitizer.run("thread", str(tmp_path / "script.py")).stderr


@pytest.mark.parametrize(
    ("module", "others"),
    [(functional, []), (nn, ["Buffer", "Module", "Parameter", "init"]), (models, [])],
)
def test_the_library_lists_what_there_is(module, others):
    item = re.search(rf"^- .*`{module.__name__}`: (.*?)\.$", PAGES["docs/LIBRARY.md"], re.M | re.S)
    assert re.findall(r"`(\w+)`", item[1]) == sorted({*module.__all__} - {*others})


# -- Links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_lead_somewhere(page):
    for link in links_of(page):
        path, heading = target_of(page, link)
        assert path.exists(), link
        if heading:
            assert heading in headings_of(path), link


@pytest.mark.parametrize("page", PAGES)
def test_pictures_say_what_they_show(page):
    assert not re.search(r"!\[\s*\]", PAGES[page])


def test_every_page_is_reached_from_the_readme():
    reached, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            paths = [target_of(page, link)[0] for link in links_of(page)]
            waiting += [name for name in PAGES if ROOT / name in paths]
    assert reached == {*PAGES}


def test_the_index_has_a_row_for_each_page():
    rows = {target_of("docs/README.md", link)[0] for link in links_of("docs/README.md")}
    assert {path for path in ROOT.glob("docs/*.md") if path.name != "README.md"} <= rows


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_a_page_answers_one_question(page):
    titles = re.findall(r"^# (.*)$", parts_of(page)[1], re.MULTILINE)
    assert len(titles) == 1
    assert titles[0].endswith("?")
