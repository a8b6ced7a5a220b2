"""Every operation computes on a GPU what it computes on the CPU: values, gradients, theirs."""

import numpy as np
import pytest
from operations import CASES, METHODS

from minifcn.tensor import Tensor, grad

EVERY = [
    *((f"{op}-{label}", function, shapes) for op, label, function, *shapes in CASES),
    *((f"{op}-{i}", function, shapes) for i, (op, function, *shapes) in enumerate(METHODS)),
]


def second_order(function, shapes, device):
    """The output of a function, its gradients, and the gradients of these, on a device."""
    rng = np.random.default_rng(7)
    inputs = [Tensor(rng.standard_normal(shape)).to(device) for shape in shapes]
    for x in inputs:
        x.requires_grad = True
    y = function(*inputs)
    upstream = Tensor(rng.standard_normal(y.shape)).to(device)
    upstream.requires_grad = True
    first = grad(y, inputs, upstream, create_graph=True)
    total = (first[0] * first[0]).sum()
    for g in first[1:]:
        total = total + (g * g).sum()
    return y, *first, *grad(total, [upstream])


@pytest.mark.parametrize(
    ("function", "shapes"), [pytest.param(f, shapes, id=name) for name, f, shapes in EVERY]
)
def test_a_gpu_computes_what_the_cpu_computes(cupy, function, shapes):
    expected = second_order(function, shapes, "cpu")
    found = second_order(function, shapes, "cuda")
    for a, b in zip(found, expected, strict=True):
        assert (a.device, b.device) == ("cuda", "cpu")
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-11)
