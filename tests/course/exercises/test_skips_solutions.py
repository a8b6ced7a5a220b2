"""Solutions of skips as students write them: right ones pass, wrong ones get the right name."""

import pytest
from solution_checks import assert_named, assert_passes, part_checked

HEAD = "import numpy as np\n"

MAP = """
def crop_offset(layers):
    a, b = 1.0, 0.0
    for kind, k, s, p in layers:
        if kind == 'conv':
            a, b = a / s, (b + p - (k - 1) / 2) / s
        else:
            a, b = a * s, b * s + (k - 1) / 2 - p
    return np.float64(b)
"""
EXACT = """
from fractions import Fraction
def crop_offset(layers):
    x = Fraction(0)
    for layer in layers:
        kind, kernel, stride, padding = layer
        shift = Fraction(kernel - 1, 2) - padding
        x = {'conv': lambda: (x - shift) / stride, 'transposed': lambda: x * stride + shift}[kind]()
    return x if x.denominator > 1 else int(x)
"""
BACK = """
def crop_offset(layers):
    # From the output's pixel 0 to the input, as a map; then the map the other way round.
    scale, offset = 1.0, 0.0
    for kind, k, s, p in layers[::-1]:
        if kind == 'conv':
            f, g = s, (k - 1) / 2 - p
        else:
            f, g = 1 / s, (p - (k - 1) / 2) / s
        scale, offset = f * scale, f * offset + g
    return -offset / scale
"""
RECURSIVE = """
def crop_offset(layers, at=0):
    if not layers:
        return at
    (kind, k, s, p), *rest = layers
    at = (2 * at + 2 * p - k + 1) / (2 * s) if kind == 'conv' else s * at + (k - 1) / 2 - p
    return crop_offset(rest, at)
"""
FUSE = """
def fuse(top, pool4, pool3, upsample):
    return upsample(upsample(upsample(top, 2) + pool4, 2) + pool3, 8)
"""
LOOP = """
def fuse(top, pool4, pool3, upsample):
    scores = top
    for skip in [pool4, pool3]:
        up = upsample(scores, skip.shape[2] // scores.shape[2])
        up += skip
        scores = up
    return upsample(scores, factor=8)
"""
LINEAR = """
def fuse(top, pool4, pool3, upsample):
    # bilinear: the sum of what each of them gives
    a = upsample(upsample(upsample(top, 2), 2), 8)
    b = upsample(upsample(pool4, 2), 8)
    return np.add.reduce([a, b, upsample(pool3, 8)])
"""

RIGHT = {
    "scale and offset": MAP, "fractions": EXACT, "the map back": BACK, "recursive": RECURSIVE,
    "one line": FUSE, "a loop that adds in place": LOOP, "each on its own way": LINEAR,
}  # fmt: skip

WRONG = {
    "whole halves": (MAP.replace("(k - 1) / 2", "(k - 1) // 2"), "skip.half/floor"),
    "half of k": (MAP.replace("(k - 1) / 2", "k / 2"), "skip.half/k"),
    "half of k, at one kind": (
        MAP.replace("b * s + (k - 1) / 2", "b * s + k / 2"), "skip.half/k_transposed"
    ),
    "no half at one kind": (MAP.replace("b + p - (k - 1) / 2", "b + p"), "skip.half/none_conv"),
    "no division by the stride": (
        MAP.replace("(b + p - (k - 1) / 2) / s", "b + p - (k - 1) / 2"), "skip.no_stride/conv"
    ),
    "the other way": (BACK.replace("-offset / scale", "offset"), "skip.direction"),
    "pools and all are convolutions": (
        MAP.replace("kind == 'conv'", "kind"), "skip.all_conv"
    ),
    "the 19 of the paper": ("def crop_offset(layers): return 19", "skip.offset_wrong/19"),
    "half and sign": (
        MAP.replace("(k - 1) / 2", "(k - 1) // 2").replace("return ", "return -"),
        "skip.half/floor + skip.sign/both",
    ),
    "all at the end": (
        "def fuse(a, b, c, up): return up(a, 32) + up(b, 16) + up(c, 8)", "skip.order/eight"
    ),
    "repeats at the end": (
        FUSE.replace("return upsample(", "return np.kron(").replace(", 8)", ", np.ones((8, 8)))"),
        "skip.nearest/last",
    ),
    "pool3 forgotten": (FUSE.replace(" + pool3", ""), "skip.left_out/pool3"),
    "averages": (
        "def fuse(a, b, c, up): return up((up((up(a, 2) + b) / 2, 2) + c) / 2, 8)", "skip.mean"
    ),
    "a mistake of its own": (FUSE.replace("+ pool3", "- pool3"), ""),
}  # fmt: skip


def part_of(source):
    function = "crop_offset" if "crop_offset" in source else "fuse"
    return part_checked("skips", function, HEAD + source)


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_a_right_solution_passes(source):
    assert_passes(part_of(source))


@pytest.mark.parametrize(("source", "name"), WRONG.values(), ids=WRONG)
def test_a_wrong_solution_is_named(source, name):
    assert_named(part_of(source), name)
