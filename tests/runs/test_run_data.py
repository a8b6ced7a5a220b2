"""A run's data: recorded when it begins, compared when it goes on or is scored."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from minifcn.data import VOID
from minifcn.data.record import Record
from minifcn.runs.config import Config
from minifcn.runs.data import load_record, open_new, open_recorded, open_scored

IDS = np.zeros((32, 32), np.uint8)
IDS[:16, :16] = 1


def write(root, count=10, mask=IDS, classes=None):
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for i in range(count):
        pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"images/s{i}.png")
        Image.fromarray(mask).save(root / f"masks/s{i}.png")
    if classes:
        (root / "classes.txt").write_text(classes, encoding="utf-8")
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / "data")


def begin(root, folder):
    """The config of a run on `root`, whose record is written into `folder`."""
    config = Config.make(str(root), size=(32, 32))
    data = open_new(config)
    folder.mkdir(exist_ok=True)
    (folder / "data.json").write_text(data.record.to_json(), encoding="utf-8")
    return config.with_classes_of(data.train)


def notes_now(config, folder):
    return " ".join(open_recorded(config, folder).notes)


# -- The record ----------------------------------------------------------------------------------


def test_a_record_comes_back(root, tmp_path):
    config = begin(root, tmp_path)
    record = load_record(tmp_path)
    assert record == open_new(config).record
    assert {split: len(names) for split, names in record.splits.items()} == {"train": 8, "val": 2}
    assert record.changes(record) == ""


def test_masks_are_not_looked_at_again_where_nothing_changed(root, tmp_path, monkeypatch):
    config = begin(root, tmp_path)

    def refuse(*arguments):
        raise AssertionError("a mask was looked at")

    monkeypatch.setattr("minifcn.data.folder.look", refuse)
    data = open_recorded(config, tmp_path)
    assert data.notes == []
    np.testing.assert_array_equal(data.train[0][1].max(), 1)


def remove(root):
    for i in (0, 1, 2):
        (root / f"images/s{i}.png").unlink()
        (root / f"masks/s{i}.png").unlink()


def add(root):
    for kind in ("images", "masks"):
        shutil.copy(root / kind / "s0.png", root / kind / "t.png")


def redraw(root):
    Image.fromarray(np.eye(32, dtype=np.uint8)).save(root / "masks/s3.png")


def rename(root):
    (root / "classes.txt").write_text("sky\nsea\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (remove, "3 samples are gone (s0, s1, s2); 1 sample is for validation now and trained on"),
        (add, "1 sample is new (t)"),
        (redraw, "1 sample is not as before (s3)"),
    ],
)
def test_a_change_is_said(root, tmp_path, change, said):
    config = begin(root, tmp_path)
    change(root)
    assert f"the data has changed since the run began: {said}" in notes_now(config, tmp_path)


def test_other_names_of_classes_are_a_change(root, tmp_path):
    begin(root, tmp_path)
    rename(root)
    now = open_new(Config.make(str(root))).record
    assert "masks mean something else" in load_record(tmp_path).changes(now)


def test_another_classes_txt_is_a_change(tmp_path):
    root = write(tmp_path / "data", classes="ground\ntree\n")
    config = begin(root, tmp_path)
    (root / "classes.txt").write_text("tree\nground\n", encoding="utf-8")
    data = open_recorded(config, tmp_path)
    assert "the data has changed since the run began: classes.txt is another" in data.notes[0]
    with pytest.raises(ValueError, match="classes of the run, ground, tree; got tree, ground"):
        config.with_classes_of(data.train)


def test_a_new_classes_txt_is_a_change(root, tmp_path):
    config = begin(root, tmp_path)
    assert notes_now(config, tmp_path) == ""
    (root / "classes.txt").write_text("class 0\nclass 1\n", encoding="utf-8")
    assert "classes.txt is another" in notes_now(config, tmp_path)


def test_samples_of_one_name_in_two_splits_are_not_said_to_be_learnt(tmp_path):
    for split in ("train", "val"):
        write(tmp_path / "data" / split)
    config = begin(tmp_path / "data", tmp_path)
    redraw(tmp_path / "data/train")
    said = notes_now(config, tmp_path)
    assert "the data has changed since the run began: 1 sample is not as before (s3)" in said
    assert "trained on before" not in said


def test_data_that_was_moved(root, tmp_path):
    config = begin(root, tmp_path)
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(
        ValueError,
        match=r"existing folder; got '.*data': if it was moved, give its new place by --data",
    ):
        open_recorded(config, tmp_path)
    with pytest.raises(ValueError, match=r"must be shapes, camvid or an existing folder"):
        open_scored(config, tmp_path)


def test_a_damaged_record(root, tmp_path):
    config = begin(root, tmp_path)
    path = tmp_path / "data.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    for broken in ([], {}, values | {"digest": "0"}, values | {"splits": {"train": {"a": 1}}}):
        path.write_text(json.dumps(broken), encoding="utf-8")
        with pytest.raises(ValueError, match=r"data.json: not a record of data"):
            open_recorded(config, tmp_path)


def test_a_run_without_a_record_goes_on(root, tmp_path):
    config = begin(root, tmp_path)
    (tmp_path / "data.json").unlink()
    assert len(open_recorded(config, tmp_path).train) == 8
    assert isinstance(open_new(config).record, Record)


# -- What is scored ------------------------------------------------------------------------------


def scored(config, folder, data=None, split=None):
    dataset, notes = open_scored(config, folder, data and str(data), None, split)
    return dataset, " ".join(notes)


def test_the_run_s_own_validation_split_by_default(root, tmp_path):
    config = begin(root, tmp_path)
    for data in (None, root, f"{root}/../data"):
        dataset, said = scored(config, tmp_path, data)
        assert len(dataset) == 2
        assert "scored: 2 images, split val of" in said
        assert "which has 10 (8 train, 2 val; every 5th is val)" in said


def test_all_of_another_folder(root, tmp_path):
    config = begin(root, tmp_path)
    dataset, said = scored(config, tmp_path, write(tmp_path / "other", 7))
    assert len(dataset) == 7
    assert "scored: 7 images, split all of" in said


def test_the_validation_split_of_another_folder_with_splits(root, tmp_path):
    config = begin(root, tmp_path)
    for split, count in (("train", 4), ("val", 3)):
        write(tmp_path / "other" / split, count)
    dataset, said = scored(config, tmp_path, tmp_path / "other")
    assert len(dataset) == 3
    assert "split val of" in said
    assert "which has 7 (4 train, 3 val)" in said
    assert len(scored(config, tmp_path, tmp_path / "other", "all")[0]) == 7


@pytest.mark.parametrize("trained", [IDS, IDS * 255])
@pytest.mark.parametrize("other", [IDS, IDS * 255])
def test_masks_of_another_folder_mean_the_run_s_classes(tmp_path, trained, other):
    """Whether the run's masks were ids or 0 and 255, another folder's may be either."""
    config = begin(write(tmp_path / "data", mask=trained), tmp_path)
    dataset, _ = scored(config, tmp_path, write(tmp_path / "other", mask=other))
    assert dataset.classes == tuple(config.classes)
    np.testing.assert_array_equal(dataset[0][1], IDS)


def test_colours_of_the_run_hold_in_another_folder(tmp_path):
    colours = np.array([(9, 9, 9), (200, 0, 0)], np.uint8)
    classes = "wall 9 9 9\ncrack 200 0 0\n"
    config = begin(write(tmp_path / "data", mask=colours[IDS], classes=classes), tmp_path)
    dataset, _ = scored(config, tmp_path, write(tmp_path / "other", mask=colours[IDS]))
    assert dataset.classes == ("wall", "crack")
    np.testing.assert_array_equal(dataset[0][1], IDS)


def test_masks_of_other_values_and_equal_sizes_are_a_change(tmp_path):
    data = write(tmp_path / "data")
    config, sizes = begin(data, tmp_path), [p.stat().st_size for p in sorted(data.rglob("*.png"))]
    for path in (data / "masks").iterdir():
        Image.fromarray(IDS * 255).save(path)
    assert [p.stat().st_size for p in sorted(data.rglob("*.png"))] == sizes
    assert "10 samples are not as before" in notes_now(config, tmp_path)


@pytest.mark.parametrize("suffix", ["bmp", "tif"])
def test_photos_of_equal_sizes_that_are_not_compressed_are_a_change(tmp_path, suffix):
    data = write(tmp_path / "data")
    for i, path in enumerate(sorted((data / "images").iterdir())):
        path.unlink()
        Image.new("RGB", (32, 32), (i, 0, 0)).save(path.with_suffix(f".{suffix}"))
    config = begin(data, tmp_path)
    Image.new("RGB", (32, 32), (200, 0, 0)).save(data / f"images/s3.{suffix}")
    assert "1 sample is not as before (s3)" in notes_now(config, tmp_path)


def test_void_keeps_its_meaning_in_another_folder(tmp_path):
    data = write(tmp_path / "data", mask=IDS * 2, classes="wall\nvoid\ncrack\n")
    config = begin(data, tmp_path)
    dataset, _ = scored(config, tmp_path, write(tmp_path / "other", mask=IDS))
    np.testing.assert_array_equal(dataset[0][1], np.where(IDS == 1, VOID, 0))


# -- Paths and sizes -----------------------------------------------------------------------------


def test_a_config_does_not_depend_on_the_working_folder(root, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    configs = [Config.make("data"), Config.make("./data"), Config.make(str(root))]
    assert {config.data for config in configs} == {str(root)}
    monkeypatch.chdir(root)
    assert configs[0].is_data(".")
    assert Config.make(".").data == str(root)


@pytest.mark.parametrize(
    ("shape", "size"), [((300, 400), (112, 152)), ((400, 300), (144, 112)), ((64, 64), (128, 128))]
)
def test_the_default_size_keeps_the_aspect_of_most_images(tmp_path, shape, size):
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for i in range(5):
        Image.new("RGB", shape[::-1]).save(tmp_path / f"images/{i}.png")
        Image.new("L", shape[::-1], i % 2).save(tmp_path / f"masks/{i}.png")
    assert Config.make(str(tmp_path)).size == size
    assert Config.make(str(tmp_path), size=(64, 96)).size == (64, 96)
    assert not any("aspect" in note for note in open_new(Config.make(str(tmp_path))).notes)
