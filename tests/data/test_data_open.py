import subprocess
import sys

import numpy as np
import pytest

from minifcn.data import CamVid, Folder, InMemory, Shapes, open_dataset


def test_shapes():
    dataset = open_dataset("shapes", "val", size=(40, 50), seed=2)
    assert isinstance(dataset, Shapes)
    assert dataset[0][1].shape == (40, 50)
    np.testing.assert_array_equal(dataset[0][0], Shapes("val", size=(40, 50), seed=2)[0][0])
    assert open_dataset("shapes")[0][1].shape == (96, 96)


def test_camvid(tmp_path, save_image, save_mask):
    save_image("train/a.png")
    save_mask("trainannot/a.png", 11)
    dataset = open_dataset("camvid", root=str(tmp_path), size=(3, 4))
    assert isinstance(dataset, InMemory)
    assert isinstance(dataset.dataset, CamVid)
    assert dataset[0][1].tolist() == [[255] * 4] * 3


def test_camvid_needs_a_root():
    with pytest.raises(ValueError, match="camvid needs --root"):
        open_dataset("camvid")


def test_folder(tmp_path, save_image, save_mask):
    save_image("images/a.png")
    save_mask("masks/a.png", 2)
    dataset = open_dataset(str(tmp_path))
    assert isinstance(dataset, InMemory)
    assert isinstance(dataset.dataset, Folder)
    assert dataset.classes == ("class 0", "class 1", "class 2")


def test_unknown_name():
    with pytest.raises(
        ValueError, match="data must be shapes, camvid or an existing folder; got 'shpes'"
    ):
        open_dataset("shpes")


def test_root_is_for_camvid_only():
    with pytest.raises(
        ValueError, match="root is camvid's folder; got root 'x' with data 'shapes'"
    ):
        open_dataset("shapes", root="x")


def test_unknown_split():
    with pytest.raises(ValueError, match="split must be one of train, val, test; got 'tset'"):
        open_dataset("shapes", "tset")


def test_importing_and_drawing_shapes_needs_no_pillow():
    code = (
        "import sys, minifcn.data; minifcn.data.open_dataset('shapes')[0]; "
        "sys.exit('PIL' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
