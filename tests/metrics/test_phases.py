import itertools

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import tensor
from minifcn.metrics.phases import (
    bilinear_ideal,
    phase_error,
    phase_means,
    phase_share,
    phase_spread,
    phase_sums,
    phase_unevenness,
    phase_variances,
    phase_variation,
)
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
    measures = (phase_means, phase_variances, phase_variation, phase_share, phase_spread)
    for measure in (*measures, phase_unevenness, lambda y, *sizes: phase_error(y, y, *sizes)):
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


# -- Variances, V, U and E -----------------------------------------------------------------------

SHARES = (phase_share, phase_spread, phase_unevenness)


def own_error(y, stride, margin=0):
    return phase_error(y, bilinear_ideal(y, stride), stride, margin)


def nearest_then_difference(image):
    """Copy each pixel 2 x 2, then subtract from each its neighbour on the left: (-1, 1, 0)."""
    copies = np.pad(np.kron(image, ones(2, 2)), ((0, 0), (1, 0)), mode="edge")
    return copies[:, 1:] - copies[:, :-1]


def test_variances_are_those_of_a_loop():
    y = draw(2, 12, 9)
    found = phase_variances(y, 3)
    assert found.shape == (2, 3, 3)
    for n, a, b in np.ndindex(found.shape):
        pixels = y[n, a::3, b::3]
        assert found[n, a, b] == pytest.approx(((pixels - pixels.mean()) ** 2).mean())


def test_the_ramp_that_resizing_does_not_keep_even():
    """1, 0, 1, 0 ...: the means are 1 and 0, and nothing else varies."""
    ramp = np.broadcast_to(np.arange(12.0), (12, 12))
    y = nearest_then_difference(ramp)
    np.testing.assert_array_equal(y[3, 2:8], [1, 0, 1, 0, 1, 0])
    assert [measure(y, 2, 2) for measure in SHARES] == [1, 0, 1]
    assert own_error(y, 2, 4) == pytest.approx(1)


def test_noise_of_which_every_second_column_is_zero():
    """Deviations 0 and d, of mean d/2 and variance d^2/4; the variance of all is d^2/2."""
    y = nearest_then_difference(draw(100, 100))
    assert (y[:, 1::2] == 0).all()
    q, v, u = (measure(y, 2, 2) for measure in SHARES)
    assert q < 1e-3
    assert v == pytest.approx(0.5, abs=1e-3)
    assert u == pytest.approx(q + v)
    assert own_error(y, 2, 4) > 0.1


def test_spreads_by_hand():
    """Deviations 3, 1, 1, 1 have mean 3/2 and variance 3/4; the mean of their squares is 3."""
    signs = np.kron([[1, -1], [-1, 1]], ones(2, 2))
    y = np.tile([[3, 1], [1, 1]], (2, 2)) * signs
    assert phase_variances(y, 2).tolist() == [[9, 1], [1, 1]]
    assert [measure(y, 2) for measure in SHARES] == [0, 0.25, 0.25]


def test_most_that_the_spread_can_be():
    y = np.zeros((6, 12))
    y[::3, ::3] = [[1, -1, 1, -1], [-1, 1, -1, 1]]
    assert phase_spread(y, 3) == pytest.approx(1 - 1 / 9)


