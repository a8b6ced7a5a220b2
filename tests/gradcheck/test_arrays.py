"""check_backward: the gradient check of kernels in plain NumPy, and what it says of bad ones."""

import numpy as np
import pytest

from minifcn import kernels
from minifcn.gradcheck import GradientError, check_backward

RNG = np.random.default_rng(0)
X, W = RNG.standard_normal((4, 3)), RNG.standard_normal((3, 2))


def product(x, w):
    return x @ w


def product_backward(upstream, x, w):
    return upstream @ w.T, x.T @ upstream


def test_a_kernel_and_its_backward_in_one_line():
    report = check_backward(product, product_backward, [X, W])
    assert list(report.errors) == ["x", "w"]
    assert max(report.errors.values()) < 1e-9


def test_kernels_of_the_project():
    x, w = RNG.standard_normal((2, 3, 5, 4)), RNG.standard_normal((2, 3, 3, 3))
    check_backward(
        lambda x, w: kernels.conv2d(x, w, padding=1),
        lambda u, x, w: (
            kernels.conv_transpose2d(u, w, padding=1),
            kernels.conv2d_weight(x, u, 3, padding=1),
        ),
        [x, w],
    )


def test_one_array_may_come_and_go_alone():
    check_backward(np.exp, lambda u, x: u * np.exp(x), X)
    check_backward(np.exp, lambda u, x: [u * np.exp(x)], (X,))


def test_numbers_and_empty_arrays():
    check_backward(lambda x: x.sum(), lambda u, x: u * np.ones_like(x), X)
    check_backward(lambda x: x**2, lambda u, x: 2 * u * x, np.array(3.0))
    check_backward(lambda x: x * 2, lambda u, x: 2 * u, np.zeros((0, 3)))
    check_backward(
        lambda x, s: (x * s).sum(),
        lambda u, x, s: (u * s * np.ones_like(x), u * x.sum()),
        [X, np.array(2.0)],
    )


def test_several_outputs_with_an_upstream_gradient_each():
    forward = lambda x: (x**2, x.sum())
    check_backward(forward, lambda u, x: 2 * u[0] * x + u[1], X)
    with pytest.raises(GradientError, match="the gradient of x is wrong"):
        check_backward(forward, lambda u, x: 2 * u[0] * x, X)


def test_labels_are_passed_on_and_need_no_gradient():
    labels = np.array([0, 2, 1, 1])
    pick = lambda x, labels: x[np.arange(4), labels]
    back = lambda u, x, labels: (u[:, None] * np.eye(3)[labels], None)
    assert list(check_backward(pick, back, [X, labels]).errors) == ["x"]


def test_kinks_are_moved_off_and_the_arrays_stay():
    x = np.array([0.0, 1.0, -1.0])
    report = check_backward(lambda x: np.maximum(x, 0), lambda u, x: u * (x > 0), x)
    assert report.moved == [("x", (0,))]
    assert x.tolist() == [0.0, 1.0, -1.0]


def test_the_cause_is_named():
    wrong = lambda u, x, w: (np.ones_like(u) @ w.T, x.T @ u)
    with pytest.raises(GradientError, match="of x is wrong.*\n.*\n.*backward ignores its upstream"):
        check_backward(product, wrong, [X, W])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda u, x, w: None, r"must return 2 gradients, of x, w; got None"),
        (lambda u, x, w: u @ w.T, r"must return 2 gradients, of x, w; got 1"),
        (lambda u, x, w: (1, 2, 3), r"must return 2 gradients, of x, w; got 3"),
        (lambda u, x, w: (u @ w.T, None), r"of w must be an array \(3, 2\); got None: is its `ret"),
        (lambda u, x, w: (u @ w.T, 0.5), r"of w must be an array \(3, 2\); got a float"),
        (lambda u, x, w: (u @ w.T, [[1]]), r"of w must be an array \(3, 2\); got a list of 1"),
        (lambda u, x, w: (u @ w.T, u.T @ x), r"for w, .* shape \(3, 2\); got \(2, 3\): .* order"),
        (lambda u, x, w: (u @ w.T, (x.T @ u)[0]), r"got \(2,\): what was summed .* broadcast"),
        (
            lambda u, x, w: (u @ w.T, (x.T @ u)[None]),
            r"got \(1, 3, 2\): .* must be summed backward",
        ),
        (lambda u, x, w: (u @ w.T, (x.T @ u)[:, :0]), r"shape \(3, 2\); got \(3, 0\)$"),
        (lambda u, x, w: (u @ w.T, (x.T @ u).astype("f")), r"its dtype float64; got float32"),
        (lambda u, x, w: (u @ w.T, (x.T @ u).astype(int)), r"its dtype float64; got int64"),
    ],
)
def test_what_is_no_gradient(wrong, says):
    with pytest.raises(GradientError, match=says):
        check_backward(product, wrong, [X, W])


