import numpy as np
import pytest

from minifcn import kernels
from minifcn.plots.matrices import convolution_matrix, plot_matrices, transposed_matrix

CASES = [
    ((3, 3), 4, 1, 0, 1),
    ((3, 2), (6, 5), 2, 1, 1),
    ((2, 2), (7, 4), (3, 1), (0, 1), (1, 2)),
    ((3, 3), 6, 1, 2, 2),
    ((1, 1), 3, 2, 0, 1),
]
EACH = pytest.mark.parametrize(("kernel", "size", "stride", "padding", "dilation"), CASES)
WEIGHT = np.arange(1.0, 10).reshape(3, 3)


@EACH
def test_c_times_an_image_is_its_convolution(kernel, size, stride, padding, dilation):
    generator = np.random.default_rng(0)
    weight = generator.standard_normal(kernel)
    h, w = size if isinstance(size, tuple) else (size, size)
    x = generator.standard_normal((1, 1, h, w))
    matrix = convolution_matrix(weight, size, stride, padding, dilation)
    y = kernels.conv2d(x, weight[None, None], stride, padding, dilation)
    assert matrix.shape == (y.size, x.size)
    np.testing.assert_allclose(matrix @ x.ravel(), y.ravel(), atol=1e-12)


@EACH
def test_the_transposed_convolution_has_the_transposed_matrix(
    kernel, size, stride, padding, dilation
):
    generator = np.random.default_rng(0)
    weight = generator.standard_normal(kernel)
    direct = convolution_matrix(weight, size, stride, padding, dilation)
    transposed = transposed_matrix(weight, size, stride, padding, dilation)
    np.testing.assert_array_equal(transposed, direct.T)


def test_each_is_made_by_its_own_kernel(monkeypatch):
    """So that a picture shows what the kernels do, even where they are wrong."""
    right = kernels.conv_transpose2d
    monkeypatch.setattr(kernels, "conv_transpose2d", lambda *a: 2 * right(*a))
    assert (transposed_matrix(WEIGHT, 4) == 2 * convolution_matrix(WEIGHT, 4).T).all()


@pytest.mark.parametrize(("size", "stride", "padding"), [(4, 1, 0), (6, 2, 1), (3, 1, 0)])
def test_every_number_of_both_matrices_is_drawn_in_its_place(
    size, stride, padding, tmp_path, drawn
):
    plot_matrices(tmp_path / "c.svg", WEIGHT, size, stride, padding)
    (axes,) = drawn[-1].axes
    numbers = [text for text in axes.texts if text.get_text().isdecimal()]
    matrix = convolution_matrix(WEIGHT, size, stride, padding)
    shown = np.array([int(text.get_text()) for text in numbers])
    np.testing.assert_array_equal(shown[: matrix.size], matrix.ravel())
    np.testing.assert_array_equal(shown[matrix.size :], matrix.T.ravel())
    faint = np.array([text.get_color() == "0.75" for text in numbers])
    np.testing.assert_array_equal(faint, shown == 0)
    for half in (numbers[: matrix.size], numbers[matrix.size :]):
        places = np.array([text.get_position() for text in half])
        assert (np.lexsort((places[:, 0], places[:, 1].round(6))) == np.arange(len(half))).all()


def test_pixels_are_named_and_outputs_are_round(tmp_path, drawn):
    plot_matrices(tmp_path / "c.png", WEIGHT, (3, 4))
    (axes,) = drawn[-1].axes
    names = [text for text in axes.texts if "," in text.get_text() and text.get_bbox_patch()]
    inputs = [f"{row},{column}" for row in range(3) for column in range(4)]
    outputs = ["0,0", "0,1"]
    assert [text.get_text() for text in names] == outputs + inputs + inputs + outputs
    shapes = [type(text.get_bbox_patch().get_boxstyle()).__name__ for text in names]
    assert shapes == ["Round"] * 2 + ["Square"] * 24 + ["Round"] * 2


def test_nothing_lies_outside_the_page(tmp_path, drawn):
    for size, padding in ((3, 0), (4, 0), (6, 1)):
        plot_matrices(tmp_path / "c.png", WEIGHT, size, padding=padding)
        (axes,) = drawn[-1].axes
        page = drawn[-1].bbox
        boxes = [text.get_window_extent() for text in axes.texts]
        frames = (text.get_bbox_patch() for text in axes.texts)
        boxes += [frame.get_window_extent() for frame in frames if frame]
        assert all(page.x0 <= box.x0 and box.x1 <= page.x1 for box in boxes)
        assert all(page.y0 <= box.y0 and box.y1 <= page.y1 for box in boxes)


