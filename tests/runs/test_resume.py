"""Runs that are killed anywhere, or interrupted, and go on bit for bit.

A process kills itself at a chosen call of a chosen function, so that no moment is left to luck;
then, to be sure, at random moments.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from small_runs import results_of, rewrite, start, state_of

from minifcn.runs.checkpoint import generator_state
from minifcn.runs.folders import LOCK
from minifcn.runs.log import read_log
from minifcn.runs.run import Run
from minifcn.system.files import load_arrays

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals"),
    pytest.mark.usefixtures("ctrl_c"),
]

TRAIN = ["--size", "32x32", "--batch-size", "2", "--iterations", "12", "--seed", "3"]
EVERY = ["--evaluate-every", "3", "--checkpoint-every", "2"]

KILLED = """
import os, signal, sys
import minifcn.commands, minifcn.optim
from minifcn import metrics
from minifcn.runs import run as run_module
from minifcn.system import files

places = {
    "fsync": (files.os, "fsync"),
    "replace": (files.os, "replace"),
    "step": (minifcn.optim.Adam, "step"),
    "update": (metrics.ConfusionMatrix, "update"),
    "run": (run_module.Run, "train"),
    "row": (run_module, "format_row"),
}
owner, name = places[sys.argv[1]]
own, calls = getattr(owner, name), []

def killed(*arguments, **options):
    calls.append(1)
    if len(calls) == int(sys.argv[2]):
        os.kill(os.getpid(), int(sys.argv[3]))
    return own(*arguments, **options)

setattr(owner, name, killed)
sys.exit(minifcn.commands.main(sys.argv[4:]))
"""


def command(*arguments):
    return [sys.executable, "-m", "minifcn", *map(str, arguments)]


def finish(*arguments):
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def kill_at(place, number, *arguments, signal=signal.SIGKILL):
    """Run the command line; at the number-th call of a function it sends itself the signal."""
    options = [place, str(number), str(int(signal)), *map(str, arguments)]
    code = [sys.executable, "-c", KILLED, *options]
    return subprocess.run(code, capture_output=True, text=True, check=False)


def temporary_files(folder):
    return [p.name for p in folder.iterdir() if p.name.startswith(".") and p.name != LOCK]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The results of the run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    finish("train", *TRAIN, *EVERY, "--out", folder)
    return results_of(folder)


# -- Killed --------------------------------------------------------------------------------------

# (function, its call, iterations that are safe afterwards), each in the run the one before left.
# A write forces a file and its folder to the disk: fsync comes twice, then replace once, a write;
# before a checkpoint the log is forced too.
KILLS = [
    ("run", 1, None),  # config.json is there and nothing else
    ("replace", 1, None),  # writing log.csv
    ("step", 2, None),  # before the first checkpoint
    ("fsync", 4, None),  # writing the first checkpoint
    ("update", 5, 2),  # in the first validation
    ("replace", 2, 2),  # writing best.safetensors
    ("fsync", 5, 2),  # the log of the validation's checkpoint
    ("replace", 3, 2),  # writing it
    ("row", 6, 4),  # after a checkpoint, before the log has its row
    ("step", 5, 8),
    ("update", 14, 10),  # in the last validation
]


def test_killed_anywhere_it_ends_as_if_nothing_had_been(tmp_path, whole):
    folder, left = tmp_path / "run", []
    for i, (place, number, safe) in enumerate(KILLS):
        options = ["--resume", folder] if i else [*TRAIN, *EVERY, "--out", folder]
        done = kill_at(place, number, "train", *options)
        assert done.returncode == -signal.SIGKILL, (place, number, done.stderr)
        checkpoint = folder / "last.safetensors"
        found = int(load_arrays(checkpoint)[1]["iteration"]) if checkpoint.exists() else None
        assert found == safe, (place, number)
        left.append(len(temporary_files(folder)))
    assert left[-1] >= 3, "the writes that were killed must have left temporary files"
    finish("train", "--resume", folder)
    assert results_of(folder) == whole
    assert [row["iteration"] for row in read_log(folder / "log.csv")] == list(range(1, 13))


def test_killed_while_config_json_is_written(tmp_path):
    folder = tmp_path / "run"
    done = kill_at("replace", 1, "train", *TRAIN, *EVERY, "--out", folder)
    assert done.returncode == -signal.SIGKILL
    assert len(temporary_files(folder)) == 1
    assert len(list(folder.iterdir())) == 2  # and the lock's file, which nobody holds
    start(folder, iterations=1).train()  # may have the folder
    assert Run.resume(folder).iteration == 1


def test_killed_at_random_moments(tmp_path, whole):
    folder, generator = tmp_path / "run", random.Random(0)
    options = ["train", *TRAIN, *EVERY, "--out", folder]
    for _ in range(4):
        with subprocess.Popen(command(*options), stderr=subprocess.PIPE, text=True) as process:
            if wait_for_iteration(process):
                time.sleep(generator.uniform(0, 0.1))
            process.kill()
        options = ["train", "--resume", folder]
    finish(*options)
    assert results_of(folder) == whole


def wait_for_iteration(process):
    """Read stderr up to the first line of progress; say whether there was one."""
    return any(line.startswith("iteration ") for line in process.stderr)


DROPOUT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from small_runs import start
from minifcn.runs.run import Run
import minifcn.optim, os, signal

own, calls = minifcn.optim.Adam.step, []

def step(optimizer):
    calls.append(1)
    if len(calls) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    own(optimizer)

minifcn.optim.Adam.step = step
folder = Path(sys.argv[2])
run = Run.resume(folder) if folder.exists() else start(folder, dropout=0.3, iterations=9)
run.train()
"""


