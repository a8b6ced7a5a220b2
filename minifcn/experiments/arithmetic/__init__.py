"""Convolution arithmetic: the 15 relationships beside what the kernels give, and drawn in numbers.

The relationships and the figures are those of Dumoulin and Visin (2016), "A guide to convolution
arithmetic for deep learning"; a figure with k = 2, s = 2, which the guide lacks, is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from minifcn import kernels
from minifcn.experiments.arithmetic.pictures import plot_direct, plot_transposed
from minifcn.experiments.experiment import Experiment, Result, Settings, Table
from minifcn.kernels.geometry import (
    RELATIONSHIPS,
    Relationship,
    conv_output_size,
    conv_remainder,
)

RANDOM_SIZES = 300
"""How many are drawn for a seed."""

FORMULAS = (
    "i - k + 1",
    "i - k + 2p + 1",
    "i",
    "i + k - 1",
    "floor((i - k) / s) + 1",
    "floor((i + 2p - k) / s) + 1",
    "floor((i - k) / s) + 1",
    "i' + k - 1",
    "i' + k - 1 - 2p",
    "i'",
    "i' - (k - 1)",
    "s(i' - 1) + k",
    "s(i' - 1) + k - 2p",
    "s(i' - 1) + a + k - 2p",
    "floor((i + 2p - k - (k - 1)(d - 1)) / s) + 1",
)
"""The output sizes of RELATIONSHIPS, as the guide writes them."""


class Case(NamedTuple):
    """A direct convolution along one axis: input size, kernel, stride, padding and dilation."""

    i: int
    k: int
    s: int = 1
    p: int = 0
    d: int = 1

    @property
    def o(self) -> int:
        """The size of the convolution's output, the input i' of the transposed one."""
        return conv_output_size(*self)

    @property
    def a(self) -> int:
        """The remainder of the division, the transposed convolution's output padding."""
        return conv_remainder(*self)


class Figure(NamedTuple):
    """A figure of the guide, and the relationships that it shows."""

    case: Case
    shows: tuple[int, ...]
    name: str


FIGURES = (
    Figure(Case(4, 3), (1, 8), "no padding, stride 1"),
    Figure(Case(5, 4, 1, 2), (2, 9), "padding, stride 1"),
    Figure(Case(5, 3, 1, 1), (3, 10), "half padding"),
    Figure(Case(5, 3, 1, 2), (4, 11), "full padding"),
    Figure(Case(5, 3, 2), (5, 12), "stride 2"),
    Figure(Case(5, 3, 2, 1), (6, 13), "stride 2, padding"),
    Figure(Case(6, 3, 2, 1), (6, 14), "stride 2, padding, odd"),
    Figure(Case(6, 2, 2), (7, 12), "k = s = 2 (not in the guide)"),
    Figure(Case(7, 3, d=2), (15,), "dilation 2"),
)

Check: TypeAlias = tuple[Case, int, int]
"""A case, the size that a formula gives and the size that the kernel gives."""


def run(settings: Settings) -> Result:
    """Check the relationships on the guide's figures and on random sizes, and draw the figures."""
    figures = [figure.case for figure in FIGURES]
    cases = figures + [case for seed in settings.seeds for case in random_cases(seed)]
    checks = [list(checks_of(relationship, cases)) for relationship in RELATIONSHIPS]
    tables = {
        "relationships": _relationship_table(checks),
        "figures": _figure_table(),
        "identities": _identity_table(cases),
    }
    settings.say(f"{sum(map(len, checks)):,} sizes compared")
    pictures = [settings.out / f"arithmetic_{name}.png" for name in ("direct", "transposed")]
    shown = [(figure.name, figure.case) for figure in FIGURES]
    plot_direct(pictures[0], shown)
    plot_transposed(pictures[1], [(name, case) for name, case in shown if case.d == 1])
    return Result(tables, _findings(checks, tables["identities"]), pictures)


