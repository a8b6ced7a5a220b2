import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_runs import TINY, state_of

import minifcn
from minifcn import commands, machine
from minifcn.commands import doctor
from minifcn.commands.progress import Progress
from minifcn.data import CamVid
from minifcn.runs.config import Config
from minifcn.runs.log import read_log

KEYS = ["pixel_accuracy", "mean_accuracy", "mean_iu", "fw_iu", "iu", "baseline_mean_iu", "images",
        "scored_at"]  # fmt: skip
PICTURES = ("curves.png", "iou.png", "confusion.png", "predictions.png")


def module(*arguments, **options):
    """Run `python -m minifcn` in a process of its own."""
    command = [sys.executable, "-m", "minifcn", *map(str, arguments)]
    options = {"capture_output": True, "text": True, "check": False} | options
    return subprocess.run(command, **options)


# -- train ---------------------------------------------------------------------------------------


def test_train_makes_a_run_with_pictures(cli, tmp_path):
    result = cli("train", *TINY, "--model", "fcn16s", "--seed", "5", "--out", tmp_path / "run")
    assert result.code == 0
    names = {"config.json", "log.csv", "metrics.json", "last.safetensors", "best.safetensors"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == names | set(PICTURES)
    for name in PICTURES:
        with Image.open(tmp_path / "run" / name) as picture:
            assert min(picture.size) > 200
            assert np.array(picture.convert("L")).std() > 5
    config = Config.load(tmp_path / "run" / "config.json")
    assert (config.model, config.seed, config.size, config.batch_size) == ("fcn16s", 5, (32, 32), 2)
    assert len(read_log(tmp_path / "run" / "log.csv")) == 4
    assert re.search(r"^mean IU +\d+\.\d$", result.out, re.MULTILINE)
    assert re.search(r"^baseline mean IU +\d+\.\d$", result.out, re.MULTILINE)


def test_train_tells_what_it_does_in_plain_lines_on_stderr(finished):
    folder, result = finished
    first, *lines, last = result.err.splitlines()
    assert re.fullmatch(
        r"fcn8s on shapes: 6 classes, [\d,]+ weights, 4 iterations of 2 images of 32x32, on cpu,"
        r" in .*run",
        first,
    )
    assert last == f"pictures, weights and log are in {folder}"
    pattern = (
        r"iteration (\d)/4  loss \d\.\d{4}(  mean IU 0\.\d{3} of 200 images)?"
        r"  [\d.]+ it/s  \d+:\d\d left"
    )
    matches = [re.fullmatch(pattern, line) for line in lines]
    assert [match[1] for match in matches] == ["1", "2", "3", "4"]
    assert [match[2] is not None for match in matches] == [False, True, False, True]
    assert "\r" not in result.err
    assert "iteration" not in result.out


def test_train_json_is_json_alone(finished):
    folder, result = finished
    summary = json.loads(result.out)
    assert list(summary) == ["run", *KEYS]
    assert summary.pop("run") == str(folder)
    assert json.loads((folder / "metrics.json").read_text()) == summary


def test_runs_without_a_name_get_one_of_their_own(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for taken, free in (("other", "shapes-fcn8s"), ("shapes-fcn8s-2", "shapes-fcn8s-3")):
        (tmp_path / "runs" / taken).mkdir(parents=True)
        result = cli("train", *TINY, "--iterations", "1", "--json")
        assert json.loads(result.out)["run"] == str(Path("runs") / free)
        assert (tmp_path / "runs" / free / "best.safetensors").exists()


def test_resuming_a_finished_run_draws_its_pictures_again(cli, run_folder):
    before = state_of(run_folder)
    (run_folder / "curves.png").unlink()
    result = cli("train", "--resume", run_folder, "--json")
    assert (result.code, json.loads(result.out)["run"]) == (0, str(run_folder))
    assert (run_folder / "curves.png").exists()
    assert state_of(run_folder) == before


def test_diverging_ends_with_exit_code_1_and_one_line(cli, tmp_path):
    result = cli("train", *TINY, "--lr", "1e38", "--checkpoint-every", "1", "--out", tmp_path / "r")
    assert (result.code, result.out) == (1, "")
    last = result.err.splitlines()[-1]
    assert re.match(r"minifcn: loss is nan at iteration 2; the last good checkpoint is ", last)
    assert last.endswith("try a smaller lr than 1e+38")
    assert "Warning" not in result.err
    assert state_of(tmp_path / "r")[1]["iteration"] == "1"


def test_ctrl_c_ends_with_exit_code_130_and_the_command_that_goes_on(
    cli, ctrl_c, tmp_path, monkeypatch
):
    show = Progress.__call__

    def press(progress, row):
        show(progress, row)
        if row["iteration"] == 1:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Progress, "__call__", press)
    result = cli("train", *TINY, "--out", tmp_path / "run")
    go_on = f"minifcn: stopped after iteration 2; go on with: minifcn train --resume {tmp_path}/run"
    assert (result.code, result.out, result.err.splitlines()[-1]) == (130, "", go_on)
    assert state_of(tmp_path / "run")[1]["iteration"] == "2"


def test_ctrl_c_elsewhere(cli, finished_run, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("minifcn.runs.config.open_dataset", interrupt)
    assert cli("eval", finished_run) == (130, "", "minifcn: interrupted\n")


@pytest.mark.parametrize("error", [MemoryError(), MemoryError("Unable to allocate\n8 TiB")])
def test_too_little_memory_is_one_line(cli, finished_run, monkeypatch, error):
    def allocate(*arguments, **options):
        raise error

    monkeypatch.setattr("minifcn.runs.config.open_dataset", allocate)
    said = "Unable to allocate 8 TiB" if error.args else "MemoryError"
    assert cli("eval", finished_run) == (1, "", f"minifcn: {said}\n")


# -- eval ----------------------------------------------------------------------------------------


def test_eval_json_has_exactly_the_scores(cli, finished_run):
    result = cli("eval", finished_run, "--json")
    assert (result.code, result.err) == (0, "")
    summary = json.loads(result.out)
    assert list(summary) == KEYS
    assert list(summary["iu"]) == ["background", "disc", "square", "ring", "cross", "line"]
    assert summary == json.loads((finished_run / "metrics.json").read_text())


def test_eval_of_other_weights_and_other_data(cli, finished_run):
    table = cli("eval", finished_run).out
    assert table.splitlines()[0].split() == ["class", "IU", "%"]
    best = json.loads(cli("eval", finished_run, "--json").out)
    test = json.loads(cli("eval", finished_run, "--json", "--split", "test").out)
    assert list(test) == KEYS
    assert test["baseline_mean_iu"] != best["baseline_mean_iu"]
    last = json.loads(cli("eval", finished_run, "--json", "--checkpoint", "last").out)
    log = read_log(finished_run / "log.csv")
    assert last["mean_iu"] == log[-1]["mean_iu"]
    assert best["mean_iu"] == max(row["mean_iu"] or 0 for row in log)
    again = cli("eval", finished_run, "--json", "--data", "shapes")
    assert json.loads(again.out) == best


# -- Data sets of files --------------------------------------------------------------------------


def write_pair(image, mask, generator, size=(40, 48), num_classes=11):
    """Write blocks of classes, each class with a brightness of its own."""
    for path in (image, mask):
        path.parent.mkdir(parents=True, exist_ok=True)
    blocks = generator.integers(0, num_classes, (5, 6))
    ids = np.kron(blocks, np.ones((8, 8), int))[: size[0], : size[1]].astype(np.uint8)
    noise = generator.integers(0, 20, (*size, 3))
    Image.fromarray((20 * ids[..., None] + noise).astype(np.uint8)).save(image)
    Image.fromarray(ids).save(mask)


def make_camvid(root):
    generator = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 2), ("test", 1)):
        for i in range(count):
            name = f"Seq05VD_{i:05d}.png"
            write_pair(root / split / name, root / f"{split}annot" / name, generator, (40, 48), 12)
    return root