def doubling(k):
    """A backward that doubles one of its arguments in place, but gives the right gradients."""

    def backward(*arguments):
        found = product_backward(*arguments)
        arguments[k][...] *= 2
        return found

    return backward


@pytest.mark.parametrize(("k", "whose"), [(0, "its upstream gradient"), (1, "x"), (2, "w")])
def test_a_backward_that_changes_what_it_is_given(k, whose):
    with pytest.raises(GradientError, match=f"^backward changes {whose} in place"):
        check_backward(product, doubling(k), [X, W])


def test_a_forward_that_changes_what_it_is_given():
    def forward(x):
        x[x < 0] = 0
        return x * 1

    before = X.copy()
    with pytest.raises(ValueError, match="^forward changes x in place: compute with a copy"):
        check_backward(forward, lambda u, x: u, X)
    np.testing.assert_array_equal(X, before)


def test_a_forward_that_draws_numbers():
    with pytest.raises(ValueError, match="two calls differ"):
        check_backward(lambda x: x + RNG.random(), lambda u, x: u, X)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (X.astype(np.float32), r"x must be float64; got float32: use x.astype\(np.float64\)"),
        (X.tolist(), r"x must be a NumPy array; got a list of 4"),
        (None, "x must be a NumPy array; got None"),
    ],
)
def test_arrays_must_be_float64(array, says):
    with pytest.raises(TypeError, match=says):
        check_backward(product, product_backward, [array, W])


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (X.astype("f"), "float32"),
        (np.arange(3), "int64"),
        (None, "None"),
        ([1.0], "a float"),
        ((), "got none"),
        (np.float32(1), "float32"),
    ],
)
def test_outputs_must_be_float64(y, says):
    with pytest.raises(TypeError, match=f"^forward must return .*array.*{says}"):
        check_backward(lambda x: y, lambda u, x: u, X)


def test_arguments_that_do_not_fit():
    with pytest.raises(
        TypeError, match=r"^forward is called as forward\(\*arrays\), with 1 arg.*'w'"
    ):
        check_backward(product, product_backward, [X])
    with pytest.raises(TypeError, match=r"^backward is called as backward\(upstream, \*arrays\)"):
        check_backward(product, lambda x, w: (x, w), [X, W])
    with pytest.raises(TypeError, match="^backward must be a function.*; got None"):
        check_backward(product, None, [X, W])
    with pytest.raises(ValueError, match="^names must be one for each array"):
        check_backward(product, product_backward, [X, W], names=["x"])


def test_functions_without_named_arguments():
    report = check_backward(lambda *arrays: arrays[0] @ arrays[1], product_backward, [X, W])
    assert list(report.errors) == ["arrays[0]", "arrays[1]"]
    report = check_backward(np.exp, lambda u, x: u * np.exp(x), X, names=["pixels"])
    assert list(report.errors) == ["pixels"]


def test_the_options_are_those_of_gradcheck():
    with pytest.raises(ValueError, match="eps and tolerance positive"):
        check_backward(product, product_backward, [X, W], eps=0)
    report = check_backward(product, product_backward, [X, W], max_elements=2, seed=3)
    assert [int(check.known.sum()) for check in report.checks] == [2, 2]
