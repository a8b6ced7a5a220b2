"""What the command line says about a folder of one's own, and what it does not depend on."""

import json

import numpy as np
import pytest
from PIL import Image

IDS = np.zeros((32, 32), np.uint8)
IDS[:16, :16] = 1
SMALL = ("--size", "32x32", "--batch-size", "2", "--iterations", "2")


@pytest.fixture
def folder(tmp_path):
    """Write a folder of samples, with a mask for each, and perhaps a classes.txt."""

    def write(mask, count=10, classes=None, name="photos"):
        for kind in ("images", "masks"):
            (tmp_path / name / kind).mkdir(parents=True)
        for i in range(count):
            pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"images/s{i}.png")
            Image.fromarray(mask).save(tmp_path / name / f"masks/s{i}.png")
        if classes:
            (tmp_path / name / "classes.txt").write_text(classes, encoding="utf-8")
        return tmp_path / name

    return write


def test_what_masks_mean_is_said_before_training(cli, folder, tmp_path):
    result = cli("train", "--data", folder(IDS * 255), *SMALL, "--out", tmp_path / "run")
    assert result.code == 0
    first, second, third, *_ = result.err.splitlines()
    assert first == "8 samples to train, 2 to validate"
    assert second.startswith("masks hold 0 and 255 alone, read as two classes: 0 is background")
    assert third.startswith("fcn8s on ")
    assert "foreground" in result.out
    assert [line.split() for line in result.out.splitlines()[-2:]] == [
        ["images", "2"],
        ["scored", "at", "32x32"],
    ]


def test_classes_that_never_occur_are_said(cli, folder, tmp_path):
    data = folder(IDS, classes="wall\ncrack\nroof\n")
    result = cli("train", "--data", data, *SMALL, "--out", tmp_path / "run")
    assert "train: never in these masks: roof (of 3 classes)" in result.err
    assert "val: never in these masks: roof (of 3 classes)" in result.err


def test_a_loss_of_0_and_an_iu_of_100_are_said(cli, folder, tmp_path):
    result = cli("train", "--data", folder(IDS * 0), *SMALL, "--out", tmp_path / "run")
    assert result.code == 0
    assert "only one class occurs, 'class 0': nothing to tell apart" in result.err
    assert "the loss was exactly 0 in 2 of 2 iterations, first in iteration 1" in result.err
    assert "every IU is 100 %: too good to be true" in result.err


@pytest.mark.parametrize(
    ("mask", "classes", "said"),
    [
        (np.full_like(IDS, 255), "a\nb\n", "void in every pixel"),
        (
            np.stack([IDS * 200] * 2 + [IDS], 2),
            None,
            "into classes.txt, a line each: 'class0 0 0 0'",
        ),
        (IDS * 128, None, "if they are shades of grey, write into classes.txt"),
    ],
)
def test_what_is_ambiguous_stops_before_anything_is_made(
    cli, folder, tmp_path, mask, classes, said
):
    data = folder(mask.astype(np.uint8), classes=classes)
    result = cli("train", "--data", data, *SMALL, "--out", tmp_path / "run")
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert said in result.err
    assert not (tmp_path / "run").exists()


def test_a_late_sample_is_found_before_the_first_step(cli, folder, tmp_path):
    data = folder(IDS)
    Image.fromarray(IDS[:, :31]).save(data / "masks/s9.png")  # for validation
    result = cli("train", "--data", data, *SMALL, "--out", tmp_path / "run")
    assert result.code == 2
    assert "iteration" not in result.err
    assert "s9.png' is 32x31 but its image is 32x32" in result.err


def test_a_run_does_not_depend_on_where_it_was_started(cli, folder, tmp_path, monkeypatch):
    folder(IDS)
    monkeypatch.chdir(tmp_path)
    assert cli("train", "--data", "photos", *SMALL, "--out", "run").code == 0
    config = json.loads((tmp_path / "run/config.json").read_text(encoding="utf-8"))
    assert config["data"] == str(tmp_path / "photos")
    monkeypatch.chdir("/")
    scored = cli("eval", tmp_path / "run")
    assert scored.code == 0
    assert "scored: 2 images, split val of" in scored.err
    assert cli("train", "--resume", tmp_path / "run").code == 0


def test_eval_scores_all_of_another_folder(cli, folder, tmp_path):
    cli("train", "--data", folder(IDS), *SMALL, "--out", tmp_path / "run")
    result = cli("eval", tmp_path / "run", "--data", folder(IDS, 7, name="other"), "--json")
    assert json.loads(result.out)["images"] == 7
    assert "scored: 7 images, split all of" in result.err


def test_changed_data_is_said_at_resume_and_eval(cli, folder, tmp_path):
    data = folder(IDS)
    cli("train", "--data", data, *SMALL, "--out", tmp_path / "run")
    for kind in ("images", "masks"):
        (data / kind / "s0.png").unlink()
    for result in (cli("eval", tmp_path / "run"), cli("train", "--resume", tmp_path / "run")):
        assert result.code == 0
        assert "the data has changed since the run began: 1 sample is gone (s0)" in result.err


def test_stretched_photos_are_said(cli, folder, tmp_path):
    result = cli(
        "train", "--data", folder(IDS), "--size", "32x64", *SMALL[2:], "--out", tmp_path / "r"
    )
    assert (
        "train: 8 of 8 images lose their aspect at 32x64, by a factor of up to 2.00" in result.err
    )


def test_stretched_photos_are_said_where_masks_keep_their_size_too(cli, folder, tmp_path):
    out = tmp_path / "r"
    trained = cli("train", "--data", folder(IDS), "--size", "32x64", *SMALL[2:], "--out", out)
    scored = cli("eval", out, "--data", folder(IDS, 7, name="other"))
    assert "val: 2 of 2 images lose their aspect at 32x64" in trained.err
    assert "7 of 7 images lose their aspect at 32x64, by a factor of up to 2.00" in scored.err


def test_a_run_goes_on_with_data_that_was_moved(cli, folder, tmp_path):
    data = folder(IDS)
    cli("train", "--data", data, *SMALL, "--out", tmp_path / "run")
    data.rename(tmp_path / "elsewhere")
    lost = cli("train", "--resume", tmp_path / "run")
    assert lost.code == 2
    assert "must be shapes, camvid or an existing folder" in lost.err
    assert "if it was moved, give its new place by --data" in lost.err
    found = cli("train", "--resume", tmp_path / "run", "--data", tmp_path / "elsewhere")
    assert found.code == 0
    assert "changed" not in found.err
    scored = cli("eval", tmp_path / "run", "--data", tmp_path / "elsewhere")
    assert "scored: 2 images, split val of" in scored.err  # it is the run's own data
