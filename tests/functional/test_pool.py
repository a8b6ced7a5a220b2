"""Pooling and unpooling: worked examples, special values, and refused arguments."""

import numpy as np
import pytest

from minifcn import Tensor, grad
from minifcn import functional as F


def plane(values):
    return Tensor(np.array(values, float)[None, None], requires_grad=True)


def gradient_of(y, x):
    return grad(y, x, Tensor(np.ones(y.shape)))[0].data[0, 0].tolist()


def test_max_pooling_and_its_switches():
    x = plane([[1, 5, 2, 0], [3, 4, 8, 7]])
    y, indices = F.max_pool2d(x, 2, return_indices=True)
    assert y.data[0, 0].tolist() == [[5, 8]]
    assert indices.data[0, 0].tolist() == [[1, 6]]
    assert indices.dtype == np.int64
    assert not indices.requires_grad
    assert gradient_of(y, x) == [[0, 1, 0, 0], [0, 0, 1, 0]]
    assert isinstance(F.max_pool2d(x, 2), Tensor)


def test_the_first_of_several_maxima_gets_the_whole_gradient():
    x = plane([[2, 2], [2, 2]])
    assert gradient_of(F.max_pool2d(x, 2), x) == [[1, 0], [0, 0]]


def test_overlapping_windows_add_their_gradients():
    x = plane([[0, 9, 0]])
    assert gradient_of(F.max_pool2d(x, (1, 2), 1), x) == [[0, 2, 0]]


def test_nan_wins_and_a_window_of_minus_infinity_has_an_index_inside():
    y, indices = F.max_pool2d(plane([[np.nan, 1, -np.inf, -np.inf]]), (1, 2), return_indices=True)
    assert np.isnan(y.data[0, 0, 0, 0])
    assert y.data[0, 0, 0, 1] == -np.inf
    assert indices.data[0, 0].tolist() == [[0, 2]]


def test_ceil_mode_keeps_the_last_pixels():
    x = plane([[1, 2, 3]])
    assert F.max_pool2d(x, (1, 2)).data.ravel().tolist() == [2]
    assert F.max_pool2d(x, (1, 2), ceil_mode=True).data.ravel().tolist() == [2, 3]
    # A window that would start in the right padding is left out.
    padded = F.max_pool2d(x, 2, stride=3, padding=1, ceil_mode=True)
    assert padded.shape == (1, 1, 1, 2)


def test_unpooling_puts_the_maxima_back(random):
    x = random(2, 3, 6, 4)
    y, indices = F.max_pool2d(x, 2, return_indices=True)
    back = F.max_unpool2d(y, indices, 2)
    np.testing.assert_array_equal(back.data, np.where(np.isin(x.data, y.data), x.data, 0))


def test_unpooling_sums_equal_indices_and_is_the_adjoint_of_pooling():
    y = plane([[1, 2, 4]])
    indices = Tensor(np.array([[[[2, 2, 0]]]]))
    back = F.max_unpool2d(y, indices, (1, 3), stride=1, output_size=(1, 5))
    assert back.data.ravel().tolist() == [4, 0, 3, 0, 0]
    upstream = Tensor(np.array([[[[10.0, 20.0, 30.0, 40.0, 50.0]]]]))
    assert grad(back, y, upstream)[0].data.ravel().tolist() == [30, 30, 10]


def test_unpooling_to_the_size_before(random, refuses):
    x = random(1, 1, 5, 7)
    x.data[0, 0, 3, 5] = 9  # position 26, outside a plane of 4x6
    y, indices = F.max_pool2d(x, 2, return_indices=True)
    refuses(
        ValueError,
        r"indices must be in \[0, 24\) for a plane of 4x6",
        F.max_unpool2d,
        y,
        indices,
        2,
    )
    for output_size in ((5, 7), [5, 7], x.shape):
        assert F.max_unpool2d(y, indices, 2, output_size=output_size).shape == (1, 1, 5, 7)


def test_averages():
    x = plane([[1, 2, 3], [5, 6, 7]])
    assert F.avg_pool2d(x, 2, 1).data[0, 0].tolist() == [[3.5, 4.5]]
    assert F.avg_pool2d(x, 2, divisor_override=2).data[0, 0].tolist() == [[7]]
    corner = {"kernel_size": 2, "stride": 2, "padding": 1}
    assert F.avg_pool2d(x, **corner).data[0, 0].tolist() == [[0.25, 1.25], [1.25, 3.25]]
    assert F.avg_pool2d(x, **corner, count_include_pad=False).data[0, 0].tolist() == [
        [1, 2.5],
        [5, 6.5],
    ]


def test_averages_in_ceil_mode_count_the_padding_but_not_what_lies_beyond():
    x = plane([[2, 4, 6]])
    found = [
        F.avg_pool2d(
            x, (1, 4), (1, 2), (0, 1), ceil_mode=True, count_include_pad=count
        ).data.ravel()
        for count in (True, False)
    ]
    np.testing.assert_allclose(found, [[12 / 4, 10 / 3], [12 / 3, 10 / 2]])


