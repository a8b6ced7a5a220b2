"""Solutions of exercise bilinear_kernel as students write them, right ones and wrong ones."""

import pytest

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check

LOOPS = """
import numpy as np

def bilinear_kernel(factor):
    size = 2 * factor
    center = factor - 0.5
    kernel = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            kernel[i, j] = (1 - abs(i - center) / factor) * (1 - abs(j - center) / factor)
    return kernel

def upsampling_weight(channels, factor):
    weight = np.zeros((channels, channels, 2 * factor, 2 * factor))
    for c in range(channels):
        weight[c, c, :, :] = bilinear_kernel(factor)
    return weight
"""

OGRID = """
import numpy as np

def bilinear_kernel(f):
    k = 2 * f
    factor = (k + 1) // 2
    center = factor - 1 if k % 2 == 1 else factor - 0.5
    og = np.ogrid[:k, :k]
    return (1 - abs(og[0] - center) / factor) * (1 - abs(og[1] - center) / factor)

def upsampling_weight(channels, factor):
    weight = np.zeros((channels, channels, 2 * factor, 2 * factor))
    weight[range(channels), range(channels), :, :] = bilinear_kernel(factor)
    return weight
"""

BOXES = """
import numpy as np

def bilinear_kernel(factor):
    tent = np.convolve(np.ones(factor), np.ones(factor + 1)) / (2.0 * factor)
    up = np.arange(1, factor + 1) - 0.5
    tent = np.concatenate([up, up[::-1]]) / factor
    return tent[:, None] @ tent[None, :]

def upsampling_weight(channels, factor):
    return np.einsum('io,hw->iohw', np.eye(channels), bilinear_kernel(factor))
"""

MINIMUM = """
import numpy as np

def tent(f):
    i = np.arange(2 * f)
    return np.minimum(2 * i + 1, 4 * f - 1 - 2 * i) / (2 * f)

def bilinear_kernel(factor):
    return np.multiply.outer(tent(factor), tent(factor))

def upsampling_weight(channels, factor):
    return np.kron(np.eye(channels), bilinear_kernel(factor)).reshape(
        channels, 2 * factor, channels, 2 * factor).swapaxes(1, 2)
"""

RIGHT = {"loops": LOOPS, "ogrid": OGRID, "boxes": BOXES, "minimum": MINIMUM}


def both(mistake):
    return {"kernel": mistake, "weight": mistake}


WRONG = {
    "divided by the middle": (LOOPS.replace("/ factor", "/ center"), both("bil.factor/middle")),
    "odd centre": (LOOPS.replace("factor - 0.5", "factor - 1"), both("bil.center_odd/below")),
    "centre of factor": (OGRID.replace("if k % 2 == 1", "if f % 2 == 1"),
                         both("bil.center_odd/by_factor")),
    "Caffe's formula": (
        LOOPS.replace("center = factor - 0.5",
                      "c = (2 * factor - 1 - factor % 2) / (2 * factor); center = c * factor"),
        both("bil.center_odd/by_factor")),
    "whole steps": (BOXES.replace("factor + 1) - 0.5", "factor + 1)"),
                    both("bil.center_odd/whole")),
    "half": (OGRID.replace("(k + 1) // 2", "(k + 1) / 2"), both("bil.factor/half")),
    "sum 1": (BOXES.replace("return tent[:, None] @ tent[None, :]",
                            "k = np.outer(tent, tent)\n    return k / np.sum(k)"),
              both("bil.norm_one")),
    "largest 1": (BOXES.replace("return tent[:, None] @ tent[None, :]",
                                "k = np.outer(tent, tent)\n    return k / np.max(k)"),
                  both("bil.norm_max")),
    "rows alone": (BOXES.replace("@ tent[None, :]", "@ np.ones((1, 2 * factor))"),
                   both("bil.separable/rows")),
    "sum": (LOOPS.replace("(1 - abs(i - center) / factor) * (1", "0.5 * (1 - abs(i - center) /"
                          " factor) + 0.5 * (1"), both("bil.separable/mean")),
    "size": (LOOPS.replace("/ factor)", "/ size)"), both("bil.factor/size")),
    "all pairs": (LOOPS.replace("weight[c, c, :, :]", "weight[c, :, :, :]"),
                  {"weight": "bil.all_pairs/each"}),
    "range in a slice": (OGRID.replace("range(channels), range(channels), :, :", ":, :"),
                         {"weight": "bil.all_pairs/each"}),
    "first": (LOOPS.replace("weight[c, c, :, :]", "weight[0, 0, :, :]"),
              {"weight": "bil.first_channel/one"}),
    "column": (LOOPS.replace("weight[c, c, :, :]", "weight[c, 0, :, :]"),
               {"weight": "bil.first_channel/out"}),
    "groups": ("import numpy as np\n" + LOOPS.replace("np.zeros((channels, channels,",
                                                      "np.zeros((channels, 1,")
               .replace("weight[c, c, :, :]", "weight[c, 0, :, :]"),
               {"weight": "bil.depthwise"}),
    "sharp": (LOOPS.replace("abs(i - center) / factor)", "(abs(i - center) / factor) ** 2)"),
              both(None)),
    "round": (LOOPS.replace("    return kernel", "    return np.round(kernel, 3)"), both(None)),
    "distance": (
        LOOPS.replace("kernel[i, j] = (1 - abs(i - center) / factor) * (1 - abs(j - center) /"
                      " factor)",
                      "kernel[i, j] = max(0, 1 - ((i - center) ** 2 + (j - center) ** 2) ** 0.5"
                      " / factor)"), both(None)),
    "two": (
        OGRID.replace("(k + 1) // 2", "(k + 1) / 2").replace(
            "range(channels), range(channels), :, :", ":, :"),
        {"kernel": "bil.factor/half", "weight": "bil.factor/half, bil.all_pairs/each"}),
}  # fmt: skip


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_a_right_one_passes(source):
    report = check(find_exercise("bilinear_kernel"), source)
    assert [one.problem for one in report.parts] == [""] * len(report.parts)


@pytest.mark.parametrize(("source", "mistakes"), WRONG.values(), ids=WRONG)
def test_a_wrong_one_is_named_right_or_not_at_all(source, mistakes):
    report = check(find_exercise("bilinear_kernel"), source)
    found = {
        one.part.id: ", ".join(switch.id for switch in one.name.switches) or None
        for one in report.parts
        if one.status != "pass"
    }
    assert found == mistakes
