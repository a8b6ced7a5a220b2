"""Interleaved runs of several processes, and what comes out of them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from operator import truediv
from statistics import median
from typing import Any

import minifcn
from minifcn import backend, machine
from minifcn.bench.places import TF32
from minifcn.bench.work import (
    STANDARD,
    Work,
    network_work,
    operations,
    scaling_work,
    standard_work,
)

REST = {"cpu": 0.15, "cuda": 0.0}
"""Seconds between two turns: threads of a matrix library wait for more work that long, spinning."""
TF32_VARIABLES = ("CUPY_TF32", "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE")
PARTS = ("all", "network", "kernels", "scaling")
DEVICES = tuple(STANDARD)
START = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("minifcn", sys.argv[1])
sys.modules["minifcn"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["minifcn"])
from minifcn.bench.worker import main
main(sys.argv[2], int(sys.argv[3]), sys.argv[4])
"""
"""The program of a worker: this very minifcn, wherever it is, and of the working folder nothing."""


class _Worker:
    """A process that times work for one side; see worker.py."""

    def __init__(self, side: str, threads: int, device: str) -> None:
        variables = {**os.environ, **dict.fromkeys(machine.THREAD_VARIABLES, str(threads))}
        for name in TF32_VARIABLES:  # what is compared is decided in places.py, and nowhere else
            variables.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", START, minifcn.__file__, side, str(threads), device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the command, which then ends its workers
            env=variables,
        )

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, request: dict[str, Any]) -> Any:
        """Send a request and wait for its answer, while all other workers rest."""
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            raise MemoryError("a process of the benchmark ended early; too little memory?")
        return json.loads(answer)


def compare(
    against: str | None = None,
    part: str = "all",
    threads: int | None = None,
    rounds: int = 5,
    track: Callable[[Sequence[Work]], Iterable[Work]] = iter,
    device: str = "cpu",
) -> dict[str, Any]:
    """Time the work of minifcn beside PyTorch and beside the limits, in turns.

    Args:
        against: 'torch', or None.
        part: 'network' (the steps, their forward passes and memory), 'kernels', 'scaling' (the
            step at other sizes), or 'all', which is the network and the kernels.
        threads: that every side may use; by default as many as there are cores.
        rounds: turns of each side for each piece of work.
        track: wraps the list of work that is gone through, to show how far it is.
        device: 'cpu' or 'cuda'.

    Returns:
        {'environment': {...}, 'sides': {side: {what to know about it}}, 'notes': [lines], 'rows':
        [{'name', 'kind', 'part', ..., 'gflop', 'megabytes', 'minifcn_ms', 'torch_ms', 'limit_ms',
        'ratio'}, ...], 'memory': [{'name', 'minifcn_bytes', 'torch_bytes', 'ratio'}, ...]}; times
        are medians, the ratio of minifcn to PyTorch is that of each turn, memory is the most that
        a step needs. On a GPU there are two PyTorchs, without TF32 and with it in convolutions,
        'torch_fp32' and 'torch_tf32', and two ratios, 'ratio_fp32' and 'ratio_tf32'.

    Raises:
        ValueError: an unknown side, part or device, PyTorch is not installed, no GPU can be used,
            fewer than 1 thread or round.
    """
    threads = machine.cores() if threads is None else threads
    _check(against, part, threads, rounds, device)
    work = {
        "all": standard_work,
        "network": network_work,
        "kernels": lambda device: [w for w in standard_work(device) if w.kind != "network"],
        "scaling": scaling_work,
    }[part](device)
    torches = (["torch"] if device == "cpu" else list(TF32)) if against else []
    with ExitStack() as stack:
        start = lambda side: stack.enter_context(_Worker(side, threads, device))
        workers = {side: start(side) for side in ("minifcn", *torches, "limit")}
        facts, notes = _facts(workers)
        rows = _time_all(work, workers, rounds, track, REST[device])
    steps = [w for w in network_work(device) if w.part != "forward"]
    with_memory = part in ("all", "network")
    sides = [side for side in workers if side != "limit"]
    return {
        "environment": _environment(threads, sides, device),
        "sides": facts,
        "notes": notes,
        "rows": rows,
        "memory": [_memory(step, sides, threads, device) for step in steps if with_memory],
    }


