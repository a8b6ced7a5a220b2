"""Gradient functions of Tensors: what is no gradient, and what is right only once."""

import numpy as np
import pytest

from minifcn import functional as F
from minifcn.gradcheck import GradientError, check_backward, gradcheck
from minifcn.tensor import Tensor, record


def leaf(*shape, seed=0):
    return Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def double(gradient):
    """2 x, with a gradient function of one's own."""
    return lambda x: record("double", x.data * 2, (x, gradient))


@pytest.mark.parametrize(
    ("gradient", "says"),
    [
        (
            lambda g: g.data * 2,
            r"must return a Tensor \(2, 3\); got an ndarray \(2, 3\): compute with",
        ),
        (lambda g: None, r"must return a Tensor \(2, 3\); got None: is its `return` missing\?"),
        (lambda g: [g * 2], r"got a list of 1: record takes one gradient function for each input"),
        (lambda g: (g * 2, g), r"got a tuple of 2: record takes one"),
        (lambda g: 2.0, r"got a float: compute with Tensors"),
        (lambda g: g.data.sum(), r"got a float64: compute with Tensors"),
        (lambda g: Tensor(g.data.astype(np.float32) * 2), "its dtype float64; got float32"),
        (lambda g: Tensor(np.ones((2, 3), int)), "its dtype float64; got int64"),
        (lambda g: (g * 2).sum(1), r"its shape \(2, 3\); got \(2,\)$"),
        (lambda g: (g * 2).sum(0), r"got \(3,\): what was summed forward must be broadcast"),
        (lambda g: (g * 2).transpose(), r"got \(3, 2\): its axes are in another order"),
        (
            lambda g: Tensor((g.data * 2)[None]),
            r"\(1, 2, 3\): what was broadcast forward must be su",
        ),
    ],
)
def test_what_is_no_gradient_gets_a_sentence(gradient, says):
    with pytest.raises(
        GradientError, match=r"^the gradient function of double for x " + ".*" + says
    ):
        gradcheck(double(gradient), leaf(2, 3), names=["x"])


def test_what_is_no_gradient_further_inside():
    inside = lambda x: double(lambda g: g.data)(x.exp()).sum()
    with pytest.raises(GradientError, match="of double for an input must return a Tensor"):
        gradcheck(inside, leaf(2, 3))


def test_a_second_gradient_that_is_none():
    square = lambda x: record("square", x.data**2, (x, lambda g: twice(g, x)))
    twice = lambda g, x: record(
        "twice", 2 * g.data * x.data, (g, lambda h: h * x * 2), (x, lambda h: h.data)
    )
    gradcheck(square, leaf(3))
    with pytest.raises(GradientError, match=r"of twice for inputs\[0\] \(order 2\) must return a"):
        gradcheck(square, leaf(3), order=2)


def test_a_function_that_changes_its_input():
    def relu_in_place(x):
        np.maximum(x.data, 0, out=x.data)
        return x * 2

    with pytest.raises(ValueError, match="must not change its inputs; it changes x in place"):
        gradcheck(relu_in_place, leaf(4, 5), names=["x"])


def test_a_gradient_function_that_changes_an_input():
    def function(x):
        def gradient(g):
            np.maximum(x.data, 0, out=x.data)
            return g * 2

        return double(gradient)(x)

    with pytest.raises(GradientError, match="backward changes x in place"):
        gradcheck(function, leaf(4, 5), names=["x"])


def test_a_gradient_function_that_changes_its_upstream_gradient():
    def gradient(g):
        g.data *= 2
        return g

    with pytest.raises(GradientError, match="changes its upstream gradient in place"):
        gradcheck(double(gradient), leaf(4, 5))


def test_values_of_the_first_call():
    kept = []

    def square(x):
        kept.append(x.data.copy())
        return record("square", x.data**2, (x, lambda g: g * Tensor(2 * kept[0])))

    with pytest.raises(
        GradientError, match="wrong at other inputs, right for the first.*\n.*\n.*earl"
    ):
        gradcheck(square, leaf(4, 5))


def test_an_upstream_gradient_of_the_first_call():
    kept = []

    def gradient(g):
        kept.append(g.data.copy())
        return Tensor(2 * kept[0])

    with pytest.raises(GradientError, match="for another upstream gradient, right for the first"):
        gradcheck(double(gradient), leaf(4, 5))


