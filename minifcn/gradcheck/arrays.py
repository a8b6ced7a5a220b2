"""The gradient check for plain NumPy: a kernel and its backward that take and give arrays.

    check_backward(forward, backward, [x, weight])

is a whole test: it raises GradientError, an AssertionError, with the argument, the element and the
likely cause where backward is wrong.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from minifcn.gradcheck.contract import GradientError, came, misfit
from minifcn.gradcheck.finite_differences import WHY_FLOAT64
from minifcn.gradcheck.report import Report
from minifcn.gradcheck.tensors import gradcheck
from minifcn.tensor import Tensor, record


def check_backward(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    arrays: Sequence[np.ndarray] | np.ndarray,
    *,
    eps: float = 1e-5,
    tolerance: float = 1e-7,
    seed: int = 0,
    names: Sequence[str] | None = None,
    max_elements: int | None = None,
) -> Report:
    """Check a backward written in NumPy against finite differences of its forward.

    In pytest, for `def scale(x, w): return x * w`:

        def test_scale():
            check_backward(scale, lambda upstream, x, w: (upstream * w, upstream * x), [x, w])

    Args:
        forward: called as forward(*arrays), many times; returns an array, or a tuple of several.
        backward: called as backward(upstream, *arrays), where upstream is d(loss)/d(output): an
            array of the output's shape, or a tuple of one for each. It returns d(loss)/d(array) for
            each of the arrays, in a tuple, or alone where there is one; for an array that is not of
            floats, such as labels, None.
        arrays: float64, with values near 1, and others that are only passed on.
        eps: how far an element is nudged.
        tolerance: the largest norm-relative error that passes.
        seed: fixes the upstream gradients, the elements picked and the moves off kinks.
        names: of the arrays; those of forward's arguments by default.
        max_elements: check so many elements of each array, picked at random; all by default.

    Returns:
        The Report. The arrays are unchanged: forward and backward get copies.

    Raises:
        GradientError: a gradient is wrong, is no array of its array's shape and dtype, or is not
            there; backward changes what it is given.
        ValueError: forward gives NaN, infinity or other values each time, or changes its arrays.
        TypeError: arrays or outputs that are not float64; arguments that do not fit.
    """
    arrays = [arrays] if isinstance(arrays, np.ndarray) else list(arrays)
    names = _names(forward, len(arrays)) if names is None else list(names)
    if len(names) != len(arrays):
        raise ValueError(f"names must be one for each array; got {names} for {len(arrays)}")
    for name, array in zip(names, arrays, strict=True):
        _check_array(name, array)
    _check_call("forward", forward, arrays, "forward(*arrays)")
    _check_call("backward", backward, [None, *arrays], "backward(upstream, *arrays)")
    pair = _Pair(forward, backward, names, [array.dtype.kind == "f" for array in arrays])
    tensors = [Tensor(array, requires_grad=array.dtype.kind == "f") for array in arrays]
    return gradcheck(
        pair, tensors, eps=eps, tolerance=tolerance, seed=seed, names=names,
        max_elements=max_elements,
    )  # fmt: skip


def _names(forward: Callable[..., Any], count: int) -> list[str]:
    """The names of forward's first arguments, where it tells them."""
    try:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = inspect.signature(forward).parameters.values()
        names = [parameter.name for parameter in parameters if parameter.kind in kinds][:count]
    except (TypeError, ValueError):
        names = []
    return names if len(names) == count else [f"arrays[{i}]" for i in range(count)]


def _check_array(name: str, array: Any) -> None:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array; got {came(array)}: use np.array(...)")
    if array.dtype.kind == "f" and array.dtype != np.float64:
        raise TypeError(
            f"{name} must be float64; got {array.dtype}: use {name}.astype(np.float64)."
            f" {WHY_FLOAT64}"
        )


def _check_call(name: str, function: Any, arguments: Sequence[Any], form: str) -> None:
    if not callable(function):
        raise TypeError(f"{name} must be a function, called as {form}; got {came(function)}")
    try:
        signature = inspect.signature(function)
    except ValueError:  # a function in C that does not tell
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise TypeError(
            f"{name} is called as {form}, with {len(arguments)} arguments: {error}"
        ) from None


