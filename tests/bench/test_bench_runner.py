"""Workers that take turns, and what comes out; few real processes, for they take a while."""

import io
import json
import math
import os
import subprocess
import sys
from dataclasses import asdict
from statistics import median

import numpy as np
import pytest

import minifcn
from minifcn.bench import compare, runner, sides, worker
from minifcn.bench.places import CPU, GPU
from minifcn.bench.runner import _row, _Worker
from minifcn.bench.work import Work, network_work, scaling_work, standard_work

STEP = Work("network", "step", batch=1, size=32)
FORWARD = Work("network", "forward", batch=1, size=32)
LARGER = Work("network", "step", batch=2, size=64)
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
    monkeypatch.setattr(runner, "REST", {"cpu": 0})
    monkeypatch.setattr(runner, "standard_work", lambda device: [STEP, FORWARD, PRODUCT, COPY])
    monkeypatch.setattr(runner, "scaling_work", lambda device: [FORWARD])
    monkeypatch.setattr(runner, "network_work", lambda device: [LARGER, FORWARD])  # for the memory
    return started


def gone(processes):
    """Whether each process has ended and been waited for, and its pipes are closed."""
    return processes and all(
        process.returncode is not None and process.stdin.closed and process.stdout.closed
        for process in processes
    )


# -- Real processes -------------------------------------------------------------------------------


def test_compare_without_pytorch(processes, monkeypatch):
    for name in runner.machine.OVERRIDES:
        monkeypatch.delenv(name, raising=False)
    results = compare(part="all", threads=1, rounds=1)
    assert len(processes) == 3  # minifcn, the limits, and minifcn's memory
    assert gone(processes)
    assert list(results) == ["environment", "sides", "notes", "rows", "memory"]
    assert (results["sides"], results["notes"]) == ({}, [])
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
    assert all(row["minifcn_ms"] > 0 and "ratio" not in row for row in rows)
    assert [bool(row["limit_ms"]) for row in rows] == [False, False, True, True]
    (memory,) = results["memory"]
    assert memory["name"] == LARGER.name
    if sys.platform == "linux":
        assert 0 < memory["minifcn_bytes"] < 2**30
    assert json.loads(json.dumps(results)) == results


def test_what_decides_for_the_matrix_library_is_part_of_the_environment(monkeypatch):
    variables = {"OPENBLAS_CORETYPE": "Zen", "OPENBLAS_L2_SIZE": "512"}
    monkeypatch.setattr(runner.machine, "overrides", lambda: variables)
    environment = runner._environment(1, ["minifcn"], "cpu")
    assert list(environment) == [*ENVIRONMENT, "overrides"]
    assert environment["overrides"] == "OPENBLAS_CORETYPE=Zen OPENBLAS_L2_SIZE=512"


