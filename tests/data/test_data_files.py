"""What is found in files before a training depends on them."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from minifcn.data import Folder
from minifcn.data.images import check_image, image_shape, read_image
from minifcn.data.labels import read_mask

TALL, WIDE = (8, 6), (6, 8)


@pytest.fixture
def flat(tmp_path, save_image, save_mask):
    for i in range(10):
        save_image(f"images/{i}.jpg", WIDE)
        save_mask(f"masks/{i}.png", i % 2, WIDE)
    return tmp_path


def oriented(path, orientation, shape=WIDE):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", shape[::-1]).save(path, exif=exif)
    return path


def checked(root):
    return " ".join(Folder(root, "all").check())


# -- Damaged, and of another size ----------------------------------------------------------------


@pytest.mark.parametrize("i", [0, 4])  # to train, for validation
@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_truncated_file_is_found(flat, i, kind, save_image, save_mask):
    save_image(f"images/{i}.jpg", (90, 90))
    save_mask(f"masks/{i}.png", np.arange(8100).reshape(90, 90) % 2)
    path = next((flat / kind).glob(f"{i}.*"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"cannot read .*{i}\."):
        Folder(flat, "all").check()


def test_a_mask_of_another_size_is_found(flat, save_mask):
    save_mask("masks/4.png", 0, (6, 7))
    with pytest.raises(ValueError, match=r"4.png' is 6x7 but its image is 6x8"):
        Folder(flat, "all").check()


def test_classes_that_do_not_occur(flat, save_text):
    save_text("classes.txt", "ground\ntree\ncar\n")
    assert "never in these masks: car (of 3 classes)" in checked(flat)


def test_one_class_alone(flat, save_mask):
    for i in range(10):
        save_mask(f"masks/{i}.png", 0, WIDE)
    assert "only one class occurs, 'class 0': nothing to tell apart" in checked(flat)


def test_one_class_alone_beside_void(flat, save_mask, save_text):
    save_text("classes.txt", "ground\nvoid\ncar\n")
    for i in range(10):
        save_mask(f"masks/{i}.png", 0, WIDE)
    assert "only one class occurs, 'ground': nothing to tell apart" in checked(flat)


def test_nearly_all_void(flat, save_mask):
    mask = np.full((400, 10), 255)
    mask[0] = np.arange(10) % 2
    for i in range(10):
        Image.new("RGB", (10, 400)).save(flat / f"images/{i}.jpg")
        save_mask(f"masks/{i}.png", mask)
    assert "99.8 % of the pixels are void" in checked(flat)


def test_the_share_of_void_is_said(flat, save_mask):
    save_mask("masks/3.png", np.repeat([[0, 255]], 24, axis=1).reshape(6, 8))
    assert "5 % of the pixels are void and count nowhere" in checked(flat)


def test_all_void(flat, save_mask, save_text):
    save_text("classes.txt", "ground\ntree\n")
    for i in range(10):
        save_mask(f"masks/{i}.png", 255, WIDE)
    with pytest.raises(ValueError, match="void in every pixel: nothing to learn"):
        Folder(flat).check()


def test_stretched_images_are_counted(flat):
    assert "10 of 10 images lose their aspect at 8x8, by a factor of up to 1.33" in " ".join(
        Folder(flat, "all", size=(8, 8)).check()
    )
    assert "aspect" not in " ".join(Folder(flat, "all", size=(12, 16)).check())


# -- EXIF ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_shapes_of_turned_images(tmp_path, orientation):
    path = oriented(tmp_path / "a.jpg", orientation)
    upright = TALL if orientation > 4 else WIDE
    assert read_image(path).shape[:2] == upright == image_shape(path)
    assert check_image(path) == (upright, WIDE, orientation)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_that_was_not_turned_with_its_image(flat, orientation):
    oriented(flat / "images/3.jpg", orientation)
    with pytest.raises(ValueError, match=rf"3.png' is 6x8, as its image is stored, but EXIF orientation {orientation} turns the image to 8x6"):  # noqa: E501 # fmt: skip
        checked(flat)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_of_the_upright_image(flat, save_mask, orientation):
    oriented(flat / "images/3.jpg", orientation)
    save_mask("masks/3.png", 0, TALL)
    assert "1 images are turned upright by their EXIF" in checked(flat)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_where_nothing_tells_whether_a_mask_was_turned(flat, save_mask, orientation):
    oriented(flat / "images/3.jpg", orientation, (8, 8))
    save_mask("masks/3.png", 0, (8, 8))
    with pytest.raises(
        ValueError, match=rf"3.jpg' is stored .* \(EXIF orientation {orientation}\)"
    ):
        checked(flat)


def test_other_photos_tell_whether_masks_were_turned(flat, save_mask):
    oriented(flat / "images/2.jpg", 3)
    oriented(flat / "images/3.jpg", 6)
    save_mask("masks/3.png", 0, TALL)
    assert "2 images are turned upright by their EXIF" in checked(flat)


def test_a_mask_with_an_orientation_of_its_own(flat):
    oriented(flat / "images/3.jpg", 3)
    mask = np.zeros(WIDE, np.uint8)
    mask[0] = 1
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(mask).save(flat / "masks/3.png", exif=exif)
    np.testing.assert_array_equal(read_mask(flat / "masks/3.png"), mask[::-1, ::-1])
    assert "1 images are turned upright" in checked(flat)


# -- Depths --------------------------------------------------------------------------------------


def deep_png(path, colour_type, channels):
    rows = b"".join(b"\0" + bytes(2 * 4 * channels) for _ in range(4))
    header = struct.pack(">IIBBBBB", 4, 4, 16, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )
    )
    return path


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_png_of_16_bits_is_refused_in_every_mode(tmp_path, colour_type, channels):
    path = deep_png(tmp_path / "a.png", colour_type, channels)
    with pytest.raises(ValueError, match="expected 8"):
        read_image(path)
    with pytest.raises(ValueError, match="expected 8"):
        check_image(path)
    if channels > 1:
        with pytest.raises(ValueError, match="16 bits a channel; expected 8, or grey of 16"):
            read_mask(path)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_tiff_is_refused(tmp_path, mode):
    Image.new(mode, (4, 4)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="expected 8 bits a channel"):
        read_image(tmp_path / "a.tif")


def test_a_tiff_of_several_pages_is_refused(tmp_path):
    page = Image.new("L", (4, 4))
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page])
    for read in (read_image, read_mask):
        with pytest.raises(ValueError, match="2 images in one file; expected one"):
            read(tmp_path / "a.tif")