def test_adaptive_averages():
    x = plane([[1, 2, 3, 4, 5]])
    halves = F.adaptive_avg_pool2d(x, (1, 2)).data[0, 0]
    np.testing.assert_allclose(halves, [[2, 4]], rtol=1e-15)  # of 1 2 3 and of 3 4 5
    assert F.adaptive_avg_pool2d(x, 1).item() == pytest.approx(3)
    for output_size in ((None, 1), [None, 1], (1, 1)):
        assert F.adaptive_avg_pool2d(x, output_size).shape == (1, 1, 1, 1)
    assert F.adaptive_avg_pool2d(x, (2, None)).shape == (1, 1, 2, 5)


X = np.zeros((2, 4, 5, 6))

REFUSED_POOLS = [
    (X[0], 2, {}, ValueError, r"input must have 4 axes \(N, C, H, W\)"),
    (X, 0, {}, ValueError, "kernel_size must be at least 1; got 0$"),
    (X, 2.0, {}, TypeError, "kernel_size must be a whole number or a pair"),
    (X, 6, {}, ValueError, "kernel_size must fit into the padded input; got height 6"),
    (X, 2, {"stride": 0}, ValueError, "stride must be at least 1; got 0$"),
    (X, 2, {"stride": (1, -2)}, ValueError, "stride must be at least 1"),
    (
        X,
        2,
        {"padding": 2},
        ValueError,
        r"padding must be at most half of kernel_size; got \(2, 2\) for",
    ),
    (X, 3, {"padding": (0, 2)}, ValueError, "padding must be at most half of kernel_size"),
    (X, 2, {"padding": -1}, ValueError, "padding must be at least 0; got -1$"),
]


@pytest.mark.parametrize("operation", [F.max_pool2d, F.avg_pool2d])
@pytest.mark.parametrize(("x", "kernel_size", "options", "error", "message"), REFUSED_POOLS)
def test_poolings_refuse(refuses, operation, x, kernel_size, options, error, message):
    refuses(error, message, operation, Tensor(x), kernel_size, **options)


def test_max_pool2d_refuses_a_window_between_the_pixels(refuses):
    message = "a window of kernel_size .* meets no pixel of an input of size"
    refuses(ValueError, message, F.max_pool2d, Tensor(X[:, :, :2]), 2, 1, 1, dilation=(3, 1))
    refuses(ValueError, "dilation must be at least 1", F.max_pool2d, Tensor(X), 2, dilation=0)


def test_avg_pool2d_refuses_a_divisor_of_0(refuses):
    refuses(
        ValueError, "divisor_override must not be 0", F.avg_pool2d, Tensor(X), 2, divisor_override=0
    )


INDICES = np.zeros((2, 4, 5, 6), np.int64)

REFUSED_UNPOOLS = [
    (X[0], INDICES, {}, ValueError, "input must have 4 axes"),
    (X, INDICES[:1], {}, ValueError, r"indices must have shape \(2, 4, 5, 6\)"),
    (X, INDICES[0], {}, ValueError, "indices must have shape"),
    (X, INDICES.astype(float), {}, TypeError, "indices must be int64; got float64$"),
    (X, INDICES.astype(np.int32), {}, TypeError, "indices must be int64; got int32$"),
    (X, INDICES - 1, {}, ValueError, r"indices must be in \[0, 120\) for a plane of 10x12;"),
    (X, INDICES + 120, {}, ValueError, r"indices must be in \[0, 120\) .*; got 120 to 120$"),
    (X, INDICES, {"output_size": (12, 12)}, ValueError, r"output_size must be within one stride"),
    (X, INDICES, {"output_size": (10, 10)}, ValueError, "output_size must be within one stride"),
    (X, INDICES, {"output_size": (10,)}, TypeError, "output_size must be a whole number or a pair"),
    (X, INDICES, {"output_size": "10"}, TypeError, "output_size must be a whole number or a pair"),
    (X, INDICES, {"stride": 0}, ValueError, "stride must be at least 1"),
    (X, INDICES, {"kernel_size": 0}, ValueError, "kernel_size must be at least 1"),
    (X, INDICES, {"padding": -1}, ValueError, "padding must be at least 0"),
]  # fmt: skip


@pytest.mark.parametrize(("x", "indices", "options", "error", "message"), REFUSED_UNPOOLS)
def test_max_unpool2d_refuses(refuses, x, indices, options, error, message):
    options = {"kernel_size": 2, **options}
    refuses(error, message, F.max_unpool2d, Tensor(x), Tensor(indices), **options)


def test_max_unpool2d_wants_its_indices_as_a_tensor(refuses):
    message = "indices must be a Tensor; got ndarray$"
    refuses(TypeError, message, F.max_unpool2d, Tensor(X), INDICES, 2)


@pytest.mark.parametrize(
    ("shape", "output_size", "error", "message"),
    [
        ((4, 5, 6), 2, ValueError, "input must have 4 axes"),
        (
            (1, 4, 0, 6),
            2,
            ValueError,
            r"input must have at least one pixel; got shape \(1, 4, 0, 6\)$",
        ),
        ((1, 4, 5, 6), 0, ValueError, "output_size must be at least 1; got"),
        ((1, 4, 5, 6), (2, -1), ValueError, "output_size must be at least 1; got"),
        ((1, 4, 5, 6), (1, 2, 3), TypeError, "output_size must be a whole number or a pair"),
        ((1, 4, 5, 6), 1.5, TypeError, "output_size must be a whole number or a pair"),
    ],
)
def test_adaptive_avg_pool2d_refuses(refuses, shape, output_size, error, message):
    refuses(error, message, F.adaptive_avg_pool2d, Tensor(np.zeros(shape)), output_size)
