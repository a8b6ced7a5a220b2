"""What the classifier's tables show, in sentences that hold whatever the numbers are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minifcn.experiments.classifier.training import OBJECTS
from minifcn.experiments.experiment import Table


def conclude(scores: Table, classes: Table, identity: Table, right: Sequence[float]) -> list[str]:
    """Say what the tables show; right: how many images each seed's classifier names right."""
    exact = max(row["bias as it is"] for row in identity.rows if row["precision"] == "float64")
    missing = max(row["bias left out"] for row in identity.rows if row["precision"] == "float64")
    said = [
        f"With the bias copied as it is, the mean of a map is the logit to {exact:.1e} in float64;"
        f" without the bias it is off by up to {missing:.1e}: every cell adds the bias, and the"
        " mean of equal numbers is that number.",
        f"The classifier names {np.mean(right):.1%} of the single objects right"
        f" (guessing: {1 / len(OBJECTS):.0%}).",
    ]
    said += [_compared(scores, name) for name in dict.fromkeys(r["scenes"] for r in scores.rows)]
    hits = sorted((row["hit"], row["class"]) for row in classes.rows if row["hit"] is not None)
    (least, worst), (most, best) = hits[0], hits[-1]
    return [
        *said,
        f"It points best at a {best} ({most:.1%} hit) and worst at a {worst} ({least:.1%}).",
    ]


def _compared(scores: Table, scenes_name: str) -> str:
    """Where the classifier stands between nothing and masks."""
    rows = {row["network"]: row for row in scores.rows if row["scenes"] == scenes_name}
    chosen, fcn = rows["classifier, chosen threshold"], rows["FCN-8s"]
    least, reached, most = (row["mean IU"] for row in (rows["all background"], chosen, fcn))
    way = f" ({(reached - least) / (most - least):.0%} of the way)" if most > least else ""
    return (
        f"{scenes_name}: without masks, but for one threshold, the mean IU is {reached:.3f};"
        f" all background {least:.3f}, FCN-8s {most:.3f}{way}. The maximum of a map hits in"
        f" {chosen['hit']:.1%} of the cases, that of the FCN-8s in {fcn['hit']:.1%}."
    )
