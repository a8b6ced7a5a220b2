"""Convolution arithmetic: the 15 relationships beside what the kernels give, and drawn in numbers.

The relationships and the figures are those of Dumoulin and Visin (2016), "A guide to convolution
arithmetic for deep learning"; a figure with k = 2, s = 2, which the guide lacks, is added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minifcn.experiments.arithmetic.cases import FIGURES, Check, checks_of, random_cases
from minifcn.experiments.arithmetic.pictures import plot_direct, plot_transposed
from minifcn.experiments.arithmetic.tables import (
    figure_table,
    identity_table,
    relationship_table,
)
from minifcn.experiments.experiment import Experiment, Result, Settings, Table
from minifcn.kernels.geometry import RELATIONSHIPS


def run(settings: Settings) -> Result:
    """Check the relationships on the guide's figures and on random sizes, and draw the figures."""
    figures = [figure.case for figure in FIGURES]
    cases = figures + [case for seed in settings.seeds for case in random_cases(seed)]
    checks = [list(checks_of(relationship, cases)) for relationship in RELATIONSHIPS]
    tables = {
        "relationships": relationship_table(checks),
        "figures": figure_table(),
        "identities": identity_table(cases),
    }
    settings.say(f"{sum(map(len, checks)):,} sizes compared")
    pictures = [settings.out / f"arithmetic_{name}.png" for name in ("direct", "transposed")]
    shown = [(figure.name, figure.case) for figure in FIGURES]
    plot_direct(pictures[0], shown)
    plot_transposed(pictures[1], [(name, case) for name, case in shown if case.d == 1])
    return Result(tables, _findings(checks, tables["identities"]), pictures)


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
