"""The pictures of a classifier's score maps: what each panel holds, and that it fits its page."""

import numpy as np
import pytest
from PIL import Image

from minifcn.experiments.classifier.pictures import COLUMNS, plot_class_maps, plot_localisation
from minifcn.plots import colour_mask

CLASSES = ["background", "disc", "a class with a very long name"]
PALETTE = np.array([(0, 0, 0), (230, 159, 0), (86, 180, 233)], np.uint8)


def scene(height=16, width=24, seed=0):
    """An image, a score map of 2x3 cells and three masks."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    masks = [rng.integers(0, 3, (height, width)).astype(np.uint8) for _ in range(3)]
    return (image, rng.standard_normal((2, 3)), *masks)


def large(seed=0):
    rng = np.random.default_rng(seed)
    image, _, prediction, _, truth = scene(seed=seed)
    return image, rng.standard_normal((2, 2, 3)), prediction, truth


def shown(axes):
    return np.asarray(axes.images[0].get_array())


def test_a_row_shows_image_map_and_masks(tmp_path, drawn):
    row = scene()
    plot_localisation(tmp_path / "a.png", [row, scene(seed=1)], CLASSES, PALETTE)
    panels = drawn[0].axes[:5]
    assert tuple(panel.get_title() for panel in panels) == COLUMNS
    for panel, array in zip(panels[:2], row[:2], strict=True):
        np.testing.assert_array_equal(shown(panel), array)
    for panel, mask in zip(panels[2:], row[2:], strict=True):
        assert (shown(panel) == colour_mask(mask, PALETTE)).all()


def test_the_map_lies_on_the_image_and_its_maximum_is_marked(tmp_path, drawn):
    image, _, *masks = scene(16, 24)
    scores = np.array([[0.0, 1, 0], [0, 0, 5]])  # the maximum: rows 8 to 15, columns 16 to 23
    plot_localisation(tmp_path / "a.png", [(image, scores, *masks)], CLASSES, PALETTE)
    panel = drawn[0].axes[1]
    assert list(panel.images[0].get_extent()) == [-0.5, 23.5, 15.5, -0.5]
    for line in panel.lines:
        assert (line.get_xdata()[0], line.get_ydata()[0]) == (19.5, 11.5)


def test_a_larger_scene_has_a_map_for_each_class_on_one_scale(tmp_path, drawn):
    image, maps, prediction, truth = large()
    plot_class_maps(tmp_path / "a.png", image, maps, prediction, truth, CLASSES, PALETTE)
    panels = drawn[0].axes
    titles = [panel.get_title() for panel in panels if panel.get_visible()]
    assert titles[:3] == ["image", "score map: disc", "score map: a class with…"]
    assert titles[3:5] == ["maps, thresholded", "truth"]
    for panel, own in zip(panels[1:3], maps, strict=True):
        np.testing.assert_array_equal(shown(panel), own)
        assert panel.images[0].get_clim() == (maps.min(), maps.max())
    assert (shown(panels[3]) == colour_mask(prediction, PALETTE)).all()
    assert (shown(panels[4]) == colour_mask(truth, PALETTE)).all()
    assert sum(not panel.get_visible() for panel in panels) == 3


def test_the_outline_in_a_map_is_that_of_its_class(tmp_path, drawn):
    image, maps, prediction, truth = large()
    truth[...] = 0
    truth[4:8, 5:9] = 1
    plot_class_maps(tmp_path / "a.png", image, maps, prediction, truth, CLASSES, PALETTE)
    disc, other = drawn[0].axes[1:3]
    assert [len(lines.get_segments()) for lines in disc.collections] == [16, 16]
    assert [len(lines.get_segments()) for lines in other.collections] == [0, 0]


def pages(tmp_path):
    plot_localisation(tmp_path / "a.png", [scene(seed=k) for k in range(3)], CLASSES, PALETTE)
    plot_class_maps(tmp_path / "b.png", *large(), CLASSES, PALETTE)


def test_everything_lies_inside_the_page_and_nothing_overlaps(tmp_path, drawn):
    pages(tmp_path)
    for figure, name in zip(drawn, "ab", strict=True):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.size[0] == 1280
        panels = [axes.get_tightbbox() for axes in figure.axes if axes.get_visible()]
        key = [legend.get_window_extent() for legend in figure.legends]
        key += [text.get_window_extent() for text in figure.texts]
        for box in panels + key:
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= figure.bbox.x1
            assert box.y1 <= figure.bbox.y1
        assert max(box.y1 for box in key) < min(box.y0 for box in panels[:-1])
        for k, box in enumerate([*key, panels[-1]]):
            assert not any(box.overlaps(other) for other in key[:k])


def test_same_bytes_twice(tmp_path):
    pictures = []
    for _ in range(2):
        pages(tmp_path)
        pictures.append([(tmp_path / f"{name}.png").read_bytes() for name in "ab"])
    assert pictures[0] == pictures[1]


IMAGE, SCORES, A, B, TRUTH = scene()


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([], ValueError, "rows must hold at least one scene"),
        ([(IMAGE / 255, SCORES, A, B, TRUTH)], TypeError, r"rows\[0\] image must be uint8"),
        ([(IMAGE, SCORES[0], A, B, TRUTH)], ValueError, r"rows\[0\] score map must have shape"),
        ([(IMAGE, SCORES, A.T, B, TRUTH)], ValueError, r"rows\[0\] mask must have the image's"),
        ([(IMAGE, SCORES, A, B, TRUTH + 3)], ValueError, r"rows\[0\] mask labels must be 0 .. 2"),
    ],
)
def test_wrong_rows_are_named(tmp_path, rows, error, message):
    with pytest.raises(error, match=message):
        plot_localisation(tmp_path / "a.png", rows, CLASSES, PALETTE)
    assert not list(tmp_path.iterdir())


def test_there_is_one_map_for_each_class_but_the_background(tmp_path):
    image, maps, prediction, truth = large()
    with pytest.raises(ValueError, match=r"maps must have shape \(2, h, w\), got \(1, 2, 3\)"):
        plot_class_maps(tmp_path / "a.png", image, maps[:1], prediction, truth, CLASSES, PALETTE)
    with pytest.raises(ValueError, match="classes must be 3 names, as palette has, got 2"):
        plot_class_maps(tmp_path / "a.png", image, maps, prediction, truth, CLASSES[:2], PALETTE)
