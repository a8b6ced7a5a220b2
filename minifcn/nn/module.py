"""Modules: layers and networks that own their parameters and can name, save and load them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from minifcn.backend import Array, is_array, to_device
from minifcn.tensor import Tensor


class Parameter(Tensor):
    """A Tensor that an optimiser trains: a leaf that requires a gradient."""

    __slots__ = ()

    def __init__(self, data: np.ndarray, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)


class Buffer(Tensor):
    """A Tensor that belongs to a module's state but is not trained, like a running mean."""

    __slots__ = ()


class Module:
    """The base of layers and networks.

    Whatever a module keeps as an attribute counts: Parameters and Buffers are its state, Modules
    its children, in the order in which `__init__` set them. A name like `stage1.0.weight` is the
    path of attributes to a tensor, as in PyTorch.
    """

    training: bool = True

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the module's output; every module defines its own."""
        raise TypeError(f"{type(self).__name__} defines no forward")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Compute the module's output."""
        return self.forward(*inputs, **options)

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules that this one directly consists of, with their names."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def modules(self) -> Iterator[Module]:
        """Yield this module and all modules inside it."""
        yield self
        for _, child in self.children():
            yield from child.modules()

    def named_tensors(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Yield every parameter and buffer, with its name."""
        for name, value in vars(self).items():
            if isinstance(value, (Parameter, Buffer)):
                yield prefix + name, value
        for name, child in self.children():
            yield from child.named_tensors(f"{prefix}{name}.")

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter, with its name."""
        return ((n, value) for n, value in self.named_tensors() if isinstance(value, Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """Yield every parameter."""
        return (value for _, value in self.named_parameters())

    def train(self, mode: bool = True) -> Module:
        """Switch to training (or, with False, to evaluation): BatchNorm and dropout differ."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switch to evaluation."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, device: str | None = None, dtype: Any = None) -> Module:
        """Move parameters, their gradients and buffers to a device, or to float32 or float64.

        Raises:
            ValueError: there is no such device.
            TypeError: another dtype.
        """
        if dtype is not None and np.dtype(dtype) not in (np.float32, np.float64):
            raise TypeError(f"dtype must be float32 or float64; got {np.dtype(dtype)}")
        for _, value in self.named_tensors():
            for x in (value, value.grad):
                if x is not None:
                    _convert(x, device, dtype)
        return self

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of all parameters and buffers as NumPy arrays, by name."""
        return {name: np.array(value.numpy()) for name, value in self.named_tensors()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy arrays, by name, into the parameters and buffers.

        Raises:
            ValueError: a name is missing or unknown, or a shape differs; nothing has changed then.
        """
        own = dict(self.named_tensors())
        _check_names(own, state)
        for name, value in own.items():
            if np.shape(state[name]) != value.shape:
                raise ValueError(
                    f"state: {name} must have shape {value.shape}; got {np.shape(state[name])}"
                )
        arrays = {name: _like(value, state[name]) for name, value in own.items()}
        for name, value in own.items():
            value.data[...] = arrays[name]

    def __repr__(self) -> str:
        lines = [f"  ({n}): {child!r}".replace("\n", "\n  ") for n, child in self.children()]
        inside = "\n" + "\n".join(lines) + "\n" if lines else self.settings()
        return f"{type(self).__name__}({inside})"

    def settings(self) -> str:
        """Say in a few words how a layer is set; shown by repr."""
        shown = {n: v for n, v in vars(self).items() if isinstance(v, (int, float, str, tuple))}
        return ", ".join(f"{name}={value}" for name, value in shown.items() if name != "training")


def _convert(x: Tensor, device: str | None, dtype: Any) -> None:
    if device is not None:
        x.data = x.to(device).data
    if dtype is not None and x.dtype.kind == "f":
        x.data = x.data.astype(dtype)


def _like(x: Tensor, values: Any) -> Array:
    """Return values, such as an array of either library, where x is and in its dtype."""
    values = values if is_array(values) else np.asarray(values)
    return to_device(values, x.device).astype(x.dtype, copy=False)


def _check_names(own: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    missing = [name for name in own if name not in state]
    unknown = [name for name in state if name not in own]
    if missing or unknown:
        parts = [
            f"{len(names)} {what} ({', '.join(names[:3])}{', ...' * (len(names) > 3)})"
            for names, what in ((missing, "missing"), (unknown, "unknown"))
            if names
        ]
        raise ValueError(f"state does not fit this module: {' and '.join(parts)}")


class Sequential(Module):
    """Modules applied one after another; called '0', '1', ... in names."""

    def __init__(self, *modules: Module) -> None:
        for i, module in enumerate(modules):
            setattr(self, str(i), module)

    def forward(self, x: Any) -> Any:
        """Pass x through all modules in turn."""
        for module in self:
            x = module(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return (child for _, child in self.children())

    def __len__(self) -> int:
        return len(list(self.children()))

    def __getitem__(self, i: int) -> Module:
        return list(self)[i]
