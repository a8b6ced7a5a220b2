"""Bugs planted into the CUDA kernels, each of which a comparison or a sanitizer must catch."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from minifcn.cuda_on_cpu import sanitizer
from minifcn.kernels import gpu

pytestmark = pytest.mark.cuda_on_cpu

PROGRAM = Path(__file__).with_name("run_every_kernel.py")
WRONG = "computes something wrong"


class Bug(NamedTuple):
    """What is replaced by what, the kernel that then goes wrong, and who says so in which words."""

    kernel: str
    file: str
    old: str
    new: str
    watcher: str = "numbers"
    report: str = WRONG


SYNC = "        __syncthreads();\n"
LOADED = SYNC + "        multiply("
WORKED_OUT = "f * plane, h, w};\n        }\n"
BUGS = {
    "no barrier before the tiles are read": Bug(
        "conv2d", "convolution.cu", LOADED, LOADED.removeprefix(SYNC)
    ),
    "no barrier before the tiles are overwritten": Bug(
        "conv1x1",
        "conv1x1.cu",
        SYNC + "        copy_left",
        "        copy_left",
        "thread",
        "data race",
    ),
    "no barrier after the steps are worked out": Bug(
        "conv_transpose2d", "convolution.cu", WORKED_OUT + SYNC, WORKED_OUT
    ),
    "no barrier among the warps": Bug(
        "channel_sums",
        "reductions.cu",
        "    __syncthreads();\n    real sum = 0;\n",
        "    real sum = 0;\n",
    ),
    "no barrier between finding a turn and taking it": Bug(
        "unpool",
        "pooling.cu",
        "if (!__syncthreads_or(waiting)) return;",
        "if (!waiting) return;",
        "numbers",
        "is stuck",
    ),
    "a barrier that some threads do not reach": Bug(
        "conv2d",
        "convolution.cu",
        LOADED,
        "if (own_row() < 32) __syncthreads();\n multiply(",
        "numbers",
        "is stuck",
    ),
    "adding without an atomic": Bug(
        "col2im_scatter",
        "windows.cu",
        "atomicAdd(&x[index_of(pixel, s)], columns[element])",
        "x[index_of(pixel, s)] += columns[element]",
        "thread",
        "data race",
    ),
    "a minimum without an atomic": Bug(
        "unpool",
        "pooling.cu",
        "atomicMin(&next[indices[p]], p)",
        "next[indices[p]] = min(next[indices[p]], p)",
        "thread",
        "data race",
    ),
    "one thread too many": Bug(
        "relu",
        "pointwise.cu",
        "if (i < total) y[i] = rectified",
        "if (i <= total) y[i] = rectified",
        "address",
        "AddressSanitizer",
    ),
    "one row too many": Bug("im2col", "windows.cu", "h < s.h", "h <= s.h"),
    "a row before the first": Bug(
        "im2col", "windows.cu", "h >= 0", "h >= -1", "address", "AddressSanitizer"
    ),
    "a tile that runs over the last row": Bug(
        "conv2d",
        "convolution.cu",
        "first_row + m < rows && ",
        "",
        "address",
        "AddressSanitizer",
    ),
    "a tile that runs over the last step": Bug(
        "conv1x1", "conv1x1.cu", "start + k < channels", "true", "address", "AddressSanitizer"
    ),
    "shared memory beyond its end": Bug(
        "conv1x1_weight",
        "conv1x1.cu",
        "real right[DEPTH][TILE + 4]",
        "real right[DEPTH][TILE - 4]",
        "undefined",
        "out of bounds",
    ),
    "shared memory that nobody wrote": Bug(
        "conv1x1",
        "conv1x1.cu",
        "tiles.left[k][m] = exists ?",
        "if (exists) tiles.left[k][m] = exists ?",
    ),
    "height and width swapped": Bug(
        "max_pool2d", "pooling.cu", "place_of(element, s.oh, s.ow)", "place_of(element, s.ow, s.oh)"
    ),
    "stride of the wrong axis": Bug(
        "conv_transpose2d", "convolution.cu", "to.column * at.stride_w", "to.column * at.stride_h"
    ),
    "dilation ignored": Bug("conv2d", "convolution.cu", "j * at.dilation_w};", "j};"),
    "a flipped kernel": Bug(
        "conv2d", "convolution.cu", "at.w, i * at", "at.w, (at.kh - 1 - i) * at"
    ),
    "groups ignored": Bug(
        "conv2d_weight", "convolution.cu", "x += (int64)group * channels * plane;", ""
    ),
    "the last of several maxima": Bug("max_pool2d", "pooling.cu", "value > best", "value < best"),
    "a warp that skips rows": Bug(
        "conv2d", "convolution.cu", "own_row() >= rows", "own_row() >= rows - 1"
    ),
    "a part of a sum left out": Bug(
        "conv1x1_weight", "reductions.cu", "part < parts", "part < parts - 1"
    ),
    "numbers of a warp left out": Bug(
        "batch_norm", "normalization.cu", "distance = 16", "distance = 8"
    ),
}


def run(watcher, *arguments):
    if watcher == "numbers":
        return subprocess.run(
            [sys.executable, PROGRAM, *arguments], capture_output=True, text=True, check=False
        )
    return sanitizer.run(watcher, str(PROGRAM), *arguments)


@pytest.mark.parametrize("watcher", ["numbers", "address", "undefined", "thread"])
def test_nobody_has_anything_to_say_of_the_kernels_as_they_are(watcher):
    done = run(watcher)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) == set(gpu.__all__)


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught(name):
    bug = BUGS[name]
    done = run(bug.watcher, bug.kernel, bug.file, bug.old, bug.new)
    assert done.returncode not in (0, 2), done.stdout
    assert bug.report in done.stderr
    assert "does not have" not in done.stderr
