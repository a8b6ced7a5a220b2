"""All tutorials run, as scripts with their answers and as notebooks, two at a time."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from reading import STRICTLY, TOLD, TUTORIALS, answers_of, explained_in, measured_in, plain

from minifcn.course.notebooks import write_notebooks

EACH = pytest.mark.parametrize("name", TUTORIALS)


RUN = """
import runpy, sys
from minifcn.course import notebooks

names = runpy.run_path(sys.argv[1], run_name="__main__")
print("ANSWERS", flush=True)
notebooks.run_tutorial = lambda number: names  # it has just run: not once more
runpy.run_path(sys.argv[2], run_name="__main__")
"""


def run_script(name, folder):
    """Run it, then its answers, in a folder of its own; return the finished process."""
    tutorial = TUTORIALS[name]
    done = subprocess.run(
        [sys.executable, "-c", RUN, tutorial.path, tutorial.answers],
        cwd=folder, env=STRICTLY, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    done.folder = folder
    done.output, _, done.answers = done.stdout.partition("ANSWERS\n")
    return done


EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient

book = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(book, timeout=600).execute()
nbformat.write(book, sys.argv[1])
"""


def run_notebook(name, folder):
    """Run it in a process of its own, and return the notebook with its outputs."""
    (path,) = write_notebooks([TUTORIALS[name]], folder)
    command = [sys.executable, "-c", EXECUTE, path.name]
    subprocess.run(command, cwd=folder, env=STRICTLY, check=True, timeout=600)
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def started(request, tmp_path_factory):
    """What the selected tests wait for: by name of test and tutorial, a run that was started."""
    runs = {"test_runs_as_a_script": run_script, "test_runs_as_a_notebook": run_notebook}
    wanted = [
        (item.originalname, item.callspec.params["name"])
        for item in request.session.items
        if item.module is request.module and item.originalname in runs
    ]
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {
            (test, name): pool.submit(runs[test], name, tmp_path_factory.mktemp(name))
            for test, name in wanted
        }
        pool.shutdown(cancel_futures=True)


def test_tutorials_were_found():
    assert TUTORIALS


@EACH
def test_runs_as_a_script(name, started):
    done = started["test_runs_as_a_script", name].result()
    assert done.returncode == 0, done.stderr[-3000:]
    assert not TOLD.findall(done.stdout)
    pictures = re.findall(r"^picture: (.*)$", done.output, re.MULTILINE)
    assert pictures
    assert all((done.folder / path).stat().st_size > 1000 for path in pictures)
    said = re.findall(r"\(the text says (.*)\)$", done.output, re.MULTILINE)
    assert {plain(text) for text in said} == set(measured_in(name))
    # What a check is about stands before the colon.
    answers = re.findall(r"^(.*): (?:exactly )?equal", done.answers, re.MULTILINE)
    assert not [answer for answer in answers if f"{answer}: " in done.output]
    for line in (line for cell in answers_of(name) for line in explained_in(cell)):
        assert line not in done.output


@EACH
def test_runs_as_a_notebook(name, started):
    pytest.importorskip("nbclient")
    cells = started["test_runs_as_a_notebook", name].result()["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert kinds & {"image/png", "image/gif", "image/svg+xml"}
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")
    text = json.dumps(cells, ensure_ascii=False)
    assert not TOLD.findall(text)
    for line in (line for cell in answers_of(name) for line in explained_in(cell)):
        assert json.dumps(line, ensure_ascii=False)[1:-1] not in text
