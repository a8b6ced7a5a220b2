"""Solutions of exercise unpooling as students write them, right ones and wrong ones."""

import pytest

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check

LOOPS = """
import numpy as np

def max_unpool2d(y, indices, size):
    N, C, OH, OW = y.shape
    H, W = size
    x = np.zeros((N, C, H, W))
    for n in range(N):
        for c in range(C):
            for i in range(OH):
                for j in range(OW):
                    k = indices[n, c, i, j]
                    x[n, c, k // W, k % W] += y[n, c, i, j]
    return x
"""

FLAT = """
import numpy as np

def max_unpool2d(y, indices, size):
    n, c, oh, ow = y.shape
    area = size[0] * size[1]
    x = np.zeros(n * c * area)
    start = np.arange(n * c)[:, None] * area
    np.add.at(x, start + indices.reshape(n * c, -1), y.reshape(n * c, -1))
    return x.reshape(n, c, size[0], size[1])
"""

COUNTED = """
import numpy as np

def max_unpool2d(y, indices, size):
    planes = [
        [np.bincount(i.ravel(), weights=v.ravel(), minlength=size[0] * size[1])
         for v, i in zip(vs, ixs)]
        for vs, ixs in zip(y, indices)
    ]
    return np.array(planes).reshape(y.shape[:2] + tuple(size))
"""

ONE_HOT = """
import numpy as np

def max_unpool2d(y, indices, size):
    H, W = size
    rows = (indices[..., None] // W == np.arange(H)).astype(float)
    cols = (indices[..., None] % W == np.arange(W)).astype(float)
    return np.einsum('ncij,ncijh,ncijw->nchw', y, rows, cols)
"""

RIGHT = {"loops": LOOPS, "flat": FLAT, "bincount": COUNTED, "one hot": ONE_HOT}

WRONG = {
    "=": (LOOPS.replace("+=", "="), {"x": "unpool.overwrite_or_add"}),
    "put_along_axis": (
        FLAT.replace("np.add.at(x, start + indices.reshape(n * c, -1), y.reshape(n * c, -1))",
                     "x = x.reshape(n, c, area); np.put_along_axis(x,"
                     " indices.reshape(n, c, -1), y.reshape(n, c, -1), 2)"),
        {"x": "unpool.overwrite_or_add"}),
    "no start": (FLAT.replace("start + ", ""), {"x": "unpool.no_batch/all"}),
    "start of channels only": (FLAT.replace("np.arange(n * c)[:, None] * area",
                                            "np.arange(n * c)[:, None] % c * area"),
                               {"x": "unpool.no_batch/image"}),
    "H for W": (LOOPS.replace("k // W, k % W", "k // H, k % H"), {"x": "unpool.xy/height"}),
    "column by column": (LOOPS.replace("k // W, k % W", "k % H, k // H"),
                         {"x": "unpool.xy/column_first"}),
    "OW for W": (LOOPS.replace("k // W, k % W", "k // OW, k % OW"), {"x": "unpool.pooled_width"}),
    "exchanged": (LOOPS.replace("k // W, k % W", "k % W, k // W"), {"x": "unpool.xy/swapped"}),
    "own size": (LOOPS.replace("H, W = size", "H, W = 2 * OH, 2 * OW"), {"x": "unpool.size"}),
    "dtype": (LOOPS.replace("np.zeros((N, C, H, W))", "np.zeros((N, C, H, W), y.dtype)"),
              {"x": "unpool.dtype"}),
    "repeat": ("import numpy as np\ndef max_unpool2d(y, indices, size):\n    a = size[0] //"
               " y.shape[2]\n    b = size[1] // y.shape[3]\n    return np.kron(y, np.ones((1, 1,"
               " a, b)))\n", {"x": "unpool.resize/repeat"}),
    "returns too early": (LOOPS.replace("    return x", "        return x"),
                          {"x": "unpool.return_in_loop/image"}),
    "mean": (COUNTED.replace("minlength=size[0] * size[1])",
                             "minlength=size[0] * size[1]) / np.maximum(1, np.bincount(i.ravel(),"
                             " minlength=size[0] * size[1]))"), {"x": None}),
    "transposed": (ONE_HOT.replace("->nchw", "->ncwh"), {"x": None}),
    "largest": (FLAT.replace("np.add.at", "np.maximum.at"), {"x": None}),
    "changes y": (LOOPS.replace("    x = np", "    y *= 1; y[0] = 0\n    x = np"), {"x": None}),
}  # fmt: skip


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_a_right_one_passes(source):
    report = check(find_exercise("unpooling"), source)
    assert [one.problem for one in report.parts] == [""] * len(report.parts)


@pytest.mark.parametrize(("source", "mistakes"), WRONG.values(), ids=WRONG)
def test_a_wrong_one_is_named_right_or_not_at_all(source, mistakes):
    report = check(find_exercise("unpooling"), source)
    found = {
        one.part.id: ", ".join(switch.id for switch in one.name.switches) or None
        for one in report.parts
        if one.status != "pass"
    }
    assert found == mistakes