def make_folder(root, count=10, classes="ground\ntree\n"):
    generator = np.random.default_rng(0)
    for i in range(count):
        names = root / "images" / f"{i}.png", root / "masks" / f"{i}.png"
        write_pair(*names, generator, num_classes=2)
    (root / "classes.txt").write_text(classes)
    return root


SMALL = ("--size", "32x32", "--batch-size", "2", "--iterations", "3")


def test_camvids_layout_trains(cli, tmp_path):
    root, run = make_camvid(tmp_path / "CamVid"), tmp_path / "run"
    result = cli(
        "train", "--data", "camvid", "--root", root, *SMALL, "--crop", "32x32", "--json",
        "--out", run,
    )  # fmt: skip
    assert result.code == 0, result.err
    assert list(json.loads(result.out)["iu"]) == list(CamVid(root).classes)
    evaluated = cli("eval", run, "--split", "test", "--json")
    assert list(json.loads(evaluated.out)) == KEYS
    moved = root.rename(tmp_path / "moved")
    assert cli("eval", run, "--json").code == 2
    elsewhere = cli("eval", run, "--root", moved, "--data", "camvid", "--split", "test", "--json")
    assert elsewhere.out == evaluated.out


@pytest.mark.skipif("MINIFCN_CAMVID" not in os.environ, reason="MINIFCN_CAMVID names no CamVid")
def test_the_real_camvid_trains(cli, tmp_path):
    root = os.environ["MINIFCN_CAMVID"]
    result = cli("train", "--data", "camvid", "--root", root, *SMALL, "--out", tmp_path, "--json")
    assert result.code == 0, result.err
    assert len(json.loads(result.out)["iu"]) == 11


