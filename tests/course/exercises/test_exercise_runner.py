"""Students' code is untrusted: hostile submissions get nothing, harm nothing, and leave nothing."""

import os
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hostile import AT_IMPORT, IN_THE_CALL, REFUSED, WRONG

import minifcn
from minifcn.course.exercises import process
from minifcn.course.exercises.checker import check
from minifcn.course.exercises.exercise import Case, Exercise, Function, Part

SECONDS = 0.5
REFUSALS = ("PermissionError", "ImportError", "ModuleNotFoundError", "AttributeError")
RIGHT = "def double(x):\n    return 2 * x\n"


def cases(generator):
    small = [Case(f"case {i}", {"x": generator.standard_normal((3, 4))}) for i in range(2)]
    return [*small, Case("more than a pipe holds", {"x": generator.standard_normal((200, 500))})]


DOUBLE = Exercise(
    name="double",
    title="twice the input",
    functions=(Function("double", (Part("y", "output"),), lambda has, x: 2 * x, cases, ()),),
    hints=(),
    tutorial=1,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where temporary folders are made, and nothing may be left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def source_of(text, folder):
    text = text.replace("LOOT", str(folder / "loot")).replace("SOURCE", minifcn.__file__)
    first = next(iter(cases(np.random.default_rng(0)))).arguments["x"]
    return text.replace("SUM", repr(round(float(first.sum()), 9))).replace(
        "TABLE", f"np.array({(2 * first).tolist()})"
    )


TWO = replace(
    DOUBLE,
    functions=(
        Function("first", (Part("y", "output"),), lambda has, x: 2 * x, cases, ()),
        Function("second", (Part("y", "output"),), lambda has, x: 3 * x, cases, ()),
    ),
)


def checked(source, seconds=SECONDS, **options):
    (part,) = check(DOUBLE, source, seconds=seconds, **options).parts
    return part


def right(source, **options):
    """Check what is right; it has time also when the machine has much to do."""
    return checked(source, seconds=20, **options)


def processes_of(folder):
    """Processes that began with a folder below this one as HOME (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"HOME={folder}/".encode() in (entry / "environ").read_bytes():
                found.append(entry.name)
    return found


HOSTILE = {**{name: text + WRONG for name, text in AT_IMPORT.items()}, **IN_THE_CALL}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_submission_gets_nothing_and_leaves_nothing(name, folder):
    threads = threading.active_count()
    began = time.monotonic()
    seconds = 5 if name in REFUSED else SECONDS
    part = checked(source_of(HOSTILE[name], folder), seconds)
    assert part.status != "pass"
    if name in REFUSED and os.name == "posix":
        assert part.problem.removeprefix("raised ").startswith(REFUSALS)
    assert part.problem.isprintable()
    assert time.monotonic() - began < seconds + 20  # of which starting may take long
    assert list(folder.iterdir()) == []
    assert processes_of(folder) == []
    assert threading.active_count() <= threads


STYLES = """
import numpy as np, itertools, functools, math, random
from dataclasses import dataclass
from collections import namedtuple
from typing import NamedTuple
@dataclass
class Pair:
    h: int = 2
class Named(NamedTuple):
    a: int
def double(x):
    np.random.default_rng(0).normal(); np.fft.fft([1]); np.polynomial.Polynomial([1])
    np.testing.assert_allclose(1, 1); np.vectorize(abs)(x); print(x, repr(x)); np.ma.array([1])
    np.einsum('ij,ij->', x, x, optimize=True); np.lib.stride_tricks.sliding_window_view(x, (2, 2))
    import heapq, decimal, fractions, statistics, copy, logging, unittest, inspect, textwrap
    return Pair().h * x
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("import os; os._exit(0)", "error"),
        ("while True: pass", "timeout"),
        ("raise ValueError", "fail"),
        ("raise NotImplementedError", "not-written"),
    ],
)
def test_a_function_that_ends_the_process_costs_the_other_nothing(end, status, folder):
    source = f"def first(x):\n    {end}\ndef second(x):\n    return 3 * x"
    assert [part.status for part in check(TWO, source, seconds=2).parts] == [status, "pass"]
    missing = source.replace("first", "another")
    assert [part.status for part in check(TWO, missing).parts] == ["not-written", "pass"]
    assert list(folder.iterdir()) == []


