"""Optimisers and learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from minifcn import kernels
from minifcn.backend import library
from minifcn.nn.module import Parameter
from minifcn.tensor import Tensor

Parameters: TypeAlias = Iterable[Tensor] | Iterable[Mapping[str, Any]]
"""Tensors, or groups of them (see Optimizer)."""


class Optimizer:
    """The base of optimisers: parameters, a learning rate, and arrays kept for each parameter.

    The parameters are Tensors, or as in PyTorch groups of them that learn at different rates,
    `[{"params": head, "lr": 0.1}, {"params": backbone, "lr": 0.01}]`, where a group without "lr"
    has that of the optimiser. To change `lr` changes the rates of all groups in proportion.

    `state[name][i]` belongs to the parameter i. A parameter without a gradient is left alone.

    Raises:
        TypeError: parameters that are no Tensors, or are one instead of a list of them.
        ValueError: no parameters; one that no step could move, because it was computed or needs no
            gradient (but a module's Parameter may be fixed, if another is not); one given twice;
            a setting that is negative, infinite or NaN.
    """

    def __init__(self, parameters: Parameters, lr: float, weight_decay: float, *names: str) -> None:
        _check_at_least_zero(lr=lr, weight_decay=weight_decay)
        tensors, self.factors = _by_factor(parameters, lr)
        self.parameters = _checked(tensors)
        self.lr, self.weight_decay, self.steps = lr, weight_decay, 0
        self.state = {
            name: [library(p.data).zeros_like(p.data) for p in self.parameters] for name in names
        }

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient; TypeError where that is no Tensor."""
        for i, x in enumerate(self.parameters):
            if not isinstance(x.grad, (Tensor, type(None))):
                kind = type(x.grad).__name__
                raise TypeError(f"the grad of parameters[{i}] must be a Tensor; got {kind}")
        self.steps += 1
        for i, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                state = (arrays[i] for arrays in self.state.values())
                lr = self.lr * self.factors[i]
                self.update(parameter.data, parameter.grad.data, lr, *state)
                parameter.changed()

    def update(self, data: Any, gradient: Any, lr: float, *state: Any) -> None:
        """Change the parameter's array and its state in place; every optimiser has its own rule.

        gradient: that of the loss; weight_decay is for the rule to add. lr: the parameter's own.
        """
        raise TypeError(f"{type(self).__name__} defines no update")

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of all state as NumPy arrays, named like 'momentum.3', and 'steps'."""
        arrays = {
            f"{name}.{i}": np.array(Tensor(array).numpy())
            for name, arrays in self.state.items()
            for i, array in enumerate(arrays)
        }
        return {"steps": np.array(self.steps), **arrays}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Copy the arrays of `state_dict` back.

        Raises:
            ValueError: a name is missing or unknown, a shape differs, or steps is no number of
                steps; nothing has changed then.
        """
        own = self.state_dict()
        if own.keys() != state.keys():
            wrong = sorted(own.keys() ^ state.keys())[:3]
            raise ValueError(f"state does not fit this optimizer; see {', '.join(wrong)}")
        for name, array in own.items():
            if array.shape != state[name].shape:
                raise ValueError(
                    f"state: {name} must have shape {array.shape}; got {state[name].shape}"
                )
        steps = int(state["steps"])
        _check_at_least_zero(steps=steps)
        for name, arrays in self.state.items():
            for i, array in enumerate(arrays):
                values = np.asarray(state[f"{name}.{i}"], array.dtype)
                array[...] = library(array).asarray(values)
        self.steps = steps


class SGD(Optimizer):
    """Stochastic gradient descent: v = momentum * v + g; p -= lr * v.

    weight_decay adds weight_decay * p to g. As in PyTorch, the learning rate is outside v.
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay, "momentum")
        _check_at_least_zero(momentum=momentum)
        self.momentum = momentum

    def update(self, data: Any, gradient: Any, lr: float, *state: Any) -> None:
        """Change the parameter's array and its velocity in place."""
        (velocity,) = state
        kernels.sgd_update(data, gradient, velocity, lr, self.momentum, self.weight_decay)


class Adam(Optimizer):
    """Adam: p -= lr * m^ / (sqrt(v^) + eps), with running means m of g and v of g^2.

    m^ = m / (1 - beta1^t) and v^ = v / (1 - beta2^t) undo the start from 0. weight_decay adds
    weight_decay * p to g. Source: Kingma and Ba (2015), algorithm 1.
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay, "mean", "square")
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be in [0, 1); got {betas}")
        _check_at_least_zero(eps=eps)
        self.betas, self.eps = betas, eps

    def update(self, data: Any, gradient: Any, lr: float, *state: Any) -> None:
        """Change the parameter's array and its two running means in place."""
        mean, square = state
        settings = (lr, self.betas, self.eps, self.weight_decay)
        kernels.adam_update(data, gradient, mean, square, self.steps, *settings)


def _by_factor(parameters: Parameters, lr: float) -> tuple[list[Any], list[float]]:
    """List all parameters, and each one's learning rate as a multiple of the optimiser's."""
    given = _listed(parameters, "parameters")
    if not any(isinstance(group, Mapping) for group in given):
        return given, [1.0] * len(given)
    tensors, factors = [], []
    for i, group in enumerate(given):
        if not isinstance(group, Mapping) or not {"params"} <= group.keys() <= {"params", "lr"}:
            raise TypeError(
                f"parameters[{i}] must be a group like the others, with 'params' and perhaps 'lr';"
                f" got {sorted(group) if isinstance(group, Mapping) else type(group).__name__}"
            )
        own = _listed(group["params"], f"parameters[{i}]['params']")
        rate = group.get("lr", lr)
        _check_at_least_zero(**{f"parameters[{i}]['lr']": rate})
        if rate != lr and not lr > 0:
            raise ValueError(f"lr must be positive where groups have others; got {lr}")
        tensors += own
        factors += [rate / lr if rate != lr else 1.0] * len(own)
    return tensors, factors


def _listed(parameters: Any, name: str) -> list[Any]:
    if isinstance(parameters, (Tensor, str, Mapping)) or not isinstance(parameters, Iterable):
        kind = type(parameters).__name__
        raise TypeError(f"{name} must be a list of Tensors, module.parameters(); got {kind}")
    return list(parameters)


def _checked(found: list[Tensor]) -> list[Tensor]:
    """Return the parameters; raise for those that no optimiser can move."""
    if not found:
        raise ValueError("parameters must hold at least one tensor; got none")
    for i, x in enumerate(found):
        if not isinstance(x, Tensor):
            raise TypeError(f"parameters[{i}] must be a Tensor; got {type(x).__name__}")
        if problem := _why_it_cannot_move(x):
            raise ValueError(f"parameters[{i}] {problem}")
    if len({id(x) for x in found}) < len(found):
        raise ValueError("parameters must be different tensors; got one of them twice")
    if not any(x.requires_grad for x in found):
        raise ValueError("parameters must have one that requires a gradient; got none that does")
    return found


def _why_it_cannot_move(x: Tensor) -> str | None:
    if x.grad_fn:
        return f"must be a leaf, which a step can move; it was computed by {x.grad_fn.name}"
    if not (x.requires_grad or isinstance(x, Parameter)):
        return "must require a gradient, by which a step moves it; make it an nn.Parameter"
    return None


def _check_at_least_zero(**values: float) -> None:
    for name, value in values.items():
        if not isinstance(value, (int, float, np.number)):
            raise TypeError(f"{name} must be a number; got {type(value).__name__}")
        if not value >= 0:
            raise ValueError(f"{name} must be at least 0; got {value}")
        if value == math.inf:
            raise ValueError(f"{name} must be finite; got {value}")


def cosine(iteration: int, total: int, warmup: int = 0) -> float:
    """Factor for the learning rate: up to 1 over `warmup` iterations, then down a cosine to 0.

    (1 + cos(pi * t)) / 2, t going from 0 to 1. Source: Loshchilov and Hutter (2017), SGDR.
    """
    if iteration < warmup:
        return (iteration + 1) / (warmup + 1)
    return (1 + math.cos(math.pi * _progress(iteration - warmup, total - warmup))) / 2


def poly(iteration: int, total: int, power: float = 0.9) -> float:
    """Factor for the learning rate: (1 - iteration / total)^power (Chen et al. 2017, DeepLab)."""
    return (1 - _progress(iteration, total)) ** power


def _progress(iteration: int, total: int) -> float:
    return min(max(iteration / total, 0.0), 1.0) if total > 0 else 1.0
