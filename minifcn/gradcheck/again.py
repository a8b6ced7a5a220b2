"""A second look at gradients that passed, for what is right only once.

A backward that remembers the values of its first call, adds to what an earlier one left, or draws
random numbers may be right once; one that computes in float32 is nearly right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minifcn.backend import library
from minifcn.gradcheck.contract import GradientError
from minifcn.gradcheck.problem import Problem
from minifcn.gradcheck.report import Check, Report, explain
from minifcn.gradcheck.situations import Situation, few_elements, is_rounded, shuffled

_SUSPICIOUS, _WRONG = 1e-3, 1e-2
"""Relative errors, far above that of a right gradient wherever it is looked at."""

_ROUNDED = 1e-9
"""The error of a gradient in float64 is below this, or float32's numbers are in it by chance."""

_FOR_FLOAT32 = 1e-6
"""A tolerance from here on lets float32 pass: that of a kernel that knows nothing else."""


def look_again(problem: Problem, checks: Sequence[Check], report: Report) -> None:
    """Raise GradientError unless the gradients are as right as they were.

    They are computed once more; then for another upstream gradient, at the same inputs and at
    these shuffled, where a function may not be defined: what it raises there says nothing.
    """
    again = problem.backward(problem.upstream)
    for check in checks:
        second = Check(check.name, check.numeric, again[check.name], check.noise, check.tolerance)
        if not second.passed:
            raise GradientError(explain(second, problem, report, " when it is computed again"))
        rounded = check.tolerance < _FOR_FLOAT32 and is_rounded(check.analytic, np.float32)
        if rounded and check.error > _ROUNDED:
            raise GradientError(explain(check, problem, report, ", within the tolerance"))
    generator = np.random.default_rng(0)  # its own, so that what gradcheck draws stays the same
    here = problem.arrays()
    _look(problem, report, here, generator, " for another upstream gradient")
    try:
        _look(problem, report, shuffled(here, generator), generator, " at other inputs")
    except GradientError:
        raise
    except Exception:  # noqa: BLE001, S110
        pass


def _look(
    problem: Problem,
    report: Report,
    arrays: dict[str, np.ndarray],
    generator: np.random.Generator,
    where: str,
) -> None:
    """Raise GradientError if a gradient is plainly wrong at these inputs."""
    own, problem.upstream = problem.upstream, problem.draw(generator)
    try:
        with problem.at(arrays):
            for name, analytic in problem.backward(problem.upstream).items():
                if _is_suspicious(problem, name, analytic, generator):
                    _compare(problem, report, name, analytic, where)
    finally:
        problem.upstream = own


def _is_suspicious(
    problem: Problem, name: str, analytic: np.ndarray, generator: np.random.Generator
) -> bool:
    """Compare the slope along one direction, which takes two calls for all elements."""
    direction, step = generator.uniform(-1, 1, analytic.shape), problem.eps / 10
    x = problem.tensors[name].data
    right, left = (
        problem.terms_at(name, x + library(x).asarray(side * step * direction)) for side in (1, -1)
    )
    slope = (right - left).sum() / (2 * step)
    off = abs(slope - (analytic * direction).sum())
    size = float(np.linalg.norm(analytic)) + abs(slope)
    return not off <= _SUSPICIOUS * size + 100 * problem.noise


def _compare(problem: Problem, report: Report, name: str, analytic: np.ndarray, where: str) -> None:
    """Raise GradientError if a gradient is wrong element by element too."""
    chosen = few_elements(np.zeros(analytic.shape), analytic, problem)
    numeric = Situation(problem, name, chosen, problem.arrays(), problem.upstream).numeric
    check = Check(name, numeric, analytic, problem.noise * len(chosen) ** 0.5, _WRONG)
    if not check.passed:
        raise GradientError(explain(check, problem, report, f"{where}, right for the first"))
