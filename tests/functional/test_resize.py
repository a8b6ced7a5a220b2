"""Resizing: worked examples, and refused arguments."""

import numpy as np
import pytest

from minifcn import Tensor, nn
from minifcn import functional as F

X = Tensor(np.array([[[[1.0, 2.0], [4.0, 5.0]]]]))


def first_row(**options):
    return F.interpolate(X, (2, 4), **options).data[0, 0, 0]


def test_three_ways_to_make_two_columns_four():
    np.testing.assert_allclose(first_row(), [1, 1, 2, 2])
    np.testing.assert_allclose(first_row(mode="bilinear"), [1, 1.25, 1.75, 2])
    np.testing.assert_allclose(first_row(mode="bilinear", align_corners=False), [1, 1.25, 1.75, 2])
    aligned = first_row(mode="bilinear", align_corners=True)
    np.testing.assert_allclose(aligned, [1, 4 / 3, 5 / 3, 2])


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_sizes_and_factors_as_numbers_pairs_and_lists(mode):
    twice = F.interpolate(X, scale_factor=2, mode=mode)
    for options in ({"size": 4}, {"size": (4, 4)}, {"size": [4, 4]}, {"scale_factor": [2.0, 2]}):
        np.testing.assert_array_equal(F.interpolate(X, **options, mode=mode).data, twice.data)
    assert F.interpolate(X, scale_factor=(2.5, 0.5), mode=mode).shape == (1, 1, 5, 1)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("factor", [1, 1.25, 1.49])
def test_a_size_that_stays_is_copied(mode, factor):
    np.testing.assert_array_equal(F.interpolate(X, scale_factor=factor, mode=mode).data, X.data)


def test_a_factor_gives_the_step_even_where_the_size_was_rounded():
    """3 pixels times 1.6 make 4, but they lie 1 / 1.6 = 0.625 apart, not 0.75."""
    x = Tensor(np.array([[[[0.0, 1.0, 2.0]]]]))
    found = lambda **options: F.interpolate(x, scale_factor=(1, 1.6), **options).data.ravel()
    np.testing.assert_array_equal(found(), [0, 0, 1, 1])
    positions = (np.arange(4) + 0.5) * 0.625 - 0.5
    np.testing.assert_allclose(found(mode="bilinear"), np.maximum(positions, 0))


MODES = [
    {"mode": "nearest"},
    {"mode": "bilinear"},
    {"mode": "bilinear", "align_corners": True},
]


@pytest.mark.oracle
@pytest.mark.parametrize("options", MODES, ids=str)
@pytest.mark.parametrize("recompute", [None, False, True])
@pytest.mark.parametrize("scale", [1.6, 2.3, (0.7, 1.5), (2.0, 1.0), 0.45])
def test_the_step_of_a_factor_is_pytorchs(options, recompute, scale):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((1, 2, 7, 5))
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(x), scale_factor=scale, recompute_scale_factor=recompute, **options
    )
    for resize in (F.interpolate, lambda x, **settings: nn.Upsample(**settings)(x)):
        found = resize(Tensor(x), scale_factor=scale, recompute_scale_factor=recompute, **options)
        np.testing.assert_allclose(found.data, theirs.numpy(), rtol=1e-12)


@pytest.mark.parametrize("options", MODES, ids=str)
def test_a_recomputed_factor_is_that_of_the_size(options):
    """With it, 3 pixels times 1.6 are resized to 4 as size=4 does; 0.75 apart."""
    x = Tensor(np.array([[[[0.0, 1.0, 2.0]]]]))
    found = F.interpolate(x, scale_factor=(1, 1.6), recompute_scale_factor=True, **options)
    np.testing.assert_array_equal(found.data, F.interpolate(x, (1, 4), **options).data)
    kept = F.interpolate(x, scale_factor=(1, 1.6), recompute_scale_factor=False, **options)
    np.testing.assert_array_equal(kept.data, F.interpolate(x, None, (1, 1.6), **options).data)
    np.testing.assert_array_equal(
        F.interpolate(x, (1, 4), recompute_scale_factor=False, **options).data, found.data
    )


