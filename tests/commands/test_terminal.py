"""A terminal that goes away, or lacks letters, costs no work; Ctrl-C shows no traceback."""

import errno
import io
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from small_runs import TINY

from minifcn.commands import terminal
from minifcn.commands.terminal import Output, check_printed, unbreakable
from minifcn.system import interrupts

COMMAND = [sys.executable, "-m", "minifcn"]
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files and signals")


def command(*arguments, **options):
    options = {"capture_output": True, "text": True, "check": False} | options
    return subprocess.run([*COMMAND, *map(str, arguments)], **options)


@pytest.fixture
def folder(tmp_path):
    """Data whose classes have names that ASCII lacks."""
    data = tmp_path / "data"
    for name in ("images", "masks"):
        (data / name).mkdir(parents=True)
    mask = np.kron(np.eye(2, dtype=np.uint8), np.ones((16, 16), np.uint8))
    for i in range(5):
        Image.fromarray(np.full((32, 32, 3), 40 * i, np.uint8)).save(data / f"images/{i}.png")
        Image.fromarray(mask).save(data / f"masks/{i}.png")
    (data / "classes.txt").write_text("Straße\nÄcker\n", encoding="utf-8")
    return data


# -- Letters that a terminal lacks ---------------------------------------------------------------


def test_a_terminal_of_ascii_shows_escapes(folder, tmp_path):
    run, ascii_only = tmp_path / "rün", {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = command("train", "--data", folder, *TINY, "--out", run, env=ascii_only)
    assert (done.returncode, "Stra\\xdfe" in done.stdout) == (0, True), done.stderr
    done = command("eval", run, env=ascii_only)
    assert (done.returncode, "\\xc4cker" in done.stdout) == (0, True), done.stderr
    photo = folder / "images" / "0.png"
    done = command("predict", run, photo, "--out", tmp_path / "ö", env=ascii_only)
    assert (done.returncode, "\\xf6" in done.stdout) == (0, True), done.stderr
    assert len(list((tmp_path / "ö").iterdir())) == 2


def test_a_terminal_of_the_old_c_locale(folder, tmp_path):
    old = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = command("train", "--data", folder, *TINY, "--out", tmp_path / "run", env=old)
    assert (done.returncode, "Stra" in done.stdout) == (0, True), done.stderr


# -- Readers that leave --------------------------------------------------------------------------


def piped_to_nobody(stream, *arguments):
    """Run a command whose stdout or stderr is a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return command(
            *arguments,
            capture_output=False,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: writer},
        )
    finally:
        os.close(writer)


@posix
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_training_that_nobody_listens_to_is_finished(tmp_path, stream):
    done = piped_to_nobody(stream, "train", *TINY, "--out", tmp_path / "run", "--json")
    assert done.returncode == 0
    assert (tmp_path / "run" / "predictions.png").exists()
    if stream == "stdout":
        assert done.stderr.splitlines()[-1].startswith("pictures, weights and log are in")
    else:
        assert json.loads(done.stdout)["run"] == str(tmp_path / "run")


@posix
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["tutorials"], ["bench", "-h"]])
def test_a_reader_that_leaves_is_no_error(arguments):
    done = piped_to_nobody("stdout", *arguments)
    assert (done.returncode, done.stderr) == (0, "")


@posix
@pytest.mark.parametrize("number", [1, 2])
def test_a_stream_that_is_closed_from_the_start(finished_run, number):
    close = lambda: os.close(number)
    done = command("eval", finished_run, "--json", preexec_fn=close)
    other = done.stdout if number == 2 else done.stderr
    assert (done.returncode, bool(other)) == (0, number == 2)
    wrong = command("eval", finished_run / "none", preexec_fn=close)
    assert (wrong.returncode, wrong.stdout) == (2, "")  # a message is no result


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_under_the_output(tmp_path, finished_run):
    with open("/dev/full", "w") as full:
        options = {"capture_output": False, "stderr": subprocess.PIPE, "stdout": full}
        done = command("train", *TINY, "--out", tmp_path / "run", **options)
        assert done.returncode == 2
        last = done.stderr.splitlines()[-1]
        assert last == "minifcn: standard output: No space left on device"
        assert (tmp_path / "run" / "metrics.json").exists()
        assert command("--help", **options).returncode == 2
        options = {"capture_output": False, "stdout": subprocess.PIPE, "stderr": full}
        assert command("train", "--resume", tmp_path / "run", **options).returncode == 0


class Broken(io.StringIO):
    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, text):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.EPIPE, errno.EINVAL, errno.EIO, errno.ENOSPC])
def test_only_results_that_were_wanted_are_missed(monkeypatch, number):
    """A closed pipe is EINVAL on Windows, a closed terminal EIO."""
    monkeypatch.setattr(sys, "stdout", Broken(number))
    with unbreakable("stdout") as output:
        print("never an error")
    assert isinstance(sys.stdout, Broken)
    if number == errno.ENOSPC:
        with pytest.raises(OSError, match="standard output") as caught:
            check_printed(output)
        assert caught.value.errno == errno.ENOSPC
    else:
        check_printed(output)


def test_output_is_else_the_stream():
    stream = io.StringIO()
    output = Output(stream)
    print("a", file=output)
    assert (stream.getvalue(), output.getvalue(), output.isatty()) == ("a\n", "a\n", False)
    check_printed(output)


# -- Ctrl-C --------------------------------------------------------------------------------------

PRESSED = """
import sys, signal

signal.signal(signal.SIGINT, signal.default_int_handler)  # as on a terminal

class Press:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)

