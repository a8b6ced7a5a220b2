"""The pictures of skips: what each panel holds, and that nothing leaves the page."""

import numpy as np
import pytest
from PIL import Image

from minifcn.plots import colour_mask
from minifcn.plots.skips import plot_contributions, plot_strides

CLASSES = ["background", "disc", "ring"]
PALETTE = np.array([(0, 0, 0), (230, 159, 0), (86, 180, 233)], np.uint8)
PIXELS = {"on the ring": (2, 3), "beside the ring": (5, 8)}


def rng():
    return np.random.default_rng(0)


def images(count, height=8, width=10):
    return list(rng().integers(0, 256, (count, height, width, 3), np.uint8))


def masks(count, height=8, width=10):
    names = ("truth", "FCN-32s", "FCN-16s", "FCN-8s")
    return {name: list(rng().integers(0, 3, (count, height, width))) for name in names}


def terms(height=8, width=10):
    generator = rng()
    names = ("top", "pool4", "pool3")
    return {name: generator.standard_normal((height, width)) for name in names}


def shown(axes):
    return np.asarray(axes.images[0].get_array())


def check_page(figure, path):
    """Everything lies inside a picture of a page's width."""
    with Image.open(path) as picture:
        picture.load()
        assert picture.size[0] == 1280
    for part in [*figure.axes, *figure.legends]:
        if part.get_visible():
            box = part.get_tightbbox()
            assert min(box.x0, box.y0) >= 0
            assert box.x1 <= figure.bbox.x1 + 1
            assert box.y1 <= figure.bbox.y1 + 1


# -- Predictions ---------------------------------------------------------------------------------


def test_a_row_shows_the_image_and_its_masks(tmp_path, drawn):
    plot_strides(tmp_path / "a.png", images(2), masks(2), CLASSES, PALETTE)
    panels = np.array(drawn[0].axes).reshape(2, 5)
    titles = ["image", "truth", "FCN-32s", "FCN-16s", "FCN-8s"]
    assert [panel.get_title() for panel in panels[0]] == titles
    for row in range(2):
        assert (shown(panels[row, 0]) == images(2)[row]).all()
        for panel, mask in zip(panels[row, 1:], masks(2).values(), strict=True):
            assert (shown(panel) == colour_mask(mask[row], PALETTE)).all()
            assert len(panel.collections) == 2  # lines between the classes, and their rims


def test_the_legend_names_the_classes(tmp_path, drawn):
    plot_strides(tmp_path / "a.png", images(1), masks(1), CLASSES, PALETTE)
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == CLASSES
    colours = [patch.get_facecolor()[:3] for patch in legend.get_patches()]
    np.testing.assert_allclose(colours, PALETTE / 255)


@pytest.mark.parametrize(("count", "size"), [(1, (8, 10)), (4, (32, 32)), (3, (6, 20))])
def test_rows_fit_the_page_and_do_not_overlap(tmp_path, drawn, count, size):
    plot_strides(tmp_path / "a.png", images(count, *size), masks(count, *size), CLASSES, PALETTE)
    figure = drawn[0]
    check_page(figure, tmp_path / "a.png")
    bottoms = [axes.get_tightbbox().y0 for axes in figure.axes]
    assert figure.legends[0].get_window_extent().y1 < min(bottoms)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"images": []}, ValueError, "images must be one or more of one size, got 0"),
        ({"images": [*images(1), *images(1, 9)]}, ValueError, "of one size, got 2"),
        ({"images": [images(1)[0] / 255]}, TypeError, r"images\[0\] must be uint8"),
        ({"masks": masks(2)}, ValueError, r"masks\['truth'\] must be 1, got 2"),
        ({"masks": masks(1, 4, 4)}, ValueError, r"masks\['truth'\] must have the image's shape"),
        ({"classes": CLASSES[:2]}, ValueError, "classes must be 3 names"),
        ({"palette": PALETTE[:2], "classes": CLASSES[:2]}, ValueError, r"masks\['truth'\] labels"),
    ],
)
def test_wrong_arguments_of_strides_are_named(tmp_path, wrong, error, message):
    good = {"images": images(1), "masks": masks(1), "classes": CLASSES, "palette": PALETTE}
    with pytest.raises(error, match=message):
        plot_strides(tmp_path / "a.png", **{**good, **wrong})
    assert not list(tmp_path.iterdir())


# -- Terms ---------------------------------------------------------------------------------------


def draw_terms(path, own=None, pixels=PIXELS, name="ring"):
    own = terms() if own is None else own
    shape = next(iter(own.values())).shape
    truth = np.zeros(shape, bool)
    plot_contributions(path, images(1, *shape)[0], truth, own, pixels, name)


