"""What early and late layers respond to: filters, the patches that excite a unit, linear probes.

"Early layers see edges and colours, late layers see meaning" is said of every convolutional
network. Here it is measured, on an FCN-8s that was trained on shapes and, as a control, on the same
network as it started: what an untrained network shows too, no training has taught.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minifcn.data import Batches, Shapes
from minifcn.data.shapes import CLASSES
from minifcn.experiments.experiment import Experiment, Result, Settings, Table
from minifcn.experiments.features import patches, probes
from minifcn.experiments.features.findings import PROBES, conclude
from minifcn.experiments.features.pictures import plot_filters, plot_patches, plot_probes
from minifcn.experiments.fitting import fit
from minifcn.experiments.scenes import UNSEEN_SEED, read
from minifcn.models.fcn import FCN
from minifcn.runs.steps import evaluate

ITERATIONS, BATCH = 1000, 8


@dataclass(frozen=True)
class Sizes:
    """How many scenes to fit probes with, to score them with, and to cut patches from.

    positions: how many pixels each probe is fitted with, and as many to score it.
    """

    fit: int = 200
    score: int = 200
    cut: int = 48
    positions: int = 4000


class Drawn(NamedTuple):
    """Images, normalised (N, 3, H, W), their masks, and the positions of each probe."""

    images: np.ndarray
    masks: np.ndarray
    positions: list[probes.Positions]


def draw_scenes(split: str, count: int, positions: int) -> Drawn:
    """Draw scenes that no network was trained on, and pixels in them to probe."""
    images, masks = read(Shapes(split, count, seed=UNSEEN_SEED))
    generator = np.random.default_rng([UNSEEN_SEED, count])
    asked = [
        probes.colours(images, positions, generator),
        probes.orientations(images, positions, generator),
        probes.shapes(masks, positions, generator),
    ]
    return Drawn(images, masks, asked)


def scenes_to_probe(sizes: Sizes) -> tuple[Drawn, Drawn]:
    """Draw the scenes that probes are fitted with, and others that they are scored with."""
    return (
        draw_scenes("train", sizes.fit, sizes.positions),
        draw_scenes("val", sizes.score, sizes.positions),
    )


class Networks(NamedTuple):
    """An FCN-8s as it started, and after training.

    The untrained one is as it was drawn: its BatchNorm has a mean of 0 and a variance of 1 and
    passes values through, where that of the trained one normalises with what it has seen.
    """

    untrained: FCN
    trained: FCN


def train(seed: int, iterations: int) -> Networks:
    """Train an FCN-8s; keep how it started, too."""
    trained = FCN(len(CLASSES), 8, generator=np.random.default_rng(seed))
    untrained = copy.deepcopy(trained)
    untrained.eval()
    fit(trained, Batches(Shapes(seed=seed), BATCH, flip=True, seed=seed).batch, iterations)
    return Networks(untrained, trained)


# -- Probes --------------------------------------------------------------------------------------


def seen_by_probes(network: FCN, drawn: Drawn) -> list[list[np.ndarray]]:
    """Return the features (P, C) of each probe's positions: raw pixels, then stage 1 to 5."""
    strides = [field.stride for field in patches.fields_of(network)]
    maps = patches.stage_maps(network, drawn.images)
    return [
        [
            probes.raw_patches(drawn.images, asked),
            *(probes.interpolated(m, s, asked) for m, s in zip(maps, strides, strict=True)),
        ]
        for asked in drawn.positions
    ]


def probe_scores(network: FCN, fitted: Drawn, scored: Drawn) -> np.ndarray:
    """Return the score of each probe (3) on raw pixels and each stage (6): (3, 6)."""
    return np.array(
        [
            probes.probe_all(own, asked.targets, other, truth.targets)
            for own, asked, other, truth in zip(
                seen_by_probes(network, fitted),
                fitted.positions,
                seen_by_probes(network, scored),
                scored.positions,
                strict=True,
            )
        ]
    )


