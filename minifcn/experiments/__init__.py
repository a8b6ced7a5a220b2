"""The comparisons that the topic is about, each one a command: `minifcn experiment NAME`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import minifcn
from minifcn.experiments import (
    arithmetic,
    checkerboard,
    classifier,
    features,
    heatmap,
    skips,
    transfer,
    upsampling,
)
from minifcn.experiments.experiment import Experiment, Result, Settings, Table
from minifcn.system.files import write_atomically

__all__ = [
    "EXPERIMENTS",
    "Experiment",
    "Result",
    "Settings",
    "Table",
    "run",
    "run_heatmap",
    "write",
]

EXPERIMENTS = {
    "arithmetic": arithmetic.EXPERIMENT,
    "checkerboard": checkerboard.EXPERIMENT,
    "upsampling": upsampling.EXPERIMENT,
    "skips": skips.EXPERIMENT,
    "features": features.EXPERIMENT,
    "classifier": classifier.EXPERIMENT,
    "transfer": transfer.EXPERIMENT,
}
"""In the order of the topic."""


def run(
    name: str,
    out: Path,
    seeds: int | None = None,
    budget: float | None = None,
    say: Callable[[str], None] = lambda line: None,
    root: str | None = None,
) -> tuple[Result, dict[str, Any]]:
    """Run an experiment; write its pictures, table.txt and result.json into a folder.

    Args:
        name: one of EXPERIMENTS.
        out: the folder; it is made, and files of the same names in it are replaced.
        seeds: how many seeds: 0, 1, ..., seeds - 1; by default as many as the experiment wants.
        budget: about how many minutes the training may take on two cores. It changes the numbers
            of iterations, in proportion to the experiment's default, and no clock is looked at.
        say: reports progress, a line at a time.
        root: CamVid's folder, where the experiment is to be done on it and can be.

    Returns:
        The result, and what was written to result.json.

    Raises:
        ValueError: there is no such experiment, seeds or budget is out of range, or root is given
            to an experiment that takes none.
    """
    experiment = _checked(name, seeds, budget, root)
    seeds = seeds or experiment.seeds
    scale = budget / experiment.minutes if budget and experiment.minutes else 1.0
    out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    result = experiment.run(Settings(out, tuple(range(seeds)), scale, say, root))
    facts = {"experiment": name, "seeds": seeds, "budget": experiment.minutes * scale}
    return result, _write(result, out, facts, time.perf_counter() - began)


def run_heatmap(
    image: str, out: Path, model: str, classes: Sequence[str] = (), size: int | None = None
) -> tuple[Result, dict[str, Any]]:
    """Draw where a pretrained network's scores are high; write what `run` writes.

    See `heatmap.heatmap` for the arguments and errors.
    """
    began = time.perf_counter()
    result = heatmap.heatmap(image, out, model, classes, size)
    facts = {"experiment": "heatmap", "image": image, "model": model}
    return result, _write(result, out, facts, time.perf_counter() - began)


def _write(result: Result, out: Path, facts: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Write table.txt and result.json into a folder; return what is in the latter."""
    values = {"minifcn": minifcn.__version__, **facts, **result.to_json(), "seconds": seconds}
    write_atomically(out / "table.txt", f"{result.text()}\n".encode())
    write_atomically(out / "result.json", f"{json.dumps(values, indent=2)}\n".encode())
    return values


def _checked(name: str, seeds: int | None, budget: float | None, root: str | None) -> Experiment:
    if name not in EXPERIMENTS:
        raise ValueError(f"experiment must be one of {', '.join(EXPERIMENTS)}; got {name!r}")
    if seeds is not None and not 1 <= seeds <= 100:
        raise ValueError(f"seeds must be from 1 to 100; got {seeds}")
    if budget is not None and not 0 < budget <= 10_000:
        raise ValueError(f"budget must be more than 0 and at most 10,000 minutes; got {budget}")
    if root is not None and not EXPERIMENTS[name].takes_root:
        raise ValueError(f"root is CamVid's folder, and the experiment {name} takes none")
    return EXPERIMENTS[name]
