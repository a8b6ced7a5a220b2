"""All tutorials run, as scripts and as notebooks, two at a time."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from reading import TUTORIALS, measured_in, plain

from minifcn.tutorials import write_notebooks

EACH = pytest.mark.parametrize("name", TUTORIALS)


def run_script(name, folder):
    """Run it in a folder of its own, and return the finished process."""
    done = subprocess.run(
        [sys.executable, TUTORIALS[name].path],
        cwd=folder, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    done.folder = folder
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
    subprocess.run([sys.executable, "-c", EXECUTE, path.name], cwd=folder, check=True, timeout=600)
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
    pictures = re.findall(r"^picture: (.*)$", done.stdout, re.MULTILINE)
    assert pictures
    assert all((done.folder / path).stat().st_size > 1000 for path in pictures)
    said = re.findall(r"\(the text says (.*)\)$", done.stdout, re.MULTILINE)
    assert {plain(text) for text in said} == set(measured_in(name))


@EACH
def test_runs_as_a_notebook(name, started):
    pytest.importorskip("nbclient")
    cells = started["test_runs_as_a_notebook", name].result()["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert kinds & {"image/png", "image/gif", "image/svg+xml"}
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")
