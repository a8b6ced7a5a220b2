"""Tiles: at realistic sizes, several to an image, against sums over sliding windows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from minifcn import kernels
from minifcn.kernels import geometry
from minifcn.kernels.cpu import threads
from minifcn.kernels.cpu import windows as tiling
from minifcn.kernels.cpu.threads import planes
from minifcn.kernels.cpu.windows import TILE_BYTES, Windows

# name: shape of x, filters, kernel size, (stride, padding, dilation, groups), kernel rows laid out,
# images in the first tile, number of tiles
CASES = {
    "3x3": ((2, 16, 70, 130), 8, (3, 3), ((1, 1), (1, 1), (1, 1), 1), 1, 1, 4),
    "3x3, float64 bands": ((1, 40, 70, 130), 4, (3, 3), ((1, 1), (1, 1), (1, 1), 1), 1, 1, 5),
    "groups": ((2, 24, 70, 130), 8, (3, 5), ((1, 1), (2, 1), (1, 1), 4), 1, 1, 10),
    "dilated": ((1, 24, 70, 130), 8, (3, 3), ((1, 1), (4, 2), (4, 2), 2), 1, 1, 3),
    "more padding than kernel": ((1, 24, 30, 40), 4, (3, 3), ((1, 1), (9, 50), (1, 1), 1), 1, 1, 2),
    "three channels": ((3, 3, 70, 130), 8, (3, 3), ((1, 1), (1, 1), (1, 1), 1), 3, 1, 3),
    "7x7 of three channels": ((1, 3, 170, 230), 4, (7, 7), ((1, 1), (3, 3), (1, 1), 1), 1, 1, 4),
    "strided": ((2, 20, 70, 130), 8, (3, 3), ((2, 2), (1, 1), (1, 1), 1), 3, 1, 4),
    "strided, dilated, groups": ((1, 40, 70, 131), 8, (3, 2), ((2, 1), (3, 4), (2, 3), 2), 3, 1, 5),
    "1x1": ((2, 40, 70, 130), 8, (1, 1), ((1, 1), (0, 0), (1, 1), 1), 1, 1, 4),
    "1x1, groups": ((2, 40, 70, 130), 8, (1, 1), ((1, 1), (0, 0), (1, 1), 4), 1, 1, 4),
    "1x1, strided": ((3, 40, 70, 130), 8, (1, 1), ((2, 3), (1, 0), (1, 1), 1), 1, 1, 3),
    "small images": ((9, 40, 12, 15), 40, (3, 3), ((1, 1), (1, 1), (1, 1), 1), 3, 4, 3),
    "small images, groups": ((9, 40, 9, 9), 8, (3, 3), ((1, 1), (1, 1), (1, 1), 2), 3, 8, 2),
    "small images, far apart": ((9, 8, 2, 3), 8, (3, 3), ((1, 1), (9, 9), (9, 9), 1), 3, 9, 1),
    "small images, strided": ((30, 40, 20, 20), 40, (3, 3), ((2, 2), (1, 1), (1, 1), 1), 3, 7, 5),
    "small images, 1x1": ((9, 256, 12, 15), 256, (1, 1), ((1, 1), (0, 0), (1, 1), 1), 1, 5, 2),
}  # fmt: skip

ALL = pytest.mark.parametrize("name", CASES)


def arrays(name):
    """x, weight, and y of the shape of the output, for one case."""
    shape, filters, kernel_size, settings, *_ = CASES[name]
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    weight = rng.standard_normal((filters, shape[1] // settings[3], *kernel_size))
    out = geometry.output_pair(shape[2:], kernel_size, *settings[:3])
    return x, weight, rng.standard_normal((len(x), filters, *out))


def windows_of(name, x):
    _, filters, kernel_size, settings, *_ = CASES[name]
    return Windows(x, kernel_size, *settings, filters)


def slid(x, kernel_size, stride, padding, dilation, groups):
    """The windows of x (N, G, C / G, OH, OW, KH, KW), by NumPy's own sliding windows."""
    padded = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    extent = [d * (k - 1) + 1 for k, d in zip(kernel_size, dilation, strict=True)]
    view = sliding_window_view(padded, extent, (2, 3))
    view = view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    return view.reshape(len(x), groups, -1, *view.shape[2:])


def assert_close(found, expected):
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


# --- The convolutions -----------------------------------------------------------------------------


@ALL
def test_the_cases_are_laid_out_and_cut_as_they_say(name):
    *_, rows, images, tiles = CASES[name]
    windows = windows_of(name, arrays(name)[0])
    assert windows.laid_out == (rows, CASES[name][2][1])
    assert windows.tiles[0][0] == slice(0, images)
    assert len(windows.tiles) == tiles


