"""Whether the values of a config, which may come from somebody else's file, can be meant."""

from __future__ import annotations

import reprlib
import sys
from dataclasses import fields
from typing import Any

from minifcn.data.transforms import Normalisation

MAX_PIXELS = 2**26
"""The most pixels of a batch: 64 images of 1024x1024."""


def check_type(name: str, value: Any, annotation: str) -> None:
    """Raise unless `value`, perhaps from a JSON file, has the type that its field is given."""
    if not _matches(value, annotation):
        raise TypeError(f"{name} must be {annotation}; got {reprlib.repr(value)}")
    numbers = value if isinstance(value, tuple) else (value,)
    if "float" in annotation and not all(map(_is_finite, numbers)):
        raise ValueError(f"{name} must be a finite number; got {reprlib.repr(value)}")


def _is_finite(value: Any) -> bool:
    return not isinstance(value, int | float) or abs(value) <= sys.float_info.max


def _matches(value: Any, annotation: str) -> bool:
    if " | " in annotation:
        return any(_matches(value, part) for part in annotation.split(" | "))
    if annotation == "None":
        return value is None
    if annotation.startswith("dict"):
        return isinstance(value, dict) and all(_is_colour(colour) for colour in value.values())
    if annotation.startswith("tuple"):
        kind = "float" if "float" in annotation else "int"
        right = isinstance(value, tuple) and all(_matches(item, kind) for item in value)
        return right and ("..." in annotation or len(value) == 2)
    if annotation == "float":
        return type(value) in (int, float)
    return type(value).__name__ == annotation


def _is_colour(value: Any) -> bool:
    return (
        _matches(value, "tuple[int, ...]") and len(value) == 3 and all(0 <= n < 256 for n in value)
    )


def from_json(values: dict[str, Any]) -> dict[str, Any]:
    """Return what a config is made of: JSON has lists where it, and the dicts in it, have tuples.

    Raises TypeError or ValueError for what cannot be a normalisation.
    """
    values = {name: _lists_as_tuples(value) for name, value in values.items()}
    if isinstance(own := values.get("normalisation"), dict):
        for name, wanted in (("scale", "float"), ("order", "str")):
            check_type(f"normalisation's {name}", own.get(name), wanted)
        for name in ("mean", "std"):
            check_type(f"normalisation's {name}", own.get(name), "tuple[float, ...]")
        if unknown := own.keys() - {field.name for field in fields(Normalisation)}:
            raise ValueError(f"normalisation has no {', '.join(sorted(unknown))}; leave it out")
        values["normalisation"] = Normalisation(**own)
    return values


def _lists_as_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: tuple(v) if isinstance(v, list) else v for name, v in value.items()}
    return tuple(value) if isinstance(value, list) else value


def check_range(name: str, value: float | None, least: float, most: float = float("inf")) -> None:
    """Raise ValueError for a number out of range; None is none."""
    if value is not None and not least <= value <= most:
        what = f"at least {least}" if most == float("inf") else f"from {least} to {most}"
        raise ValueError(f"{name} must be {what}; got {value}")


def check_positive(name: str, value: float | None) -> None:
    """Raise ValueError for a number that is not above 0; None is none."""
    if value is not None and not value > 0:
        raise ValueError(f"{name} must be a positive number; got {value}")


def check_one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise ValueError for a name that is not known."""
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")


def check_pixels(name: str, size: tuple[int, int] | None, batch_size: int) -> None:
    """Raise ValueError for a height and width that no batch can have; None is none."""
    if size is None:
        return
    if min(size) < 1:
        raise ValueError(f"{name} must be at least 1x1; got {size}")
    if batch_size * size[0] * size[1] > MAX_PIXELS:
        raise ValueError(
            f"{name} must make at most {MAX_PIXELS} pixels a batch; got {size}, {batch_size} times"
        )


def check_class_weights(weights: tuple[float, ...], classes: int) -> None:
    """Raise ValueError unless each class has a weight; 0 classes: not known yet."""
    if min(weights, default=0) < 0 or not any(weights):
        raise ValueError(f"class_weights must be at least 0, and one above; got {weights}")
    if classes and len(weights) != classes:
        raise ValueError(f"class_weights must be {classes} numbers, one a class; got {weights}")