def test_gradients_that_add_up():
    total = np.zeros((4, 5))

    def gradient(g):
        total[...] += 2 * g.data
        return Tensor(total.copy())

    with pytest.raises(
        GradientError, match="when it is computed again.*\n.*\n.*grows with each call"
    ):
        gradcheck(double(gradient), leaf(4, 5))


def test_outputs_whose_number_depends_on_the_input():
    """As of a mask; at other inputs, with another mask, there is nothing to compare."""
    x = np.random.default_rng(0).standard_normal((4, 5))

    def backward(u, x):
        out = np.zeros_like(x)
        out[x > 0] = u
        return out

    check_backward(lambda x: x[x > 0], backward, x)
    with pytest.raises(GradientError, match="the sign is flipped"):
        check_backward(lambda x: x[x > 0], lambda u, x: -backward(u, x), x)
    with pytest.raises(GradientError, match="likely cause: (unknown|wrong at|backward gives)"):
        check_backward(lambda x: x[x > 0], lambda u, x: np.where(x > 0, u.mean(), 0), x)


def in_float32(x):
    return np.exp(x.astype(np.float32)).astype(np.float64)


def test_a_kernel_of_float32_can_be_checked():
    """With what its rounding takes; without, the message says what it takes."""
    x = np.random.default_rng(0).standard_normal((3, 4))
    backward = lambda u, x: (u.astype(np.float32) * in_float32(x)).astype(np.float64)
    check_backward(in_float32, backward, x, eps=1e-2, tolerance=1e-2)
    with pytest.raises(GradientError, match=r"= \S+ \* numeric everywhere|factor 2"):
        check_backward(in_float32, lambda u, x: 2 * backward(u, x), x, eps=1e-2, tolerance=1e-2)
    with pytest.raises(
        ValueError, match="kinks: it rounds to float32; compute in float64, or give"
    ):
        check_backward(in_float32, backward, x)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
def test_a_jump_that_has_no_bend_is_a_kink(size):
    """At 0, sign(x) is as far from its left as from its right."""
    x = np.array([[0.0, 1.0, -2.0], [0.0, 0.0, 3.0]])
    report = check_backward(lambda x: size * np.sign(x), lambda u, x: 0 * u, x)
    assert len(report.moved) == 3
    check_backward(lambda x: x**2 + np.sign(x), lambda u, x: 2 * x * u, x)
    with pytest.raises(GradientError, match="too small by the whole factor 2"):
        check_backward(lambda x: x**2 + np.sign(x), lambda u, x: x * u, x)


def test_float32_inside_is_noticed_though_the_error_is_within_the_tolerance():
    rounded = lambda g: Tensor((g.data * 2).astype(np.float32).astype(np.float64))
    with pytest.raises(GradientError, match="within the tolerance.*\n.*\n.*rounded to float32"):
        gradcheck(double(rounded), leaf(4, 5))


def test_functions_that_are_not_defined_elsewhere_pass():
    """Shuffled inputs may not be what a function takes: what it raises there does not count."""
    here = np.random.default_rng(0).standard_normal((4, 5))

    def only_near(x):
        if np.abs(x.data - here).max() > 1e-3:
            raise ValueError("not here")
        return x.exp()

    assert gradcheck(only_near, leaf(4, 5)).checks[0].passed


def test_steep_and_kinked_functions_pass_the_second_look():
    """Also where shuffling brings values together."""
    near = Tensor(np.array([1.0, 1.001, 5.0, 5.002]), requires_grad=True)
    gradcheck(lambda x: 1 / (x[:2] - x[2:]) + F.relu(x[:2] - x[2:]), near)
    gradcheck(lambda x: F.max_pool2d(x, 2), leaf(1, 2, 6, 6), order=2)
    gradcheck(lambda x: F.relu(x * 1e6) * 1e-6, leaf(30))


def test_unknown_is_said_of_what_fits_no_pattern():
    wrong = lambda x: record("exp", np.exp(x.data), (x, lambda g: Tensor(g.data * x.data**2)))
    with pytest.raises(GradientError, match="likely cause: unknown: every element is wrong"):
        gradcheck(wrong, leaf(3, 4))
