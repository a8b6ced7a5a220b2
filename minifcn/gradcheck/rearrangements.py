"""Mistakes that leave the right numbers in wrong places, or use the upstream gradient so.

Each is a change that undoes it: of the gradient, which is right afterwards, or of the upstream
gradient, for which backward gives what would be right for the changed one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations
from typing import TypeAlias

import numpy as np

from minifcn.gradcheck.situations import SAME, Situation

Test: TypeAlias = Callable[[Situation], bool]
Cause: TypeAlias = tuple[Test, str]
Change: TypeAlias = Callable[[np.ndarray], np.ndarray]


def rearranged(first: Situation) -> Iterator[Cause]:
    """Yield mistakes after which the gradient is right once it is put in order."""
    shape = first.shape
    what = (
        "the kernel is flipped, or something else is not flipped back"
        if _is_sum(first)
        else ("something is flipped that must not be, or is not flipped back")
    )
    for axes in _flips(shape):
        yield (
            _right_after(_flip(axes)),
            f"{what}: the gradient is right after reversing its {_named(axes, shape)}",
        )
    for pair in _swaps(shape):
        yield (
            _right_after(_swap(pair)),
            f"transposed: the gradient is right after swapping two axes ({_named(pair, shape)})",
        )
    if len(shape) > 1 and shape[-1] != shape[-2] and min(shape[-2:]) > 1:
        turned = (*shape[:-2], shape[-1], shape[-2])
        yield (
            _right_after(lambda gradient: gradient.reshape(turned).swapaxes(-1, -2)),
            "transposed: reshape is used where the last two axes must be swapped",
        )
    for axis in _long_axes(shape):
        sentence = f"off by one: the gradient is right after moving it by one along axis {axis}"
        yield _is_shifted(axis, forward=True), sentence
        yield _is_shifted(axis, forward=False), sentence


def mistaken(first: Situation) -> Iterator[Cause]:
    """Yield mistakes after which backward gives what is right for another upstream gradient."""
    shape = first.upstream[0].shape if len(first.upstream) == 1 else ()
    if min(len(shape), len(first.shape)) > 1:
        yield _is_mirrored, _MIRRORED_KERNEL if _is_sum(first) else _MIRRORED
    for axes in _flips(shape):
        sentence = f"the upstream gradient is reversed along its {_named(axes, shape)}"
        yield _right_for(_flip(axes)), sentence
    for pair in _swaps(shape):
        sentence = f"two axes of the upstream gradient are swapped ({_named(pair, shape)})"
        yield _right_for(_swap(pair)), sentence
    for axis in _axes(shape):
        yield from _only_one(axis)
    for axis in _long_axes(shape):
        sentence = f"off by one: the upstream gradient is moved by one along its axis {axis}"
        for step in (1, -1):
            yield _right_for(_rolled(step, axis)), sentence
            yield _right_for(_pushed(step, axis)), sentence


_MIRRORED = (
    "a shift goes the same way as forward, or a part is taken from the wrong end: for the mirrored"
    " upstream gradient it gives the mirror image of the right one"
)
_MIRRORED_KERNEL = (
    "the kernel is not flipped: backward to the input must run the kernel the other way round; or"
    f" {_MIRRORED}"
)


def _only_one(axis: int) -> Iterator[Cause]:
    whose = "the batch (axis 0 of the output)" if axis == 0 else f"axis {axis} of the output"
    sentence = (
        f"only one item of {whose} counts: what was broadcast forward must be summed backward, over"
        " every axis, and each path back counts"
    )
    yield _counts_only(_only(axis, 0)), sentence
    yield _counts_only(_only(axis, -1)), sentence


def lacking(first: Situation) -> Iterator[Cause]:
    """Yield mistakes that leave out the term of a mean or a sum, of normalisation or softmax."""
    sentence = (
        "adding a constant to it changes nothing, so its gradient must sum to 0, and does not: the"
        " term that subtracts a mean or a sum is missing, or wrong (normalisation,"
        " softmax)"
    )
    axes = _axes(first.shape)
    for over in chain.from_iterable(combinations(axes, n) for n in range(1, len(axes) + 1)):
        yield _right_after(_centred(over)), sentence
    for axis in axes:
        yield _right_after_softmax_sum(axis), sentence


# -- Shapes ---------------------------------------------------------------------------------------


def _axes(shape: tuple[int, ...]) -> list[int]:
    return [axis for axis, size in enumerate(shape) if size > 1]


def _long_axes(shape: tuple[int, ...]) -> list[int]:
    """Those along which to move by one is not to reverse."""
    return [axis for axis, size in enumerate(shape) if size > 2]


def _is_sum(s: Situation) -> bool:
    """Whether several outputs depend on one element, as with a kernel."""
    used = np.abs(s.jacobian) > SAME * np.abs(s.jacobian).max(initial=0)
    return bool((used.sum(1) > 1).any())


def _flips(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The last two axes together, as of a kernel, and each axis alone."""
    both = [(len(shape) - 2, len(shape) - 1)] if min((0, 0, *shape)[-2:]) > 1 else []
    return both + [(axis,) for axis in _axes(shape)]


