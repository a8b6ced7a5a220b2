"""The page's engine computes what the kernels compute: thousands of random cases in node."""

import copy
from collections import Counter

import numpy as np
import pytest
from in_node import answers, needs_node

from minifcn.explain import OPERATIONS
from minifcn.explain.cases import draw_cases

COUNT = 5000
WITH_WINDOWS = ("conv2d", "conv_transpose2d", "im2col", "col2im", "max_pool2d")
RESULTS = {"cross_entropy": ("results",), "iou": ("results",)}


@needs_node
@pytest.mark.parametrize("operation", OPERATIONS)
def test_5000_cases_come_out_as_the_kernels_have_them(operation):
    cases = draw_cases(operation, COUNT, seed=1)
    differing = [case for case, holds in zip(cases, answers("prove.js", cases), strict=True)
                 if holds is not True]  # fmt: skip
    assert len(cases) == COUNT
    assert not differing, (len(differing), differing[0])


@needs_node
@pytest.mark.parametrize("operation", OPERATIONS)
def test_one_wrong_number_is_found(operation):
    """Any one number of any result, changed by a little, makes a case differ."""
    generator = np.random.default_rng(3)
    wrong = []
    for case in draw_cases(operation, 40, seed=2):
        for name in RESULTS.get(operation, ("y", "x", "weight", "indices")):
            if name not in case:
                continue
            changed = copy.deepcopy(case)
            place = generator.integers(0, len(case[name]))
            changed[name][place] = (case[name][place] or 0) + (1 if name == "indices" else 1e-6)
            wrong.append(changed)
    assert len(wrong) >= 40
    assert answers("prove.js", wrong) == [False] * len(wrong)


@needs_node
def test_a_wrong_shape_is_found():
    case = next(c for c in draw_cases("conv2d", 40) if c["shape"][1] != c["shape"][2])
    case["shape"] = [case["shape"][0], case["shape"][2], case["shape"][1]]
    assert answers("prove.js", [case]) == [False]


@pytest.mark.parametrize("operation", WITH_WINDOWS)
def test_cases_have_every_setting(operation):
    cases = [case["settings"] for case in draw_cases(operation, 500, seed=1)]
    for name in ("size", "kernel", "stride", "dilation"):
        assert any(case[name][0] > case[name][1] for case in cases), name
        assert any(case[name][0] < case[name][1] for case in cases), name
    assert {case["padding"] for case in cases} >= {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert {case["channels"] for case in cases} >= {1, 2}
    if "groups" in cases[0]:
        assert Counter(case["groups"] for case in cases)[2] > 50
        assert any(case["groups"] == 2 and case["channels"] == 4 for case in cases)
    if operation == "conv_transpose2d":
        assert {case["output_padding"] for case in cases} >= {(0, 0), (0, 1), (1, 0), (2, 2)}


def test_cases_of_pooling_have_ties():
    """A window has its maximum twice in many cases: where the first of them must win."""
    ties = 0
    for case in draw_cases("max_pool2d", 100, seed=1):
        x, y = np.array(case["given"]["x"]), np.array(case["y"])
        plane = len(x) // case["settings"]["channels"]
        ties += any((x.reshape(-1, plane) == v).any(1).any() and (x == v).sum() > 1 for v in y)
    assert ties > 50


def test_other_cases_have_every_setting():
    unpooled = [case["settings"] for case in draw_cases("max_unpool2d", 200)]
    assert {case["way"] for case in unpooled} == {"switches", "nails", "nearest"}
    resized = [case["settings"] for case in draw_cases("interpolate", 200)]
    assert {(case["mode"], case["align_corners"]) for case in resized} == {
        (mode, corners) for mode in ("nearest", "bilinear") for corners in (False, True)
    }
    assert {np.sign(c["out"][0] - c["size"][0]) for c in resized} == {-1, 0, 1}
    ious = [case["results"] for case in draw_cases("iou", 200)]
    assert any(None in results for results in ious)  # a class that is nowhere has no IU
    entropies = draw_cases("cross_entropy", 200)
    assert {(len(c["scores"]), c["label"]) for c in entropies} == {
        (classes, label) for classes in range(2, 7) for label in range(classes)
    }
