"""`minifcn course check --watch`, in a process of its own, while files are saved."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from minifcn.commands import course, main

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as on Linux")

FLIPPED = """
import numpy as np

def conv2d(x, weight, bias, stride, padding):
    (ph, pw), (sh, sw) = padding, stride
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))
    windows = windows[:, :, ::sh, ::sw]
    flipped = weight[:, :, ::-1, ::-1]
    return np.einsum("nchwij,fcij->nfhw", windows, flipped) + bias[:, None, None]
"""
RIGHT = FLIPPED.replace("windows, flipped", "windows, weight")


@contextmanager
def watched(folder):
    """The command, once it waits for changes; it must not outlive the test."""
    command = [sys.executable, "-m", "minifcn", "course", "check", folder, "convolution", "--watch"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        deadline = threading.Timer(120, process.kill)
        deadline.start()
        try:
            wait_for(process, "waiting for changes")
            yield process
        finally:
            deadline.cancel()
            process.kill()


def wait_for(process, said):
    """Read what the command prints, up to a line that says this."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if said in line:
            return "".join(lines)
    raise AssertionError(f"it ended without saying {said!r}: {''.join(lines)}")


def save(path, text):
    """Save as many editors do: a new file takes the place of the old one."""
    path.with_suffix(".new").write_text(text)
    path.with_suffix(".new").replace(path)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "my-course").mkdir()
    path = tmp_path / "my-course" / "convolution.py"
    path.write_text(FLIPPED)
    return path


def test_a_saved_file_is_checked_again_and_ctrl_c_ends(path, ctrl_c):
    with watched(path.parent) as process:
        save(path, RIGHT)
        assert "error" not in wait_for(process, "convolution   1 of  1  passed")
        save(path, FLIPPED)
        wait_for(process, "conv.flip")
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 130
    assert rest.endswith("minifcn: interrupted\n")
    assert "Traceback" not in rest


def test_a_file_that_is_gone_or_broken_does_not_end_the_watch(path, ctrl_c):
    with watched(path.parent) as process:
        path.unlink()
        wait_for(process, "convolution.py is gone")
        path.write_bytes("# Größe\n".encode("cp1252"))
        wait_for(process, "UTF-8")
        save(path, RIGHT.rstrip()[:-1])
        wait_for(process, "convolution   0 of  1  error")
        save(path, RIGHT)
        wait_for(process, "convolution   1 of  1  passed")


def test_what_is_saved_during_the_first_check_is_checked(path, monkeypatch):
    """The state of the files is taken before a check, so nothing that comes later is missed."""
    done, slept = [], []

    def check_once(choices, names):
        done.append(path.read_text())
        save(path, RIGHT)
        return 0

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(course, "_check_once", check_once)
    monkeypatch.setattr(course.time, "sleep", sleep)
    assert main(["course", "check", str(path.parent), "--watch"]) == 130
    assert done[:2] == [FLIPPED, RIGHT]
