"""What a gradient function must keep to before its numbers can be compared with any others.

It takes the upstream gradient, a Tensor, which it leaves as it is, and returns the gradient of its
input: a Tensor of the input's shape, dtype and device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from minifcn.tensor import Function, Tensor


class GradientError(AssertionError):
    """A gradient is wrong; the message says whose, where, by how much and perhaps why."""


def functions(outputs: Iterable[Tensor]) -> Iterator[Function]:
    """Yield how each tensor behind the outputs was made, the outputs included."""
    stack, seen = list(outputs), set()
    while stack:
        x = stack.pop()
        if x.grad_fn and id(x.grad_fn) not in seen:
            seen.add(id(x.grad_fn))
            yield x.grad_fn
            stack += x.grad_fn.inputs


def history(outputs: Iterable[Tensor]) -> set[int]:
    """Return the ids of the tensors from which recorded operations lead to the outputs."""
    outputs = tuple(outputs)
    return {id(x) for made in functions(outputs) for x in made.inputs} | set(map(id, outputs))


def watch(outputs: Iterable[Tensor], names: Mapping[int, str]) -> None:
    """Let each gradient function behind the outputs be checked when backward calls it.

    names: of the tensors that are checked, by their ids.
    """
    for made in functions(outputs):
        pairs = zip(made.inputs, made.gradients, strict=True)
        made.gradients = tuple(_watched(made.name, x, names, gradient) for x, gradient in pairs)


def _watched(
    name: str, x: Tensor, names: Mapping[int, str], gradient: Callable[[Tensor], Any]
) -> Callable[[Tensor], Tensor]:
    if hasattr(gradient, "is_watched") or not callable(gradient):
        return gradient

    def watched(upstream: Tensor) -> Tensor:
        before = upstream.numpy().copy()
        found = gradient(upstream)
        whose = f"the gradient function of {name} for {names.get(id(x), 'an input')}"
        if not np.array_equal(before, upstream.numpy(), equal_nan=True):
            raise GradientError(
                f"{whose} changes its upstream gradient in place, which others use too: compute"
                " with a copy"
            )
        if not isinstance(found, Tensor):
            raise GradientError(
                f"{whose} must return a Tensor {x.shape}; got {came(found)}{_advice(found)}"
            )
        if problem := misfit(found, x):
            raise GradientError(f"{whose} {problem}")
        return found

    watched.is_watched = True  # type: ignore[attr-defined]
    return watched


def came(value: Any) -> str:
    """Name what came in place of an array or a Tensor, in a few words."""
    if value is None:
        return "None"
    shape = f" {value.shape}" if isinstance(value, np.ndarray) else ""
    length = f" of {len(value)}" if isinstance(value, (tuple, list, dict)) else ""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeio' or name == 'ndarray' else 'a'} {name}{shape}{length}"


def _advice(value: Any) -> str:
    if value is None:
        return ": is its `return` missing?"
    if isinstance(value, (tuple, list)):
        return ": record takes one gradient function for each input"
    return ": compute with Tensors, so that it can be differentiated again, or wrap it in Tensor()"


def misfit(found: Any, x: Any) -> str:
    """Say how a gradient does not fit its input, and what may mend that; '' where it does.

    Both may be arrays or Tensors.
    """
    if found.shape != x.shape:
        return (
            f"must return a gradient of its shape {x.shape}; got {found.shape}"
            f"{_shape_advice(found.shape, x.shape)}"
        )
    if found.dtype != x.dtype:
        return f"must return a gradient of its dtype {x.dtype}; got {found.dtype}"
    if found.device != x.device:
        return f"must return a gradient on its device {x.device}; got {found.device}"
    return ""


def _shape_advice(found: tuple[int, ...], shape: tuple[int, ...]) -> str:
    if sorted(found) == sorted(shape):
        return ": its axes are in another order"
    try:
        if np.broadcast_shapes(found, shape) == found:
            return ": what was broadcast forward must be summed backward"
        if np.broadcast_shapes(found, shape) == shape:
            return ": what was summed forward must be broadcast backward"
    except ValueError:
        pass
    return ""
