"""Convolution: worked examples, identities, and refused arguments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minifcn import Tensor, grad
from minifcn import functional as F


def test_a_sum_of_neighbours_by_hand():
    x = Tensor(np.arange(9.0).reshape(1, 1, 3, 3))
    y = F.conv2d(x, Tensor(np.ones((1, 1, 2, 2))), Tensor(np.array([10.0])))
    np.testing.assert_array_equal(y.data[0, 0], [[18, 22], [30, 34]])


def test_the_kernel_is_not_flipped():
    x, weight = np.zeros((1, 1, 3, 3)), np.arange(9.0).reshape(1, 1, 3, 3)
    x[0, 0, 1, 1] = 1
    y = F.conv2d(Tensor(x), Tensor(weight), padding=1)
    np.testing.assert_array_equal(y.data[0, 0], weight[0, 0, ::-1, ::-1])
    stamped = F.conv_transpose2d(Tensor(x), Tensor(weight), padding=1)
    np.testing.assert_array_equal(stamped.data[0, 0], weight[0, 0])


def test_height_comes_before_width(random):
    x, weight = random(1, 1, 9, 12), random(1, 1, 2, 3)
    assert F.conv2d(x, weight, stride=(2, 3)).shape == (1, 1, 4, 4)
    assert F.conv2d(x, weight, padding=(2, 0)).shape == (1, 1, 12, 10)
    assert F.conv2d(x, weight, dilation=(5, 1)).shape == (1, 1, 4, 10)
    assert F.conv_transpose2d(x, weight, stride=(2, 3)).shape == (1, 1, 18, 36)
    assert F.conv_transpose2d(x, weight, stride=2, output_padding=(0, 1)).shape == (1, 1, 18, 26)


def test_groups_are_independent_convolutions(random):
    x, weight = random(2, 6, 5, 4), random(4, 3, 3, 2, seed=1)
    y = F.conv2d(x, weight, groups=2)
    for g in range(2):
        alone = F.conv2d(x[:, 3 * g : 3 * g + 3], weight[2 * g : 2 * g + 2])
        np.testing.assert_allclose(y.data[:, 2 * g : 2 * g + 2], alone.data, rtol=1e-12)


def test_a_1x1_convolution_mixes_channels(random):
    x, weight, bias = random(2, 3, 4, 5), random(2, 3, 1, 1, seed=1), random(2, seed=2)
    y = F.conv2d(x, weight, bias)
    by_pixel = F.linear(x.permute(0, 2, 3, 1).reshape((-1, 3)), weight.reshape((2, 3)), bias)
    np.testing.assert_allclose(
        y.data.transpose(0, 2, 3, 1).reshape(-1, 2), by_pixel.data, rtol=1e-12
    )
    general = F.conv2d(F.pad(x, (0, 1)), weight, bias, stride=(1, 1), padding=(0, 1))
    np.testing.assert_allclose(y.data, general.data[..., 1:-2], rtol=1e-12)


def test_global_average_pooling_and_1x1_convolution_change_places(random):
    """The class activation map: a 1x1 convolution's mean is the linear layer of the mean."""
    x, weight, bias = random(2, 3, 4, 5), random(6, 3, seed=1), random(6, seed=2)
    scores = F.linear(x.mean((2, 3)), weight, bias)
    maps = F.conv2d(x, weight.reshape((6, 3, 1, 1)), bias)
    np.testing.assert_allclose(
        F.adaptive_avg_pool2d(maps, 1).data[..., 0, 0], scores.data, rtol=1e-12
    )


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, (2, 3)])
@pytest.mark.parametrize("dilation", [1, 2, (3, 1)])
def test_same_padding_keeps_the_size(random, kernel, dilation):
    kh, kw = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    y = F.conv2d(random(1, 1, 5, 6), random(1, 1, kh, kw), padding="same", dilation=dilation)
    assert y.shape == (1, 1, 5, 6)


def test_same_padding_puts_the_odd_pixel_at_the_bottom_right():
    x = Tensor(np.array([[[[1.0, 2.0, 3.0]]]]))
    y = F.conv2d(x, Tensor(np.array([[[[10.0, 1.0]]]])), padding="same")
    np.testing.assert_array_equal(y.data, [[[[12, 23, 30]]]])


