"""L = <u, f(x)> as a function of the elements of tensors: its values, and what backward says."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import TypeAlias

import numpy as np

from minifcn.backend import Array, library
from minifcn.gradcheck.contract import GradientError, history, watch
from minifcn.gradcheck.finite_differences import differences
from minifcn.tensor import Tensor, grad

Forward: TypeAlias = Callable[[bool], tuple[Tensor, ...]]
"""Computes the outputs; the argument says whether they are to be differentiated."""


class Problem:
    """L = <upstream, outputs>, as a function of the elements of the named tensors.

    Raises ValueError or TypeError for a function that nobody can differentiate.
    """

    def __init__(
        self,
        forward: Forward,
        tensors: dict[str, Tensor],
        generator: np.random.Generator,
        eps: float,
    ) -> None:
        self.forward, self.tensors, self.generator, self.eps = forward, tensors, generator, eps
        before = self.arrays()
        self.outputs = forward(False)
        if name := self._changed(before):
            raise ValueError(f"function must not change its inputs; it changes {name} in place")
        _check_outputs(self.outputs, forward(False))
        self.upstream = self.draw(generator)
        # Rounding changes an output by about 2^-53 of its size, and of the sizes on the way to it.
        largest = max(float(np.abs(y.numpy()).max(initial=1)) for y in self.outputs)
        norm = float(np.linalg.norm(_flat(self.upstream)))
        self.noise = 10 * 2**-53 * largest * norm / eps

    def draw(self, generator: np.random.Generator) -> list[np.ndarray]:
        """Draw an upstream gradient for each output."""
        return [generator.standard_normal(y.shape) for y in self.outputs]

    def values(self) -> np.ndarray:
        """Compute the elements of all outputs."""
        return _flat([y.numpy() for y in self.forward(False)])

    def terms(self) -> np.ndarray:
        """Compute the elements of all outputs times those of u; their sum is L."""
        return _flat(self.upstream) * self.values()

    def terms_at(self, name: str, array: Array) -> np.ndarray:
        """Compute the terms with another array in one of the tensors."""
        x = self.tensors[name]
        own, x.data = x.data, array
        try:
            return self.terms()
        finally:
            x.data = own

    def jacobian(self, name: str, chosen: Sequence[int] | np.ndarray) -> np.ndarray:
        """Measure d(each output) / d(each chosen element of a tensor), (elements, outputs)."""
        return differences(self.values, self.tensors[name].data, chosen, self.eps)

    def like_outputs(self, arrays: Iterable[np.ndarray]) -> list[Tensor]:
        """Make Tensors of arrays, on the device of the outputs."""
        pairs = zip(self.outputs, arrays, strict=True)
        return [Tensor(library(y.data).asarray(array)) for y, array in pairs]

    def backward(self, upstream: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
        """Compute the analytic gradient of each tensor, for any upstream gradient."""
        before = self.arrays()
        found = gradients(self.forward, self.tensors, self.like_outputs(upstream))
        if name := self._changed(before):
            raise GradientError(f"backward changes {name} in place: compute with a copy of it")
        return {name: g.numpy().copy() for name, g in zip(self.tensors, found, strict=True)}

    def arrays(self) -> dict[str, np.ndarray]:
        """Copy what the tensors hold."""
        return {name: x.numpy().copy() for name, x in self.tensors.items()}

    @contextlib.contextmanager
    def at(self, arrays: Mapping[str, np.ndarray]) -> Iterator[None]:
        """Let the tensors hold copies of other arrays; then theirs again."""
        own = {name: x.data for name, x in self.tensors.items()}
        try:
            for name, x in self.tensors.items():
                x.data = library(x.data).array(arrays[name])
            yield
        finally:
            for name, x in self.tensors.items():
                x.data = own[name]

    def _changed(self, before: Mapping[str, np.ndarray]) -> str:
        """The name of the first tensor that does not hold what it held before."""
        same = lambda name: np.array_equal(before[name], self.tensors[name].numpy(), equal_nan=True)
        return next((name for name in before if not same(name)), "")


def _flat(arrays: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([array.ravel() for array in arrays])


def _check_outputs(outputs: tuple[Tensor, ...], again: tuple[Tensor, ...]) -> None:
    for y, same in zip(outputs, again, strict=True):
        if not isinstance(y, Tensor) or y.dtype != np.float64:
            came = y.dtype if isinstance(y, Tensor) else type(y).__name__
            raise TypeError(f"function must return float64 Tensors; got {came}")
        if not np.isfinite(y.numpy()).all():
            raise ValueError("function must return finite values; got NaN or infinity")
        if not np.array_equal(y.numpy(), same.numpy()):
            raise ValueError(
                "function must return the same each time, but two calls differ: make the generator"
                " of a dropout inside the function"
            )


def gradients(
    forward: Forward,
    tensors: Mapping[str, Tensor],
    upstream: Iterable[Tensor],
    create_graph: bool = False,
) -> tuple[Tensor, ...]:
    """Differentiate <upstream, outputs>; 0 for a tensor that the outputs do not depend on."""
    checked, outputs = tuple(tensors.values()), forward(True)
    reached = history(outputs)
    watch(outputs, {id(x): name for name, x in tensors.items()})
    parts = [(y * u).sum() for y, u in zip(outputs, upstream, strict=True)]
    parts += [(x * 0).sum() for x in checked if id(x) not in reached]  # grad wants a path to each
    return grad(reduce(operator.add, parts), checked, create_graph=create_graph)
