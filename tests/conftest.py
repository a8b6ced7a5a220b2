"""What all tests share: one thread each, and the command line, called in this process."""

import contextlib
import gc
import io
import os
import shutil
import signal
from typing import NamedTuple

import pytest

# The arrays of the tests are so small that threads would mostly wait for each other. Before NumPy.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Share the whole suite among up to four processes; a part of it runs in this one.

    Where pytest-xdist is installed, and nothing else was asked for: `-n 0`, a debugger, output as
    it comes, coverage, which must know of the processes before this, or what needs a GPU, for which
    they would only wait.
    """
    option = config.option
    if (
        config.args_source is not config.ArgsSource.TESTPATHS
        or not config.pluginmanager.hasplugin("xdist")
        or hasattr(config, "workerinput")
        or option.numprocesses is not None
        or getattr(option, "cov_source", None)
        or option.usepdb
        or option.collectonly
        or option.capture == "no"
        or option.markexpr == "gpu"
    ):
        return
    option.numprocesses = min(4, usable_cores())
    option.dist = "loadfile"  # tests of a file share what its fixtures train and compile
    option.loadscopereorder = False  # the order is that of `pytest_collection_modifyitems`


def usable_cores():
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


SLOWEST = (
    "tutorials/test_run.py",
    "tutorials/test_changes.py",
    "kernels/test_planted_cuda_bugs.py",
)
"""Files that take longest, the longest first: what begins last must be short."""


def pytest_collection_modifyitems(items):
    """Run the slowest files first, so that the processes end at about the same time."""
    ranks = {name: rank for rank, name in enumerate(SLOWEST)}
    place = lambda item: "/".join(item.path.parts[-2:])
    items.sort(key=lambda item: ranks.get(place(item), len(SLOWEST)))


def pytest_collection_finish():
    """Thousands of tests stay in memory: the garbage collector need not walk them every time."""
    gc.collect()
    gc.freeze()


class Result(NamedTuple):
    """What a command returned and printed."""

    code: object
    out: str
    err: str


def call(*arguments):
    """Run the command line in this process."""
    from minifcn.commands import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
    return Result(code, out.getvalue(), err.getvalue())


@pytest.fixture
def cli():
    """The command line as a function of its arguments; returns a Result."""
    return call


@pytest.fixture
def refused(cli):
    """Check that a command ends with exit code 2 and one line of an error; return the line."""

    def check(*arguments):
        result = cli(*arguments)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("minifcn: ")
        assert result.err.count("\n") == 1
        assert result.err.endswith("\n")
        assert "Traceback" not in result.err
        return result.err

    return check


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A small finished run on shapes: its folder, only to be read, and what the command printed."""
    from small_runs import TINY

    folder = tmp_path_factory.mktemp("finished") / "run"
    result = call("train", *TINY, "--checkpoint-every", "2", "--out", folder, "--json")
    assert result.code == 0, result.err
    return folder, result


@pytest.fixture
def finished_run(finished):
    """The folder of a small finished run on shapes; only to be read."""
    return finished[0]


@pytest.fixture
def run_folder(finished_run, tmp_path):
    """A copy of the finished run, to be damaged."""
    return shutil.copytree(finished_run, tmp_path / "run")


@pytest.fixture
def contents():
    """Map a folder to the bytes of all files in it, by path, to see whether anything changed."""
    return lambda folder: {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def ctrl_c():
    """Ctrl-C as on a terminal, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_runtest_setup(item):
    """Skip what needs a GPU, or a compiler for CUDA on the CPU, where there is none, and say so."""
    from minifcn.backend import why_no_gpu

    if item.get_closest_marker("gpu") and (reason := why_no_gpu()):
        pytest.skip(f"no GPU: {reason}")
    if item.get_closest_marker("cuda_on_cpu") and shutil.which("g++") is None:
        pytest.skip("g++ is not installed")


@pytest.fixture
def gpu():
    """CuPy, for tests marked `gpu`."""
    import cupy

    return cupy


@pytest.fixture
def few_scenes(monkeypatch):
    """Four scenes of shapes to validate on instead of hundreds."""
    from minifcn.data import shapes

    monkeypatch.setitem(shapes.LENGTHS, "val", 4)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved as pictures, in order."""
    from minifcn.plots import canvas

    figures, save = [], canvas._save

    def keep(figure, path):
        figures.append(figure)
        save(figure, path)

    monkeypatch.setattr(canvas, "_save", keep)
    return figures


# -- Pages ---------------------------------------------------------------------------------------

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def chromium():
    """The system's Chromium without a window, by Playwright."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()
