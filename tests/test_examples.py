"""The examples run, and compute what minifcn computes."""

import importlib.util
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from small_runs import mask_of, start

from minifcn import Tensor, no_grad
from minifcn.data import Shapes
from minifcn.data.images import write_image
from minifcn.data.labels import read_mask
from minifcn.models import FCN, VGG
from minifcn.models.backbones import NAMES, normalisation_of
from minifcn.runs.checkpoint import load_model
from minifcn.runs.export import export_run
from minifcn.runs.prediction import predict_files
from minifcn.runs.steps import predict
from minifcn.system.files import load_arrays, save_arrays

EXAMPLES = Path(__file__).parent.parent / "examples"
TORCH, ONNX = EXAMPLES / "torch_fcn.py", EXAMPLES / "onnx_predict.py"
OTHER = {"pretrained": False, "widths": (), "depths": (), "iterations": 2, "evaluate_every": 2}
NETWORKS = {
    "fcn8s": {"upsampling": "learned"},
    "fcn16s": {"depths": (1, 2, 1, 2, 3), "widths": (3, 4, 5, 6, 7), "head_width": 8},
    "fcn32s": {},
    "fcn4s": {},
    "fcn4s, efficientnet-lite0": {"backbone": "efficientnet-lite0", **OTHER},
    "fcn8s, squeezenet1.1": {"backbone": "squeezenet1.1", **OTHER},
}


def load_example(path):
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def torch_fcn():
    """The example in PyTorch."""
    pytest.importorskip("torch")
    return load_example(TORCH)


@pytest.fixture(scope="module")
def onnx_predict():
    """The example with onnxruntime."""
    pytest.importorskip("onnx", reason="onnx is not installed: pip install -e '.[onnx]'")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    return load_example(ONNX)


@pytest.fixture(scope="module", params=NETWORKS)
def run(request, tmp_path_factory):
    """A run that has trained a little, so that statistics and learned upsampling have moved."""
    folder = tmp_path_factory.mktemp("run") / request.param
    start(folder, model=request.param.split(",")[0], **NETWORKS[request.param]).train()
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
def test_a_backbone_without_batch_norm(torch_fcn, tmp_path):
    """Such as VGG16, here a narrow one."""
    import torch

    generator = np.random.default_rng(0)
    backbone = VGG((2, 3, 4, 5, 6), (2, 2, 3, 3, 3), batch_norm=False, generator=generator)
    ours = FCN(3, backbone=backbone, head_width=7, batch_norm=False, generator=generator).eval()
    ours.score_fr.weight.data[...] = generator.standard_normal((3, 7, 1, 1))
    save_arrays(tmp_path / "w.safetensors", ours.state_dict())
    theirs = torch_fcn.load(tmp_path / "w.safetensors")
    x = generator.standard_normal((1, 3, 33, 40)).astype(np.float32)
    with no_grad(), torch.no_grad():
        expected, found = ours(Tensor(x)).data, theirs(torch.from_numpy(x)).numpy()
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.oracle
def test_the_same_classes(torch_fcn, run, tmp_path):
    """Of an .npz file, which has no normalisation: it is that of the backbone."""
    model = torch_fcn.load(export_run(run, tmp_path / "w.npz"))
    config, own = load_model(run)
    ours = predict(own, [draw_image()], config.normalisation)[0]
    found = torch_fcn.segment(model, draw_image())
    assert found.dtype == np.uint8
    assert (found == ours).mean() > 0.999  # scores are equal but for rounding


@pytest.mark.oracle
def test_the_normalisation_of_backbones(torch_fcn):
    theirs = (torch_fcn.VGG, torch_fcn.EfficientNetLite0, torch_fcn.SqueezeNet, torch_fcn.VGG)
    for name, backbone in zip(NAMES, theirs, strict=True):
        assert backbone.normalisation == asdict(normalisation_of(name))


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
        [sys.executable, TORCH, *arguments], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [name for name, _ in rows][:3] == ["background", "disc", "square"]
    assert sum(float(share.rstrip("%")) for _, share in rows) == pytest.approx(100, abs=0.05)
    config, model = load_model(finished_run)
    expected = mask_of(model, draw_image(), config.size)
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


