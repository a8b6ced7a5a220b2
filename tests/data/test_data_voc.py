import numpy as np
import pytest

from minifcn.data import VOC, VOID, open_dataset
from minifcn.data.images import write_mask
from minifcn.data.palettes import voc_palette
from minifcn.data.voc import is_voc


@pytest.fixture
def voc(tmp_path, save_image, save_text):
    (tmp_path / "SegmentationClass").mkdir()
    for name in ("2007_000032", "2007_000033"):
        save_image(f"JPEGImages/{name}.jpg", (2, 3))
        mask = np.array([[0, 15, VOID], [20, 0, 1]], np.uint8)
        write_mask(tmp_path / f"SegmentationClass/{name}.png", mask, voc_palette(21))
    save_image("JPEGImages/2007_000001.jpg")  # most of VOC's images have no mask
    save_text("ImageSets/Segmentation/train.txt", "2007_000032\n")
    save_text("ImageSets/Segmentation/val.txt", "2007_000033\n")
    return tmp_path


def test_samples(voc):
    dataset = VOC(voc, "val")
    assert (len(dataset), dataset.name(0)) == (1, "2007_000033")
    image, mask = dataset[0]
    assert image.shape == (2, 3, 3)
    np.testing.assert_array_equal(mask, [[0, 15, VOID], [20, 0, 1]])


def test_classes_and_palette(voc):
    dataset = VOC(voc)
    assert len(dataset.classes) == 21
    assert (dataset.classes[0], dataset.classes[15]) == ("background", "person")
    np.testing.assert_array_equal(dataset.palette, voc_palette(21))


def test_layout_is_detected(voc):
    dataset = open_dataset(str(voc), "train", size=(4, 4))
    assert dataset.classes[15] == "person"
    assert dataset[0][1].shape == (4, 4)
    assert is_voc(voc)
    assert not is_voc(voc / "JPEGImages")


def test_wrong_split(voc):
    with pytest.raises(ValueError, match="split must be one of train, val; got 'test'"):
        VOC(voc, "test")


def test_missing_root(tmp_path):
    with pytest.raises(ValueError, match=r"Segmentation' does not exist"):
        VOC(tmp_path / "none")


def test_listed_name_without_a_mask(voc, save_text):
    save_text("ImageSets/Segmentation/train.txt", "2007_000032\n2007_000001\n")
    with pytest.raises(ValueError, match=r"lists '2007_000001', but there is no file .*000001.png"):
        VOC(voc)


def test_listed_name_may_not_leave_the_folder(voc, save_text):
    save_text("ImageSets/Segmentation/train.txt", "../secret\n")
    with pytest.raises(ValueError, match=r"must list names without folders; got '../secret'"):
        VOC(voc)


def test_empty_list(voc, save_text):
    save_text("ImageSets/Segmentation/train.txt", "")
    with pytest.raises(ValueError, match=r"train.txt' is empty"):
        VOC(voc)


# -- Own data in VOC's layout --------------------------------------------------------------------


@pytest.fixture
def own(tmp_path, save_image, save_mask, save_text):
    """Ids 0 and 1, images in two formats, and classes of one's own."""
    for name, suffix in (("a", "jpg"), ("b", "png")):
        save_image(f"JPEGImages/{name}.{suffix}", (2, 3))
        save_mask(f"SegmentationClass/{name}.png", [[0, 1, 1], [0, 0, 255]])
    save_text("ImageSets/Segmentation/train.txt", "a\r\n")
    save_text("ImageSets/Segmentation/val.txt", "\ufeffb\n")
    return tmp_path


def test_classes_of_one_s_own(own, save_text):
    save_text("classes.txt", "background\ncrack\n")
    for split in ("train", "val"):
        dataset = VOC(own, split)
        assert dataset.classes == ("background", "crack")
        assert dataset[0][1].tolist() == [[0, 1, 1], [0, 0, VOID]]


def test_colours_of_one_s_own(own, save_text):
    save_text("classes.txt", "sky 9 0 0\ncrack 0 9 0\nvoid 0 0 9\n")
    colours = np.array([[0, 9, 0], [0, 0, 9], [9, 0, 0]], np.uint8)
    mask = np.array([[2, 0, 1], [2, 2, 2]], np.uint8)
    for name in "ab":
        write_mask(own / f"SegmentationClass/{name}.png", mask, colours)
    assert VOC(own)[0][1].tolist() == [[0, 1, VOID], [0, 0, 0]]


def test_without_classes_txt_the_classes_are_voc_s(own):
    dataset = VOC(own)
    assert dataset.classes[1] == "aeroplane"
    assert "never in these masks: bicycle" in " ".join(dataset.check())


def test_voc_s_colours_count_whatever_the_order_of_the_palette(voc):
    order = np.roll(np.arange(21), 5)
    mask = np.array([[0, 15, 0], [20, 0, 1]], np.uint8)
    path = voc / "SegmentationClass/2007_000033.png"
    write_mask(path, np.argsort(order)[mask].astype(np.uint8), voc_palette(21)[order])
    np.testing.assert_array_equal(VOC(voc, "val")[0][1], mask)


def test_an_id_that_voc_lacks(own, save_mask):
    save_mask("SegmentationClass/b.png", [[0, 21, 1]])
    with pytest.raises(ValueError, match=r"b.png' has id 21; expected 0 to 20"):
        VOC(own)


def test_lists_without_val(voc):
    (voc / "ImageSets/Segmentation/val.txt").unlink()
    with pytest.raises(ValueError, match=r"Segmentation' has no val.txt: name some samples there"):
        VOC(voc, "val")


def test_a_name_twice_in_a_list(voc, save_text):
    save_text("ImageSets/Segmentation/train.txt", "2007_000032\n\n2007_000032\n")
    with pytest.raises(ValueError, match=r"must list a name once; got '2007_000032' twice"):
        VOC(voc)


def test_what_is_in_both_lists_or_in_none_is_said(voc, save_text):
    save_text("ImageSets/Segmentation/val.txt", "2007_000032\n")
    notes = " ".join(VOC(voc).notes)
    assert "1 samples, such as 2007_000032, are both in train.txt and in val.txt" in notes
    assert "2 that are no samples ('2007_000001.jpg', '2007_000033.jpg')" in notes