def random_cases(seed: int) -> list[Case]:
    """Draw sizes whose windows fit; strides and paddings that have a name come up more often."""
    generator = np.random.default_rng(seed)
    cases: list[Case] = []
    while len(cases) < RANDOM_SIZES:
        i, k = (int(n) for n in generator.integers(1, (16, 7)))
        s, d = (int(n) for n in generator.choice((1, 1, 2, 3, 4), 2))
        p = int(generator.choice((0, (k - 1) // 2, k - 1, int(generator.integers(5)))))
        if conv_output_size(i, k, s, p, d) >= 1:
            cases.append(Case(i, k, s, p, d))
    return cases


def checks_of(relationship: Relationship, cases: Sequence[Case]) -> Iterator[Check]:
    """Yield the cases for which a relationship holds: what it says, and what the kernels give."""
    for case in cases:
        i, k, s, p, d = case
        if relationship.transposed:
            arguments: tuple[int, ...] = (case.o, k, s, p, d, case.a)
        else:
            arguments = tuple(case)
        if relationship.holds(*arguments):
            yield case, relationship.output_size(*arguments), kernel_size(relationship, case)


def kernel_size(relationship: Relationship, case: Case) -> int:
    """Size of what the project's kernel returns: conv2d, max_pool2d or conv_transpose2d."""
    i, k, s, p, d = case
    if relationship.transposed:
        y, weight = np.ones((1, 1, case.o, case.o)), np.ones((1, 1, k, k))
        return kernels.conv_transpose2d(y, weight, s, p, case.a, d).shape[2]
    x = np.ones((1, 1, i, i))
    if relationship.name == "pooling":
        return kernels.max_pool2d(x, k, s)[0].shape[2]
    return kernels.conv2d(x, np.ones((1, 1, k, k)), s, p, d).shape[2]


# -- Two identities ------------------------------------------------------------------------------


def adjoint_difference(case: Case, generator: np.random.Generator, dtype: Any) -> float:
    """Relative difference of <conv(x), y> and <x, conv_transpose(y)> for random x, y and weight.

    Relative to |conv(x)| |y|, which bounds the inner product (Cauchy and Schwarz).
    """
    i, k, s, p, d = case
    x, y, weight = _draw(generator, dtype, (2, 3, i, i), (2, 4, case.o, case.o), (4, 3, k, k))
    direct = kernels.conv2d(x, weight, s, p, d)
    transposed = kernels.conv_transpose2d(y, weight, s, p, case.a, d)
    difference = abs(np.vdot(direct, y) - np.vdot(x, transposed))
    return _relative(difference, np.linalg.norm(direct) * np.linalg.norm(y))


def stuffing_difference(case: Case, generator: np.random.Generator, dtype: Any) -> float:
    """Largest difference of a transposed convolution and a convolution of its stuffed input.

    Relative to the largest output.
    """
    _, k, s, p, d = case
    y, weight = _draw(generator, dtype, (2, 4, case.o, case.o), (4, 3, k, k))
    scattered = kernels.conv_transpose2d(y, weight, s, p, case.a, d)
    gathered = convolve_stuffed(y, weight, case)
    return _relative(np.abs(gathered - scattered).max(), np.abs(scattered).max())


def convolve_stuffed(y: np.ndarray, weight: np.ndarray, case: Case) -> np.ndarray:
    """Compute a transposed convolution as a direct one, as the guide draws it.

    s - 1 zeros go between the pixels of y (N, F, OH, OW) and d(k - 1) - p around them (less than
    none: crop), a more at the bottom and the right; the kernel (F, C, k, k) is turned by 180
    degrees and convolved with stride 1.
    """
    _, k, s, p, d = case
    stuffed = np.zeros((*y.shape[:2], s * (case.o - 1) + 1, s * (case.o - 1) + 1), y.dtype)
    stuffed[:, :, ::s, ::s] = y
    border = d * (k - 1) - p
    before, after = max(border, 0), max(border + case.a, 0)
    padded = np.pad(stuffed, ((0, 0), (0, 0), (before, after), (before, after)))
    first, last = max(-border, 0), padded.shape[2] - max(-border - case.a, 0)
    turned = np.ascontiguousarray(weight[:, :, ::-1, ::-1].swapaxes(0, 1))
    return kernels.conv2d(padded[:, :, first:last, first:last], turned, dilation=d)


def _draw(generator: np.random.Generator, dtype: Any, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    return [generator.standard_normal(shape).astype(dtype) for shape in shapes]


def _relative(difference: Any, scale: Any) -> float:
    """Where windows see nothing but padding the scale is 0, and so must the difference be."""
    return float(difference / scale if scale else difference)


IDENTITIES = {
    "<conv(x), y> = <x, conv_transpose(y)>": adjoint_difference,
    "zeros between + pad d(k-1)-p + turned kernel = conv_transpose": stuffing_difference,
}
"""What makes a transposed convolution: two identities, each with what measures it."""


# -- Tables and findings -------------------------------------------------------------------------


def _relationship_table(checks: Sequence[Sequence[Check]]) -> Table:
    note = "i, k, s, p, d: input, kernel, stride, padding, dilation of the direct convolution."
    note += "\ni' is its output size, a = (i + 2p - k) mod s the output padding on the way back."
    rows = [
        _relationship_row(relationship, formula, found)
        for relationship, formula, found in zip(RELATIONSHIPS, FORMULAS, checks, strict=True)
    ]
    return Table("The 15 relationships of convolution arithmetic", rows, note=note)


def _relationship_row(
    relationship: Relationship, formula: str, found: Sequence[Check]
) -> dict[str, Any]:
    shown = next(figure.case for figure in FIGURES if relationship.number in figure.shows)
    expected, given = next(sizes for case, *sizes in found if case == shown)
    return {
        "number": relationship.number,
        "relationship": relationship.name,
        "output size": formula,
        "cases": len(found),
        "example": f"{_sizes(shown, relationship.transposed)} -> {expected}",
        "kernel gives": given,
        "all equal": all(says == gives for _, says, gives in found),
    }


def _sizes(case: Case, transposed: bool) -> str:
    """Write a case down, without what is 0 or 1 anyway."""
    size = f"i'={case.o}" if transposed else f"i={case.i}"
    a = case.a if transposed else 0
    parts = [("s", case.s, 1), ("p", case.p, 0), ("d", case.d, 1), ("a", a, 0)]
    return " ".join([size, f"k={case.k}", *(f"{n}={v}" for n, v, usual in parts if v != usual)])


def _figure_table() -> Table:
    rows = [
        _figure_row(figure, RELATIONSHIPS[number - 1]) for figure in FIGURES
        for number in figure.shows
    ]  # fmt: skip
    return Table("The figures of the guide, and back", rows)


def _figure_row(figure: Figure, relationship: Relationship) -> dict[str, Any]:
    case, transposed = figure.case, relationship.transposed
    ((_, formula, given),) = checks_of(relationship, [case])
    return {
        "figure": f"{figure.name}, {'transposed' if transposed else 'direct'}",
        "relationship": relationship.number,
        "input": case.o if transposed else case.i,
        "k": case.k,
        "s": case.s,
        "p": case.p,
        "d": case.d,
        "a": case.a if transposed else None,
        "formula": formula,
        "kernel gives": given,
        "equal": formula == given,
    }


def _identity_table(cases: Sequence[Case]) -> Table:
    rows = [
        _identity_row(name, cases, dtype) for name in IDENTITIES for dtype in ("float64", "float32")
    ]
    note = "Largest relative difference over all cases, with random values, 3 and 4 channels."
    return Table("What a transposed convolution is", rows, {"difference": ".1e"}, note)


def _identity_row(name: str, cases: Sequence[Case], dtype: str) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    differences = [IDENTITIES[name](case, generator, dtype) for case in cases]
    return {
        "identity": name, "dtype": dtype, "cases": len(cases), "difference": max(differences)
    }  # fmt: skip


def _findings(checks: Sequence[Sequence[Check]], identities: Table) -> list[str]:
    wrong = [
        relationship.number
        for relationship, found in zip(RELATIONSHIPS, checks, strict=True)
        if any(says != gives for _, says, gives in found)
    ]
    count = sum(map(len, checks))
    agreement = f"differ from the kernels in relationships {wrong}" if wrong else "agree throughout"
    worst = max(row["difference"] for row in identities.rows if row["dtype"] == "float64")
    return [
        f"Formulas and kernels were compared on {count:,} sizes: they {agreement}.",
        "Sizes that the remainder a tells apart on the way back: " + "; ".join(_ambiguous()) + ".",
        f"In float64 the two identities hold to a relative {worst:.1e}.",
    ]


def _ambiguous() -> Iterator[str]:
    """Yield pairs of figures that a stride takes from two input sizes to one output size."""
    cases = [figure.case for figure in FIGURES]
    for first in cases:
        for second in cases:
            if first.i < second.i and first[1:] == second[1:] and first.o == second.o:
                yield (
                    f"i={first.i} and i={second.i} both become {first.o} with k={first.k}"
                    f" s={first.s} p={first.p} (a={first.a} and a={second.a})"
                )


EXPERIMENT = Experiment("the 15 relationships of convolution arithmetic, checked and drawn", run)
