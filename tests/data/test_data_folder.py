import re

import numpy as np
import pytest

from minifcn.data import VOID, Folder
from minifcn.data.palettes import default_palette

NAMES = tuple("abcdefghijkl")


@pytest.fixture
def flat(tmp_path, save_image, save_mask):
    """Twelve samples in two folders; sample k is of id k % 3."""
    for k, name in enumerate(NAMES):
        save_image(f"images/{name}.{'jpg' if k % 2 else 'png'}")
        save_mask(f"masks/{name}.png", k % 3)
    return tmp_path


@pytest.fixture
def with_splits(tmp_path, save_image, save_mask):
    for split, names in (("train", "ab"), ("val", "c")):
        for name in names:
            save_image(f"images/{split}/{name}.bmp")
            save_mask(f"masks/{split}/{name}.png", 4 if split == "val" else 1)
    return tmp_path


def names(dataset):
    return "".join(dataset.name(i) for i in range(len(dataset)))


# -- Splits --------------------------------------------------------------------------------------


def test_every_fifth_sample_is_val(flat):
    assert names(Folder(flat, "train")) == "abcdfghikl"
    assert names(Folder(flat, "val")) == "ej"


def test_subfolders_are_splits(with_splits):
    assert names(Folder(with_splits, "train")) == "ab"
    assert names(Folder(with_splits, "val")) == "c"


def test_samples(flat):
    image, mask = Folder(str(flat))[1]
    assert image.shape == (6, 8, 3)
    np.testing.assert_array_equal(mask, np.ones((6, 8)))


def test_size(flat):
    image, mask = Folder(flat, size=(3, 5))[0]
    assert (image.shape, mask.shape) == ((3, 5, 3), (3, 5))
    with pytest.raises(ValueError, match="two positive integers"):
        Folder(flat, size=(3, 0))


@pytest.mark.parametrize("split", ["tset", "test"])
def test_unknown_split(flat, split):
    with pytest.raises(ValueError, match=f"split must be one of train, val, all; got '{split}'"):
        Folder(flat, split)


def test_too_few_samples_for_val(tmp_path, save_image, save_mask):
    save_image("images/a.png")
    save_mask("masks/a.png")
    assert len(Folder(tmp_path, "train")) == 1
    with pytest.raises(ValueError, match="split val needs 5 samples; .* has 1"):
        Folder(tmp_path, "val")


# -- Classes -------------------------------------------------------------------------------------


def test_without_a_list_classes_are_found_in_the_masks_of_all_splits(with_splits, save_mask):
    save_mask("masks/train/a.png", VOID)
    dataset = Folder(with_splits, "train")
    assert dataset.classes == ("class 0", "class 1", "class 2", "class 3", "class 4")
    np.testing.assert_array_equal(dataset.palette, default_palette(5))
    assert Folder(with_splits, "val").classes == dataset.classes


def test_classes_by_name(flat, save_text):
    save_text("classes.txt", "\ufeffroad\ntraffic light\n\n  sky \n")
    dataset = Folder(flat)
    assert dataset.classes == ("road", "traffic light", "sky")
    np.testing.assert_array_equal(dataset.palette, default_palette(3))


def test_rgb_masks(flat, save_image, save_text):
    save_text("classes.txt", "road 128 64 128\nvoid 0 0 0\ntraffic light 250 170 30\n")
    colours = np.array([[[250, 170, 30], [0, 0, 0]], [[128, 64, 128], [128, 64, 128]]], np.uint8)
    for name in NAMES:
        save_image(f"masks/{name}.png", pixels=np.full((6, 8, 3), colours[0, 0]))
    save_image("images/a.png", (2, 2))
    save_image("masks/a.png", pixels=colours)
    dataset = Folder(flat)
    assert dataset.classes == ("road", "traffic light")
    assert dataset.palette.tolist() == [[128, 64, 128], [250, 170, 30]]
    assert dataset[0][1].tolist() == [[1, VOID], [0, 0]]


def test_rgb_masks_without_colours(flat, save_image):
    save_image("masks/a.png")
    with pytest.raises(ValueError, match=r"masks.a.png': an RGB mask, but no colour table"):
        Folder(flat)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "classes.txt' is empty"),
        ("void 0 0 0", "must name 1 to 255 classes; got 0"),
        ("\n".join(f"c{i}" for i in range(256)), "must name 1 to 255 classes; got 256"),
        ("road 1 2", "line 1: colour must be three numbers from 0 to 255; got 'road 1 2'"),
        ("road 1 2 256", "line 1: colour must be three numbers from 0 to 255; got 'road 1 2 256'"),
        ("road 1 2 3\nsky", "must colour all or none; got 1 of 2"),
        ("road\nsky\nroad", "must not repeat a name or colour; got road twice"),
        ("road 1 2 3\nsky 1 2 3", "must not repeat a name or colour; got (1, 2, 3) twice"),
    ],
)
def test_classes_that_cannot_be_understood(flat, save_text, text, message):
    save_text("classes.txt", text)
    with pytest.raises(ValueError, match=re.escape(message)):
        Folder(flat)


def test_classes_that_are_no_file(flat):
    (flat / "classes.txt").mkdir()
    with pytest.raises(ValueError, match="cannot read .*classes.txt'"):
        Folder(flat)


# -- Files that do not fit -----------------------------------------------------------------------


def test_missing_folders(tmp_path):
    with pytest.raises(ValueError, match="images' does not exist"):
        Folder(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(ValueError, match="masks' does not exist"):
        Folder(tmp_path)
    (tmp_path / "masks").touch()
    with pytest.raises(ValueError, match="masks' is not a folder"):
        Folder(tmp_path)


def test_empty_folder(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(
        ValueError, match=r"no .png, .jpg, .jpeg, .bmp, .tif, .tiff, .webp files in .*images'"
    ):
        Folder(tmp_path)


def test_image_without_a_mask(flat):
    (flat / "masks" / "c.png").unlink()
    with pytest.raises(ValueError, match="image 'c' has no partner of the same name in .*masks'"):
        Folder(flat)


def test_mask_without_an_image(flat, save_mask):
    save_mask("masks/z.png")
    with pytest.raises(ValueError, match="mask 'z' has no partner of the same name in .*images'"):
        Folder(flat)


def test_two_images_of_one_stem(flat, save_image):
    save_image("images/a.jpg")
    with pytest.raises(ValueError, match=r"a.png' and 'a.jpg' have the same stem"):
        Folder(flat)


def test_hidden_and_other_files_are_passed_over(flat, save_text):
    save_text("images/._a.png", "left behind by macOS")
    save_text("images/notes.md", "hello")
    assert names(Folder(flat)) == "abcdfghikl"


def test_mask_of_another_size(flat, save_mask):
    save_mask("masks/a.png", 0, (8, 6))
    with pytest.raises(ValueError, match=r"a.png' is 8x6 but its image is 6x8"):
        Folder(flat)[0]


def test_damaged_image(flat):
    (flat / "images" / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(ValueError, match=r"cannot read .*images.a.png'"):
        Folder(flat)[0]