def test_an_output_padding_of_a_stride_is_a_row_where_stamps_may_reach():
    weight = Tensor(np.array([[[[1.0], [2.0], [3.0]]]]))
    x = Tensor(np.array([[[[1.0]]]]))
    plain = F.conv_transpose2d(x, weight, dilation=(3, 1), padding=(2, 0))
    more = F.conv_transpose2d(x, weight, dilation=(3, 1), padding=(2, 0), output_padding=(2, 0))
    np.testing.assert_array_equal(plain.data.ravel(), [0, 2, 0])
    np.testing.assert_array_equal(more.data.ravel(), [0, 2, 0, 0, 3])


@given(st.data())
@settings(max_examples=100, deadline=None)
@pytest.mark.parametrize("operation", [F.conv2d, F.conv_transpose2d])
def test_each_gradient_is_the_adjoint(operation, data):
    """Linear in each argument, f(x + u) = f(x) + f(u), so <gradient, u> = <upstream, f(u)>."""
    draw = lambda least, most: tuple(data.draw(st.integers(least, most)) for _ in range(2))
    rng, groups = (
        np.random.default_rng(data.draw(st.integers(0, 999))),
        data.draw(st.integers(1, 2)),
    )
    kernel, dilation = draw(1, 3), draw(1, 3)
    smallest = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding = tuple(min(p, (n - 1) // 2) for p, n in zip(draw(0, 2), smallest, strict=True))
    options = {"stride": draw(1, 3), "dilation": dilation, "padding": padding, "groups": groups}
    size = [n + extra for n, extra in zip(smallest, draw(0, 3), strict=True)]
    shapes = (2, 2 * groups, *size), (2 * groups, 2, *kernel)
    x, weight = (Tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes)
    u, v = (Tensor(rng.standard_normal(shape)) for shape in shapes)
    y = operation(x, weight, **options)
    upstream = Tensor(rng.standard_normal(y.shape))
    to_x, to_weight = grad(y, (x, weight), upstream)
    for found, direction, along in (
        (to_x, u, operation(u, weight, **options)),
        (to_weight, v, operation(x, v, **options)),
    ):
        expected = (upstream.data * along.data).sum()
        np.testing.assert_allclose((found.data * direction.data).sum(), expected, 1e-9, 1e-9)


def test_the_bias_gradient_is_a_sum_over_all_pixels(random):
    bias = random(2)
    y = F.conv2d(random(3, 1, 4, 4), random(2, 1, 3, 3), bias)
    (found,) = grad(y, bias, Tensor(np.ones(y.shape)))
    np.testing.assert_array_equal(found.data, [12, 12])


def test_what_needs_no_gradient_gets_none(random):
    x, weight = random(1, 1, 3, 3), random(1, 1, 2, 2)
    weight.requires_grad = False
    F.conv2d(x, weight).sum().backward()
    assert x.grad is not None
    assert weight.grad is None


def test_linear_of_more_axes(random):
    y = F.linear(random(2, 4, 3), random(5, 3), random(5))
    assert y.shape == (2, 4, 5)


X, W, B = np.zeros((2, 4, 5, 6)), np.zeros((6, 4, 3, 3)), np.zeros(6)

REFUSED_CONVOLUTIONS = [
    (X[0], W, None, {}, ValueError, r"input must have 4 axes \(N, C, H, W\)"),
    (X, W[0], None, {}, ValueError, "weight must have 4 axes"),
    (X, W, B[None], {}, ValueError, r"bias must have shape \(6,\); got \(1, 6\)$"),
    (X, W, B[:5], {}, ValueError, r"bias must have shape \(6,\); got \(5,\)$"),
    (X, W[:, :3], None, {}, ValueError, "weight must have 4 input channels .*; got 3$"),
    (X, W[:, :3, :1, :1], None, {}, ValueError, r"weight must have shape \(6, 4\); got \(6, 3\)$"),
    (X, W, None, {"groups": 2}, ValueError, "weight must have 2 input channels .*; got 4$"),
    (X, W[:, :1], None, {"groups": 4}, ValueError, "groups must divide the outputs; got 4 for 6$"),
    (X, W, None, {"groups": 3}, ValueError, "groups must divide the input channels; got 3 for 4$"),
    (X, W, None, {"groups": 0}, ValueError, "groups must be a whole number of at least 1; got 0$"),
    (X, W, None, {"groups": "2"}, ValueError, "groups must be a whole number of at least 1"),
    (X[:, :, :2], W, None, {}, ValueError, "weight must fit into the padded input; got height 3"),
    (X[..., :2], W, None, {"padding": (1, 0)}, ValueError, "weight must fit into .*; got width 3"),
    (X, W, None, {"dilation": 3}, ValueError, "weight must fit into the padded input; got height"),
    (X, W, None, {"stride": 0}, ValueError, "stride must be at least 1; got 0$"),
    (X, W, None, {"stride": (2, -1)}, ValueError, "stride must be at least 1"),
    (X, W, None, {"stride": 1.0}, TypeError, "stride must be a whole number or a pair of them"),
    (X, W, None, {"stride": (1, 2, 3)}, TypeError, "stride must be a whole number or a pair"),
    (X, W, None, {"padding": -1}, ValueError, "padding must be at least 0; got -1$"),
    (X, W, None, {"padding": None}, TypeError, "padding must be a whole number or a pair"),
    (X, W, None, {"padding": "full"}, ValueError, "padding must be .* 'same'; got 'full'"),
    (X, W, None, {"padding": "same", "stride": 2}, ValueError, "padding must be .*; got 'same'"),
    (X, W, None, {"dilation": 0}, ValueError, "dilation must be at least 1; got 0$"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("x", "weight", "bias", "options", "error", "message"), REFUSED_CONVOLUTIONS
)
def test_conv2d_refuses(refuses, x, weight, bias, options, error, message):
    tensors = (None if a is None else Tensor(a) for a in (x, weight, bias))
    refuses(error, message, F.conv2d, *tensors, **options)


Y = np.zeros((2, 6, 3, 4))

REFUSED_TRANSPOSED = [
    (Y[0], W, None, {}, ValueError, "input must have 4 axes"),
    (Y, W[0], None, {}, ValueError, "weight must have 4 axes"),
    (Y, W[:5], None, {}, ValueError, "weight must have kernels for 6 input channels; got 5$"),
    (Y, W, B, {}, ValueError, r"bias must have shape \(4,\); got \(6,\)$"),
    (Y, W, B[:4], {"groups": 2}, ValueError, r"bias must have shape \(8,\); got \(4,\)$"),
    (Y, W, B[:4], {"groups": 4}, ValueError, "groups must divide the input channels; got 4 for 6$"),
    (Y, W, B[:4], {"groups": 1.5}, ValueError, "groups must be a whole number"),
    (Y, W, None, {"stride": 2, "output_padding": 2}, ValueError, "output_padding must be smaller"),
    (Y, W, None, {"output_padding": (0, 1)}, ValueError, "output_padding must be smaller than"),
    (Y, W, None, {"dilation": 3, "output_padding": 3}, ValueError, "output_padding must be"),
    (Y, W, None, {"output_padding": -1}, ValueError, "output_padding must be at least 0; got -1$"),
    (Y, W, None, {"padding": 3}, ValueError, r"padding \(3, 3\) leaves nothing of the output"),
    (Y, W, None, {"stride": 0}, ValueError, "stride must be at least 1; got 0$"),
    (Y, W, None, {"padding": "same"}, TypeError, "padding must be a whole number or a pair"),
]  # fmt: skip


@pytest.mark.parametrize(("x", "weight", "bias", "options", "error", "message"), REFUSED_TRANSPOSED)
def test_conv_transpose2d_refuses(refuses, x, weight, bias, options, error, message):
    tensors = (None if a is None else Tensor(a) for a in (x, weight, bias))
    refuses(error, message, F.conv_transpose2d, *tensors, **options)


@pytest.mark.parametrize(
    ("x", "weight", "bias", "message"),
    [
        ((2, 4), (5, 3), None, r"input must be \(N, ..., 3\); got shape \(2, 4\)$"),
        ((3,), (5, 3), None, r"input must be \(N, ..., 3\); got shape \(3,\)$"),
        ((2, 3), (5, 3, 1), None, "weight must have 2 axes"),
        ((2, 3), (5, 3), (1,), r"bias must have shape \(5,\); got \(1,\)$"),
        ((2, 3), (5, 3), (2, 5), r"bias must have shape \(5,\); got \(2, 5\)$"),
    ],
)
def test_linear_refuses(refuses, random, x, weight, bias, message):
    tensors = [None if shape is None else random(*shape) for shape in (x, weight, bias)]
    refuses(ValueError, message, F.linear, *tensors)
