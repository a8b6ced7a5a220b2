"""Why a gradient is wrong: the patterns that common mistakes leave in its numbers.

A row of CAUSES names a mistake, and tells how to know it: a test of what the mistake would make of
the right gradient. It is named only if the test holds in every situation (situations.py); rows that
cannot be told apart are named together; and where none holds the cause is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import prod

import numpy as np

from minifcn.gradcheck.contract import history
from minifcn.gradcheck.parts import fraction, is_whole, partial
from minifcn.gradcheck.rearrangements import Cause, Test, lacking, mistaken, rearranged
from minifcn.gradcheck.situations import SAME, Situation, is_rounded

# -- What backward is, whatever the right gradient may be ----------------------------------------


def _is_unreached(s: Situation) -> bool:
    with s.problem.at(s.arrays):
        return id(s.problem.tensors[s.name]) not in history(s.problem.forward(True))


def _is_zero(s: Situation) -> bool:
    """Whether nothing comes back, but for rounding next to what should."""
    right = np.linalg.norm(s.numeric[s.known])
    return not s.analytic.any() or bool(np.linalg.norm(s.analytic) <= 1e-10 * right)


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two gradients that backward gave are the same, but for rounding."""
    return bool(np.linalg.norm(a - b) <= SAME * max(np.linalg.norm(a), np.linalg.norm(b)))


def _differs_from_call_to_call(s: Situation) -> bool:
    return not _same(s.backward(s.upstream), s.backward(s.upstream))


def _grows_from_call_to_call(s: Situation) -> bool:
    """Whether each call adds the same once more."""
    first, second, third = (s.backward(s.upstream) for _ in range(3))
    return not _same(first, second) and _same(second - first, third - second)


def _ignores_upstream(s: Situation) -> bool:
    others = (
        [2 * u for u in s.upstream],
        [u[..., ::-1] - 0.5 if u.ndim else 3 - u for u in s.upstream],
    )
    return all(np.array_equal(s.backward(upstream), s.analytic) for upstream in others)


def _is_not_linear(s: Situation) -> bool:
    """Whether backward(2u) is not 2 backward(u), or a sum of two not that of theirs."""
    other = [np.cos(u + 1) for u in s.upstream]
    both = [u + v for u, v in zip(s.upstream, other, strict=True)]
    sums = _same(s.backward(both), s.analytic + s.backward(other))
    return not (sums and _same(s.backward([-2 * u for u in s.upstream]), -2 * s.analytic))


def _goes_with_the_square(s: Situation) -> bool:
    return _same(s.backward([2 * u for u in s.upstream]), 4 * s.analytic)


# -- The right gradient, changed ------------------------------------------------------------------


def _is_unused(s: Situation) -> bool:
    """Whether no output depends on any element here."""
    least = SAME * np.linalg.norm(s.analytic)
    return bool(s.known.all() and np.linalg.norm(s.jacobian) <= least)


def _has_constant_ratio(s: Situation) -> bool:
    return bool(np.isfinite(s.ratio) and s.ratio and s.is_right(s.analytic / s.ratio))


def _is_nearly_right(s: Situation) -> bool:
    """Whether each element is right in its first two digits, and all together in three."""
    off = np.abs(s.numeric - s.analytic)[s.known]
    least = 1e-2 * np.abs(s.numeric)[s.known] + 1e-6 * np.nanmax(np.abs(s.numeric))
    return bool((off <= least).all() and s.are_equal(s.analytic, s.numeric, 1e-3))


def _factor(found: Sequence[Situation]) -> str:
    """What is said of a gradient that is the right one times a number, the same everywhere."""
    first = found[0]
    if any(not np.isclose(s.ratio, first.ratio, rtol=1e-3) for s in found):  # not by rounding
        if first.known.sum() < 3:  # one number is always some multiple of another
            return ""
        return (
            "analytic = c * numeric, with the same c at all elements but another at other inputs: a"
            " factor that depends on the inputs is missing, or wrong"
        )
    if np.isclose(first.ratio, -1, rtol=SAME):
        return "the sign is flipped"
    if is_whole(first.ratio):
        return (
            f"too large by the whole factor {_meaning(first)}: a division by it is missing, as in a"
            " mean, or the same gradient is added that many times, or a factor is wrong"
        )
    if is_whole(1 / first.ratio):
        return (
            f"too small by the whole factor {_meaning(first)}: only one of so many uses is"
            " accumulated, or a mean is taken where a sum belongs, or a factor is left out"
        )
    return (
        f"analytic = {first.ratio:.6g} * numeric everywhere: a constant factor is missing, or wrong"
    )


def _meaning(s: Situation) -> str:
    """The ratio, or its inverse, as a whole number, with what there are so many of."""
    k = round(max(s.ratio, 1 / s.ratio))
    shapes = [("it", s.shape), *(("the output", u.shape) for u in s.upstream)]
    whole = [f"the elements of {name}" for name, shape in shapes if prod(shape) == k]
    whole += [f"axis {shape.index(k)} of {name}" for name, shape in shapes if k in shape]
    return f"{k} ({', '.join(whole)})" if whole else str(k)


