"""Sizes, coordinate maps and receptive fields: against the literature, and against the kernels."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minifcn import kernels
from minifcn.kernels import geometry
from minifcn.kernels.geometry import (
    RELATIONSHIPS,
    CoordinateMap,
    ReceptiveField,
    Window,
    coordinate_map,
    crop_offset,
    receptive_field,
)

# --- Convolution arithmetic -----------------------------------------------------------------------


# (i, o, p, k, s, d) in the figures of Dumoulin and Visin (2016), with the relationships they show.
FIGURES = {
    (4, 2, 0, 3, 1, 1): {1, 8},
    (5, 6, 2, 4, 1, 1): {2, 9},
    (5, 5, 1, 3, 1, 1): {3, 10},
    (5, 7, 2, 3, 1, 1): {4, 11},
    (5, 2, 0, 3, 2, 1): {5, 7, 12},
    (5, 3, 1, 3, 2, 1): {6, 13},
    (6, 3, 1, 3, 2, 1): {6, 14},
    (7, 3, 0, 3, 1, 2): {15},
}


def kernel_output(size, k, s, p, d):
    """The size of what conv2d really returns."""
    x, weight = np.zeros((1, 1, size, size)), np.zeros((1, 1, k, k))
    return kernels.conv2d(x, weight, s, p, d).shape[2]


def transposed_kernel_output(size, k, s, p, d, a):
    y, weight = np.zeros((1, 1, size, size)), np.zeros((1, 1, k, k))
    return kernels.conv_transpose2d(y, weight, s, p, a, d).shape[2]


def check_relationship(relationship, i, k, s, p, d):
    """Whether it holds here; if so it must say what the kernels do."""
    o = kernel_output(i, k, s, p, d)
    if not relationship.transposed:
        holds = relationship.holds(i, k, s, p, d)
        assert not holds or relationship.output_size(i, k, s, p, d) == o
        return holds
    a = geometry.conv_remainder(i, k, s, p, d)
    holds = relationship.holds(o, k, s, p, d, a)
    if holds:
        assert relationship.output_size(o, k, s, p, d, a) == i
        assert transposed_kernel_output(o, k, s, p, d, a) == i
    return holds


@pytest.mark.parametrize("figure", FIGURES, ids=str)
def test_the_figures_of_the_guide(figure):
    i, o, p, k, s, d = figure
    assert kernel_output(i, k, s, p, d) == geometry.conv_output_size(i, k, s, p, d) == o
    holding = {r.number for r in RELATIONSHIPS if check_relationship(r, i, k, s, p, d)}
    assert holding >= FIGURES[figure]
    a = geometry.conv_remainder(i, k, s, p, d)
    assert a == (1 if i == 6 else 0)
    assert geometry.conv_transpose_output_size(o, k, s, p, a, d) == i


def test_there_are_fifteen_relationships_and_the_figures_show_all():
    assert [r.number for r in RELATIONSHIPS] == list(range(1, 16))
    assert [r.number for r in RELATIONSHIPS if r.transposed] == list(range(8, 15))
    assert set.union(*FIGURES.values()) == set(range(1, 16))
    assert len({r.name for r in RELATIONSHIPS}) == 15


@pytest.mark.parametrize(
    ("number", "holds", "fails"),
    [
        (1, (5, 3, 1, 0, 1), (5, 3, 1, 1, 1)),
        (3, (5, 3, 1, 1, 1), (5, 3, 1, 2, 1)),
        (4, (5, 3, 1, 2, 1), (5, 3, 2, 2, 1)),
        (5, (5, 3, 2, 0, 1), (5, 3, 2, 0, 2)),
        (6, (5, 3, 2, 1, 1), (5, 3, 2, 1, 2)),
        (10, (5, 3, 1, 1, 1, 0), (5, 4, 1, 1, 1, 0)),
        (12, (5, 3, 2, 0, 1, 0), (5, 3, 2, 0, 1, 1)),
        (13, (5, 3, 2, 1, 1, 0), (5, 3, 2, 1, 1, 1)),
    ],
)
def test_when_a_relationship_holds(number, holds, fails):
    relationship = RELATIONSHIPS[number - 1]
    assert relationship.holds(*holds)
    assert not relationship.holds(*fails)


@given(
    st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(0, 4), st.integers(1, 3)
)
@settings(max_examples=200, deadline=None)
def test_every_relationship_on_random_sizes(i, k, s, p, d):
    if d * (k - 1) + 1 > i + 2 * p:
        return
    assert kernel_output(i, k, s, p, d) == geometry.conv_output_size(i, k, s, p, d)
    holding = [r.number for r in RELATIONSHIPS if check_relationship(r, i, k, s, p, d)]
    assert 15 in holding


def starts(size, kernel, stride, padding, dilation, ceil_mode):
    """Where pooling windows start, from the definition: as many as the rule lets in."""
    reach, start = dilation * (kernel - 1) + 1, -padding
    while start + reach <= size + padding:
        yield start
        start += stride
    if ceil_mode and start < size and start + reach - stride < size + padding:
        yield start


@given(
    st.integers(1, 12), st.integers(1, 5), st.integers(1, 6), st.integers(0, 2), st.integers(1, 2),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_pooling_sizes_count_the_windows(size, kernel, stride, padding, dilation, ceil_mode):
    if 2 * padding > kernel or dilation * (kernel - 1) + 1 > size + 2 * padding:
        return
    windows = list(starts(size, kernel, stride, padding, dilation, ceil_mode))
    found = geometry.pool_output_size(size, kernel, stride, padding, dilation, ceil_mode)
    assert found == len(windows)


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 2), st.integers(1, 3))
@settings(deadline=None)
def test_first_inside_is_the_first_tap_that_is_not_in_the_padding(out, stride, padding, dilation):
    found = geometry.first_inside(out, stride, padding, dilation)
    for start, first in zip(range(-padding, out * stride, stride), found, strict=False):
        assert first == next(i for i in range(start, 99, dilation) if i >= 0)


# --- Coordinate maps ------------------------------------------------------------------------------


def vgg16(first_padding):
    """The convolutions and poolings of VGG16 up to pool5; the index of each pooling."""
    layers, ends = [], {}
    for stage, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        layers += [Window(3, padding=1)] * convolutions + [Window(2, stride=2)]
        ends[stage] = len(layers)
    layers[0] = Window(3, padding=first_padding)
    return layers, ends


def deconvolution(factor, padding=0):
    return Window(2 * factor, factor, padding, transposed=True)


LAYERS, POOL = vgg16(first_padding=100)
FC7 = [*LAYERS, Window(7), Window(1)]


def test_the_crops_of_the_published_fcn():
    """Long et al. (2015), the crop layers of voc-fcn32s, 16s and 8s."""
    upscore2 = [*FC7, deconvolution(2)]
    upscore_pool4 = [*upscore2, deconvolution(2)]
    assert crop_offset([*FC7, deconvolution(32)]) == 19
    assert crop_offset(LAYERS[: POOL[4]], upscore2) == 5
    assert crop_offset([*upscore2, deconvolution(16)]) == 27
    assert crop_offset(LAYERS[: POOL[3]], upscore_pool4) == 9
    assert crop_offset([*upscore_pool4, deconvolution(8)]) == 31


@pytest.mark.parametrize("padding", [97, 100, 150])
def test_only_the_last_crop_of_fcn_32s_depends_on_the_first_padding(padding):
    layers, pool = vgg16(padding)
    fc7 = [*layers, Window(7), Window(1)]
    assert crop_offset([*fc7, deconvolution(32)]) == padding - 81
    assert crop_offset(layers[: pool[4]], [*fc7, deconvolution(2)]) == 5


def test_same_padding_throughout_needs_no_crop():
    layers, pool = vgg16(first_padding=1)
    fc7 = [*layers, Window(7, padding=3), Window(1)]
    halved = [*fc7, deconvolution(2, padding=1)]
    quartered = [*halved, deconvolution(2, padding=1)]
    assert crop_offset([*fc7, deconvolution(32, padding=16)]) == 0
    assert crop_offset(layers[: pool[4]], halved) == 0
    assert crop_offset([*halved, deconvolution(16, padding=8)]) == 0
    assert crop_offset(layers[: pool[3]], quartered) == 0
    assert crop_offset([*quartered, deconvolution(8, padding=4)]) == 0


def test_tensors_that_no_whole_crop_aligns():
    with pytest.raises(ValueError, match=r"^no whole crop aligns them: x -> 1 x \+ -1/2$"):
        crop_offset([Window(2)])
    with pytest.raises(ValueError, match=r"^no whole crop aligns them: x -> 1/2 x \+ 0$"):
        crop_offset([Window(1, stride=2)])


def test_a_coordinate_map_is_affine_and_can_be_inverted():
    double = CoordinateMap(Fraction(2), Fraction(1))
    shift = CoordinateMap(offset=Fraction(-3))
    assert double(5) == 11
    assert double.then(shift)(5) == 8
    assert shift.then(double)(5) == 5
    assert double.then(double.inverse()) == CoordinateMap()
    assert coordinate_map([]) == CoordinateMap()


CHAINS = st.lists(
    st.builds(
        Window,
        st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2), st.just(False),
    ),
    min_size=1, max_size=3,
)  # fmt: skip


def forward(windows, size):
    """The sizes along a chain, from that of the input."""
    sizes = [size]
    for kernel, stride, padding, dilation, _ in windows:
        sizes.append(geometry.conv_output_size(sizes[-1], kernel, stride, padding, dilation))
    return sizes


def seen_by(windows, cell, sizes):
    """Which input pixels an output cell depends on: its gradient with all-ones weights."""
    gradient = np.zeros((1, 1, sizes[-1], sizes[-1]))
    gradient[..., cell, cell] = 1
    for (kernel, stride, padding, dilation, _), size in zip(
        reversed(windows), reversed(sizes[:-1]), strict=True
    ):
        rest = geometry.conv_remainder(size, kernel, stride, padding, dilation)
        ones = np.ones((1, 1, kernel, kernel))
        gradient = kernels.conv_transpose2d(gradient, ones, stride, padding, rest, dilation)
    return np.flatnonzero(gradient[0, 0].any(axis=0))


def test_the_receptive_field_of_fc7():
    assert receptive_field(FC7) == ReceptiveField(size=404, stride=32, start=-189)
    assert receptive_field([]) == ReceptiveField(1, 1, 0)


@given(CHAINS)
@settings(max_examples=100, deadline=None)
def test_receptive_fields_are_what_gradients_reach(windows):
    field = receptive_field(windows)
    cell = -(field.start // field.stride)  # the first one whose field lies inside the input
    sizes = forward(windows, field.size + 2 * field.stride - 2 * field.start)
    first = field.start + cell * field.stride
    seen = seen_by(windows, cell, sizes)
    assert seen[0] == first
    assert seen[-1] == first + field.size - 1
    following = seen_by(windows, cell + 1, sizes)
    assert following[0] - seen[0] == field.stride


@given(CHAINS)
@settings(max_examples=100, deadline=None)
def test_coordinate_maps_lead_to_the_centre_of_the_receptive_field(windows):
    field = receptive_field(windows)
    back = coordinate_map(windows).inverse()
    assert back(0) == field.start + Fraction(field.size - 1, 2)
    assert back.scale == field.stride


@given(CHAINS)
@settings(deadline=None)
def test_a_transposed_chain_undoes_the_map(windows):
    there = coordinate_map(windows)
    back = coordinate_map([w._replace(transposed=True) for w in reversed(windows)])
    assert there.then(back) == CoordinateMap()


def test_a_receptive_field_of_a_transposed_convolution_raises():
    with pytest.raises(ValueError, match="^windows must be convolutions .* got a transposed one$"):
        receptive_field([deconvolution(2)])


# --- Resize positions -----------------------------------------------------------------------------


def test_bilinear_positions_of_the_example():
    """2 pixels to 4: torch.nn.functional.interpolate's documentation."""
    np.testing.assert_allclose(geometry.source_positions(2, 4, 1 / 3, True), [0, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(geometry.source_positions(2, 4, 0.5, False), [0, 0.25, 0.75, 1])


@given(st.integers(1, 60), st.integers(1, 60))
@settings(max_examples=300, deadline=None)
def test_positions_stay_inside_and_never_go_back(size, out):
    nearest = geometry.nearest_positions(size, out, size / out)
    assert nearest.tolist() == [j * size // out for j in range(out)]
    for positions in (
        geometry.nearest_positions(size, out, 1.7),
        geometry.source_positions(size, out, size / out, False),
        geometry.source_positions(size, out, (size - 1) / max(out - 1, 1), True),
    ):
        assert len(positions) == out
        assert positions[0] >= 0
        assert positions[-1] <= size - 1
        assert all(a <= b for a, b in pairwise(positions))
