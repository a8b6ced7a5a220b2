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
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from statistics import median
from typing import Any

import minifcn
from minifcn import machine
from minifcn.bench.work import Work, operations, scaling_work, standard_work

REST = 0.15
"""Seconds between two turns: threads of a matrix library wait for more work that long, spinning."""
PARTS = ("all", "network", "kernels", "scaling")


class _Worker:
    """A process that times work for one side; see worker.py."""

    def __init__(self, side: str, threads: int) -> None:
        variables = {name: str(threads) for name in machine.THREAD_VARIABLES}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "minifcn.bench.worker", side, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the command, which then ends its workers
            env={**os.environ, **variables},
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
) -> dict[str, Any]:
    """Time the work of minifcn beside PyTorch and beside the limits, in turns.

    Args:
        against: 'torch', or None.
        part: 'network' (the step, its forward pass and its memory), 'kernels', 'scaling' (the
            step at other sizes), or 'all', which is the network and the kernels.
        threads: that every side may use; by default as many as there are cores.
        rounds: turns of each side for each piece of work.
        track: wraps the list of work that is gone through, to show how far it is.

    Returns:
        {'environment': {...}, 'rows': [{'name', 'kind', 'part', ..., 'gflop', 'megabytes',
        'minifcn_ms', 'torch_ms', 'limit_ms', 'ratio'}, ...], 'memory': {side: bytes that a step
        needs at most}}; times are medians, the ratio of minifcn to PyTorch is that of each turn.

    Raises:
        ValueError: an unknown side or part, PyTorch is not installed, fewer than 1 thread or round.
    """
    threads = machine.cores() if threads is None else threads
    _check(against, part, threads, rounds)
    sides = ["minifcn", *([against] if against else [])]
    work = {
        "all": standard_work,
        "network": lambda: [w for w in standard_work() if w.kind == "network"],
        "kernels": lambda: [w for w in standard_work() if w.kind != "network"],
        "scaling": scaling_work,
    }[part]()
    with_memory = part in ("all", "network")
    return {
        "environment": _environment(threads, sides),
        "rows": _time_all(work, [*sides, "limit"], threads, rounds, track),
        "memory": {side: _step_memory(side, threads) for side in sides} if with_memory else {},
    }


def _check(against: str | None, part: str, threads: int, rounds: int) -> None:
    if against not in (None, "torch"):
        raise ValueError(f"against must be 'torch'; got {against!r}")
    if against and not importlib.util.find_spec("torch"):
        raise ValueError("against: PyTorch is not installed (pip install torch)")
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}; got {part!r}")
    for name, value in (("threads", threads), ("rounds", rounds)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}")


def _time_all(
    work: Sequence[Work],
    sides: Sequence[str],
    threads: int,
    rounds: int,
    track: Callable[[Sequence[Work]], Iterable[Work]],
) -> list[dict[str, Any]]:
    rows = []
    with ExitStack() as stack:
        workers = {side: stack.enter_context(_Worker(side, threads)) for side in sides}
        for piece in track(work):
            turns: dict[str, list[float]] = {side: [] for side in sides}
            for _ in range(rounds):
                for side in sides:
                    seconds = workers[side].ask(asdict(piece))
                    turns[side] += [1000 * median(seconds)] if seconds else []
                    time.sleep(REST)
            rows.append(_row(piece, turns))
    return rows


def _row(work: Work, turns: dict[str, list[float]]) -> dict[str, Any]:
    """The medians over all turns; the machine's moods change, so ratios are those of a turn."""
    medians = {f"{side}_ms": median(values) if values else None for side, values in turns.items()}
    pairs = zip(turns["minifcn"], turns.get("torch", []), strict=False)
    ratios = [ours / theirs for ours, theirs in pairs]
    amounts = {
        "gflop": operations(work) / 1e9 if work.product else None,
        "megabytes": work.bytes / 1e6 if work.moves_bytes else None,
    }
    ratio = median(ratios) if ratios else None
    return {"name": work.name, **asdict(work), **amounts, **medians, "ratio": ratio}


def _step_memory(side: str, threads: int, steps: int = 3) -> int | None:
    """The most bytes that a process holds in training steps, less what it held before."""
    with _Worker(side, threads) as worker:
        small = Work("network", "step", batch=1, size=32)  # loads what the library loads once
        worker.ask(asdict(small))
        before = worker.ask({})
        for _ in range(steps):
            worker.ask(asdict(Work("network", "step")))
        after = worker.ask({})
    return after["peak"] - before["now"] if after else None


def _environment(threads: int, sides: Sequence[str]) -> dict[str, Any]:
    packages = ["numpy", *(side for side in sides if side != "minifcn")]
    return {
        "minifcn": minifcn.__version__,
        **{name: importlib.metadata.version(name) for name in packages},
        "python": platform.python_version(),
        "processor": machine.processor(),
        "cores": machine.cores(),
        "threads": threads,
        "blas": machine.blas(),
    }
