"""Bugs that people write, planted one at a time: the gradient check must find and explain each.

Every case has the wrong operation and the right one. The right one passes; for the wrong one the
error must name the argument, the index where the two differ most, both values, and the cause.
"""

import re
import sys

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import kernels
from minifcn.gradcheck import GradientError, gradcheck
from minifcn.tensor import Tensor, grad, record


def leaf(*shape, seed=0):
    return Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def complaint(function, inputs, names):
    with pytest.raises(GradientError) as caught:
        gradcheck(function, inputs, names=names)
    return str(caught.value)


def gradient_of(function, inputs, x):
    """The gradient for the upstream gradient that gradcheck draws with seed 0."""
    y = function(*inputs)
    upstream = np.random.default_rng((0, *b"gradcheck")).standard_normal(y.shape)
    return grad(y, x, Tensor(upstream))[0].data


def assert_caught(wrong, right, inputs, names, culprit, cause):
    """Hold the complaint about `wrong` against what `right` says; return the reported index."""
    gradcheck(right, inputs, names=names)
    message = complaint(wrong, inputs, names)
    x = inputs[names.index(culprit)]
    should, says = gradient_of(right, inputs, x), gradient_of(wrong, inputs, x)
    found = re.match(
        r"the gradient of (.*) is wrong: norm-relative error (.*), tolerance 1e-07\n"
        r"  worst at \[(.*)\]: numeric (.*), analytic (.*)\n  likely cause: (.*)\n",
        message,
    )
    name, error, place, numeric, analytic, sentence = found.groups()
    assert name == culprit
    assert cause in sentence
    index = tuple(map(int, place.split(", ")))
    difference = np.abs(should - says)
    assert difference[index] == pytest.approx(difference.max())
    assert float(numeric) == pytest.approx(should[index], rel=1e-6, abs=1e-9)
    assert float(analytic) == pytest.approx(says[index], rel=1e-9, abs=1e-12)
    norms = np.linalg.norm(should), np.linalg.norm(says)
    assert float(error) == pytest.approx(np.linalg.norm(should - says) / max(norms), rel=0.05)
    wrong_ones = [line.split()[-1] for line in message.splitlines() if line.startswith("WRONG")]
    assert wrong_ones == [culprit]
    return index


def planted(right, k, bug):
    """`right` with another gradient for input k: bug(upstream gradient, *inputs), all arrays."""

    def function(*inputs):
        y = right(*inputs)

        def gradient(i):
            if i == k:
                return lambda g: Tensor(bug(g.data, *(x.data for x in inputs)))
            return lambda g: grad(y, inputs[i], g, create_graph=True)[0].detach()

        return record("planted", y.data, *((x, gradient(i)) for i, x in enumerate(inputs)))

    return function


# Convolution


def test_input_gradient_with_the_kernel_not_flipped():
    right = lambda x, w: F.conv2d(x, w, padding=1)
    unflipped = lambda g, x, w: kernels.conv2d(g, w.transpose(1, 0, 2, 3), padding=1)
    inputs = leaf(2, 3, 5, 4), leaf(2, 3, 3, 3)
    names = ["input", "weight"]
    assert_caught(planted(right, 0, unflipped), right, inputs, names, "input", "not flipped")


def test_weight_gradient_flipped():
    flipped = lambda g, x, w: kernels.conv2d_weight(x, g, (3, 2))[..., ::-1, ::-1].copy()
    inputs, names = (leaf(2, 2, 5, 5), leaf(3, 2, 3, 2)), ["input", "weight"]
    assert_caught(
        planted(F.conv2d, 1, flipped), F.conv2d, inputs, names, "weight", "the kernel is flipped"
    )


def test_weight_gradient_that_ignores_the_stride():
    right = lambda x, w: F.conv2d(x, w, stride=2)
    dense = lambda g, x, w: kernels.conv2d_weight(x[..., :5, :5].copy(), g, 3, stride=1)
    inputs, names = (leaf(2, 2, 7, 7), leaf(3, 2, 3, 3)), ["input", "weight"]
    assert_caught(planted(right, 1, dense), right, inputs, names, "weight", "ignore a setting")