@ALL
def test_conv2d(name):
    (x, weight, y), settings = arrays(name), CASES[name][3]
    grouped = weight.reshape(settings[3], -1, *weight.shape[1:])
    view = slid(x, weight.shape[2:], *settings)
    expected = np.einsum("ngcyxij,gfcij->ngfyx", view, grouped, optimize=True).reshape(y.shape)
    assert_close(kernels.conv2d(x, weight, *settings), expected)
    bias = np.linspace(-3, 3, len(weight))
    rectified = np.maximum(expected + bias[:, None, None], 0)
    assert_close(kernels.conv2d(x, weight, *settings, bias, True), rectified)


@ALL
def test_conv2d_weight(name):
    (x, weight, y), settings = arrays(name), CASES[name][3]
    grouped = y.reshape(len(y), settings[3], -1, *y.shape[2:])
    view = slid(x, weight.shape[2:], *settings)
    expected = np.einsum("ngcyxij,ngfyx->gfcij", view, grouped, optimize=True)
    found = kernels.conv2d_weight(x, y, weight.shape[2:], *settings)
    assert_close(found, expected.reshape(weight.shape))


@ALL
def test_conv_transpose2d(name):
    """Each kernel element stamps a shifted, strided copy of y."""
    (x, weight, y), (stride, padding, dilation, groups) = arrays(name), CASES[name][3]
    rest = tuple(
        map(geometry.conv_remainder, x.shape[2:], weight.shape[2:], stride, padding, dilation)
    )
    by_group = y.reshape(len(y), groups, -1, *y.shape[2:])
    kernel = weight.reshape(groups, -1, *weight.shape[1:])
    padded = np.zeros(
        (*x.shape[:2], *(n + 2 * p for n, p in zip(x.shape[2:], padding, strict=True)))
    )
    for i, j in np.ndindex(*weight.shape[2:]):
        top, left = i * dilation[0], j * dilation[1]
        rows = slice(top, top + stride[0] * y.shape[2], stride[0])
        columns = slice(left, left + stride[1] * y.shape[3], stride[1])
        stamp = np.einsum("gfc,ngfyx->ngcyx", kernel[..., i, j], by_group, optimize=True)
        padded[:, :, rows, columns] += stamp.reshape(len(x), -1, *y.shape[2:])
    (ph, pw), (h, w) = padding, x.shape[2:]
    found = kernels.conv_transpose2d(y, weight, stride, padding, rest, dilation, groups)
    assert_close(found, padded[:, :, ph : ph + h, pw : pw + w])


@ALL
@pytest.mark.parametrize("layout", ["backwards", "columns first", "every other", "read-only"])
def test_the_layout_in_memory_does_not_matter(name, layout):
    (x, weight, y), settings = arrays(name), CASES[name][3]

    def laid_out(array):
        if layout == "backwards":
            return array[..., ::-1, ::-1].copy()[..., ::-1, ::-1]
        if layout == "columns first":
            return np.asfortranarray(array)
        if layout == "every other":
            return np.repeat(array, 2, -1)[..., ::2]
        array = array.copy()
        array.flags.writeable = False
        return array

    for function, arguments, more in (
        (kernels.conv2d, (x, weight), settings),
        (kernels.conv2d_weight, (x, y), (weight.shape[2:], *settings)),
    ):
        assert_close(function(*map(laid_out, arguments), *more), function(*arguments, *more))


@ALL
def test_nothing_is_read_before_it_is_written(name, monkeypatch):
    (x, weight, y), settings = arrays(name), CASES[name][3]
    empty = np.empty

    def poisoned(shape, dtype=float):
        array = empty(shape, dtype)
        array.fill(np.nan if array.dtype.kind == "f" else -1)
        return array

    def results():
        yield kernels.conv2d(x, weight, *settings)
        yield kernels.conv2d_weight(x, y, weight.shape[2:], *settings)

    expected = list(results())
    monkeypatch.setattr(np, "empty", poisoned)
    for found, clean in zip(results(), expected, strict=True):
        np.testing.assert_array_equal(found, clean)


# --- Windows --------------------------------------------------------------------------------------


@ALL
def test_matrices_and_weight_are_inverse(name):
    x, weight, _ = arrays(name)
    windows = windows_of(name, x)
    matrices = windows.matrices(weight)
    assert matrices.shape[:2] == (CASES[name][3][3], windows.products)
    np.testing.assert_array_equal(windows.weight(matrices), weight)


