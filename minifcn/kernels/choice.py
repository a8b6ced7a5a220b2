"""Who computes: NumPy on the CPU, CUDA on a GPU; or, on the CPU, whoever is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from types import ModuleType
from typing import Any

from minifcn.backend import Array, device
from minifcn.kernels import cpu

NAMES = ("reference", "cpu", "gpu")

_chosen: ContextVar[Any] = ContextVar("chosen", default=None)


@contextmanager
def use(implementation: str | object) -> Iterator[None]:
    """Let one of the three implementations, or your own, compute on the CPU, in a `with`.

    With `use("gpu")` a whole network runs by the CUDA kernels without a GPU, and with
    `use("reference")` by plain loops: both slow, to be looked at and compared.

    Args:
        implementation: 'reference', 'cpu' or 'gpu', the parts of minifcn.kernels; or any object
            whose attributes are all those kernels.

    Raises:
        ValueError: there is no such implementation.
    """
    if isinstance(implementation, str) and implementation not in NAMES:
        raise ValueError(
            f"implementation must be one of {', '.join(NAMES)}; got {implementation!r}"
        )
    chosen = _module(implementation) if isinstance(implementation, str) else implementation
    token = _chosen.set(chosen)
    try:
        yield
    finally:
        _chosen.reset(token)


def implementation(array: Array) -> Any:
    """Return the module, or object, whose kernels compute for this array."""
    return (_chosen.get() or cpu) if device(array) == "cpu" else _module("gpu")


def _module(name: str) -> ModuleType:
    return import_module(f"minifcn.kernels.{name}")  # not before it is needed
