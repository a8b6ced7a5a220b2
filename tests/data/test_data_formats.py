"""Files that Pillow, or their format, would change on the way: turned twice, lossy, misread."""

from contextlib import suppress

import numpy as np
import pytest
from PIL import Image, ImageOps

from minifcn.data.images import check_image, image_shape, read_image
from minifcn.data.labels import read_mask

SHAPE = (5, 7)
IDS = np.random.default_rng(0).integers(0, 3, SHAPE, dtype=np.uint8)
RGB = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
ORIENTATIONS = range(2, 9)


def turned(pixels, orientation):
    """The pixels as they lie upright."""
    picture = Image.fromarray(pixels)
    picture.getexif()[0x0112] = orientation
    return np.array(ImageOps.exif_transpose(picture))


def save(path, pixels, orientation=1, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_images_are_turned_once(tmp_path, name, orientation):
    path = save(tmp_path / name, RGB, orientation)
    expected = turned(RGB, orientation)
    np.testing.assert_array_equal(read_image(path), expected)
    frame = check_image(path)
    assert (frame.upright, frame.stored, frame.orientation) == (
        expected.shape[:2],
        SHAPE,
        orientation,
    )
    assert image_shape(path) == expected.shape[:2]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("square", [False, True])
def test_masks_are_turned_once(tmp_path, name, orientation, square):
    ids = IDS[:5, :5] if square else IDS
    path = save(tmp_path / name, ids, orientation, compression="tiff_lzw")
    np.testing.assert_array_equal(read_mask(path), turned(ids, orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_tiff_without_compression_is_turned_or_refused(tmp_path, orientation):
    path = save(tmp_path / "a.tif", IDS, orientation)
    with suppress(ValueError):  # Pillow misreads some: that is found, and said
        np.testing.assert_array_equal(read_mask(path), turned(IDS, orientation))


def test_a_lossy_tiff_is_no_mask(tmp_path):
    path = save(tmp_path / "a.tif", IDS.repeat(8, 0).repeat(8, 1), compression="jpeg")
    with pytest.raises(ValueError, match=r"a TIFF compressed as jpeg, which changes ids: export"):
        read_mask(path)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "packbits"])
def test_a_lossless_tiff_is_a_mask(tmp_path, compression):
    path = save(tmp_path / "a.tif", IDS, compression=compression)
    np.testing.assert_array_equal(read_mask(path), IDS)


def test_a_bmp_of_two_colours_is_read_right_or_refused(tmp_path):
    picture = Image.fromarray((IDS > 1).astype(np.uint8))
    picture.putpalette([0, 0, 0, 255, 255, 255])
    picture.save(tmp_path / "a.bmp")
    with pytest.raises(ValueError, match=r"a BMP of 8 bits with a palette of 2 colours: save it"):
        read_mask(tmp_path / "a.bmp")
    Image.fromarray(IDS > 1).save(tmp_path / "b.bmp")
    np.testing.assert_array_equal(read_mask(tmp_path / "b.bmp"), IDS > 1)
