"""Losses: by hand, over ignored pixels and large scores, and refused arguments."""

import numpy as np
import pytest

from minifcn import Tensor, grad
from minifcn import functional as F

IGNORED = -100


def scores(*rows):
    return Tensor(np.array(rows, float), requires_grad=True)


def test_cross_entropy_by_hand():
    x = scores([np.log(1), np.log(3)], [np.log(4), np.log(1)])
    labels = np.array([1, 1])
    expected = [-np.log(3 / 4), -np.log(1 / 5)]
    np.testing.assert_allclose(F.cross_entropy(x, labels, reduction="none").data, expected)
    assert F.cross_entropy(x, labels, reduction="sum").item() == pytest.approx(sum(expected))
    assert F.cross_entropy(x, labels).item() == pytest.approx(sum(expected) / 2)
    assert F.nll_loss(F.log_softmax(x, 1), labels).item() == pytest.approx(sum(expected) / 2)


def test_the_gradient_is_probability_minus_truth():
    x = scores([0.0, 0.0], [0.0, np.log(3)])
    (gradient,) = grad(F.cross_entropy(x, np.array([0, 0]), reduction="sum"), x)
    np.testing.assert_allclose(gradient.data, [[-0.5, 0.5], [0.25 - 1, 0.75]])


def test_equal_scores_lose_log_of_the_number_of_classes():
    x = Tensor(np.zeros((2, 6, 3, 4)))
    assert F.cross_entropy(x, np.zeros((2, 3, 4), int)).item() == pytest.approx(np.log(6))


def test_ignored_pixels_do_not_count_in_the_mean_or_the_gradient():
    x = scores([1.0, 2.0], [5.0, -3.0], [0.5, 0.1])
    labels = np.array([0, IGNORED, 1])
    loss = F.cross_entropy(x, labels)
    assert loss.item() == pytest.approx(
        F.cross_entropy(x[np.array([0, 2])], np.array([0, 1])).item()
    )
    assert grad(loss, x)[0].data[1].tolist() == [0, 0]
    assert F.cross_entropy(x, labels, reduction="none").data[1] == 0


def test_class_weights_divide_by_the_weights_that_count():
    x = scores([0.0, 1.0], [0.0, 1.0], [2.0, 0.0])
    labels = np.array([0, 1, IGNORED])
    each = F.cross_entropy(x, labels, reduction="none").data
    weight = np.array([3.0, 1.0])
    expected = (3 * each[0] + 1 * each[1]) / 4
    for given in (weight, Tensor(weight), weight.astype(np.float32)):
        assert F.cross_entropy(x, labels, given).item() == pytest.approx(expected)
    weighted = F.cross_entropy(x, labels, weight, reduction="none").data
    np.testing.assert_allclose(weighted, each * [3, 1, 0])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_everything_ignored_is_0_with_a_gradient_of_0(reduction):
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 2, 2)), requires_grad=True)
    loss = F.cross_entropy(x, np.full((2, 2, 2), 255), ignore_index=255, reduction=reduction)
    np.testing.assert_array_equal(loss.data, 0)
    loss.sum().backward()
    np.testing.assert_array_equal(x.grad.data, 0)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_what_is_not_finite_in_an_ignored_pixel_does_not_spread(reduction):
    x = scores([-np.inf, np.nan], [0.5, 0.1])
    loss = F.nll_loss(x, np.array([IGNORED, 1]), reduction=reduction)
    np.testing.assert_allclose(loss.data.sum(), -0.1)
    np.testing.assert_array_equal(grad(loss.sum(), x)[0].data, [[0, 0], [0, -1]])


def test_label_smoothing_by_hand():
    x = scores([np.log(1), np.log(3)], [np.log(4), np.log(1)])
    labels, weight = np.array([1, 1]), np.array([3.0, 5.0])
    surprise = -np.log([[1 / 4, 3 / 4], [4 / 5, 1 / 5]])
    truth = np.array([[0.1, 0.9], [0.1, 0.9]])  # 0.2 of it is shared among both classes
    plain = F.cross_entropy(x, labels, reduction="none", label_smoothing=0.2)
    np.testing.assert_allclose(plain.data, (truth * surprise).sum(1))
    weighted = F.cross_entropy(x, labels, weight, reduction="none", label_smoothing=0.2)
    np.testing.assert_allclose(weighted.data, (truth * weight * surprise).sum(1))
    mean = F.cross_entropy(x, labels, weight, label_smoothing=0.2)
    assert mean.item() == pytest.approx(weighted.data.sum() / (5 + 5))


def test_the_gradient_of_smoothed_labels_is_probability_minus_smoothed_truth():
    x = scores([0.0, 0.0], [0.0, np.log(3)])
    loss = F.cross_entropy(x, np.array([0, 0]), reduction="sum", label_smoothing=0.2)
    np.testing.assert_allclose(grad(loss, x)[0].data, [[-0.4, 0.4], [0.25 - 0.9, 0.75 - 0.1]])


