"""What a config makes of a run's network and data: what is trained, at which rates, on what."""

from __future__ import annotations

from typing import Any

from minifcn import nn
from minifcn.data import Dataset, First, balanced_weights
from minifcn.models import FCN
from minifcn.runs.config import Config


def parameter_groups(model: FCN, config: Config) -> list[dict[str, Any]]:
    """The parameters that are trained: those of the head, and those of the backbone."""
    backbone = list(model.backbone.parameters())
    for parameter in backbone if config.freeze else ():
        parameter.requires_grad = False
    kept = {id(parameter) for parameter in backbone}
    head = [p for p in model.parameters() if id(p) not in kept and p.requires_grad]
    trained = [p for p in backbone if p.requires_grad]
    rate = config.backbone_lr or config.lr
    return [{"params": trained, "lr": rate}, {"params": head}]


def prepare(model: FCN, config: Config) -> None:
    """Put a network into training mode, but for what stays as it is."""
    model.train()
    if config.freeze:
        model.backbone.eval()
    elif config.freeze_statistics:
        for module in model.backbone.modules():
            module.training = not isinstance(module, nn.BatchNorm2d)


def class_weights_of(dataset: Dataset) -> tuple[float, ...]:
    """The class weights of the training masks, with as many digits as anybody needs."""
    return tuple(float(f"{weight:.6g}") for weight in balanced_weights(dataset))


def by_heart(dataset: Dataset, count: int) -> Dataset:
    """The first samples; raise ValueError if there are not so many."""
    if count > len(dataset):
        raise ValueError(
            f"by_heart must be at most {len(dataset)}, the samples there are; got {count}"
        )
    return First(dataset, count)


def check_batch(config: Config) -> None:
    """Raise ValueError where batch norm, at 1/32 of the size, would see one value a channel."""
    height, width = config.crop or config.size
    if config.batch_size == 1 and max(height, width) <= 32:
        raise ValueError(
            f"batch_size must be at least 2 for images of {height}x{width}; got 1: input must have"
            " more than 1 value a channel in training, for batch norm; give --batch-size 2 or a"
            " larger --size"
        )


def check_statistics(model: FCN, config: Config) -> None:
    """Raise ValueError where running statistics should stay as they are, and there are none."""
    layers = model.backbone.modules()
    if config.freeze_statistics and not any(isinstance(m, nn.BatchNorm2d) for m in layers):
        raise ValueError(
            f"--freeze-statistics is for a backbone with BatchNorm; {config.backbone} has none:"
            " leave it out"
        )