def test_weight_gradient_with_input_and_output_channels_swapped():
    swapped = lambda g, x, w: kernels.conv2d_weight(g, x, 1).reshape(w.shape)
    inputs, names = (leaf(2, 3, 4, 4), leaf(3, 3, 1, 1)), ["input", "weight"]
    assert_caught(
        planted(F.conv2d, 1, swapped), F.conv2d, inputs, names, "weight", "swapping two axes"
    )


@pytest.mark.parametrize("kept", [0, -1])
def test_bias_gradient_of_one_image_instead_of_the_whole_batch(kept):
    one_image = lambda g, x, w, b: g[kept].sum((1, 2))
    inputs = leaf(3, 2, 4, 4), leaf(2, 2, 3, 3), leaf(2)
    names = ["input", "weight", "bias"]
    assert_caught(
        planted(F.conv2d, 2, one_image),
        F.conv2d,
        inputs,
        names,
        "bias",
        "only one item of the batch",
    )


def test_bias_gradient_averaged_over_the_batch():
    averaged = lambda g, x, w, b: g.sum((2, 3)).mean(0)
    inputs = leaf(3, 2, 4, 4), leaf(2, 2, 3, 3), leaf(2)
    names = ["input", "weight", "bias"]
    cause = "too small by the whole factor 3 (axis 0 of the output)"
    assert_caught(planted(F.conv2d, 2, averaged), F.conv2d, inputs, names, "bias", cause)


@pytest.mark.parametrize(("ring", "size"), [(1, (4, 3)), (1, (8, 9)), (2, (5, 6))])
def test_input_gradient_without_the_border_that_the_padding_reaches(ring, size):
    right = lambda x, w: F.conv2d(x, w, padding=ring)

    def without_border(g, x, w):
        dx = kernels.conv_transpose2d(g, w, padding=ring)
        cropped, inside = np.zeros_like(dx), (..., slice(ring, -ring), slice(ring, -ring))
        cropped[inside] = dx[inside]
        return cropped

    inputs, names = (leaf(2, 2, *size), leaf(2, 2, 2 * ring + 1, 3)), ["input", "weight"]
    wrong = planted(right, 0, without_border)
    *_, h, w = assert_caught(wrong, right, inputs, names, "input", "only the border is wrong")
    assert min(h, w, size[0] - 1 - h, size[1] - 1 - w) < ring


def overwriting_col2im(columns, size, stride=1):
    """Scatter each kernel position in turn, with = where += belongs."""
    x, (sh, sw) = np.zeros((*columns.shape[:2], *size)), stride
    kh, kw, oh, ow = columns.shape[2:]
    for i in range(kh):
        for j in range(kw):
            x[:, :, i : i + sh * oh : sh, j : j + sw * ow : sw] = columns[:, :, i, j]
    return x


@pytest.mark.parametrize(("size", "kernel", "stride"), [(5, 3, 1), (7, 3, 2), (6, 2, 1)])
def test_col2im_that_overwrites_instead_of_adding(size, kernel, stride, monkeypatch):
    pool = lambda x: F.avg_pool2d(x, kernel, stride)
    x = leaf(1, 2, size, size)
    gradcheck(pool, x)
    monkeypatch.setattr(kernels, "col2im", overwriting_col2im)
    assert "overlapping windows must be added up" in complaint(pool, x, ["input"])


def test_transposed_convolution_that_is_one_pixel_off():
    """The stamps land one column to the right: cropped on the wrong side."""
    right = lambda y, w: F.conv_transpose2d(y, w, stride=2, padding=1)
    shifted = lambda g, y, w: kernels.conv2d(np.roll(g, 1, 3), w, stride=2, padding=1)
    inputs, names = (leaf(1, 2, 3, 3), leaf(2, 2, 4, 4)), ["input", "weight"]
    cause = "off by one: the upstream gradient is moved by one along its axis 3"
    assert_caught(planted(right, 0, shifted), right, inputs, names, "input", cause)


# Sums, means and several uses


def test_a_square_with_one_of_its_two_paths():
    wrong = lambda a: record("square", a.data * a.data, (a, lambda g: g * a))
    cause = "too small by the whole factor 2: only one of so many uses"
    assert_caught(wrong, lambda a: a * a, (leaf(3, 5),), ["a"], "a", cause)