def test_a_smoothing_of_0_is_none_bit_for_bit():
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32))
    labels = np.random.default_rng(1).integers(0, 3, (2, 4, 5))
    assert F.cross_entropy(x, labels, label_smoothing=0).item() == F.cross_entropy(x, labels).item()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_smoothed_and_ignored(reduction):
    x = scores([np.nan, np.inf], [0.5, 0.1])
    options = {"reduction": reduction, "label_smoothing": 0.3}
    loss = F.cross_entropy(x, np.array([IGNORED, 1]), **options)
    alone = F.cross_entropy(x[1:], np.array([1]), **options)
    np.testing.assert_allclose(loss.data.sum(), alone.data.sum())
    nothing = F.cross_entropy(x, np.array([IGNORED, IGNORED]), **options)
    np.testing.assert_array_equal(nothing.data, 0)


@pytest.mark.parametrize("smoothing", [0.1, 1, np.float64(0.1)])
def test_smoothed_float32_stays_float32_and_is_near_float64(smoothing):
    x = 100 + 10 * np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    labels, weight = np.random.default_rng(1).integers(0, 3, (2, 4, 5)), np.array([1.0, 2.0, 3.0])
    precise, rounded = (
        F.cross_entropy(Tensor(x.astype(dtype)), labels, weight, label_smoothing=smoothing)
        for dtype in (np.float64, np.float32)
    )
    assert (precise.dtype, rounded.dtype) == (np.float64, np.float32)
    assert rounded.item() == pytest.approx(precise.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (1.5, ValueError, r"label_smoothing must be from 0 to 1; got 1\.5$"),
        (-0.1, ValueError, r"label_smoothing must be from 0 to 1; got -0\.1$"),
        (float("nan"), ValueError, "label_smoothing must be from 0 to 1; got nan$"),
        ("0.1", TypeError, "label_smoothing must be a number from 0 to 1; got '0.1'$"),
        (True, TypeError, "label_smoothing must be a number from 0 to 1; got True$"),
    ],
)
def test_smoothing_is_refused(refuses, value, error, message):
    x, labels = Tensor(np.zeros((1, 3))), np.zeros(1, int)
    refuses(error, message, F.cross_entropy, x, labels, label_smoothing=value)


def test_large_scores_stay_finite():
    x = scores([1e4, -1e4], [1e4, -1e4])
    loss = F.cross_entropy(x, np.array([0, 1]), reduction="none")
    assert loss.data.tolist() == [0, 2e4]
    np.testing.assert_allclose(grad(loss.sum(), x)[0].data, [[0, 0], [1, -1]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_of_any_integer_type(dtype):
    x = scores([1.0, 2.0, 0.0], [0.0, 5.0, 1.0])
    labels = np.array([2, 255]).astype(dtype) if dtype == np.uint8 else np.array([2, 255], dtype)
    for given in (labels, Tensor(labels)):
        found = F.cross_entropy(x, given, ignore_index=255)
        assert found.item() == pytest.approx(F.cross_entropy(x[:1], np.array([2])).item())
    assert F.cross_entropy(x, np.array([2, 1], dtype)).dtype == np.float64


X = np.zeros((2, 3, 4, 5))
Y = np.zeros((2, 4, 5), np.int64)

REFUSED = [
    (X, Y[0], {}, ValueError, r"target must have the shape of input \(2, 3, 4, 5\) without axis"),
    (X, Y[:, None], {}, ValueError, "target must have the shape of input"),
    (X, Y[:1], {}, ValueError, "target must have the shape of input"),
    (X, np.zeros((2, 5, 4), int), {}, ValueError, "target must have the shape of input"),
    (X[0, 0, 0], np.zeros((), int), {}, ValueError, "target must have the shape of input"),
    (X, Y.astype(float), {}, TypeError, "target must hold integer labels; got float64$"),
    (X, Y.astype(bool), {}, TypeError, "target must hold integer labels; got bool$"),
    (X, Y.tolist(), {}, TypeError, "target must be a Tensor or an array; got list$"),
    (X, Y + 3, {}, ValueError, r"target must be in \[0, 3\) or -100 \(ignored\); got 3$"),
    (X, Y - 1, {}, ValueError, r"target must be in \[0, 3\) or -100 \(ignored\); got -1$"),
    (X, Y + 255, {"ignore_index": 254}, ValueError, r"target must be in \[0, 3\) or 254 .*;"),
    (X, Y, {"weight": np.ones(4)}, ValueError, r"weight must have one number a class, 3;"),
    (X, Y, {"weight": np.ones((3, 1))}, ValueError, "weight must have one number a class"),
    (X, Y, {"weight": [1.0, 1.0, 1.0]}, TypeError, "weight must be a Tensor or an array;"),
    (X, Y, {"reduction": "average"}, ValueError, "reduction must be one of none, mean, sum;"),
]  # fmt: skip


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize(("x", "target", "options", "error", "message"), REFUSED)
def test_losses_refuse(refuses, loss, x, target, options, error, message):
    refuses(error, message, loss, Tensor(x), target, **options)
