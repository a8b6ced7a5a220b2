"""Mistakes that leave a gradient right at some elements: parts of it are left out, or too many."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minifcn.gradcheck.rearrangements import Cause
from minifcn.gradcheck.situations import SAME, Situation


def partial(first: Situation) -> Iterator[Cause]:
    """Yield the mistakes; the first whose test holds says most."""
    some = fraction(first)
    others = "" if first.is_wrong_everywhere else ", right at the others"
    yield (
        _is_wrong_at_border,
        "only the border is wrong: the edge (padding, clamping) is handled differently forward and"
        " backward",
    )
    yield (
        _flows_where_nothing_depends,
        f"wrong at {some}, on which no output depends here, and right at the others: they must"
        " get nothing; a mask is missing, such as that of a relu, or an index is wrong",
    )
    yield (
        _drops_elements,
        f"wrong at {some}, where what comes back is zero, and right at the others: they are masked"
        " or left out",
    )
    yield (
        _keeps_one_of_several,
        f"wrong at {some}{others}: of several contributions to an element only one"
        " counts; overlapping windows must be added up, not overwritten, and so must"
        " copies, indices used twice, and what goes through a sum (softmax is more than y (1 - y))",
    )
    yield (
        _keeps_some,
        f"wrong at {some}: some of the contributions to them are left out, the others are right",
    )
    yield (
        _is_part_at_some,
        f"at {some} it is a whole factor too small, elsewhere right: only one of several uses of an"
        " element is accumulated, or a factor is left out there",
    )


def fraction(s: Situation) -> str:
    """How many elements are wrong, in words."""
    return f"{s.wrong.sum()} of {s.known.sum()} elements"


def _is_wrong_at_border(s: Situation) -> bool:
    """Whether a ring of one or two pixels is wrong, and what it encloses is right."""
    rings = any(_is_ring(s.wrong, width) for width in (1, 2)) if s.wrong.ndim > 2 else False
    return bool(rings and s.known.all())


def _is_ring(wrong: np.ndarray, width: int) -> bool:
    """Whether each of the four sides is marked, mostly, and nothing inside is."""
    if min(wrong.shape[-2:]) <= 2 * width:
        return False
    sides = [wrong.swapaxes(*axes)[..., part] for axes in ((-1, -1), (-1, -2))
             for part in (slice(width), slice(-width, None))]  # fmt: skip
    inside = wrong[..., width:-width, width:-width]
    return not inside.any() and all(side.mean() > 0.75 for side in sides)


def _flows_where_nothing_depends(s: Situation) -> bool:
    """Whether it is right but for elements on which no output depends here."""
    if s.said is None or not s.wrong.any():
        return False
    live = np.abs(s.jacobian).max(1) > s.noise
    right = np.allclose(s.said[live], s.jacobian[live], rtol=SAME, atol=_least(s))
    return bool(right and live.any() and not live.all())


def _least(s: Situation) -> float:
    return SAME * float(np.abs(s.jacobian).max()) + s.noise


def _kept(s: Situation) -> np.ndarray | None:
    """Which of the slopes backward gives, where each is the right one or left out; else None."""
    if s.said is None or not s.wrong.any():
        return None
    right = np.asarray(np.isclose(s.said, s.jacobian, rtol=SAME, atol=_least(s)))
    return right if (right | (np.abs(s.said) <= s.noise)).all() else None


def _drops_elements(s: Situation) -> bool:
    """Whether it is right, or nothing at all, at each element."""
    kept, used = _kept(s), np.abs(s.jacobian) > _least(s)
    return kept is not None and bool(((kept | ~used).all(1) | ~(kept & used).any(1)).all())


def _keeps_one_of_several(s: Situation) -> bool:
    """Whether of several places of the output that an element reaches only one counts."""
    kept, used = _kept(s), np.abs(s.jacobian) > _least(s)
    if kept is None or len(s.upstream) != 1:
        return False
    wrong = ~(kept | ~used).all(1)
    return bool((_places(kept & used, s)[wrong] == 1).all() and (_places(used, s)[wrong] > 1).all())


def _places(mask: np.ndarray, s: Situation) -> np.ndarray:
    """How many places of the output each row marks; the channels of an image share theirs."""
    marks = mask.reshape(len(mask), *s.upstream[0].shape)
    if marks.ndim == 5:
        marks = np.asarray(marks.any(2))
    return np.asarray(marks.reshape(len(mask), -1).sum(1))


def _keeps_some(s: Situation) -> bool:
    return _kept(s) is not None


def _is_part_at_some(s: Situation) -> bool:
    ratios = s.numeric[s.wrong] / s.analytic[s.wrong]
    return not s.is_wrong_everywhere and bool(len(ratios)) and all(map(is_whole, ratios))


def is_whole(number: float) -> bool:
    """Whether a number is 2, 3, 4, ..., but for rounding."""
    return bool(np.rint(number) >= 2 and abs(number - np.rint(number)) < SAME * number)
