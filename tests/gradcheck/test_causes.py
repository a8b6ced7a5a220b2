"""The cause that is named for each of many wrong backwards: right or unknown, never a wrong one."""

import re

import pytest
from wrong_backwards import MISTAKES, OPERATIONS

from minifcn.gradcheck import GradientError, check_backward


def named(mistake):
    """The cause that the check names for a mistake."""
    operation = OPERATIONS[mistake.operation]
    backward = mistake.backward
    if backward.__code__.co_argcount == 0:  # it makes one that keeps something
        backward = backward()
    with pytest.raises(GradientError) as caught:
        check_backward(operation.forward, backward, operation.arrays)
    return re.search("likely cause: (.*)", str(caught.value))[1]


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_right_backward_passes(name):
    operation = OPERATIONS[name]
    check_backward(operation.forward, operation.backward, operation.arrays)


@pytest.mark.parametrize("name", MISTAKES)
def test_the_cause_is_right_or_unknown(name):
    mistake = MISTAKES[name]
    cause = named(mistake)
    if cause.startswith("unknown"):
        assert not mistake.must_name
    else:
        assert any(part in cause for part in mistake.causes), cause


def test_the_table_is_large():
    assert len(MISTAKES) >= 100
    assert sum(mistake.must_name for mistake in MISTAKES.values()) >= 75


def test_nothing_is_named_that_is_not_asked_for():
    """Each name stands for one mistake, and each operation has one."""
    assert {mistake.operation for mistake in MISTAKES.values()} == set(OPERATIONS)
