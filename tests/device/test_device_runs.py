"""Runs on a GPU, from the command line: training, going on, scoring, segmenting."""

import json

import numpy as np
import pytest
from small_runs import TINY, results_of, start

from minifcn.data.images import read_image, write_image, write_mask
from minifcn.models import FCN
from minifcn.runs.checkpoint import load_model
from minifcn.runs.log import read_log
from minifcn.runs.run import Run
from minifcn.runs.steps import predict
from minifcn.system.files import load_arrays

pytestmark = pytest.mark.usefixtures("few_scenes")


def weights_of(folder):
    """All parameters and buffers of a run's network, one after another."""
    arrays, _ = load_arrays(folder / "last.safetensors")
    return np.concatenate([a.ravel() for n, a in arrays.items() if n.startswith("model.")])


def assert_close_runs(one, other):
    """The same losses, and the same weights, but for rounding.

    Adam magnifies it: where a gradient is nearly 0, its sign alone decides about a step. In four
    iterations weights go 20 % away from where they began.
    """
    losses = [[row["loss"] for row in read_log(folder / "log.csv")] for folder in (one, other)]
    np.testing.assert_allclose(*losses, rtol=5e-3)
    ours, theirs = weights_of(one), weights_of(other)
    assert np.linalg.norm(ours - theirs) < 5e-2 * np.linalg.norm(theirs)


@pytest.fixture
def devices(monkeypatch):
    """On which devices networks computed; cleared as it is read."""
    seen, forward = set(), FCN.forward

    def spy(self, x):
        seen.add(x.device)
        return forward(self, x)

    def read():
        found = set(seen)
        seen.clear()
        return found

    monkeypatch.setattr(FCN, "forward", spy)
    return read


def test_each_command_computes_where_it_is_told_to(numpy_kernels, cli, devices, tmp_path):
    run = tmp_path / "run"
    write_image(tmp_path / "a.png", np.zeros((32, 32, 3), np.uint8))
    predict = ("predict", run, tmp_path / "a.png", "--out", tmp_path / "out")
    for command in (("train", *TINY, "--out", run), ("eval", run), predict):
        for device in ("cuda", "cpu"):
            assert cli(*command, "--device", device).code == 0
            assert devices() == {device}
            if command[0] == "train":
                run.rename(tmp_path / f"trained on {device}")
        if command[0] == "train":
            (tmp_path / "trained on cuda").rename(run)
        else:
            assert cli(*command).code == 0
            assert devices() == {"cuda"}


def test_a_run_from_start_to_picture(cupy, cli, tmp_path):
    run = tmp_path / "cuda"
    trained = cli("train", *TINY, "--device", "cuda", "--out", run, "--json")
    assert trained.code == 0, trained.err
    assert ", on cuda, in " in trained.err
    assert json.loads((run / "config.json").read_text())["device"] == "cuda"
    assert cli("train", *TINY, "--device", "cpu", "--out", tmp_path / "cpu").code == 0
    assert_close_runs(run, tmp_path / "cpu")
    scores = {d: cli("eval", run, "--device", d, "--json") for d in ("auto", "cuda", "cpu")}
    assert {result.code for result in scores.values()} == {0}
    assert scores["auto"].out == scores["cuda"].out
    on_cuda, on_cpu = (json.loads(scores[d].out)["pixel_accuracy"] for d in ("cuda", "cpu"))
    assert on_cuda == pytest.approx(on_cpu, abs=0.01)
    write_image(tmp_path / "a.png", np.full((20, 30, 3), 99, np.uint8))
    done = cli("predict", run, tmp_path / "a.png", "--out", tmp_path / "out", "--device", "cuda")
    assert done.code == 0, done.err
    assert read_image(tmp_path / "out" / "a-overlay.png").shape == (20, 30, 3)


def killed(folder, **choices):
    """Start a run and end it after iteration 5; its last checkpoint is of iteration 4."""

    def kill(row):
        if row["iteration"] == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(folder, **choices).train(kill)
    return folder


def test_a_run_that_was_killed_goes_on_bit_for_bit(cupy, tmp_path):
    start(tmp_path / "whole", device="cuda", dropout=0.3).train()
    run = Run.resume(killed(tmp_path / "parts", device="cuda", dropout=0.3))
    assert (run.device, run.iteration) == ("cuda", 4)
    run.train()
    assert results_of(run.folder) == results_of(tmp_path / "whole")


