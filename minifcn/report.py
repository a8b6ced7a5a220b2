"""The results of a run: its scores, and its pictures in the run's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from minifcn import plots
from minifcn.checkpoint import write_atomically
from minifcn.data import Dataset
from minifcn.metrics import ConfusionMatrix
from minifcn.nn import Module
from minifcn.training import evaluate, load_model, predict, read_log


def evaluate_run(
    folder: Path,
    dataset: Dataset | None = None,
    split: str = "val",
    checkpoint: str = "best",
    device: str = "cpu",
) -> ConfusionMatrix:
    """Evaluate a run's network on a split of its own data, or on another data set.

    Raises:
        ValueError: the run or the data cannot be read, their classes differ, or the device cannot
            be used.
    """
    config, model = load_model(folder, checkpoint, device)
    dataset = config.open_dataset(split) if dataset is None else dataset
    config.with_classes_of(dataset)
    return evaluate(model, dataset)


def write_report(folder: Path, samples: int = 4, device: str = "cpu") -> dict[str, Any]:
    """Evaluate a run's best weights, write metrics.json and all pictures, return the scores."""
    config, model = load_model(folder, device=device)
    dataset = config.open_dataset("val")
    matrix = evaluate(model, dataset)
    summary = matrix.summary(dataset.classes)
    write_atomically(folder / "metrics.json", (json.dumps(summary, indent=2) + "\n").encode())
    log = read_log(folder / "log.csv")
    columns = {name: [row[name] for row in log] for name in log[0]}
    plots.plot_curves(folder / "curves.png", columns, summary["baseline_mean_iu"])
    means = (summary["mean_iu"], summary["baseline_mean_iu"])
    plots.plot_iou(folder / "iou.png", summary["iu"], *means, dataset.palette)
    plots.plot_confusion(folder / "confusion.png", matrix.counts, dataset.classes)
    shown = _shown(model, dataset, samples)
    plots.plot_predictions(folder / "predictions.png", shown, dataset.classes, dataset.palette)
    return summary


def _shown(model: Module, dataset: Dataset, count: int) -> list[tuple[Any, Any, Any]]:
    """Image, truth and prediction of samples spread over the data set."""
    count = min(count, len(dataset))
    chosen = [dataset[i * len(dataset) // count] for i in range(count)]
    return [(image, truth, predict(model, [image])[0]) for image, truth in chosen]
