"""All tutorials run, as scripts and as notebooks."""

import os
import re
import subprocess
import sys

import pytest
from reading import TUTORIALS, measured_in, plain

from minifcn.tutorials import notebook

EACH = pytest.mark.parametrize("name", TUTORIALS)


def test_tutorials_were_found():
    assert TUTORIALS


@EACH
def test_runs_as_a_script(name, tmp_path):
    done = subprocess.run(
        [sys.executable, TUTORIALS[name].path],
        cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "picture: " in done.stdout
    said = re.findall(r"\(the text says (.*)\)$", done.stdout, re.MULTILINE)
    assert {plain(text) for text in said} == set(measured_in(name))
    shown = [line.split(": ", 1)[1] for line in done.stdout.splitlines() if "picture: " in line]
    assert all((tmp_path / path).stat().st_size > 1000 for path in shown)


@EACH
def test_runs_as_a_notebook(name, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    # A kernel warns of frozen modules and of sockets; here warnings are errors.
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    book = notebook(TUTORIALS[name], "minifcn")
    client = nbclient.NotebookClient(
        book, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env={**os.environ})
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert kinds & {"image/png", "image/gif", "image/svg+xml"}
    assert not [output for output in outputs if output.output_type == "error"]
