"""Batch normalisation: what it makes of a batch, the running statistics, refused arguments."""

import numpy as np
import pytest

from minifcn import Tensor, grad, no_grad
from minifcn import functional as F


def statistics(mean, var):
    return Tensor(np.array(mean, float)), Tensor(np.array(var, float))


def test_a_batch_gets_mean_0_and_variance_1_in_each_channel(random):
    x = random(4, 3, 5, 6) * 7.0 + 3.0
    y = F.batch_norm(x, None, None, training=True, eps=0).data
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var((0, 2, 3)), 1, rtol=1e-12)


def test_a_large_offset_costs_no_digits():
    x = np.array([-1.0, 1.0] * 8).reshape(4, 1, 2, 2)
    y = F.batch_norm(Tensor(x + 1e6), None, None, training=True, eps=0)
    np.testing.assert_allclose(y.data, x, rtol=1e-9)


def test_running_statistics_by_hand():
    """The mean of 0 2 is 1; the variance 1, or unbiased 2; both move by a tenth."""
    mean, var = statistics([10], [20])
    x = Tensor(np.array([0.0, 2.0]).reshape(2, 1, 1, 1))
    mean_array = mean.data
    F.batch_norm(x, mean, var, training=True)
    np.testing.assert_allclose([mean.item(), var.item()], [10 - 0.1 * 9, 20 - 0.1 * 18])
    assert mean.data is mean_array  # in place, for whoever shares it
    F.batch_norm(x, mean, var, training=True, momentum=1.0)
    np.testing.assert_allclose([mean.item(), var.item()], [1, 2])


def test_evaluation_uses_and_leaves_the_running_statistics(random):
    mean, var = statistics([1, 2], [3, 8])
    x = random(1, 2, 1, 1)
    y = F.batch_norm(x, mean, var, eps=1)
    np.testing.assert_allclose(y.data.ravel(), (x.data.ravel() - [1, 2]) / [2, 3])
    assert mean.data.tolist() == [1, 2]
    assert var.data.tolist() == [3, 8]


def test_without_running_statistics_evaluation_uses_the_batch(random):
    x = random(2, 3, 4, 4)
    expected = F.batch_norm(x, None, None, training=True)
    np.testing.assert_array_equal(F.batch_norm(x, None, None).data, expected.data)


def test_scale_and_shift(random):
    x, weight, bias = random(2, 3, 4, 4), random(3, seed=1), random(3, seed=2)
    plain = F.batch_norm(x, None, None, training=True).data
    y = F.batch_norm(x, None, None, weight, bias, training=True).data
    np.testing.assert_allclose(y, plain * weight.data[:, None, None] + bias.data[:, None, None])


def test_a_constant_channel_stays_finite(random):
    x = Tensor(np.full((2, 1, 3, 3), 5.0), requires_grad=True)
    y = F.batch_norm(x, None, None, training=True)
    np.testing.assert_array_equal(y.data, 0)
    y.backward(random(2, 1, 3, 3).detach())
    assert np.isfinite(x.grad.data).all()


def test_the_gradient_does_not_depend_on_recording(random):
    """Without a graph of gradients the saved arrays are used, with one everything is recomputed."""
    found = []
    for create_graph in (False, True):
        x, weight, bias = random(2, 3, 4, 4), random(3, seed=1), random(3, seed=2)
        y = F.batch_norm(x, None, None, weight, bias, training=True)
        y.backward(random(*y.shape, seed=3).detach(), create_graph)
        found.append([t.grad.data for t in (x, weight, bias)])
    for without, recorded in zip(*found, strict=True):
        np.testing.assert_allclose(without, recorded, rtol=1e-10, atol=1e-12)


