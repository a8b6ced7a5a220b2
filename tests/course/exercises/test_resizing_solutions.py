"""Solutions of exercise resizing as students write them, right ones and wrong ones."""

import pytest

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check

LOOPS = """
import math
import numpy as np

def nearest(x, factor):
    N, C, H, W = x.shape
    y = np.zeros((N, C, H * factor, W * factor))
    for i in range(H * factor):
        for j in range(W * factor):
            y[:, :, i, j] = x[:, :, i // factor, j // factor]
    return y

def bilinear(x, size):
    N, C, H, W = x.shape
    OH, OW = size
    y = np.zeros((N, C, OH, OW))
    for i in range(OH):
        for j in range(OW):
            r = min(max((i + 0.5) * H / OH - 0.5, 0), H - 1)
            q = min(max((j + 0.5) * W / OW - 0.5, 0), W - 1)
            r0, q0 = math.floor(r), math.floor(q)
            r1, q1 = min(r0 + 1, H - 1), min(q0 + 1, W - 1)
            dr, dq = r - r0, q - q0
            top = x[:, :, r0, q0] * (1 - dq) + x[:, :, r0, q1] * dq
            bottom = x[:, :, r1, q0] * (1 - dq) + x[:, :, r1, q1] * dq
            y[:, :, i, j] = top * (1 - dr) + bottom * dr
    return y
"""

MATRICES = """
import numpy as np

def nearest(x, factor):
    return np.kron(x, np.ones((1, 1, factor, factor)))

def tents(n, m):
    s = np.clip((np.arange(m) + 0.5) * (n / m) - 0.5, 0, n - 1)
    return np.maximum(0, 1 - np.abs(s[:, None] - np.arange(n)))

def bilinear(x, size):
    rows, cols = tents(x.shape[2], size[0]), tents(x.shape[3], size[1])
    return rows @ x @ cols.T
"""

INTERP = """
import numpy as np

def nearest(x, factor):
    if factor == 1:
        return x.astype('float64', copy=False)
    rows = np.arange(x.shape[2] * factor) // factor
    cols = np.arange(x.shape[3] * factor) // factor
    return x[:, :, rows[:, None], cols].astype(np.float64)

def along(x, n, m):
    centres = (np.arange(n) + 0.5) / n
    at = (np.arange(m) + 0.5) / m
    return np.apply_along_axis(lambda line: np.interp(at, centres, line), -1, x)

def bilinear(x, size):
    y = along(x, x.shape[3], size[1])
    return along(y.swapaxes(2, 3), x.shape[2], size[0]).swapaxes(2, 3)
"""

EDGES = """
import numpy as np

def nearest(x, factor):
    n, c, h, w = x.shape
    y = np.empty((n, c, h, factor, w, factor))
    y[...] = x[:, :, :, None, :, None]
    return y.reshape(n, c, h * factor, w * factor)

def bilinear(x, size):
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode='edge')
    parts = []
    for i in (0, 1):
        s = (np.arange(size[i]) + 0.5) * x.shape[2 + i] / size[i] + 0.5
        parts.append((np.floor(s).astype(int), s % 1))
    (r, a), (q, b) = parts
    a, b = a[:, None], b[None, :]
    at = lambda r, q: padded[:, :, r[:, None], q[None, :]]
    return ((1 - a) * (1 - b) * at(r, q) + (1 - a) * b * at(r, q + 1)
            + a * (1 - b) * at(r + 1, q) + a * b * at(r + 1, q + 1))
"""

RIGHT = {"loops": LOOPS, "matrices": MATRICES, "interp": INTERP, "edges": EDGES}

