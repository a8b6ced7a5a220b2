"""The picture of heatmaps: what each panel holds, and that it fits its page."""

import numpy as np
import pytest
from PIL import Image

from minifcn.experiments.heatmap.pictures import KEY, LEVELS, plot_heatmaps

FRAME = (0.2, 0.1, 0.8, 0.9)
RANKING = [("cup", 0.75), ("a very long name of a class that is cut", 0.2), ("pot", 0.001)]
SIZES = ["96x64", "48x32"]


def photo(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def heat(height, width, largest=8.0):
    """Falls from the middle to below 0 at the border."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return largest * (1 - 1.2 * np.hypot(x, y))


def draw(path, classes=2, height=64, width=96, maps=None):
    maps = maps or [heat(height, width), heat(height // 2 or 1, width // 2 or 1)]
    heatmaps = [(f"class {i}", maps) for i in range(classes)]
    plot_heatmaps(path, "Net", photo(height, width), FRAME, RANKING, heatmaps, SIZES)


def test_panels_and_their_titles(tmp_path, drawn):
    draw(tmp_path / "a.png")
    titles = [axes.get_title() for axes in drawn[0].axes if axes.get_title()]
    assert titles[:2] == [
        "photo, and dashed the square\nthat was classified",
        "Net:\nprobability of the classes",
    ]
    assert titles[2:] == [f"class {i}\nphoto seen at {size}" for i in range(2) for size in SIZES]


def test_the_photo_and_the_frame(tmp_path, drawn):
    draw(tmp_path / "a.png")
    axes = drawn[0].axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), photo(64, 96))
    assert [text.get_text() for text in drawn[0].texts] == [KEY]
    for rectangle in axes.patches:
        np.testing.assert_allclose(rectangle.get_bbox().extents, (19.2, 6.4, 76.8, 57.6))


def test_the_ranking(tmp_path, drawn):
    draw(tmp_path / "a.png")
    axes = drawn[0].axes[1]
    assert [bar.get_width() for bar in axes.patches] == [0.75, 0.2, 0.001]
    assert [text.get_text() for text in axes.texts] == [
        "0.750  cup", "0.200  a very long name of a class…", "0.001  pot"
    ]  # fmt: skip


def test_a_heatmap_covers_the_photo_with_colours_from_0_to_the_largest(tmp_path, drawn):
    draw(tmp_path / "a.png", classes=1)
    axes, bar = drawn[0].axes[2:4]
    below, above = axes.images
    assert below.get_extent() == above.get_extent() == [0, 96, 64, 0]
    grey = below.get_array()
    assert (grey[..., 0] == grey[..., 1]).all()
    colours, scores = above.get_array(), heat(64, 96)
    brightness = colours[..., :3] @ (0.299, 0.587, 0.114)
    order = np.argsort(scores.ravel())
    assert (np.diff(brightness.ravel()[order]) > -1e-2).all()  # brighter, in grey too
    assert np.ptp(brightness[scores <= 0]) == 0
    assert [label.get_text() for label in bar.get_xticklabels()] == [
        "≤ 0", f"{scores.max() / 2:.1f}", f"{scores.max():.1f}"
    ]  # fmt: skip


@pytest.mark.parametrize(("panel", "size"), [(2, (64, 96)), (4, (32, 48))])
def test_lines_are_where_the_scores_reach_the_levels(tmp_path, drawn, panel, size):
    """In the pixels of the photo, however many scores the heatmap has."""
    draw(tmp_path / "a.png", classes=1)
    (lines,) = drawn[0].axes[panel].collections
    largest = heat(*size).max()
    np.testing.assert_allclose(lines.levels, [share * largest for share, _ in LEVELS])
    across = [(n - 1) / n for n in size]  # from the centre of the first score to that of the last
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        x, y = path.vertices.T
        radius = np.hypot((x - 48) / (48 * across[1]), (y - 32) / (32 * across[0]))
        np.testing.assert_allclose(8 * (1 - 1.2 * radius), level, atol=0.25)


@pytest.mark.parametrize(
    ("classes", "height", "width"),
    [(1, 64, 96), (4, 64, 96), (2, 200, 20), (2, 20, 200), (1, 1, 1)],
)
def test_everything_lies_inside_the_page(tmp_path, drawn, classes, height, width):
    path = tmp_path / "a.png"
    draw(path, classes, height, width)
    (figure,) = drawn
    assert len(figure.axes) == 2 + 4 * classes
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1 + 1
        assert box.y1 <= figure.bbox.y1 + 1
    (key,) = drawn[0].texts
    assert not any(
        key.get_window_extent().overlaps(axes.get_window_extent()) for axes in figure.axes
    )
    titles = [axes.title.get_window_extent() for axes in figure.axes if axes.get_title()]
    for i, one in enumerate(titles):
        assert not any(one.overlaps(other) for other in titles[i + 1 :])
    with Image.open(path) as picture:
        assert picture.size[0] >= 800


@pytest.mark.parametrize("value", [0.0, -3.0, 5.0])
def test_maps_without_any_line(tmp_path, drawn, value):
    draw(tmp_path / "a.png", 1, maps=[np.full((8, 9), value), np.full((1, 1), value)])
    axes, bar = drawn[0].axes[2:4]
    assert not axes.collections
    expected = ["≤ 0", "2.5", "5.0"] if value > 0 else ["≤ 0"]
    assert [label.get_text() for label in bar.get_xticklabels()] == expected


def test_same_bytes_twice(tmp_path):
    for name in ("a.png", "b.png"):
        draw(tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"photo": np.zeros((4, 4, 3))}, TypeError, "photo must be uint8"),
        ({"photo": np.zeros((4, 4), np.uint8)}, ValueError, "photo must have shape"),
        ({"ranking": []}, ValueError, "ranking and heatmaps must not be empty, got 0 and 1"),
        ({"heatmaps": []}, ValueError, "ranking and heatmaps must not be empty, got 3 and 0"),
        ({"heatmaps": [("cup", [heat(4, 4)])]}, ValueError, "heatmaps of cup must be 2, one per"),
        (
            {"heatmaps": [("cup", [heat(4, 4), np.zeros(3)])]},
            ValueError,
            r"must be \(h, w\) finite",
        ),
        ({"heatmaps": [("cup", [heat(4, 4), np.full((4, 4), np.nan)])]}, ValueError, "finite"),
    ],
)
def test_wrong_inputs_are_named(tmp_path, changes, error, message):
    choices = {
        "network": "Net", "photo": photo(4, 4), "frame": FRAME, "ranking": RANKING,
        "heatmaps": [("cup", [heat(4, 4), heat(4, 4)])], "sizes": SIZES,
    }  # fmt: skip
    with pytest.raises(error, match=message):
        plot_heatmaps(tmp_path / "a.png", **(choices | changes))
    assert not list(tmp_path.iterdir())
