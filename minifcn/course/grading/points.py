"""How many points an exercise is worth: a small TOML that a teacher may edit."""

from __future__ import annotations

import tomllib
from pathlib import Path

from minifcn.course.exercises import NAMES, find_exercise


def default_points() -> dict[str, float]:
    """The points of each exercise, as it stands."""
    return {name: float(find_exercise(name).points) for name in NAMES}


def as_toml(points: dict[str, float]) -> str:
    """The text of a file to edit."""
    lines = [f"{name} = {value:g}" for name, value in points.items()]
    return (
        "# Points of each exercise; one that is left out, or has 0, is not graded.\n[points]\n"
        + ("\n".join(lines) + "\n")
    )


def read_points(path: Path) -> dict[str, float]:
    """Read a file of points.

    Raises:
        ValueError: it is missing, no TOML, names an exercise that there is not, or a number is no
            number from 0 to 10,000.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a readable file ({type(error).__name__})") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: not TOML: {error}") from error
    points = values.get("points")
    if not isinstance(points, dict) or set(values) != {"points"}:
        raise ValueError(f"{path}: must hold one table, [points]")
    for name, value in points.items():
        if name not in NAMES:
            raise ValueError(f"{path}: exercise must be one of {', '.join(NAMES)}; got {name!r}")
        if type(value) not in (int, float) or not 0 <= value <= 10_000:
            raise ValueError(f"{path}: {name} must be a number from 0 to 10,000; got {value!r}")
    graded = {name: float(points[name]) for name in NAMES if points.get(name)}
    if not graded:
        raise ValueError(f"{path}: no exercise has points")
    return graded