def _swaps(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(i, j) for i, j in combinations(_axes(shape), 2) if shape[i] == shape[j]]


def _named(axes: Sequence[int], shape: tuple[int, ...]) -> str:
    if len(shape) > 1 and tuple(axes) == (len(shape) - 2, len(shape) - 1):
        return "last two axes"
    if len(axes) > 1:
        return f"axes {', '.join(map(str, axes))}"
    both = ", where to move by one is the same" if shape[axes[0]] == 2 else ""
    return f"axis {axes[0]}{both}"


# -- Tests ----------------------------------------------------------------------------------------


def _right_after(change: Change) -> Test:
    return lambda s: s.is_mended_by(change(s.analytic))


def _right_for(change: Change) -> Test:
    return lambda s: s.is_right(s.analytic, [change(u) for u in s.upstream])


def _counts_only(change: Change) -> Test:
    """As _right_for, where elements get a part of their gradient, not just some of them none."""
    is_right = _right_for(change)
    return lambda s: is_right(s) and bool(s.analytic[s.wrong].any())


def _is_mirrored(s: Situation) -> bool:
    """With the kernel flipped, the gradient of a mirrored picture is the mirrored gradient."""
    mirror = _flip((-2, -1))
    return s.is_right(mirror(s.backward([mirror(u) for u in s.upstream])))


def _is_shifted(axis: int, forward: bool) -> Test:
    """Whether moving the gradient by one mends it, but for what comes in at the end."""

    def test(s: Situation) -> bool:
        ahead, there = (np.delete(x, 0 if forward else -1, axis) for x in (s.numeric, s.analytic))
        behind = np.delete(s.analytic, -1 if forward else 0, axis)
        return s.are_equal(behind, ahead) and not s.are_equal(there, ahead)

    return test


def _right_after_softmax_sum(axis: int) -> Test:
    def test(s: Situation) -> bool:
        shares = np.exp(s.x - s.x.max(axis, keepdims=True))
        shares /= shares.sum(axis, keepdims=True)
        return s.is_mended_by(s.analytic - shares * s.analytic.sum(axis, keepdims=True))

    return test


# -- Changes --------------------------------------------------------------------------------------


def _flip(axes: tuple[int, ...]) -> Change:
    return lambda x: np.flip(x, axes).copy()


def _swap(pair: tuple[int, int]) -> Change:
    return lambda x: x.swapaxes(*pair)


def _centred(axes: tuple[int, ...]) -> Change:
    return lambda x: x - x.mean(axes, keepdims=True)


def _rolled(step: int, axis: int) -> Change:
    return lambda x: np.roll(x, step, axis)


def _only(axis: int, k: int) -> Change:
    """Nothing but the item k along an axis."""

    def change(x: np.ndarray) -> np.ndarray:
        alone = np.zeros_like(x)
        np.moveaxis(alone, axis, 0)[k] = np.moveaxis(x, axis, 0)[k]
        return alone

    return change


def _pushed(step: int, axis: int) -> Change:
    """Move by one along an axis, with zeros where nothing comes from."""

    def change(x: np.ndarray) -> np.ndarray:
        moved = np.roll(x, step, axis)
        np.moveaxis(moved, axis, 0)[0 if step > 0 else -1] = 0
        return moved

    return change
