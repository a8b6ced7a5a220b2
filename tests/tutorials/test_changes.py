"""Change one thing, in a notebook: a reader who does is told what is no longer as the text says.

The notebook runs to its end all the same. Networks are trained for less long, where that is the
change or comes with it: as they are, the tutorials run as scripts (test_run.py).
"""

import json
import os
import subprocess
import sys

import pytest
from reading import STRICTLY, TOLD, TUTORIALS, answers_of, explained_in

from minifcn.course.lesson import STRICT
from minifcn.course.notebooks import write_notebooks

CHANGES = {
    "01_what_is_segmentation": {"block=8": "block=16"},
    "02_convolution": {"generator.integers(0, 4, (5, 5))": "generator.integers(0, 4, (6, 7))"},
    "03_autograd": {"a, b, c = 2.0, -3.0, 10.0": "a, b, c = 1.0, -3.0, 10.0"},
    "04_gradient_check": {"range(1, 14)": "range(1, 9)"},
    "05_learning": {"progress(60,": "progress(10,"},
    "06_fully_convolutional": {'progress(300, "': 'progress(20, "'},
    "07_receptive_field": {"a, b, c = 8, 16, 32": "a, b, c = 4, 16, 48"},
    "08_unpooling": {"default_rng(0)": "default_rng(1)"},
    "09_transposed_convolution": {"for k in (2, 3, 4):": "for k in (2, 3, 5):"},
    "10_checkerboards": {
        "for k, s in [(3, 2), (4, 2)]:": "for k, s in [(5, 2), (5, 3)]:",
        "steps=200": "steps=20",
    },
    "11_features": {"steps=300": "steps=20"},
    "12_skips": {"steps=200": "steps=10"},
    "13_crops": {"conv(Fraction(0), k=3, p=100)": "conv(Fraction(0), k=3, p=90)"},
    "14_the_whole_job": {"iterations = 240": "iterations = 10"},
    "15_pretrained": {"head_width=128": "head_width=64", "steps=40": "steps=2"},
}

LENIENTLY = {key: value for key, value in os.environ.items() if key != STRICT}


def changed(name, folder):
    """A copy of a tutorial in which one thing is changed."""
    text = TUTORIALS[name].path.read_text(encoding="utf-8")
    for before, after in CHANGES[name].items():
        assert before in text
        text = text.replace(before, after, 1)
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return TUTORIALS[name]._replace(path=path)


EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient

book = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(book, timeout=600).execute()
nbformat.write(book, sys.argv[1])
"""


def run_notebook(tutorial, folder, environment):
    """Run it in a process of its own, and return its cells with their outputs."""
    (path,) = write_notebooks([tutorial], folder)
    command = [sys.executable, "-c", EXECUTE, path.name]
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=600)
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_change_is_told_and_the_notebook_goes_on(name, tmp_path):
    pytest.importorskip("nbclient")
    cells = run_notebook(changed(name, tmp_path), tmp_path, LENIENTLY)
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    said = "".join("".join(output.get("text", "")) for output in outputs)
    assert TOLD.findall(said)
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert kinds & {"image/png", "image/gif", "image/svg+xml"}
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")
    text = json.dumps(cells, ensure_ascii=False)
    for line in (line for cell in answers_of(name) for line in explained_in(cell)):
        assert json.dumps(line, ensure_ascii=False)[1:-1] not in text


@pytest.mark.parametrize("name", ["01_what_is_segmentation", "09_transposed_convolution"])
def test_in_the_tests_the_same_change_is_an_error(name, tmp_path):
    done = subprocess.run(
        [sys.executable, changed(name, tmp_path).path],
        cwd=tmp_path, env=STRICTLY, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "\nAssertionError: " in done.stderr
