"""Workers that take turns, and what comes out; few real processes, for they take a while."""

import io
import json
import math
import os
import subprocess
import sys
from dataclasses import asdict
from functools import partial
from statistics import median

import numpy as np
import pytest

import minifcn
from minifcn.bench import compare, runner, sides, worker
from minifcn.bench.runner import _row, _Worker
from minifcn.bench.work import Work, scaling_work, standard_work

STEP = Work("network", "step", batch=1, size=32)
FORWARD = Work("network", "forward", batch=1, size=32)
PRODUCT = Work("conv2d", "forward", 1, 4, 8, 2, 3, 1, 1)
COPY = Work("max_pool2d", "backward", 1, 2, 4, kernel=2, stride=2)
ENVIRONMENT = ["minifcn", "numpy", "python", "processor", "cores", "threads", "blas"]


@pytest.fixture
def processes(monkeypatch):
    """All processes that are started, and quick turns of little work."""
    started = []

    class Process(subprocess.Popen):
        def __init__(self, *arguments, **options):
            started.append(self)
            super().__init__(*arguments, **options)

    monkeypatch.setattr("subprocess.Popen", Process)
    monkeypatch.setattr(runner, "REST", 0)
    monkeypatch.setattr(runner, "standard_work", lambda: [STEP, FORWARD, PRODUCT, COPY])
    monkeypatch.setattr(runner, "scaling_work", lambda: [FORWARD])
    monkeypatch.setattr(runner, "Work", partial(Work, batch=2, size=64))  # for the memory
    return started


def gone(processes):
    """Whether each process has ended and been waited for, and its pipes are closed."""
    return processes and all(
        process.returncode is not None and process.stdin.closed and process.stdout.closed
        for process in processes
    )


# -- Real processes -------------------------------------------------------------------------------


def test_compare_without_pytorch(processes):
    results = compare(part="all", threads=1, rounds=1)
    assert len(processes) == 3  # minifcn, the limits, and minifcn's memory
    assert gone(processes)
    assert list(results) == ["environment", "rows", "memory"]
    environment = results["environment"]
    assert list(environment) == ENVIRONMENT
    assert environment["minifcn"] == minifcn.__version__
    assert environment["numpy"] == np.__version__
    assert environment["threads"] == 1
    assert environment["cores"] >= 1
    assert environment["processor"] == runner.machine.processor()
    assert environment["blas"] == runner.machine.blas()
    rows = results["rows"]
    assert [row["name"] for row in rows] == [w.name for w in (STEP, FORWARD, PRODUCT, COPY)]
    assert all(row["minifcn_ms"] > 0 and row["ratio"] is None for row in rows)
    assert [bool(row["limit_ms"]) for row in rows] == [False, False, True, True]
    assert list(results["memory"]) == ["minifcn"]
    if sys.platform == "linux":
        assert 0 < results["memory"]["minifcn"] < 2**30
    assert json.loads(json.dumps(results)) == results


@pytest.mark.oracle
def test_compare_with_pytorch(processes, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(runner, "standard_work", lambda: [FORWARD, PRODUCT])
    results = compare("torch", "kernels", threads=1, rounds=1)
    assert [process.args[-2:] for process in processes] == [
        ["minifcn", "1"], ["torch", "1"], ["limit", "1"]
    ]  # fmt: skip
    assert gone(processes)
    (row,) = results["rows"]
    assert row["name"] == PRODUCT.name
    assert row["torch_ms"] > 0
    assert row["ratio"] == row["minifcn_ms"] / row["torch_ms"]
    assert results["environment"]["torch"] == torch.__version__
    assert results["memory"] == {}


def test_a_worker_that_dies_is_an_error(processes, monkeypatch, capfd):
    monkeypatch.setattr(runner, "scaling_work", lambda: [Work("conv2d", "sideways", 1, 1, 4, 1, 1)])
    with pytest.raises(MemoryError, match="^a process of the benchmark ended early; .* memory[?]$"):
        compare(part="scaling", threads=1, rounds=1)
    assert gone(processes)
    assert "KeyError: 'sideways'" in capfd.readouterr().err


def test_a_worker_that_is_dead_already_is_an_error(processes):
    with _Worker("minifcn", 1) as dead:
        dead.process.kill()
        dead.process.wait()
        for _ in range(2):
            with pytest.raises(MemoryError, match="ended early"):
                dead.ask({})
    assert gone(processes)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interruption_leaves_no_process(processes, error):
    def interrupted(work):
        assert [process.poll() for process in processes] == [None, None]
        raise error
        yield from work

    with pytest.raises(error):
        compare(part="scaling", threads=1, rounds=1, track=interrupted)
    assert len(processes) == 2
    assert gone(processes)


def test_threads_are_set_before_a_library_is_loaded(monkeypatch):
    """Through variables, for NumPy's matrix library reads them once; all else stays."""
    seen = {}

    def start(command, env, **options):
        seen.update(command=command, env=env, options=options)

    monkeypatch.setattr("subprocess.Popen", start)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    _Worker("torch", 3)
    assert seen["command"] == [sys.executable, "-m", "minifcn.bench.worker", "torch", "3"]
    own = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "3")
    assert seen["env"] == {**os.environ, **own}