def test_lines_stand_where_a_row_of_an_image_ends(tmp_path, drawn):
    plot_matrices(tmp_path / "c.png", np.ones((2, 2)), (3, 4))
    (axes,) = drawn[-1].axes
    cells = [patch for patch in axes.patches if patch.get_linewidth() == 0.4]
    direct, transposed = cells[:72], cells[72:]
    ends = iter([line.get_xydata() for line in axes.lines])
    blocks = ((direct, (2, 3), (3, 4)), (transposed, (3, 4), (2, 3)))
    for half, (high, wide), (tall, broad) in blocks:
        (left, top), cell = half[0].get_xy(), half[0].get_width()
        for n in range(high + 1):
            expected = np.array([[0, n * wide], [tall * broad, n * wide]])
            np.testing.assert_allclose((next(ends) - [left, top]) / cell, expected, atol=1e-9)
        for n in range(tall + 1):
            expected = np.array([[n * broad, 0], [n * broad, high * wide]])
            np.testing.assert_allclose((next(ends) - [left, top]) / cell, expected, atol=1e-9)
    assert next(ends, None) is None


@pytest.mark.parametrize(("size", "scale"), [(4, 1), (6, 1e-3), (4, 1e4)])
def test_numbers_stay_in_their_cells(size, scale, tmp_path, drawn):
    weight = scale * np.random.default_rng(0).standard_normal((3, 3))
    plot_matrices(tmp_path / "c.png", weight, size, padding=1)
    (axes,) = drawn[-1].axes
    cell = axes.patches[0].get_window_extent().width
    numbers = [text for text in axes.texts if text.get_va() == "center_baseline"]
    assert len(numbers) == 2 * size**4
    assert max(text.get_window_extent().width for text in numbers) <= cell
    assert min(text.get_fontsize() for text in numbers) > 1.5


@pytest.mark.parametrize("function", [convolution_matrix, transposed_matrix, plot_matrices])
@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (([[1.0]], 3, 0), ValueError, "stride must be at least 1; got 0"),
        ((WEIGHT, 2), ValueError, "weight must fit into the padded input"),
        (([["a"]], 2), TypeError, "weight must hold numbers; got <U1"),
        (([[1j]], 2), TypeError, "weight must hold numbers; got complex128"),
        (([[np.nan]], 2), ValueError, "weight must hold finite numbers"),
        (([[np.inf]], 2), ValueError, "weight must hold finite numbers"),
        (([[1.0], [1, 2]], 2), ValueError, "weight must have rows of one length"),
        (([[1.0]], 2, 1, "a"), TypeError, "padding must be a whole number or a pair"),
        (([[1.0]], 2, 1, 0, 0), ValueError, "dilation must be at least 1; got 0"),
    ],
)
def test_wrong_arguments(function, arguments, kind, message, tmp_path):
    first = (tmp_path / "c.png",) if function is plot_matrices else ()
    with pytest.raises(kind, match=message):
        function(*first, *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0]], 10**6), "the matrix must be at most 36x36"),
        (([[1.0]], 1, 1, 10**6), "padding must be at most 36 to be drawn"),
        (([[1.0]], 1, 10**9, 10**9), "padding must be at most 36 to be drawn"),
    ],
)
def test_what_is_too_large_is_not_made_first(arguments, message, tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "conv2d", lambda *a: pytest.fail("made"))
    with pytest.raises(ValueError, match=message):
        plot_matrices(tmp_path / "c.png", *arguments)


@pytest.mark.parametrize(
    ("weight", "size", "message"),
    [
        (np.ones(3), 4, r"weight must have 2 axes \(KH, KW\); got shape \(3,\)"),
        (WEIGHT, 2, "must fit into the padded input"),
        (WEIGHT, 7, "the matrix must be at most 36x36 to be drawn; got 25x49"),
    ],
)
def test_bad_input(weight, size, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        plot_matrices(tmp_path / "c.png", weight, size)
    assert not list(tmp_path.iterdir())
