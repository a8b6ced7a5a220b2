"""The checker of names, shapes and numbers."""

import numpy as np
import pytest

from minifcn.weights import check_keys, check_like

EXPECTED = {"a.weight": (2, 3), "a.bias": (2,), "count": ()}
STATE = {name: np.ones(shape, np.float32) for name, shape in EXPECTED.items()}


def complaint(found, expected=EXPECTED):
    with pytest.raises(ValueError, match="the weights do not fit: ") as caught:
        check_keys(found, expected)
    line = str(caught.value)
    assert "\n" not in line
    return line.removeprefix("the weights do not fit: ")


def test_what_fits():
    check_keys(STATE, EXPECTED)
    check_like(STATE, STATE)
    check_keys({**STATE, "count": np.array(7)}, {**EXPECTED, "a.bias": [2]})
    check_keys({}, {})


def test_missing_and_extra():
    assert complaint({"a.weight": STATE["a.weight"]}) == "2 missing (a.bias, count)"
    assert complaint({**STATE, "b": np.ones(1)}) == "1 extra (b)"


def test_misshaped():
    found = {**STATE, "a.weight": np.ones((3, 2)), "count": np.ones(1)}
    assert complaint(found) == "2 misshaped (a.weight is (3, 2), not (2, 3), count is (1,), not ())"


@pytest.mark.parametrize(
    "values", [np.array([1, np.nan]), np.array([np.inf, 1], np.float16), np.array(["a", "b"]),
               np.array([1, 2j]), np.array([None, 1])]
)  # fmt: skip
def test_not_finite_numbers(values):
    assert complaint({**STATE, "a.bias": values}) == "1 not finite numbers (a.bias)"
    with pytest.raises(ValueError, match=r"1 not finite numbers \(a.bias\)"):
        check_like({**STATE, "a.bias": values}, STATE)


def test_all_at_once_and_only_the_first_few():
    found = {f"x{i}": np.full(1, np.inf) for i in range(5)} | {"a.weight": np.full((1, 1), np.nan)}
    assert complaint(found) == (
        "2 missing (a.bias, count), 5 extra (x0, x1, x2, ...),"
        " 1 misshaped (a.weight is (1, 1), not (2, 3)), 1 not finite numbers (a.weight)"
    )


def test_names_out_of_a_file_are_shown_in_one_short_line():
    line = complaint({**STATE, "a\nb": np.ones(1), "y" * 1000: np.ones(1)})
    assert line == f"2 extra ('a\\nb', {'y' * 57}...)"


@pytest.mark.parametrize("value", [1e300, -1e39, np.inf, np.nan])
def test_numbers_that_a_float32_cannot_hold(value):
    found = {"a": np.array([0.0, value]), "b": np.zeros(1)}
    with pytest.raises(ValueError, match=r"1 not finite numbers \(a\)$"):
        check_keys(found, {"a": (2,), "b": (1,)})


def test_booleans_are_no_weights():
    with pytest.raises(ValueError, match=r"1 not finite numbers \(a\)$"):
        check_keys({"a": np.ones(2, bool)}, {"a": (2,)})
