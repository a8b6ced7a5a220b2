"""What a gradient check found, and what is said of a gradient that is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from minifcn.gradcheck.causes import likely_cause
from minifcn.gradcheck.problem import Problem
from minifcn.gradcheck.situations import situations


@dataclass(frozen=True)
class Check:
    """The two gradients of one tensor.

    Attributes:
        name: the argument or parameter, with "(order 2)" for a gradient of gradients.
        numeric: by central differences; NaN at the elements that were not checked.
        analytic: by backward.
        noise: the norm of a difference that rounding alone can make.
        tolerance: the largest error that passes.
    """

    name: str
    numeric: np.ndarray
    analytic: np.ndarray
    noise: float
    tolerance: float

    @cached_property
    def known(self) -> np.ndarray:
        """Where the gradients were compared."""
        return ~np.isnan(self.numeric)

    @property
    def error(self) -> float:
        """||numeric - analytic|| / max(||numeric||, ||analytic||), over the checked elements."""
        n, a = self.numeric[self.known], self.analytic[self.known]
        difference = np.linalg.norm(n - a)
        scale = np.max([np.linalg.norm(n), np.linalg.norm(a)])
        if difference <= self.noise:  # rounding alone: both are 0, or as good as that
            scale = max(scale, self.noise / self.tolerance)
        return float(difference / (scale or 1.0))

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance; NaN is not."""
        return self.error <= self.tolerance

    @property
    def worst(self) -> tuple[int, ...]:
        """The index of the element where the two differ most."""
        difference = np.where(self.known, np.abs(self.numeric - self.analytic), -1)
        return index_of(difference.argmax(), difference.shape)

    def __str__(self) -> str:
        status = "ok" if self.passed else "WRONG"
        checked = f"{self.known.sum()} of {self.numeric.size} elements"
        return f"{status:<7}error {self.error:.1e}   {checked:<21}{self.name}"


@dataclass
class Report:
    """What a gradient check found.

    Attributes:
        checks: one for each tensor, and each order.
        moved: (name, index) of each element that was moved off a kink.
    """

    checks: list[Check] = field(default_factory=list)
    moved: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)

    @property
    def errors(self) -> dict[str, float]:
        """The norm-relative error of each name."""
        return {check.name: check.error for check in self.checks}

    def __str__(self) -> str:
        moved = (f"moved  off a kink: {name}{list(index)}" for name, index in self.moved)
        return "\n".join([*map(str, self.checks), *moved])


def explain(check: Check, problem: Problem, report: Report, where: str = "") -> str:
    """Say whose gradient is wrong, where, by how much, and the likely cause."""
    worst = check.worst
    cause = likely_cause(situations(problem, check.name, check.numeric, check.analytic))
    return (
        f"the gradient of {check.name} is wrong{where}: norm-relative error {check.error:.1e},"
        f" tolerance {check.tolerance:g}\n"
        f"  worst at {list(worst)}: numeric {check.numeric[worst]:.10g},"
        f" analytic {check.analytic[worst]:.10g}\n"
        f"  likely cause: {cause}\n{report}"
    )


def index_of(i: int | np.integer, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the index of an element from its place in the flat array."""
    return tuple(map(int, np.unravel_index(i, shape)))
