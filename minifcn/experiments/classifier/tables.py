"""The tables of the classifier: scores, classes, and the mean of a map beside the logit."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from minifcn.data import Shapes
from minifcn.data.shapes import CLASSES
from minifcn.experiments.classifier.comparison import NEAR, Measured
from minifcn.experiments.classifier.measures import BIASES, chance, identity_error
from minifcn.experiments.classifier.training import Scenes
from minifcn.experiments.experiment import Table
from minifcn.experiments.scenes import read
from minifcn.models.classifier import Classifier


def scores_table(measured: Sequence[Sequence[Measured]], others: Sequence[Scenes]) -> Table:
    """Return the means over the seeds; measured: a list for each seed, others: the scenes."""
    rows = []
    for same in zip(*measured, strict=True):
        ius = [one.matrix.mean_iu for one in same if one.matrix is not None]
        hit, near = _shares([one.pointing for one in same])
        first = same[0]
        rows.append(
            {
                "scenes": first.scenes,
                "network": first.network,
                "learns from": first.learned_from,
                "mean IU": float(np.mean(ius)) if ius else None,
                "lowest": min(ius, default=None),
                "highest": max(ius, default=None),
                "hit": hit,
                f"within {NEAR} px": near,
            }
        )
    note = (
        "mean IU over the seeds, with the lowest and highest seed. The chosen threshold is one"
        " number, the best for the masks of scenes like those that were trained on; 20 % of an"
        " image's maximum needs no mask. hit: how often the maximum of a"
        " class's map is on an object of that class, of all classes in all scenes, pooled (Zhang et"
        " al., 2018, average over the classes). A random pixel: "
        + "; ".join(
            f"{own.name}: hit {chance(own.masks):.3f},"
            f" within {NEAR} px {chance(own.masks, NEAR):.3f}"
            for own in others
        )
        + "."
    )
    return Table("Segmenting with and without masks", rows, note=note)


def _shares(counts: Sequence[np.ndarray | None]) -> tuple[float | None, float | None]:
    """How often was hit, and nearly hit, over all classes and seeds; None where none pointed."""
    present = [own for own in counts if own is not None]
    if not present:
        return None, None
    asked, hit, near = np.sum(present, axis=(0, 1))
    return float(hit / asked), float(near / asked)


def classes_table(measured: Sequence[Sequence[Measured]], scenes_name: str) -> Table:
    """Return IU and hits by class in one kind of scenes, all seeds together."""
    chosen, fcn = (
        [one for seed in measured for one in seed if (one.scenes, one.network) == (scenes_name, n)]
        for n in ("classifier, chosen threshold", "FCN-8s")
    )
    iu, fcn_iu = (
        np.mean([one.matrix.iu for one in group if one.matrix is not None], axis=0)
        for group in (chosen, fcn)
    )
    counts = [one.pointing for one in chosen if one.pointing is not None]
    asked, hit, near = np.sum(counts, axis=0).T
    rows: list[dict[str, Any]] = [
        {
            "class": name,
            "IU": float(iu[label]),
            "IU of FCN-8s": float(fcn_iu[label]),
            "hit": float(hit[label - 1] / asked[label - 1]) if label else None,
            f"within {NEAR} px": float(near[label - 1] / asked[label - 1]) if label else None,
        }
        for label, name in enumerate(CLASSES)
    ]
    return Table(f"The classifier, class by class: {scenes_name}", rows)


def identity_table(classifiers: Sequence[Classifier], sizes: Sequence[tuple[int, int]]) -> Table:
    """Return how far the mean of a map is from the classifier's logit, for several biases."""
    rows = []
    for dtype in (np.float32, np.float64):
        networks = [_as_precise(classifier, dtype) for classifier in classifiers]
        for size in sizes:
            images, _ = read(Shapes("val", 4, size))
            row: dict[str, Any] = {"precision": dtype.__name__, "size": f"{size[0]}x{size[1]}"}
            for name, bias in BIASES.items():
                errors = [identity_error(network, images, bias) for network in networks]
                row[f"bias {name}"] = max(errors)
            rows.append(row)
    note = "The largest |mean of the map - logit| / max |logit|, over images, classes and seeds."
    formats = {f"bias {name}": ".1e" for name in BIASES}
    return Table("The mean of a map is the classifier's logit", rows, formats, note)


def _as_precise(classifier: Classifier, dtype: type) -> Classifier:
    """Return a copy that computes in float32 or float64."""
    twin = copy.deepcopy(classifier)
    twin.to(dtype=dtype)
    return twin
