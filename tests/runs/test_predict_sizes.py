"""Images at other sizes than the run's, their own for one, and the probabilities of classes."""

import io
import re
import sys

import numpy as np
import pytest
from PIL import Image
from small_runs import mask_of, start

from minifcn import functional as F
from minifcn import tensor
from minifcn.commands import main
from minifcn.data import Shapes
from minifcn.data.labels import read_mask
from minifcn.runs import prediction
from minifcn.runs.checkpoint import load_model
from minifcn.runs.prediction import Settings, predict_files
from minifcn.runs.segmentation import scoring, segment_native
from minifcn.runs.steps import predict, score
from minifcn.system.files import load_arrays, save_arrays


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose network predicts many classes."""
    folder, generator = tmp_path_factory.mktemp("sizes") / "run", np.random.default_rng(0)
    start(folder, iterations=1, evaluate_every=1).train()
    arrays, metadata = load_arrays(folder / "best.safetensors")
    for name, array in arrays.items():
        if name.startswith("score") and name.endswith("weight"):
            array[...] = generator.standard_normal(array.shape)
    save_arrays(folder / "best.safetensors", arrays, metadata)
    return folder


@pytest.fixture
def scene(tmp_path):
    """A scene of 200x300 pixels, and its file."""
    image, _ = Shapes("test", size=(200, 300))[0]
    Image.fromarray(image).save(tmp_path / "scene.png")
    return image, tmp_path / "scene.png"


SMALL = 0.0054
"""GiB that do not suffice for the scene at once."""


def test_native_is_the_size_of_the_image(cli, run, scene, tmp_path):
    image, path = scene
    assert cli("predict", run, path, "--out", tmp_path / "out", "--size", "native").code == 0
    config, model = load_model(run)
    mask = read_mask(tmp_path / "out" / "scene-mask.png")
    np.testing.assert_array_equal(mask, predict(model, [image], config.normalisation)[0])
    assert (mask != mask_of(model, image, config.size, config.normalisation)).any()
    assert len(np.unique(mask)) > 1


def test_another_size(cli, run, scene, tmp_path):
    image, path = scene
    assert cli("predict", run, path, "--out", tmp_path / "out", "--size", "64x96").code == 0
    config, model = load_model(run)
    mask = read_mask(tmp_path / "out" / "scene-mask.png")
    expected = mask_of(model, image, (64, 96), config.normalisation)
    np.testing.assert_array_equal(mask, expected)


def test_scores_are_resized_not_masks(run, scene):
    """Borders follow the pixels of the image, not blocks of the size of a resized pixel."""
    image, _ = scene
    config, model = load_model(run)
    mask = mask_of(model, image, (20, 30), config.normalisation)
    blocks = mask.reshape(20, 10, 30, 10)
    assert (blocks != blocks[:, :1, :, :1]).any()


def test_windows_are_used_where_memory_does_not_suffice_and_that_is_said(cli, run, scene, tmp_path):
    image, path = scene
    options = ("--out", tmp_path / "out", "--size", "native", "--memory", SMALL)
    result = cli("predict", run, path, *options)
    assert result.code == 0
    note = rf"{path}: 200x300 pixels take .* windows of (\d+)x(\d+), for which {SMALL} GiB"
    height, width = map(int, re.search(note, result.err).groups())
    assert 128 <= height < 200
    assert 128 <= width < 300
    config, model = load_model(run)
    scores = scoring(model, config.normalisation)
    mask = read_mask(tmp_path / "out" / "scene-mask.png")
    np.testing.assert_array_equal(mask, segment_native(scores, image, (height, width)).mask)
    assert (mask == scores(image).argmax(0)).mean() > 0.9  # of random scores, nearly equal


@pytest.mark.parametrize(
    ("size", "memory", "tolerance"), [(None, 2, 1e-4), ("native", 2, 1e-4), ("native", SMALL, 0.01)]
)
def test_probabilities(run, scene, tmp_path, size, memory, tolerance):
    image, path = scene
    config, model = load_model(run)
    settings, notes = Settings(size, memory, scores=True), []
    written = list(predict_files(run, [path], tmp_path, settings=settings, tell=notes.append))
    assert [p.name for p in written] == [f"scene-{n}" for n in FILES]
    assert notes[0] == "scores take 0.7 MB on the disk"
    with np.load(written[2]) as file:
        assert file["classes"].tolist() == list(config.classes)
        found = file["probabilities"]
    assert (found.dtype, found.shape) == (np.float16, (6, 200, 300))
    resized = image if size else np.array(Image.fromarray(image).resize(config.size, 2))
    scores = tensor(score(model, [resized], config.normalisation))
    if not size:
        scores = F.interpolate(scores, (200, 300), mode="bilinear")
    expected = F.softmax(scores, 1).data[0]
    assert np.abs(found.astype(np.float32) - expected).mean() < tolerance
    assert (found.argmax(0) == read_mask(written[0])).mean() > 0.99


FILES = ("mask.png", "overlay.png", "scores.npz")


def test_scores_have_names_of_their_own(cli, run, scene, tmp_path):
    _, path = scene
    result = cli("predict", run, path, "--out", tmp_path / "out", "--scores")
    assert (result.code, result.out.splitlines()) == (
        0, [str(tmp_path / "out" / f"scene-{name}") for name in FILES]
    )  # fmt: skip


# -- Refused, before anything is written ---------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--size", "0x5"), "size must be at least 1x1"),
        (("--size", "100000x100000"), "size must make at most"),
        (("--size", "big"), "must be HxW, like 96x128 or 'native'; got 'big'"),
        (("--memory", "0"), "memory must be a positive number of GiB; got 0"),
        (("--memory", "1"), "--memory is what images take at --size native, or --scores"),
        (("--memory", "nan"), "memory must be a positive number of GiB; got nan"),
        (("--memory", "0.001", "--size", "native"), "memory must be at least"),
        (("--memory", "0.003", "--scores"), "scores of 6 classes and 200x300 pixels take"),
    ],
)
def test_what_is_refused(refused, run, scene, tmp_path, options, message):
    line = refused("predict", run, scene[1], "--out", tmp_path / "out", *options)
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_disk_that_is_too_small_for_the_scores(refused, run, scene, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 700_000})
    monkeypatch.setattr(prediction.shutil, "disk_usage", lambda folder: usage)
    out = tmp_path / "out" / "below"
    line = refused("predict", run, scene[1], "--out", out, "--scores")
    assert "scores of all images take" in line
    assert not (tmp_path / "out").exists()


# -- What is shown -------------------------------------------------------------------------------


def test_the_speed_counts_all_images_and_the_network_apart(run, scene, tmp_path, monkeypatch):
    """By a clock that goes on by a second whenever it is read: twice for each score."""
    ticks = iter(range(100))
    monkeypatch.setattr(prediction.time, "perf_counter", lambda: float(next(ticks)))
    Image.open(scene[1]).save(tmp_path / "other.png")
    notes = []
    images = [scene[1], tmp_path / "other.png"]
    list(predict_files(run, images, tmp_path / "out", tell=notes.append))
    assert notes == [
        "2 images in 5.00 s, 0.4 a second: 2.00 s for the network, 3.00 s to read, resize and write"
    ]


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize("file", [Terminal(), io.StringIO()])
def test_a_bar_counts_images_on_a_terminal_only(run, scene, tmp_path, monkeypatch, file):
    monkeypatch.setattr(sys, "stderr", file)
    assert main(["predict", str(run), str(scene[1]), "--out", str(tmp_path / "out")]) == 0
    assert ("0/1" in file.getvalue()) == file.isatty()
    assert "1 image in" in file.getvalue()