module, sys.argv = sys.argv[1], ["minifcn", *sys.argv[2:]]
sys.meta_path.insert(0, Press())
from minifcn.commands import main
sys.exit(main())
"""


@posix
@pytest.mark.parametrize(
    "module",
    ["numpy", "numpy.linalg", "minifcn.tensor", "minifcn.nn", "minifcn.commands.options",
     "minifcn.metrics", "minifcn.runs.report", "matplotlib.figure", "PIL.Image",
     "minifcn.plots.predictions"],
)  # fmt: skip
def test_ctrl_c_during_any_import(tmp_path, module):
    """Also where C code is being loaded, which turns KeyboardInterrupt into other errors."""
    code = [sys.executable, "-c", PRESSED, module, "train", *TINY, "--out", str(tmp_path / "run")]
    done = subprocess.run(code, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.splitlines()[-1] == "minifcn: interrupted"
    assert "Traceback" not in done.stderr


LATE = """
import sys, signal

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["minifcn", *sys.argv[1:]]
from minifcn.commands import doctor, main

class Final:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def diagnose():
    Final()
    raise AssertionError("Ctrl-C was lost")

doctor.diagnose = diagnose
sys.exit(main())
"""


@posix
def test_ctrl_c_where_nothing_can_be_raised():
    code = [sys.executable, "-c", LATE, "doctor"]
    done = subprocess.run(code, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "minifcn: interrupted\n")


@posix
def test_a_background_job_goes_on(ctrl_c):
    """Where Ctrl-C is ignored it stays so; where a program handles it, too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupts.quit_on_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    with terminal.interruptible():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


COMMANDS = {
    "the script": (["/usr/bin/minifcn", "train"], [], True),
    "Windows": (["C/minifcn.exe"], [], True),
    "a module": (["-m"], ["python", "-m", "minifcn", "train"], True),
    "its cli": (["-m"], ["python", "-mminifcn"], True),
    "another module": (["-m"], ["python", "-m", "pytest"], False),
    "a program": (["train.py"], ["python", "train.py"], False),
    "a notebook": (["ipykernel_launcher.py"], [], False),
    "none": ([], [], False),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_which_process_is_the_command(monkeypatch, case):
    argv, original, expected = COMMANDS[case]
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", original)
    assert interrupts.is_command() == expected
