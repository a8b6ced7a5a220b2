"""A process that times the work it is told to, over and over; runner.py starts it."""

from __future__ import annotations

import gc
import json
import sys
import time
from typing import Any

from minifcn.bench.places import CPU, place
from minifcn.bench.sides import SIDES, Call
from minifcn.bench.work import Work

MOST_TIMES, MOST_TOGETHER = 30, 1000
"""How often to take the time in one turn, and of how many calls together."""


def main(side: str, threads: int, device: str) -> None:
    """Answer each line of JSON on stdin, a Work, by a line of seconds; or tell what is asked for.

    {"tell": "facts"}: what to know about this side; {"tell": "memory"}: see places.py.
    """
    here = place(side, device, threads)
    prepared: tuple[Work | None, Call | None] = (None, None)
    for line in sys.stdin:
        request = json.loads(line)
        if "tell" in request:
            _answer({"facts": here.facts, "memory": here.memory}[request["tell"]]())
            continue
        work = Work(**request)
        if work != prepared[0]:
            prepared = (None, None)  # let go of the last one first
            gc.collect()
            prepared = (work, SIDES[side](work, here))
        _answer(_time(prepared[1], here) if prepared[1] else [])


def _answer(value: Any) -> None:
    print(json.dumps(value), flush=True)


def _time(call: Call, place: CPU) -> list[float]:
    """Seconds of a call, several times, after a few that are not counted.

    On a GPU, these compile kernels and wake it up; and short calls are timed many together, since
    waiting for it after each one would take longer than the call.
    """
    for _ in range(2):
        _seconds(call, 1, place)
    once = _warm_up(call, place)
    calls = min(MOST_TOGETHER, max(1, round(place.together / once)))
    seconds: list[float] = []
    while len(seconds) < 3 or (sum(seconds) * calls < place.seconds and len(seconds) < MOST_TIMES):
        seconds.append(_seconds(call, calls, place))
    return seconds


def _warm_up(call: Call, place: CPU) -> float:
    """Go on calling for as long as the place needs; return the seconds of one call."""
    once, total = 1.0, 0.0
    while total < place.warm_up:
        calls = min(MOST_TOGETHER, max(1, round(place.warm_up / once)))
        once = _seconds(call, calls, place)
        total += once * calls
    return once


def _seconds(call: Call, calls: int, place: CPU) -> float:
    """Seconds of each of so many calls, from an idle device to an idle device."""
    place.wait()
    start = time.perf_counter()
    for _ in range(calls):
        call()
    place.wait()
    return (time.perf_counter() - start) / calls