def test_a_folder_trains_and_other_classes_are_refused(cli, refused, tmp_path):
    data, run = make_folder(tmp_path / "data"), tmp_path / "run"
    result = cli("train", "--data", data, *SMALL, "--out", run, "--json")
    assert result.code == 0, result.err
    assert list(json.loads(result.out)["iu"]) == ["ground", "tree"]
    other = make_folder(tmp_path / "other", classes="ground\nwater\n")
    line = refused("eval", run, "--data", other)
    assert "data must have the classes of the run, ground, tree; got ground, water" in line
    line = refused("eval", run, "--data", "shapes")
    assert "data must have the classes of the run, ground, tree; got background, disc" in line


# -- Progress ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("total", "at_most"), [(5, 5), (20, 20), (39, 22), (1000, 21), (1999, 21)])
def test_a_run_of_any_length_prints_a_page_of_lines(total, at_most, capsys):
    row = dict.fromkeys(("iteration", "loss", "lr", "mean_iu", "pixel_accuracy"))
    with Progress(total) as progress:
        for i in range(1, total + 1):
            progress({**row, "iteration": i, "loss": 0.5})
    lines = capsys.readouterr().err.splitlines()
    assert min(total, 18) <= len(lines) <= at_most
    assert lines[0].startswith(f"iteration 1/{total}  loss 0.5000  ")


