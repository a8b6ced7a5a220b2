"""Folders of runs: made by one, held by one, left by none that failed."""

import errno
import json
import os
import signal
import subprocess
import sys
import warnings

import pytest
from small_runs import TINY, results_of, start

from minifcn.runs import folders
from minifcn.runs import run as run_module
from minifcn.runs.folders import LOCK, Lock, folder_for, make_folder, remove_empty
from minifcn.runs.log import read_log
from minifcn.runs.run import Run
from minifcn.system.files import load_arrays

pytestmark = pytest.mark.usefixtures("few_scenes")

COMMAND = [sys.executable, "-m", "minifcn", "train"]
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


def started(*arguments, **options):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*COMMAND, *map(str, arguments)], **pipes, **options)


# -- Making --------------------------------------------------------------------------------------


def test_what_was_made_is_told_and_can_be_taken_away(tmp_path):
    inner = tmp_path / "a" / "b" / "c"
    (tmp_path / "a").mkdir()
    made = make_folder(inner)
    assert made == [inner, inner.parent]
    assert make_folder(inner) == []
    remove_empty(made)
    assert list(tmp_path.rglob("*")) == [tmp_path / "a"]


def test_a_folder_that_another_makes_at_the_same_moment_is_not_ours(tmp_path, monkeypatch):
    make = folders.Path.mkdir

    def beaten(path, *arguments):
        make(path)
        make(path, *arguments)

    monkeypatch.setattr(folders.Path, "mkdir", beaten)
    assert make_folder(tmp_path / "a") == []


def test_nothing_is_left_of_folders_that_could_not_be_made_whole(tmp_path):
    with pytest.raises(OSError, match="File name too long"):
        make_folder(tmp_path / "new" / ("x" * 300))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_takes_away_what_is_empty(tmp_path, monkeypatch, error):
    monkeypatch.chdir(tmp_path)
    for out in (None, tmp_path / "x" / "y"):
        with pytest.raises(error), folder_for(out, "name"):
            raise error
        assert not list(tmp_path.iterdir())
    result = tmp_path / "runs" / "name" / "result"
    with pytest.raises(error), folder_for(None, "name"):
        raise result.touch() or error
    assert result.exists()


@pytest.mark.parametrize("out", [None, "one"])
def test_trainings_started_at_once(tmp_path, out):
    """Without --out each gets a folder of its own; with the same one, one of them has it."""
    options = [*TINY, "--json", *(["--out", out] if out else [])]
    processes = [started(*options, "--seed", seed, cwd=tmp_path) for seed in range(3)]
    answers = [process.communicate() for process in processes]
    runs = [json.loads(answer)["run"] for answer, _ in answers if answer]
    assert len(set(runs)) == len(runs) == (1 if out else 3)
    seeds = {json.loads((tmp_path / run / "config.json").read_text())["seed"] for run in runs}
    assert len(seeds) == len(runs)
    refused = [p.returncode for p in processes if p.returncode]
    assert refused == [2] * (3 - len(runs))
    assert all("in use by another" in e or "new or empty" in e for a, e in answers if not a)


# -- Holding -------------------------------------------------------------------------------------


