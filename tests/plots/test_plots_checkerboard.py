import numpy as np
import pytest
from PIL import Image

from minifcn.plots.checkerboard import (
    CountMap,
    OutputRow,
    count_panel,
    plot_counts,
    plot_outputs,
    plot_stamps,
    stamp_counts,
)

COUNTS = np.array([[1, 1, 2, 1, 1]] * 2 + [[2, 2, 4, 2, 2]] + [[1, 1, 2, 1, 1]] * 2)
MAP = CountMap("k=3, s=2", "input", "output", COUNTS, 3, 2)


def make_row(size=14, scales=(1, 2), captions=("A", "B"), from_zero=True):
    plane = np.random.default_rng(0).random((size, size)) + 1
    outputs = [np.kron(plane, np.ones((n, n))) for n in scales]
    return OutputRow("a row", plane, outputs, captions, from_zero)


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def check_nothing_is_cut_off(path):
    pixels = pixels_of(path)
    assert 1200 <= pixels.shape[1] <= 1280
    border = np.concatenate([pixels[:, 0], pixels[:, -1], pixels[0], pixels[-1]])
    assert (border == 255).all()


# -- Stamps --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "s"), [(2, 2), (3, 2), (5, 2), (4, 3), (1, 1)])
def test_stamps_are_counted(k, s):
    starts = range(0, 5 * s, s)
    expected = [sum(start <= x < start + k for start in starts) for x in range(4 * s + k)]
    assert stamp_counts(k, s, 5).tolist() == expected


def test_bars_lie_above_the_outputs_that_they_stamp(tmp_path, drawn):
    plot_stamps(tmp_path / "x.png", [(3, 2)])
    (axes,) = drawn[0].axes
    bars = [patch for patch in axes.patches if patch.get_height() == 0.8]
    pixels = [patch for patch in axes.patches if patch.get_height() == 1]
    circles = [patch for patch in axes.patches if type(patch).__name__ == "Circle"]
    bars = bars[:5]
    left = circles[0].center[0] - 0.5
    assert [bar.get_width() for bar in bars] == [3] * 5
    np.testing.assert_allclose([bar.get_x() - left for bar in bars], [0, 2, 4, 6, 8])
    assert {bar.get_hatch() for bar in bars} == {"", "////"}
    np.testing.assert_allclose(
        [pixel.get_x() + 0.5 for pixel in pixels],
        [bar.get_x() + 1.5 for bar in bars],
    )
    for circle, count in zip(circles, stamp_counts(3, 2, 5), strict=True):
        x = circle.center[0]
        assert sum(bar.get_x() < x < bar.get_x() + 3 for bar in bars) == count
    tops = sorted({round(bar.get_y(), 3) for bar in bars})
    assert len(tops) == 2
    texts = [text.get_text() for text in axes.texts]
    assert "k=3, s=2: uneven, 2 1 repeated" in texts
    assert [t for t in texts if len(t) == 1][-11:] == [str(n) for n in stamp_counts(3, 2, 5)]


def test_bars_of_one_line_do_not_overlap(tmp_path, drawn):
    plot_stamps(tmp_path / "x.png", [(5, 2)])
    bars = [patch for patch in drawn[0].axes[0].patches if patch.get_height() == 0.8]
    for line in {bar.get_y() for bar in bars}:
        ends = sorted((bar.get_x(), bar.get_x() + 5) for bar in bars if bar.get_y() == line)
        assert all(first[1] <= second[0] for first, second in zip(ends, ends[1:], strict=False))