def test_an_engine_that_overwrites_where_paths_meet(monkeypatch):
    overwrite = lambda pending, x, part, name: pending.update({id(x): part})
    both, one = lambda a: a.exp() + a * 3, lambda a: a.exp()
    gradcheck(both, leaf(4))
    monkeypatch.setattr(sys.modules["minifcn.tensor"], "_accumulate", overwrite)
    gradcheck(one, leaf(4))
    assert "gradient of a is wrong" in complaint(both, leaf(4), ["a"])
    assert "only one of so many uses" in complaint(lambda a: a + a + a, leaf(4), ["a"])


def test_an_index_used_twice_that_counts_once():
    picks = np.array([0, 2, 2, 1])
    right = lambda a: a[picks] * Tensor(np.ones((4, 1)))

    def put_once(g, a):
        out = np.zeros_like(a)
        out[picks] = g
        return out

    message = complaint(planted(right, 0, put_once), leaf(3, 5), ["a"])
    assert "worst at [2, " in message
    assert "wrong at 5 of 15 elements, right at the others: of several contributions" in message
    assert "indices used twice" in message


def test_half_of_the_uses_at_some_elements():
    right = lambda a: a * Tensor(np.array([1.0, 3.0, 1.0, 2.0]))
    index = assert_caught(
        planted(right, 0, lambda g, a: g), right, (leaf(5, 4),), ["a"], "a",
        "at 10 of 20 elements it is a whole factor too small",
    )  # fmt: skip
    assert index[1] in (1, 3)


def test_a_mean_without_its_division():
    wrong = planted(lambda x: x.mean(), 0, lambda g, x: g * np.ones_like(x))
    cause = "too large by the whole factor 35 (the elements of it): a division by it is missing"
    assert_caught(wrong, lambda x: x.mean(), (leaf(5, 7),), ["x"], "x", cause)


def test_a_mean_along_an_axis_without_its_division():
    wrong = planted(lambda x: x.mean(1), 0, lambda g, x: g[:, None] * np.ones_like(x))
    cause = "too large by the whole factor 7 (axis 1 of it): a division by it is missing"
    assert_caught(wrong, lambda x: x.mean(1), (leaf(5, 7),), ["x"], "x", cause)


def test_a_loss_divided_by_the_batch_instead_of_the_pixels():
    labels = np.arange(30).reshape(2, 3, 5) % 4
    right = lambda x: F.cross_entropy(x, labels)
    wrong = planted(right, 0, lambda g, x: gradient_by_batch(g, x, labels))
    cause = "too large by the whole factor 15"
    assert_caught(wrong, right, (leaf(2, 4, 3, 5),), ["scores"], "scores", cause)


def gradient_by_batch(g, scores, labels):
    probabilities = F.softmax(Tensor(scores), 1).data
    return g * (probabilities - np.moveaxis(np.eye(4)[labels], -1, 1)) / len(scores)


# Arithmetic


def test_a_sign_error():
    wrong = planted(lambda a, b: a - b, 1, lambda g, a, b: g)
    inputs, names = (leaf(2, 3), leaf(2, 3, seed=1)), ["a", "b"]
    assert_caught(wrong, lambda a, b: a - b, inputs, names, "b", "the sign is flipped")


def test_a_transposed_weight_gradient():
    wrong = planted(F.linear, 1, lambda g, x, w: x.T @ g)
    inputs, names = (leaf(4, 3), leaf(3, 3)), ["input", "weight"]
    assert_caught(wrong, F.linear, inputs, names, "weight", "transposed: the gradient is right")


def test_a_constant_factor():
    wrong = planted(lambda a: a**2.5, 0, lambda g, a: g * a**1.5)
    a = Tensor(np.random.default_rng(0).uniform(1, 2, (3, 4)), requires_grad=True)
    cause = "analytic = 0.4 * numeric everywhere: a constant factor is missing"
    assert_caught(wrong, lambda a: a**2.5, (a,), ["a"], "a", cause)


