"""What a page shows step by step ends in what the kernels compute, and each sum adds up."""

import math
import re

import pytest
from in_node import answers, needs_node

from minifcn.explain import OPERATIONS
from minifcn.explain.cases import draw_cases

pytestmark = needs_node
COUNT = 25
WITH_TAPS = [name for name in OPERATIONS if name not in ("cross_entropy", "iou")]
NAMES = {  # of the input and of the result
    "conv_transpose2d": ("y", "x"),
    "im2col": ("x", "columns"),
    "col2im": ("columns", "x"),
    "max_unpool2d": ("y", "x"),
}


@pytest.fixture(scope="module")
def told():
    """Cases of an operation, each with its stories; told once."""
    kept = {}

    def tell(operation):
        if operation not in kept:
            cases = draw_cases(operation, COUNT, seed=5)
            kept[operation] = list(zip(cases, answers("tell.js", cases), strict=True))
        return kept[operation]

    return tell


def known(values):
    """The numbers of an array; null, which is NaN in JSON, stands for what is not known."""
    return [math.nan if v is None else v for v in values]


@pytest.mark.parametrize("operation", WITH_TAPS)
def test_the_last_step_has_the_kernels_numbers(operation, told):
    given, result = NAMES.get(operation, ("x", "y"))
    for case, stories in told(operation):
        for story in stories[:4]:
            if story["direction"] == "forward":
                wanted = {result: case["y"]}
            else:
                wanted = {f"d{given}": case["x"]}
                if "weight" in case:
                    wanted["dweight"] = case["weight"]
            if operation == "max_pool2d" and story["direction"] == "forward":
                wanted["indices"] = case["indices"]
            assert set(story["values"]) == set(wanted), story["direction"]
            for name, numbers in wanted.items():
                assert known(story["values"][name]) == pytest.approx(numbers, abs=1e-12), name


@pytest.mark.parametrize("view", ["zeros", "matrix"])
def test_other_views_of_a_transposed_convolution_equal_it(view, told):
    shown = unfit = 0
    for case, stories in told("conv_transpose2d"):
        for story in stories:
            if story["view"] != view:
                continue
            if "unfit" in story:
                unfit += 1
                assert may_be_unfit(view, case), case["settings"]
                continue
            shown += 1
            assert known(story["values"]["x"]) == pytest.approx(case["y"], abs=1e-12)
    assert shown > 10
    assert unfit > 10


def may_be_unfit(view, case):
    settings = case["settings"]
    if view == "matrix":
        return len(case["y"]) > 100 or len(case["given"]["x"]) > 25
    reach = [d * (k - 1) for d, k in zip(settings["dilation"], settings["kernel"], strict=True)]
    padding = settings["padding"]
    return settings["groups"] > 1 or any(p > r for p, r in zip(padding, reach, strict=True))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_sum_ends_in_the_number_that_is_written(operation, told):
    """A line 'y[0, 1] = 1·2 + 3·(−4) = −10' for each number that a step writes."""
    for _, stories in told(operation):
        for story in stories:
            for text in story.get("texts", ()):
                lines = dict(
                    line.split(" = ", 1) for line in text["sum"].split("\n") if "=" in line
                )
                for name, number in text["sets"]:
                    assert lines[name].split(" = ")[-1] == number, text


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_sum_adds_up(operation, told):
    """Both sides of every line, computed: numbers are shown with four decimals."""
    compared = 0
    for _, stories in told(operation):
        for story in stories:
            for text in story.get("texts", ()):
                for line in text["sum"].split("\n"):
                    sides = [value(side) for side in line.split(" = ")[1:]]
                    sides = [side for side in sides if side is not None]
                    for left, right in zip(sides, sides[1:], strict=False):
                        compared += 1
                        near = math.isclose(left, right, abs_tol=2e-3, rel_tol=2e-3)
                        assert near or (math.isnan(left) and math.isnan(right)), line
    assert compared > COUNT


def value(text):
    """Compute one side of a line; None where it has names in it."""
    if re.search(r"[a-zA-Z]\[|log|Σ", text):
        return None
    plain = text.translate(str.maketrans({"·": "*", "−": "-", "∞": "inf"}))
    if plain == "NaN" or re.search(
        r"/ (0|\(0 \+ 0 - 0\))$", plain
    ):  # a class that is nowhere: 0 / 0
        return math.nan
    largest = lambda *numbers: max(numbers)
    return float(eval(plain, {"inf": math.inf, "max": largest, "exp": math.exp}))


@pytest.mark.parametrize("operation", WITH_TAPS)
def test_links_lead_both_ways(operation, told):
    for case, stories in told(operation):
        for story in stories[:4]:
            assert not story["unlike"], (case["settings"], story["direction"])


def steps_wanted(operation, case, direction, grain):
    """How many steps there are, from the sizes alone."""
    if (
        operation == "cross_entropy"
    ):  # the maximum, exp each, their sum, the loss; p and gradient each
        return 3 * len(case["scores"]) + 3
    if operation == "iou":
        return len(case["counts"]) + 1
    settings, given, results = case["settings"], len(case["given"]["x"]), len(case["y"])
    window = math.prod(settings.get("kernel", (1, 1)))
    if operation == "conv2d":
        each = window * settings["channels"] // settings["groups"]
        return results * (each if grain == "tap" else 1)
    if operation == "conv_transpose2d":
        each = window * settings["filters"] // settings["groups"]
        return given * (each if grain == "tap" else 1)
    if operation == "conv1x1":
        return results * (settings["channels"] if grain == "tap" else 1)
    if operation == "im2col":
        return results if grain == "tap" else results // window
    if operation == "col2im":
        return given if grain == "tap" else given // window
    if operation == "max_pool2d":
        return results * (window if (direction, grain) == ("forward", "tap") else 1)
    if operation == "max_unpool2d":
        return given * (window if grain == "tap" and settings["way"] == "nearest" else 1)
    return None if grain == "tap" and settings["mode"] == "bilinear" else results


@pytest.mark.parametrize("operation", OPERATIONS)
def test_there_are_as_many_steps_as_sizes_ask_for(operation, told):
    for case, stories in told(operation):
        for story in stories[:4]:
            wanted = steps_wanted(operation, case, story["direction"], story["grain"])
            if wanted is None:  # one to four neighbours each
                assert len(case["y"]) <= story["steps"] <= 4 * len(case["y"])
            else:
                assert story["steps"] == wanted, (case["settings"], story["grain"])
