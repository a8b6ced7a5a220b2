"""The pictures of features: filters, patches and probes."""

import numpy as np
import pytest
from PIL import Image

from minifcn.experiments.features.pictures import (
    filter_picture,
    plot_filters,
    plot_patches,
    plot_probes,
)

LABELS = ["3x3\npixels", "stage 1", "stage 2"]


def filters(count=5, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 3, 3, 3))


def stages(count=3):
    rng = np.random.default_rng(1)
    return [
        (
            f"stage {k}",
            2**k,
            {u: list(rng.integers(0, 256, (3, 8 * k, 8 * k, 3), np.uint8)) for u in (0, 4)},
        )
        for k in range(1, count + 1)
    ]


def panels():
    rng = np.random.default_rng(2)
    return [(name, rng.random((3, 2, 3)), 0.2) for name in ("colour", "edge", "shape")]


def shown(axes):
    return np.asarray(axes.images[0].get_array())


def test_a_filter_is_grey_at_zero_and_scaled_by_its_largest_weight():
    weights = np.zeros((3, 1, 2))
    weights[0, 0, 0], weights[2, 0, 1] = 0.2, -0.1
    picture = filter_picture(weights)
    np.testing.assert_allclose(picture, [[[1, 0.5, 0.5], [0.5, 0.5, 0.25]]])
    np.testing.assert_allclose(filter_picture(7 * weights), picture)
    assert (filter_picture(0 * weights) == 0.5).all()


def test_filters_stand_in_groups(tmp_path, drawn):
    groups = {"after": filters(14), "before": filters(14, seed=1)}
    plot_filters(tmp_path / "a.png", groups)
    after, before = drawn[0].subfigs
    for part, (name, weights) in zip((after, before), groups.items(), strict=True):
        assert name in part._suptitle.get_text()
        visible = [axes for axes in part.axes if axes.get_visible()]
        assert len(visible) == 14
        for axes, own in zip(visible, weights, strict=True):
            np.testing.assert_array_equal(shown(axes), filter_picture(own))


def test_patches_stand_in_rows_of_units(tmp_path, drawn):
    own = stages()
    plot_patches(tmp_path / "a.png", own)
    blocks = drawn[0].subfigs
    for block, (title, stride, units) in zip(blocks, own, strict=False):
        assert block._suptitle.get_text() == title
        assert len(block.axes) == 6
        for k, (unit, patches) in enumerate(units.items()):
            row = block.axes[3 * k : 3 * k + 3]
            assert row[0].get_ylabel() == f"unit {unit}"
            for axes, patch in zip(row, patches, strict=True):
                np.testing.assert_array_equal(shown(axes), patch)
                side = len(patch)
                for square in axes.patches:
                    assert square.get_width() == square.get_height() == stride
                    assert square.get_x() == square.get_y() == (side - stride) / 2 - 0.5
                assert len(axes.patches) == 2


def test_probes_are_lines_through_means_with_bars_over_the_seeds(tmp_path, drawn):
    own = panels()
    plot_probes(tmp_path / "a.png", LABELS, own)
    for axes, (title, scores, chance) in zip(drawn[0].axes, own, strict=True):
        assert axes.get_title() == title
        assert [text.get_text() for text in axes.get_xticklabels()] == LABELS
        trained, untrained = axes.containers
        for container, k in ((trained, 1), (untrained, 0)):
            line, _, (bars,) = container.lines
            np.testing.assert_allclose(line.get_ydata(), scores[:, k].mean(0))
            ends = np.array([segment[:, 1] for segment in bars.get_segments()])
            np.testing.assert_allclose(
                ends, np.stack([scores[:, k].min(0), scores[:, k].max(0)], 1)
            )
        assert trained.lines[0].get_marker() != untrained.lines[0].get_marker()
        assert axes.lines[-1].get_ydata()[0] == chance
    (legend,) = drawn[0].legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["trained", "untrained", "guessing"]


def pages(folder):
    plot_filters(folder / "a.png", {"after": filters(), "before": filters(seed=1)})
    plot_patches(folder / "b.png", stages())
    plot_probes(folder / "c.png", LABELS, panels())


def everything(figure):
    """The boxes of all panels with their labels, titles and legends."""
    boxes = [axes.get_tightbbox() for axes in figure.axes if axes.get_visible()]
    boxes += [legend.get_window_extent() for legend in figure.legends]
    for part in figure.subfigs:
        boxes += [part._suptitle.get_window_extent()] if part._suptitle else []
        boxes += [text.get_window_extent() for text in part.texts if text is not part._suptitle]
    return boxes


def test_everything_lies_inside_the_page_and_nothing_overlaps(tmp_path, drawn):
    pages(tmp_path)
    for figure, name in zip(drawn, "abc", strict=True):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.size[0] == 1280
        boxes = everything(figure)
        for k, box in enumerate(boxes):
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= figure.bbox.x1
            assert box.y1 <= figure.bbox.y1
            assert not any(box.overlaps(other) for other in boxes[:k])


def test_same_bytes_twice(tmp_path):
    pictures = []
    for _ in range(2):
        pages(tmp_path)
        pictures.append([(tmp_path / f"{name}.png").read_bytes() for name in "abc"])
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize(
    "groups", [{}, {"a": filters(2), "b": filters(3)}, {"a": np.ones((2, 4, 3, 3))}, {"a": [1, 2]}]
)
def test_wrong_filters(tmp_path, groups):
    with pytest.raises(ValueError, match=r"groups must hold filters of one shape \(F, 3, KH, KW\)"):
        plot_filters(tmp_path / "a.png", groups)


def test_wrong_patches(tmp_path):
    with pytest.raises(ValueError, match="stages must hold at least one, got none"):
        plot_patches(tmp_path / "a.png", [])
    with pytest.raises(ValueError, match="s: there must be at least one unit, got none"):
        plot_patches(tmp_path / "a.png", [("s", 2, {})])
    with pytest.raises(TypeError, match="s, unit 3 must be uint8, got float64"):
        plot_patches(tmp_path / "a.png", [("s", 2, {3: [np.zeros((4, 4, 3))]})])
    assert not list(tmp_path.iterdir())


def test_wrong_scores(tmp_path):
    with pytest.raises(ValueError, match="panels must hold at least one probe, got none"):
        plot_probes(tmp_path / "a.png", LABELS, [])
    with pytest.raises(
        ValueError, match=r"p: scores must have shape \(seeds, 2, 3\), got \(2, 3\)"
    ):
        plot_probes(tmp_path / "a.png", LABELS, [("p", np.zeros((2, 3)), 0)])
