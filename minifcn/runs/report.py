"""The results of a run: its scores, and its pictures in the run's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minifcn import plots
from minifcn.data import Dataset
from minifcn.data.images import shape_text
from minifcn.data.transforms import resize_pair
from minifcn.nn import Module
from minifcn.runs.checkpoint import load_model
from minifcn.runs.config import Config
from minifcn.runs.log import read_log
from minifcn.runs.steps import Scored, evaluate_at, predict
from minifcn.system.files import write_atomically


def evaluate_run(
    folder: Path, dataset: Dataset, checkpoint: str = "best", device: str = "cpu"
) -> dict[str, Any]:
    """Score a run's network on a data set (see `runs.data.open_scored`).

    Raises:
        ValueError: the run or the data cannot be read, their classes differ, or the device cannot
            be used.
    """
    config, model = load_model(folder, checkpoint, device)
    config.with_classes_of(dataset)
    return _summary(evaluate_at(model, dataset, config.size, config.normalisation), dataset)


def _summary(scored: Scored, dataset: Dataset) -> dict[str, Any]:
    sizes = {shape_text(size): count for size, count in scored.sizes.items()}
    about = {"images": len(dataset), "scored_at": sizes}
    return scored.matrix.summary(dataset.classes) | about


def where_scored(summary: Mapping[str, Any], size: tuple[int, int]) -> list[str]:
    """Say that masks were scored at another size than the one at which the network saw images."""
    sizes, seen = list(summary["scored_at"]), shape_text(size)
    if sizes == [seen]:
        return []
    at = sizes[0] if len(sizes) == 1 else f"their own {len(sizes)} sizes"
    return [f"masks scored at {at}; the network saw the images at {seen}"]


def write_report(
    folder: Path, dataset: Dataset, samples: int = 4, device: str = "cpu"
) -> dict[str, Any]:
    """Score a run's best weights on its validation data; write metrics.json and all pictures."""
    config, model = load_model(folder, device=device)
    scored = evaluate_at(model, dataset, config.size, config.normalisation)
    matrix, summary = scored.matrix, _summary(scored, dataset)
    write_atomically(folder / "metrics.json", (json.dumps(summary, indent=2) + "\n").encode())
    log = read_log(folder / "log.csv")
    columns = {name: [row[name] for row in log] for name in log[0]}
    plots.plot_curves(folder / "curves.png", columns, summary["baseline_mean_iu"])
    means = (summary["mean_iu"], summary["baseline_mean_iu"])
    plots.plot_iou(folder / "iou.png", summary["iu"], *means, dataset.palette)
    plots.plot_confusion(folder / "confusion.png", matrix.counts, dataset.classes)
    shown = _shown(model, dataset, samples, config)
    plots.plot_predictions(folder / "predictions.png", shown, dataset.classes, dataset.palette)
    return summary


def remarks(
    log: Sequence[Mapping[str, float | None]], summary: Mapping[str, Any], freeze: bool = False
) -> list[str]:
    """What is too good, too bad, or only a part, to be left unsaid about a run that is done."""
    said = []
    if freeze and summary["mean_iu"] is not None:
        said.append(
            f"mean IU {summary['mean_iu']:.3f} by training the head alone; without --freeze the"
            " backbone learns, too"
        )
    exact = [row["iteration"] for row in log if row["loss"] == 0]
    if exact:
        said.append(
            f"the loss was exactly 0 in {len(exact)} of {len(log)} iterations, first in iteration"
            f" {exact[0]}: there was nothing to learn; look at the masks"
        )
    scores = [iu for iu in summary["iu"].values() if iu is not None]
    if scores and min(scores) == 1:
        said.append("every IU is 100 %: too good to be true; look at the masks and the split")
    if not scores:
        said.append("no pixel could be scored: the validation masks are void")
    return said


def _shown(
    model: Module, dataset: Dataset, count: int, config: Config
) -> list[tuple[Any, Any, Any]]:
    """Image, truth and prediction of samples spread over the data set, as the network sees them."""
    count = min(count, len(dataset))
    chosen = [resize_pair(*dataset[i * len(dataset) // count], config.size) for i in range(count)]
    return [
        (image, truth, predict(model, [image], config.normalisation)[0]) for image, truth in chosen
    ]
