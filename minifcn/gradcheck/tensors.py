"""The gradient check of a function of Tensors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minifcn.gradcheck.again import look_again
from minifcn.gradcheck.contract import GradientError
from minifcn.gradcheck.finite_differences import WHY_FLOAT64, numeric_gradient
from minifcn.gradcheck.problem import Problem, gradients
from minifcn.gradcheck.report import Check, Report, explain, index_of
from minifcn.gradcheck.situations import is_rounded
from minifcn.tensor import Tensor

_MOVES = 10  # how often elements may be moved before the function counts as not differentiable


def gradcheck(
    function: Callable[..., Tensor | tuple[Tensor, ...]],
    inputs: Tensor | Sequence[Tensor],
    *,
    parameters: Sequence[Tensor] | Mapping[str, Tensor] = (),
    order: int = 1,
    eps: float = 1e-5,
    tolerance: float = 1e-7,
    seed: int = 0,
    names: Sequence[str] | None = None,
    max_elements: int | None = None,
) -> Report:
    """Compare the gradients that backward computes with finite differences.

    Args:
        function: called as function(*inputs), many times, so it must change nothing that it uses;
            returns one or several float64 Tensors.
        inputs: float64, with values near 1; those that require a gradient are checked.
        parameters: what else it depends on, such as dict(module.named_parameters()).
        order: 2 also checks the gradients of these gradients, d<u2, d<u, f(x)>/dx> / d(x and u).
        eps: how far an element is nudged.
        tolerance: the largest norm-relative error that passes.
        seed: fixes the upstream gradients, the elements picked and the moves off kinks.
        names: of the inputs; inputs[0], inputs[1], ... by default.
        max_elements: check so many elements of each tensor, picked at random; all by default.

    Returns:
        The Report. The tensors hold their own arrays again, unchanged.

    Raises:
        GradientError: an error above the tolerance.
        ValueError: nothing requires a gradient; outputs that differ from call to call or are not
            finite; a function that is not differentiable anywhere near.
        TypeError: tensors or outputs that are not float64.
    """
    if order not in (1, 2) or min(eps, tolerance) <= 0:
        raise ValueError(
            f"order must be 1 or 2, eps and tolerance positive; got {order}, {eps}, {tolerance}"
        )
    inputs = _as_tuple(inputs)
    tensors = _to_check(inputs, names, parameters)
    # Its own stream: an upstream gradient equal to inputs of the same seed would hide mistakes.
    generator, report = np.random.default_rng((seed, *b"gradcheck")), Report()
    with _copies(tensors.values()), np.errstate(all="ignore"):  # what is not finite raises
        problem = Problem(lambda _: _as_tuple(function(*inputs)), tensors, generator, eps)
        _check(problem, report, tolerance, max_elements)
        if order == 2:
            _check(_derivative(problem), report, tolerance, max_elements)
    return report


def _to_check(
    inputs: Sequence[Tensor],
    names: Sequence[str] | None,
    parameters: Sequence[Tensor] | Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Return the tensors that require a gradient, by name."""
    names = [f"inputs[{i}]" for i in range(len(inputs))] if names is None else names
    if not isinstance(parameters, Mapping):
        parameters = {f"parameters[{i}]": x for i, x in enumerate(parameters)}
    if len(names) != len(inputs) or len({*names, *parameters}) < len(names) + len(parameters):
        raise ValueError(f"names must be one for each input, all different; got {list(names)}")
    tensors = {**dict(zip(names, inputs, strict=True)), **parameters}
    for name, x in tensors.items():
        _check_tensor(name, x)
    if not any(x.requires_grad for x in tensors.values()):
        raise ValueError(f"at least one of {list(tensors)} must require a gradient; none does")
    return {name: x for name, x in tensors.items() if x.requires_grad}


def _check_tensor(name: str, x: Tensor) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a Tensor; got {type(x).__name__}")
    if x.dtype.kind == "f" and x.dtype != np.float64:
        raise TypeError(f"{name} must be float64; got {x.dtype}. {WHY_FLOAT64}")
    if x.grad_fn:
        raise ValueError(f"{name} must be a leaf; it was made by {x.grad_fn.name}: detach it")


