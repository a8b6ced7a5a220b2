"""The findings of the experiment `skips`: sentences that its numbers say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minifcn.experiments.skips.tables import Oracles, Sums
from minifcn.experiments.skips.terms import SUMS
from minifcn.experiments.skips.training import (
    FCN8,
    FCN16,
    FCN32,
    PATHS,
    POOL3,
    RESTARTED8,
    STAGED8,
    STAGED16,
    Runs,
    Variant,
    mean_ius,
)
from minifcn.metrics import ConfusionMatrix

BAR = 0.05
"""The margins of mean IU by which 32s < 16s < 8s are expected, as means over the seeds."""


def conclude(
    runs: Runs,
    oracles: Oracles,
    sums: Sums,
    pixels: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Return all findings, in the order of the tables; `pixels` are rows of the table of terms."""
    return [
        f"At once: {order(runs, FCN32, FCN16, FCN8)}.",
        f"Staged: {order(runs, FCN32, STAGED16, STAGED8)}.",
        f"Staged, FCN-16s has {compared(runs, STAGED16, FCN16)} at once; FCN-8s has"
        f" {compared(runs, STAGED8, FCN8)} at once, and {difference(runs, STAGED8, RESTARTED8)} at"
        " once with the learning rates of the stages.",
        f"Beside pixel accuracy: {accuracy_gap(runs)}.",
        f"Of its oracle's mean IU, {reached(runs, oracles)}: the less, the more of the difference"
        " between networks may be how fast they learn.",
        f"pool3 only, with no deeper layer, has {compared(runs, POOL3, FCN8)} of FCN-8s, and"
        f" {difference(runs, POOL3, FCN32)} of FCN-32s.",
        *[f"FCN-8s, {v.training}, has {best_sums(own)}." for v, own in sums.items()],
        *[f"FCN-8s, staged, {one_score(row)}." for row in pixels],
    ]


def order(runs: Runs, *ladder: Variant) -> str:
    """Say whether each network's mean IU is BAR above that of the one before."""
    ious = [mean_ius(runs, variant) for variant in ladder]
    steps = [fine - coarse for coarse, fine in zip(ious[:-1], ious[1:], strict=True)]
    met = all(step.mean() >= BAR for step in steps)
    names = [variant.name.split()[0] for variant in ladder]
    texts = [f"{name} {iu.mean():.3f}" for name, iu in zip(names, ious, strict=True)]
    margins = " and ".join(f"{step.mean():+.3f} (least {step.min():+.3f})" for step in steps)
    return (
        f"mean IU {', '.join(texts)}; the steps are {margins};"
        f" {'both' if met else 'not both'} are at least {BAR}"
    )


def compared(runs: Runs, a: Variant, b: Variant) -> str:
    """Say a's mean IU, and how it differs from b's."""
    return f"{mean_ius(runs, a).mean():.3f}, {difference(runs, a, b)}"


def difference(runs: Runs, a: Variant, b: Variant) -> str:
    """Say how a's mean IU differs from b's, for the mean of the seeds and for each."""
    by_seed = mean_ius(runs, a) - mean_ius(runs, b)
    side = "above" if by_seed.mean() >= 0 else "below"
    return (
        f"{abs(by_seed.mean()):.3f} {side} (by seed {by_seed.min():+.3f} to"
        f" {by_seed.max():+.3f}) the {mean_ius(runs, b).mean():.3f}"
    )


def accuracy_gap(runs: Runs) -> str:
    """Say from where to where pixel accuracy and mean IU go, from FCN-32s to FCN-8s."""
    accuracies = [np.mean([run[v].matrix.pixel_accuracy for run in runs]) for v in (FCN32, FCN8)]
    ious = [mean_ius(runs, variant).mean() for variant in (FCN32, FCN8)]
    counts = runs[0][FCN8].matrix.counts
    background = counts[0].sum() / counts.sum()
    return (
        f"from FCN-32s to FCN-8s it goes from {accuracies[0]:.3f} to {accuracies[1]:.3f}, the mean"
        f" IU from {ious[0]:.3f} to {ious[1]:.3f}; all background is right in {background:.3f} of"
        f" the pixels, and has a mean IU of {runs[0][FCN8].matrix.baseline_mean_iu:.3f}"
    )


def reached(runs: Runs, oracles: Oracles) -> str:
    """Say which share of its oracle's mean IU each network, trained at once, has."""
    texts = []
    for variant in (FCN32, FCN16, FCN8):
        share = mean_ius(runs, variant).mean() / oracles[variant.stride]["plain"].mean_iu
        texts.append(f"{variant.name.split()[0]} reaches {share:.0%}")
    return ", ".join(texts)


def best_sums(sums: Sequence[Sequence[ConfusionMatrix]]) -> str:
    """Say what all three terms, the best two of them, and the best one, are worth."""
    ious = {paths: np.mean([own[i].mean_iu for own in sums]) for i, paths in enumerate(SUMS)}
    texts = []
    for count in (1, 2, 3):
        best = max((paths for paths in SUMS if len(paths) == count), key=lambda p: ious[p])
        texts.append(f"{ious[best]:.3f} from {' + '.join(best)}")
    return f"{texts[2]}, {texts[1]} (the best two terms), {texts[0]} (the best one)"


def one_score(row: Mapping[str, Any]) -> str:
    """Say what a score at a pixel is made of."""
    terms = ", ".join(f"{row[path]:+.2f} from {path}" for path in PATHS)
    return (
        f"{row['where']} at {row['pixel']}: the score of {row['score of']} is"
        f" {row['score']:+.2f}, {terms}; predicted: {row['predicted']}"
    )
