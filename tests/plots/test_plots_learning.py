"""Pictures of how a classifier learns and of its maps: the numbers drawn, and where they lie."""

import math

import numpy as np
import pytest
from PIL import Image

from minifcn.plots import colour_mask
from minifcn.plots.learning import plot_examples, plot_learning
from minifcn.plots.window_maps import map_extent, plot_window_maps

CLASSES = ["background", "filled", "stroke"]
PALETTE = np.array([(0, 0, 0), (230, 159, 0), (0, 158, 115)], np.uint8)
WINDOW, STRIDE = 8, 4
CURVES = {
    "learned": ([1.6, 0.5, 0.02], [0.25, 0.5, 1]),
    "held out": ([1.6, 2.5, 400.0], [0.2, 0.3, 0.2]),
}


def shown(axes):
    return np.asarray(axes.images[0].get_array())


def scene(height=20, width=24, seed=0):
    """An image, probabilities in each window of 8 pixels at every 4, and the truth."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    maps = rng.random((3, (height - WINDOW) // STRIDE + 1, (width - WINDOW) // STRIDE + 1))
    truth = rng.integers(0, 3, (height, width)).astype(np.uint8)
    return image, maps / maps.sum(0), truth


def draw(path, image, maps, truth, classes=CLASSES, palette=PALETTE, **sizes):
    sizes = {"window": WINDOW, "stride": STRIDE, **sizes}
    plot_window_maps(path, image, maps, truth, classes, palette, **sizes)


# -- Curves --------------------------------------------------------------------------------------


def test_curves_are_drawn_as_they_are(tmp_path, drawn):
    plot_learning(tmp_path / "a.png", CURVES, num_classes=5)
    upper, lower = drawn[0].axes
    for axes, row in ((upper, 0), (lower, 1)):
        for line, curve in zip(axes.lines, CURVES.values(), strict=False):
            np.testing.assert_array_equal(line.get_ydata(), curve[row])
            np.testing.assert_array_equal(line.get_xdata(), [0, 1, 2])
    assert upper.get_yscale() == "log"


def test_lines_differ_by_more_than_their_colour(tmp_path, drawn):
    curves = {str(k): CURVES["learned"] for k in range(4)}
    plot_learning(tmp_path / "a.png", curves, num_classes=5)
    for axes in drawn[0].axes:
        styles = [str(line._dash_pattern) for line in axes.lines]
        assert len(set(styles)) == 5  # four curves and guessing


@pytest.mark.parametrize("num_classes", [2, 5])
def test_guessing_is_drawn_at_ln_c_and_one_in_c(tmp_path, drawn, num_classes):
    plot_learning(tmp_path / "a.png", CURVES, num_classes)
    upper, lower = drawn[0].axes
    assert upper.lines[-1].get_ydata()[0] == math.log(num_classes)
    assert lower.lines[-1].get_ydata()[0] == 1 / num_classes


def test_a_jump_is_cut_off_and_what_is_not_finite_left_out(tmp_path, drawn):
    curves = {"jumps": ([1.6, 1e6, np.inf, np.nan], [0.2, 0.2, 0.2, 0.2])}
    plot_learning(tmp_path / "a.png", curves, num_classes=5)
    upper = drawn[0].axes[0]
    assert upper.get_ylim()[1] == 10 * math.log(5)
    np.testing.assert_array_equal(np.isfinite(upper.lines[0].get_ydata()), [1, 1, 0, 0])
    assert curves["jumps"][0][2] == np.inf  # the caller's list is as it was


@pytest.mark.parametrize("losses", [[1.61, 1.70], [1.61, 0.01], [300.0, 200.0]], ids=str)
def test_the_labels_of_the_losses_are_plain_numbers(tmp_path, drawn, losses):
    plot_learning(tmp_path / "a.png", {"stuck": (losses, [0.2, 0.2])}, num_classes=5)
    for axes in drawn[0].axes:
        for axis in (axes.xaxis, axes.yaxis):
            texts = [label.get_text() for label in axis.get_ticklabels(which="both")]
            assert not any("$" in text for text in texts)
    axis = drawn[0].axes[0].yaxis
    low, high = axis.get_view_interval()
    shown_ticks = [place for place in axis.get_majorticklocs() if low <= place <= high]
    assert len(shown_ticks) > 1
    assert low < min([*losses, math.log(5)]) / 1.1  # and not on the axis below
    texts = [label.get_text() for label in axis.get_majorticklabels()]
    assert {f"{place:g}" for place in shown_ticks} <= set(texts)


def test_some_of_each_curve_is_seen(tmp_path, drawn):
    curves = {
        "learned": CURVES["learned"],
        "far above": ([900.0, 400.0], [0.2, 0.2]),
        "gone": ([np.nan], [0.2]),
    }
    plot_learning(tmp_path / "a.png", curves, num_classes=5)
    bottom, top = drawn[0].axes[0].get_ylim()
    assert bottom < 0.02
    assert top == 800


def test_classes_are_counted_in_whole_numbers(tmp_path):
    with pytest.raises(TypeError, match=r"num_classes must be a whole number, got 2\.5"):
        plot_learning(tmp_path / "a.png", CURVES, num_classes=2.5)


@pytest.mark.parametrize(
    ("curves", "num_classes", "message"),
    [
        ({}, 5, "curves must be 1 to 4, got 0"),
        ({str(k): CURVES["learned"] for k in range(5)}, 5, "curves must be 1 to 4, got 5"),
        ({"a": ([1.0, 2.0], [0.5])}, 5, r"curves\['a'\] must be losses and accuracies of one"),
        ({"a": ([], [])}, 5, r"curves\['a'\] must be losses and accuracies of one length"),
        ({"a": ([1.0, 0.0], [0.5, 1])}, 5, r"curves\['a'\] losses must be above 0, got 0"),
        (CURVES, 1, "num_classes must be at least 2, got 1"),
    ],
)
def test_wrong_curves_are_named(tmp_path, curves, num_classes, message):
    with pytest.raises(ValueError, match=message):
        plot_learning(tmp_path / "a.png", curves, num_classes)
    assert not list(tmp_path.iterdir())


# -- Examples ------------------------------------------------------------------------------------


def test_each_image_stands_under_its_name(tmp_path, drawn):
    images = [scene(seed=k)[0] for k in range(3)]
    plot_examples(tmp_path / "a.png", images, ["a", "b", "c"])
    panels = [axes for axes in drawn[0].axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == ["a", "b", "c"]
    for axes, image in zip(panels, images, strict=True):
        np.testing.assert_array_equal(shown(axes), image)


@pytest.mark.parametrize(
    ("images", "names", "error", "message"),
    [
        ([], [], ValueError, "images must be 1 to 8, got 0"),
        ([scene()[0]] * 9, ["a"] * 9, ValueError, "images must be 1 to 8, got 9"),
        ([scene()[0]], [], ValueError, "names must be 1, one for each image, got 0"),
        ([scene()[0] / 255], ["a"], TypeError, r"images\[0\] must be uint8"),
    ],
)
def test_wrong_examples_are_named(tmp_path, images, names, error, message):
    with pytest.raises(error, match=message):
        plot_examples(tmp_path / "a.png", images, names)


# -- Class maps ----------------------------------------------------------------------------------


def test_the_panels_show_image_likeliest_class_truth_and_the_map_of_each_class(tmp_path, drawn):
    image, maps, truth = scene()
    draw(tmp_path / "a.png", image, maps, truth)
    panels = drawn[0].axes
    np.testing.assert_array_equal(shown(panels[0]), image)
    np.testing.assert_array_equal(shown(panels[1]), colour_mask(maps.argmax(0), PALETTE))
    np.testing.assert_array_equal(shown(panels[2]), colour_mask(truth, PALETTE))
    for axes, name, own in zip(panels[3:], CLASSES, maps, strict=True):
        assert axes.get_title() == f"output: {name}"
        np.testing.assert_array_equal(shown(axes), own)
        assert axes.images[0].get_clim() == (0, 1)
    assert panels[0].get_title() == "input: 20 x 24; a window of 8"
    assert panels[1].get_title() == "output: likeliest class, 4 x 5 cells"


def test_a_cell_lies_around_the_centre_of_its_window(tmp_path, drawn):
    # Cell 0 is of the pixels 0 to 7, whose centre is 3.5; it is 4 pixels wide.
    assert map_extent((4, 5), window=8, stride=4) == (1.5, 21.5, 17.5, 1.5)
    # With stride 1 and windows of one pixel, cells are pixels.
    assert map_extent((4, 5), window=1, stride=1) == (-0.5, 4.5, 3.5, -0.5)
    draw(tmp_path / "a.png", *scene())
    for axes in drawn[0].axes:
        assert axes.get_xlim() == (-0.5, 23.5)
        assert axes.get_ylim() == (19.5, -0.5)
    for axes in (drawn[0].axes[k] for k in (1, 3, 4, 5)):
        assert tuple(axes.images[0].get_extent()) == (1.5, 21.5, 17.5, 1.5)
        assert axes.patch.get_hatch()


def test_the_window_drawn_is_the_first(tmp_path, drawn):
    draw(tmp_path / "a.png", *scene())
    for box in drawn[0].axes[0].patches:
        assert (box.get_xy(), box.get_width(), box.get_height()) == ((-0.5, -0.5), 8, 8)
    assert drawn[0].axes[0].lines[0].get_xdata()[0] == 3.5


def test_the_outline_in_a_map_is_that_of_its_class(tmp_path, drawn):
    image, maps, truth = scene()
    truth[...] = 0
    truth[4:8, 5:9] = 1
    draw(tmp_path / "a.png", image, maps, truth)
    for axes, segments in zip(drawn[0].axes[3:], (16, 16, 0), strict=True):
        assert [len(lines.get_segments()) for lines in axes.collections] == [segments] * 2


@pytest.mark.parametrize("num_classes", [2, 3, 5, 12])
def test_everything_lies_inside_the_page_and_nothing_overlaps(tmp_path, drawn, num_classes):
    image, _, truth = scene()
    maps = np.random.default_rng(0).random((num_classes, 4, 5))
    palette = np.arange(3 * num_classes, dtype=np.uint8).reshape(-1, 3)
    draw(tmp_path / "a.png", image, maps, truth % 2, ["a long class name"] * num_classes, palette)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] == 1280
    figure = drawn[0]
    panels = [axes.get_tightbbox() for axes in figure.axes if axes.get_visible()]
    key = [legend.get_window_extent() for legend in figure.legends]
    for k, box in enumerate(panels + key):
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in (panels + key)[:k])


IMAGE, MAPS, TRUTH = scene()


@pytest.mark.parametrize(
    ("arguments", "sizes", "error", "message"),
    [
        ((IMAGE / 255, MAPS, TRUTH), {}, TypeError, "image must be uint8"),
        ((IMAGE, MAPS, TRUTH.T), {}, ValueError, r"truth must have the image's shape \(20, 24\)"),
        ((IMAGE, MAPS, TRUTH + 3), {}, ValueError, "truth labels must be 0 .. 2"),
        ((IMAGE, MAPS[:2], TRUTH), {}, ValueError, r"shape \(3, 4, 5\), got \(2, 4, 5\)"),
        ((IMAGE, MAPS, TRUTH), {"stride": 2}, ValueError, r"shape \(3, 7, 9\), got \(3, 4, 5\)"),
        ((IMAGE, MAPS, TRUTH), {"window": 21}, ValueError, "window must be 1 to 20 and stride"),
        ((IMAGE, MAPS, TRUTH), {"stride": 0}, ValueError, "stride at least 1, got 8 and 0"),
        ((IMAGE, 3 * MAPS, TRUTH), {}, ValueError, "probabilities must be 0 .. 1"),
        ((IMAGE, np.nan * MAPS, TRUTH), {}, ValueError, "probabilities must be 0 .. 1"),
        ((IMAGE, MAPS, TRUTH, CLASSES[:2]), {}, ValueError, "classes must be 3 names"),
    ],
)
def test_wrong_maps_are_named(tmp_path, arguments, sizes, error, message):
    with pytest.raises(error, match=message):
        draw(tmp_path / "a.png", *arguments, **sizes)
    assert not list(tmp_path.iterdir())


def test_same_bytes_twice(tmp_path):
    pictures = []
    for _ in range(2):
        draw(tmp_path / "a.png", *scene())
        plot_learning(tmp_path / "b.svg", CURVES, num_classes=5)
        plot_examples(tmp_path / "c.png", [IMAGE], ["a"])
        pictures.append([path.read_bytes() for path in sorted(tmp_path.iterdir())])
    assert pictures[0] == pictures[1]