def test_the_gradient_ignores_shift_and_scale_of_the_input(random):
    """They change nothing in the output, so nothing of the gradient points along them."""
    x = random(2, 3, 4, 4)
    y = F.batch_norm(x, None, None, random(3, seed=1), training=True, eps=0)
    y.backward(random(*y.shape, seed=2).detach())
    gradient = x.grad.data
    assert np.abs(gradient).max() > 0.1
    np.testing.assert_allclose(gradient.sum((0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose((gradient * x.data).sum((0, 2, 3)), 0, atol=1e-12)


def test_the_gradient_of_the_gradient_is_its_slope(random):
    x, upstream, along = random(2, 2, 3, 1), random(2, 2, 3, 1, seed=1), random(2, 2, 3, 1, seed=2)

    def derivative(x):
        y = F.batch_norm(x, None, None, training=True, eps=0.1)
        return grad(y, x, upstream, create_graph=True)[0]

    (second,) = grad(derivative(x), x, along)
    direction, eps = random(2, 2, 3, 1, seed=3).data, 1e-5
    sides = [
        (derivative(Tensor(x.data + step * direction, True)).data * along.data).sum()
        for step in (eps, -eps)
    ]
    expected = (sides[0] - sides[1]) / (2 * eps)
    assert (second.data * direction).sum() == pytest.approx(expected, rel=1e-6)


def test_running_statistics_move_without_a_graph_too():
    mean, var = statistics([0], [1])
    with no_grad():
        F.batch_norm(Tensor(np.array([0.0, 2.0]).reshape(1, 1, 1, 2)), mean, var, training=True)
    assert mean.item() == pytest.approx(0.1)


X = np.ones((2, 3, 2, 2))

REFUSED = [
    (X[0], {}, ValueError, "input must have 4 axes"),
    (X, {"weight": 2}, ValueError, r"weight must have shape \(3,\); got \(2,\)$"),
    (X, {"bias": 4}, ValueError, r"bias must have shape \(3,\); got \(4,\)$"),
    (X, {"running_mean": 1}, ValueError, r"running_mean must have shape \(3,\); got \(1,\)$"),
    (X, {"running_mean": 3, "running_var": 1}, ValueError, "running_var must have shape"),
    (X, {"running_mean": 3}, ValueError, "running_mean and running_var go together; got only one"),
    (X, {"running_var": 3}, ValueError, "running_mean and running_var go together; got only one"),
    (
        X[:1, :, :1, :1],
        {},
        ValueError,
        "input must have more than 1 value a channel in training; got",
    ),
    (X[:0], {}, ValueError, "input must have more than 1 value a channel in training; got"),
]


@pytest.mark.parametrize(("x", "sizes", "error", "message"), REFUSED)
def test_batch_norm_refuses(refuses, x, sizes, error, message):
    options = {"running_mean": None, "running_var": None, "training": True}
    options |= {name: Tensor(np.ones(size)) for name, size in sizes.items()}
    refuses(error, message, F.batch_norm, Tensor(x), **options)


def test_batch_norm_refuses_arrays_and_other_dtypes(refuses):
    ones = np.ones(3, np.float32)
    for name in ("running_mean", "running_var", "weight", "bias"):
        options = {"running_mean": None, "running_var": None}
        wrong = {**options, name: Tensor(ones)}
        refuses(
            TypeError, f"input is float64 but {name} is float32$", F.batch_norm, Tensor(X), **wrong
        )
        wrong = {**options, name: ones.astype(float)}
        refuses(
            TypeError, f"{name} must be a Tensor; got ndarray$", F.batch_norm, Tensor(X), **wrong
        )


def test_a_refused_batch_leaves_the_running_statistics():
    mean, var = statistics([0], [1])
    with pytest.raises(ValueError, match="more than 1 value"):
        F.batch_norm(Tensor(np.ones((1, 1, 1, 1))), mean, var, training=True)
    assert (mean.item(), var.item()) == (0, 1)


# --- With relu or relu6 in the same pass ----------------------------------------------------------


ACTIVATIONS = pytest.mark.parametrize(
    ("activation", "after"), [("relu", F.relu), ("relu6", F.relu6)]
)
TRAINING = pytest.mark.parametrize("training", [True, False])


def clipped_and_not(random, activation, training):
    """The arguments, and the result with the activation within and without any."""
    x, weight, bias = random(3, 4, 5, 6), random(4, seed=1) * 5.0, random(4, seed=2)
    arguments = [Tensor(a.data, requires_grad=True) for a in (x, weight, bias)]
    results = []
    for options in ({"activation": activation}, {}):
        running = statistics(np.linspace(-1, 1, 4), np.linspace(0.5, 2, 4))
        y = F.batch_norm(arguments[0], *running, *arguments[1:], training, **options)
        results.append((y, *running))
    return arguments, *results


@ACTIVATIONS
@TRAINING
def test_an_activation_within_is_the_activation_afterwards(random, activation, after, training):
    arguments, (within, *moved), (plain, *moved_plainly) = clipped_and_not(
        random, activation, training
    )
    expected, upstream = after(plain), random(*plain.shape, seed=3)
    assert 0.1 < (expected.data == 0).mean() < 0.9
    assert activation == "relu" or (expected.data == 6).any()
    np.testing.assert_allclose(within.data, expected.data, rtol=1e-14, atol=1e-14)
    for a, b in zip(moved, moved_plainly, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    found = [grad(y, arguments, upstream) for y in (within, expected)]
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12, atol=1e-13)


@ACTIVATIONS
@TRAINING
def test_a_gradient_to_be_differentiated_is_the_same(random, activation, after, training):
    arguments, (within, *_), _ = clipped_and_not(random, activation, training)
    upstream = random(*within.shape, seed=3)
    first = grad(within, arguments, upstream, create_graph=True)
    arguments, (within, *_), _ = clipped_and_not(random, activation, training)
    for a, b in zip(first, grad(within, arguments, upstream), strict=True):
        assert np.abs(b.data).max() > 0
        np.testing.assert_allclose(a.data, b.data, rtol=1e-11, atol=1e-12)


def test_backward_uses_the_running_statistics_that_forward_used(random):
    x, (mean, var) = random(2, 3, 4, 4), statistics([0.0, 1, 2], [1.0, 2, 3])
    y = F.batch_norm(x, mean, var)
    F.batch_norm(x, mean, var, training=True)
    (found,) = grad(y, x, Tensor(np.ones(y.shape)))
    expected = 1 / np.sqrt(np.array([1.0, 2, 3]) + 1e-5)
    np.testing.assert_allclose(found.data, expected.reshape(3, 1, 1) + np.zeros(x.shape))


@pytest.mark.parametrize("activation", ["RELU", "sigmoid", 6, True])
def test_an_unknown_activation_is_refused(refuses, activation):
    message = f"activation must be one of relu, relu6, or None; got {activation!r}$"
    refuses(ValueError, message, F.batch_norm, Tensor(X), None, None, activation=activation)
