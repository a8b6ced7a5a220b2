"""Sentences about early and late layers, made of the numbers that were measured."""

from __future__ import annotations

import numpy as np

from minifcn.experiments.experiment import Table
from minifcn.experiments.features.probes import BINS

PROBES = (
    ("colour", "mean colour (R²)", 0.0),
    ("edge", "orientation of an edge (accuracy)", 1 / BINS),
    ("shape", "class of a shape (accuracy)", 1 / 5),
)
"""Name, title with unit, and what guessing scores, of each probe."""

EARLY, LATE = (1, 2), (4, 5)
"""Which stages count as early and late; the third is in the middle."""


def conclude(scores: np.ndarray, units: Table, filters: Table) -> list[str]:
    """Say what was found; scores: (seeds, untrained and trained, 3 probes, raw and 5 stages)."""
    said = [_about(p, scores[:, 1, p], scores[:, 0, p]) for p in range(len(PROBES))]
    return [*said, verdict(scores), _about_units(units), _about_filters(filters)]


def best_stage(scores: np.ndarray) -> int:
    """Return the stage, 1 to 5, with the highest of six scores; the first is of raw pixels."""
    return int(np.argmax(scores[1:])) + 1


def _about(p: int, trained: np.ndarray, untrained: np.ndarray) -> str:
    """Where a probe scores best; trained, untrained: its scores, (seeds, 6) each."""
    name, _, chance = PROBES[p]
    means, means_before = trained.mean(0), untrained.mean(0)
    best, before = best_stage(means), best_stage(means_before)
    agreeing = sum(best_stage(own) == best for own in trained)
    return (
        f"{name}: read best off stage {best} ({means[best]:.3f}, best in {agreeing} of"
        f" {len(trained)} seeds; off stage 5 {means[5]:.3f}, off 3x3 pixels {means[0]:.3f},"
        f" guessing {chance:.3f}); of the untrained network off stage {before}"
        f" ({means_before[before]:.3f})."
    )


def verdict(scores: np.ndarray) -> str:
    """Judge "early = edges and colours, late = meaning" by where each is best, seed by seed.

    scores: of the probes, (seeds, untrained and trained, 3, 6).
    """
    stages = np.array([[best_stage(own) for own in trained] for trained in scores[:, 1]])
    claims = (("colours are early", EARLY), ("edges are early", EARLY), ("meaning is late", LATE))
    count = len(scores)
    holds = np.array([np.isin(stages[:, p], where) for p, (_, where) in enumerate(claims)])
    listed = "; ".join(
        f"{claim}: in {holds[p].sum()} of {count} (stage {', '.join(map(str, stages[:, p]))})"
        for p, (claim, _) in enumerate(claims)
    )
    moved = scores[:, 1] - scores[:, 0]
    added = ", ".join(
        f"for {name} at stage {best} by {_mean_and_range(moved[:, p, best])}"
        for p, name in enumerate(("colours", "edges", "shapes"))
        for best in [best_stage(scores[:, 1, p].mean(0))]
    )
    return (
        f'"Early = edges and colours, late = meaning" holds in {holds.all(0).sum()} of {count}'
        f" seeds here: {listed}. There each is read best. Training moved the score {added},"
        f" and that for colours at stage 5 by {_mean_and_range(moved[:, 0, 5])}. What the untrained"
        " network shows, too, is not learnt but the architecture's doing."
    )


def _mean_and_range(values: np.ndarray) -> str:
    """The mean of a number over the seeds, and its lowest and highest."""
    return f"{values.mean():+.3f} ({values.min():+.3f} to {values.max():+.3f} over the seeds)"


def _about_units(units: Table) -> str:
    """In which stage training made the patches of a unit more alike by the largest difference."""
    return (
        f"Compared with the untrained network, likeness in shape {_grew(units, 'same shape', 1)},"
        f" and likeness in colour {_grew(units, 'colour spread', -1)}."
    )


def _grew(units: Table, name: str, sign: int) -> str:
    """Where a column grew most over the untrained one; sign: -1 if less of it is more alike."""
    gains = [sign * (row[name] - row[f"{name}, untrained"]) for row in units.rows]
    k = int(np.argmax(gains))
    row, grew = units.rows[k], "grew most" if gains[k] > 0 else "grew nowhere, came nearest to it"
    return (
        f"{grew} in {row['units of']} ({name} {row[name]:.2f}; untrained"
        f" {row[f'{name}, untrained']:.2f}, random {row[f'{name}, random']:.2f})"
    )


def _about_filters(filters: Table) -> str:
    trained, untrained, _ = filters.rows
    parts = [
        f"{name} {untrained[name]:.2f} to {trained[name]:.2f}"
        for name in ("flat (colour)", "sloping (edge)", "grey")
    ]
    return f"Training changed what the first filters are made of: {', '.join(parts)}."