class _Pair:
    """forward as a function of Tensors, whose gradient functions call backward.

    All outputs are recorded as one flat Tensor, since backward takes their gradients together.
    """

    def __init__(
        self,
        forward: Callable[..., Any],
        backward: Callable[..., Any],
        names: Sequence[str],
        is_float: Sequence[bool],
    ) -> None:
        self.forward, self.backward = forward, backward
        self.names, self.is_float = names, is_float

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs."""
        arrays = [x.data for x in tensors]
        outputs = self._outputs(arrays)
        shapes = [y.shape for y in outputs]
        last: list[Any] = [None, None]  # an upstream gradient, and what backward gave for it

        def gradient(i: int) -> Callable[[Tensor], Tensor]:
            def gradient_of_one(g: Tensor) -> Tensor:
                if last[0] is not g:
                    last[:] = g, self._gradients(_cut(g.data, shapes), arrays)
                return Tensor(last[1][i])

            return gradient_of_one

        if len(outputs) == 1:  # its own shape tells more about a mistake than a flat one
            y = record("backward", outputs[0], *((x, gradient(i)) for i, x in enumerate(tensors)))
            return (y,)
        flat = np.concatenate([y.ravel() for y in outputs])
        y = record("backward", flat, *((x, gradient(i)) for i, x in enumerate(tensors)))
        ends = np.cumsum([prod(shape) for shape in shapes])
        starts = [0, *ends[:-1]]
        parts = zip(starts, ends, shapes, strict=True)
        return tuple(y[start:end].reshape(shape) for start, end, shape in parts)

    def _outputs(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        copies = [array.copy() for array in arrays]
        found = self.forward(*copies)
        if name := self._changed(copies, arrays):
            raise ValueError(f"forward changes {name} in place: compute with a copy of it")
        outputs = list(found) if isinstance(found, (tuple, list)) else [found]
        if not outputs:
            raise TypeError("forward must return an array, or a tuple of arrays; got none")
        for y in outputs:
            if not isinstance(y, (np.ndarray, np.float64)) or y.dtype != np.float64:
                kind = f"{y.dtype}" if isinstance(y, (np.ndarray, np.generic)) else came(y)
                raise TypeError(f"forward must return float64 arrays; got {kind}")
        return [np.array(y) for y in outputs]

    def _gradients(
        self, upstream: list[np.ndarray], arrays: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Call backward; return what it gives, an array for each of the arrays."""
        copies, given = [array.copy() for array in arrays], [u.copy() for u in upstream]
        found = self.backward(given[0] if len(given) == 1 else tuple(given), *copies)
        if name := self._changed(copies, arrays):
            raise GradientError(f"backward changes {name} in place: compute with a copy of it")
        if any(not np.array_equal(u, g) for u, g in zip(upstream, given, strict=True)):
            raise GradientError(
                "backward changes its upstream gradient in place, which others use too: compute"
                " with a copy of it"
            )
        gradients = found if isinstance(found, (tuple, list)) else (found,)
        if len(gradients) != len(arrays):
            raise GradientError(
                f"backward must return {len(arrays)} gradients, of {', '.join(self.names)}; got"
                f" {len(gradients) if found is not None else None}"
            )
        parts = zip(self.names, arrays, gradients, self.is_float, strict=True)
        return [_checked(*part) for part in parts]

    def _changed(self, copies: Sequence[np.ndarray], arrays: Sequence[np.ndarray]) -> str:
        """The name of the first array that a function has changed."""
        for name, copy, array in zip(self.names, copies, arrays, strict=True):
            if not np.array_equal(copy, array, equal_nan=array.dtype.kind == "f"):
                return name
        return ""


def _checked(name: str, array: np.ndarray, gradient: Any, is_float: bool) -> np.ndarray:
    if not is_float:
        return np.zeros(array.shape)
    whose = f"backward's gradient of {name}"
    if isinstance(gradient, np.float64):
        gradient = np.array(gradient)
    if not isinstance(gradient, np.ndarray):
        hint = ": is its `return` missing?" if gradient is None else ""
        raise GradientError(f"{whose} must be an array {array.shape}; got {came(gradient)}{hint}")
    if problem := misfit(gradient, array):
        raise GradientError(f"for {name}, backward {problem}")
    return gradient.copy()


def _cut(flat: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    ends = np.cumsum([prod(shape) for shape in shapes])[:-1]
    parts = np.split(flat.ravel(), ends)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
