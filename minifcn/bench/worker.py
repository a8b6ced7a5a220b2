"""A process that times the work it is told to, over and over: `python -m minifcn.bench.worker`."""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

from minifcn.bench.sides import SIDES, Call
from minifcn.bench.work import Work

SECONDS, MOST_CALLS = 0.1, 30
"""How long to time a piece of work in one turn, and how often."""


def main(side: str, threads: int) -> None:
    """Answer each line of JSON on stdin, a Work, by a line of seconds; {} by the memory in use."""
    if side == "torch":
        import torch

        torch.set_num_threads(threads)
    prepared: tuple[Work | None, Call | None] = (None, None)
    for line in sys.stdin:
        request = json.loads(line)
        if not request:
            _answer(_memory())
            continue
        work = Work(**request)
        if work != prepared[0]:
            prepared = (None, None)  # let go of the last one first
            gc.collect()
            prepared = (work, SIDES[side](work))
        _answer(_time(prepared[1]) if prepared[1] else [])


def _answer(value: Any) -> None:
    print(json.dumps(value), flush=True)


def _time(call: Call) -> list[float]:
    """Seconds of each call, after two that are not counted."""
    call()
    call()
    seconds: list[float] = []
    while len(seconds) < 3 or (sum(seconds) < SECONDS and len(seconds) < MOST_CALLS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def _memory() -> dict[str, int] | None:
    """Bytes that this process holds now, and held at most; None where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return {
        name: int(fields[key].split()[0]) * 1024
        for name, key in (("now", "VmRSS"), ("peak", "VmHWM"))
    }


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
