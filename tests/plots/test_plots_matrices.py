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
    for size in (3, 4, 5, 6):
        plot_matrices(tmp_path / "c.png", WEIGHT, size)
        (axes,) = drawn[-1].axes
        page = drawn[-1].bbox
        boxes = [text.get_window_extent() for text in axes.texts]
        assert all(page.x0 <= box.x0 and box.x1 <= page.x1 for box in boxes)
        assert all(page.y0 <= box.y0 and box.y1 <= page.y1 for box in boxes)


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
