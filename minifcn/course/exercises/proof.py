"""What the bank is worth: every known mistake is tried, and seen whether it is found and named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minifcn.course.exercises.checker import judge
from minifcn.course.exercises.exercise import Exercise, Function, Switch
from minifcn.course.exercises.mutants import outcome_of
from minifcn.course.exercises.runner import Outcome, Raised, Returned


class Trial(NamedTuple):
    """A mistake on trial: whether a case notices it, and by which names it was called."""

    exercise: Exercise
    function: Function
    switch: Switch
    killed: bool
    names: frozenset[str]

    @property
    def named(self) -> bool:
        """Whether it has its own name, and no other."""
        return self.names == {self.switch.id}


def try_all(exercise: Exercise, seed: int = 0) -> Iterator[Trial]:
    """Try each known mistake of an exercise, as if a student had made it."""
    for function in exercise.functions:
        for switch in function.switches:
            reports = judge(exercise, function, outcomes_with(function, switch, seed), seed)
            wrong = [report for report in reports if report.status != "pass"]
            names = {one.id for report in wrong for one in report.name.switches}
            yield Trial(exercise, function, switch, bool(wrong), frozenset(names))


def outcomes_with(function: Function, switch: Switch, seed: int = 0) -> list[Outcome]:
    """What the functions of a student would give who has made this mistake and no other."""
    generator = np.random.default_rng(seed)
    cases = [*function.cases(generator), *function.naming(generator)]
    several = len(function.parts) > 1
    return [
        Raised("ValueError")
        if isinstance(one := outcome_of(function, [switch.id], case), str)
        else Returned(one if several else one[0], function.changes(case.arguments, [switch.id]))
        for case in cases
    ]


def bank_table(trials: list[Trial]) -> str:
    """A line for each exercise: how many mistakes are known, found, and named as what they are."""
    lines = [f"{'exercise':22} {'mistakes':>8} {'found':>6} {'named':>6}  called by several names"]
    names = dict.fromkeys(trial.exercise.name for trial in trials)
    for name in [*names, "all"]:
        own = [trial for trial in trials if name in (trial.exercise.name, "all")]
        twins = [t.switch.id for t in own if t.killed and not t.named] if name != "all" else []
        killed, named = sum(t.killed for t in own), sum(t.named for t in own)
        said = f"{name:22} {len(own):8} {killed:6} {named:6}  {', '.join(twins)}"
        lines.append(said.rstrip())
    return "\n".join(lines)
