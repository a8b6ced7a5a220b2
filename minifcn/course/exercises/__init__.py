"""Exercises that are checked: each piece of FCN-8s, written by a student, and the mistake named.

`NAMES` has them in the order in which they are done; the bank of mistakes is in bank/, a file each.
"""

from __future__ import annotations

from importlib import import_module

from minifcn.course.exercises.exercise import Exercise

NAMES = (
    "sizes",
    "scores",
    "columns",
    "convolution",
    "convolution_backward",
    "one_by_one",
    "pooling",
    "unpooling",
    "transposed",
    "resizing",
    "bilinear_kernel",
    "loss",
    "engine",
    "gradient_check",
    "batch_norm",
    "skips",
)
"""The files that a student writes."""


def find_exercise(name: str) -> Exercise:
    """Return an exercise by its name.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in NAMES:
        raise ValueError(f"exercise must be one of {', '.join(NAMES)}; got {name!r}")
    exercise = import_module(f"minifcn.course.exercises.bank.{name}").EXERCISE
    assert isinstance(exercise, Exercise)
    return exercise
