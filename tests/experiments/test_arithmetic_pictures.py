import numpy as np
import pytest
from PIL import Image

from minifcn.experiments.arithmetic.pictures import (
    direct_panel,
    plot_direct,
    plot_transposed,
    transposed_panel,
)
from minifcn.plots.grids import BETWEEN, EXTRA, PADDING

ODD = (6, 3, 2, 1, 1)  # i, k, s, p, d
CASES = [(4, 3, 1, 0, 1), (5, 4, 1, 2, 1), (5, 3, 2, 1, 1), ODD, (6, 2, 2, 0, 1), (7, 3, 1, 0, 2)]


def links(sizes):
    """Count by the definition which pixel of the larger grid is in which window."""
    i, k, s, p, d = sizes
    o = len(range(0, i + 2 * p - d * (k - 1), s))
    over, within = np.zeros((i, i), int), np.zeros((o, o), int)
    for row, column, down, across in np.ndindex(o, o, k, k):
        pixel = row * s - p + down * d, column * s - p + across * d
        if min(pixel) >= 0 and max(pixel) < i:
            over[pixel] += 1
            within[row, column] += 1
    return over, within


@pytest.mark.parametrize("sizes", CASES, ids=str)
def test_the_numbers_are_those_of_counting(sizes):
    i, p = sizes[0], sizes[3]
    over, within = links(sizes)
    panel = direct_panel("", sizes)
    np.testing.assert_array_equal(panel.input.cells[p : p + i, p : p + i], over)
    assert (panel.input.cells == PADDING).sum() == (i + 2 * p) ** 2 - i**2
    np.testing.assert_array_equal(panel.output.cells, within)
    panel = transposed_panel("", sizes)
    np.testing.assert_array_equal(panel.output.cells, over)
    stuffed = panel.input.cells
    np.testing.assert_array_equal(stuffed[stuffed >= 0], within.ravel())


@pytest.mark.parametrize("sizes", CASES, ids=str)
def test_windows_over_what_is_drawn_count_the_same(sizes):
    """A window of the stuffed input, moved by 1, covers as many pixels as are drawn below it."""
    k, d = sizes[1], sizes[4]
    panel = transposed_panel("", sizes)
    pixels = panel.input.cells >= 0
    size = len(pixels) - d * (k - 1)
    found = [
        [pixels[r : r + d * k : d, c : c + d * k : d].sum() for c in range(size)]
        for r in range(size)
    ]
    np.testing.assert_array_equal(panel.output.cells, found)


def test_the_odd_figure_is_padded_at_the_bottom_and_the_right():
    cells = transposed_panel("", ODD).input.cells
    assert cells.shape == (8, 8)
    extra = cells == EXTRA
    assert extra[-1].all()
    assert extra[:, -1].all()
    assert extra.sum() == 15
    assert (cells[1:6, 1:6][::2, ::2] > 0).all()
    assert (cells[1:6, 1:6] == BETWEEN).sum() == 25 - 9
    assert (cells[0, :-1] == PADDING).all()


def test_the_last_window_is_marked():
    panel = direct_panel("", ODD)
    assert panel.input.marked.sum() == 9
    assert panel.input.marked[4:7, 4:7].all()
    assert panel.output.marked.sum() == panel.output.marked[2, 2] == 1
    panel = direct_panel("", (7, 3, 1, 0, 2))
    assert panel.input.marked[2:7:2, 2:7:2].sum() == panel.input.marked.sum() == 9
    panel = transposed_panel("", ODD)
    assert panel.input.marked[5:, 5:].sum() == panel.input.marked.sum() == 9
    assert panel.output.marked.sum() == panel.output.marked[5, 5] == 1


def test_titles_and_names():
    panel = transposed_panel("odd", ODD)
    assert panel.title == "odd: k=3, s=2, p=1, a=1"
    assert (panel.input.name, panel.output.name) == ("input 3×3", "output 6×6")
    panel = direct_panel("dilated", (7, 3, 1, 0, 2))
    assert panel.title == "dilated: k=3, s=1, p=0, d=2"
    assert (panel.input.name, panel.output.name) == ("input 7×7", "output 3×3")


@pytest.mark.parametrize("plot", [plot_direct, plot_transposed])
def test_pictures_are_a_page_wide_and_the_same_each_time(plot, tmp_path):
    figures = [("one", CASES[0]), ("odd", ODD), ("k = s", CASES[4])]
    for name in ("a.png", "b.png"):
        plot(tmp_path / name, figures)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert pixels.shape[1] == 1280
    border = np.concatenate([pixels[:, 0], pixels[:, -1], pixels[0], pixels[-1]])
    assert (border == 255).all()  # nothing is cut off
    colourful = np.ptp(pixels, axis=2) > 50
    assert colourful.mean() > 0.02


@pytest.mark.parametrize("plot", [plot_direct, plot_transposed])
def test_every_number_is_written_in_its_cell(plot, tmp_path, drawn):
    plot(tmp_path / "x.png", [("odd", ODD)])
    (axes,) = drawn[0].axes
    panel = (direct_panel if plot is plot_direct else transposed_panel)("odd", ODD)
    texts = [text.get_text() for text in axes.texts]
    assert {panel.title, panel.input.name, panel.output.name} <= set(texts)
    counts = [*panel.input.cells.ravel(), *panel.output.cells.ravel()]
    expected = [{PADDING: "", BETWEEN: "0", EXTRA: "a"}.get(n, str(n)) for n in counts]
    assert sorted(t for t in texts if 0 < len(t) < 3) == sorted(filter(None, expected))
    names = [type(patch).__name__ for patch in axes.patches]
    assert names.count("Circle") == panel.output.cells.size
    assert names.count("Rectangle") == panel.input.cells.size


@pytest.mark.parametrize("plot", [plot_direct, plot_transposed])
def test_no_figures_are_an_error(plot, tmp_path):
    with pytest.raises(ValueError, match="panels must hold at least one panel, got none"):
        plot(tmp_path / "x.png", [])


def test_padding_that_would_be_a_crop_is_an_error():
    with pytest.raises(ValueError, match=r"padding must be at most d\(k - 1\) .* got 2 for k=2"):
        transposed_panel("", (6, 2, 2, 2, 1))
