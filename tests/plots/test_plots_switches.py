"""Switches: arrows and numbers are those of the kernels."""

import re

import numpy as np
import pytest
from PIL import Image

from minifcn.plots.pooled import pool, ways_back
from minifcn.plots.switches import plot_switches, plot_ways_back

PLANE = np.array([[12, 30, 21, 15], [44, 25, 73, 61], [28, 57, 22, 26], [11, 10, 35, 83]])
CASES = [(2, None, 0), (3, 1, 0), (3, 2, 1)]


def by_hand(plane, kernel, stride, padding):
    """Every window's largest number and the place of the first of them, by looking."""
    stride = kernel if stride is None else stride
    padded = np.pad(plane.astype(float), padding, constant_values=-np.inf)
    places = np.pad(np.arange(plane.size).reshape(plane.shape), padding, constant_values=-1)
    count = [(n - kernel) // stride + 1 for n in padded.shape]
    values, switches = np.empty(count), np.empty(count, int)
    for row, column in np.ndindex(*count):
        window = np.s_[
            row * stride : row * stride + kernel, column * stride : column * stride + kernel
        ]
        values[row, column] = padded[window].max()
        switches[row, column] = places[window].ravel()[padded[window].argmax()]
    return values, switches


def random_plane(shape=(6, 6), seed=0):
    """Numbers from -3 to 3: with ties and negative ones."""
    return np.random.default_rng(seed).integers(-3, 4, shape)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("plane", [PLANE, random_plane(), random_plane((5, 7))], ids=str)
def test_values_and_switches(plane, case):
    values, switches = by_hand(plane, *case)
    pooled = pool(plane, *case)
    np.testing.assert_array_equal(pooled.values, values)
    np.testing.assert_array_equal(pooled.switches, switches)


@pytest.mark.parametrize("kernel", [1, 2, 3])
def test_three_ways_back(kernel):
    plane = random_plane()
    values, switches = by_hand(plane, kernel, None, 0)
    nearest, nails, switched = ways_back(plane, kernel).values()
    np.testing.assert_array_equal(nearest, np.kron(values, np.ones((kernel, kernel))))
    corner = np.zeros((kernel, kernel))
    corner[0, 0] = 1
    np.testing.assert_array_equal(nails, np.kron(values, corner))
    expected = np.zeros(plane.size)
    expected[switches.ravel()] = values.ravel()
    np.testing.assert_array_equal(switched.ravel(), expected)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def circles(axes):
    return [patch for patch in axes.patches if type(patch).__name__ == "Circle"]


def squares(axes):
    return [patch for patch in axes.patches if type(patch).__name__ == "Rectangle"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_arrow_from_each_winner_to_its_value(case, tmp_path, drawn):
    plot_switches(tmp_path / "a.png", PLANE, *case)
    axes = drawn[0].axes[0]
    values, switches = by_hand(PLANE, *case)
    corner = np.array(squares(axes)[0].get_xy())
    arrows = [note for note in axes.texts if getattr(note, "arrow_patch", None)]
    assert len(arrows) == values.size
    for arrow, switch, circle in zip(arrows, switches.ravel(), circles(axes), strict=True):
        column, row = np.array(arrow.xyann) - corner - 0.5
        assert round(row) * PLANE.shape[1] + round(column) == switch
        assert tuple(arrow.xy) == tuple(circle.center)
    numbers = [text for text in texts(axes) if re.fullmatch(r"\d+", text)]
    assert numbers == [str(n) for n in PLANE.ravel()] + [f"{n:g}" for n in values.ravel()]
    named = [text for text in texts(axes) if text.startswith("switch ")]
    assert named == [f"switch {n}" for n in switches.ravel()]
    thick = [n for n, square in enumerate(squares(axes)) if square.get_linewidth() > 1]
    assert thick == sorted(set(switches.ravel().tolist()))


@pytest.mark.parametrize("kernel", [2, 3])
def test_every_number_is_in_its_cell(kernel, tmp_path, drawn):
    plane = random_plane()
    plot_ways_back(tmp_path / "a.png", plane, kernel)
    axes = drawn[0].axes[0]
    grids = [plane, pool(plane, kernel).values, *ways_back(plane, kernel).values()]
    numbers = [text for text in texts(axes) if re.fullmatch(r"−?\d+", text)]
    assert numbers == [f"{n:g}".replace("-", "−") for grid in grids for n in grid.ravel()]
    assert len(squares(axes)) == plane.size
    computed = np.concatenate([grid.ravel() for grid in grids[1:]])
    for circle, value in zip(circles(axes), computed, strict=True):
        white = circle.get_facecolor()[:3] == (1, 1, 1)
        assert white == (value == 0)
    same = np.concatenate([((g == plane) & (g != 0)).ravel() for g in grids[2:]])
    thick = [circle.get_linewidth() > 1 for circle in circles(axes)[grids[1].size :]]
    np.testing.assert_array_equal(thick, same)


def test_windows_that_are_not_square(tmp_path, drawn):
    plane = random_plane((4, 6))
    plot_switches(tmp_path / "a.png", plane, (2, 3), stride=(2, 1))
    plot_ways_back(tmp_path / "b.png", plane, (2, 3))
    for figure in drawn:
        assert "largest of each 2×3 window" in texts(figure.axes[0])
    assert any(text.startswith("Stride 2×1.") for text in texts(drawn[0].axes[0]))
    pooled = pool(plane, (2, 3))
    expected = plane.reshape(2, 2, 2, 3).max(axis=(1, 3))
    np.testing.assert_array_equal(pooled.values, expected)
    nearest, nails, switched = ways_back(plane, (2, 3)).values()
    np.testing.assert_array_equal(nearest, np.kron(expected, np.ones((2, 3))))
    np.testing.assert_array_equal(nails, np.kron(expected, [[1, 0, 0], [0, 0, 0]]))
    assert (switched.ravel()[pooled.switches] == expected).all()
    with pytest.raises(ValueError, match=r"multiples of \(2, 4\); got shape \(4, 6\)"):
        plot_ways_back(tmp_path / "c.png", plane, (2, 4))
    with pytest.raises(TypeError, match="kernel_size must be a whole number or a pair of them"):
        plot_ways_back(tmp_path / "c.png", plane, (2, 2, 2))


@pytest.mark.parametrize("plot", [plot_switches, plot_ways_back])
@pytest.mark.parametrize("scale", [1, 1000, 649_000, 1e-7])
def test_numbers_fit_into_their_cells(plot, scale, tmp_path, drawn):
    plane = np.random.default_rng(0).standard_normal((6, 6)) * scale
    plot(tmp_path / "a.png", plane)
    axes, renderer = drawn[0].axes[0], drawn[0].canvas.get_renderer()
    side = squares(axes)[0].get_window_extent(renderer).width
    numbers = [text for text in axes.texts if re.fullmatch(r"[−\d.e]+", text.get_text())]
    assert len(numbers) >= 36 + 9
    for number, value in zip(numbers, plane.ravel(), strict=False):
        assert float(number.get_text().replace("−", "-")) == pytest.approx(value, rel=0.5)
    for number in numbers:
        assert number.get_window_extent(renderer).width < 0.95 * side
        assert number.get_fontsize() >= 6.5


def test_a_number_that_fits_into_no_cell(tmp_path):
    with pytest.raises(ValueError, match="numbers that fit into their cells; got -6e-120"):
        plot_switches(tmp_path / "a.png", np.full((2, 2), -6e-120))


@pytest.mark.parametrize("plot", [plot_switches, plot_ways_back])
@pytest.mark.parametrize("size", [2, 4, 6])
def test_nothing_is_cut_off(plot, size, tmp_path):
    plane = random_plane((size, size)) + 0.25
    for name in ("a.png", "b.png"):
        plot(tmp_path / name, plane)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] == 1280
    for edge in (pixels[:, 0], pixels[:, -1], pixels[0], pixels[-1]):
        assert (edge == 255).all()


@pytest.mark.parametrize("plot", [plot_switches, plot_ways_back])
@pytest.mark.parametrize(
    ("plane", "message"),
    [
        (np.ones(4), "plane must be (H, W) of finite numbers; got shape (4,)"),
        (np.full((2, 2), np.nan), "plane must be (H, W) of finite numbers"),
        (np.ones((10, 10)), "plane must be at most 6x6 to be drawn; got shape (10, 10)"),
    ],
)
def test_planes_that_cannot_be_drawn(plot, plane, message, tmp_path):
    with pytest.raises(ValueError, match=re.escape(message)):
        plot(tmp_path / "a.png", plane)


def test_windows_that_do_not_fit(tmp_path):
    with pytest.raises(
        ValueError, match=re.escape("plane must be of multiples of 2; got shape (3, 4)")
    ):
        plot_ways_back(tmp_path / "a.png", np.ones((3, 4)))
    with pytest.raises(ValueError, match="kernel_size"):
        plot_switches(tmp_path / "a.png", np.ones((3, 3)), 4)