def _check(against: str | None, part: str, threads: int, rounds: int, device: str) -> None:
    if against not in (None, "torch"):
        raise ValueError(f"against must be 'torch'; got {against!r}")
    if against and not importlib.util.find_spec("torch"):
        raise ValueError("against: PyTorch is not installed (pip install torch)")
    for name, choice, choices in (("part", part, PARTS), ("device", device, DEVICES)):
        if choice not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}; got {choice!r}")
    for name, value in (("threads", threads), ("rounds", rounds)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}")
    if device == "cuda" and (problem := backend.why_no_gpu()):
        raise ValueError(f"device 'cuda' cannot be used: {problem}")


def _facts(workers: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Ask each side about itself; one that cannot compute is taken out, and a note says why."""
    facts = {side: worker.ask({"tell": "facts"}) for side, worker in workers.items()}
    problems = {side: told["problem"] for side, told in facts.items() if "problem" in told}
    for side in problems:
        del workers[side]
    notes = [f"compared with nothing: {problem}" for problem in dict.fromkeys(problems.values())]
    return {side: facts[side] for side in workers if facts[side] and side != "limit"}, notes


def _time_all(
    work: Sequence[Work],
    workers: dict[str, _Worker],
    rounds: int,
    track: Callable[[Sequence[Work]], Iterable[Work]],
    rest: float,
) -> list[dict[str, Any]]:
    rows = []
    for piece in track(work):
        turns: dict[str, list[float]] = {side: [] for side in workers}
        for _ in range(rounds):
            for side, worker in workers.items():
                seconds = worker.ask(asdict(piece))
                turns[side] += [1000 * median(seconds)] if seconds else []
                time.sleep(rest)
        rows.append(_row(piece, turns))
    return rows


def _row(work: Work, turns: dict[str, list[float]]) -> dict[str, Any]:
    """The medians over all turns; the machine's moods change, so ratios are those of a turn."""
    medians = {f"{side}_ms": median(values) if values else None for side, values in turns.items()}
    amounts = {
        "gflop": operations(work) / 1e9 if work.product else None,
        "megabytes": work.bytes / 1e6 if work.moves_bytes else None,
    }
    return {"name": work.name, **asdict(work), **amounts, **medians, **_ratios(turns)}


def _ratios(turns: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """How minifcn stands to each PyTorch: 'ratio' to 'torch', 'ratio_tf32' to 'torch_tf32'."""
    ours = turns["minifcn"]
    return {
        side.replace("torch", "ratio"): median(map(truediv, ours, theirs))
        for side, theirs in turns.items()
        if side.startswith("torch") and theirs
    }


def _memory(work: Work, sides: Sequence[str], threads: int, device: str) -> dict[str, Any]:
    """The most memory that each side needs for a step, in bytes."""
    found = {side: _step_memory(side, work, threads, device) or {} for side in sides}
    peaks = {side: [amounts["peak"]] for side, amounts in found.items() if amounts}
    numbers = {
        f"{side}_{name}": amounts[key]
        for side, amounts in found.items()
        for key, name in (("peak", "bytes"), ("held", "held_bytes"))
        if key in amounts
    }
    return {"name": work.name, **numbers, **(_ratios(peaks) if peaks else {})}


def _step_memory(
    side: str, work: Work, threads: int, device: str, steps: int = 3
) -> dict[str, int] | None:
    """The most bytes in training steps: on the CPU, beyond what the process held before.

    Before that, the library loads what it loads once; on a GPU it also chooses its algorithms.
    """
    small = Work("network", "step", batch=1, size=32)
    with _Worker(side, threads, device) as worker:
        worker.ask(asdict(small if device == "cpu" else work))
        before = worker.ask({"tell": "memory"})
        for _ in range(steps):
            worker.ask(asdict(work))
        after = worker.ask({"tell": "memory"})
    return {**after, "peak": after["peak"] - before["base"]} if after else None


def _environment(threads: int, sides: Sequence[str], device: str) -> dict[str, Any]:
    packages = ["numpy", *(["torch"] if any(side.startswith("torch") for side in sides) else [])]
    return {
        "minifcn": minifcn.__version__,
        **{name: importlib.metadata.version(name) for name in packages},
        "python": platform.python_version(),
        "processor": machine.processor(),
        "cores": machine.cores(),
        "threads": threads,
        "blas": machine.blas(),
        **({"overrides": _overrides()} if machine.overrides() else {}),
        **({"gpu": machine.gpu()} if device == "cuda" else {}),
    }


def _overrides() -> str:
    """The variables that are set and decide for the matrix library: 'NAME=value NAME=value'."""
    return " ".join(f"{name}={value}" for name, value in machine.overrides().items())
