"""Solutions of gradient_check as students write them: right ones pass, wrong ones are named."""

import pytest
from solution_checks import assert_named, assert_passes, part_checked

HEAD = "import numpy as np\n"

LOOP = """
def numeric_gradient(function, x, upstream, eps):
    x = x.astype(np.float64)
    grad = np.zeros_like(x)
    it = np.nditer(x, flags=['multi_index'])
    while not it.finished:
        i = it.multi_index
        old = x[i]
        x[i] = old + eps
        pos = function(x).copy()
        x[i] = old - eps
        neg = function(x).copy()
        x[i] = old
        grad[i] = np.sum((pos - neg) * upstream) / (2 * eps)
        it.iternext()
    return grad
"""
ADDED = """
def numeric_gradient(f, x, upstream, h):
    work = np.array(x, dtype=float)
    out = np.empty(work.size)
    for k in range(work.size):
        work.flat[k] += h
        a = float((upstream * f(work)).sum())
        work.flat[k] -= 2 * h
        b = float((upstream * f(work)).sum())
        work.flat[k] += h
        out[k] = (a - b) / 2 / h
    return out.reshape(x.shape)
"""
BASIS = """
def numeric_gradient(function, x, upstream, eps):
    steps = np.eye(x.size).reshape(x.size, *x.shape) * eps
    return np.array([np.vdot(upstream, (function(x + e) - function(x - e)) / (2 * eps))
                     for e in steps]).reshape(x.shape)
"""
IN_PLACE = """
def numeric_gradient(function, x, upstream, eps):
    if x.dtype != float:
        x = x.astype(float)
    grad = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += eps
        up = np.tensordot(upstream, function(x), upstream.ndim)
        x[i] -= 2 * eps
        down = np.tensordot(upstream, function(x), upstream.ndim)
        x[i] += eps
        grad[i] = (up - down) / (2 * eps)
    return grad
"""
ERROR = """
def relative_error(analytic, numeric):
    larger = max(np.linalg.norm(analytic), np.linalg.norm(numeric))
    if larger == 0:
        return 0
    return np.linalg.norm(analytic - numeric) / larger
"""
ROOT = """
import math
def relative_error(a, b):
    n = lambda v: math.sqrt(math.fsum(float(t) ** 2 for t in v.ravel()))
    return n(a - b) / (max(n(a), n(b)) or 1.0)
"""
EINSUM = """
def relative_error(a, n):
    size = lambda v: np.einsum('i,i->', v.reshape(-1), v.reshape(-1)) ** 0.5
    with np.errstate(invalid='ignore'):
        e = size(a - n) / np.maximum(size(a), size(n))
    return np.nan_to_num(e)
"""

RIGHT = {
    "nditer": LOOP, "adds and takes away": ADDED, "steps from a basis": BASIS,
    "in x itself, put back but for rounding": IN_PLACE,
    "an int for 0 / 0": ERROR, "math": ROOT, "nan_to_num": EINSUM,
}  # fmt: skip

WRONG = {
    "copy and zeros_like of whole numbers": (
        LOOP.replace("x.astype(np.float64)", "x.copy()"),
        "fd.int/step_and_result",
    ),
    "divided by eps": (LOOP.replace("(2 * eps)", "eps"), "fd.h_for_2h"),
    "no copies of views": (LOOP.replace(".copy()", ""), "fd.view"),
    "upstream forgotten": (LOOP.replace(" * upstream", ""), "fd.all_ones"),
    "zeros_like of whole numbers": (
        LOOP.replace("x = x.astype(np.float64)", "grad = np.zeros_like(x)").replace(
            "    grad = np.zeros_like(x)\n    it", "    x = x.astype(float)\n    it"
        ),
        "fd.int/result",
    ),
    "steps in whole numbers": (
        ADDED.replace("np.array(x, dtype=float)", "x.copy()"), "fd.int/added"
    ),
    "steps in whole numbers from what was there": (
        LOOP.replace("x.astype(np.float64)", "x.copy()").replace("zeros_like(x)", "zeros(x.shape)"),
        "fd.int/step",
    ),
    "not put back": (ADDED.replace("        work.flat[k] += h\n        out", "        out"),
                     "fd.not_restored/minus"),
    "one side": (
        BASIS.replace("function(x - e)) / (2 * eps)", "function(x)) / eps"), "fd.one_sided/forward"
    ),
    "an eps of its own": (BASIS.replace("    steps", "    eps = 1e-6\n    steps"), "fd.eps_small"),
    "a mistake of its own": (BASIS.replace("(2 * eps)", "(3 * eps)"), ""),
    "the difference of norms": (
        ERROR.replace("np.linalg.norm(analytic - numeric)",
                      "abs(np.linalg.norm(analytic) - np.linalg.norm(numeric))"),
        "fd.difference_of_norms",
    ),
    "both norms added": (
        ERROR.replace("max(np.linalg.norm(analytic), np", "(np.linalg.norm(analytic) + np"),
        "fd.denominator/sum",
    ),
    "as CS231n": (
        "def relative_error(x, y):\n"
        "    return np.max(np.abs(x - y) / (np.maximum(1e-8, np.abs(x) + np.abs(y))))\n",
        "fd.elementwise/sum",
    ),
    "0 / 0": (
        "def relative_error(a, n):\n"
        "    return np.linalg.norm(a - n) / max(np.linalg.norm(a), np.linalg.norm(n))\n",
        "fd.zero_over_zero/nan",
    ),
    "a mean of squares": (ROOT.replace("math.sqrt(", "("), "fd.other_norm/squared"),
}  # fmt: skip


def part_of(source):
    function = "numeric_gradient" if "numeric_gradient" in source else "relative_error"
    return part_checked("gradient_check", function, HEAD + source)


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_a_right_solution_passes(source):
    assert_passes(part_of(source))


@pytest.mark.parametrize(("source", "name"), WRONG.values(), ids=WRONG)
def test_a_wrong_solution_is_named(source, name):
    assert_named(part_of(source), name)


def test_x_changed_in_place_is_said():
    part = part_of(IN_PLACE.replace("        x[i] += eps\n        grad", "        grad"))
    assert part.problem == "is not judged: the arguments must come back unchanged"