def test_a_constant_image_stays_constant(random):
    x = Tensor(np.full((1, 1, 5, 3), 7.0))
    for size in ((1, 1), (2, 9), (13, 4)):
        for options in ({}, {"mode": "bilinear"}, {"mode": "bilinear", "align_corners": True}):
            np.testing.assert_allclose(F.interpolate(x, size, **options).data, 7.0, rtol=1e-15)


def test_bilinear_resizing_is_the_bilinear_transposed_convolution_inside(random):
    """k = 2f, s = f, p = f / 2 with triangle weights, as the FCN upsamples; borders differ."""
    factor = 4
    x = random(1, 1, 5, 6)
    triangle = 1 - np.abs(np.arange(2 * factor) - (factor - 0.5)) / factor
    weight = Tensor(np.outer(triangle, triangle)[None, None])
    stamped = F.conv_transpose2d(x, weight, stride=factor, padding=factor // 2)
    resized = F.interpolate(x, scale_factor=factor, mode="bilinear")
    inner = np.s_[:, :, factor:-factor, factor:-factor]
    np.testing.assert_allclose(stamped.data[inner], resized.data[inner], rtol=1e-12)


REFUSED = [
    ((1, 4, 4), {"size": 2}, ValueError, "input must have 4 axes"),
    ((1, 1, 0, 4), {"size": 2}, ValueError, "input must have at least one pixel"),
    ((1, 1, 4, 4), {}, ValueError, "give either size or scale_factor; got None and None$"),
    ((1, 1, 4, 4), {"size": 2, "scale_factor": 2}, ValueError, "give either size or"),
    ((1, 1, 4, 4), {"size": 0}, ValueError, "size must be at least 1; got 0$"),
    ((1, 1, 4, 4), {"size": (2, -1)}, ValueError, "size must be at least 1"),
    ((1, 1, 4, 4), {"size": 2.0}, TypeError, "size must be a whole number or a pair"),
    ((1, 1, 4, 4), {"scale_factor": 0.2}, ValueError, r"size \(input size \* scale_factor\) must"),
    ((1, 1, 4, 4), {"scale_factor": 0}, ValueError, "scale_factor must be one or two positive"),
    ((1, 1, 4, 4), {"scale_factor": (1, -2)}, ValueError, "scale_factor must be one or two"),
    ((1, 1, 4, 4), {"scale_factor": np.inf}, ValueError, "scale_factor must be one or two"),
    ((1, 1, 4, 4), {"scale_factor": np.nan}, ValueError, "scale_factor must be one or two"),
    ((1, 1, 4, 4), {"scale_factor": (1, 2, 3)}, ValueError, "scale_factor must be one or two"),
    ((1, 1, 4, 4), {"size": 2, "mode": "bicubic"}, ValueError, "mode must be .*; got 'bicubic'$"),
    ((1, 1, 4, 4), {"size": (2,)}, TypeError, "size must be a whole number or a pair"),
    ((1, 1, 4, 4), {"scale_factor": (2,)}, ValueError, "scale_factor must be one or two"),
    ((1, 1, 4, 4), {"size": 2, "recompute_scale_factor": True}, ValueError,
     "recompute_scale_factor goes with scale_factor only; got size 2$"),
    ((1, 1, 4, 4), {"size": 2, "align_corners": True}, ValueError, "align_corners goes with mode"),
    ((1, 1, 4, 4), {"size": 2, "align_corners": False}, ValueError, "align_corners goes with"),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "options", "error", "message"), REFUSED)
def test_interpolate_refuses(refuses, shape, options, error, message):
    refuses(error, message, F.interpolate, Tensor(np.zeros(shape)), **options)
