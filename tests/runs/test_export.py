"""Runs written as files for others: weights, and whole networks as ONNX."""

import json
import sys
from dataclasses import asdict
from importlib.util import find_spec

import numpy as np
import pytest
from small_runs import start

from minifcn.runs.checkpoint import load_model
from minifcn.runs.config import Config
from minifcn.runs.export import export_run
from minifcn.system.files import load_arrays
from minifcn.weights import read_weights

HAS_ONNX = find_spec("onnx") is not None and find_spec("onnxruntime") is not None


def weights_of(folder, checkpoint="best"):
    return load_model(folder, checkpoint)[1].state_dict()


def check_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)


@pytest.mark.parametrize("checkpoint", ["best", "last"])
@pytest.mark.parametrize("format", ["safetensors", "npz"])
def test_the_file_holds_the_weights_of_the_checkpoint(finished_run, tmp_path, format, checkpoint):
    path = tmp_path / f"w.{format}"
    assert export_run(finished_run, path, format, checkpoint) == path
    check_same(read_weights(path), weights_of(finished_run, checkpoint))
    assert list(tmp_path.iterdir()) == [path]


def test_best_and_last_may_differ(tmp_path):
    """Otherwise the test above would not see which one it got."""
    run = start(tmp_path / "run")
    run.train()
    weights = run.model.state_dict()
    run.model.fc6[0].weight.data += 1
    run.save()
    export_run(tmp_path / "run", checkpoint="last")
    found = read_weights(tmp_path / "run" / "weights.safetensors")
    np.testing.assert_array_equal(found["fc6.0.weight"], weights["fc6.0.weight"] + 1)


def test_the_format_comes_from_the_name_or_is_safetensors(run_folder, tmp_path):
    assert export_run(run_folder) == run_folder / "weights.safetensors"
    assert export_run(run_folder, format="npz") == run_folder / "weights.npz"
    with np.load(export_run(run_folder, tmp_path / "w.npz")) as arrays:
        check_same(dict(arrays), weights_of(run_folder))


def test_safetensors_say_what_they_are(finished_run, tmp_path):
    _, metadata = load_arrays(export_run(finished_run, tmp_path / "w.safetensors"))
    about = json.loads(metadata.pop("minifcn"))
    assert not metadata
    assert (about["model"], about["backbone"], about["size"]) == ("fcn8s", "small", [32, 32])
    assert about["classes"][:2] == ["background", "disc"]
    config = Config.load(finished_run / "config.json")
    assert about["palette"] == config.palette.tolist()
    assert about["normalisation"] == json.loads(json.dumps(asdict(config.normalisation)))


