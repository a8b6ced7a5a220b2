"""The kernels: loops and NumPy agree, pairs are adjoint, special values, and refused arguments."""

import inspect
import re

import numpy as np
import pytest
from hypothesis import given, settings
from kernel_cases import (
    ARGUMENTS,
    FAST,
    GENERATORS,
    IMPLEMENTATIONS,
    assert_close,
    conv1x1,
    convolutions,
    gather,
    im2col,
    outputs,
    resize,
    to_float32,
)

from minifcn import kernels
from minifcn.kernels import cpu, geometry, gpu, reference
from minifcn.kernels.cpu import convolution, normalization, threads
from minifcn.kernels.cpu import windows as tiling


def public_functions(module):
    """The names of the functions that a module defines, or, if it is cpu or gpu, its parts."""
    places = module.__name__ if module in (cpu, gpu) else f"{module.__name__}$"
    return {
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and re.match(places, value.__module__)
        and not name.startswith(("_", "check_"))
    }


MODULES = (kernels, reference, cpu, gpu)
NAMES = sorted(
    set.union(*map(public_functions, MODULES)) - {"col2im_scatter"}
)  # it is one of a kind


# --- One kernel, three ways -----------------------------------------------------------------------


@pytest.mark.parametrize("kernel", FAST)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_every_implementation_computes_what_the_loops_define(name, dtype, kernel):
    @given(ARGUMENTS[name])
    @settings(max_examples=50, deadline=None)
    def check(arguments):
        arguments = to_float32(arguments) if dtype is np.float32 else arguments
        expected = outputs(reference, name, arguments)
        for a, b in zip(outputs(kernel, name, arguments), expected, strict=True):
            assert_close(a, b, least=1)

    check()


