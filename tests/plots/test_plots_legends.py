"""Legends: swatches in the colours of the masks, in a place and an order of choice."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from minifcn.plots.colours import CORRECT, WRONG
from minifcn.plots.legends import add_legend, class_swatches, error_swatches, in_order, swatch


def test_each_class_has_a_swatch_of_its_colour():
    palette = np.array([(0, 0, 0), (255, 51, 0)], np.uint8)
    swatches = class_swatches(["sky", "road"], palette, edgecolor="0.5")
    assert [own.get_label() for own in swatches] == ["sky", "road"]
    assert [own.get_facecolor()[:3] for own in swatches] == [(0, 0, 0), (1, 0.2, 0)]
    assert swatches[0].get_edgecolor()[:3] == to_rgb("0.5")
    with pytest.raises(ValueError, match="zip"):
        class_swatches(["sky"], palette)


def test_right_and_wrong_have_the_colours_of_the_error_map():
    right, wrong = error_swatches()
    assert (right.get_label(), wrong.get_label()) == ("correct", "wrong")
    assert right.get_facecolor()[:3] == tuple(np.array(CORRECT) / 255)
    assert wrong.get_facecolor()[:3] == tuple(np.array(WRONG) / 255)


def test_a_legend_begins_at_its_corner():
    figure = Figure((4, 2))
    add_legend(figure, [swatch("a"), swatch("b")], (0.25, 0.5), 2, labelspacing=0.3)
    (legend,) = figure.legends
    figure.draw_without_rendering()
    box = legend.get_window_extent()
    assert (box.x0, box.y1) == pytest.approx((0.25 * figure.bbox.x1, 0.5 * figure.bbox.y1))
    assert not legend.get_frame_on()


def test_the_order_of_a_legend_can_be_chosen():
    axes = Figure().subplots()
    for label in ("limit", "ours", "theirs"):
        axes.plot([0, 1], label=label)
    handles, labels = in_order(axes, lambda label: label == "limit")
    assert labels == ["ours", "theirs", "limit"]
    assert [handle.get_label() for handle in handles] == labels
