"""Where panels and pages stand, in inches from the top left; and the cells of a page."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from minifcn.plots.cells import circle, square
from minifcn.plots.panels import axes_at, bare, page_axes, panel_grid, write_notes


def inches(axes):
    """Left, top, right and bottom of axes, from the top left of the figure."""
    box = axes.get_position(original=True)
    width, height = axes.figure.get_size_inches()
    return [box.x0 * width, (1 - box.y1) * height, box.x1 * width, (1 - box.y0) * height]


def test_panels_are_as_large_and_as_far_apart_as_told():
    """0.08 + 3 x 1 + 2 x 0.1 + 0.08 wide; 0.3 + 2 x 0.5 + 0.2 + 0.4 high."""
    grid = panel_grid(
        Figure((3.36, 1.9)), 2, 3, (1, 0.5), above=0.3, below=0.4, gap=(0.1, 0.2)
    )  # fmt: skip
    assert grid.shape == (2, 3)
    assert inches(grid[0, 0]) == pytest.approx([0.08, 0.3, 1.08, 0.8])
    assert inches(grid[1, 2]) == pytest.approx([2.28, 1.0, 3.28, 1.5])
    for axes in grid.flat:
        assert not axes.get_xticks().size
        assert not axes.get_yticks().size


def test_lines_of_panels_may_differ_in_height():
    room = {"above": 0, "below": 0, "gap": (0, 0), "height_ratios": [1, 2]}
    grid = panel_grid(Figure((1.16, 3)), 2, 1, (1, 1.5), **room)
    assert inches(grid[0, 0]) == pytest.approx([0.08, 0, 1.08, 1])
    assert inches(grid[1, 0]) == pytest.approx([0.08, 1, 1.08, 3])


def test_a_bare_panel_has_a_frame_on_all_sides():
    axes = Figure().subplots()
    axes.spines[["top", "right"]].set_visible(False)
    bare(axes, 2.5)
    assert {(own.get_visible(), own.get_linewidth()) for own in axes.spines.values()} == {
        (True, 2.5)
    }


def test_axes_at_a_place():
    axes = axes_at(Figure((4, 5)), 1, 0.5, 2, 3)
    assert inches(axes) == pytest.approx([1, 0.5, 3, 3.5])


def test_a_page_is_measured_from_the_top_left():
    axes = page_axes(Figure((4, 5)), 0.2)
    assert inches(axes) == pytest.approx([0, 0, 4, 5])
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 20), (25, 0))


def test_a_page_may_be_a_part_of_the_figure():
    axes = page_axes(Figure((4, 5)), top=1, height=1.5)
    assert inches(axes) == pytest.approx([0, 1, 4, 2.5])
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 4), (1.5, 0))


def test_notes_stand_below_one_another():
    axes = page_axes(Figure((4, 5)))
    write_notes(axes, ["one", "two"], 0.5, 4, 0.25)
    assert [(text.get_text(), *text.get_position()) for text in axes.texts] == [
        ("one", 0.5, 4), ("two", 0.5, 4.25)
    ]  # fmt: skip


def test_cells_lie_around_their_centres():
    own = square((2, 3), 0.5, facecolor="red")
    assert own.get_bbox().bounds == (1.75, 2.75, 0.5, 0.5)
    assert square((2, 3)).get_bbox().bounds == (1.5, 2.5, 1, 1)
    round_cell = circle((2, 3), facecolor="red")
    assert (round_cell.center, round_cell.radius) == ((2, 3), 0.42)
    assert own.get_facecolor() == round_cell.get_facecolor()
    assert np.array_equal(own.get_facecolor(), (1, 0, 0, 1))
