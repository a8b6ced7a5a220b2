import os
import unicodedata

import pytest

from minifcn.data import Folder
from minifcn.data.layout import find_layout
from minifcn.data.pairs import pair_folders

NAMES = "abcdefghij"


@pytest.fixture
def samples(save_image, save_mask):
    """Write samples of images and masks into two folders."""

    def write(images, masks, names=NAMES, image="{}.jpg", mask="{}.png"):
        for k, name in enumerate(names):
            save_image(f"{images}/{image.format(name)}")
            save_mask(f"{masks}/{mask.format(name)}", k % 2)

    return write


def found(root):
    return {split: "".join(p.image.stem for p in pairs) for split, pairs in find_splits(root)}


def find_splits(root):
    return find_layout(root).splits.items()


# -- Layouts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("val", ["val", "valid", "Validation"])
@pytest.mark.parametrize("place", ["images/{}", "{}/images"])
def test_splits_inside_and_outside(tmp_path, samples, place, val):
    for split, names in (("train", "abc"), (val, "de"), ("test", "f")):
        images = place.format(split)
        samples(images, images.replace("images", "masks"), names)
    assert found(tmp_path) == {"train": "abc", "val": "de", "test": "f"}
    assert len(Folder(tmp_path, "all")) == 6


@pytest.mark.parametrize("place", ["images/{}", "{}/images"])
def test_without_val_every_fifth_is_held_out_and_that_is_said(tmp_path, samples, place):
    images = place.format("train")
    samples(images, images.replace("images", "masks"))
    layout = find_layout(tmp_path)
    assert found(tmp_path) == {"train": "abcdfghi", "val": "ej"}
    assert "no folder val: every 5th sample of train is for validation" in layout.notes


def test_a_test_split_without_masks_is_left_out_and_that_is_said(tmp_path, samples, save_image):
    samples("images/train", "masks/train")
    save_image("images/test/x.jpg")
    assert "test" not in found(tmp_path)
    assert any("test', which has no masks" in note for note in find_layout(tmp_path).notes)


@pytest.mark.parametrize(
    ("images", "masks", "advice"),
    [
        ("images", "labels", "rename 'labels' to 'masks'"),
        ("imgs", "masks", "rename 'imgs' to 'images'"),
        ("images", "annotations", "rename 'annotations' to 'masks'"),
        ("JPEGImages", "SegmentationClass", "rename 'JPEGImages' to 'images'"),
        ("train/images", "train/labels", "rename 'labels' to 'masks'"),
        ("a", "b", "found 'a', 'b'; expected images/ and masks/"),
    ],
)
def test_other_layouts_are_named_with_what_to_rename(tmp_path, samples, images, masks, advice):
    samples(images, masks)
    with pytest.raises(ValueError, match="does not exist") as caught:
        find_layout(tmp_path)
    assert advice in str(caught.value)


def test_names_of_folders_in_upper_case(tmp_path, samples):
    samples("Images/Train", "MASKS/train", "ab")
    samples("Images/Val", "MASKS/VAL", "c")
    assert found(tmp_path) == {"train": "ab", "val": "c"}


def test_two_folders_of_one_split(tmp_path, samples):
    for split in ("train", "val", "valid"):
        samples(f"images/{split}", f"masks/{split}", "a")
    with pytest.raises(ValueError, match="has both 'val' and 'valid'"):
        find_layout(tmp_path)


def test_masks_without_the_splits_of_the_images(tmp_path, samples):
    samples("images/train", "masks")
    with pytest.raises(ValueError, match=r"masks' has no folder 'train', as .*images' has"):
        find_layout(tmp_path)


def test_only_val(tmp_path, samples):
    samples("images/val", "masks/val", "a")
    with pytest.raises(ValueError, match="has no folder train, only val"):
        find_layout(tmp_path)


def test_what_lies_beside_the_splits_is_said(tmp_path, samples, save_image):
    samples("images/train", "masks/train")
    samples("images/val", "masks/val", "z")
    save_image("images/lost.jpg")
    (tmp_path / "images" / "more").mkdir()
    assert any("'lost.jpg', 'more'" in note for note in find_layout(tmp_path).notes)


def test_pictures_in_the_folder_itself(tmp_path, save_image):
    save_image("a.jpg")
    with pytest.raises(ValueError, match=r"found 'a.jpg' \(1 pictures\); expected images/"):
        find_layout(tmp_path)


# -- Pairs ---------------------------------------------------------------------------------------


def pairs(tmp_path):
    paired = pair_folders(tmp_path / "images", tmp_path / "masks")
    return [(pair.image.name, pair.mask.name) for pair in paired.pairs], " ".join(paired.notes)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{}.jpg", "{}_mask.png"),
        ("{}.jpg", "{}.jpg.png"),
        ("{}.JPG", "{}-label.PNG"),
        ("img_{}.jpg", "mask_{}.png"),
        ("{}_leftImg8bit.png", "{}_gtFine_labelIds.png"),
        ("{}.png", "{}_L.png"),
        ("Shot{}.jpg", "shot{}.png"),
    ],
)
def test_names_that_tools_change_are_paired_and_that_is_said(tmp_path, samples, image, mask):
    samples("images", "masks", image=image, mask=mask)
    got, notes = pairs(tmp_path)
    assert got == [(image.format(name), mask.format(name)) for name in NAMES]
    assert "10 of 10 masks are paired by similar names" in notes