@pytest.mark.oracle
def test_compare_with_pytorch(processes, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(runner, "standard_work", lambda device: [FORWARD, PRODUCT])
    results = compare("torch", "kernels", threads=1, rounds=1)
    assert [process.args[-3:] for process in processes] == [
        ["minifcn", "1", "cpu"], ["torch", "1", "cpu"], ["limit", "1", "cpu"]
    ]  # fmt: skip
    assert gone(processes)
    (row,) = results["rows"]
    assert row["name"] == PRODUCT.name
    assert row["torch_ms"] > 0
    assert row["ratio"] == row["minifcn_ms"] / row["torch_ms"]
    assert results["environment"]["torch"] == torch.__version__
    assert (results["sides"], results["memory"]) == ({}, [])


FILES = ("torch", "numpy", "random", "json", "minifcn", "runpy", "importlib", "code", "typing")


def test_files_of_the_working_folder_are_not_imported(processes, tmp_path, monkeypatch):
    for name in FILES:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.chdir(tmp_path)
    (row,) = compare(part="scaling", threads=1, rounds=1)["rows"]
    assert row["minifcn_ms"] > 0


def test_a_worker_runs_the_minifcn_that_starts_it(tmp_path):
    """Also where another one is installed, or none, as in a checkout."""
    (tmp_path / "minifcn" / "bench").mkdir(parents=True)
    for name in ("__init__", "bench/__init__"):
        (tmp_path / "minifcn" / f"{name}.py").touch()
    (tmp_path / "minifcn" / "bench" / "worker.py").write_text("main = print")
    path = str(tmp_path / "minifcn" / "__init__.py")
    command = [sys.executable, "-P", "-c", runner.START, path, "limit", "1", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "limit 1 cpu\n"


def test_a_worker_that_dies_is_an_error(processes, monkeypatch, capfd):
    sideways = Work("conv2d", "sideways", 1, 1, 4, 1, 1)
    monkeypatch.setattr(runner, "scaling_work", lambda device: [sideways])
    with pytest.raises(MemoryError, match="^a process of the benchmark ended early; .* memory[?]$"):
        compare(part="scaling", threads=1, rounds=1)
    assert gone(processes)
    assert "KeyError: 'sideways'" in capfd.readouterr().err


def test_a_worker_that_is_dead_already_is_an_error(processes):
    with _Worker("minifcn", 1, "cpu") as dead:
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
    expected = dict(os.environ)
    for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "GOTO"):
        expected[f"{name}_NUM_THREADS"] = "3"
    for name in runner.TF32_VARIABLES:  # these would decide what is compared
        monkeypatch.setenv(name, "1")
        expected.pop(name, None)
    _Worker("torch", 3, "cuda")
    program = ["-P", "-c", runner.START, minifcn.__file__]
    assert seen["command"] == [sys.executable, *program, "torch", "3", "cuda"]
    assert seen["env"] == expected


# -- The order of things, with workers that only pretend ------------------------------------------


@pytest.fixture
def pretended(monkeypatch, facts):
    """Workers that answer at once; returns what they were asked, in order."""
    asked = []

    class Pretended:
        def __init__(self, side, threads, device):
            self.side, self.threads, self.device = side, threads, device

        def __enter__(self):
            return self

        def __exit__(self, *arguments):
            asked.append((self.side, "closed"))

        def ask(self, request):
            asked.append((self.side, request))
            if request == {"tell": "facts"}:
                return facts.get(self.side, {})
            if request == {"tell": "memory"}:
                return {"base": 10 * len(asked), "peak": 1000}
            return [] if self.side == "limit" and request["kind"] == "network" else [3, 1, 2]

    monkeypatch.setattr(runner, "_Worker", Pretended)
    monkeypatch.setattr(runner.time, "sleep", lambda seconds: asked.append(("all", seconds)))
    monkeypatch.setattr(runner, "_environment", lambda threads, *others: {"threads": threads})
    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(runner.backend, "why_no_gpu", lambda: None)
    return asked


@pytest.fixture
def facts():
    """What sides that only pretend say about themselves."""
    return {}


def test_sides_take_turns_and_rest_between_them(pretended):
    workers = {side: runner._Worker(side, 1, "cpu") for side in ("minifcn", "torch", "limit")}
    rows = runner._time_all([PRODUCT, STEP], workers, 2, iter, rest=7)
    seen = [(side, "turn") if isinstance(what, dict) else (side, what) for side, what in pretended]
    assert seen == [event for side in workers for event in ((side, "turn"), ("all", 7))] * 4
    assert runner.REST["cpu"] > 0
    assert [what for side, what in pretended if side == "torch"][:2] == [asdict(PRODUCT)] * 2
    assert [row["minifcn_ms"] for row in rows] == [2000, 2000]  # the median, in milliseconds
    assert [row["limit_ms"] for row in rows] == [2000, None]


def kernels(device):
    return [work for work in standard_work(device) if work.kind != "network"]


PARTS_OF_WORK = {
    "all": (standard_work, True),
    "network": (network_work, True),
    "kernels": (kernels, False),
    "scaling": (scaling_work, False),
}
TORCHES = {"cpu": ["torch"], "cuda": ["torch_fp32", "torch_tf32"]}


@pytest.mark.parametrize("device", runner.DEVICES)
@pytest.mark.parametrize("against", [None, "torch"])
@pytest.mark.parametrize("part", PARTS_OF_WORK)
def test_parts(pretended, part, against, device):
    list_work, with_memory = PARTS_OF_WORK[part]
    work, torches = list_work(device), TORCHES[device] if against else []
    tracked = []

    def track(pieces):
        tracked.extend(pieces)
        return iter(pieces)

    results = compare(against, part, threads=1, rounds=1, track=track, device=device)
    assert [row["name"] for row in results["rows"]] == [piece.name for piece in work]
    assert tracked == work
    sides = ["minifcn", *torches]
    steps = [w.name for w in network_work(device) if w.part != "forward"]
    assert [row["name"] for row in results["memory"]] == (steps if with_memory else [])
    for row in results["memory"]:
        assert [key for key in row if "bytes" in key] == [f"{side}_bytes" for side in sides]
    assert {side for side, _ in pretended} == {*sides, "limit", "all"}
    ratios = [side.replace("torch", "ratio") for side in torches]
    for row in [*results["rows"], *results["memory"]]:
        assert [key for key in row if "ratio" in key] == ratios
    assert tuple(PARTS_OF_WORK) == runner.PARTS


def test_all_cores_are_used_by_default(pretended, monkeypatch):
    monkeypatch.setattr(runner.machine, "cores", lambda: 6)
    assert compare(part="network", rounds=1)["environment"] == {"threads": 6}


@pytest.mark.parametrize("device", runner.DEVICES)
def test_memory_is_the_peak_of_steps_above_what_was_held_before(pretended, device):
    memory = runner._step_memory("minifcn", LARGER, 1, device, steps=3)
    assert memory == {"base": 60, "peak": 1000 - 20}
    first, step, tell = asdict(STEP), asdict(LARGER), {"tell": "memory"}
    if device == "cuda":  # where PyTorch tries its algorithms for just this work first
        first = step
    requests = [what for _, what in pretended]
    assert requests == [first, tell, step, step, step, tell, "closed"]


def test_memory_is_unknown_where_the_system_does_not_say(pretended, monkeypatch):
    monkeypatch.setattr(runner._Worker, "ask", lambda self, request: None)
    assert runner._step_memory("minifcn", LARGER, 1, "cpu") is None
    assert runner._memory(LARGER, ["minifcn", "torch"], 1, "cpu") == {"name": LARGER.name}


def test_a_row_of_memory(monkeypatch):
    memory = {
        "minifcn": {"base": 0, "peak": 30, "held": 50},
        "torch_fp32": {"base": 0, "peak": 20, "held": 60},
        "torch_tf32": {"base": 0, "peak": 40},
    }
    monkeypatch.setattr(runner, "_step_memory", lambda side, *others: memory[side])
    assert runner._memory(LARGER, list(memory), 1, "cuda") == {
        "name": LARGER.name,
        "minifcn_bytes": 30,
        "minifcn_held_bytes": 50,
        "torch_fp32_bytes": 20,
        "torch_fp32_held_bytes": 60,
        "torch_tf32_bytes": 40,
        "ratio_fp32": 1.5,
        "ratio_tf32": 0.75,
    }


# -- On a GPU -------------------------------------------------------------------------------------


def test_what_sides_say_about_themselves_is_in_the_results(pretended, facts):
    facts |= {"minifcn": {"gpu": "G"}, "torch_tf32": {"tf32": "on"}, "limit": {"gpu": "G"}}
    results = compare("torch", "network", 1, 1, device="cuda")
    assert results["sides"] == {"minifcn": {"gpu": "G"}, "torch_tf32": {"tf32": "on"}}
    assert results["notes"] == []


def test_a_pytorch_without_cuda_is_left_out_and_one_note_says_why(pretended, facts):
    facts |= dict.fromkeys(TORCHES["cuda"], {"problem": "PyTorch 2.13.0 was built without CUDA"})
    results = compare("torch", "all", 1, 1, device="cuda")
    assert results["notes"] == ["compared with nothing: PyTorch 2.13.0 was built without CUDA"]
    assert results["sides"] == {}
    for row in [*results["rows"], *results["memory"]]:
        assert not [key for key in row if "torch" in key or "ratio" in key]
    assert all(row["minifcn_ms"] for row in results["rows"])
    assert len(results["memory"]) == len(network_work("cuda")) / 2
    asked = [what for side, what in pretended if side == "torch_fp32"]
    assert asked == [{"tell": "facts"}, "closed"]


def test_without_a_gpu_one_line_says_why(pretended, monkeypatch):
    monkeypatch.setattr(runner.backend, "why_no_gpu", lambda: "CuPy is not installed")
    with pytest.raises(ValueError) as caught:
        compare(threads=1, rounds=1, device="cuda")
    assert str(caught.value) == "device 'cuda' cannot be used: CuPy is not installed"
    assert not pretended
    assert compare(part="network", threads=1, rounds=1)["rows"]


# -- Rows -----------------------------------------------------------------------------------------


def test_a_row_has_medians_and_the_median_of_the_ratios():
    turns = {"minifcn": [1.0, 20.0, 6.0], "torch": [2.0, 4.0, 3.0], "limit": [1.0, 3.0, 8.0]}
    row = _row(PRODUCT, turns)
    assert [row[f"{side}_ms"] for side in turns] == [6.0, 3.0, 3.0]
    assert row["ratio"] == median([1 / 2, 20 / 4, 6 / 3]) == 2
    slower_moods = {"minifcn": [1.0, 30.0, 200.0], "torch": [1.0, 10.0, 100.0], "limit": []}
    assert _row(PRODUCT, slower_moods)["ratio"] == 2  # the ratio of the medians would be 3
    assert _row(PRODUCT, slower_moods)["limit_ms"] is None


def test_a_row_has_a_ratio_to_each_pytorch():
    turns = {"minifcn": [2.0, 4.0], "torch_fp32": [4.0, 8.0], "torch_tf32": [1.0, 1.0], "limit": []}
    row = _row(STEP, turns)
    assert (row["ratio_fp32"], row["ratio_tf32"]) == (0.5, 3)
    assert "ratio" not in row


def test_a_row_holds_the_work_and_its_amount():
    turns = {"minifcn": [1.0], "limit": [1.0]}
    row = _row(PRODUCT, turns)
    assert {name: row[name] for name in asdict(PRODUCT)} == asdict(PRODUCT)
    assert row["name"] == PRODUCT.name
    assert (row["gflop"], row["megabytes"]) == (2 * 2 * 4 * 9 * 64 / 1e9, None)
    assert not {"ratio", "torch_ms"} & row.keys()
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
        ({"device": "auto"}, "device must be one of cpu, cuda; got 'auto'"),
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
    monkeypatch.setattr(CPU, "seconds", 0)

    def ask(side, *requests):
        monkeypatch.setattr(
            "sys.stdin", io.StringIO("".join(json.dumps(r) + "\n" for r in requests))
        )
        worker.main(side, 1, "cpu")
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return ask


def test_a_worker_answers_line_by_line(answers, monkeypatch):
    calls = []

    def prepare(work, place):
        assert type(place) is CPU
        calls.append(work)
        return None if work.kind == "network" else lambda: calls.append(work.kind)

    monkeypatch.setitem(sides.SIDES, "limit", prepare)
    memory, facts = {"tell": "memory"}, {"tell": "facts"}
    requests = [asdict(PRODUCT), asdict(PRODUCT), memory, facts, asdict(STEP), asdict(COPY)]
    first, second, memory, facts, none, third = answers("limit", *requests)
    assert facts == {}
    assert [len(seconds) for seconds in (first, second, none, third)] == [3, 3, 0, 3]
    assert memory is None or memory["peak"] >= memory["base"] > 2**20
    # Two calls that are not counted, and three that are; prepared once for two turns.
    assert calls == [PRODUCT, *["conv2d"] * 10, STEP, COPY, *["max_pool2d"] * 5]


def test_a_turn_ends_after_a_while_or_a_number_of_calls(monkeypatch):
    clock = iter(np.arange(1000) / 16)  # each call takes 1/16 second
    monkeypatch.setattr(worker.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(worker, "MOST_TIMES", 20)
    for seconds, times in ((0.5, 8), (math.inf, 20), (0, 3)):
        monkeypatch.setattr(CPU, "seconds", seconds)
        assert worker._time(lambda: None, CPU()) == [1 / 16] * times


class Told(GPU):
    """A GPU that is told of calls, each 1 ms of work for it, and does them when waited for."""

    def __init__(self):
        self.clock, self.queue, self.waits = 0.0, 0, []

    def call(self):
        self.clock += 1e-5
        self.queue += 1

    def wait(self):
        self.waits.append(self.queue)
        self.clock += self.queue * 1e-3
        self.queue = 0


def test_calls_on_a_gpu_are_timed_together_until_it_is_idle(monkeypatch):
    gpu = Told()
    monkeypatch.setattr(worker.time, "perf_counter", lambda: gpu.clock)
    monkeypatch.setattr(Told, "seconds", 0.09)
    monkeypatch.setattr(Told, "warm_up", 0.02)
    monkeypatch.setattr(Told, "together", 0.0101)
    seconds = worker._time(gpu.call, gpu)
    np.testing.assert_allclose(seconds, [1.01e-3] * 9)
    # Two alone, to compile; some to wake it up; then ten at a time. It is idle before each.
    assert gpu.waits == [0, 1, 0, 1, 0, 1, 0, 20] + [0, 10] * 9


def test_no_more_calls_are_queued_than_a_gpu_takes(monkeypatch):
    gpu = Told()
    monkeypatch.setattr(worker.time, "perf_counter", lambda: gpu.clock)
    monkeypatch.setattr(worker, "MOST_TOGETHER", 7)
    monkeypatch.setattr(Told, "together", 1.0)
    worker._time(gpu.call, gpu)
    assert max(gpu.waits) == 7


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
