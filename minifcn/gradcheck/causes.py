"""Why a gradient is wrong: the patterns that common mistakes leave in its numbers.

The first row of CAUSES whose test holds gives the likely cause. A test compares the analytic
gradient, changed as the mistake would change it, with the numeric one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from minifcn.tensor import Tensor

_SAME = 1e-5  # relative: far above the error of a right gradient, far below that of a wrong one


@dataclass(frozen=True)
class Wrong:
    """A gradient that failed its check.

    Attributes:
        numeric: what it should be; NaN at the elements that were not checked.
        analytic: what backward says.
        upstream: the upstream gradient of each output.
        backward: computes the analytic gradient for any other upstream gradient.
        tensor: whose gradient it is.
        outputs: those of the function, with their history.
    """

    numeric: np.ndarray
    analytic: np.ndarray
    upstream: list[np.ndarray]
    backward: Callable[[list[np.ndarray]], np.ndarray]
    tensor: Tensor
    outputs: tuple[Tensor, ...]

    def would_be_right_as(self, other: np.ndarray) -> bool:
        """Whether `other` equals the numeric gradient, where both are known."""
        known = ~np.isnan(self.numeric) & ~np.isnan(other)
        n, a = self.numeric[known], other[known]
        return bool(known.any() and np.linalg.norm(n - a) <= _SAME * np.linalg.norm(n))

    @cached_property
    def ratio(self) -> float:
        """The constant c for which analytic = c * numeric fits best."""
        known = ~np.isnan(self.numeric)
        n, a = self.numeric[known], self.analytic[known]
        return float(n @ a / (n @ n)) if n.any() else np.inf

    @property
    def factor(self) -> str:
        """The ratio, or its inverse, as a whole number, with what it stands for."""
        k = round(max(self.ratio, 1 / self.ratio))
        return f"{k} ({', '.join(self._meanings(k))})" if self._meanings(k) else str(k)

    def _meanings(self, k: int) -> list[str]:
        """What there are k of: elements, or positions along an axis."""
        shapes = [("it", self.numeric.shape), *(("the output", y.shape) for y in self.outputs)]
        whole = [f"the elements of {name}" for name, shape in shapes if prod(shape) == k]
        return whole + [f"axis {shape.index(k)} of {name}" for name, shape in shapes if k in shape]

    @cached_property
    def wrong(self) -> np.ndarray:
        """Where the gradients differ."""
        return np.abs(self.numeric - self.analytic) > _SAME * np.nanmax(np.abs(self.numeric))

    @property
    def is_wrong_everywhere(self) -> bool:
        """Whether the gradients differ at every element that was checked."""
        return bool(self.wrong[~np.isnan(self.numeric)].all())

    @property
    def fraction(self) -> str:
        """How many elements are wrong, in words."""
        return f"{self.wrong.sum()} of {(~np.isnan(self.numeric)).sum()} elements"


def likely_cause(wrong: Wrong) -> str:
    """Return a sentence about the mistake that fits the numbers."""
    return next(sentence for test, sentence in CAUSES if test(wrong)).format(wrong=wrong)


def history(outputs: Iterable[Tensor]) -> set[int]:
    """Return the ids of the tensors from which recorded operations lead to the outputs."""
    stack, seen = list(outputs), set()
    while stack:
        x = stack.pop()
        if id(x) not in seen:
            seen.add(id(x))
            stack += x.grad_fn.inputs if x.grad_fn else ()
    return seen


def _is_unused(w: Wrong) -> bool:
    known = ~np.isnan(w.numeric)
    return bool(np.linalg.norm(w.numeric[known]) <= _SAME * np.linalg.norm(w.analytic[known]))


def _has_constant_ratio(w: Wrong) -> bool:
    return w.would_be_right_as(w.analytic / w.ratio)


def _is_whole(number: float) -> bool:
    return bool(np.rint(number) >= 2 and abs(number - np.rint(number)) < _SAME * number)


def _mirror(x: np.ndarray) -> np.ndarray:
    return x[..., ::-1, ::-1]


def _is_flipped(w: Wrong) -> bool:
    return w.numeric.ndim >= 2 and w.would_be_right_as(_mirror(w.analytic))


def _is_right_in_a_mirror(w: Wrong) -> bool:
    """With the kernel flipped, the gradient of a mirrored picture is the mirrored gradient."""
    if min(x.ndim for x in (w.numeric, *w.upstream)) < 2:
        return False
    return w.would_be_right_as(_mirror(w.backward([_mirror(u) for u in w.upstream])))


def _has_axes_swapped(w: Wrong) -> bool:
    pairs = [(0, 1), (-2, -1)] if w.numeric.ndim >= 2 else []
    swapped = (w.analytic.swapaxes(*pair) for pair in pairs)
    return any(a.shape == w.numeric.shape and w.would_be_right_as(a) for a in swapped)


def _uses_one_item(w: Wrong) -> bool:
    """Whether it uses no upstream gradient but that of the first, or last, item of the batch."""
    if any(u.ndim == 0 or len(u) < 2 for u in w.upstream):
        return False
    only = ([_only(u, k) for u in w.upstream] for k in (0, -1))
    return any(np.array_equal(w.backward(upstream), w.analytic) for upstream in only)


def _only(u: np.ndarray, k: int) -> np.ndarray:
    alone = np.zeros_like(u)
    alone[k] = u[k]
    return alone


def _is_wrong_at_border(w: Wrong) -> bool:
    """Whether a ring of one or two pixels is wrong, mostly, and what it encloses is right."""
    for ring in (1, 2):
        if w.wrong.ndim >= 2 and min(w.wrong.shape[-2:]) > 2 * ring:
            inside = w.wrong[..., ring:-ring, ring:-ring]
            if not inside.any() and w.wrong.sum() > (w.wrong.size - inside.size) / 2:
                return True
    return False


def _is_right_at_corners(w: Wrong) -> bool:
    if w.wrong.ndim < 3 or min(w.wrong.shape[-2:]) < 3:
        return False
    inside, corners = w.wrong[..., 1:-1, 1:-1], w.wrong[..., ::-1, ::-1][..., [0, -1], :]
    return bool(not corners[..., [0, -1]].any() and inside.mean() > 0.5)


def _should_sum_to_zero(w: Wrong) -> bool:
    """Whether adding a constant to all elements changes nothing, unlike what backward says."""
    return _imbalance(w.numeric) < _SAME and _imbalance(w.analytic) > 1e-3


def _imbalance(x: np.ndarray) -> float:
    """How far the elements are from cancelling, from 0 to 1."""
    return float(np.abs(x.sum()) / np.abs(x).sum())


def _is_part_at_some(w: Wrong) -> bool:
    ratios = w.numeric[w.wrong] / w.analytic[w.wrong]
    return not w.is_wrong_everywhere and all(map(_is_whole, ratios))


CAUSES: tuple[tuple[Callable[[Wrong], bool], str], ...] = (
    (lambda w: not np.isfinite(w.analytic).all(), "backward gives NaN or infinity"),
    (
        lambda w: id(w.tensor) not in history(w.outputs),
        "no path leads back from the output to it: it was detached, used as .data, or not given to"
        " record as a source",
    ),
    (
        lambda w: not w.analytic.any(),
        "what comes back is zero everywhere: its gradient function, or a later one, gives zeros",
    ),
    (_is_unused, "the output does not depend on it, yet backward sends it a gradient"),
    (
        lambda w: w.would_be_right_as(w.analytic),
        "nearly right: rounding or curvature (are the values near 1?), or a small constant left"
        " out, such as the eps of a normalisation",
    ),
    (lambda w: w.would_be_right_as(-w.analytic), "the sign is flipped"),
    (
        lambda w: _has_constant_ratio(w) and _is_whole(w.ratio),
        "too large by the whole factor {wrong.factor}: a division by it is missing, as in a mean,"
        " or the same gradient is added that many times",
    ),
    (
        lambda w: _has_constant_ratio(w) and _is_whole(1 / w.ratio),
        "too small by the whole factor {wrong.factor}: only one of so many uses is accumulated,"
        " or a mean is taken where a sum belongs",
    ),
    (
        _has_constant_ratio,
        "analytic = {wrong.ratio:.6g} * numeric everywhere: a constant factor is missing",
    ),
    (
        _is_flipped,
        "the kernel is flipped: the gradient is right after reversing its last two axes",
    ),
    (
        _is_right_in_a_mirror,
        "the kernel is not flipped: backward to the input must run the kernel the other way round"
        " (for the mirrored upstream gradient it gives the mirror image of the right one)",
    ),
    (_has_axes_swapped, "transposed: the gradient is right after swapping two axes"),
    (
        _uses_one_item,
        "only one item of the batch counts: what was broadcast forward must be summed backward,"
        " over every axis",
    ),
    (
        _is_wrong_at_border,
        "only the border is wrong: the padding is handled differently forward and backward",
    ),
    (
        _is_right_at_corners,
        "right at the corners, which one window covers, and wrong inside: overlapping windows must"
        " be added up, not overwritten",
    ),
    (
        _should_sum_to_zero,
        "adding a constant to it changes nothing, so its gradient must sum to 0, and does not: the"
        " term that subtracts a mean or a sum is missing (normalisation, softmax)",
    ),
    (
        _is_part_at_some,
        "at {wrong.fraction} it is a whole factor too small, elsewhere right: only one of several"
        " uses of an element is accumulated",
    ),
    (
        lambda w: not w.is_wrong_everywhere,
        "wrong at {wrong.fraction}, right at the others: an index, or a special case",
    ),
    (
        lambda w: True,
        "every element is wrong, by no pattern known here: a term is missing, or the indices ignore"
        " a setting (stride, dilation, groups)",
    ),
)
