"""Exercise gradient_check: a gradient by differences, and how far two gradients are apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minifcn.course.exercises.bank.drawing import integers, normal
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part, Switch
from minifcn.course.exercises.runner import Given

Numbers = np.ndarray


def numeric_gradient(
    has: Has, function: Callable[[Any], Any], x: Numbers, upstream: Numbers, eps: float
) -> Numbers:
    """The reference: for each number of x, a step to both sides."""
    if has("fd.eps_small"):
        eps = 1e-5
    if has("fd.eps_half"):
        eps = eps / 2
    if has("fd.all_ones"):
        upstream = np.ones_like(upstream)
    whole = has("fd.int/step") or has("fd.int/added") or has("fd.int/step_and_result")
    kind = x.dtype if whole else np.dtype("f4") if has("fd.float32") else float
    work = x.astype(kind)
    cut = has("fd.int/result") or has("fd.int/step_and_result")
    result = np.zeros(x.shape, x.dtype if cut else np.float64)
    if has("fd.one_index/all"):
        return upstream * _slope(has, function, work, ..., eps)
    slope = _of_two_copies(function, work) if has("fd.not_restored/copies") else None
    where: Any = range(len(x)) if has("fd.one_index/row") else np.ndindex(*x.shape)
    summed = np.mean if has("fd.mean_for_sum") else np.sum
    for at in where:
        quotient = slope(at, eps) if slope else _slope(has, function, work, at, eps)
        result[at] = summed(upstream * quotient)
    return result


def _slope(has: Has, function: Callable[[Any], Any], work: Numbers, at: Any, eps: float) -> Numbers:
    """The difference quotient of the function at work[at]; work comes back as it was."""
    if has("fd.int/added"):
        return _added(function, work, at, eps)
    own = np.asarray if has("fd.view") else np.array
    old = work[at].copy()
    middle = np.array(function(work))
    work[at] = old + eps
    plus = own(function(work))
    work[at] = old - eps
    minus = own(function(work))
    if not has("fd.not_restored/minus"):
        work[at] = old
    if has("fd.one_sided/forward"):
        return (plus - middle) / eps
    if has("fd.one_sided/backward"):
        return (middle - minus) / eps
    return np.asarray((plus - minus) / (eps if has("fd.h_for_2h") else 2 * eps))


def _added(function: Callable[[Any], Any], work: Numbers, at: Any, eps: float) -> Numbers:
    """As _slope, but eps is added and taken away, which whole numbers do not undo."""
    results = []
    for step in (eps, -2 * eps, eps):
        work[at] = work[at] + step
        results.append(np.array(function(work)))
    return np.asarray((results[0] - results[1]) / (2 * eps))


def _of_two_copies(function: Callable[[Any], Any], x: Numbers) -> Callable[[Any, float], Numbers]:
    """As if both copies were made before the loop, so that all steps so far stay in them."""
    plus, minus = x.copy(), x.copy()

    def slope(at: Any, eps: float) -> Numbers:
        plus[at] += eps
        minus[at] -= eps
        return np.asarray((function(plus) - function(minus)) / (2 * eps))

    return slope


def relative_error(has: Has, analytic: Numbers, numeric: Numbers) -> float:
    """The reference: the norm of the difference, over the larger norm."""
    analytic, numeric = analytic.astype(float), numeric.astype(float)
    if has("fd.elementwise/max") or has("fd.elementwise/mean") or has("fd.elementwise/sum"):
        return _elementwise(has, analytic, numeric)

    def norm(a: Numbers) -> float:
        if has("fd.other_norm/sum"):
            return float(np.abs(a).sum())
        if has("fd.other_norm/max"):
            return float(np.abs(a).max())
        return float((a * a).sum() ** (1.0 if has("fd.other_norm/squared") else 0.5))

    top, one, other = norm(analytic - numeric), norm(analytic), norm(numeric)
    if has("fd.absolute"):
        return top
    if has("fd.difference_of_norms"):
        top = abs(one - other)
    bottom = max(one, other)
    if has("fd.denominator/analytic"):
        bottom = one
    if has("fd.denominator/numeric"):
        bottom = other
    if has("fd.denominator/sum"):
        bottom = one + other
    if has("fd.denominator/smaller"):
        bottom = min(one, other)
    for reading, small in (("1e-8", 1e-8), ("1e-12", 1e-12)):
        if has(f"fd.zero_over_zero/{reading}"):
            bottom += small
    if bottom:
        return top / bottom
    return float("nan") if has("fd.zero_over_zero/nan") or top else 0.0


def _elementwise(has: Has, analytic: Numbers, numeric: Numbers) -> float:
    top, sizes = np.abs(analytic - numeric), (np.abs(analytic), np.abs(numeric))
    bottom = sum(sizes) if has("fd.elementwise/sum") else np.maximum(*sizes)
    quotient = top / np.where(bottom == 0, 1, bottom)
    return float(quotient.mean() if has("fd.elementwise/mean") else quotient.max())


def _case(name: str, generator: np.random.Generator, function: str, x: Numbers, shape: Any,
          eps: float) -> Case:  # fmt: skip
    upstream = normal(generator, *shape)
    return Case(name, {"function": Given(function), "x": x, "upstream": upstream, "eps": eps})


def gradient_cases(generator: np.random.Generator) -> list[Case]:
    """Functions of one number each, of neighbours, of all; an eps whose error is seen."""

    def x(*shape: int) -> Numbers:
        return normal(generator, *shape)

    whole = integers(generator, 3, 2)
    return [
        _case("a function of each number", generator, "cubic", x(3, 4), (3, 4), 0.1),
        _case("a function of neighbours", generator, "product", x(2, 3, 4), (2, 3, 4), 0.05),
        _case("a function with another shape", generator, "sums", x(2, 5), (2,), 0.2),
        _case("a function that returns a view of x", generator, "view", x(3, 2, 4), (3, 2, 4), 0.1),
        _case("small numbers, small eps", generator, "cubic", 0.1 * x(2, 3), (2, 3), 1e-2),
        _case("an exponential", generator, "scaled", x(4), (4,), 0.3),
        _case("whole numbers as x", generator, "cubic", whole, (3, 2), 0.25),
    ]


def error_cases(generator: np.random.Generator) -> list[Case]:
    """Norms of all sizes, either the larger; zeros."""

    def case(name: str, shape: tuple[int, ...], size: float, by: float) -> Case:
        analytic = size * normal(generator, *shape)
        return Case(
            name,
            {
                "analytic": analytic,
                "numeric": by * analytic + 0.1 * size * normal(generator, *shape),
            },
        )

    zeros = np.zeros((2, 3))
    return [
        case("the analytic is larger", (3, 4), 1.0, 0.7),
        case("the numeric is larger", (2, 3, 2, 2), 1.0, 1.4),
        case("small gradients", (5,), 1e-6, 1.01),
        case("large gradients", (2, 4), 1e6, 0.99),
        Case("0 against 0", {"analytic": zeros, "numeric": zeros.copy()}),
        Case("0 against numbers", {"analytic": zeros, "numeric": normal(generator, 2, 3)}),
        Case("the same numbers", dict.fromkeys(("analytic", "numeric"), normal(generator, 3, 2))),
    ]


def _switch(id: str, words: str, question: str) -> Switch:
    return Switch(f"fd.{id}", words, question)


GRADIENT = (
    _switch(
        "h_for_2h", "the difference is divided by eps", "How far apart are x + eps and x - eps?"
    ),
    _switch(
        "one_sided/forward",
        "one step up only: (f(x + eps) - f(x)) / eps",
        "On how many sides of x does a central difference look?",
    ),
    _switch(
        "one_sided/backward",
        "one step down only: (f(x) - f(x - eps)) / eps",
        "On how many sides of x does a central difference look?",
    ),
    _switch(
        "eps_small",
        "the eps that is passed is not used, but a far smaller one",
        "Which step does the caller ask for?",
    ),
    _switch(
        "eps_half", "the steps are eps / 2 to each side", "Which step does the caller ask for?"
    ),
    _switch(
        "all_ones",
        "upstream is not used, as if it were all ones",
        "How much does the loss change when output 3 grows by 1?",
    ),
    _switch(
        "mean_for_sum",
        "outputs are averaged where they should be summed",
        "If two outputs each grow by 1, how much does the sum of upstream * output grow?",
    ),
    _switch(
        "float32",
        "it is computed in single precision",
        "How many digits of f(x + eps) - f(x - eps) are left in float32?",
    ),
    _switch(
        "int/step",
        "x stays an array of whole numbers, so eps is cut off",
        "What does an int64 array hold after x[0] = 3 + 0.25?",
    ),
    _switch(
        "int/added",
        "x stays an array of whole numbers, so eps is cut off, when it is added and taken away",
        "What does an int64 array hold after x[0] = 3 + 0.25?",
    ),
    _switch(
        "int/result",
        "the result has the dtype of x, so whole numbers are cut",
        "Which dtype has np.zeros_like(x)?",
    ),
    _switch(
        "int/step_and_result",
        "x and the result have the dtype of x: of whole numbers, eps and the result are cut off",
        "Which dtype have x.copy() and np.zeros_like(x)?",
    ),
    _switch(
        "view",
        "what the function returned first is kept without a copy, and changes with x",
        "If the function returns a part of x itself, what happens to it when x is changed?",
    ),
    _switch(
        "not_restored/minus",
        "a number of x is not put back before the next is changed",
        "When the second number is changed, what is the first?",
    ),
    _switch(
        "not_restored/copies",
        "the two copies are made once, so all steps so far stay in them",
        "When the second number is changed, what is the first?",
    ),
    _switch(
        "one_index/row",
        "a whole row of x is changed at once",
        "How many numbers of x may change between f(x + eps) and f(x - eps)?",
    ),
    _switch(
        "one_index/all",
        "all of x is changed at once",
        "How many numbers of x may change between f(x + eps) and f(x - eps)?",
    ),
)

ERROR = (
    _switch(
        "absolute",
        "the norm of the difference is not divided by anything",
        "Is an error of 1e-6 small, if the gradient is 1e-6?",
    ),
    _switch(
        "zero_over_zero/nan", "0 / 0 gives NaN", "How far apart are two gradients that are both 0?"
    ),
    *(
        _switch(
            f"zero_over_zero/{small}",
            f"{small} is added to the denominator, which changes the error of small gradients",
            "What is the error of gradients that are themselves as small as that?",
        )
        for small in ("1e-8", "1e-12")
    ),
    *(
        _switch(
            f"denominator/{reading}",
            f"it is divided by {words}, not by the larger of the two",
            "Which of the two norms is the larger, and which did you divide by?",
        )
        for reading, words in (
            ("analytic", "the norm of the analytic gradient"),
            ("numeric", "the norm of the numeric gradient"),
            ("sum", "the sum of both norms"),
            ("smaller", "the smaller norm"),
        )
    ),
    *(
        _switch(
            f"elementwise/{reading}",
            f"each number has its own relative error, and {words}",
            "If one number of the gradient is almost 0, how much does it count in a norm?",
        )
        for reading, words in (
            ("max", "the largest is returned"),
            ("mean", "their mean is returned"),
            ("sum", "the largest is returned (over |a| + |n|)"),
        )
    ),
    *(
        _switch(
            f"other_norm/{reading}",
            words,
            "What is the norm of (3, 4)?",
        )
        for reading, words in (
            ("squared", "sums of squares stand where norms belong: the root is missing"),
            ("sum", "sums of absolute values stand where norms belong"),
            ("max", "largest absolute values stand where norms belong"),
        )
    ),
    _switch(
        "difference_of_norms",
        "norms are subtracted; the norm of the difference is asked for",
        "How far apart are (1, 0) and (0, 1)?",
    ),
)

EXERCISE = Exercise(
    name="gradient_check",
    title="a gradient by differences, and how far two gradients are apart",
    functions=(
        Function(
            "numeric_gradient",
            (Part("gradient", "numeric gradient"),),
            numeric_gradient,
            gradient_cases,
            GRADIENT,
        ),
        Function(
            "relative_error",
            (Part("error", "relative error", "number"),),
            relative_error,
            error_cases,
            ERROR,
            form={"error": lambda result, arguments: np.float64(result)},
        ),
    ),
    hints=(
        "If one number of x moves a little up and down, how much does the sum of upstream *"
        " function(x) move?",
        "Tutorial 04, 'A whole gradient', and its 'Why the upstream gradient is random'.",
        "gradient[i] = sum(upstream * (function(x + eps * e_i) - function(x - eps * e_i))) /"
        " (2 * eps), where e_i is 1 at i and 0 elsewhere. error = norm(a - n) / max(norm(a),"
        " norm(n)), or 0 if both norms are 0.",
    ),
    tutorial=4,
)