@contextlib.contextmanager
def _copies(tensors: Iterable[Tensor]) -> Iterator[None]:
    """Let the tensors hold copies, which may be changed; then give them their own arrays back."""
    own = [(x, x.data) for x in tensors]
    try:
        for x, data in own:
            x.data = data.copy()
        yield
    finally:
        for x, data in own:
            x.data = data


def _derivative(problem: Problem) -> Problem:
    """Make a problem of the gradients of a problem: order 2 is order 1 once more.

    The values come from backward as order 1 checked it, the gradients from create_graph=True, so
    that the two ways through backward are held against each other.
    """
    tensors = dict(problem.tensors)
    upstream = {f"upstream[{k}]": u for k, u in enumerate(problem.like_outputs(problem.upstream))}
    for u in upstream.values():
        u.requires_grad = True

    def forward(record: bool) -> tuple[Tensor, ...]:
        return gradients(problem.forward, tensors, upstream.values(), record)

    named = {f"{name} (order 2)": x for name, x in (tensors | upstream).items()}
    return Problem(forward, named, problem.generator, problem.eps)


def _check(problem: Problem, report: Report, tolerance: float, max_elements: int | None) -> None:
    """Add a Check of each tensor of the problem to the report; raise for the first that fails."""
    chosen = {name: _choose(x, max_elements, problem) for name, x in problem.tensors.items()}
    checks = _checks_off_kinks(problem, chosen, tolerance, report)
    report.checks += checks
    for check in checks:
        if not check.passed:
            raise GradientError(explain(check, problem, report))
    if np.isfinite(tolerance):
        look_again(problem, checks, report)


def _choose(x: Tensor, max_elements: int | None, problem: Problem) -> np.ndarray:
    """Choose the elements to check, as flat indices."""
    if max_elements is None or x.size <= max_elements:
        return np.arange(x.size)
    return np.sort(problem.generator.choice(x.size, max_elements, replace=False))


def _checks_off_kinks(
    problem: Problem, chosen: dict[str, np.ndarray], tolerance: float, report: Report
) -> list[Check]:
    """Measure both gradients of each tensor, moving elements until none is on a kink."""
    for _ in range(_MOVES):
        analytic = problem.backward(problem.upstream)
        measured = [_measure(problem, k, chosen[k], analytic[k], tolerance) for k in chosen]
        kinks = [(check.name, i) for check, found in measured for i in found]
        if not kinks:
            return [check for check, _ in measured]
        for name, i in kinks:
            x, sign = problem.tensors[name], problem.generator.choice((-1, 1))
            x.data.reshape(-1)[i] += sign * problem.generator.uniform(1e-3, 1e-2)
            report.moved.append((name, index_of(i, x.shape)))
    moved = ", ".join(sorted({name for name, _ in kinks}))
    steps = is_rounded(problem.values(), np.float32)
    hint = ": it rounds to float32; compute in float64, or give eps=1e-2 and tolerance=1e-2" * steps
    raise ValueError(f"function is not differentiable: {_MOVES} moves leave {moved} on kinks{hint}")


def _measure(
    problem: Problem, name: str, chosen: np.ndarray, analytic: np.ndarray, tolerance: float
) -> tuple[Check, list[int]]:
    """Compare the two gradients of one tensor; also return the elements that are on a kink."""
    array, said = problem.tensors[name].data, analytic.reshape(-1)[chosen]
    slopes, kinks = numeric_gradient(
        problem.terms, array, chosen, problem.eps, said, tolerance, problem.noise
    )
    if not np.isfinite(slopes).all():
        index = list(index_of(chosen[~np.isfinite(slopes)][0], array.shape))
        raise ValueError(f"function is not finite when {name}{index} moves by {problem.eps}")
    numeric = np.full(array.shape, np.nan)
    numeric.reshape(-1)[chosen] = slopes
    return Check(name, numeric, analytic, problem.noise * len(chosen) ** 0.5, tolerance), kinks


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)