def test_a_lock_is_held_by_one_and_let_go(tmp_path):
    lock = Lock(tmp_path)
    with pytest.raises(ValueError, match=f"is in use by another training, process {os.getpid()}"):
        Lock(tmp_path)
    lock.release()
    lock.release()
    assert not list(tmp_path.iterdir())
    other = Lock(tmp_path)
    del other
    Lock(tmp_path).release()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(tmp_path, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl")

    def flock(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.warns(UserWarning, match="cannot be locked .*: see to it that only one process"):
        start(tmp_path / "run", iterations=1).train()


def test_a_lock_whose_file_was_taken_away_meanwhile(tmp_path, monkeypatch):
    """Opened just before its holder let go: a lock on a file that nobody else would find."""
    pytest.importorskip("fcntl")
    lock, calls = folders._lock, []

    def late(descriptor, path):
        lock(descriptor, path)
        if not calls:
            path.unlink()
        calls.append(1)

    monkeypatch.setattr(folders, "_lock", late)
    held = Lock(tmp_path)
    assert len(calls) == 2
    with pytest.raises(ValueError, match="in use"):
        Lock(tmp_path)
    held.release()


@posix
def test_a_killed_process_leaves_no_lock(tmp_path):
    code = "import os, sys; from pathlib import Path; from minifcn.runs.folders import Lock\n"
    code += "lock = Lock(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / LOCK).exists()
    start(tmp_path, iterations=1).train()
    assert not (tmp_path / LOCK).exists()


@posix
def test_a_fork_does_not_take_the_lock_with_it(tmp_path):
    lock = Lock(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's own, where there are threads
        child = os.fork()
    if not child:
        lock.release()
        os._exit(0)
    os.waitpid(child, 0)
    assert (tmp_path / LOCK).exists()
    with pytest.raises(ValueError, match="in use"):
        Lock(tmp_path)
    lock.release()


@posix
def test_a_run_that_trains_is_refused_to_others_but_can_be_looked_at(cli, refused, tmp_path):
    run = tmp_path / "run"
    options = [*TINY, "--iterations", "100000", "--checkpoint-every", "1", "--out", run]
    with started(*options) as process:
        try:
            assert any("mean IU" in line for line in process.stderr)
            for command in (["--resume", run], [*TINY, "--out", run]):
                line = refused("train", *command)
                assert f"is in use by another training, process {process.pid} on" in line
            assert cli("eval", run).code == 0
            assert cli("export", run, "--out", tmp_path / "w.npz").code == 0
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()
    assert process.returncode == 130
    rows = read_log(run / "log.csv")
    assert [row["iteration"] for row in rows] == list(range(1, len(rows) + 1))
    assert not (run / LOCK).exists()


def test_two_runs_of_one_folder_in_one_process(tmp_path):
    first = start(tmp_path / "run")

    def meanwhile(row):
        with pytest.raises(ValueError, match="in use by another training"):
            Run.resume(tmp_path / "run")
        with pytest.raises(ValueError, match="in use by another training"):
            start(tmp_path / "run")

    first.train(meanwhile)
    looked_at = Run.resume(tmp_path / "run")  # holds nothing
    Run.resume(tmp_path / "run").train()
    looked_at.train()


def test_a_start_that_another_start_has_replaced(tmp_path):
    first = start(tmp_path / "run", seed=1)
    second = start(tmp_path / "run", seed=2)
    with pytest.raises(ValueError, match="was trained on elsewhere since"):
        first.train()
    second.train()
    assert Run.resume(tmp_path / "run").config.seed == 2


def stopped_after(run, iteration):
    def stop(row):
        if row["iteration"] == iteration:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run.train(stop)


def test_a_stopped_run_goes_on_unless_another_went_on(tmp_path):
    whole = start(tmp_path / "whole")
    whole.train()
    first = start(tmp_path / "run")
    stopped_after(first, 3)
    first.train()
    assert results_of(tmp_path / "run") == results_of(tmp_path / "whole")

    first = start(tmp_path / "other")
    stopped_after(first, 3)
    stopped_after(Run.resume(tmp_path / "other"), 4)
    with pytest.raises(ValueError, match="was trained on elsewhere since"):
        first.train()
    Run.resume(tmp_path / "other").train()
    assert results_of(tmp_path / "other") == results_of(tmp_path / "whole")


# -- Failed starts -------------------------------------------------------------------------------


def test_one_value_a_channel_names_the_option_and_leaves_nothing(cli, refused, tmp_path):
    for size in ("32x32", "20x7"):
        line = refused("train", *TINY, "--size", size, "--batch-size", "1", "--out", tmp_path / "r")
        assert f"batch_size must be at least 2 for images of {size}; got 1" in line
        assert "--batch-size 2" in line
        assert not list(tmp_path.iterdir())
    wide = ("--size", "32x33", "--batch-size", "1")
    assert cli("train", *TINY, *wide, "--out", tmp_path / "r").code == 0


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, ValueError, OSError])
@pytest.mark.parametrize("place", ["train_step", "write_atomically"])
def test_what_fails_before_the_first_step_leaves_nothing(cli, tmp_path, monkeypatch, error, place):
    def fail(*arguments, **options):
        raise error

    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(run_module, place, fail)
        assert cli("train", *TINY, "--out", "run").code in (1, 2, 130)
        assert cli("train", *TINY).code in (1, 2, 130)
        with pytest.raises(error):
            start(tmp_path / "own").train()
    assert not list(tmp_path.iterdir())
    assert cli("train", *TINY, "--out", "run").code == 0


def test_a_folder_of_ones_own_is_not_taken_away(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "train_step", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        start(tmp_path).train()
    assert tmp_path.exists()
    assert not list(tmp_path.iterdir())


@posix
def test_a_start_that_was_killed_can_be_gone_on_with_or_started_anew(refused, tmp_path):
    code = "import os, sys; from minifcn.commands import main\n"
    code += "from minifcn.runs import run as run_module\n"
    code += "run_module.train_step = lambda *arguments: os.kill(os.getpid(), 9)\n"
    code += "main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "train", *TINY, "--out", tmp_path / "run"]
    assert (
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode
        == -signal.SIGKILL
    )
    assert {p.name for p in (tmp_path / "run").iterdir()} == {"config.json", "log.csv", LOCK}
    assert Run.resume(tmp_path / "run").iteration == 0
    start(tmp_path / "run", iterations=2, seed=9).train()
    assert Run.resume(tmp_path / "run").config.seed == 9


OTHERS = {
    "a note": lambda folder: (folder / "note.txt").touch(),
    "another's config": lambda folder: (folder / "config.json").write_text("{}"),
    "a checkpoint": lambda folder: (folder / "best.safetensors").touch(),
    "a hidden folder": lambda folder: (folder / ".git").mkdir(),
    "a log alone": lambda folder: (folder / "config.json").rename(folder / "log.csv"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_is_not_a_start_that_came_to_nothing_is_kept(tmp_path, contents, case):
    start(tmp_path / "run")
    OTHERS[case](tmp_path / "run")
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="out must be a new or empty folder"):
        start(tmp_path / "run")
    assert contents(tmp_path) == before


# -- A score is that of weights on the disk ------------------------------------------------------


def test_a_score_is_told_once_its_checkpoint_is_there(tmp_path):
    run, told = start(tmp_path / "run", checkpoint_every=100, evaluate_every=2), []

    def report(row):
        if row["mean_iu"] is not None:
            told.append(row["iteration"])
            assert load_arrays(run.folder / "last.safetensors")[1]["iteration"] == str(told[-1])
            assert (run.folder / "best.safetensors").exists()

    run.train(report)
    assert told == [2, 4, 6]


def test_no_score_is_in_the_log_without_its_checkpoint(tmp_path, monkeypatch):
    """The disk gets full after the validation: neither a score nor half a checkpoint is left."""
    run = start(tmp_path / "run", checkpoint_every=100, evaluate_every=4)
    save = run_module.save_arrays

    def full(path, *arguments):
        if path.name == "last.safetensors":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        save(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "save_arrays", full)
        with pytest.raises(OSError, match="No space left"):
            run.train(lambda row: row["mean_iu"] is None or pytest.fail("a score was told"))
    assert [row["mean_iu"] for row in read_log(run.folder / "log.csv")] == [None] * 3
    start(tmp_path / "whole", checkpoint_every=100, evaluate_every=4).train()
    Run.resume(tmp_path / "run").train()
    assert results_of(tmp_path / "run") == results_of(tmp_path / "whole")
