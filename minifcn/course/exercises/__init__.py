"""Exercises that are checked: each piece of FCN-8s, written by a student, and the mistake named.

`NAMES` has them in the order of the tutorials; the bank of mistakes is in bank/, one file each.
"""

from __future__ import annotations

from importlib import import_module

from minifcn.course.exercises.exercise import Exercise

NAMES = (
    "scores",
    "sizes",
    "columns",
    "convolution",
    "engine",
    "gradient_check",
    "loss",
    "one_by_one",
    "resizing",
    "pooling",
    "unpooling",
    "transposed",
    "convolution_backward",
    "bilinear_kernel",
    "batch_norm",
    "skips",
)
"""The files that a student writes, in the order of the tutorials that explain them."""


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