def test_every_term_and_their_sum_has_a_map_of_one_scale(tmp_path, drawn):
    draw_terms(tmp_path / "a.png")
    panels = {axes.get_title(): axes for axes in drawn[0].axes}
    total = sum(terms().values())
    expected = {**terms(), "score = top + pool4 + pool3": total}
    assert set(expected) < set(panels)
    limit = max(np.abs(values).max() for values in expected.values())
    for title, values in expected.items():
        np.testing.assert_allclose(shown(panels[title]), values)
        assert panels[title].images[0].get_clim() == (-limit, limit)


def test_the_values_at_the_marked_pixels_are_written_beneath(tmp_path, drawn):
    draw_terms(tmp_path / "a.png")
    panels = {axes.get_title(): axes for axes in drawn[0].axes}
    for title, values in terms().items():
        text = f"A {values[2, 3]:+.2f}   B {values[5, 8]:+.2f}"
        assert panels[title].get_xlabel() == text
    assert panels["truth: ring"].get_xlabel() == "A on the ring   B beside the ring"
    for title in ("image", "truth: ring", *terms()):
        marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in panels[title].lines]
        assert marks == [(3, 2), (8, 5)]
        assert [text.get_text() for text in panels[title].texts] == ["A", "B"]


def test_contours_tell_the_sign(tmp_path, drawn):
    slope = np.linspace(-1, 1, 10) * np.ones((8, 1))
    draw_terms(tmp_path / "a.png", {"top": slope, "pool4": 0 * slope, "pool3": 0 * slope + 0.6})
    panels = {axes.get_title(): axes for axes in drawn[0].axes}
    styles = [(c.levels.max(), c.get_linestyle()[0][1]) for c in panels["top"].collections]
    assert [level > 0 for level, _ in styles] == [False, False, True]  # negative, 0, positive
    assert [dashes is None for _, dashes in styles] == [False, True, True]
    assert not panels["pool3"].collections


@pytest.mark.parametrize("own", [terms(), {"top": np.zeros((6, 6)), "pool3": np.ones((6, 6))}])
def test_terms_fit_the_page(tmp_path, drawn, own):
    draw_terms(tmp_path / "a.png", own, {"on it": (0, 0), "beside it": (5, 5)})
    check_page(drawn[0], tmp_path / "a.png")


@pytest.mark.parametrize("at", [(0, 0), (0, 9), (7, 0), (7, 9), (4, 5)])
def test_letters_stand_inside_their_panels(tmp_path, drawn, at):
    draw_terms(tmp_path / "a.png", pixels={"on it": at})
    marked = [axes for axes in drawn[0].axes if axes.texts]
    assert len(marked) == 6
    for axes in marked:
        (letter,) = axes.texts
        box, panel = letter.get_window_extent(), axes.get_window_extent()
        assert panel.x0 < box.x0 < box.x1 < panel.x1
        assert panel.y0 < box.y0 < box.y1 < panel.y1


def test_nothing_but_zeros_and_no_pixels(tmp_path, drawn):
    draw_terms(tmp_path / "a.png", {"top": np.zeros((4, 4))}, {})
    assert len(drawn) == 1


def test_the_same_bytes_twice(tmp_path):
    for time in ("first", "second"):
        draw_terms(tmp_path / f"terms-{time}.png")
        plot_strides(tmp_path / f"strides-{time}.png", images(1), masks(1), CLASSES, PALETTE)
    for picture in ("terms", "strides"):
        first, second = (tmp_path / f"{picture}-{time}.png" for time in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"terms": {}}, ValueError, "terms must be one or more, got none"),
        ({"terms": terms(3)}, ValueError, r"terms\['top'\] must have the image's shape \(8, 10\)"),
        ({"truth": np.zeros((3, 3))}, ValueError, "truth must have the image's shape"),
        ({"image": np.zeros((8, 10, 3))}, TypeError, "image must be uint8"),
        ({"pixels": {"out": (8, 0)}}, ValueError, r"pixels\['out'\] must lie in an image of"),
        ({"pixels": {"out": (-1, 0)}}, ValueError, r"pixels\['out'\] must lie in an image of"),
    ],
)
def test_wrong_arguments_of_contributions_are_named(tmp_path, wrong, error, message):
    good = {
        "image": images(1)[0],
        "truth": np.zeros((8, 10)),
        "terms": terms(),
        "pixels": PIXELS,
        "name": "ring",
    }
    with pytest.raises(error, match=message):
        plot_contributions(tmp_path / "a.png", **{**good, **wrong})
    assert not list(tmp_path.iterdir())