# -- The order of things, with workers that only pretend ------------------------------------------


@pytest.fixture
def pretended(monkeypatch):
    """Workers that answer at once; returns what they were asked, in order."""
    asked = []

    class Pretended:
        def __init__(self, side, threads):
            self.side, self.threads = side, threads

        def __enter__(self):
            return self

        def __exit__(self, *arguments):
            asked.append((self.side, "closed"))

        def ask(self, request):
            asked.append((self.side, request))
            if not request:
                return {"now": 10 * len(asked), "peak": 1000}
            return [] if self.side == "limit" and request["kind"] == "network" else [3, 1, 2]

    monkeypatch.setattr(runner, "_Worker", Pretended)
    monkeypatch.setattr(runner.time, "sleep", lambda seconds: asked.append(("all", seconds)))
    monkeypatch.setattr(runner, "_environment", lambda threads, sides: {"threads": threads})
    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda name: name)
    return asked


def test_sides_take_turns_and_rest_between_them(pretended):
    rows = runner._time_all([PRODUCT, STEP], ["minifcn", "torch", "limit"], 1, 2, iter)
    turn = [(side, "turn") for side in ("minifcn", "torch", "limit")]
    rests = [("all", runner.REST)]
    seen = [(side, "turn") if isinstance(what, dict) else (side, what) for side, what in pretended]
    expected = [event for one in turn for event in (one, *rests)] * 4
    assert seen == expected + [(side, "closed") for side in ("limit", "torch", "minifcn")]
    assert runner.REST > 0
    assert [what for side, what in pretended if side == "torch"][:2] == [asdict(PRODUCT)] * 2
    assert [row["minifcn_ms"] for row in rows] == [2000, 2000]  # the median, in milliseconds
    assert [row["limit_ms"] for row in rows] == [2000, None]


PARTS_OF_WORK = {
    "all": (standard_work(), True),
    "network": (standard_work()[:2], True),
    "kernels": (standard_work()[2:], False),
    "scaling": (scaling_work(), False),
}


@pytest.mark.parametrize("against", [None, "torch"])
@pytest.mark.parametrize("part", PARTS_OF_WORK)
def test_parts(pretended, part, against):
    work, with_memory = PARTS_OF_WORK[part]
    tracked = []

    def track(pieces):
        tracked.extend(pieces)
        return iter(pieces)

    results = compare(against, part, threads=1, rounds=1, track=track)
    assert [row["name"] for row in results["rows"]] == [piece.name for piece in work]
    assert tracked == work
    sides = ["minifcn", *([against] if against else [])]
    assert list(results["memory"]) == (sides if with_memory else [])
    assert {side for side, _ in pretended} == {*sides, "limit", "all"}
    assert all((row["ratio"] is None) == (against is None) for row in results["rows"])
    assert tuple(PARTS_OF_WORK) == runner.PARTS


def test_all_cores_are_used_by_default(pretended, monkeypatch):
    monkeypatch.setattr(runner.machine, "cores", lambda: 6)
    assert compare(part="network", rounds=1)["environment"] == {"threads": 6}


def test_memory_is_the_peak_of_steps_above_what_was_held_before(pretended):
    assert runner._step_memory("minifcn", 1, steps=3) == 1000 - 20
    small, step = asdict(STEP), asdict(Work("network", "step"))
    requests = [what for _, what in pretended]
    assert requests == [small, {}, step, step, step, {}, "closed"]


def test_memory_is_unknown_where_the_system_does_not_say(pretended, monkeypatch):
    monkeypatch.setattr(runner._Worker, "ask", lambda self, request: None)
    assert runner._step_memory("minifcn", 1) is None


# -- Rows -----------------------------------------------------------------------------------------


def test_a_row_has_medians_and_the_median_of_the_ratios():
    turns = {"minifcn": [1.0, 20.0, 6.0], "torch": [2.0, 4.0, 3.0], "limit": [1.0, 3.0, 8.0]}
    row = _row(PRODUCT, turns)
    assert [row[f"{side}_ms"] for side in turns] == [6.0, 3.0, 3.0]
    assert row["ratio"] == median([1 / 2, 20 / 4, 6 / 3]) == 2
    slower_moods = {"minifcn": [1.0, 30.0, 200.0], "torch": [1.0, 10.0, 100.0], "limit": []}
    assert _row(PRODUCT, slower_moods)["ratio"] == 2  # the ratio of the medians would be 3
    assert _row(PRODUCT, slower_moods)["limit_ms"] is None


