"""Nonlinearities at their corners, softmax at large scores, and dropout's statistics."""

import numpy as np
import pytest

from minifcn import Tensor, grad
from minifcn import functional as F


def gradient(f, values):
    x = Tensor(np.array(values, float), requires_grad=True)
    return grad(f(x), x, Tensor(np.ones(x.shape)))[0].data.tolist()


def test_relu_at_and_around_zero():
    assert F.relu(Tensor(np.array([-1.0, -0.0, 0.0, 2.0]))).data.tolist() == [0, 0, 0, 2]
    assert gradient(F.relu, [-1, -0.0, 0, 1e-300, 2]) == [0, 0, 0, 1, 1]


def test_relu6_at_its_corners():
    assert F.relu6(Tensor(np.array([-1.0, 3.0, 6.0, 9.0]))).data.tolist() == [0, 3, 6, 6]
    assert gradient(F.relu6, [-1, 0, 3, 6, 9]) == [0, 0, 1, 0, 0]


def test_sigmoid_without_overflow():
    x = Tensor(np.array([-1e4, -750.0, 0.0, 750.0, 1e4]))
    assert F.sigmoid(x).data.tolist() == [0, 0, 0.5, 1, 1]
    assert gradient(F.sigmoid, [-1e4, 0, 1e4]) == [0, 0.25, 0]
    small = F.sigmoid(Tensor(np.array([-40.0]))).item()
    assert small == pytest.approx(np.exp(-40), rel=1e-12)


@pytest.mark.parametrize("scale", [1, 1e4, -1e4])
def test_softmax_of_large_scores(scale):
    x = Tensor(scale * np.array([[1.0, 0.0, -1.0]]))
    probabilities, logarithms = F.softmax(x, 1), F.log_softmax(x, 1)
    assert probabilities.data.sum() == pytest.approx(1)
    assert np.isfinite(logarithms.data).all()
    np.testing.assert_allclose(np.exp(logarithms.data), probabilities.data, rtol=1e-12)
    shifted = F.softmax(x + 1000.0, -1)
    np.testing.assert_allclose(shifted.data, probabilities.data, rtol=1e-9)


def test_the_gradient_of_softmax_by_hand():
    """The probabilities are 1/4 and 3/4: dp_0/dx_0 = 1/4 (1 - 1/4), dp_0/dx_1 = -1/4 3/4."""
    x = Tensor(np.array([0.0, np.log(3)]), requires_grad=True)
    (found,) = grad(F.softmax(x, 0), x, Tensor(np.array([1.0, 0.0])))
    np.testing.assert_allclose(found.data, [3 / 16, -3 / 16])


def test_log_softmax_is_exact_where_softmax_is_0():
    assert F.log_softmax(Tensor(np.array([0.0, 1e4])), 0).data.tolist() == [-1e4, 0]


@pytest.mark.parametrize("f", [F.softmax, F.log_softmax])
@pytest.mark.parametrize("dim", [2, -3, None, 0.5])
def test_softmax_refuses_an_axis_that_is_not_there(refuses, f, dim):
    refuses(ValueError, f"dim must be from -2 to 1; got {dim}$", f, Tensor(np.zeros((2, 3))), dim)


# --- Dropout --------------------------------------------------------------------------------------


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_keeps_the_mean(p):
    x = Tensor(np.ones((4, 8, 32, 32)))
    y = F.dropout(x, p, generator=generator()).data
    assert set(np.unique(y)) == {0, 1 / (1 - p)}
    assert (y == 0).mean() == pytest.approx(p, abs=0.01)
    assert y.mean() == pytest.approx(1, abs=0.03)


def test_dropout2d_drops_whole_channels():
    x = Tensor(np.ones((64, 32, 3, 2)))
    y = F.dropout2d(x, 0.3, generator=generator()).data
    assert (y.min((2, 3)) == y.max((2, 3))).all()
    assert (y[:, :, 0, 0] == 0).mean() == pytest.approx(0.3, abs=0.03)
    single = F.dropout(x, 0.3, generator=generator()).data
    assert (single.min((2, 3)) != single.max((2, 3))).any()


@pytest.mark.parametrize("f", [F.dropout, F.dropout2d])
def test_the_generator_alone_decides(f):
    x = Tensor(np.ones((4, 4, 4, 4)))
    first, again, other = (f(x, 0.5, generator=generator(seed)).data for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    rng = generator(1)
    assert (f(x, 0.5, generator=rng).data != f(x, 0.5, generator=rng).data).any()


@pytest.mark.parametrize("f", [F.dropout, F.dropout2d])
def test_the_gradient_goes_where_the_values_went(f):
    x = Tensor(np.ones((2, 3, 4, 5)), requires_grad=True)
    y = f(x, 0.5, generator=generator())
    np.testing.assert_array_equal(grad(y.sum(), x)[0].data, y.data)


@pytest.mark.parametrize("f", [F.dropout, F.dropout2d])
def test_dropout_of_nothing_everything_and_in_evaluation(f):
    x = Tensor(np.ones((2, 3, 4, 5)))
    assert f(x, 0.5, training=False) is x
    assert f(x, 0.0) is x
    np.testing.assert_array_equal(f(x, 1.0, generator=generator()).data, 0)


@pytest.mark.parametrize("f", [F.dropout, F.dropout2d])
def test_dropout_refuses(refuses, f):
    x = Tensor(np.ones((2, 3, 4, 5)))
    for p in (-0.1, 1.5, np.nan):
        refuses(ValueError, f"p must be between 0 and 1; got {p}$", f, x, p, generator=generator())
        refuses(ValueError, "p must be between 0 and 1", f, x, p, training=False)
    for wrong in (None, 3):
        message = f"generator must be a numpy.random.Generator in training; got {wrong}$"
        refuses(ValueError, message, f, x, generator=wrong)
    refuses(ValueError, "input must have 4 axes", F.dropout2d, x[0], generator=generator())
