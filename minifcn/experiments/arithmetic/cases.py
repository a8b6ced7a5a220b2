"""Sizes of convolutions: the figures of the guide, random ones, and what the kernels give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from minifcn import kernels
from minifcn.kernels.geometry import Relationship, conv_output_size, conv_remainder

RANDOM_SIZES = 300
"""How many are drawn for a seed."""


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
