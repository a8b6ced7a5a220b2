"""Depthwise convolutions: what the loops define, whatever the plan, and for numbers without end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import FAST, GENERATORS
from random_windows import windows

from minifcn.kernels import cpu, geometry, reference
from minifcn.kernels.cpu import depthwise

KERNELS = ("conv2d", "conv2d_weight", "conv_transpose2d")


@st.composite
def convolutions(draw, channels=(2, 5)):
    """The arguments of the three kernels, by name."""
    size, kernel_size, stride, padding, dilation = draw(windows())
    rng, n, c = draw(GENERATORS), draw(st.integers(0, 3)), draw(st.integers(*channels))
    out = geometry.output_pair(size, kernel_size, stride, padding, dilation)
    rest = tuple(map(geometry.conv_remainder, size, kernel_size, stride, padding, dilation))
    x, y = rng.standard_normal((n, c, *size)), rng.standard_normal((n, c, *out))
    weight, bias = rng.standard_normal((c, 1, *kernel_size)), rng.standard_normal(c)
    return {
        "conv2d": (x, weight, stride, padding, dilation, c, bias, draw(st.booleans())),
        "conv2d_weight": (x, y, kernel_size, stride, padding, dilation, c),
        "conv_transpose2d": (y, weight, stride, padding, rest, dilation, c),
    }


@pytest.mark.parametrize("kernel", FAST)
@given(convolutions(), st.sampled_from([1, 2, 8]), st.sampled_from([1, 60, 2**17]))
@settings(max_examples=60, deadline=None)
def test_the_three_kernels_compute_what_the_loops_define(kernel, cases, rows, elements):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depthwise, "BLOCK_ROWS", rows)
        patch.setattr(depthwise, "WORK_ELEMENTS", elements)
        for name, arguments in cases.items():
            found, expected = (getattr(m, name)(*arguments) for m in (kernel, reference))
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_allclose(found, expected, 1e-11, 1e-12, err_msg=name)


@given(convolutions(), GENERATORS)
@settings(max_examples=60, deadline=None)
def test_bands_are_an_adjoint_pair(cases, rng):
    """<bands of a kernel, b> = <kernel, sums along the diagonals of b>; likewise laying x out."""
    x, weight, *others = cases["conv2d"]
    bands = depthwise.Bands(x.shape, weight.shape[2:], *others[:3])
    written = bands.matrices(weight)[:, :, 0]
    b, sums = rng.standard_normal(written.shape), np.empty(weight.shape)
    bands.sum_diagonals(b, sums)
    np.testing.assert_allclose((written * b).sum(), (weight * sums).sum(), 1e-10, 1e-10)
    laid_out, back = bands.lay_out(x), np.zeros(x.shape)
    other = rng.standard_normal(laid_out.shape)
    bands.put_back(other, back)
    np.testing.assert_allclose((laid_out * other).sum(), (x * back).sum(), 1e-10, 1e-10)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", KERNELS)
@given(convolutions(), GENERATORS)
@settings(max_examples=15, deadline=None)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_number_that_is_not_finite_reaches_its_own_windows_only(name, value, cases, rng):
    first = cases[name][0]
    if first.size:
        first.flat[rng.integers(first.size)] = value
    found, expected = (getattr(module, name)(*cases[name]) for module in (cpu, reference))
    inside = np.isfinite(expected)
    np.testing.assert_allclose(found[inside], expected[inside], 1e-11, 1e-12)


@pytest.mark.parametrize(("groups", "outputs"), [(1, 4), (2, 4), (4, 8), (4, 4)])
def test_only_depthwise_convolutions_are_done_by_bands(monkeypatch, groups, outputs):
    made = []
    original = depthwise.Bands
    monkeypatch.setattr(depthwise, "Bands", lambda *a: made.append(a) or original(*a))
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 4, 5, 6)), rng.standard_normal((outputs, 4 // groups, 3, 3))
    one = (1, 1)
    y = cpu.conv2d(x, weight, one, one, one, groups)
    cpu.conv2d_weight(x, y, (3, 3), one, one, one, groups)
    cpu.conv_transpose2d(y, weight, (2, 2), one, (0, 0), one, groups)
    assert len(made) == (3 if (groups, outputs) == (4, 4) else 0)