def test_a_row_holds_the_work_and_its_amount():
    turns = {"minifcn": [1.0], "limit": [1.0]}
    row = _row(PRODUCT, turns)
    assert {name: row[name] for name in asdict(PRODUCT)} == asdict(PRODUCT)
    assert row["name"] == PRODUCT.name
    assert (row["gflop"], row["megabytes"]) == (2 * 2 * 4 * 9 * 64 / 1e9, None)
    assert row["ratio"] is None
    assert "torch_ms" not in row
    copy = _row(COPY, turns)
    assert (copy["gflop"], copy["megabytes"]) == (None, 2 * (4 * 16 + 4 * 4 + 8 * 4) / 1e6)
    network = _row(STEP, turns)
    assert (network["gflop"], network["megabytes"]) == (None, None)


# -- Wrong arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"against": "jax"}, "against must be 'torch'; got 'jax'"),
        ({"against": ""}, "against must be 'torch'; got ''"),
        ({"part": "step"}, "part must be one of all, network, kernels, scaling; got 'step'"),
        ({"threads": 0}, "threads must be at least 1; got 0"),
        ({"threads": -2}, "threads must be at least 1; got -2"),
        ({"rounds": 0}, "rounds must be at least 1; got 0"),
    ],
)
def test_wrong_arguments_are_named_before_any_work(pretended, arguments, message):
    with pytest.raises(ValueError) as caught:
        compare(**{"threads": 1, "rounds": 1, **arguments})
    assert str(caught.value) == message
    assert not pretended


def test_without_pytorch_one_line_says_so(pretended, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError) as caught:
        compare("torch", threads=1, rounds=1)
    assert str(caught.value) == "against: PyTorch is not installed (pip install torch)"
    assert not pretended


# -- A worker, in this process --------------------------------------------------------------------


@pytest.fixture
def answers(monkeypatch, capsys):
    """What a worker prints for requests; it is quick."""
    monkeypatch.setattr(worker, "SECONDS", 0)

    def ask(side, *requests):
        monkeypatch.setattr(
            "sys.stdin", io.StringIO("".join(json.dumps(r) + "\n" for r in requests))
        )
        worker.main(side, 1)
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return ask


def test_a_worker_answers_line_by_line(answers, monkeypatch):
    calls = []

    def prepare(work):
        calls.append(work)
        return None if work.kind == "network" else lambda: calls.append(work.kind)

    monkeypatch.setitem(sides.SIDES, "limit", prepare)
    requests = [asdict(PRODUCT), asdict(PRODUCT), {}, asdict(STEP), asdict(COPY)]
    first, second, memory, none, third = answers("limit", *requests)
    assert [len(seconds) for seconds in (first, second, none, third)] == [3, 3, 0, 3]
    assert memory is None or memory["peak"] >= memory["now"] > 2**20
    # Two calls that are not counted, and three that are; prepared once for two turns.
    assert calls == [PRODUCT, *["conv2d"] * 10, STEP, COPY, *["max_pool2d"] * 5]


def test_a_turn_ends_after_a_while_or_a_number_of_calls(monkeypatch):
    clock = iter(np.arange(1000) / 16)  # each call takes 1/16 second
    monkeypatch.setattr(worker.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(worker, "SECONDS", 0.5)
    monkeypatch.setattr(worker, "MOST_CALLS", 20)
    assert worker._time(lambda: None) == [1 / 16] * 8
    monkeypatch.setattr(worker, "SECONDS", math.inf)
    assert worker._time(lambda: None) == [1 / 16] * 20
    monkeypatch.setattr(worker, "SECONDS", 0)
    assert worker._time(lambda: None) == [1 / 16] * 3


@pytest.mark.parametrize("side", ["minifcn", "limit"])
def test_a_worker_times_each_side(answers, side):
    (seconds,) = answers(side, asdict(PRODUCT))
    assert len(seconds) == 3
    assert min(seconds) > 0


@pytest.mark.oracle
def test_a_worker_times_pytorch_with_the_threads_it_may_use(answers, monkeypatch):
    torch = pytest.importorskip("torch")
    threads = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    (seconds,) = answers("torch", asdict(PRODUCT))
    assert min(seconds) > 0
    assert threads == [1]


def test_memory_in_use_is_read_from_proc(monkeypatch, tmp_path):
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmHWM:\t  300 kB\nVmRSS:\t  200 kB\nThreads:\t1\n")
    monkeypatch.setattr(worker, "Path", lambda path: {"/proc/self/status": status}[path])
    assert worker._memory() == {"now": 200 * 1024, "peak": 300 * 1024}
    status.unlink()
    assert worker._memory() is None
