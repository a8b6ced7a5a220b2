"""All tutorials run as scripts with their answers, two at a time; as notebooks: test_changes.py."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from reading import STRICTLY, TOLD, TUTORIALS, answers_of, explained_in, measured_in, plain

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


@pytest.fixture(scope="module")
def started(request, tmp_path_factory):
    """What the selected tests wait for: by name of tutorial, a run; the longest start first."""
    selected = [
        item.callspec.params["name"]
        for item in request.session.items
        if item.module is request.module and item.originalname == "test_runs_as_a_script"
    ]
    wanted = sorted(selected, key=lambda name: -TUTORIALS[name].seconds)
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {
            name: pool.submit(run_script, name, tmp_path_factory.mktemp(name)) for name in wanted
        }
        pool.shutdown(cancel_futures=True)


def test_tutorials_were_found():
    assert TUTORIALS


@pytest.mark.parametrize("name", TUTORIALS)
def test_runs_as_a_script(name, started):
    done = started[name].result()
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
