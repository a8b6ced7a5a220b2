"""First and second order gradient checks of every operation, with all of its options."""

import numpy as np
import pytest
from operations import CASES, METHODS

from minifcn import functional as F
from minifcn.gradcheck import gradcheck
from minifcn.tensor import Tensor

NOT_DIFFERENTIABLE = {
    *("__init__", "__repr__", "__setitem__", "_take_over", "backward", "detach", "to")
}
NOT_METHODS = {"broadcast_to", "sum_to", "put"}


def check_both_orders(function, shapes):
    rng = np.random.default_rng(7)
    inputs = [Tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes]
    report = gradcheck(function, inputs, order=2)
    first = report.checks[: len(inputs)]
    assert len(report.checks) == 2 * len(inputs) + 1  # once more each, and the upstream gradient
    assert report.moved == []
    assert all(check.numeric.any() for check in first), "a gradient of 0 checks nothing"


@pytest.mark.parametrize(
    ("function", "shapes"),
    [pytest.param(f, shapes, id=f"{op}-{label}") for op, label, f, *shapes in CASES],
)
def test_operation(function, shapes):
    check_both_orders(function, shapes)


@pytest.mark.parametrize(
    ("function", "shapes"),
    [pytest.param(f, shapes, id=f"{op}-{i}") for i, (op, f, *shapes) in enumerate(METHODS)],
)
def test_arithmetic(function, shapes):
    check_both_orders(function, shapes)


def test_every_operation_has_a_case():
    assert {op for op, *_ in CASES} == set(F.__all__)


def test_every_method_of_a_tensor_has_a_case():
    methods = {name for name, value in vars(Tensor).items() if callable(value)}
    assert {op for op, *_ in METHODS} - NOT_METHODS == methods - NOT_DIFFERENTIABLE
