"""The examples run, and compute what minifcn computes."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_runs import start

from minifcn import Tensor, no_grad
from minifcn.data import Shapes
from minifcn.data.images import write_image
from minifcn.data.labels import read_mask
from minifcn.data.transforms import MEAN, STD
from minifcn.runs.checkpoint import load_model
from minifcn.runs.export import export_run
from minifcn.runs.prediction import predict_files, predict_resized
from minifcn.runs.steps import predict
from minifcn.system.files import load_arrays, save_arrays

EXAMPLE = Path(__file__).parent.parent / "examples" / "torch_fcn.py"
NETWORKS = {
    "fcn8s": {"upsampling": "learned"},
    "fcn16s": {"depths": (1, 2, 1, 2, 3), "widths": (3, 4, 5, 6, 7), "head_width": 8},
    "fcn32s": {},
}


@pytest.fixture(scope="module")
def torch_fcn():
    """The example as a module."""
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("torch_fcn", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=NETWORKS)
def run(request, tmp_path_factory):
    """A run that has trained a little, so that statistics and learned upsampling have moved."""
    folder = tmp_path_factory.mktemp("run") / request.param
    start(folder, model=request.param, **NETWORKS[request.param]).train()
    return folder


def draw_image(size=(45, 70)):
    return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)


@pytest.mark.oracle
@pytest.mark.parametrize("format", ["safetensors", "npz"])
def test_the_same_scores(torch_fcn, run, tmp_path, format):
    """Loaded strictly; in evaluation mode; at a size that is no multiple of 32."""
    import torch

    theirs = torch_fcn.load(export_run(run, tmp_path / f"w.{format}"))
    _, ours = load_model(run)
    assert {n: t.shape for n, t in theirs.state_dict().items()} == {
        name: array.shape for name, array in ours.state_dict().items()
    }
    x = np.random.default_rng(1).standard_normal((2, 3, 45, 70)).astype(np.float32)
    with no_grad(), torch.no_grad():
        expected, found = ours(Tensor(x)).data, theirs(torch.from_numpy(x)).numpy()
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.oracle
def test_the_same_classes(torch_fcn, run, tmp_path):
    np.testing.assert_array_equal(np.float32([torch_fcn.MEAN, torch_fcn.STD]), [MEAN, STD])
    model = torch_fcn.load(export_run(run, tmp_path / "w.npz"))
    ours = predict(load_model(run)[1], [draw_image()])[0]
    found = torch_fcn.segment(model, draw_image())
    assert found.dtype == np.uint8
    assert (found == ours).mean() > 0.999  # scores are equal but for rounding


@pytest.mark.oracle
def test_weights_of_another_network_are_refused(torch_fcn, finished_run, tmp_path):
    path = export_run(finished_run, tmp_path / "w.npz")
    with np.load(path) as arrays:
        state = dict(arrays)
    del state["fc6.1.running_var"]
    np.savez(path, **state)
    with pytest.raises(RuntimeError, match="fc6.1.running_var"):
        torch_fcn.load(path)


@pytest.mark.oracle
def test_the_command(torch_fcn, finished_run, tmp_path):
    from PIL import Image

    weights = export_run(finished_run, tmp_path / "w.safetensors")
    write_image(tmp_path / "image.png", draw_image())
    arguments = [weights, tmp_path / "image.png", tmp_path / "classes.png"]
    done = subprocess.run(
        [sys.executable, EXAMPLE, *arguments], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [name for name, _ in rows][:3] == ["background", "disc", "square"]
    assert sum(float(share.rstrip("%")) for _, share in rows) == pytest.approx(100, abs=0.05)
    config, model = load_model(finished_run)
    expected = predict_resized(model, draw_image(), config.size)
    assert (np.array(Image.open(tmp_path / "classes.png")) == expected).mean() > 0.999


def save_turned(path, image):
    """A JPEG that is stored on its side, as phones do."""
    exif = image.getexif()
    exif[0x0112] = 6
    image.rotate(90, expand=True).save(path, exif=exif)


IMAGES = {
    "small.png": lambda path, image: image.resize((20, 11)).save(path),
    "of the run.png": lambda path, image: image.resize((96, 64)).save(path),
    "wide.jpg": lambda path, image: image.resize((300, 50)).save(path),
    "tall.bmp": lambda path, image: image.resize((50, 300)).save(path),
    "turned.jpg": save_turned,
    "grey.png": lambda path, image: image.convert("L").save(path),
    "palette.png": lambda path, image: image.quantize(32).save(path, transparency=3),
    "alpha.png": lambda path, image: image.convert("RGBA").save(path),
    "grey and alpha.png": lambda path, image: image.convert("LA").save(path),
    "bits.png": lambda path, image: image.convert("1").save(path),
}


@pytest.fixture(scope="module")
def opinionated(tmp_path_factory):
    """A run whose network predicts all its classes, and its weights as both kinds of files."""
    folder = tmp_path_factory.mktemp("opinionated")
    start(folder / "run", iterations=1, evaluate_every=1, size=(64, 96)).train()
    path, generator = folder / "run" / "best.safetensors", np.random.default_rng(0)
    arrays, metadata = load_arrays(path)
    for name in ("score_fr", "score_pool4", "score_pool3"):
        arrays[f"{name}.weight"][...] = generator.standard_normal(arrays[f"{name}.weight"].shape)
    save_arrays(path, arrays, metadata)
    for format in ("safetensors", "npz"):
        export_run(folder / "run", folder / f"w.{format}")
    return folder


@pytest.mark.oracle
@pytest.mark.parametrize("name", IMAGES)
def test_the_same_mask_as_predict_writes(torch_fcn, opinionated, tmp_path, name):
    from PIL import Image

    scene, _ = Shapes("test", size=(60, 80))[0]
    IMAGES[name](tmp_path / name, Image.fromarray(scene))
    mask, _ = predict_files(opinionated / "run", [tmp_path / name], tmp_path / "out")
    expected = read_mask(mask)
    weights = opinionated / "w.safetensors"
    size = torch_fcn.about(weights)["size"]
    assert size == [64, 96]
    image = torch_fcn.read_image(tmp_path / name)
    found = torch_fcn.segment_resized(torch_fcn.load(weights), image, tuple(size))
    assert (found.shape, found.dtype) == (expected.shape, np.uint8)
    assert len(np.unique(expected)) > 1
    assert (found == expected).mean() > 0.995


@pytest.mark.oracle
def test_the_command_wants_to_know_the_size(torch_fcn, opinionated, tmp_path):
    """An .npz file has arrays only."""
    write_image(tmp_path / "image.png", draw_image())
    arguments = [opinionated / "w.npz", tmp_path / "image.png", tmp_path / "classes.png"]
    command = [sys.executable, EXAMPLE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "w.npz does not say the size of the run: give --size HxW" in done.stderr
    command += ["--size", "64x96"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == list("012345")
    config, model = load_model(opinionated / "run")
    expected = predict_resized(model, draw_image(), config.size)
    assert (read_mask(tmp_path / "classes.png") == expected).mean() > 0.995
