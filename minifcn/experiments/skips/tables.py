"""The tables of the experiment `skips`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minifcn.data import Dataset
from minifcn.experiments.experiment import Table
from minifcn.experiments.skips.terms import SUMS, places, score_terms, term_row
from minifcn.experiments.skips.training import FCN8, VARIANTS, Plan, Runs, Variant, mean_ius
from minifcn.metrics import ConfusionMatrix
from minifcn.models.fcn import FCN

Oracles = Mapping[int, Mapping[str, ConfusionMatrix]]
"""By stride and kind of weights."""

Sums = Mapping[Variant, Sequence[Sequence[ConfusionMatrix]]]
"""By variant and seed: one for each of SUMS."""


def models_table(seeds: Sequence[int], plan: Plan, runs: Runs, oracles: Oracles) -> Table:
    """A row for each variant, and the all-background baseline first."""
    rows = [_baseline_row(seeds, runs[0][FCN8].matrix)]
    rows += [_model_row(seeds, plan, runs, variant, oracles) for variant in VARIANTS]
    note = (
        "seed N: its mean IU; oracle: see the table of oracles. Staged: FCN-32s for a third of the"
        " iterations, then FCN-16s, for FCN-8s in the last third FCN-8s, each with the learning"
        " rate from the top again; the seconds are without the first third, which they share."
        " Restarted: all paths at once, but with these learning rates."
    )
    return Table(
        f"Skips: {3 * plan.third} iterations of {plan.batch_size} scenes for each network,"
        f" {plan.scenes} validation scenes of {plan.size}x{plan.size} pixels",
        rows,
        {"seconds": ".1f"},
        note,
    )


def _baseline_row(seeds: Sequence[int], matrix: ConfusionMatrix) -> dict[str, Any]:
    return {
        "network": "all background",
        "adds up": "",
        "trained": "",
        **{f"seed {seed}": matrix.baseline_mean_iu for seed in seeds},
        "mean IU": matrix.baseline_mean_iu,
        "oracle": None,
        "pixel accuracy": float(matrix.counts[0].sum() / matrix.counts.sum()),
        "seconds": None,
    }


def _model_row(
    seeds: Sequence[int], plan: Plan, runs: Runs, variant: Variant, oracles: Oracles
) -> dict[str, Any]:
    own, ious = [run[variant] for run in runs], mean_ius(runs, variant)
    return {
        "network": variant.name,
        "adds up": " + ".join(variant.paths),
        "trained": variant.training,
        **{f"seed {seed}": float(iu) for seed, iu in zip(seeds, ious, strict=True)},
        "mean IU": float(ious.mean()),
        "oracle": oracles[variant.stride]["plain"].mean_iu,
        "pixel accuracy": float(np.mean([one.matrix.pixel_accuracy for one in own])),
        "seconds": float(np.mean([one.seconds for one in own])),
    }


def classes_table(classes: Sequence[str], runs: Runs, oracles: Oracles) -> Table:
    """The IU of each class, mean over the seeds."""
    rows = []
    for variant in VARIANTS:
        ious = np.mean([run[variant].matrix.iu for run in runs], axis=0)
        rows.append(_class_row(variant.name, variant.training, classes, ious))
    for stride, matrices in oracles.items():
        rows.append(_class_row(f"oracle, stride {stride}", "", classes, matrices["plain"].iu))
    return Table("IU of each class, mean over the seeds", rows)


def _class_row(
    name: str, training: str, classes: Sequence[str], ious: np.ndarray
) -> dict[str, Any]:
    own = {label: float(iu) for label, iu in zip(classes, ious, strict=True)}
    return {"network": name, "trained": training, **own}


def oracles_table(oracles: Oracles) -> Table:
    """The mean IU of the best scores at each stride, and how that depends on what best means."""
    rows = [
        {
            "stride": stride,
            "mean IU, the networks' loss": matrices["plain"].mean_iu,
            "mean IU, rare classes count more": matrices["weighted"].mean_iu,
        }
        for stride, matrices in oracles.items()
    ]
    note = (
        "The scores at this stride that, upsampled bilinearly, have the least cross-entropy with"
        " the truth: a network that knows it all. They are the best by the loss, not by the mean"
        " IU: a reference, no limit. The second column, where a pixel counts 1 / sqrt(share of its"
        " class), shows how far the choice of a loss moves them."
    )
    return Table("Oracles: the best scores that a stride allows", rows, {"stride": "d"}, note)


def sums_table(sums: Sums) -> Table:
    """What FCN-8s predicts from some of its terms; the mean IU, mean over the seeds."""
    rows = []
    for i, paths in enumerate(SUMS):
        row: dict[str, Any] = {"sum of": " + ".join(paths)}
        for variant, own in sums.items():
            row[f"mean IU, {variant.training}"] = float(np.mean([m[i].mean_iu for m in own]))
        rows.append(row)
    note = "Both were trained to predict from the sum of all three; nothing is trained again."
    return Table("What a trained FCN-8s predicts from some of its terms", rows, note=note)


def pixels_table(model: FCN, val: Dataset, scene: int) -> Table:
    """What each path adds to one class's score at pixels of a scene, chosen by rule."""
    image, truth = val[scene]
    terms = {path: term[0] for path, term in score_terms(model, [image]).items()}
    chosen = places(truth, val.classes)
    rows = [term_row(place, terms, truth, val.classes) for place in chosen]
    note = (
        "score = top + pool4 + pool3, each with its bias, after upsampling. lead: how far that is"
        " above the best other class. A pixel on a class is its innermost one; beside: the nearest"
        " background at least 6 pixels away."
    )
    return Table(
        f"Terms of a score: FCN-8s, staged, scene {val.name(scene)}",
        rows,
        dict.fromkeys((*terms, "score", "lead"), "+.2f"),
        note,
    )