def test_the_same_run_gives_the_same_file(finished_run, tmp_path):
    for format in ("safetensors", "npz", *["onnx"] * HAS_ONNX):
        paths = [tmp_path / f"{i}.{format}" for i in (1, 2)]
        first, second = (export_run(finished_run, path).read_bytes() for path in paths)
        assert first == second


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors", "w.onnx"])
def test_an_existing_file_is_kept(finished_run, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"precious")
    with pytest.raises(ValueError, match=f"{name}: is there already") as caught:
        export_run(finished_run, path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"precious"
    path.unlink()
    path.symlink_to(tmp_path / "nothing")
    with pytest.raises(ValueError, match="is there already"):
        export_run(finished_run, path)
    assert path.is_symlink()


@pytest.mark.parametrize(
    ("name", "format", "message"),
    [
        ("w.pth", None, "out must end in .safetensors, .npz or .onnx; got .*w.pth"),
        ("w.npz", "safetensors", "out must end in .safetensors; got .*w.npz"),
        ("w", "npz", "out must end in .npz; got .*w"),
        ("w.npz", "pickle", "format must be one of safetensors, npz, onnx; got 'pickle'"),
    ],
)
def test_a_wrong_format(finished_run, tmp_path, name, format, message):
    with pytest.raises(ValueError, match=message):
        export_run(finished_run, tmp_path / name, format)
    assert not list(tmp_path.iterdir())


def test_no_run_and_a_damaged_one(run_folder, tmp_path):
    with pytest.raises(ValueError, match="is not the folder of a run"):
        export_run(tmp_path / "none", tmp_path / "w.npz")
    (run_folder / "best.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        export_run(run_folder, tmp_path / "w.npz")
    assert not (tmp_path / "w.npz").exists()


def test_a_folder_that_is_not_there(finished_run, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        export_run(finished_run, tmp_path / "none" / "w.npz")
    assert caught.value.filename == str(tmp_path / "none" / "w.npz")


# -- ONNX ----------------------------------------------------------------------------------------


@pytest.fixture
def needs_onnx():
    """Skip, and say so, where there is no ONNX; what it computes is tested in tests/onnx_export."""
    if not HAS_ONNX:
        pytest.skip("onnx or onnxruntime is not installed: pip install -e '.[onnx]'")


@pytest.mark.usefixtures("needs_onnx")
def test_an_onnx_file_holds_the_weights_and_says_what_it_is(cli, run_folder, tmp_path):
    import onnx

    assert export_run(run_folder, format="onnx") == run_folder / "model.onnx"
    path = tmp_path / "last.onnx"
    result = cli("export", run_folder, "--checkpoint", "last", "--out", path)
    assert (result.code, result.out) == (0, f"{path}\n")
    model = onnx.load(path)
    arrays = {array.name: onnx.numpy_helper.to_array(array) for array in model.graph.initializer}
    for name, expected in weights_of(run_folder, "last").items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(arrays[name], expected)
    found = {entry.key: entry.value for entry in model.metadata_props}
    export_run(run_folder, tmp_path / "w.safetensors")
    about = json.loads(found["minifcn"])
    assert about.pop("input") == found["input"]
    assert found["input"] == (
        "float32 (N, 3, H, W): R, G, B from 0 to 255, divided by 255,"
        " minus (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225)"
    )
    assert about == json.loads(load_arrays(tmp_path / "w.safetensors")[1]["minifcn"])


def test_onnx_without_its_packages_is_one_line(refused, run_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "onnx", type(sys)("onnx"))
    line = refused("export", run_folder, "--format", "onnx")
    assert "not installed, onnxruntime: pip install" in line
    assert not (run_folder / "model.onnx").exists()


# -- The command ---------------------------------------------------------------------------------


def test_the_command(cli, refused, run_folder, tmp_path):
    result = cli("export", run_folder)
    assert (result.code, result.out) == (0, f"{run_folder / 'weights.safetensors'}\n")
    check_same(read_weights(run_folder / "weights.safetensors"), weights_of(run_folder))
    assert "is there already" in refused("export", run_folder)

    path = tmp_path / "last.npz"
    result = cli("export", run_folder, "--format", "npz", "--checkpoint", "last", "--out", path)
    assert (result.code, result.out) == (0, f"{path}\n")
    check_same(read_weights(path), weights_of(run_folder, "last"))


def test_what_the_command_refuses(refused, run_folder, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    for arguments, message in (
        (["--format", "pth"], "--format"),
        (["--out", tmp_path / "w.pth"], "out must end in .safetensors, .npz or .onnx; got"),
        (["--out", tmp_path / "w.npz", "--format", "safetensors"], "out must end in .safetensors"),
        (["--out", tmp_path / "none" / "w.npz"], f"{tmp_path / 'none' / 'w.npz'}: No such file"),
        (["--out", run_folder], "out must end in .safetensors"),
        (["--checkpoint", "worst"], "--checkpoint"),
    ):
        assert message in refused("export", run_folder, *arguments)
    assert "is not the folder of a run" in refused("export", tmp_path / "none")
    assert sorted(tmp_path.rglob("*")) == before