# -- Naming ---------------------------------------------------------------------------------------


OF_BACKWARD: tuple[Cause, ...] = (
    (
        _is_unreached,
        "no path leads back from the output to it: it was detached, used as .data, or not given to"
        " record as a source",
    ),
    (
        _is_zero,
        "what comes back is zero everywhere: its gradient function, or a later one, gives zeros",
    ),
    (
        _grows_from_call_to_call,
        "backward adds to what an earlier call left: its result grows with each call",
    ),
    (
        _differs_from_call_to_call,
        "backward gives another result each time for the same upstream gradient: it draws random"
        " numbers, or keeps something between calls",
    ),
    (
        _ignores_upstream,
        "backward ignores its upstream gradient: it gives the same for each one. By the chain rule"
        " it must multiply by it (by that of this call, not of an earlier one)",
    ),
    (lambda s: is_rounded(s.analytic, np.float16), "rounded to float16 on the way"),
    (
        lambda s: is_rounded(s.analytic, np.float32),
        "rounded to float32 on the way: each number is one that float32 holds",
    ),
    (
        lambda s: _is_not_linear(s) and _goes_with_the_square(s),
        "backward multiplies by its upstream gradient twice: for twice the upstream gradient it"
        " gives four times as much, not twice",
    ),
    (
        _is_not_linear,
        "backward is not linear in its upstream gradient{where}: for the sum of two it must give"
        " the sum of what it gives for each (does it clip or round it, mask by it, or add something"
        " else?)",
    ),
    (
        _is_unused,
        "the output does not depend on it, yet backward sends it a gradient (or it does in steps,"
        " as in rounding, and its gradient is 0)",
    ),
)
"""Named alone: they hold whatever else is wrong."""


STALE = (
    "backward gives the same at other inputs, where the right gradient is another{where}: it leaves"
    " out their values, or uses those of an earlier call"
)


def _is_the_same_everywhere(found: Sequence[Situation]) -> bool:
    """Whether backward does not depend on the inputs, unlike the right gradient."""
    first = found[0]
    others = [s for s in found if not np.allclose(s.jacobian, first.jacobian, rtol=1e-3, atol=1e-6)]
    test = lambda s: _same(s.backward(first.upstream), first.analytic)
    return len(others) > 1 and _holds(test, others)


def _where(s: Situation) -> str:
    return "" if s.is_wrong_everywhere else f" (wrong at {fraction(s)}, right at the others)"


def likely_cause(found: Sequence[Situation]) -> str:
    """Return a sentence about the mistake that fits the numbers, or one that begins 'unknown'."""
    first = found[0]
    if not np.isfinite(first.analytic).all():
        return "backward gives NaN or infinity"
    for test, sentence in OF_BACKWARD:
        if _holds(test, found):
            return sentence.format(where=_where(first))
    if first.is_right(first.analytic) and _holds(_is_nearly_right, found):
        return (
            "nearly right: rounding or curvature (are the values near 1?), or a small constant left"
            " out, such as the eps of a normalisation"
        )
    fits = [_factor(found)] if _holds(_has_constant_ratio, found) else []
    rows = chain(rearranged(first), mistaken(first), lacking(first))
    fits += [sentence for test, sentence in rows if _holds(test, found)]
    if not any(fits):
        fits = [sentence for test, sentence in partial(first) if _holds(test, found)][:1]
    if not any(fits) and _is_the_same_everywhere(found):
        fits = [STALE.format(where=_where(first))]
    return "; or ".join(dict.fromkeys(filter(None, fits))) or _unknown(found)


def _holds(test: Test, found: Sequence[Situation]) -> bool:
    """Whether a test holds in every situation; one that backward breaks off says nothing."""
    try:
        return all(test(s) for s in found)
    except Exception:  # noqa: BLE001  (whatever backward raises at other inputs)
        return False


def _unknown(found: Sequence[Situation]) -> str:
    first = found[0]
    if not first.is_wrong_everywhere:
        some = fraction(first)
        return f"unknown: wrong at {some}, right at the others: an index, or a special case"
    sums = [_imbalance(s.numeric) < SAME < 1e-3 < _imbalance(s.analytic) for s in found]
    clue = "; adding a constant to it changes nothing, so its gradient must sum to 0, and does not"
    return (
        "unknown: every element is wrong, by no pattern known here (maybe a term is missing, or the"
        f" indices ignore a setting: stride, dilation, groups){clue if all(sums) else ''}"
    )


def _imbalance(x: np.ndarray) -> float:
    """How far the elements are from cancelling, from 0 to 1."""
    return float(np.abs(np.nansum(x)) / np.nansum(np.abs(x)))