@pytest.mark.parametrize(("before", "after"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_run_goes_on_where_it_is_told_to(numpy_kernels, cli, tmp_path, before, after):
    start(tmp_path / "whole", device=before).train()
    run = killed(tmp_path / "run", device=before)
    result = cli("train", "--resume", run, "--device", after)
    assert result.code == 0, result.err
    assert f", on {after}, in " in result.err
    assert json.loads((run / "config.json").read_text())["device"] == before
    assert_close_runs(run, tmp_path / "whole")


def test_auto_is_the_gpu_that_works(numpy_kernels, tmp_path):
    run = start(tmp_path / "run", device="auto")
    assert (run.device, run.config.device) == ("cuda", "cuda")
    assert {p.device for p in run.model.parameters()} == {"cuda"}
    run.train()
    assert load_model(run.folder)[1].score_fr.weight.device == "cpu"
    assert load_model(run.folder, device="auto")[1].score_fr.weight.device == "cuda"


def test_numpy_alone_where_the_environment_says_so(numpy_kernels, cli, monkeypatch, tmp_path):
    monkeypatch.setenv("MINIFCN_BACKEND", "numpy")
    assert start(tmp_path / "run", device="auto").device == "cpu"
    result = cli("train", *TINY, "--device", "cuda", "--out", tmp_path / "other")
    assert (result.code, result.err) == (
        2,
        "minifcn: device 'cuda' cannot be used: MINIFCN_BACKEND=numpy rules it out; use 'cpu' or"
        " 'auto'\n",
    )


def test_the_doctor_describes_the_gpu(numpy_kernels, cli):
    expected = (
        "Imaginary GPU (1.5 GiB, compute capability 9.0), CuPy 0.0.0, CUDA 13.2, driver for 13.1"
    )
    assert json.loads(cli("doctor", "--json").out)["gpu"] == expected


@pytest.mark.gpu
def test_the_doctor_describes_a_real_gpu(gpu, cli):
    said = json.loads(cli("doctor", "--json").out)["gpu"]
    assert f"CuPy {gpu.__version__}" in said
    assert "compute capability" in said


def test_scores_that_are_not_finite_are_refused(numpy_kernels, cli, tmp_path):
    run = start(tmp_path / "run", device="cuda")
    run.model.score_fr.bias.data[...] = np.inf
    images = [np.zeros((32, 32, 3), np.uint8)]
    with pytest.raises(FloatingPointError, match="^a score of the network is not finite$"):
        predict(run.model.eval(), images)


def write_photos(root):
    """Ten samples of 40x60 pixels, of two classes."""
    generator = np.random.default_rng(0)
    for i in range(10):
        mask = (generator.random((40, 60)) < 0.3).astype(np.uint8)
        write_image(root / "images" / f"{i}.png", np.repeat(mask[..., None], 3, 2) * 200)
        write_mask(root / "masks" / f"{i}.png", mask, np.zeros((2, 3), np.uint8))
    (root / "classes.txt").write_text("ground\nleaf\n")


def test_weighed_and_smoothed_losses_and_masks_of_their_own_size(numpy_kernels, cli, tmp_path):
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    write_photos(tmp_path / "data")
    options = ("--data", tmp_path / "data", "--size", "32x48", "--class-weights", "balanced",
               "--label-smoothing", "0.1", "--scale", "0.8-1.2", "--jitter", "0.2")  # fmt: skip
    for device in ("cuda", "cpu"):
        place = ("--device", device, "--out", tmp_path / device)
        result = cli("train", *options, *TINY[2:-2], *place)
        assert result.code == 0, result.err
        assert f", on {device}, in " in result.err
    assert_close_runs(tmp_path / "cuda", tmp_path / "cpu")
    scores = [json.loads((tmp_path / d / "metrics.json").read_text()) for d in ("cuda", "cpu")]
    assert scores[0]["scored_at"] == {"40x60": 2}
    assert scores[0]["pixel_accuracy"] == pytest.approx(scores[1]["pixel_accuracy"], abs=0.01)


@pytest.mark.parametrize("size", ["native", "32x32"])
def test_probabilities_are_written_by_both_devices_alike(numpy_kernels, cli, tmp_path, size):
    start(tmp_path / "run").train()
    pixels = np.random.default_rng(0).integers(0, 256, (70, 140, 3), np.uint8)
    write_image(tmp_path / "a.png", pixels)
    found = []
    for device in ("cuda", "cpu"):
        options = ("--size", size, "--scores", "--device", device, "--out", tmp_path / device)
        result = cli("predict", tmp_path / "run", tmp_path / "a.png", *options)
        assert result.code == 0, result.err
        with np.load(tmp_path / device / "a-scores.npz") as file:
            found.append(file["probabilities"].astype(np.float32))
    np.testing.assert_allclose(*found, atol=2e-3)