WRONG = {
    "tile": (MATRICES.replace("np.kron(x, np.ones((1, 1, factor, factor)))",
                              "np.concatenate(factor * [np.concatenate(factor * [x], 2)], 3) / 1"),
             {"y": "resize.tile"}),
    "one axis": (MATRICES.replace("np.ones((1, 1, factor, factor))", "np.ones((1, 1, factor, 1))"),
                 {"y": "resize.one_axis/rows"}),
    "whole numbers": (INTERP.replace("cols].astype(np.float64)", "cols]"), {"y": "resize.dtype"}),
    "flat repeat": (MATRICES.replace(
        "np.kron(x, np.ones((1, 1, factor, factor)))",
        "np.repeat(x, factor ** 2).reshape(x.shape[0], x.shape[1], -1, x.shape[3] * factor) * 1.0"),
        {"y": "resize.reshape/flat"}),
    "modulo": (LOOPS.replace("x[:, :, i // factor, j // factor]", "x[:, :, i % H, j % W]"),
               {"y": "resize.tile"}),
    "zeros": (LOOPS.replace("y[:, :, i, j] = x[:, :, i // factor, j // factor]",
                            "if i % factor == j % factor == 0: y[:, :, i, j] ="
                            " x[:, :, i // factor, j // factor]"), {"y": "resize.zeros"}),
    "no half": (LOOPS.replace("(i + 0.5) * H / OH - 0.5", "i * H / OH")
                .replace("(j + 0.5) * W / OW - 0.5", "j * W / OW"), {"y": "resize.no_half_pixel"}),
    "corners": (INTERP.replace("centres = (np.arange(n) + 0.5) / n", "centres = "
                               "np.linspace(0, 1, n)")
                .replace("at = (np.arange(m) + 0.5) / m", "at = np.linspace(0, 1, m)"),
                {"y": "resize.align_corners"}),
    "edges of pixels": (INTERP.replace("(np.arange(n) + 0.5) / n", "np.arange(n) / n")
                        .replace("(np.arange(m) + 0.5) / m", "np.arange(m) / m"),
                        {"y": "resize.no_half_pixel"}),
    "not clamped": (LOOPS.replace("min(max((i + 0.5) * H / OH - 0.5, 0), H - 1)",
                                  "(i + 0.5) * H / OH - 0.5")
                    .replace("min(max((j + 0.5) * W / OW - 0.5, 0), W - 1)",
                             "(j + 0.5) * W / OW - 0.5"), {"y": "resize.clamp_index/wraps"}),
    "index clamped": (
        LOOPS.replace("min(max((i + 0.5) * H / OH - 0.5, 0), H - 1)", "(i + 0.5) * H / OH - 0.5")
        .replace("min(max((j + 0.5) * W / OW - 0.5, 0), W - 1)", "(j + 0.5) * W / OW - 0.5")
        .replace("math.floor(r), math.floor(q)", "max(math.floor(r), 0), max(math.floor(q), 0)"),
        {"y": "resize.clamp_index/beyond"}),
    "weights exchanged": (LOOPS.replace("r - r0, q - q0", "r0 + 1 - r, q0 + 1 - q"),
                          {"y": "resize.weights"}),
    "zero border": (EDGES.replace(", mode='edge'", ""), {"y": None}),
    "swapped size": (MATRICES.replace("x.shape[2], size[0]", "x.shape[2], size[1]")
                     .replace("x.shape[3], size[1]", "x.shape[3], size[0]"),
                     {"y": "resize.size_swap"}),
    "rows only": (MATRICES.replace("rows @ x @ cols.T", "rows @ x"),
                  {"y": "resize.one_axis/rows"}),
    "rounded": (LOOPS.replace("dr, dq = r - r0, q - q0", "dr, dq = round(r - r0), round(q - q0)"),
                {"y": None}),
    "dtype": (LOOPS.replace("y = np.zeros((N, C, OH, OW))", "y = np.zeros((N, C, OH, OW),"
                             " x.dtype)"),
              {"y": "resize.dtype"}),
    "antialias": (MATRICES.replace("np.maximum(0, 1 - np.abs(s[:, None] - np.arange(n)))",
                                   "np.maximum(0, 1 - np.abs(s[:, None] - np.arange(n))"
                                   " / max(1, n / m)) / max(1, n / m)"), {"y": None}),
}  # fmt: skip


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_a_right_one_passes(source):
    report = check(find_exercise("resizing"), source)
    assert [one.problem for one in report.parts] == [""] * len(report.parts)


@pytest.mark.parametrize(("source", "mistakes"), WRONG.values(), ids=WRONG)
def test_a_wrong_one_is_named_right_or_not_at_all(source, mistakes):
    report = check(find_exercise("resizing"), source)
    found = {
        one.part.id: ", ".join(switch.id for switch in one.name.switches) or None
        for one in report.parts
        if one.status != "pass"
    }
    assert found == mistakes
