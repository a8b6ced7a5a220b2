"""The settings of a window: one whole number, or a pair of them."""

import numpy as np
import pytest

from minifcn.kernels import checks


def test_pair():
    assert checks.pair(3, "stride") == (3, 3)
    assert checks.pair((1, 2), "stride") == checks.pair([1, np.int64(2)], "stride") == (1, 2)
    assert checks.pair((3,), "stride") == checks.pair([3], "stride") == (3, 3)
    assert all(type(n) is int for n in checks.pair(np.int32(3), "stride"))
    assert checks.size_pair(3, "size") == checks.size_pair((3, 3), "size") == (3, 3)
    with pytest.raises(
        TypeError, match=r"^size must be a whole number or a pair of them; got \(3,"
    ):
        checks.size_pair((3,), "size")


@pytest.mark.parametrize(
    "value", [1.5, "2", None, True, (), (1.0,), (True,), (1, 2, 3), (1, 2.0), np.ones(2, int)]
)
def test_what_is_no_pair(value):
    with pytest.raises(
        TypeError, match=r"^stride must be a whole number or a pair of them; got .*$"
    ):
        checks.pair(value, "stride")


@pytest.mark.parametrize(("value", "minimum"), [(0, 1), (-1, 0), ((1, 0), 1), ((-3, 5), 0)])
def test_a_pair_below_the_minimum(value, minimum):
    with pytest.raises(ValueError, match=rf"^stride must be at least {minimum}; got .*$"):
        checks.pair(value, "stride", minimum)