def test_even_is_called_even(tmp_path, drawn):
    plot_stamps(tmp_path / "x.png", [(4, 2), (4, 3)])
    texts = [text.get_text() for text in drawn[0].axes[0].texts]
    assert "k=4, s=2: even, 2 2 repeated" in texts
    assert "k=4, s=3: uneven, 2 1 1 repeated" in texts


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ([], "cases must hold at least one kernel size and stride, got none"),
        ([(2, 3)], "cases must have kernels of at least the stride, got k=2, s=3"),
        ([(2, 0)], "cases must have kernels of at least the stride, got k=2, s=0"),
    ],
)
def test_wrong_cases(cases, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        plot_stamps(tmp_path / "x.png", cases)


# -- Counts --------------------------------------------------------------------------------------


def test_a_pixel_and_its_window_are_marked():
    panel = count_panel(MAP)
    assert panel.title == "k=3, s=2"
    assert (panel.input.name, panel.output.name) == ("input 2×2", "output 5×5")
    assert panel.input.cells.tolist() == [[1, 1], [1, 1]]
    assert panel.input.marked.tolist() == [[False, False], [False, True]]
    np.testing.assert_array_equal(panel.output.cells, COUNTS)
    assert panel.output.marked[2:, 2:].sum() == panel.output.marked.sum() == 9


def test_counts_without_maps(tmp_path):
    with pytest.raises(ValueError, match="panels must hold at least one panel, got none"):
        plot_counts(tmp_path / "x.png", [], [])


def test_nothing_but_zeros_can_be_drawn(tmp_path):
    plot_counts(tmp_path / "x.png", [MAP._replace(counts=np.zeros((5, 5)))], ["A note."])


# -- Outputs -------------------------------------------------------------------------------------


def test_planes_are_drawn_on_whole_dots_each_as_large_as_others(tmp_path, drawn):
    path = tmp_path / "x.png"
    row = make_row(scales=(2, 8))
    plot_outputs(path, ["one", "two"], [row])
    image, figure = pixels_of(path), drawn[0]
    height, width = image.shape[:2]
    for axes, plane in zip(figure.axes, (row.input, *row.outputs), strict=True):
        box = axes.get_position()
        left, top = box.x0 * width, (1 - box.y1) * height
        assert left == pytest.approx(round(left), abs=1e-6)
        assert top == pytest.approx(round(top), abs=1e-6)
        side = round(box.width * width)
        assert side == round(box.height * height) == 224
        dots = image[round(top) :, round(left) :][:side, :side, 0]
        each = side // len(plane)
        blocks = dots.reshape(len(plane), each, len(plane), each)[1:-1, :, 1:-1]
        assert (blocks.max(axis=(1, 3)) == blocks.min(axis=(1, 3))).all()
        grey = plane[1:-1, 1:-1] / (1.1 * plane.max()) * 255
        np.testing.assert_allclose(blocks[:, 0, :, 0], grey, atol=1.5)


def test_what_may_be_negative_is_drawn_from_its_lowest_value(tmp_path, drawn):
    row = make_row(from_zero=False)
    plot_outputs(tmp_path / "x.png", ["one", "two"], [row])
    limits = [axes.images[0].get_clim() for axes in drawn[0].axes]
    low, high = row.outputs[0].min(), row.outputs[0].max()
    assert limits[0] == (0, pytest.approx(1.1 * row.input.max()))
    assert limits[1] == limits[2] == (low, pytest.approx(low + 1.1 * (high - low)))
    plot_outputs(tmp_path / "x.png", ["one", "two"], [row._replace(input=row.input - 1.5)])
    assert drawn[1].axes[0].images[0].get_clim()[0] == row.input.min() - 1.5


def test_names_and_captions(tmp_path, drawn):
    plot_outputs(tmp_path / "x.png", ["one", "two"], [make_row(), make_row(captions=("C", "D"))])
    texts = [text.get_text() for text in drawn[0].texts]
    assert texts[:3] == ["input", "one", "two"]
    assert texts.count("a row") == 2
    assert {"A", "B", "C", "D"} <= set(texts)
    assert texts[-1].startswith("Black is 0 and the lightest grey the highest value")
    plot_outputs(tmp_path / "x.png", ["one", "two"], [make_row()], "a note")
    assert drawn[1].texts[-1].get_text() == "a note"
    frames = [axes.spines["left"].get_linewidth() for axes in drawn[0].axes]
    assert [frame > 2 for frame in frames] == [True, False, False] * 2


def test_captions_of_two_lines_have_room_of_their_own(tmp_path, drawn):
    two = make_row(captions=("C\nD", "E"))
    plot_outputs(tmp_path / "x.png", ["one", "two"], [make_row(), make_row()])
    plot_outputs(tmp_path / "x.png", ["one", "two"], [make_row(), two])
    assert drawn[1].get_size_inches()[1] > drawn[0].get_size_inches()[1]
    renderer = drawn[1].canvas.get_renderer()
    (caption,) = [text for text in drawn[1].texts if text.get_text() == "C\nD"]
    box = caption.get_window_extent(renderer)
    assert not any(box.overlaps(axes.get_window_extent(renderer)) for axes in drawn[1].axes)


@pytest.mark.parametrize("value", [0, 1])
def test_a_constant_plane_can_be_drawn(value, tmp_path):
    plane = np.full((14, 14), float(value))
    plot_outputs(tmp_path / "x.png", ["one"], [OutputRow("", plane, [plane], [""], False)])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "rows must hold at least one input with its outputs, got none"),
        ([make_row()], "rows must have 3 outputs and captions, as there are columns; got 2 and 2"),
    ],
)
def test_wrong_rows(rows, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        plot_outputs(tmp_path / "x.png", ["one", "two", "three"], rows)


# -- All -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "plot",
    [
        lambda path: plot_stamps(path, [(3, 2), (6, 3), (4, 2)]),
        lambda path: plot_counts(path, [MAP] * 3, ["A note."]),
        lambda path: plot_outputs(
            path, list("ABCD"), [make_row(14, (1, 2, 4, 8), ["a\nb", "c", "d", "e\nf"])]
        ),
    ],
    ids=["stamps", "counts", "outputs"],
)
def test_pictures_are_whole_and_the_same_each_time(plot, tmp_path):
    for name in ("a.png", "b.png"):
        plot(tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    check_nothing_is_cut_off(tmp_path / "a.png")