@pytest.mark.parametrize("place", [(0, 0, 0, 0), (1, 2, 3, 1), (0, 1, 2, 2), (1, 2, 4, 3)])
def test_one_wrong_element(place):
    def wrong_there(g, x):
        dx = g * (x > 0)
        dx[place] += 0.5
        return dx

    index = assert_caught(
        planted(F.relu, 0, wrong_there), F.relu, (leaf(2, 3, 5, 4),), ["x"], "x",
        "wrong at 1 of 120 elements, right at the others",
    )  # fmt: skip
    assert index == place


# No gradient where there is one, and the other way round


def test_a_detached_input():
    right = lambda x, w: x.exp() @ w
    wrong = lambda x, w: x.detach().exp() @ w
    inputs, names = (leaf(3, 4), leaf(4, 2)), ["x", "w"]
    message = complaint(wrong, inputs, names)
    assert "gradient of x is wrong: norm-relative error 1.0e+00" in message
    assert "no path leads back from the output to it: it was detached" in message
    gradcheck(right, inputs)


def test_zeros_come_back():
    wrong = planted(F.sigmoid, 0, lambda g, x: np.zeros_like(x))
    cause = "what comes back is zero everywhere"
    assert_caught(wrong, F.sigmoid, (leaf(3, 4),), ["x"], "x", cause)


def test_a_gradient_for_an_input_that_does_not_matter():
    wrong = lambda x, y: record("first", x.data.copy(), (x, lambda g: g), (y, lambda g: g))
    message = complaint(wrong, (leaf(3), leaf(3)), ["x", "y"])
    assert "gradient of y is wrong" in message
    assert "the output does not depend on it, yet backward sends it a gradient" in message


# Activations, pooling and normalisation


@pytest.mark.parametrize("scale", [1e-3, 1, 1e4])
def test_a_relu_that_lets_everything_through(scale):
    x = leaf(4, 5)
    cause = f"wrong at {(x.data < 0).sum()} of 20 elements"
    right = lambda x: F.relu(x) * scale
    wrong = planted(right, 0, lambda g, x: g * scale)
    index = assert_caught(wrong, right, (x,), ["x"], "x", cause)
    assert x.data[index] < 0


@pytest.mark.parametrize("scale", [1, 1e4])
def test_softmax_without_the_sum_term(scale):
    right = lambda x: F.softmax(x, 1) * scale
    wrong = planted(right, 0, lambda g, x: g * scale * F.softmax(Tensor(x), 1).data)
    cause = "its gradient must sum to 0, and does not"
    assert_caught(wrong, right, (leaf(2, 3, 2, 2),), ["scores"], "scores", cause)


def test_batch_norm_that_takes_the_mean_for_a_constant():
    alive = Tensor(np.array([1.0, 0.0])[:, None, None])  # the second channel is not used
    right = lambda x: F.batch_norm(x, None, None) * alive

    def constant_mean(g, x):
        keep = {"axis": (0, 2, 3), "keepdims": True}
        std = np.sqrt(x.var(**keep) + 1e-5)
        xhat = (x - x.mean(**keep)) / std
        g = g * alive.data
        return (g - xhat * (g * xhat).mean(**keep)) / std

    wrong = planted(right, 0, constant_mean)
    cause = "its gradient must sum to 0, and does not: the term that subtracts a mean"
    assert_caught(wrong, right, (leaf(3, 2, 3, 3),), ["x"], "x", cause)


def test_batch_norm_that_leaves_out_eps():
    right = lambda x: F.batch_norm(x, None, None)

    def without_eps(g, x):
        keep = {"axis": (0, 2, 3), "keepdims": True}
        xhat = (x - x.mean(**keep)) / x.std(**keep)
        return (g - g.mean(**keep) - xhat * (g * xhat).mean(**keep)) / x.std(**keep)

    wrong = planted(right, 0, without_eps)
    cause = "nearly right: rounding or curvature"
    assert_caught(wrong, right, (leaf(3, 2, 3, 3),), ["x"], "x", cause)


def test_dropout_that_forgets_the_scale_backward():
    right = lambda x: F.dropout(x, 0.5, generator=np.random.default_rng(1))
    mask = lambda shape: np.random.default_rng(1).random(shape) >= 0.5
    wrong = planted(right, 0, lambda g, x: g * mask(x.shape))
    cause = "too small by the whole factor 2"
    assert_caught(wrong, right, (leaf(5, 5),), ["x"], "x", cause)


