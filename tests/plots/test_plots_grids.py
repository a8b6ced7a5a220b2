import numpy as np
import pytest

from minifcn.plots.grids import PADDING, Grid, Panel, draw_page, marked_window

ONES = np.ones((2, 2), np.int64)
WIDE = np.arange(1, 65).reshape(8, 8)


def make_panel(title="a title", first=0, count=1):
    marked = marked_window(WIDE, first, count)
    return Panel(title, Grid("in", ONES, ONES == 0), Grid("out", WIDE, marked))


def draw(tmp_path, drawn, *panels, notes=()):
    draw_page(tmp_path / "x.png", panels, notes)
    (axes,) = drawn[-1].axes
    return axes


def test_windows_are_marked():
    assert marked_window(ONES, 1).tolist() == [[False, False], [False, True]]
    marked = marked_window(np.zeros((6, 6)), 1, 2, 3)
    assert np.argwhere(marked).tolist() == [[1, 1], [1, 4], [4, 1], [4, 4]]


@pytest.mark.parametrize("first", [0, 3, 5])
def test_a_line_runs_around_the_window_at_the_border_too(first, tmp_path, drawn):
    axes = draw(tmp_path, drawn, make_panel(first=first, count=3))
    nothing, outline = axes.collections
    assert nothing.get_segments() == []
    segments = np.array(outline.get_segments())
    assert len(segments) == 12
    circles = [patch.center for patch in axes.patches if type(patch).__name__ == "Circle"]
    corner = np.array(circles[8 * first + first]) - 0.5
    np.testing.assert_allclose(segments.min(axis=(0, 1)), corner)
    np.testing.assert_allclose(segments.max(axis=(0, 1)), corner + 3)


def test_two_panels_a_line_and_notes_below(tmp_path, drawn):
    panels = [make_panel(title) for title in "ABC"]
    axes = draw(tmp_path, drawn, *panels, notes=["One note.", "Another."])
    places = {text.get_text(): text.get_position() for text in axes.texts}
    assert places["A"][1] == places["B"][1] < places["C"][1] < places["One note."][1]
    assert places["A"][0] == places["C"][0] < places["B"][0]
    assert places["One note."][1] < places["Another."][1] < axes.get_ylim()[0]


def test_nothing_overlaps(tmp_path, drawn):
    axes = draw(tmp_path, drawn, *[make_panel(title) for title in "ABCD"])
    boxes = [patch.get_extents() for patch in axes.patches]
    centres = np.array([(box.x0 + box.x1, box.y0 + box.y1) for box in boxes]) / 2
    sizes = np.array([(box.width, box.height) for box in boxes])
    assert len(boxes) == 4 * (4 + 64)
    for n, centre in enumerate(centres):
        apart = np.abs(np.delete(centres, n, 0) - centre)
        touching = (sizes[n] + np.delete(sizes, n, 0)) / 2 - 1
        assert (apart >= touching).any(axis=1).all()


def test_cells_darken_with_their_counts(tmp_path, drawn):
    axes = draw(tmp_path, drawn, make_panel())
    circles = [patch for patch in axes.patches if type(patch).__name__ == "Circle"]
    lightness = [sum(circle.get_facecolor()[:3]) for circle in circles]
    assert lightness == sorted(lightness, reverse=True)
    assert len(set(lightness)) == 64


def test_padding_is_hatched_and_has_no_number(tmp_path, drawn):
    cells = np.pad(ONES, 1, constant_values=PADDING)
    axes = draw(tmp_path, drawn, Panel("", Grid("", cells, cells == 0), Grid("", ONES, ONES == 0)))
    hatched = [patch.get_hatch() is not None for patch in axes.patches[:16]]
    assert hatched == (cells == PADDING).ravel().tolist()
    assert [text.get_text() for text in axes.texts].count("1") == 8


def test_a_page_needs_a_panel(tmp_path):
    with pytest.raises(ValueError, match="panels must hold at least one panel, got none"):
        draw_page(tmp_path / "x.png", [], [])
