import gc
import struct
import warnings
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from minifcn.data.images import (
    check_pair,
    opened,
    read_image,
    write_image,
    write_mask,
)
from minifcn.data.labels import Labels, read_labels, read_mask
from minifcn.data.palettes import VOID_COLOUR, voc_palette

IDS = np.array([[0, 15, 255], [1, 0, 2]], np.uint8)


def png(width, height, depth, colour_type, rows=b""):
    """A PNG from its bytes, for what Pillow does not write."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def error_of(function, *arguments):
    """The message of the ValueError, which must be one line and name the file."""
    with pytest.raises(ValueError) as caught:
        function(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert str(arguments[0]) in message
    return message


# -- Images --------------------------------------------------------------------------------------


def test_image_comes_back_as_rgb(save_image):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    image = read_image(save_image("a.png", pixels=pixels))
    assert image.dtype == np.uint8
    assert image.flags.writeable
    np.testing.assert_array_equal(image, pixels)


@pytest.mark.parametrize("suffix", ["png", "bmp", "jpg"])
def test_image_formats(save_image, suffix):
    pixels = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    image = read_image(save_image(f"a.{suffix}", pixels=pixels))
    assert image.shape == (16, 16, 3)
    assert np.abs(image.astype(int) - pixels).max() <= 4


def test_grey_image_becomes_three_equal_channels(save_image):
    grey = np.array([[0, 100, 255]], np.uint8)
    image = read_image(save_image("a.png", pixels=grey))
    np.testing.assert_array_equal(image, np.stack([grey] * 3, axis=2))


@pytest.mark.parametrize("transparency", [b"\x00\x80", 1])
def test_palette_image_with_transparency_keeps_its_colours(tmp_path, transparency):
    picture = Image.fromarray(np.array([[0, 1]], np.uint8))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.save(tmp_path / "a.png", transparency=transparency)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), [[[10, 20, 30], [40, 50, 60]]])


def test_image_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to view"
    stored = np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)  # red left of green
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), stored.transpose(1, 0, 2))


def test_transparency_of_an_image_is_dropped(save_image):
    pixels = np.array([[[10, 20, 30, 0], [40, 50, 60, 255]]], np.uint8)
    image = read_image(save_image("a.png", pixels=pixels))
    np.testing.assert_array_equal(image, pixels[..., :3])


def test_another_image_format_is_refused(tmp_path):
    path = tmp_path / "a.png"
    Image.new("P", (4, 4)).save(path, format="GIF")
    assert "not an image in one of the formats BMP, JPEG, PNG" in error_of(read_image, path)


def test_16_bit_image_is_refused_and_not_clipped(save_image):
    path = save_image("a.png", pixels=np.array([[300]], np.uint16))
    assert "expected 8 bits a channel" in error_of(read_image, path)


# -- Files that are not what they should be ------------------------------------------------------


@pytest.fixture(params=[read_image, read_mask])
def read(request):
    return request.param


def test_missing_file(read, tmp_path):
    assert "no such file" in error_of(read, tmp_path / "none.png")


def test_folder_instead_of_a_file(read, tmp_path):
    assert "a folder; expected an image file" in error_of(read, tmp_path)


def test_empty_file(read, tmp_path):
    (tmp_path / "a.png").touch()
    assert "0 bytes; expected an image" in error_of(read, tmp_path / "a.png")


def test_text_instead_of_an_image(read, save_text):
    message = error_of(read, save_text("a.png", "hello"))
    assert "not an image in one of the formats BMP, JPEG, PNG" in message


def test_truncated_file_raises_and_is_closed(read, save_image):
    path = save_image("a.png", size=(64, 64))
    path.write_bytes(path.read_bytes()[:-3000])
    assert "truncated" in error_of(read, path)
    gc.collect()  # a file left open warns here, and warnings are errors


def test_no_truncation_gives_wrong_pixels(read, save_mask):
    path = save_mask("a.png", IDS)
    whole, pixels = path.read_bytes(), read(path)
    for length in range(whole.index(b"IDAT") + 8):
        path.write_bytes(whole[:length])
        error_of(read, path)
    for length in range(whole.index(b"IDAT") + 8, len(whole)):  # perhaps only a checksum is cut
        path.write_bytes(whole[:length])
        with suppress(ValueError):
            np.testing.assert_array_equal(read(path), pixels)


@pytest.mark.parametrize("side", [10_000, 60_000])  # Pillow warns of the first, refuses the second
@pytest.mark.filterwarnings("ignore")  # a user's Python only prints it
def test_decompression_bomb(read, tmp_path, side):
    (tmp_path / "a.png").write_bytes(png(side, side, 8, 2))
    assert "too many pixels; expected at most" in error_of(read, tmp_path / "a.png")


def test_a_name_with_a_line_break_stays_on_one_line(read, tmp_path):
    with pytest.raises(ValueError, match=r"a\\nb.png': no such file") as caught:
        read(tmp_path / "a\nb.png")
    assert "\n" not in str(caught.value)


def test_exception_without_a_text_is_named(monkeypatch, save_image):
    def out_of_memory(*arguments, **options):
        raise MemoryError

    path = save_image("a.png")
    monkeypatch.setattr(Image, "open", out_of_memory)
    assert error_of(read_image, path).endswith("MemoryError")


# -- Masks ---------------------------------------------------------------------------------------


def test_palette_mask_is_read_by_index(tmp_path):
    write_mask(tmp_path / "a.png", IDS, voc_palette(21))
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"
        assert np.array(picture.convert("L"))[0].tolist() == [0, 147, 220]  # the trap
    mask = read_mask(tmp_path / "a.png")
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, IDS)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palette_mask_of_few_bits(tmp_path, bits):
    ids = np.arange(2**bits, dtype=np.uint8)[None]
    picture = Image.fromarray(ids)
    picture.putpalette(bytes(3 * 2**bits))
    picture.save(tmp_path / "a.png", bits=bits)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), ids)


def test_grey_mask_is_read_by_value(save_mask):
    np.testing.assert_array_equal(read_mask(save_mask("a.png", IDS)), IDS)


@pytest.mark.parametrize(
    ("depth", "row", "ids"),
    [
        (1, b"\x00\x50", [0, 1, 0, 1]),
        (2, b"\x00\x1b", [0, 1, 2, 3]),
        (4, b"\x00\x01\x2f", [0, 1, 2, 15]),
    ],
)
def test_grey_mask_of_few_bits_is_not_stretched(tmp_path, depth, row, ids):
    (tmp_path / "a.png").write_bytes(png(4, 1, depth, 0, row))
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), [ids])


def test_black_and_white_mask_is_0_and_1(tmp_path):
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), [[0, 1]])


def test_16_bit_mask_of_small_ids(save_image):
    mask = read_mask(save_image("a.png", pixels=IDS.astype(np.uint16)))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, IDS)


def test_16_bit_mask_of_an_id_over_255(save_image):
    path = save_image("a.png", pixels=np.array([[0, 256]], np.uint16))
    assert "16-bit id 256; expected ids of at most 255" in error_of(read_mask, path)


def test_jpeg_mask_is_refused(save_image):
    path = save_image("a.jpg", pixels=IDS)
    assert "a JPEG file; expected a PNG" in error_of(read_mask, path)


def test_mask_of_another_mode_is_refused(tmp_path):
    Image.new("CMYK", (2, 2)).save(tmp_path / "a.tif")
    message = error_of(read_mask, tmp_path / "a.tif")
    assert "mode CMYK; expected palette, grey or RGB" in message


# -- RGB masks -----------------------------------------------------------------------------------

RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)
COLOURED = np.array([[RED, BLUE, BLACK], [BLUE, BLUE, RED]], np.uint8)


def test_rgb_mask_through_a_dictionary(save_image):
    path = save_image("a.png", pixels=COLOURED)
    mask = read_mask(path, {RED: 4, BLUE: 0, BLACK: 255})
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, [[4, 0, 255], [0, 0, 4]])


def test_rgb_mask_through_a_list(save_image):
    path = save_image("a.png", pixels=COLOURED)
    np.testing.assert_array_equal(read_mask(path, [BLACK, RED, BLUE]), [[1, 2, 0], [2, 2, 1]])


def test_rgba_mask(save_image):
    transparent = np.dstack([COLOURED, np.zeros((2, 3), np.uint8)])
    mask = read_mask(save_image("a.png", pixels=transparent), [BLACK, RED, BLUE])
    np.testing.assert_array_equal(mask, [[1, 2, 0], [2, 2, 1]])


def test_unknown_colours_are_named_with_their_count(save_image):
    message = error_of(read_mask, save_image("a.png", pixels=COLOURED), [BLACK])
    assert "2 colours that the colour table lacks" in message
    assert "(0, 0, 255) in 3 pixels, (255, 0, 0) in 2 pixels" in message


def test_rgb_mask_without_a_table_says_how_to_give_one(save_image):
    message = error_of(read_mask, save_image("a.png", pixels=COLOURED))
    assert "an RGB mask, but no colour table" in message
    assert "classes.txt" in message


# -- Checks and writing --------------------------------------------------------------------------


def test_check_pair_names_both_sizes():
    check_pair((4, 6), (4, 6), "m.png")
    with pytest.raises(ValueError, match=r"'m.png' is 6x4 but its image is 4x6"):
        check_pair((4, 6), (6, 4), "m.png")


def test_an_id_that_is_no_class_is_named(save_mask):
    labels = Labels((), (), ids={i: i for i in (*range(16), 255)})
    np.testing.assert_array_equal(read_labels(save_mask("m.png", IDS), labels), IDS)
    del labels.ids[15]
    message = error_of(read_labels, save_mask("m.png", IDS), labels)
    assert "has id 15; expected 0 to 14, or 255" in message


def test_written_image_comes_back(tmp_path):
    write_image(tmp_path / "a.png", COLOURED)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), COLOURED)


def test_written_mask_shows_the_palette(tmp_path):
    write_mask(tmp_path / "a.png", IDS, voc_palette(21))
    shown = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(shown[0], [*voc_palette(21)[[0, 15]], VOID_COLOUR])


def test_wrong_arrays_are_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"image must be uint8 \(H, W, 3\); got uint8 \(2, 3\)"):
        write_image(tmp_path / "a.png", IDS)
    with pytest.raises(ValueError, match=r"mask must be uint8 \(H, W\); got int64 \(2, 3\)"):
        write_mask(tmp_path / "a.png", IDS.astype(np.int64), voc_palette(21))
    assert not list(tmp_path.iterdir())


def test_only_png_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"path must end in .png; got .*a.jpg"):
        write_image(tmp_path / "a.jpg", COLOURED)
    with pytest.raises(ValueError, match=r"path must end in .png; got .*a.jpg"):
        write_mask(tmp_path / "a.jpg", IDS, voc_palette(21))


def test_files_that_threads_have_open_at_a_time_leave_the_warnings_as_they_were(save_image):
    before = list(warnings.filters)
    first, second = (opened(save_image(name)) for name in ("a.png", "b.png"))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert list(warnings.filters) == before
