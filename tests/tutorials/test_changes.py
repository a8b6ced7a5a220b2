"""Change one thing: a reader who does is told what is no longer as the text says, to the end."""

import os
import subprocess
import sys

import pytest
from reading import STRICTLY, TOLD, TUTORIALS

from minifcn.course.lesson import STRICT

CHANGES = {
    "01_what_is_segmentation": ("block=8", "block=16"),
    "02_convolution": ("generator.integers(0, 4, (5, 5))", "generator.integers(0, 4, (6, 7))"),
    "03_autograd": ("a, b, c = 2.0, -3.0, 10.0", "a, b, c = 1.0, -3.0, 10.0"),
    "04_gradient_check": ("range(1, 14)", "range(1, 9)"),
    "05_learning": ("progress(60,", "progress(10,"),
    "06_fully_convolutional": ('progress(300, "', 'progress(20, "'),
    "07_receptive_field": ("a, b, c = 8, 16, 32", "a, b, c = 4, 16, 48"),
    "08_unpooling": ("default_rng(0)", "default_rng(1)"),
    "09_transposed_convolution": ("for k in (2, 3, 4):", "for k in (2, 3, 5):"),
    "10_checkerboards": ("for k, s in [(3, 2), (4, 2)]:", "for k, s in [(5, 2), (5, 3)]:"),
    "11_features": ("steps=300", "steps=20"),
    "12_skips": ("steps=200", "steps=10"),
    "13_crops": ("conv(Fraction(0), k=3, p=100)", "conv(Fraction(0), k=3, p=90)"),
    "14_the_whole_job": ("iterations = 240", "iterations = 10"),
}


def run_changed(name, folder, environment):
    """Run a copy of a tutorial in which one thing is changed."""
    before, after = CHANGES[name]
    text = TUTORIALS[name].path.read_text(encoding="utf-8")
    assert before in text
    (folder / "mine.py").write_text(text.replace(before, after, 1), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "mine.py"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_change_is_told_and_the_script_goes_on(name, tmp_path):
    lenient = {key: value for key, value in os.environ.items() if key != STRICT}
    done = run_changed(name, tmp_path, lenient)
    assert done.returncode == 0, done.stderr[-3000:]
    assert TOLD.findall(done.stdout)


@pytest.mark.parametrize("name", ["01_what_is_segmentation", "09_transposed_convolution"])
def test_in_the_tests_the_same_change_is_an_error(name, tmp_path):
    done = run_changed(name, tmp_path, STRICTLY)
    assert done.returncode == 1
    assert "\nAssertionError: " in done.stderr
