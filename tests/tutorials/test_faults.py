"""Kernels that are made wrong: an assertion of a tutorial itself notices each."""

import subprocess
import sys

import pytest
from reading import STRICTLY, TUTORIALS

FAULTS = {
    "the kernel of a convolution is flipped": (
        "02",
        "def wrong(right, x, weight, *others):\n"
        "    return right(x, weight[:, :, ::-1, ::-1].copy(), *others)\n"
        "replace('conv2d', wrong)",
    ),
    "the gradient of a convolution's weight is mirrored": (
        "04",
        "def wrong(right, *arguments):\n"
        "    return right(*arguments)[:, :, ::-1, ::-1].copy()\n"
        "replace('conv2d_weight', wrong)",
    ),
    "the last of equal maxima wins": (
        "08",
        "def turned(array):\n"
        "    return array[:, :, ::-1, ::-1].copy()\n"
        "def wrong(right, x, *others):\n"
        "    values, indices = right(turned(x), *others)\n"
        "    last = x.shape[2] * x.shape[3] - 1\n"
        "    return turned(values), None if indices is None else turned(last - indices)\n"
        "replace('max_pool2d', wrong)",
    ),
    "of what meets on unpooling, the last is kept": (
        "08",
        "def wrong(right, y, indices, size):\n"
        "    x = np.zeros((*y.shape[:2], size[0] * size[1]), y.dtype)\n"
        "    places = indices.reshape(*y.shape[:2], -1)\n"
        "    np.put_along_axis(x, places, y.reshape(places.shape), -1)\n"
        "    return x.reshape(*y.shape[:2], *size)\n"
        "replace('unpool', wrong)",
    ),
    "gather reads the first channel of the first image for all": (
        "08",
        "def wrong(right, x, indices):\n"
        "    return right(np.broadcast_to(x[:1, :1], x.shape).copy(), indices)\n"
        "replace('gather', wrong)",
    ),
    "max pooling pads with zeros": (
        "08",
        "def wrong(right, x, kernel_size, stride, padding, *others):\n"
        "    values, indices = right(x, kernel_size, stride, padding, *others)\n"
        "    if any(padding):\n"
        "        sides = [(0, 0), (0, 0), *((p, p) for p in padding)]\n"
        "        values, _ = right(np.pad(x, sides), kernel_size, stride, (0, 0), *others)\n"
        "    return values, indices\n"
        "replace('max_pool2d', wrong)",
    ),
    "the gradient of upsampling is half as strong": (
        "08",
        "def wrong(right, *arguments):\n"
        "    return right(*arguments) / 2\n"
        "replace('resize_adjoint', wrong)",
    ),
    "the gradient of a 1x1 convolution's weight is half as strong": (
        "06",
        "def wrong(right, *arguments):\n"
        "    return right(*arguments) / 2\n"
        "replace('conv1x1_weight', wrong)",
    ),
    "the kernel of a transposed convolution is flipped": (
        "09",
        "def wrong(right, x, weight, *others):\n"
        "    return right(x, weight[:, :, ::-1, ::-1].copy(), *others)\n"
        "replace('conv_transpose2d', wrong)",
    ),
    "a transposed convolution is half as strong": (
        "10",
        "def wrong(right, *arguments):\n"
        "    return right(*arguments) / 2\n"
        "replace('conv_transpose2d', wrong)",
    ),
    "a transposed convolution writes one column further right": (
        "13",
        "def wrong(right, *arguments):\n"
        "    return np.roll(right(*arguments), 1, axis=3)\n"
        "replace('conv_transpose2d', wrong)",
    ),
}

PLANT = """
import functools, runpy, sys
import numpy as np
from minifcn.kernels import cpu

def replace(name, wrong):
    right = getattr(cpu, name)
    called = lambda *arguments, **named: wrong(right, *arguments, **named)
    setattr(cpu, name, functools.wraps(right)(called))

{fault}
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_kernel_is_noticed(fault, tmp_path):
    number, code = FAULTS[fault]
    (path,) = [t.path for name, t in TUTORIALS.items() if name.startswith(number)]
    done = subprocess.run(
        [sys.executable, "-c", PLANT.format(fault=code), path],
        cwd=tmp_path, env=STRICTLY, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout[-2000:]
    assert "\nAssertionError" in done.stderr, done.stderr[-2000:]
    assert f"{path.name}" in done.stderr


@pytest.mark.parametrize("number", ["08", "13"])
def test_the_right_kernels_pass_in_the_same_way(number, tmp_path):
    (path,) = [t.path for name, t in TUTORIALS.items() if name.startswith(number)]
    fault = "replace('conv2d', lambda right, *arguments, **named: right(*arguments, **named))"
    code = PLANT.format(fault=fault)
    command = [sys.executable, "-c", code, path]
    subprocess.run(command, cwd=tmp_path, env=STRICTLY, check=True, timeout=600)