def train_with_dropout(folder, kill_at_step):
    tests = str(Path(__file__).parents[1])
    code = [sys.executable, "-c", DROPOUT, tests, str(folder), str(kill_at_step)]
    return subprocess.run(code, capture_output=True, text=True, check=False).returncode


def test_dropout_goes_on_with_the_same_random_numbers(tmp_path):
    assert train_with_dropout(tmp_path / "whole", 0) == 0
    for step in (2, 4, 6):
        assert train_with_dropout(tmp_path / "run", step) == -signal.SIGKILL
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    assert train_with_dropout(tmp_path / "run", 0) == 0
    assert results_of(tmp_path / "run") == results_of(tmp_path / "whole")

    # From another state it would end elsewhere: the test above is one.
    other = generator_state(np.random.default_rng(99))
    rewrite(tmp_path / "other" / "last.safetensors", metadata={"generator": other})
    assert train_with_dropout(tmp_path / "other", 0) == 0
    assert state_of(tmp_path / "other") != state_of(tmp_path / "whole")


# -- Ctrl-C --------------------------------------------------------------------------------------


def test_ctrl_c_from_outside_saves_and_names_the_command_that_goes_on(tmp_path):
    folder = tmp_path / "run"
    options = [*TRAIN, "--iterations", "100000", "--out", folder]
    process = subprocess.Popen(command("train", *options), stderr=subprocess.PIPE, text=True)
    deadline = threading.Timer(60, process.kill)
    deadline.start()
    with process:
        assert wait_for_iteration(process)
        process.send_signal(signal.SIGINT)
        message = process.stderr.read()
    deadline.cancel()
    assert process.returncode == 130
    done = int(state_of(folder)[1]["iteration"])
    assert len(read_log(folder / "log.csv")) == done >= 1
    go_on = f"go on with: minifcn train --resume {folder}"
    assert message.endswith(f"minifcn: stopped after iteration {done}; {go_on}\n")
    assert "Traceback" not in message


