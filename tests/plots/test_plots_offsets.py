"""The offset ruler: positions and crops of the paper's nets, and what is drawn of them."""

import re

import numpy as np
import pytest
from matplotlib.patches import Circle
from PIL import Image

from minifcn.kernels.geometry import Window
from minifcn.models.vgg_fcn import crops as published
from minifcn.plots.offsets import fcn_layers, plot_offsets, ruler_rows

POOL = [Window(3, padding=1), Window(2, 2)] * 2
SMALL = {"pooled": POOL, "upsampled": [*POOL, Window(8, 4, transposed=True)]}
TO_IMAGE = {"upsampled": "image"}


@pytest.mark.parametrize(
    ("stride", "expected"), [(32, [19]), (16, [5, 27]), (8, [5, 9, 31])], ids=str
)
def test_the_crops_are_the_papers(stride, expected):
    rows = ruler_rows(*fcn_layers(stride))
    assert [row.crop for row in rows if row.aligned] == expected
    assert expected == list(published(stride).values())
    assert rows[-1].aligned == "image"


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_what_is_left_starts_where_it_is_aligned(stride):
    rows = {row.name: row for row in ruler_rows(*fcn_layers(stride))}
    for row in rows.values():
        if row.aligned:
            smaller = rows[row.aligned]
            assert row.position(row.crop) == smaller.first
            assert row.stride == smaller.stride


def test_positions_are_the_middles_of_what_a_cell_sees():
    """Two 3x3 convolutions with padding 1, each with a 2x2 pooling, see 10 pixels from -3 on."""
    image, pooled, upsampled = ruler_rows(SMALL, TO_IMAGE)
    assert (image.first, image.stride) == (0, 1)
    assert (pooled.first, pooled.stride) == (-3 + 9 / 2, 4)
    assert (upsampled.first, upsampled.crop) == (-2, 2)
    assert pooled.position(3) == 13.5


def test_cells_are_drawn_where_they_lie(tmp_path, drawn):
    plot_offsets(tmp_path / "a.svg", SMALL, TO_IMAGE, pixels=8)
    axes = drawn[0].axes[0]
    cells = [
        np.array([(path.vertices[:, 0].min() + path.vertices[:, 0].max()) / 2 for path in paths])
        for paths in (collection.get_paths() for collection in axes.collections)
        if paths
    ]
    pixels, pooled, cropped, left = cells
    unit = pixels[1] - pixels[0]
    np.testing.assert_allclose((pooled - pixels[0]) / unit, [1.5, 5.5])
    np.testing.assert_allclose((cropped - pixels[0]) / unit, [-2, -1])
    np.testing.assert_allclose((left - pixels[0]) / unit, range(8), atol=1e-9)
    dashed = [line for line in axes.lines if line.is_dashed()]
    assert len(dashed) == 1
    np.testing.assert_allclose(dashed[0].get_xdata(), pixels[0])


@pytest.mark.parametrize(
    ("layers", "crops", "pixels"),
    [
        (SMALL, TO_IMAGE, 2),
        (*fcn_layers(8), 13),
        ({"a": [Window(9, 4)]}, {}, 5),
        ({"a": []}, {}, 1),
        ({**fcn_layers(8)[0], "too small for a number": [Window(27)]}, {}, 14),
    ],
)
def test_a_single_cell_in_view(layers, crops, pixels, tmp_path, drawn):
    plot_offsets(tmp_path / "a.png", layers, crops, pixels)
    drawn_cells = [c.get_paths() for c in drawn[0].axes[0].collections]
    assert 1 in map(len, drawn_cells)


def test_an_arrow_is_as_long_as_its_crop(tmp_path, drawn):
    """From where the first cell lies to where the first cell that is left does."""
    plot_offsets(tmp_path / "a.png", SMALL, TO_IMAGE, pixels=8)
    axes = drawn[0].axes[0]
    (arrow,) = [text for text in axes.texts if getattr(text, "arrow_patch", None)]
    _, _, cropped, left = (
        [(path.vertices[:, 0].min() + path.vertices[:, 0].max()) / 2 for path in paths]
        for paths in (collection.get_paths() for collection in axes.collections)
        if paths
    )
    assert arrow.xyann[0] == pytest.approx(cropped[0])
    assert arrow.xy[0] == pytest.approx(left[0])


def test_pixels_are_square_and_cells_round(tmp_path, drawn):
    plot_offsets(tmp_path / "a.png", SMALL, TO_IMAGE, pixels=8)
    kinds = [len(c.get_paths()[0].vertices) for c in drawn[0].axes[0].collections if c.get_paths()]
    square, circle = 5, len(Circle((0, 0), 1).get_path().vertices)
    assert kinds == [square, circle, circle, circle]


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_a_page_with_every_name_and_crop(stride, tmp_path, drawn):
    layers, crops = fcn_layers(stride)
    plot_offsets(tmp_path / "a.png", layers, crops)
    texts = [text.get_text() for text in drawn[0].axes[0].texts]
    assert {"image", *layers} <= set(texts)
    wanted = [f"crop {n}" for n in published(stride).values()]
    assert [text for text in texts if text.startswith("crop")] == wanted
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] == 1280
    for edge in (pixels[:, 0], pixels[:, -1], pixels[0], pixels[-1]):
        assert (edge == 255).all()  # nothing is cut off


def test_the_same_picture_each_time(tmp_path):
    for name in ("a.svg", "b.svg"):
        plot_offsets(tmp_path / name, SMALL, TO_IMAGE, pixels=8)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(
    ("layers", "crops", "pixels", "message"),
    [
        ({}, {}, 8, "layers must be one or more"),
        ({"image": POOL}, {}, 8, "none called 'image'"),
        (SMALL, {"upsampled": "imag"}, 8, "crops must name layers; got 'upsampled': 'imag'"),
        (SMALL, {"pooled": "image"}, 8, "no whole crop aligns them"),
        ({"shrunk": [Window(3)]}, {"shrunk": "image"}, 8, "starts 1 cells after 'image'"),
        (
            *fcn_layers(8),
            1,
            "pixels must be at least 13 to show the first cell of 'score_fr'; got 1",
        ),
        (SMALL, {}, 1, "pixels must be at least 2 to show the first cell of 'pooled'; got 1"),
        (SMALL, TO_IMAGE, 0, "pixels must be a whole number of at least 1; got 0"),
    ],
)
def test_bad_input_is_named(layers, crops, pixels, message, tmp_path):
    with pytest.raises(ValueError, match=re.escape(message)):
        plot_offsets(tmp_path / "a.png", layers, crops, pixels)


def test_strides_that_the_paper_has_not():
    with pytest.raises(ValueError, match="stride must be 32, 16 or 8; got 4"):
        fcn_layers(4)
