"""Evidence about a wrong gradient: what it is, and should be, at other inputs too.

One set of numbers fits many explanations: with all inputs 1, a missing factor 2 x is a factor 2.
So a gradient that failed is looked at in several situations, and what is said about it must hold
in each: at its own inputs; at these for another upstream gradient; with the elements of each tensor
shuffled and scaled, which keeps them where the function is defined; and with their signs changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from minifcn.gradcheck.problem import Problem

SAME = 1e-5
"""Relative: far above the error of a right gradient, far below that of a wrong one."""

MOST_ELEMENTS, MOST_SLOPES, MOST_OUTPUTS = 500, 2_000_000, 300
"""So many elements, and slopes of outputs, are measured anew in a situation; and backward is called
for each output alone where there are not more."""


class Situation:
    """A gradient at some inputs, for some upstream gradient.

    Attributes:
        upstream: the upstream gradient of each output.
        shape: of the gradient.
        chosen: the flat indices of the elements that were measured.
        jacobian: d(each output) / d(each chosen element), by finite differences.
    """

    def __init__(
        self,
        problem: Problem,
        name: str,
        chosen: np.ndarray,
        arrays: dict[str, np.ndarray],
        upstream: Sequence[np.ndarray],
    ) -> None:
        self.problem, self.name, self.arrays = problem, name, arrays
        self.upstream = [np.asarray(u) for u in upstream]
        self.shape, self.chosen = arrays[name].shape, chosen
        with problem.at(arrays), np.errstate(all="ignore"):
            self.jacobian = problem.jacobian(name, chosen)
            self.noise = 1e-15 * float(np.abs(problem.values()).max(initial=1)) / problem.eps
        if not np.isfinite(self.jacobian).all():
            raise ValueError(f"the function is not finite where {name} was moved to")

    @property
    def x(self) -> np.ndarray:
        """The tensor whose gradient it is."""
        return self.arrays[self.name]

    @cached_property
    def numeric(self) -> np.ndarray:
        """What the gradient should be; NaN at the elements that were not measured."""
        return self.right_for(self.upstream)

    @cached_property
    def analytic(self) -> np.ndarray:
        """What backward says."""
        return self.backward(self.upstream)

    def right_for(self, upstream: Sequence[np.ndarray]) -> np.ndarray:
        """The right gradient for any upstream gradient."""
        flat = np.concatenate([u.ravel() for u in upstream])
        gradient = np.full(self.shape, np.nan)
        gradient.reshape(-1)[self.chosen] = self.jacobian @ flat
        return gradient

    def backward(self, upstream: Sequence[np.ndarray]) -> np.ndarray:
        """What backward says for any upstream gradient."""
        with self.problem.at(self.arrays), np.errstate(all="ignore"):
            return self.problem.backward([u.copy() for u in upstream])[self.name]

    @cached_property
    def said(self) -> np.ndarray | None:
        """What backward says for each output alone, as `jacobian`; None for very many outputs."""
        sizes = [u.size for u in self.upstream]
        if sum(sizes) > MOST_OUTPUTS:
            return None
        columns = []
        for one in np.eye(sum(sizes)):
            parts = np.split(one, np.cumsum(sizes)[:-1])
            alone = [part.reshape(u.shape) for part, u in zip(parts, self.upstream, strict=True)]
            columns.append(self.backward(alone).reshape(-1)[self.chosen])
        return np.array(columns).T

    def is_right(self, gradient: np.ndarray, upstream: Sequence[np.ndarray] | None = None) -> bool:
        """Whether a gradient equals the right one (for another upstream), where both are known."""
        right = self.numeric if upstream is None else self.right_for(upstream)
        return gradient.shape == right.shape and self.are_equal(gradient, right)

    def is_mended_by(self, changed: np.ndarray) -> bool:
        """Whether a change of what backward says is right, and is one."""
        return self.is_right(changed) and not self.are_equal(self.analytic, changed)

    def are_equal(self, gradient: np.ndarray, right: np.ndarray, tolerance: float = SAME) -> bool:
        """Whether two gradients are the same, but for rounding; not where they are not known."""
        known = ~np.isnan(right) & ~np.isnan(gradient)
        n, a = right[known], gradient[known]
        size = float(np.linalg.norm(n))
        return bool(size > self.noise * n.size and np.linalg.norm(n - a) <= tolerance * size)

    @property
    def known(self) -> np.ndarray:
        """Where the gradient was measured."""
        return ~np.isnan(self.numeric)

    @cached_property
    def wrong(self) -> np.ndarray:
        """Where the two gradients differ."""
        difference, size = np.abs(self.numeric - self.analytic), np.abs(self.numeric)
        largest = np.nanmax(size, initial=0)
        slightly = (difference > 1e-2 * size) & (difference > 1e-8 * largest + self.noise)
        return (difference > SAME * largest + self.noise) | slightly

    @property
    def is_wrong_everywhere(self) -> bool:
        """Whether the gradients differ at every element that was checked."""
        return bool(self.wrong[self.known].all())

    @cached_property
    def ratio(self) -> float:
        """The constant c for which analytic = c * numeric fits best."""
        n, a = self.numeric[self.known], self.analytic[self.known]
        return float(n @ a / (n @ n)) if n.any() else np.inf


def is_rounded(analytic: np.ndarray, dtype: type[np.floating]) -> bool:
    """Whether a smaller type holds each number of a gradient: several, and not all whole."""
    with np.errstate(all="ignore"):
        exact = np.array_equal(analytic.astype(dtype), analytic)
    whole = np.array_equal(np.rint(analytic), analytic)
    return bool(exact and not whole and np.count_nonzero(analytic) >= 4)


def situations(
    problem: Problem, name: str, numeric: np.ndarray, analytic: np.ndarray
) -> list[Situation]:
    """Make the situations in which a gradient is looked at; the first is where it failed.

    numeric, analytic: the gradients there, the former NaN where they were not compared.
    """
    generator = np.random.default_rng(0)  # the same ones for each call
    few = few_elements(numeric, analytic, problem)
    here = problem.arrays()
    found = [Situation(problem, name, few, here, problem.upstream)]
    found[0].numeric, found[0].analytic = numeric, analytic  # all of them, and more exact
    others = [here, shuffled(here, generator), shuffled(here, generator)]
    others.append({key: -array for key, array in shuffled(here, generator).items()})
    for arrays in others:
        try:
            other = Situation(problem, name, few, arrays, problem.draw(generator))
        except Exception:  # noqa: BLE001, S112  (not defined there, whatever it raises)
            continue
        if other.jacobian.shape == found[0].jacobian.shape:  # not another number of outputs
            found.append(other)
    return found


def few_elements(numeric: np.ndarray, analytic: np.ndarray, problem: Problem) -> np.ndarray:
    """Choose the elements to measure anew: those that differ most, and others."""
    outputs, generator = sum(u.size for u in problem.upstream), np.random.default_rng(0)
    most = max(2, min(MOST_ELEMENTS, MOST_SLOPES // max(1, outputs)))
    difference = np.abs(numeric - analytic).ravel()
    known = np.flatnonzero(~np.isnan(numeric.ravel()))
    if len(known) <= most:
        return known
    worst = known[np.argsort(-np.nan_to_num(difference[known], nan=np.inf))[: most // 2]]
    others = generator.choice(np.setdiff1d(known, worst), most - len(worst), replace=False)
    return np.sort(np.concatenate([worst, others]))


def shuffled(
    arrays: dict[str, np.ndarray], generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """Shuffle the elements of each array, and scale each by a little."""
    scaled = lambda x: x * generator.uniform(0.8, 1.25, x.shape)
    return {
        key: scaled(generator.permutation(x.ravel()).reshape(x.shape)) for key, x in arrays.items()
    }