@ALL
def test_columns_and_store_are_inverse(name):
    x, _, y = arrays(name)
    windows, copy = windows_of(name, x), np.zeros_like(y)
    for tile in windows.tiles:
        matrix = windows.matrix_of(copy, tile)
        assert matrix.shape[-1] <= windows.most_columns
        matrix[...] = windows.matrix_of(y, tile)
        windows.store(matrix, copy, tile)
    np.testing.assert_array_equal(copy, y)


def plan(n, c, height, width, kernel, stride, dilation, dtype=np.float32):
    """The Windows of a same-padded convolution; x takes no memory."""
    x = np.broadcast_to(np.zeros((), dtype), (n, c, height, width))
    padding = tuple(d * (k // 2) for k, d in zip(kernel, dilation, strict=True))
    return Windows(x, kernel, stride, padding, dilation, 1, 64)


SIDES, CHANNELS = st.integers(1, 600), st.sampled_from([1, 3, 16, 64, 512])
ODD = st.tuples(*[st.sampled_from([1, 3, 5, 7])] * 2)
STEPS = st.tuples(*[st.integers(1, 3)] * 2)


@given(st.integers(0, 40), CHANNELS, SIDES, SIDES, ODD, STEPS, STEPS)
@settings(max_examples=200, deadline=None)
def test_tiles_cover_every_row_of_every_image_once(n, c, height, width, kernel, stride, dilation):
    windows = plan(n, c, height, width, kernel, stride, dilation)
    covered = np.zeros((n, windows.out[0]), int)
    for images, rows in windows.tiles:
        covered[images, rows] += 1
        count, band = images.stop - images.start, rows.stop - rows.start
        assert count == 1 or band == windows.out[0]
        assert count <= windows.tile_shape[0]
        assert band + windows.halo <= windows.tile_shape[1]
        assert count * band * windows.out[1] <= windows.most_columns
    assert (covered == 1).all()


@pytest.mark.parametrize("size", [(8, 9), (16, 16), (45, 60), (90, 120), (360, 480)])
@pytest.mark.parametrize("channels", [3, 16, 64, 128])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
def test_a_tile_takes_about_tile_bytes(size, channels, stride):
    """Less where the batch, or an image, is smaller; more only where the halo would weigh."""
    windows = plan(8, channels, *size, (3, 3), stride, (1, 1))
    taken = windows.workspace().nbytes
    images, rows = windows.tiles[0]
    if rows.stop > max(1, 4 * windows.halo):
        assert taken <= 1.25 * TILE_BYTES
    if len(windows.tiles) > 8:  # images are cut
        assert taken >= TILE_BYTES / 3


def test_what_two_bands_lay_out_twice_is_a_small_part():
    for dilation in ((1, 1), (6, 6), (18, 18)):
        windows = plan(1, 512, 400, 300, (3, 3), (1, 1), dilation)
        assert windows.halo == 2 * dilation[0]
        assert len(windows.tiles) > 1
        _, rows = windows.tiles[0]
        assert windows.halo <= (rows.stop - rows.start) / 3


def test_small_images_share_a_product_and_large_ones_do_not():
    small, large = (plan(8, 64, 16, w, (3, 3), (1, 1), (1, 1)) for w in (15, 16))
    assert small.tiles[0][0] == slice(0, 3)
    assert len(small.tiles) == 3
    assert large.tiles[0][0] == slice(0, 1)
    assert len(large.tiles) == 8


def test_small_images_make_two_tiles_where_that_is_worth_sharing():
    few, many = (plan(n, 64, 8, 8, (3, 3), (1, 1), (1, 1)) for n in (4, 10))
    assert few.elements < tiling.WORTH_SHARING <= many.elements
    assert [len(windows.tiles) for windows in (few, many)] == [1, 2]


# --- Several chunks of planes and pixels ----------------------------------------------------------


SHAPE = (3, 40, 70, 131)  # more than four chunks


def random(*shape):
    return np.random.default_rng(1).standard_normal(shape or SHAPE)


def test_there_are_several_chunks():
    assert np.prod(SHAPE) > 4 * threads.CHUNK
    assert len(planes(random())) > 4
    assert len(threads.chunks(random())) > 4


def test_max_pool2d_gather_and_unpool():
    x = random().round(1)  # ties: 0.1 apart
    padded = np.pad(x, [(0, 0)] * 2 + [(1, 1)] * 2, constant_values=-np.inf)
    view = sliding_window_view(padded, (3, 3), (2, 3))[:, :, ::2, ::2]
    winner = view.reshape(*view.shape[:4], 9).argmax(-1)
    rows = np.arange(view.shape[2])[:, None] * 2 - 1 + winner // 3
    columns = np.arange(view.shape[3]) * 2 - 1 + winner % 3
    values, indices = kernels.max_pool2d(x, 3, 2, 1)
    np.testing.assert_array_equal(values, view.max((-2, -1)))
    np.testing.assert_array_equal(indices, rows * SHAPE[3] + columns)
    np.testing.assert_array_equal(kernels.gather(x, indices), values)
    expected = np.zeros(SHAPE)
    n, c = np.ogrid[: SHAPE[0], : SHAPE[1]]
    np.add.at(expected, (n[..., None, None], c[..., None, None], rows, columns), values)
    assert (np.bincount(indices[0, 0].ravel()) > 1).any()  # duplicates
    assert_close(kernels.unpool(values, indices, SHAPE[2:]), expected)


@pytest.mark.parametrize("kernel_size", [15, 16, 17])
def test_more_kernel_elements_than_a_byte_can_number(kernel_size):
    x = random(1, 2, 40, 40)
    view = sliding_window_view(x, (kernel_size, kernel_size), (2, 3))
    winner = view.reshape(*view.shape[:4], -1).argmax(-1)
    rows = np.arange(view.shape[2])[:, None] + winner // kernel_size
    columns = np.arange(view.shape[3]) + winner % kernel_size
    _, indices = kernels.max_pool2d(x, kernel_size, 1)
    np.testing.assert_array_equal(indices, rows * 40 + columns)


def test_a_nan_in_one_chunk_wins_there_and_nowhere_else():
    x = random()
    clean_values, clean_indices = kernels.max_pool2d(x, 2)
    x[2, 39, 3, 5] = np.nan
    values, indices = kernels.max_pool2d(x, 2)
    assert indices[2, 39, 1, 2] == 3 * SHAPE[3] + 5
    assert np.argwhere(np.isnan(values)).tolist() == [[2, 39, 1, 2]]
    for found, clean in ((values, clean_values), (indices, clean_indices)):
        found[2, 39, 1, 2] = clean[2, 39, 1, 2]
    np.testing.assert_array_equal(values, clean_values)
    np.testing.assert_array_equal(indices, clean_indices)


def test_relu_and_its_gradient():
    x, upstream = random(), random()[..., ::-1, ::-1]
    x[0, :, 5] = 0
    x[1, 1, 1, :3] = [np.nan, np.inf, -np.inf]
    np.testing.assert_array_equal(kernels.relu(x), np.where(x <= 0, 0, x))
    y = kernels.relu(x)
    np.testing.assert_array_equal(kernels.relu_gradient(upstream, y), np.where(y > 0, upstream, 0))


def test_the_gradient_of_relu_is_0_even_for_an_infinite_upstream():
    upstream = np.array([np.inf, np.nan, -np.inf, np.inf])
    found = kernels.relu_gradient(upstream, np.array([0.0, 0, 0, 1]))
    np.testing.assert_array_equal(found, [0, 0, 0, np.inf])


@pytest.mark.parametrize("size", [(0, 4), (3, 0)])
def test_gather_and_unpool_of_nothing(size):
    """As in reference.py."""
    indices = np.zeros((1, 2, *size), np.int64)
    assert kernels.gather(np.zeros((1, 2, 3, 3)), indices).shape == indices.shape
    found = kernels.unpool(np.zeros(indices.shape), indices, 3)
    np.testing.assert_array_equal(found, np.zeros((1, 2, 3, 3)))


def test_channel_sums():
    x = random()
    assert_close(kernels.channel_sums(x), x.sum((0, 2, 3)))
    single = np.random.default_rng(0).random((1, 2, 700, 900), np.float32)
    exact = single.sum((0, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(kernels.channel_sums(single), exact, rtol=1e-5)


def test_cross_entropy_and_its_gradient():
    x, scale = 5 * random(), random(3, 70, 131)
    labels = np.random.default_rng(0).integers(0, 40, scale.shape)
    exponentials = np.exp(x)
    logs = np.log(exponentials.sum(1))
    truth = np.eye(40)[labels].transpose(0, 3, 1, 2)
    losses, found_logs = kernels.cross_entropy(x, labels)
    assert_close(found_logs, logs)
    assert_close(losses, logs - (x * truth).sum(1))
    probabilities = exponentials / exponentials.sum(1, keepdims=True)
    found = kernels.cross_entropy_gradient(x, labels, logs, scale)
    assert_close(found, scale[:, None] * (probabilities - truth))
