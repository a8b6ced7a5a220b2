"""Wrong options and hostile or broken files: exit code 2, one line, nothing run or overwritten."""

import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_runs import TINY, rewrite, spoiled

from minifcn import commands
from minifcn.system.files import load_arrays

# -- Wrong options -------------------------------------------------------------------------------

OPTIONS = {
    "no command": ([], "the following arguments are required: command"),
    "unknown command": (["trian"], "invalid choice: 'trian'"),
    "unknown option": (["train", "--epochs", "3"], "unrecognized arguments: --epochs 3"),
    "size 0": (["train", "--size", "0x0"], "size must be at least 1x1; got (0, 0)"),
    "size 0 wide": (["train", "--size", "32x0"], "size must be at least 1x1; got (32, 0)"),
    "size one number": (["train", "--size", "96"], "--size: must be HxW, like 96x128; got '96'"),
    "size negative": (["train", "--size", "-1x5"], "argument --size: expected one argument"),
    "size negative =": (["train", "--size=-1x5"], "--size: must be HxW, like 96x128; got '-1x5'"),
    "size letters": (["train", "--size", "axb"], "--size: must be HxW, like 96x128; got 'axb'"),
    "size three": (["train", "--size", "3x4x5"], "--size: must be HxW, like 96x128; got '3x4x5'"),
    "size huge": (["train", "--size", "99999999x99999999"], "size must make at most"),
    "crop 0": (["train", "--crop", "0x4"], "crop must be at least 1x1; got (0, 4)"),
    "lr nan": (["train", "--lr", "nan"], "lr must be a finite number; got nan"),
    "lr inf": (["train", "--lr", "inf"], "lr must be a finite number; got inf"),
    "lr negative": (["train", "--lr", "-1"], "lr must be a positive number; got -1.0"),
    "lr 0": (["train", "--lr", "0"], "lr must be a positive number; got 0.0"),
    "lr word": (["train", "--lr", "fast"], "argument --lr: invalid float value: 'fast'"),
    "iterations 0": (["train", "--iterations", "0"], "iterations must be at least 1; got 0"),
    "iterations -3": (["train", "--iterations", "-3"], "iterations must be at least 1; got -3"),
    "iterations 1.5": (["train", "--iterations", "1.5"], "invalid int value: '1.5'"),
    "batch size": (["train", "--batch-size", "0"], "batch_size must be at least 1; got 0"),
    "batch size huge": (["train", "--batch-size", "9" * 20], "size must make at most"),
    "seed": (["train", "--seed", "-1"], "seed must be at least 0; got -1"),
    "every": (["train", "--evaluate-every", "0"], "evaluate_every must be at least 1; got 0"),
    "save": (["train", "--checkpoint-every", "-1"], "checkpoint_every must be at least 1; got -1"),
    "model": (["train", "--model", "fcn2s"], "argument --model: invalid choice: 'fcn2s'"),
    "gpu": (
        ["train", "--device", "cuda"],
        "device 'cuda' cannot be used: MINIFCN_BACKEND=numpy rules it out; use 'cpu' or 'auto'",
    ),
    "data": (
        ["train", "--data", "nosuch"],
        "data must be shapes, camvid or an existing folder; got 'nosuch'",
    ),
    "root": (
        ["train", "--root", "here"],
        "root is camvid's folder; got root 'here' with data 'sha",
    ),
    "camvid": (["train", "--data", "camvid"], "camvid needs --root, its folder; got none"),
    "camvid root": (
        ["train", "--data", "camvid", "--root", "nosuch"],
        "folder 'nosuch' does not exist",
    ),
    "eval": (["eval"], "the following arguments are required: run"),
    "eval nothing": (["eval", "nosuch"], "nosuch is not the folder of a run"),
    "resume nothing": (["train", "--resume", "nosuch"], "nosuch is not the folder of a run"),
    "predict nothing": (["predict", "nosuch", "x.png", "--out", "o"], "nosuch is not the folder"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_wrong_options(refused, tmp_path, monkeypatch, case):
    arguments, message = OPTIONS[case]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIFCN_BACKEND", "numpy")
    assert message in refused(*arguments)
    assert not list(tmp_path.iterdir())


EMPTY = [
    ["train", "--data", ""],
    ["train", "--data", "camvid", "--root", ""],
    ["train", "--out", ""],
    ["train", "--out="],
    ["train", "--resume", ""],
    ["eval", ""],
    ["eval", "run", "--data", ""],
    ["eval", "run", "--root", ""],
    ["predict", "", "x.png", "--out", "o"],
    ["predict", "run", "x.png", "", "--out", "o"],
    ["predict", "run", "x.png", "--out", ""],
    ["export", ""],
    ["export", "run", "--out", ""],
    ["experiment", "skips", "--out", ""],
    ["experiment", "heatmap", ""],
    ["experiment", "heatmap", "x.png", "--out", ""],
    ["bench", "--plot", ""],
    ["tutorials", "--notebooks", ""],
]


@pytest.mark.parametrize("arguments", EMPTY, ids=" ".join)
def test_an_empty_path_is_never_this_folder(refused, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    assert "must be a path; got ''" in refused(*arguments)
    assert not list(tmp_path.iterdir())


def test_no_option_takes_a_path_in_another_way():
    files = list(Path(commands.__file__).parent.glob("*.py"))
    assert len(files) > len(commands.COMMANDS)
    assert not [path for path in files if "type=Path" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("command", ["train", "eval", "predict", "doctor"])
def test_a_wrong_value_of_the_environment_variable(refused, finished_run, tmp_path, command):
    arguments = {
        "train": ["--out", tmp_path / "run"],
        "eval": [finished_run],
        "predict": [finished_run, "x.png", "--out", tmp_path / "out"],
        "doctor": [],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIFCN_BACKEND", "gpu")
        message = refused(command, *arguments[command])
    assert message == "minifcn: MINIFCN_BACKEND must be one of auto, numpy, cupy; got 'gpu'\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["eval", "predict"])
def test_a_gpu_that_cannot_be_used(refused, finished_run, tmp_path, monkeypatch, command):
    monkeypatch.setenv("MINIFCN_BACKEND", "numpy")
    more = ["x.png", "--out", tmp_path / "out"] if command == "predict" else []
    message = refused(command, finished_run, *more, "--device", "cuda")
    assert "device 'cuda' cannot be used: MINIFCN_BACKEND=numpy rules it out" in message
    assert not list(tmp_path.iterdir())


def test_a_wrong_choice_of_split_or_weights(refused, finished_run):
    assert "split must be one of train, val, test; got 'x'" in refused(
        "eval", finished_run, "--split", "x"
    )
    assert "invalid choice: 'first'" in refused("eval", finished_run, "--checkpoint", "first")


# -- Broken configs ------------------------------------------------------------------------------


def config_with(folder, **changes):
    values = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(values))


CONFIGS = {
    "not JSON": (lambda f: (f / "config.json").write_text("{"), "not valid JSON"),
    "binary": (lambda f: (f / "config.json").write_bytes(bytes(range(256))), "not valid JSON"),
    "a list": (
        lambda f: (f / "config.json").write_text("[1]"),
        "must hold a JSON object; got list",
    ),
    "deep": (lambda f: (f / "config.json").write_text("[" * 10**6), "not valid JSON"),
    "missing": (lambda f: (f / "config.json").unlink(), "is not the folder of a run"),
    "unknown key": (lambda f: config_with(f, run="rm -rf"), "not the config of a run; see run"),
    "wrong type": (
        lambda f: config_with(f, widths="12"),
        "widths must be tuple[int, ...]; got '12'",
    ),
    "negative": (lambda f: config_with(f, batch_size=-1), "batch_size must be at least 1; got -1"),
    "huge lr": (lambda f: config_with(f, lr=10**400), "lr must be a finite number; got 1000"),
    "huge size": (lambda f: config_with(f, size=[10**9] * 2), "size must make at most"),
    "huge widths": (
        lambda f: config_with(f, widths=[10**9] * 5),
        "widths must be five numbers fro",
    ),
    "wide": (lambda f: config_with(f, widths=[2**16] * 5), "must make at most 268,435,456 weights"),
    "wide head": (
        lambda f: config_with(f, head_width=10**9),
        "must make at most 268,435,456 weigh",
    ),
    "deep stages": (
        lambda f: config_with(f, depths=[10**9] * 5),
        "depths must be five numbers fro",
    ),
    "no depth": (lambda f: config_with(f, depths=[0] * 5), "depths must be five numbers from 1 to"),
    "dropout": (lambda f: config_with(f, dropout=2), "p must be between 0 and 1; got 2"),
    "upsampling": (
        lambda f: config_with(f, upsampling="x"),
        "upsampling must be 'bilinear' or 'le",
    ),
    "no classes": (lambda f: config_with(f, classes={}), "classes must be at least 1; got 0"),
    "other data": (
        lambda f: config_with(f, data="nosuch"),
        "must be shapes, camvid or an existing folder",
    ),
    "other model": (
        lambda f: config_with(f, model="fcn32s"),
        "state does not fit this module: 6 unknown (",
    ),
    "other widths": (lambda f: config_with(f, head_width=7), "must have shape (7, "),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_broken_config(refused, run_folder, tmp_path, contents, case):
    change, message = CONFIGS[case]
    change(run_folder)
    before = contents(tmp_path)
    for command in (["eval", run_folder], ["train", "--resume", run_folder]):
        assert message in refused(*command), command
    assert contents(tmp_path) == before


# -- Broken weights ------------------------------------------------------------------------------


class Payload:
    """What a pickle from a stranger can do when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


UNREADABLE = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: cut(path, 0.6),
    "header only": lambda path: cut(path, 0.001),
    "huge header": lambda path: path.write_bytes(struct.pack("<Q", 2**62) + b"{}"),
    "pickle": lambda path: path.write_bytes(pickle.dumps(Payload(path.parent / "owned"))),
    "an image": lambda path: Image.fromarray(np.zeros((9, 9), np.uint8)).save(path, "PNG"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_weights_that_cannot_be_read(refused, run_folder, tmp_path, contents, case):
    image = tmp_path / "x.png"
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(image)
    for name in ("best.safetensors", "last.safetensors"):
        UNREADABLE[case](run_folder / name)
    before = contents(tmp_path)
    for command in (
        ["eval", run_folder],
        ["eval", run_folder, "--checkpoint", "last"],
        ["predict", run_folder, image, "--out", tmp_path / "out"],
        ["train", "--resume", run_folder],
    ):
        assert "not a readable safetensors file" in refused(*command)
    assert contents(tmp_path) == before
    assert not (run_folder / "owned").exists()
    assert not (tmp_path / "out").exists()


WEIGHT = "fc7.0.weight"

MISFITS = {
    "shape": (lambda a: a[:1], f"{WEIGHT} must have shape"),
    "missing": (lambda a: None, f"1 missing ({WEIGHT})"),
    "NaN": (spoiled, f"{WEIGHT} is not finite"),
    "infinite": (lambda a: spoiled(a, np.inf), f"{WEIGHT} is not finite"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_weights_that_do_not_fit(refused, run_folder, contents, case):
    change, message = MISFITS[case]
    for file, name in (("best", WEIGHT), ("last", f"model.{WEIGHT}")):
        path = run_folder / f"{file}.safetensors"
        rewrite(path, {name: change(load_arrays(path)[0][name])})
    before = contents(run_folder)
    for file, command in (
        ("best", ["eval", run_folder]),
        ("last", ["eval", run_folder, "--checkpoint", "last"]),
        ("last", ["train", "--resume", run_folder]),
    ):
        line = refused(*command)
        assert message in line
        assert f"{file}.safetensors: " in line
    assert contents(run_folder) == before


def test_weights_that_are_not_there(refused, run_folder):
    (run_folder / "best.safetensors").unlink()
    message = refused("eval", run_folder)
    assert f"{run_folder / 'best.safetensors'}: not there before the first validation" in message
    assert "--checkpoint last" in message
    (run_folder / "last.safetensors").unlink()
    assert f"{run_folder / 'best.safetensors'}: no such file" in refused("eval", run_folder)


def test_predicting_into_a_file(refused, run_folder, tmp_path):
    (tmp_path / "file").touch()
    message = refused("predict", run_folder, "photo.png", "--out", tmp_path / "file")
    assert f"out must be a folder; got the file {tmp_path / 'file'}" in message


def test_unreadable_data_leaves_no_folder_behind(refused, tmp_path):
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(5):
            (tmp_path / "data" / name / f"{i}.png").write_bytes(b"not a PNG")
    (tmp_path / "data" / "classes.txt").write_text("wall\nfloor\n")
    refused("train", "--data", tmp_path / "data", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


METADATA = {
    "no metadata": (dict.fromkeys(("iteration", "best_mean_iu", "generator")), "is missing"),
    "generator NaN": (
        {"generator": '{"bit_generator": "PCG64", "state": {"state": NaN, "inc": NaN},'
         ' "has_uint32": 0, "uinteger": 0}'},
        "state of the random generator is malformed: cannot convert float NaN",
    ),
    "generator deep": ({"generator": "[" * 10**5}, "state of the random generator is malformed"),
    "iteration": ({"iteration": "-1"}, "iteration must be from 0 to 4; got -1"),
}  # fmt: skip


@pytest.mark.parametrize("case", METADATA)
def test_a_checkpoint_with_broken_metadata(refused, run_folder, contents, case):
    metadata, message = METADATA[case]
    rewrite(run_folder / "last.safetensors", metadata=metadata)
    before = contents(run_folder)
    assert message in refused("train", "--resume", run_folder)
    assert contents(run_folder) == before


# -- Broken data ---------------------------------------------------------------------------------


def save(path, *shape, value=0, mode=None):
    picture = Image.fromarray(np.full(shape, value, np.uint8))
    (picture.convert(mode) if mode else picture).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Ten images and masks of a data set."""
    data = tmp_path / "data"
    for name in ("images", "masks"):
        (data / name).mkdir(parents=True)
    for i in range(10):
        save(data / "images" / f"{i}.png", 32, 32, 3, value=20 * i)
        save(data / "masks" / f"{i}.png", 32, 32, value=i % 2)
    return data


def remove_all(data):
    for path in [*data.glob("images/*"), *data.glob("masks/*")]:
        path.unlink()


FOLDERS = {
    "empty": (remove_all, "files in"),
    "no images": (lambda data: (data / "images").rename(data / "pictures"), "does not exist"),
    "a mask too few": (
        lambda data: (data / "masks" / "3.png").unlink(),
        "image '3' has no partner",
    ),
    "other size": (lambda data: save(data / "masks" / "3.png", 32, 31), "but its image is 32x32"),
    "RGB mask": (
        lambda data: save(data / "masks" / "3.png", 32, 32, 3, value=(9, 0, 0)),
        "an RGB mask",
    ),
    "truncated image": (lambda data: cut(data / "images" / "3.png", 0.5), "3.png': "),
    "truncated mask": (lambda data: cut(data / "masks" / "3.png", 0.5), "3.png': "),
    "id that is no class": (
        lambda data: (data / "classes.txt").write_text("only one\n"),
        "has id 1; expected 0 to 0, or 255 for void",
    ),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_a_broken_folder_of_data(refused_later, folder, tmp_path, case):
    damage, message = FOLDERS[case]
    damage(folder)
    out = tmp_path / "run"
    line = refused_later("train", "--data", folder, *TINY, "--batch-size", "8", "--out", out)
    assert message in line


@pytest.fixture
def refused_later(cli):
    """Check for exit code 2 and one line of an error, after lines of progress; return the line."""

    def check(*arguments):
        result = cli(*arguments)
        assert (result.code, result.out) == (2, "")
        *_, last = lines = result.err.splitlines()
        assert [line.startswith("minifcn: ") for line in lines] == [False] * (len(lines) - 1) + [
            True
        ]
        assert "Traceback" not in result.err
        return last

    return check


def test_one_value_a_channel_is_too_little_for_batch_norm(refused_later, tmp_path):
    line = refused_later("train", *TINY, "--batch-size", "1", "--out", tmp_path / "run")
    assert "input must have more than 1 value a channel in training" in line


# -- Places that cannot be written ---------------------------------------------------------------


def test_out_below_a_file_or_a_file(refused, tmp_path):
    (tmp_path / "file").write_text("mine")
    line = refused("train", *TINY, "--out", tmp_path / "file" / "run")
    assert "Not a directory" in line
    line = refused("train", *TINY, "--out", tmp_path / "file")
    assert "out must be a new or empty folder" in line
    assert (tmp_path / "file").read_text() == "mine"


LIMITED = """
import resource, sys
from minifcn.commands import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_a_disk_that_gets_full_costs_nothing_that_was_saved(cli, run_folder, tmp_path, contents):
    """No file may be longer than 100 kB: the checkpoint is; log.csv and config.json are not."""
    out = tmp_path / "new"
    command = [sys.executable, "-c", LIMITED, "100000", "train", *TINY, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    last = done.stderr.splitlines()[-1]
    assert last == f"minifcn: {out / 'best.safetensors'}: File too large"
    assert "Traceback" not in done.stderr
    assert {path.name for path in out.iterdir()} == {"config.json", "log.csv"}
    assert cli("train", "--resume", out).code == 0