# -- Filters -------------------------------------------------------------------------------------


def filter_energies(weight: np.ndarray) -> np.ndarray:
    """Return what share of 3x3 filters' energy is flat, sloping and grey: (3,), the mean over them.

    A filter is a sum of orthogonal parts: its mean over the positions (flat: it answers to a
    colour), a plane that rises across or down (sloping: to an edge), and the rest. And at each
    position its three colours have a part along (1, 1, 1): grey. Energy is the sum of squares.

    weight: (F, 3, 3, 3). Random weights have 1/9, 2/9 and 1/3.
    """
    energy = (weight**2).sum((1, 2, 3))
    ramp = np.array([-1.0, 0, 1]) / np.sqrt(6)
    flat = (weight.sum((2, 3)) / 3) ** 2
    slopes = (weight * ramp).sum((2, 3)) ** 2 + (weight * ramp[:, None]).sum((2, 3)) ** 2
    grey = weight.sum(1) ** 2 / 3
    parts = (flat.sum(1), slopes.sum(1), grey.sum((1, 2)))
    return np.array([(part / energy).mean() for part in parts])


def first_filters(network: FCN) -> np.ndarray:
    """Return the weights of the first convolution, (F, 3, 3, 3)."""
    return dict(network.named_parameters())["backbone.stage1.0.0.weight"].numpy()


# -- Tables --------------------------------------------------------------------------------------


class Measured(NamedTuple):
    """What a seed found; untrained first, then trained, along the first axis.

    probes: (2, 3, 6); likeness: (2, 5, 2); filters: (2, 3).
    """

    probes: np.ndarray
    likeness: np.ndarray
    filters: np.ndarray


def measure(
    networks: Networks, fitted: Drawn, scored: Drawn, scenes: patches.LargeScenes
) -> Measured:
    """Ask both networks everything."""
    return Measured(
        np.array([probe_scores(network, fitted, scored) for network in networks]),
        np.array([patches.likeness_of_units(network, scenes) for network in networks]),
        np.array([filter_energies(first_filters(network)) for network in networks]),
    )


def probes_table(network: FCN, scores: np.ndarray) -> Table:
    """Tabulate the scores (seeds, 2, 3, 6) of the probes, means over the seeds."""
    means, widest = scores.mean(0), np.ptp(scores, axis=0).max()
    channels = [3 * 3 * 3, *(stage_width(network, k) for k in range(patches.STAGES))]
    fields = [3, *(field.size for field in patches.fields_of(network))]
    rows = []
    for k, (size, width) in enumerate(zip(fields, channels, strict=True)):
        row: dict[str, Any] = {"features": f"stage {k}" if k else "3x3 pixels"}
        row |= {"sees": f"{size}x{size}", "numbers": width}
        for p, (name, _, _) in enumerate(PROBES):
            row[name] = float(means[1, p, k])
            row[f"{name}, untrained"] = float(means[0, p, k])
        rows.append(row)
    guesses = ", ".join(f"{name} {chance:.3f}" for name, _, chance in PROBES)
    note = (
        f"colour: R^2 of the mean of {probes.WINDOW}x{probes.WINDOW} pixels; edge: balanced"
        f" accuracy of the orientation in {probes.BINS} bins; shape: balanced accuracy of the"
        f" object's class. Guessing: {guesses}. Means over the seeds, which differ by at most"
        f" {widest:.3f}. untrained: as drawn, BatchNorm passes values through."
    )
    return Table("What a linear probe reads off each stage", rows, note=note)


def stage_width(network: FCN, stage: int) -> int:
    """Return how many channels a stage, 0 to 4, puts out."""
    weights = [
        w
        for name, w in network.named_parameters()
        if name.startswith(f"backbone.stage{stage + 1}.")
    ]
    return weights[-1].shape[0]