def positional(function):
    """The arguments of a kernel; what stands after them is for the checks before it."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]


@pytest.mark.parametrize("name", NAMES)
def test_every_kernel_exists_everywhere_with_the_same_arguments(name):
    signatures = {tuple(positional(getattr(module, name))) for module in MODULES}
    assert len(signatures) == 1
    assert name in ARGUMENTS, "a new kernel needs random arguments here, to be compared"


def usual(patch):
    """The plan that cpu chooses."""


def tiny_tiles(patch):
    """Every image is a large one: cut into bands and chunks, which two threads share."""
    patch.setattr(tiling, "SMALL_IMAGE", 1)
    patch.setattr(tiling, "FEW_ROWS", 1)
    patch.setattr(tiling, "WORTH_SHARING", 0)
    patch.setattr(threads, "WORTH_SHARING", 0)
    patch.setattr(threads, "CHUNK", 7)
    patch.setattr(normalization, "WORK_ELEMENTS", 20)
    for module in (tiling, convolution):
        patch.setattr(module, "TILE_BYTES", 100)
    threads.num_threads()
    patch.setattr(threads._crew, "count", 2)


def small_images_in_pairs(patch):
    """Every image is a small one, and a few share a matrix product."""
    patch.setattr(tiling, "SMALL_IMAGE", 1000)
    patch.setattr(tiling, "WORTH_SHARING", 0)


@pytest.mark.parametrize("name", NAMES)
def test_numpy_computes_what_the_loops_define_whatever_the_plan(name):
    @given(ARGUMENTS[name])
    @settings(max_examples=100, deadline=None)
    def check(arguments):
        expected = outputs(reference, name, arguments)
        for plan in (usual, tiny_tiles, small_images_in_pairs):
            with pytest.MonkeyPatch.context() as patch:
                plan(patch)
                found = outputs(cpu, name, arguments)
            for a, b in zip(found, expected, strict=True):
                assert (a.shape, a.dtype) == (b.shape, b.dtype), plan.__name__
                np.testing.assert_allclose(a, b, 1e-12, 1e-12, err_msg=plan.__name__)

    check()


@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_float32_and_arguments_stay_as_they_are(name):
    @given(ARGUMENTS[name])
    @settings(max_examples=20, deadline=None)
    def check(arguments):
        single = to_float32(arguments)
        kept = [a.copy() if isinstance(a, np.ndarray) else a for a in single]
        for module in (kernels, reference, cpu):
            values, *indices = outputs(module, name, single)
            assert values.dtype == np.float32
            assert all(i.dtype in (np.int64, np.float32) for i in indices)
            expected, *_ = outputs(reference, name, arguments)
            np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-4)
            for a, b in zip(single, kept, strict=True):
                np.testing.assert_array_equal(a, b)
                assert not isinstance(a, np.ndarray) or not np.shares_memory(values, a)

    check()


@pytest.mark.parametrize("name", NAMES)
def test_the_layout_in_memory_does_not_matter_and_a_second_run_gives_the_same_bits(name):
    @given(ARGUMENTS[name])
    @settings(max_examples=20, deadline=None)
    def check(arguments):
        strided = [np.asfortranarray(a) if isinstance(a, np.ndarray) else a for a in arguments]
        results = [outputs(kernels, name, values) for values in (strided, arguments, arguments)]
        for a, b, again in zip(*results, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
            np.testing.assert_array_equal(b, again)

    check()


# --- Adjoint pairs: <A x, y> = <x, A* y> ----------------------------------------------------------


def assert_adjoint(ax, y, x, aty):
    assert ax.shape == y.shape
    assert aty.shape == x.shape
    scale = np.linalg.norm(ax) * np.linalg.norm(y) + np.linalg.norm(x) * np.linalg.norm(aty)
    assert abs((ax * y).sum() - (x * aty).sum()) <= 1e-12 * scale


@IMPLEMENTATIONS
@given(im2col(), GENERATORS)
@settings(max_examples=60, deadline=None)
def test_im2col_and_col2im(kernel, arguments, rng):
    x, _, *settings = arguments
    columns = kernel.im2col(*arguments)
    y = rng.standard_normal(columns.shape)
    assert_adjoint(columns, y, x, kernel.col2im(y, x.shape[2:], *settings))


def outputs_left_out(x, weight, settings):
    """The output_padding with which the transposed convolution gets back to the size of x."""
    return tuple(map(geometry.conv_remainder, x.shape[2:], weight.shape[2:], *settings[:3]))


@IMPLEMENTATIONS
@given(convolutions())
@settings(max_examples=60, deadline=None)
def test_conv2d_and_conv_transpose2d(kernel, case):
    x, weight, y, settings = case
    rest = outputs_left_out(x, weight, settings)
    back = kernel.conv_transpose2d(y, weight, *settings[:2], rest, *settings[2:])
    assert_adjoint(kernel.conv2d(x, weight, *settings), y, x, back)


@IMPLEMENTATIONS
@given(convolutions())
@settings(max_examples=60, deadline=None)
def test_both_convolutions_and_conv2d_weight(kernel, case):
    x, weight, y, settings = case
    to_weight = kernel.conv2d_weight(x, y, weight.shape[2:], *settings)
    assert_adjoint(kernel.conv2d(x, weight, *settings), y, weight, to_weight)
    rest = outputs_left_out(x, weight, settings)
    back = kernel.conv_transpose2d(y, weight, *settings[:2], rest, *settings[2:])
    assert_adjoint(back, x, weight, to_weight)


@IMPLEMENTATIONS
@given(conv1x1(), GENERATORS)
@settings(max_examples=30, deadline=None)
def test_conv1x1_its_transpose_and_conv1x1_weight(kernel, arguments, rng):
    x, weight = arguments
    y = rng.standard_normal((len(x), len(weight), *x.shape[2:]))
    found = kernel.conv1x1(x, weight)
    assert_adjoint(found, y, x, kernel.conv1x1(y, weight.T))
    assert_adjoint(found, y, weight, kernel.conv1x1_weight(x, y))


@IMPLEMENTATIONS
@given(gather(), GENERATORS)
@settings(max_examples=60, deadline=None)
def test_gather_and_unpool_with_duplicates(kernel, arguments, rng):
    x, indices = arguments
    y = rng.standard_normal(indices.shape)
    assert_adjoint(kernel.gather(x, indices), y, x, kernel.unpool(y, indices, x.shape[2:]))


@IMPLEMENTATIONS
@given(resize(), GENERATORS)
@settings(max_examples=60, deadline=None)
def test_resize_and_resize_adjoint(kernel, arguments, rng):
    x, _, *settings = arguments
    found = kernel.resize(*arguments)
    y = rng.standard_normal(found.shape)
    assert_adjoint(found, y, x, kernel.resize_adjoint(y, x.shape[2:], *settings))


# --- What the definitions mean --------------------------------------------------------------------


@IMPLEMENTATIONS
def test_convolution_by_hand_is_not_flipped(kernel):
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    weight = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    y = kernel.conv2d(x, weight, (1, 1), (0, 0), (1, 1), 1)
    assert y[0, 0, 0, 0] == 1 * 0 + 2 * 1 + 3 * 3 + 4 * 4
    np.testing.assert_array_equal(y[0, 0], [[27, 37], [57, 67]])


@IMPLEMENTATIONS
def test_transposed_convolution_by_hand_stamps_the_kernel(kernel):
    y = np.zeros((1, 1, 2, 2))
    y[0, 0, 0, 1] = 10
    weight = np.array([[[[1.0, 2.0, 3.0]]]])  # one row: height and width differ
    x = kernel.conv_transpose2d(y, weight, (3, 2), (0, 1), (0, 0), (1, 1), 1)
    np.testing.assert_array_equal(x[0, 0], [[0, 10, 20], [0, 0, 0], [0, 0, 0], [0, 0, 0]])


@IMPLEMENTATIONS
@given(convolutions())
@settings(max_examples=40, deadline=None)
def test_a_transposed_convolution_is_a_convolution_of_the_zero_stuffed_image(kernel, case):
    """Dumoulin and Visin (2016), section 4: stuff with zeros, pad k - 1 - p, turn the kernel."""
    _, weight, y, (stride, _, dilation, _) = case
    weight = weight[:, :1]  # one group: every output channel f reaches one input channel
    full = tuple(d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True))
    for padding in ((0, 0), (full[0], full[1] // 2)):
        size = geometry.transpose_output_pair(
            y.shape[2:], weight.shape[2:], stride, padding, (0, 0), dilation
        )
        if min(size) < 1:
            continue
        stuffed_size = ((n - 1) * s + 1 for n, s in zip(y.shape[2:], stride, strict=True))
        stuffed = np.zeros((*y.shape[:2], *stuffed_size))
        stuffed[:, :, :: stride[0], :: stride[1]] = y
        turned = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
        rest = (full[0] - padding[0], full[1] - padding[1])
        np.testing.assert_allclose(
            kernel.conv_transpose2d(y, weight, stride, padding, (0, 0), dilation, 1),
            kernel.conv2d(stuffed, turned, (1, 1), rest, dilation, 1),
            rtol=1e-12,
            atol=1e-12,
        )


def pool(kernel, plane, kernel_size=(2, 2), stride=(2, 2), padding=(0, 0), ceil_mode=False):
    x = np.array(plane, float)[None, None]
    values, indices = kernel.max_pool2d(x, kernel_size, stride, padding, (1, 1), ceil_mode)
    return values[0, 0].tolist(), indices[0, 0].tolist()


@IMPLEMENTATIONS
def test_the_first_of_several_maxima_wins(kernel):
    assert pool(kernel, [[1, 1], [1, 1]]) == ([[1]], [[0]])
    assert pool(kernel, [[0, 3], [3, 3]]) == ([[3]], [[1]])
    assert pool(kernel, np.zeros((3, 3)), (3, 3)) == ([[0]], [[0]])


@IMPLEMENTATIONS
def test_a_window_of_minus_infinity_points_at_its_first_pixel(kernel):
    nothing = np.full((3, 3), -np.inf)
    assert pool(kernel, nothing, padding=(1, 1)) == ([[-np.inf] * 2] * 2, [[0, 1], [3, 4]])
    assert pool(kernel, nothing) == ([[-np.inf]], [[0]])
    assert pool(kernel, [[-np.inf, -np.inf], [-np.inf, -5]]) == ([[-5]], [[3]])


@IMPLEMENTATIONS
def test_the_padding_never_wins(kernel):
    assert pool(kernel, [[-3, -2], [-1, -4]], padding=(1, 1)) == (
        [[-3, -2], [-1, -4]],
        [[0, 1], [2, 3]],
    )


@IMPLEMENTATIONS
@pytest.mark.parametrize("position", range(4))
def test_nan_wins(kernel, position):
    plane = np.array([5.0, np.inf, -np.inf, 7.0])
    plane[position] = np.nan
    values, indices = pool(kernel, plane.reshape(2, 2))
    assert np.isnan(values[0][0])
    assert indices == [[position]]


@IMPLEMENTATIONS
def test_duplicate_indices_sum(kernel):
    y, indices = np.array([[[[1.0, 2.0, 4.0]]]]), np.array([[[[3, 0, 3]]]])
    np.testing.assert_array_equal(kernel.unpool(y, indices, (2, 2))[0, 0], [[2, 0], [0, 5]])


@IMPLEMENTATIONS
def test_batch_norm_of_few_numbers(kernel):
    x, weight, bias = np.array([[[[5.0]], [[7.0]]]]), np.array([2.0, 3.0]), np.array([1.0, -1.0])
    y, mean, var = kernel.batch_norm(x, weight, bias, 0.25)
    assert [a.tolist() for a in (y.ravel(), mean, var)] == [[1, -1], [5, 7], [0, 0]]
    x = np.array([[[[1.0, 3.0]]]])  # mean 2, variance 1: normalised to -0.5 and 0.5 by eps = 3
    y, mean, var = kernel.batch_norm(x, weight[:1], bias[:1], 3.0)
    assert [a.tolist() for a in (y.ravel(), mean, var)] == [[0, 2], [2], [1]]
    g = np.array([[[[1.0, 0.0]]]])
    parts = kernel.batch_norm_gradient(g, x, weight[:1], mean, var, 3.0)
    assert [a.ravel().tolist() for a in parts] == [[0.375, -0.375], [-0.5], [1]]


@IMPLEMENTATIONS
def test_resizing_by_hand(kernel):
    """The example of torch.nn.functional.interpolate: [[1, 2], [4, 5]], four columns wide."""
    x = np.array([[[[1.0, 2.0], [4.0, 5.0]]]])
    wide = lambda steps, *mode: kernel.resize(x, (2, 4), steps, *mode)[0, 0, 0]
    np.testing.assert_allclose(wide((1.0, 1 / 3), "bilinear", True), [1, 4 / 3, 5 / 3, 2])
    np.testing.assert_allclose(wide((1.0, 0.5), "bilinear", False), [1, 1.25, 1.75, 2])
    np.testing.assert_allclose(wide((1.0, 0.5), "nearest", False), [1, 1, 2, 2])


# --- Refused arguments ----------------------------------------------------------------------------


X, W, Y = np.zeros((2, 4, 5, 6)), np.zeros((6, 4, 3, 3)), np.zeros((2, 6, 3, 4))
INDICES = np.zeros((2, 4, 2, 2), np.int64)
SINGLE = np.float32

TYPE_ERRORS = [
    ("conv2d", (X.astype(int), W), "x must be float32 or float64; got int64"),
    ("conv2d", (X.astype(np.float16), W), "x must be float32 or float64"),
    ("conv2d", (X, W.astype(int)), "weight must be float32 or float64"),
    ("conv2d", (X, W.astype(SINGLE)), "x is float64 but weight is float32"),
    ("conv2d_weight", (X, Y.astype(SINGLE), 3), "x is float64 but y"),
    ("im2col", ([[1.0]], 2), "x must be an array; got list"),
    ("im2col", (X, 2, 1.5), "stride must be a whole number"),
    ("gather", (X, INDICES.astype(float)), "indices must be int64"),
    ("gather", (X, INDICES.astype(np.int32)), "indices must be int64"),
    ("resize", (X, None, (1, 1)), "size must be a whole number or a pair"),
]  # fmt: skip

VALUE_ERRORS = [
    ("conv2d", (X[0], W), "x must have 4 axes"),
    ("conv2d", (X, W[0, 0]), "weight must have 4 axes"),
    ("col2im", (X, 5), "columns must have 6 axes"),
    ("max_pool2d", (X[0], 2), "x must have 4 axes"),
    ("gather", (X[0], INDICES), "x must have 4 axes"),
    ("unpool", (X[0], INDICES, 2), "y must have 4 axes"),
    ("resize", (X[0], 2, (1, 1)), "x must have 4 axes"),
    ("resize_adjoint", (X[0], 2, (1, 1)), "y must have 4 axes"),
    ("conv2d", (X, W[:, :3]), "weight must have 4 input channels"),
    ("conv2d", (X, W, 1, 0, 1, 2), "weight must have 2 input channels"),
    ("conv_transpose2d", (Y, W[:5]), "weight must have kernels for 6 input"),
    ("conv1x1", (X, np.zeros((3, 5))), "weight must have shape"),
    ("conv1x1", (X, W), "weight must have 2 axes"),
    ("conv1x1_weight", (X, Y), "y must have shape"),
    ("conv1x1_weight", (X, X[:1]), "y must have shape"),
    ("conv2d", (X, W, 1, 0, 1, 3), "groups must divide the input"),
    ("conv2d", (X, W[:5, :2], 1, 0, 1, 2), "groups must divide the outputs"),
    ("conv_transpose2d", (Y, W, 1, 0, 0, 1, 4), "groups must divide the"),
    ("conv2d_weight", (X, Y, 3, 1, 0, 1, 4), "groups must divide the"),
    ("conv2d", (X, W, 1, 0, 1, 0), "groups must be a whole number of at least 1"),
    ("conv2d", (X, W, 1, 0, 1, 0.5), "groups must be a whole number"),
    ("conv2d", (X[:, :, :2], W), "weight must fit into the padded input"),
    ("im2col", (X, 3, 1, 0, 3), "kernel_size must fit into the padded"),
    ("conv2d", (X, W, 0), "stride must be at least 1; got 0"),
    ("conv2d", (X, W, (1, -1)), "stride must be at least 1"),
    ("conv2d", (X, W, 1, -1), "padding must be at least 0"),
    ("conv2d", (X, W, 1, 0, 0), "dilation must be at least 1"),
    ("im2col", (X, 0), "kernel_size must be at least 1"),
    ("unpool", (X[..., :2, :2], INDICES, 0), "size must be at least 1"),
    ("col2im", (np.zeros((1, 1, 2, 2, 3, 3)), 5), "columns must have shape"),
    ("conv2d_weight", (X, Y[..., :3], 3), "y must have shape"),
    ("conv2d_weight", (X, Y[:1], 3), "y must have shape"),
    ("conv_transpose2d", (Y, W, 2, 0, 2), "output_padding must be smaller than"),
    ("conv_transpose2d", (Y, W, 2, 0, -1), "output_padding must be at"),
    ("conv_transpose2d", (Y, W, 1, 4), "padding .* leaves nothing"),
    ("max_pool2d", (X, 2, 2, (2, 0)), "padding must be at most half of"),
    ("max_pool2d", (X, 6), "kernel_size must fit into the padded input"),
    ("max_pool2d", (X[:, :, :2], (2, 1), 1, (1, 0), 3), ".*kernel_size"),
    ("gather", (X, INDICES + 30), r"indices must be in \[0, 30\)"),
    ("gather", (X, INDICES - 1), r"indices must be in \[0, 30\)"),
    ("unpool", (X[..., :2, :2], INDICES + 6, (2, 3)), "indices must be in"),
    ("unpool", (X, INDICES, 5), "indices must have shape"),
    ("gather", (X, INDICES[..., 0, 0]), "indices must have shape"),
    ("gather", (X, INDICES[:1]), "indices must have shape"),
    ("resize", (X, 2, (1, 1), "cubic"), "mode must be 'nearest' or 'bilinear'; got 'cubic'"),
    ("resize_adjoint", (X, 2, (1, 1), "area"), "mode must be 'nearest' or 'bilinear'"),
    ("resize", (X[:, :, :0], 2, (1, 1)), "x must have at least one pixel"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arguments", "message", "error"),
    [(*row, TypeError) for row in TYPE_ERRORS] + [(*row, ValueError) for row in VALUE_ERRORS],
)
def test_a_wrong_argument_is_named_in_one_line(name, arguments, message, error):
    with pytest.raises(error, match=rf"^{message}.*$") as caught:
        getattr(kernels, name)(*arguments)
    assert "\n" not in str(caught.value)


# --- Who computes ---------------------------------------------------------------------------------


def test_each_implementation_can_be_asked_for(monkeypatch):
    for module in (reference, cpu, gpu):
        monkeypatch.setattr(module, "relu", lambda x, name=module.__name__: name.split(".")[-1])
    assert kernels.relu(X) == "cpu"
    with kernels.use("gpu"):
        assert kernels.relu(X) == "gpu"
        with kernels.use("reference"):
            assert kernels.relu(X) == "reference"
        assert kernels.relu(X) == "gpu"
    assert kernels.relu(X) == "cpu"


def test_an_object_with_the_kernels_can_be_asked_for():
    class Doubling:
        def relu(self, x):
            return 2 * cpu.relu(x)

    with kernels.use(Doubling()):
        np.testing.assert_array_equal(kernels.relu(X), 2 * np.maximum(X, 0))
    np.testing.assert_array_equal(kernels.relu(X), np.maximum(X, 0))


def test_an_implementation_that_does_not_exist():
    with pytest.raises(ValueError, match="^implementation must be one of reference, cpu, gpu; got"):
        kernels.use("cuda").__enter__()
