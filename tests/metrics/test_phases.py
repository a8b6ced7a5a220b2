import itertools

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import tensor
from minifcn.metrics.phases import phase_means, phase_share, phase_sums, phase_variation
from minifcn.nn.init import bilinear_kernel


def ones(*shape):
    return np.ones(shape)


def draw(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def upsample(weight, stride, size=9):
    """What a transposed convolution makes of an image of ones."""
    y = F.conv_transpose2d(tensor(ones(1, 1, size, size)), tensor(weight[None, None]), None, stride)
    return y.numpy()[0, 0]


# -- Sums of weights, and overlaps ---------------------------------------------------------------


def test_three_over_two_overlaps_once_twice_and_four_times():
    np.testing.assert_array_equal(phase_sums(ones(3), 2), [2, 1])
    np.testing.assert_array_equal(phase_sums(ones(3, 3), 2), [[4, 2], [2, 1]])


@pytest.mark.parametrize(("k", "s"), [*itertools.product(range(1, 8), range(1, 6))])
def test_overlaps_are_those_of_counting(k, s):
    line = np.zeros(60, np.int64)
    for start in range(0, 60 - k, s):
        for i in range(k):
            line[start + i] += 1
    middle = 20 // s * s
    counts = phase_sums(np.ones(k, np.int64), s)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, line[middle : middle + s])
    np.testing.assert_array_equal(counts, [-(-(k - a) // s) if a < k else 0 for a in range(s)])
    assert (counts.min() == counts.max()) == (k % s == 0)
    np.testing.assert_array_equal(phase_sums(ones(k, k), s), np.outer(counts, counts))


def test_the_sums_are_what_a_layer_gives_for_ones():
    weight = draw(5, 5)
    np.testing.assert_allclose(phase_means(upsample(weight, 3), 3, 6), phase_sums(weight, 3))


def test_bilinear_weights_sum_to_one_even_where_the_counts_do_not():
    assert set(phase_sums(ones(63), 32)) == {1, 2}
    np.testing.assert_allclose(phase_sums(bilinear_kernel(63), 32), 1)


@pytest.mark.parametrize(
    ("weight", "stride", "message"),
    [
        (ones(2, 2, 2), 2, r"weight must have shape \(K,\) or \(KH, KW\); got \(2, 2, 2\)"),
        (ones(3), 0, "stride must be at least 1; got 0"),
    ],
)
def test_wrong_arguments_of_the_sums(weight, stride, message):
    with pytest.raises(ValueError, match=message):
        phase_sums(weight, stride)


# -- Means ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [0, 1, 3, 4, 5])
def test_means_are_those_of_a_loop(margin):
    y, s = draw(2, 3, 17, 20), 3
    found = phase_means(y, s, margin)
    assert found.shape == (2, 3, 3, 3)
    first = next(i for i in range(margin, 99) if i % s == 0)
    rows, columns = [], []
    while first + s * (len(rows) // s + 1) <= 17 - margin:
        rows += range(first + len(rows), first + len(rows) + s)
    while first + s * (len(columns) // s + 1) <= 20 - margin:
        columns += range(first + len(columns), first + len(columns) + s)
    for n, c, a, b in np.ndindex(found.shape):
        pixels = [y[n, c, h, w] for h in rows for w in columns if (h % s, w % s) == (a, b)]
        assert found[n, c, a, b] == pytest.approx(np.mean(pixels))


@pytest.mark.parametrize(
    ("y", "stride", "margin", "message"),
    [
        (ones(5), 2, 0, r"y must have at least two axes \(H, W\); got shape \(5,\)"),
        (ones(5, 5), 0, 0, "stride must be at least 1; got 0"),
        (ones(5, 5), 2, -1, "margin must be at least 0; got -1"),
        (ones(9, 5), 2, 2, r"whole period of 2 pixels inside a margin of 2; got shape \(9, 5\)"),
    ],
)
def test_wrong_arguments_of_the_means(y, stride, margin, message):
    for measure in (phase_means, phase_variation, phase_share):
        with pytest.raises(ValueError, match=message):
            measure(y, stride, margin)


# -- CV and Q ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "s", "expected"), [(3, 2, 0.484), (5, 2, 0.286), (4, 3, 0.515), (5, 3, 0.408)]
)
def test_variation_of_kernels_of_ones(k, s, expected):
    assert phase_variation(upsample(ones(k, k), s), s, k) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(("k", "s"), [(2, 2), (4, 2), (6, 2), (3, 3), (6, 3), (4, 4), (8, 4)])
def test_divisible_kernels_of_ones_are_exactly_even(k, s):
    y = upsample(ones(k, k), s)
    assert phase_variation(y, s, k) == 0
    assert phase_share(y, s, k) == 0


def test_variation_by_hand():
    """Means 4, 2, 2, 1 have mean 2.25 and variance 25/4 - 81/16 = 19/16."""
    assert phase_variation(np.tile([[4, 2], [2, 1]], (3, 4)), 2) == np.sqrt(19 / 16) / 2.25
    assert np.isnan(phase_variation(np.tile([[1.0, -1], [-1, 1]], (2, 2)), 2))


def test_share_by_hand():
    """Phases of +-1 under a content of +-2 that does not know them: 1 / (1 + 4)."""
    chequered = np.tile([[1.0, -1], [-1, 1]], (2, 2))
    content = np.kron([[2, -2], [-2, 2]], ones(2, 2))
    assert phase_share(chequered, 2) == 1
    assert phase_share(content, 2) == 0
    assert phase_share(chequered + content, 2) == 0.2
    np.testing.assert_array_equal(phase_share(np.stack([chequered, content]), 2), [1, 0])


def test_share_of_a_ramp_is_as_documented():
    ramp = np.broadcast_to(np.arange(16.0), (8, 16))
    assert phase_share(ramp, 4) == pytest.approx((4**2 - 1) / 12 / ramp.var())


def test_share_lies_between_nothing_and_all():
    y = draw(50, 8, 8)
    assert ((phase_share(y, 4) > 0) & (phase_share(y, 4) < 1)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_is_no_checkerboard(dtype):
    wobble = np.tile([[1, 0], [0, 1]], (4, 4)) * np.finfo(dtype).eps
    assert phase_share((7 + 7 * wobble).astype(dtype), 2) == 0
    assert phase_share((7 + 7e3 * wobble).astype(dtype), 2) == pytest.approx(1, abs=0.01)


def test_the_margin_leaves_the_border_out():
    y = np.tile([[3.0, 1], [1, 2]], (5, 5))
    y[0] = y[-1] = y[:, 0] = y[:, -1] = 100
    assert phase_means(y, 2, 1).tolist() == [[3, 1], [1, 2]]


def test_whole_numbers_will_do():
    assert phase_share(np.tile([[1, 0], [0, 1]], (2, 2)), 2) == 1


def test_a_number_that_is_none_is_not_called_even():
    y = draw(6, 6)
    y[2, 3] = np.nan
    assert np.isnan(phase_share(y, 2))
    assert np.isnan(phase_variation(y, 2))