def pool_backward(to):
    """Send the gradient of each 2x2 window to the pixels that `to` marks."""

    def gradient(g, x):
        n, c, h, w = x.shape
        windows = x.reshape(n, c, h // 2, 2, w // 2, 2)
        sent = to(windows) * g[:, :, :, None, :, None]
        return sent.reshape(x.shape)

    return gradient


def test_max_pool_gradient_to_the_last_pixel_of_the_window():
    right = lambda x: F.max_pool2d(x, 2)
    last = np.array([[0, 0], [0, 1]])[:, None, :]
    wrong = planted(right, 0, pool_backward(lambda windows: last))
    x = leaf(1, 2, 4, 4)
    index = assert_caught(wrong, right, (x,), ["x"], "x", "it leaves out their values")
    in_window = index[2] % 2, index[3] % 2
    window = x.data[index[:2]][index[2] // 2 * 2 :, index[3] // 2 * 2 :][:2, :2]
    assert in_window == (1, 1) or x.data[index] == window.max()


def test_max_pool_gradient_to_all_ties():
    """Enlarged pixels tie by construction: no move can part them, and max(x, x) = x is smooth."""
    to_all = pool_backward(lambda x: x == x.max((3, 5), keepdims=True))
    pool = lambda x: F.max_pool2d(x, 2)
    enlarged = lambda op: lambda x: op(F.interpolate(x, scale_factor=2))
    right, wrong = enlarged(pool), enlarged(planted(pool, 0, to_all))
    gradcheck(planted(pool, 0, to_all), leaf(1, 2, 4, 4))  # without ties there is nothing to see
    cause = "too large by the whole factor 4"
    assert_caught(wrong, right, (leaf(1, 2, 3, 3),), ["x"], "x", cause)


def test_bilinear_gradient_that_goes_to_the_nearest_pixel():
    right = lambda x: F.interpolate(x, (5, 7), mode="bilinear", align_corners=True)
    nearest = lambda g, x: kernels.resize_adjoint(g, (3, 4), (3 / 5, 4 / 7), "nearest")
    inputs = (leaf(1, 2, 3, 4),)
    assert_caught(planted(right, 0, nearest), right, inputs, ["x"], "x", "every element is wrong")


# Order 2


def test_a_second_gradient_with_the_kernel_not_flipped():
    """The first gradient is right, but treats the weight as a constant of the wrong orientation."""

    def conv(x, w):
        to_x = lambda g: F.conv_transpose2d(g, w, padding=1)
        to_w = lambda g: record(
            "conv_weight",
            kernels.conv2d_weight(x.data, g.data, 3, padding=1),
            (x, lambda h: F.conv2d(g, h.transpose(0, 1), padding=1)),
            (g, lambda h: F.conv2d(x, h, padding=1)),
        )
        return record("conv", kernels.conv2d(x.data, w.data, padding=1), (x, to_x), (w, to_w))

    inputs = leaf(1, 2, 4, 4), leaf(2, 2, 3, 3)
    gradcheck(conv, inputs)
    with pytest.raises(GradientError, match=r"the gradient of input \(order 2\) is wrong"):
        gradcheck(conv, inputs, names=["input", "weight"], order=2)


# Why the upstream gradient is random


def test_an_all_ones_upstream_gradient_cannot_see_an_unflipped_kernel_inside():
    right = lambda x, w: F.conv2d(x, w, padding=1)
    wrong = planted(right, 0, lambda g, x, w: kernels.conv2d(g, w.transpose(1, 0, 2, 3), padding=1))
    inputs = leaf(2, 3, 6, 6), leaf(2, 3, 3, 3)

    def gradients(upstream):
        return [
            grad(op(*inputs), inputs[0], Tensor(upstream))[0].data[..., 1:-1, 1:-1]
            for op in (right, wrong)
        ]

    should, says = gradients(np.ones((2, 2, 6, 6)))
    np.testing.assert_allclose(says, should, rtol=1e-12)
    should, says = gradients(np.random.default_rng(0).standard_normal((2, 2, 6, 6)))
    assert np.linalg.norm(says - should) > np.linalg.norm(should)
    assert "the kernel is not flipped" in complaint(wrong, inputs, ["input", "weight"])
