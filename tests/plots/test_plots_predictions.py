"""The picture of predictions: what each panel holds, and that it fits its page."""

import numpy as np
import pytest
from PIL import Image

from minifcn.plots import colour_mask, error_map, plot_predictions

CLASSES = ["background", "disc", "a class with a very long name indeed"]
PALETTE = np.array([(0, 0, 0), (230, 159, 0), (86, 180, 233)], np.uint8)
VOID = 255


def sample(height, width, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    truth = rng.choice([0, 1, 2, VOID], (height, width)).astype(np.uint8)
    return image, truth, rng.integers(0, 3, (height, width))


def shown(axes):
    """The array of the picture in an axes."""
    return np.asarray(axes.images[0].get_array())


def test_a_row_shows_image_truth_prediction_and_error(tmp_path, drawn):
    image, truth, prediction = sample(5, 7)
    plot_predictions(tmp_path / "a.png", [(image, truth, prediction)], CLASSES, PALETTE)
    panels = drawn[0].axes
    assert [panel.get_title() for panel in panels] == ["image", "truth", "prediction", "error"]
    assert (shown(panels[0]) == image).all()
    for panel, mask in zip(panels[1:3], (truth, prediction), strict=True):
        assert (shown(panel)[..., :3] == colour_mask(mask, PALETTE)).all()
        assert ((shown(panel)[..., 3] == 0) == (mask == VOID)).all()
        assert len(panel.collections) == 2
    assert (shown(panels[3]) == error_map(truth, prediction)).all()


def test_legends_name_classes_and_errors(tmp_path, drawn):
    plot_predictions(tmp_path / "a.png", [sample(4, 4)], CLASSES, PALETTE)
    classes, errors = drawn[0].legends
    names = [text.get_text() for text in classes.get_texts()]
    assert names == ["background", "disc", "a class with a very long na…"]
    colours = [patch.get_facecolor()[:3] for patch in classes.get_patches()]
    np.testing.assert_allclose(colours, PALETTE / 255)
    assert [text.get_text() for text in errors.get_texts()] == ["correct", "wrong", "ignored"]


@pytest.mark.parametrize("shapes", [[(1, 1)], [(8, 8)] * 4, [(3, 40), (40, 3), (6, 8)]])
def test_everything_lies_inside_the_page_and_nothing_overlaps(tmp_path, drawn, shapes):
    path = tmp_path / "a.png"
    plot_predictions(path, [sample(*shape) for shape in shapes], CLASSES, PALETTE)
    (figure,) = drawn
    with Image.open(path) as picture:
        picture.load()
        assert picture.size[0] == 1280
    assert len(figure.axes) == 4 * len(shapes)
    legends = [legend.get_window_extent() for legend in figure.legends]
    panels = [axes.get_tightbbox() for axes in figure.axes]
    for box in legends + panels:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1 + 1
        assert box.y1 <= figure.bbox.y1 + 1
    assert max(legend.y1 for legend in legends) < min(panel.y0 for panel in panels)
    assert legends[0].x1 < legends[1].x0


def test_21_classes_fit_their_legend(tmp_path, drawn):
    classes = [f"class number {i}" for i in range(21)]
    palette = np.arange(63).reshape(21, 3)
    plot_predictions(tmp_path / "a.png", [sample(6, 8)], classes, palette)
    classes_legend, errors_legend = (box.get_window_extent() for box in drawn[0].legends)
    assert classes_legend.y0 >= 0
    assert classes_legend.x1 < errors_legend.x0


def test_same_bytes_twice(tmp_path):
    for name in ("a.png", "b.png"):
        plot_predictions(tmp_path / name, [sample(9, 9)], CLASSES, PALETTE)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_another_ignore_index(tmp_path, drawn):
    image, truth, prediction = sample(3, 3)
    truth = np.where(truth == VOID, -1, truth.astype(int))
    rows = [(image, truth, prediction)]
    plot_predictions(tmp_path / "a.png", rows, CLASSES, PALETTE, ignore_index=-1)
    assert ((shown(drawn[0].axes[3])[..., 3] == 0) == (truth == -1)).all()


IMAGE, MASK = np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3), int)


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        ([], ValueError, "samples must hold at least one"),
        ([(IMAGE[..., 0], MASK, MASK)], ValueError, r"samples\[0\] image must have shape"),
        ([(IMAGE / 255, MASK, MASK)], TypeError, r"samples\[0\] image must be uint8"),
        ([(IMAGE, MASK.T, MASK)], ValueError, r"samples\[0\] truth must have the image's shape"),
        ([(IMAGE, MASK, MASK + 3)], ValueError, r"samples\[0\] prediction labels must be"),
        ([(IMAGE, MASK, MASK), (IMAGE, MASK, MASK.T)], ValueError, r"samples\[1\] prediction"),
    ],
)
def test_wrong_samples_are_named(tmp_path, samples, error, message):
    with pytest.raises(error, match=message):
        plot_predictions(tmp_path / "a.png", samples, CLASSES, PALETTE)
    assert not list(tmp_path.iterdir())


def test_one_name_per_colour(tmp_path):
    with pytest.raises(ValueError, match="classes must be 3 names, as palette has, got 2"):
        plot_predictions(tmp_path / "a.png", [sample(2, 2)], CLASSES[:2], PALETTE)
