import numpy as np
import pytest

from minifcn.runs.checkpoint import generator_state, restore_generator


def test_a_generator_goes_on_where_it_was():
    generator = np.random.default_rng(3)
    generator.integers(10, size=3, dtype=np.uint32)  # leaves half of a 64-bit number in store
    state, other = generator_state(generator), np.random.default_rng(0)
    restore_generator(other, state)
    np.testing.assert_array_equal(other.random(5), generator.random(5))
    np.testing.assert_array_equal(other.integers(9, size=5), generator.integers(9, size=5))


def pcg(state="1", inc="1", has_uint32="0", uinteger="0"):
    return (
        f'{{"bit_generator": "PCG64", "state": {{"state": {state}, "inc": {inc}}},'
        f' "has_uint32": {has_uint32}, "uinteger": {uinteger}}}'
    )


def test_the_malformed_states_below_differ_from_this_one_in_one_place():
    restore_generator(np.random.default_rng(0), pcg())


@pytest.mark.parametrize(
    "state",
    [
        "",
        "NaN",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        '{"bit_generator": "PCG64"}',
        '{"bit_generator": "MT19937", "state": {"key": [1], "pos": 0}}',
        pcg(state="NaN"),
        pcg(state="1.5"),
        pcg(state="-1"),
        pcg(state=str(2**128)),
        pcg(inc="Infinity"),
        pcg(inc='"1"'),
        pcg(has_uint32="NaN"),
        pcg(uinteger="null"),
        pcg(uinteger=str(2**70)),
    ],
)
def test_a_malformed_state(state):
    with pytest.raises(ValueError, match="state of the random generator is malformed"):
        restore_generator(np.random.default_rng(0), state)