def test_each_function_has_all_the_time(folder, monkeypatch):
    restarted, own = [], process.Child.restart_clock
    monkeypatch.setattr(
        process.Child, "restart_clock", lambda child: restarted.append(child) or own(child)
    )
    source = "def first(x):\n    return 2 * x\ndef second(x):\n    return 3 * x"
    assert [part.status for part in check(TWO, source, seconds=20).parts] == ["pass", "pass"]
    assert len(restarted) == 3, "when the process is ready, and for each function"
    assert len(set(restarted)) == 1


def test_what_students_use_is_not_refused(folder):
    part = right(STYLES)
    assert (part.status, part.problem) == ("pass", "")


def test_more_than_twenty_are_tried():
    assert len(HOSTILE) >= 20


def test_a_right_solution_beside_them_passes(folder):
    stop = threading.Event()

    def attack():
        for name in ("kills its group", "prints without end", "frames without end", "forks"):
            if not stop.is_set():
                checked(source_of(HOSTILE[name], folder))

    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        assert [right(RIGHT).status for _ in range(3)] == ["pass"] * 3
    finally:
        stop.set()
        attacker.join()


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("a loop in the call", "timeout", "did not end in time"),
        ("ignores signals, and loops", "timeout", "did not end in time"),
        ("never reads again", "timeout", "did not end in time"),
        ("8 GiB", "memory", "MemoryError in line 2"),
        ("os._exit in the call", "error", "ended the process before it returned"),
        ("sys.exit in the call", "error", "SystemExit in line 2"),
        ("imports the package", "error", "solved with NumPy alone"),
        ("reads its source", "error", "opens no files"),
        ("forks", "error", "it wants os.fork"),
        ("changes its input", "fail", "the arguments must come back unchanged"),
        ("a subclass of ndarray", "fail", "is of type Right, expected a float64 array"),
        ("not there", "not-written", "not written"),
        ("no Python at all", "error", "SyntaxError in line 1"),
        ("recursion", "fail", "RecursionError in line 1"),
    ],
)
def test_what_is_said(name, status, said, folder):
    part = checked(source_of(HOSTILE[name], folder))
    assert (part.status, said in part.problem) == (status, True), part.problem


def test_what_is_known_by_heart_does_not_help_with_another_seed(folder):
    text = source_of(IN_THE_CALL["knows the cases by heart"], folder)
    assert checked(text, seed=0).case.name == "case 1"
    assert checked(text, seed=7).case.name == "case 0"


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_process_that_leaves_the_session_is_found_and_ended(folder):
    """With the guard off, as if it had been got round."""
    child = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
"""
    off = (
        process._PROGRAM.replace("    sys.addaudithook(guarding", "    (guarding")
        .replace("    forget()\n", "")
        .replace('"RLIMIT_NPROC": 0', '"RLIMIT_NPROC": 999')
    )
    seen = []

    def spied(home, find=process.processes_of):
        seen.append(find(home))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "_PROGRAM", off)
        patch.setattr(process, "processes_of", spied)
        assert right(child + RIGHT).status == "pass"
    assert any(seen), "nothing was left, so nothing was tried"
    deadline = time.monotonic() + 5
    while processes_of(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of(folder) == []


def test_a_checkout_below_a_folder_named_minifcn_is_no_reason_to_refuse_numpy(folder):
    lazy = "import numpy as np\ndef double(x):\n    np.polynomial; import decimal\n    return 2 * x"
    assert right(lazy).status == "pass"


def test_the_environment_and_the_arguments_tell_nothing(folder, monkeypatch):
    monkeypatch.setenv("SECRET", "42")
    text = "import os, sys\ndef double(x):\n    raise ValueError(sorted(os.environ), sys.argv[1:])"
    problem = right(text).problem
    assert "SECRET" not in problem
    assert "HOME" in problem


def test_a_file_beside_the_student_is_not_imported(folder):
    Path(folder / "numpy.py").write_text("raise SystemExit")
    assert right("import numpy as np\n" + RIGHT).status == "pass"
    os.remove(folder / "numpy.py")