def test_the_variance_is_the_sum_of_three_parts():
    y = draw(5, 12, 12) * np.tile([[1, 2], [3, 4]], (6, 6)) + np.tile([[1, 0], [0, 2]], (6, 6))
    common = np.sqrt(phase_variances(y, 2)).mean((-1, -2)) ** 2 / y.var((-1, -2))
    np.testing.assert_allclose(phase_share(y, 2) + phase_spread(y, 2) + common, 1)
    np.testing.assert_allclose(phase_unevenness(y, 2), 1 - common)
    assert ((phase_unevenness(y, 2) > 0) & (phase_unevenness(y, 2) < 1)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_is_even(dtype):
    wobble = np.tile([[1, 0], [0, 1]], (4, 4)) * np.finfo(dtype).eps
    for y in (np.full((8, 8), 7, dtype), (7 + 7 * wobble).astype(dtype)):
        assert [measure(y, 2) for measure in (*SHARES, own_error)] == [0, 0, 0, 0]
        assert phase_error(y, draw(8, 8), 2) == 0


def test_scale_and_offset_change_nothing():
    y = draw(16, 16)
    for measure in (*SHARES, own_error):
        assert measure(3 - 5 * y, 2, 2) == pytest.approx(measure(y, 2, 2))


def test_what_the_measures_cannot_see():
    noise = draw(200, 200)
    blocks = np.kron(noise, ones(2, 2))
    signed = noise * np.tile([1, -1], 100)
    for y in (noise, blocks, signed):
        assert phase_unevenness(y, 2) < 2e-4


def test_the_error_by_hand():
    """Differences: offsets 1, 0, 0, 0 (variance 3/16) and deviations 2, 0, 0, 0 (variance 3/4)."""
    ideal = np.kron([[3, -3], [-3, 3]], ones(2, 2))
    y = ideal + 0
    y[::2, ::2] += 1 + 2 * np.array([[1, 1], [-1, -1]])
    assert phase_error(y, ideal, 2) == pytest.approx((3 / 16 + 3 / 4) / y.var())
    assert phase_error(ideal, ideal, 2) == phase_error(ideal + 4, ideal, 2) == 0
    assert phase_error(ideal, 3 * ideal, 2) == 0  # in all phases alike
    assert phase_error(2 * y, 2 * ideal, 2) == pytest.approx(phase_error(y, ideal, 2))
    q = phase_share(y, 2)
    assert phase_error(y, 0 * y, 2) == pytest.approx(q + phase_spread(y, 2))


def test_the_bilinear_ideal_is_the_mean_of_each_period_resized():
    y = draw(2, 3, 6, 9)
    means = y.reshape(2, 3, 2, 3, 3, 3).mean((3, 5))
    expected = F.interpolate(tensor(means), scale_factor=3, mode="bilinear").numpy()
    np.testing.assert_allclose(bilinear_ideal(y, 3), expected)
    np.testing.assert_allclose(bilinear_ideal(y[1, 2], 3), expected[1, 2])


def test_a_ramp_is_its_own_ideal():
    """So the error does not count it, though the share does."""
    ramp = np.broadcast_to(np.arange(16.0), (16, 16))
    np.testing.assert_allclose(bilinear_ideal(ramp, 4)[:, 4:-4], ramp[:, 4:-4])
    assert own_error(ramp, 4, 4) == pytest.approx(0, abs=1e-12)
    assert phase_share(ramp, 4, 4) > 0.1


def test_the_steps_of_nearest_are_an_error_on_a_ramp():
    """Copies 0 0 1 1 ... are off a line by -1/4, 1/4: variance 1/16; a line alone would be 0."""
    y = np.broadcast_to(np.arange(24) // 2, (24, 24))
    assert own_error(y, 2, 2) == pytest.approx((1 / 16) / y[:, 2:-2].var())


def test_the_measures_pass_on_what_is_no_number():
    y = draw(6, 6)
    y[2, 3] = np.nan
    assert all(np.isnan(measure(y, 2)) for measure in (phase_spread, phase_unevenness))
    assert np.isnan(phase_error(y, 0 * draw(6, 6), 2))


def test_wrong_arguments_of_the_error_and_the_ideal():
    with pytest.raises(ValueError, match=r"shape of y, \(4, 4\); got \(4, 6\)"):
        phase_error(ones(4, 4), ones(4, 6), 2)
    with pytest.raises(ValueError, match=r"multiples of 2; got shape \(4, 5\)"):
        bilinear_ideal(ones(4, 5), 2)
