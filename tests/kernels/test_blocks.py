"""Convolutions by whole blocks: kernels that are a multiple of their stride, against the loops."""

import numpy as np
import pytest

from minifcn.kernels import cpu, reference
from minifcn.kernels.cpu import blocks, threads

ONE = (1, 1)

# name: shape of x, filters, kernel size, stride, padding
CASES = {
    "upsampling by 2": ((2, 3, 10, 12), 3, (4, 4), (2, 2), (1, 1)),
    "upsampling by 8": ((1, 2, 24, 16), 2, (16, 16), (8, 8), (4, 4)),
    "three blocks": ((2, 2, 17, 19), 4, (6, 6), (2, 2), (0, 0)),
    "one axis": ((2, 3, 9, 11), 2, (3, 6), (1, 3), (1, 2)),
    "other axes": ((2, 3, 9, 11), 2, (4, 3), (2, 3), (0, 0)),
    "rest at the end": ((1, 2, 11, 13), 3, (4, 6), (2, 3), (1, 0)),
    "all padding": ((1, 2, 3, 3), 2, (4, 4), (2, 2), (6, 5)),
    "a single window": ((1, 2, 4, 8), 2, (4, 8), (2, 4), (0, 0)),
}
ALL = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
ANY = np.random.default_rng(0)


def arrays(case, dtype=np.float64):
    shape, filters, kernel_size, *_ = case
    weight = ANY.standard_normal((filters, shape[1], *kernel_size)).astype(dtype)
    return ANY.standard_normal(shape).astype(dtype), weight


@ALL
@pytest.mark.parametrize("rectify", [False, True])
def test_a_convolution_is_that_of_the_loops(case, rectify):
    x, weight = arrays(case)
    bias = ANY.standard_normal(len(weight)) if rectify else None
    settings = (*case[3:], ONE, 1, bias, rectify)
    expected = reference.conv2d(x, weight, *settings)
    y = cpu.conv2d(x, weight, *settings)
    assert (y.dtype, y.shape) == (x.dtype, expected.shape)
    np.testing.assert_allclose(y, expected, atol=1e-12)


@ALL
def test_a_transposed_convolution_is_that_of_the_loops_with_all_output_paddings(case):
    x, weight = arrays(case)
    stride, padding = case[3:]
    y = reference.conv2d(x, weight, stride, padding, ONE, 1)
    for rest in np.ndindex(*stride):
        settings = (stride, padding, rest, ONE, 1)
        expected = reference.conv_transpose2d(y, weight, *settings)
        found = cpu.conv_transpose2d(y, weight, *settings)
        assert (found.dtype, found.shape) == (y.dtype, expected.shape)
        np.testing.assert_allclose(found, expected, atol=1e-12)


@ALL
def test_blocks_are_used_where_they_fit(case, monkeypatch):
    """And each function is called: the cases above do not test the windows."""
    x, weight = arrays(case, np.float32)
    y, called = cpu.conv2d(x, weight, *case[3:], ONE, 1), []
    monkeypatch.setattr(blocks, "conv2d", lambda *a: called.append("conv2d"))
    monkeypatch.setattr(blocks, "conv_transpose2d", lambda *a: called.append("transposed"))
    cpu.conv2d(x, weight, *case[3:], ONE, 1)
    cpu.conv_transpose2d(y, weight, *case[3:], (0, 0), ONE, 1)
    assert called == ["conv2d", "transposed"]


@pytest.mark.parametrize(
    ("kernel_size", "stride", "dilation", "groups"),
    [
        ((3, 3), (1, 1), ONE, 1),  # no blocks
        ((2, 2), (2, 2), ONE, 1),  # no pixel is laid out twice
        ((3, 4), (2, 2), ONE, 1),  # a half block
        ((4, 4), (2, 2), (1, 2), 1),
        ((4, 4), (2, 2), ONE, 2),
    ],
)
def test_where_they_do_not_fit(kernel_size, stride, dilation, groups):
    assert not blocks.fits_blocks(kernel_size, stride, dilation, groups)


def test_the_bits_do_not_depend_on_threads():
    case = ((8, 4, 64, 96), 4, (16, 16), (8, 8), (4, 4))
    x, weight = arrays(case, np.float32)
    results, before = [], threads.num_threads()
    try:
        for count in (1, 2, 5):
            threads.set_num_threads(count)
            y = cpu.conv2d(x, weight, *case[3:], ONE, 1)
            results.append((y, cpu.conv_transpose2d(y, weight, *case[3:], (0, 0), ONE, 1)))
    finally:
        threads.set_num_threads(before)
    for y, image in results[1:]:
        np.testing.assert_array_equal(y, results[0][0])
        np.testing.assert_array_equal(image, results[0][1])