def test_ctrl_c_in_the_middle_of_things_changes_nothing(tmp_path, whole):
    """In the first step, in a validation, while a checkpoint is written, then to the end."""
    folder, options = tmp_path / "run", [*TRAIN, *EVERY, "--out", tmp_path / "run"]
    for place, number, expected in (("step", 1, 1), ("update", 3, 3), ("fsync", 4, 5)):
        done = kill_at(place, number, "train", *options, signal=signal.SIGINT)
        assert done.returncode == 130, done.stderr
        assert f"minifcn: stopped after iteration {expected}; go on with" in done.stderr
        assert state_of(folder)[1]["iteration"] == str(expected)
        options = ["--resume", folder]
    finish("train", *options)
    assert results_of(folder) == whole
    assert not temporary_files(folder)


def test_ctrl_c_before_the_training_starts(tmp_path):
    done = kill_at("run", 1, "train", *TRAIN, "--out", tmp_path / "run", signal=signal.SIGINT)
    assert done.returncode == 130
    go_on = f"go on with: minifcn train --resume {tmp_path / 'run'}"
    assert done.stderr.splitlines()[-1] == f"minifcn: interrupted; {go_on}"
    assert Run.resume(tmp_path / "run").iteration == 0


# -- What is left of a log -----------------------------------------------------------------------


def stopped_at_four(folder):
    """A run of 6 iterations, stopped after iteration 4, where a checkpoint is."""
    run = start(folder)

    def stop(row):
        if row["iteration"] == 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run.train(stop)
    return folder


LEFT = {
    "nothing more": b"",
    "half a row": b"5,0.51",
    "a row without its end": b"5,0.51,0.001,,",
    "a row and a half": b"5,0.51,0.001,,\r\n6,0.4",
    "zeros, as after a power cut": bytes(20),
}


@pytest.mark.parametrize("case", LEFT)
def test_rows_after_the_checkpoint_are_written_again(tmp_path, case):
    start(tmp_path / "whole").train()
    folder = stopped_at_four(tmp_path / "run")
    with open(folder / "log.csv", "ab") as file:
        file.write(LEFT[case])
    Run.resume(folder).train()
    assert results_of(folder) == results_of(tmp_path / "whole")


def test_temporary_files_of_killed_writes_are_not_read(tmp_path):
    start(tmp_path / "whole").train()
    folder = stopped_at_four(tmp_path / "run")
    for name in ("config.json", "log.csv", "last.safetensors", "best.safetensors"):
        (folder / f".{name}.a1b2c3").write_bytes(b"half of a fi")
    Run.resume(folder).train()
    assert results_of(folder) == results_of(tmp_path / "whole")


# -- What is refused -----------------------------------------------------------------------------


def test_a_folder_that_holds_a_run_is_refused(refused, run_folder, contents):
    before = contents(run_folder)
    message = refused("train", *TRAIN, "--out", run_folder)
    assert f"out must be a new or empty folder; got {run_folder} (see --resume)" in message
    assert contents(run_folder) == before


def test_data_of_a_run_does_not_become_another(refused, run_folder, contents, tmp_path):
    before = contents(run_folder)
    for data in ("shapes", "camvid", "nosuch", tmp_path):
        message = refused("train", "--resume", run_folder, "--data", data)
        assert "data of a run on 'shapes' cannot have moved to" in message
    message = refused("train", "--resume", run_folder, "--root", "here")
    assert "root is camvid's folder; got root 'here' with data 'shapes'" in message
    assert contents(run_folder) == before


@pytest.mark.parametrize(
    "options",
    [
        ("--out", "elsewhere"),
        ("--model", "fcn8s"),
        ("--iterations", "9"),
        ("--batch-size", "3"),
        ("--size", "32x32"),
        ("--crop", "16x16"),
        ("--lr", "0.1"),
        ("--upsampling", "learned"),
        ("--seed", "0"),
        ("--evaluate-every", "1"),
        ("--checkpoint-every", "1"),
        ("--stride", "8"),
        ("--from-scratch",),
        ("--freeze",),
    ],
)
def test_a_resumed_run_keeps_its_options(refused, run_folder, contents, options):
    before = contents(run_folder)
    message = refused("train", "--resume", run_folder, *options)
    assert message.startswith("minifcn: --resume takes all but --device, ")
    assert f"from the run's config; got {options[0]} too" in message
    assert contents(run_folder) == before