def check_mask(folder, tmp_path, name, segment):
    """Compare `segment(path of an image)` with the mask that `predict` writes."""
    from PIL import Image

    scene, _ = Shapes("test", size=(60, 80))[0]
    IMAGES[name](tmp_path / name, Image.fromarray(scene))
    mask, _ = predict_files(folder / "run", [tmp_path / name], tmp_path / "out")
    expected, found = read_mask(mask), segment(tmp_path / name)
    assert (found.shape, found.dtype) == (expected.shape, np.uint8)
    assert len(np.unique(expected)) > 1
    assert (found == expected).mean() > 0.995


@pytest.mark.oracle
@pytest.mark.parametrize("name", IMAGES)
def test_the_same_mask_as_predict_writes(torch_fcn, opinionated, tmp_path, name):
    weights = opinionated / "w.safetensors"
    size, model = torch_fcn.about(weights)["size"], torch_fcn.load(weights)
    assert size == [64, 96]
    segment = lambda path: torch_fcn.segment(model, torch_fcn.read_image(path), tuple(size))
    check_mask(opinionated, tmp_path, name, segment)


@pytest.mark.parametrize("name", IMAGES)
def test_onnx_gives_the_same_mask_as_predict_writes(onnx_predict, opinionated, tmp_path, name):
    session, about = onnx_predict.load(export_run(opinionated / "run", tmp_path / "m.onnx"))
    segment = lambda path: onnx_predict.segment(session, about, onnx_predict.read_image(path))
    check_mask(opinionated, tmp_path, name, segment)


def test_onnx_has_the_input_of_each_backbone(onnx_predict, run, tmp_path):
    session, about = onnx_predict.load(export_run(run, tmp_path / "m.onnx"))
    config, model = load_model(run)
    expected = config.normalisation(draw_image())[None]
    found = onnx_predict.normalise(draw_image(), about["normalisation"])
    np.testing.assert_array_equal(found, expected)
    with no_grad():
        scores = model(Tensor(expected)).data
    (theirs,) = session.run(None, {"images": found})
    assert np.abs(theirs - scores).max() <= 1e-4 * np.abs(scores).max()


def test_the_command_with_onnx(onnx_predict, opinionated, tmp_path):
    from PIL import Image

    network = export_run(opinionated / "run", tmp_path / "m.onnx")
    write_image(tmp_path / "image.png", draw_image())
    command = [sys.executable, ONNX, network, tmp_path / "image.png", tmp_path / "classes.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()][:2] == ["background", "disc"]
    config, model = load_model(opinionated / "run")
    expected = mask_of(model, draw_image(), config.size)
    with Image.open(tmp_path / "classes.png") as picture:
        assert (np.array(picture) == expected).mean() > 0.995
        colours = np.array(picture.getpalette()).reshape(-1, 3)
    np.testing.assert_array_equal(colours[: len(config.classes)], config.palette)


@pytest.mark.oracle
def test_the_command_wants_to_know_the_size(torch_fcn, opinionated, tmp_path):
    """An .npz file has arrays only."""
    write_image(tmp_path / "image.png", draw_image())
    arguments = [opinionated / "w.npz", tmp_path / "image.png", tmp_path / "classes.png"]
    command = [sys.executable, TORCH, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "w.npz does not say the size of the run: give --size HxW" in done.stderr
    command += ["--size", "64x96"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == list("012345")
    config, model = load_model(opinionated / "run")
    expected = mask_of(model, draw_image(), config.size)
    assert (read_mask(tmp_path / "classes.png") == expected).mean() > 0.995
