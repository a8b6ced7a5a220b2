"""The tables of convolution arithmetic: relationships, figures and identities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minifcn.experiments.arithmetic.cases import FIGURES, Case, Check, Figure, checks_of
from minifcn.experiments.arithmetic.identities import IDENTITIES
from minifcn.experiments.experiment import Table
from minifcn.kernels.geometry import RELATIONSHIPS, Relationship

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


def relationship_table(checks: Sequence[Sequence[Check]]) -> Table:
    """Tabulate the relationships, each with what the kernels give; checks: of each one."""
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


def figure_table() -> Table:
    """Tabulate the figures, there and back."""
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


def identity_table(cases: Sequence[Case]) -> Table:
    """Tabulate how far the identities hold."""
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
