"""1 x 1 convolutions as students write them: the right pass, the wrong are named or not."""

import pytest

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check

CONV = """
import numpy as np
def conv1x1(x, weight, bias):
    n, c, h, w = x.shape
    f = len(weight)
"""
LINEAR = """
import numpy as np
def linear_to_conv(weight, bias, channels, height, width):
    f = weight.shape[0]
"""
RIGHT = {
    "plain loops": CONV
    + """
    y = np.zeros((n, f, h, w))
    for a, b, i, j in np.ndindex(n, f, h, w):
        y[a, b, i, j] = bias[b]
        for k in range(c):
            y[a, b, i, j] += weight[b, k] * x[a, k, i, j]
    return y
""",
    "einsum": CONV
    + "    return np.einsum('fc,nchw->nfhw', weight, x) + bias.reshape(1, f, 1, 1)\n",
    "a broadcast product of matrices": CONV
    + "    return (weight @ x.reshape(n, c, h * w) + bias[:, None]).reshape(n, f, h, w)\n",
    "tensordot, not contiguous": CONV
    + """
    y = np.tensordot(weight, x, axes=([1], [1])) + bias[:, None, None, None]
    return y.swapaxes(0, 1)
""",
    "a sum over channels": CONV
    + """
    y = np.empty((n, f, h, w))
    for k in range(f):
        y[:, k] = sum(weight[k, q] * x[:, q] for q in range(c)) + bias[k]
    return y
""",
    "linear: reshape, the same bias": LINEAR
    + "    return weight.reshape(f, channels, height, width), bias\n",
    "linear: a list": LINEAR + "    return [weight.reshape(f, channels, height, width), bias]\n",
    "linear: element by element": LINEAR
    + """
    kernel = np.zeros((f, channels, height, width))
    for k in range(f):
        for c in range(channels):
            for i in range(height):
                for j in range(width):
                    kernel[k, c, i, j] = weight[k, c * height * width + i * width + j]
    return kernel, bias.copy()
""",
    "linear: a view in another order": LINEAR
    + """
    kernel = weight.T.reshape(channels, height, width, f)
    return np.moveaxis(kernel, -1, 0), bias[:]
""",
}
WRONG = {
    "a reshape on the way back": (
        CONV
        + """
    rows = x.transpose(0, 2, 3, 1).reshape(-1, c)
    return (rows @ weight.T + bias).reshape(n, f, h, w)
""",
        "one.reshape_for_T/out",
    ),
    "a reshape on the way in": (
        CONV
        + """
    rows = x.reshape(-1, c)
    return (rows @ weight.T + bias).reshape(n, h, w, f).transpose(0, 3, 1, 2)
""",
        "one.reshape_for_T/in",
    ),
    "both reshaped, the bias later": (
        CONV
        + "    return (x.reshape(-1, c) @ weight.T).reshape(n, f, h, w) + bias[:, None, None]\n",
        "one.reshape_for_T/in_and_out_then_bias",
    ),
    "all images in one matrix": (
        CONV + "    return (weight @ x.reshape(c, -1) + bias[:, None]).reshape(n, f, h, w)\n",
        "one.batch_merged/in_and_out",
    ),
    "x @ W": (
        CONV + "    return (x.transpose(0, 2, 3, 1) @ weight + bias).transpose(0, 3, 1, 2)\n",
        "one.W_T/whole",
    ),
    "the same permutation again": (
        CONV + "    return (x.transpose(0, 2, 3, 1) @ weight.T + bias).transpose(0, 2, 3, 1)\n",
        "one.perm/same_again",
    ),
    "the bias along the last axis": (
        CONV + "    return np.einsum('fc,nchw->nfhw', weight, x) + bias\n",
        "one.bias_axis/width",
    ),
    "whole numbers": (
        CONV
        + """
    y = np.zeros((n, f, h, w), dtype=x.dtype)
    for k in range(f):
        y[:, k] = (x * weight[k][:, None, None]).sum(1) + bias[k]
    return y
""",
        "conv.dtype/input",
    ),
    "= for +=": (
        CONV
        + """
    y = np.zeros((n, f, h, w))
    for k in range(f):
        for q in range(c):
            y[:, k] = weight[k, q] * x[:, q]
        y[:, k] += bias[k]
    return y
""",
        "conv.no_sum/last_channel",
    ),
    "relu": (
        CONV
        + "    return np.maximum(np.einsum('fc,nchw->nfhw', weight, x) + bias[:, None, None], 0)",
        None,
    ),
    "linear: channels last": (
        LINEAR
        + "    return weight.reshape(f, height, width, channels).transpose(0, 3, 1, 2), bias\n",
        "fc.order/hwc",
    ),
    "linear: Fortran's order": (
        LINEAR + "    return weight.reshape((f, channels, height, width), order='F'), bias\n",
        "fc.order/whc",
    ),
    "linear: width first": (
        LINEAR + "    return weight.reshape(f, channels, width, height), bias\n",
        "fc.hw/shape",
    ),
    "linear: the weight's own shape is set": (
        LINEAR + "    weight.shape = (f, channels, height, width)\n    return weight, bias\n",
        "conv.mutates_input/weight",
    ),
    "linear: one by one": (
        LINEAR + "    return weight[:, :, np.newaxis, np.newaxis], bias\n",
        "fc.one_by_one/axes",
    ),
    "linear: no bias": (
        LINEAR + "    return weight.reshape(f, channels, height, width), np.zeros(f)\n",
        "fc.bias/zero",
    ),
    "linear: only the weight is returned": (
        LINEAR + "    return weight.reshape(f, channels, height, width)\n",
        None,
    ),
}


def written(source):
    parts = check(find_exercise("one_by_one"), source).parts
    return [part for part in parts if part.status != "not-written"]


@pytest.mark.parametrize("style", RIGHT)
def test_a_right_solution_passes(style):
    assert {(part.status, part.problem) for part in written(RIGHT[style])} == {("pass", "")}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_solution_is_named_right_or_not_at_all(mistake):
    source, known = WRONG[mistake]
    wrong = [part for part in written(source) if part.status != "pass"]
    assert {part.status for part in wrong} == {"fail"}
    for part in wrong:
        assert part.name.match != "either"
        assert (" + ".join(one.id for one in part.name.switches) or None) == known
