"""Lines on any ground: a rim below each line, boxes, and edges around cells."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from minifcn.plots import class_boundaries, colour_mask
from minifcn.plots.outlines import cell_edges, draw_boundaries, draw_box, draw_mask, halo, thin

MASK = np.array([[0, 0, 1], [2, 2, 1]])
PALETTE = [(0, 0, 0), (255, 0, 0), (0, 0, 255)]


@pytest.fixture
def axes():
    return Figure().subplots()


def test_boundaries_have_a_rim_below_that_is_twice_as_wide(axes):
    draw_boundaries(axes, MASK, 0.5, "red", rim="white")
    rim, line = axes.collections
    assert (rim.get_linewidth(), line.get_linewidth()) == ([1.0], [0.5])
    assert [tuple(own.get_color()[0]) for own in (rim, line)] == [to_rgba("white"), to_rgba("red")]
    for own in (rim, line):
        np.testing.assert_array_equal(own.get_segments(), class_boundaries(MASK))


def test_a_mask_is_drawn_in_its_colours_below_its_boundaries(axes):
    draw_mask(axes, MASK, PALETTE, 0.5)
    (image,) = axes.images
    np.testing.assert_array_equal(image.get_array(), colour_mask(MASK, PALETTE))
    assert image.get_interpolation() == "nearest"
    assert len(axes.collections) == 2


def test_boundaries_are_a_quarter_of_a_pixel_within_limits():
    assert [thin(points) for points in (0.1, 1.6, 50)] == [0.25, 0.4, 0.5]


def test_a_box_is_drawn_once_in_each_look(axes):
    draw_box(axes, (1, 2), 3, 4, {"edgecolor": "white", "linewidth": 2}, {"edgecolor": "black"})
    assert [patch.get_bbox().bounds for patch in axes.patches] == [(1, 2, 3, 4)] * 2
    assert [patch.get_fill() for patch in axes.patches] == [False] * 2
    assert axes.patches[-1].get_edgecolor() == to_rgba("black")


def test_a_halo_is_white_and_as_wide_as_it_is_told():
    (effect,) = halo(2.4, alpha=0.5)
    assert effect._gc == {"linewidth": 2.4, "foreground": "white", "alpha": 0.5}


def test_edges_go_around_marked_cells():
    marked = np.zeros((3, 4), bool)
    marked[1, 2:] = True
    edges = np.array(cell_edges(marked, (10, 20), 0.5))
    assert len(edges) == 6
    assert edges[..., 0].min() == 10 + 2 * 0.5
    assert edges[..., 0].max() == 10 + 4 * 0.5
    assert (edges[..., 1].min(), edges[..., 1].max()) == (20.5, 21)
