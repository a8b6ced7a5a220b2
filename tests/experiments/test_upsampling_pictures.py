"""The pictures of the experiment on upsampling: what each panel holds, and that it fits."""

import numpy as np
import pytest

from minifcn.experiments.upsampling.pictures import (
    Row,
    plot_checkerboards,
    plot_decoders,
    plot_unpooling,
)
from minifcn.plots import colour_mask, error_map

CLASSES = ("background", "disc", "square")
PALETTE = np.array([(0, 0, 0), (230, 159, 0), (86, 180, 233)], np.uint8)
LABELS = ("fixed bilinear", "transposed k4 s2, bilinear start")


def scene(size=(64, 48)):
    generator = np.random.default_rng(0)
    truth = np.zeros(size, np.uint8)
    truth[5:12, 3:9], truth[40:60, 20:40] = 1, 2
    return generator.integers(0, 256, (*size, 3), np.uint8), truth


def rows(size=(64, 48)):
    generator = np.random.default_rng(1)
    return [
        Row(label, "mean IU 0.500\nQ 0.100, then 0.010", *generator.random((2, 3, *size)))
        for label in LABELS
    ]


def shown(axes):
    return np.asarray(axes.images[0].get_array())


def inside(figure):
    """Whether all that is drawn lies on the page."""
    width, height = figure.bbox.size
    renderer = figure.canvas.get_renderer()
    box = figure.get_tightbbox(renderer).transformed(figure.dpi_scale_trans)
    return box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height


def test_a_row_shows_prediction_error_and_the_logits_around_the_largest_object(tmp_path, drawn):
    image, truth = scene()
    plot_decoders(tmp_path / "a.png", image, truth, rows(), CLASSES, PALETTE)
    panels = drawn[0].axes
    assert len(panels) == 2 + 2 * 4
    np.testing.assert_array_equal(shown(panels[0]), image)
    np.testing.assert_array_equal(shown(panels[1]), colour_mask(truth, PALETTE))
    titles = [panel.get_title() for panel in panels[2:6]]
    assert titles == ["prediction", "error", "logit before training", "logit after training"]
    window = slice(32, 64), slice(13, 45)  # around (49, 29), inside the image
    for i, row in enumerate(rows()):
        own = panels[2 + 4 * i : 6 + 4 * i]
        prediction = row.after.argmax(0)
        np.testing.assert_array_equal(shown(own[0]), colour_mask(prediction, PALETTE))
        np.testing.assert_array_equal(shown(own[1]), error_map(truth, prediction))
        np.testing.assert_array_equal(shown(own[2]), row.before[2][window])
        np.testing.assert_array_equal(shown(own[3]), row.after[2][window])
    frame = panels[0].patches[0]
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((12.5, 31.5), 32, 32)


def test_the_scene_has_a_legend_and_rows_have_names(tmp_path, drawn):
    plot_decoders(tmp_path / "a.png", *scene(), rows(), CLASSES, PALETTE)
    names = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert names == [*CLASSES, "correct", "wrong"]
    texts = [text.get_text() for text in drawn[0].texts]
    assert "“square”" in texts[0]
    assert texts[1] == "fixed bilinear\nmean IU 0.500\nQ 0.100, then 0.010"
    assert inside(drawn[0])
    renderer = drawn[0].canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in drawn[0].texts]
    boxes += [drawn[0].legends[0].get_window_extent(renderer)]
    boxes += [panel.get_tightbbox(renderer) for panel in drawn[0].axes]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_a_small_scene_without_objects_is_drawn_whole(tmp_path, drawn):
    image, truth = scene((16, 24))
    plot_decoders(tmp_path / "a.png", image, 0 * truth, rows((16, 24)), CLASSES, PALETTE)
    assert shown(drawn[0].axes[4]).shape == (16, 24)


def test_a_picture_needs_a_decoder(tmp_path):
    with pytest.raises(ValueError, match="rows must hold at least one decoder; got none"):
        plot_decoders(tmp_path / "a.png", *scene(), [], CLASSES, PALETTE)


def test_checkerboards_show_means_seeds_and_the_truth(tmp_path, drawn):
    shares = {
        "equal": {LABELS[0]: [0.004, 0.006], LABELS[1]: [0.8, 0.7]},
        "start": {LABELS[0]: [0.01, 0.02], LABELS[1]: [0.5, 0.6]},
        "trained": {LABELS[0]: [0.0005, 0.0003], LABELS[1]: [0.05, 0.06]},
    }
    scores = {LABELS[0]: [0.3, 0.4], LABELS[1]: [0.5, 0.55]}
    plot_checkerboards(tmp_path / "a.png", shares, scores, 0.012)
    left, right = drawn[0].axes
    lines = {line.get_label(): np.asarray(line.get_xdata()) for line in left.lines}
    np.testing.assert_allclose(lines["equal weights"], [0.005, 0.75])
    np.testing.assert_allclose(lines["before training"], [0.015, 0.55])
    np.testing.assert_allclose(lines["after training"], [0.0004, 0.055])
    np.testing.assert_allclose(lines["the truth itself"], 0.012)
    assert [bar.get_width() for bar in right.patches] == pytest.approx([0.35, 0.525])
    assert [text.get_text() for text in left.get_yticklabels()] == list(LABELS)
    assert [text.get_text() for text in left.get_xticklabels()] == ["0.001", "0.01", "0.1", "1"]
    low, high = left.get_xlim()
    assert 0 < low < 0.0003
    assert high >= 1
    assert inside(drawn[0])
    assert left.get_xlabel().startswith("checkerboard Q of the logits, period 8")
    plot_checkerboards(tmp_path / "b.png", shares, scores, 0.012, "unevenness U")
    assert drawn[1].axes[0].get_xlabel().startswith("unevenness U of the logits, period 8")


def test_unpooling_shows_one_piece_of_four_planes(tmp_path, drawn):
    generator = np.random.default_rng(2)
    image, _ = scene((64, 64))
    features = np.zeros((32, 32))
    features[16:, 8:24] = generator.integers(0, 2, (16, 16))  # varies more than half of it would
    stored, nails = generator.random((2, 64, 64))
    plot_unpooling(tmp_path / "a.png", image, features, stored, nails)
    panels = drawn[0].axes[:4]
    window = slice(32, 64), slice(16, 48)
    np.testing.assert_array_equal(shown(panels[0]), image[window])
    np.testing.assert_array_equal(shown(panels[1]), features[16:, 8:24])
    np.testing.assert_array_equal(shown(panels[2]), stored[window])
    np.testing.assert_array_equal(shown(panels[3]), nails[window])
    limits = {panel.images[0].get_clim() for panel in panels[1:]}
    assert limits == {(0, features.max())}
    assert inside(drawn[0])
