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
    untrained, trained = scores.mean(0)
    said = [_about(p, trained[p], untrained[p]) for p in range(len(PROBES))]
    return [*said, verdict(trained, untrained), _about_units(units), _about_filters(filters)]


def best_stage(scores: np.ndarray) -> int:
    """Return the stage, 1 to 5, with the highest of six scores; the first is of raw pixels."""
    return int(np.argmax(scores[1:])) + 1


def _about(p: int, trained: np.ndarray, untrained: np.ndarray) -> str:
    name, _, chance = PROBES[p]
    best, before = best_stage(trained), best_stage(untrained)
    return (
        f"{name}: read best off stage {best} ({trained[best]:.3f}; off stage 5"
        f" {trained[5]:.3f}, off 3x3 pixels {trained[0]:.3f}, guessing {chance:.3f}); of the"
        f" untrained network off stage {before} ({untrained[before]:.3f})."
    )


def verdict(trained: np.ndarray, untrained: np.ndarray) -> str:
    """Judge "early = edges and colours, late = meaning" by where each of the three is best.

    trained, untrained: the scores of the probes, (3, 6) each.
    """
    colour, edge, shape = (best_stage(scores) for scores in trained)
    claims = [
        ("colours are early", colour in EARLY, colour),
        ("edges are early", edge in EARLY, edge),
        ("meaning is late", shape in LATE, shape),
    ]
    holds = sum(right for _, right, _ in claims)
    opening = {3: "holds", 0: "does not hold"}.get(holds, "holds in part")
    listed = "; ".join(
        f"{claim}: {'yes' if right else 'no'} (stage {stage})" for claim, right, stage in claims
    )
    gain = trained[2, shape] - untrained[2, shape]
    return (
        f'"Early = edges and colours, late = meaning" {opening} here: {listed}. Training moved the'
        f" score for shapes at that stage by {gain:+.3f}, and that for colours at stage 5 by"
        f" {trained[0, 5] - untrained[0, 5]:+.3f}; what the untrained network shows, too, is not"
        " learnt but the architecture's doing."
    )


def _about_units(units: Table) -> str:
    """Where patches are most alike, compared with those of the untrained network's units."""
    shape = max(units.rows, key=lambda row: row["same shape"] - row["same shape, untrained"])
    colour = min(units.rows, key=lambda row: row["colour spread"] / row["colour spread, untrained"])
    said = [
        f"{row['units of']} ({name} {row[name]:.2f}; untrained {row[f'{name}, untrained']:.2f},"
        f" random {row[f'{name}, random']:.2f})"
        for name, row in (("same shape", shape), ("colour spread", colour))
    ]
    return (
        f"The patches that excite a unit are most alike in shape in {said[0]}, and in colour in"
        f" {said[1]}."
    )


def _about_filters(filters: Table) -> str:
    trained, untrained, _ = filters.rows
    parts = [
        f"{name} {untrained[name]:.2f} to {trained[name]:.2f}"
        for name in ("flat (colour)", "sloping (edge)", "grey")
    ]
    return f"Training changed what the first filters are made of: {', '.join(parts)}."