def test_a_score_is_always_printed_in_the_line_that_it_belongs_to(capsys):
    row = {"iteration": 1003, "loss": 0.5, "lr": 0.1, "mean_iu": 0.25, "pixel_accuracy": 0.5}
    with Progress(10_000, start=1000) as progress:
        progress({**row, "iteration": 1002, "mean_iu": None})
        progress(row)
        progress({**row, "iteration": 1500, "mean_iu": None})
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("iteration 1003/10000  loss 0.5000  mean IU 0.250  ")
    assert second.startswith("iteration 1500/10000  loss 0.5000  ")
    assert "mean IU" not in second


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_shows_where_a_resumed_run_is(monkeypatch):
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 0)  # no thread that watches the bar
    row = {"iteration": 8, "loss": 0.5, "lr": 0.1, "mean_iu": 0.25, "pixel_accuracy": 0.5}
    with Progress(10, start=7, file=Terminal()) as progress:
        progress(row)
        progress({**row, "iteration": 9, "mean_iu": None})
        progress({**row, "iteration": 10, "loss": 0.25, "mean_iu": None})
    last = progress.file.getvalue().split("\r")[-1]
    assert "10/10 [" in last
    assert "loss 0.2500, mean IU 0.250" in last


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_on_a_terminal_it_is_a_bar(tmp_path):
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    done = module(
        "train", *TINY, "--out", tmp_path / "run", "--json",
        capture_output=False, stdout=subprocess.PIPE, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while chunk := read_terminal(ours):
        shown += chunk
    os.close(ours)
    assert done.returncode == 0
    assert list(json.loads(done.stdout)) == ["run", *KEYS]
    assert b"100%|" in shown
    assert b"4/4 [" in shown
    assert b"mean IU 0." in shown
    assert shown.count(b"\r") > 4
    assert b"iteration 1/4" not in shown


def read_terminal(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux's way to say that a pseudo-terminal was closed at its other end
        return b""


# -- The command itself --------------------------------------------------------------------------


def test_the_module_is_the_command(finished_run):
    done = module("eval", finished_run, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert list(json.loads(done.stdout)) == KEYS
    refused = module("eval", finished_run / "none")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1


def test_version(cli):
    result = cli("--version")
    assert (result.code, result.out, result.err) == (0, f"minifcn {minifcn.__version__}\n", "")


@pytest.mark.parametrize("command", [(), ("train",), ("eval",), ("predict",), ("doctor",)])
def test_help(cli, command):
    result = cli(*command, "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(" ".join(("usage: minifcn", *command)))


def test_doctor(cli, monkeypatch):
    monkeypatch.setenv("MINIFCN_BACKEND", "numpy")
    result = cli("doctor", "--json")
    facts = json.loads(result.out)
    assert (result.code, result.err) == (0, "")
    assert facts["minifcn"] == minifcn.__version__
    assert facts["numpy"] == np.__version__
    assert facts["gpu"] == "not used: MINIFCN_BACKEND=numpy rules it out"
    assert re.fullmatch(r"[1-9]\d* GFLOP/s \(float32, 1024 x 1024\)", facts["matrix product"])
    assert "OPENBLAS_NUM_THREADS=" in facts["threads"]
    monkeypatch.setattr(doctor, "_gflops", lambda: 7.0)
    lines = cli("doctor").out.splitlines()
    assert [line[:15].strip() for line in lines] == list(facts)
    assert lines[0].split() == ["minifcn", minifcn.__version__]


def test_doctor_names_what_slows_this_machine_down(cli, monkeypatch):
    for name in (*machine.OVERRIDES, *machine.THREAD_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(doctor, "_gflops", lambda: 7.0)
    assert "environment" not in json.loads(cli("doctor", "--json").out)
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", "AVX2")
    effect = "NPY_DISABLE_CPU_FEATURES=AVX2: NumPy is told to leave out its code for AVX2"
    facts = json.loads(cli("doctor", "--json").out)
    assert facts["environment"] == effect
    assert facts["advice"] == machine.advice()
    assert "-u NPY_DISABLE_CPU_FEATURES" in facts["advice"] or "set NPY_DIS" in facts["advice"]
    assert f"environment     {effect}" in cli("doctor").out.splitlines()


def test_doctor_says_what_is_not_there(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("no-package-has-this-name",))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(doctor, "_gflops", lambda: 7.0)
    for variable in machine.THREAD_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    facts = doctor.diagnose()
    assert facts["no-package-has-this-name"] == "not installed"
    assert facts["cuda on the cpu"] == "not there: it needs g++"
    assert re.fullmatch(r"\d+ cores usable; no limit set", facts["threads"])


def test_every_command_of_the_parser_does_something():
    for name in commands.COMMANDS:
        assert callable(import_module(f"minifcn.commands.{name.replace('-', '_')}").run)


def test_a_command_is_imported_when_it_is_asked_for():
    code = "import sys; from minifcn import commands; commands.build_parser().format_help()\n"
    code += "print(*(name for name in sys.modules if name.startswith('minifcn')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "minifcn.commands" in loaded
    assert not {"minifcn.data", "minifcn.models", "minifcn.experiments", "minifcn.plots"} & {
        *loaded
    }
    assert not [
        name for name in commands.COMMANDS if f"minifcn.commands.{name.replace('-', '_')}" in loaded
    ]
