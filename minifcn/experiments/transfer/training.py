"""The networks of the experiment `transfer`, and how they are trained.

Three of them are one network, an FCN-8s on EfficientNet-Lite0, and differ in how they start:

- **from scratch**: all weights are random, all are trained.
- **frozen**: the backbone has what it learnt from ImageNet, and keeps it; the head is trained.
- **fine-tuned**: the same start, and all weights are trained, those of the backbone in smaller
  steps: they are good already.

The fourth is what one would take without pretraining: a **small** FCN-8s, from scratch.
All see the same batches, as many of them for few images as for many.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minifcn import nn, optim
from minifcn.data import Batches, Dataset, InMemory
from minifcn.data.dataset import Sample
from minifcn.experiments.fitting import Batch
from minifcn.metrics import ConfusionMatrix
from minifcn.models.backbones import build_backbone, load_pretrained
from minifcn.models.fcn import FCN
from minifcn.runs.steps import evaluate_at, train_step

BACKBONE = "efficientnet-lite0"

FROM_SCRATCH, FROZEN, FINE_TUNED, SMALL = "from scratch", "frozen", "fine-tuned", "small"
STARTS = (FROM_SCRATCH, FROZEN, FINE_TUNED, SMALL)

LR = {FROM_SCRATCH: 5e-3, FROZEN: 5e-3, FINE_TUNED: 5e-3, SMALL: 1e-2}
"""The highest learning rate of Adam, by start."""

BACKBONE_LR = 5e-4
"""That of a backbone that is fine-tuned."""

MOMENTUM = 0.1
"""Of BatchNorm's running statistics. EfficientNet-Lite0's own, 0.01, is meant for long trainings:
after a hundred iterations a third of each would still be what it was at the start, which is of no
use to a network from scratch."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        iterations, batch_size: how many steps, of how many images.
        crop: height and width of the random windows that are trained on; None for all.
        size: what images to be scored on are resized to; None for not.
        warmup: after how many iterations the highest learning rate is reached.
    """

    iterations: int
    batch_size: int = 8
    crop: tuple[int, int] | None = None
    size: tuple[int, int] | None = None
    warmup: int = 30


class Run(NamedTuple):
    """A trained network, how it agrees with the truth, and what the training took.

    weights: how many numbers were trained; seconds: of the training.
    """

    model: FCN
    matrix: ConfusionMatrix
    weights: int
    seconds: float


class Some:
    """So many samples of a dataset, evenly spread: a video's first ones would show one street.

    Raises ValueError if it has not so many.
    """

    def __init__(self, dataset: Dataset, count: int):
        if not 1 <= count <= len(dataset):
            raise ValueError(f"count must be from 1 to {len(dataset)}, the samples; got {count}")
        self.dataset = dataset
        self.chosen = [i * len(dataset) // count for i in range(count)]
        self.classes, self.palette = dataset.classes, dataset.palette

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, i: int) -> Sample:
        return self.dataset[self.chosen[i]]

    def name(self, i: int) -> str:
        """A short name of sample `i`."""
        return self.dataset.name(self.chosen[i])


def make(start: str, num_classes: int, seed: int, backbone: str = BACKBONE) -> FCN:
    """Build the network of one of STARTS; the seed draws what is random of its weights."""
    generator = np.random.default_rng(seed)
    if start == SMALL:
        return FCN(num_classes, generator=generator)
    model = FCN(
        num_classes,
        backbone=build_backbone(backbone, generator=generator),
        head_width=128,
        generator=generator,
    )
    if start != FROM_SCRATCH:
        load_pretrained(model.backbone, backbone)
    for parameter in model.backbone.parameters():
        parameter.requires_grad = start != FROZEN
    for module in model.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = MOMENTUM
    return model


def optimiser(start: str, model: FCN) -> optim.Adam:
    """Return what trains a network: the backbone at a rate of its own where it is fine-tuned."""
    rates = {"backbone": BACKBONE_LR if start == FINE_TUNED else LR[start], "head": LR[start]}
    backbone = {id(parameter) for parameter in model.backbone.parameters()}
    trained = [p for p in model.parameters() if p.requires_grad]
    parts = {
        "backbone": [p for p in trained if id(p) in backbone],
        "head": [p for p in trained if id(p) not in backbone],
    }
    groups = [{"params": own, "lr": rates[part]} for part, own in parts.items() if own]
    return optim.Adam(groups, LR[start])


def fit(start: str, model: FCN, batch: Batch, recipe: Recipe) -> None:
    """Train a network, the learning rates going up for a while and then down a cosine.

    The running statistics of a frozen backbone stay as they are, and are what it normalises with.

    Raises:
        FloatingPointError: the loss is not finite any more.
    """
    adam = optimiser(start, model)
    model.train()
    if start == FROZEN:
        model.backbone.eval()
    warmup = min(recipe.warmup, recipe.iterations // 2)
    for iteration in range(recipe.iterations):
        adam.lr = LR[start] * optim.cosine(iteration, recipe.iterations, warmup)
        train_step(model, adam, *batch(iteration))
    model.eval()


def train(
    start: str,
    dataset: Dataset,
    val: Dataset,
    recipe: Recipe,
    seed: int,
    backbone: str = BACKBONE,
) -> Run:
    """Build a network, train it on a dataset, score it on another one."""
    model = make(start, len(dataset.classes), seed, backbone)
    batches = Batches(
        dataset,
        recipe.batch_size,
        crop=recipe.crop,
        flip=True,
        seed=seed,
        normalise=model.backbone.normalisation,
    )
    began = time.perf_counter()
    fit(start, model, batches.batch, recipe)
    seconds = time.perf_counter() - began
    weights = sum(p.data.size for p in model.parameters() if p.requires_grad)
    scored = evaluate_at(model, val, recipe.size, model.backbone.normalisation)
    return Run(model, scored.matrix, weights, seconds)


def train_curves(
    dataset: Dataset,
    val: Dataset,
    counts: Sequence[int],
    recipe: Recipe,
    seed: int,
    backbone: str = BACKBONE,
) -> Iterator[tuple[str, int, Run]]:
    """Yield each start and number of images with its run."""
    for start in STARTS:
        for count in counts:
            some = InMemory(Some(dataset, count))
            yield start, count, train(start, some, val, recipe, seed, backbone)
