"""Modules: layers and networks that own their parameters and can name, save and load them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from minifcn.backend import Array, plain_array, to_device
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
    path of attributes to a tensor, as in PyTorch. A tensor or module under two names is one: both
    names are in `state_dict`, but `parameters` and `modules` give it once.

    The name of a Parameter takes another one, or None; that of a Buffer or Module any part of the
    state. TypeError for anything else, which would leave the state without a word.
    """

    training: bool = True

    def __setattr__(self, name: str, value: Any) -> None:
        taken = vars(self).setdefault("_taken", {})  # what a name takes that holds, or held, state
        if value is not None and name in taken and not isinstance(value, taken[name]):
            kinds = ", ".join(kind.__name__ for kind in taken[name])
            raise TypeError(
                f"{name} of {type(self).__name__} must be a {kinds} or None, as it is a part of the"
                f" state; got {type(value).__name__}"
            )
        if isinstance(value, (Parameter, Buffer, Module)):
            parameter = isinstance(value, Parameter)
            taken[name] = (Parameter,) if parameter else (Parameter, Buffer, Module)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        vars(self)["_taken"].pop(name, None)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the module's output; every module defines its own."""
        raise TypeError(f"{type(self).__name__} defines no forward")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Compute the module's output."""
        return self.forward(*inputs, **options)

    def children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules that this one directly consists of, with their names.

        Raises TypeError for modules and parameters in a list or dict, where nothing finds them.
        """
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif _hides_state(value):
                raise TypeError(
                    f"{name} of {type(self).__name__} is a {type(value).__name__} with modules or"
                    " parameters in it, which are not found there: make it an nn.Sequential, or"
                    " each of them an attribute"
                )

    def modules(self) -> Iterator[Module]:
        """Yield this module and all modules inside it, each once."""
        seen: dict[int, Module] = {}
        stack: list[Module] = [self]
        while stack:
            module = stack.pop()
            if id(module) not in seen:
                seen[id(module)] = module
                stack.extend(child for _, child in reversed(list(module.children())))
        return iter(seen.values())

    def named_tensors(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Yield every parameter and buffer, with its name; with each name, where it has several."""
        for name, value in vars(self).items():
            if isinstance(value, (Parameter, Buffer)):
                yield prefix + name, value
        for name, child in self.children():
            yield from child.named_tensors(f"{prefix}{name}.")

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter once, with its first name."""
        seen = set()
        for name, value in self.named_tensors():
            if isinstance(value, Parameter) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def parameters(self) -> Iterator[Parameter]:
        """Yield every parameter, once."""
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
            ValueError: a name is missing or unknown, a shape differs, or two names of one tensor
                have different values; nothing has changed then.
        """
        own = dict(self.named_tensors())
        _check_names(own, state)
        given = {name: _array(state[name]) for name in own}
        for name, value in own.items():
            if given[name].shape != value.shape:
                raise ValueError(
                    f"state: {name} must have shape {value.shape}; got {given[name].shape}"
                )
        arrays = {name: _like(value, given[name]) for name, value in own.items()}
        _check_shared(own, arrays)
        for name, value in own.items():
            value.data[...] = arrays[name]
            value.changed()

    def __repr__(self) -> str:
        lines = [f"  ({n}): {child!r}".replace("\n", "\n  ") for n, child in self.children()]
        inside = "\n" + "\n".join(lines) + "\n" if lines else self.settings()
        return f"{type(self).__name__}({inside})"

    def settings(self) -> str:
        """Say in a few words how a layer is set; shown by repr."""
        shown = {n: v for n, v in vars(self).items() if isinstance(v, (int, float, str, tuple))}
        return ", ".join(f"{name}={value}" for name, value in shown.items() if name != "training")


def _hides_state(value: Any) -> bool:
    """Whether it is a list, tuple, set or dict with modules or parameters in it."""
    items = value.values() if isinstance(value, dict) else value
    return isinstance(value, (list, tuple, set, dict)) and any(
        isinstance(item, (Parameter, Buffer, Module)) or _hides_state(item) for item in items
    )


def _convert(x: Tensor, device: str | None, dtype: Any) -> None:
    before = x.data
    if device is not None:
        x.data = to_device(x.data, device)
    if dtype is not None and x.dtype.kind == "f":
        x.data = x.data.astype(dtype, copy=False)
    if x.data is not before:
        x.changed()


def _array(value: Any) -> Array:
    """Return the array in a Tensor, or of anything that is like an array."""
    return plain_array(value.data if isinstance(value, Tensor) else value)


def _like(x: Tensor, values: Array) -> Array:
    """Return values, an array of either library, where x is and in its dtype."""
    return to_device(values, x.device).astype(x.dtype, copy=False)


def _check_shared(own: Mapping[str, Tensor], arrays: Mapping[str, Array]) -> None:
    names: dict[int, str] = {}
    for name, value in own.items():
        first = names.setdefault(id(value), name)
        if bool(((arrays[first] != arrays[name]) & (arrays[name] == arrays[name])).any()):
            raise ValueError(f"state: {first} and {name} are one tensor here; got two values")


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
    """Modules applied one after another; called '0', '1', ... in names, or as in an OrderedDict.

    Raises TypeError for anything but modules: a function has a layer, such as nn.ReLU().
    """

    def __init__(self, *modules: Any) -> None:
        named = {str(i): module for i, module in enumerate(modules)}
        if len(modules) == 1 and isinstance(modules[0], OrderedDict):
            named = dict(modules[0])
        for name, module in named.items():
            _check_child(self, name, module)
            setattr(self, name, module)

    def forward(self, x: Any) -> Any:
        """Pass x through all modules in turn."""
        for module in self:
            x = module(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return (child for _, child in self.children())

    def __len__(self) -> int:
        return len(list(self.children()))

    def __getitem__(self, i: int | slice) -> Any:
        if isinstance(i, slice):
            return Sequential(OrderedDict(list(self.children())[i]))
        return list(self)[i]


def _check_child(parent: Module, name: Any, module: Any) -> None:
    if not isinstance(module, Module):
        what = f"the class {module.__name__}" if isinstance(module, type) else repr(module)
        raise TypeError(f"modules must be Modules, such as nn.ReLU(); got {what} at {name}")
    if not isinstance(name, str) or not name or "." in name or hasattr(parent, name):
        raise ValueError(f"the name of a module must be new, without a dot; got {name!r}")