@pytest.mark.parametrize("forms", [("NFD", "NFC"), ("NFC", "NFD")])
def test_unicode_normal_forms(tmp_path, samples, forms):
    image, mask = (unicodedata.normalize(form, "café {}") for form in forms)
    samples("images", "masks", "ab", image=image + ".jpg", mask=mask + ".png")
    assert len(pairs(tmp_path)[0]) == 2


def test_an_exact_partner_comes_first(tmp_path, samples, save_mask):
    samples("images", "masks", "ab")
    save_mask("masks/a_mask.png")
    with pytest.raises(ValueError, match="mask 'a_mask' has no partner of the same name"):
        pairs(tmp_path)


def test_several_possible_partners(tmp_path, save_image, save_mask):
    save_image("images/a.jpg")
    save_mask("masks/a_mask.png")
    save_mask("masks/a_label.png")
    with pytest.raises(ValueError, match="several possible partners: 'a.jpg', 'a_label.png'"):
        pairs(tmp_path)


def test_a_partner_in_a_format_that_is_not_read_is_named(tmp_path, samples):
    samples("images", "masks")
    (tmp_path / "images/c.jpg").rename(tmp_path / "images/c.heic")
    with pytest.raises(ValueError, match="'c.heic' is there, but files ending in .heic are not"):
        pairs(tmp_path)


def test_jpeg_masks_are_named(tmp_path, samples):
    samples("images", "masks", mask="{}.jpg")
    with pytest.raises(ValueError, match="10 end in .jpg: JPEG changes ids, export masks as PNG"):
        pairs(tmp_path)


def test_other_endings_are_read_and_said(tmp_path, samples, save_image, save_mask):
    samples("images", "masks")
    for name, image, mask in (("x", "webp", "bmp"), ("y", "tiff", "tif")):
        save_image(f"images/{name}.{image}")
        save_mask(f"masks/{name}.{mask}", 1)
    got, notes = pairs(tmp_path)
    assert len(got) == 12
    assert "images: 10 .jpg, 1 .tiff, 1 .webp" in notes
    assert "masks: 1 .bmp, 10 .png, 1 .tif" in notes
    dataset = Folder(tmp_path, "all")
    greatest = {dataset.name(i): dataset[i][1].max() for i in range(len(dataset))}
    assert (greatest["x"], greatest["y"], greatest["a"]) == (1, 1, 0)


def test_what_is_left_out_is_said(tmp_path, samples, save_text):
    samples("images", "masks")
    save_text("images/notes.md", "hello")
    save_text("masks/a.json", "{}")
    save_text("masks/Thumbs.db", "left behind by Windows")
    _, notes = pairs(tmp_path)
    assert "1 that are no samples ('notes.md')" in notes
    assert "1 that are no samples ('a.json')" in notes


@pytest.mark.skipif(os.name == "nt", reason="names that differ in case are one file there")
def test_names_that_differ_in_case_only(tmp_path, samples):
    samples("images", "masks", "aA")
    assert pairs(tmp_path)[0] == [("A.jpg", "A.png"), ("a.jpg", "a.png")]


# -- Nothing is passed over ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("labels.txt", "."),
        ("images2/a.jpg", "."),
        ("dev/images/a.jpg", "."),
        ("train/images/a.jpg", "."),
        ("masks/test/a.png", "masks"),
        ("images/more/a.jpg", "images"),
    ],
)
def test_what_lies_beside_the_two_folders_is_said(tmp_path, samples, save_text, file, folder):
    inside = folder == "masks"
    samples("images/train" if inside else "images", "masks/train" if inside else "masks")
    save_text(file, "left over")
    left = file.removeprefix(f"{folder}/").split("/")[0]
    notes = " ".join(find_layout(tmp_path).notes)
    assert f"left out in {str(tmp_path / folder)!r}: 1 that are no samples ({left!r})" in notes


def test_what_lies_in_the_folder_of_a_split_is_said(tmp_path, samples, save_text):
    samples("train/images", "train/masks")
    save_text("train/labels.json", "{}")
    notes = " ".join(find_layout(tmp_path).notes)
    assert f"{str(tmp_path / 'train')!r}: 1 that are no samples ('labels.json')" in notes


def test_nothing_is_said_of_a_folder_that_is_used_whole(tmp_path, samples, save_text):
    samples("images", "masks")
    save_text("classes.txt", "a\nb\n")
    save_text(".DS_Store", "left behind by macOS")
    assert find_layout(tmp_path).notes == []


def test_classes_txt_in_upper_case(tmp_path, samples, save_text):
    samples("images", "masks")
    save_text("Classes.TXT", "ground\ntree\n")
    assert Folder(tmp_path).classes == ("ground", "tree")


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_a_link_to_nowhere(tmp_path, samples, folder):
    samples("images", "masks")
    for name in ("images/z.jpg", "masks/z.png"):
        if name.startswith(folder):
            (tmp_path / name).symlink_to(tmp_path / "gone")
    with pytest.raises(ValueError, match=r"z\.[a-z]+' is a link to '.*gone', not there"):
        find_layout(tmp_path)


def test_pictures_in_folders_of_folders(tmp_path, samples):
    samples("images/aachen", "masks/aachen")
    with pytest.raises(ValueError, match=r"in its folders, as in 'aachen', are not read: move"):
        find_layout(tmp_path)