def units_table(network: FCN, found: np.ndarray, at_random: np.ndarray) -> Table:
    """Tabulate the likeness (seeds, 2, 5, 2) of the patches that excite a unit."""
    means = found.mean(0)
    rows = []
    for k, field in enumerate(patches.fields_of(network)):
        row: dict[str, Any] = {"units of": f"stage {k + 1}", "a cell is": f"{field.stride} px"}
        for q, name in enumerate(("same shape", "colour spread")):
            row[name] = float(means[1, k, q])
            row[f"{name}, untrained"] = float(means[0, k, q])
            row[f"{name}, random"] = float(at_random[k, q])
        rows.append(row)
    note = (
        f"Of the {patches.ALIKE} cells that excite a unit most, each from another scene: the share"
        " whose nearest shape is of the most frequent class, and how far their mean colours are"
        " apart (0 to 1). Means over the units and the seeds. random: of cells drawn at random."
    )
    return Table("How alike the patches are that excite a unit", rows, note=note)


def filters_table(energies: np.ndarray) -> Table:
    """Tabulate the energies (seeds, 2, 3) of the first layer's filters."""
    means = energies.mean(0)
    names = ("flat (colour)", "sloping (edge)", "grey")
    rows = [
        {"filters": label, **dict(zip(names, map(float, row), strict=True))}
        for label, row in (
            ("trained", means[1]),
            ("untrained", means[0]),
            ("random, expected", (1 / 9, 2 / 9, 1 / 3)),
        )
    ]
    return Table("What the first layer's filters are made of, as shares of their energy", rows)


# -- Pictures ------------------------------------------------------------------------------------


def draw(
    out: Path, networks: Networks, scenes: patches.LargeScenes, scores: np.ndarray
) -> list[Path]:
    """Draw filters, patches and probes."""
    paths = [out / f"features-{name}.png" for name in ("filters", "patches", "probes")]
    plot_filters(
        paths[0],
        {
            "after training": first_filters(networks.trained),
            "before": first_filters(networks.untrained),
        },
    )
    plot_patches(paths[1], patches.cut_patches(networks.trained, scenes))
    labels = ["3x3\npixels", *(f"stage {k + 1}" for k in range(patches.STAGES))]
    plot_probes(
        paths[2],
        labels,
        [(title, scores[:, :, p], chance) for p, (_, title, chance) in enumerate(PROBES)],
    )
    return paths


# -- The whole -----------------------------------------------------------------------------------


def run(settings: Settings, sizes: Sizes | None = None) -> Result:
    """Train a network for each seed, ask it and its untrained self, and draw the first one's."""
    sizes = sizes or Sizes()
    fitted, scored = scenes_to_probe(sizes)
    scenes = patches.draw_large_scenes(sizes.cut)
    networks, measured = [], []
    for seed in settings.seeds:
        began = time.perf_counter()
        networks.append(train(seed, settings.iterations(ITERATIONS)))
        measured.append(measure(networks[-1], fitted, scored, scenes))
        mean_iu = evaluate(networks[-1].trained, Shapes("val", sizes.score)).mean_iu
        seconds = time.perf_counter() - began
        settings.say(f"seed {seed}: FCN-8s, mean IU {mean_iu:.3f}, probed after {seconds:.0f} s")
    all_probes, likeness, filters = (np.array(values) for values in zip(*measured, strict=True))
    first = networks[0]
    tables = {
        "probes": probes_table(first.trained, all_probes),
        "units": units_table(
            first.trained, likeness, patches.likeness_of_random_cells(first.trained, scenes)
        ),
        "filters": filters_table(filters),
    }
    pictures = draw(settings.out, first, scenes, all_probes)
    return Result(tables, conclude(all_probes, tables["units"], tables["filters"]), pictures)


EXPERIMENT = Experiment(
    "what early and late layers respond to: first filters, exciting patches, linear probes",
    run,
    seeds=3,
    minutes=5,
)
