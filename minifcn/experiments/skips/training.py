"""The networks of the experiment `skips`, and how they are trained: at once or staged.

Every network sees the same number of batches, whatever way it is trained:

- **at once**: all its paths from the start, for all the iterations.
- **staged**, as in the paper: FCN-32s for a third of them; FCN-16s goes on from its weights, with a
  skip that starts at 0, for the other two thirds. FCN-8s goes on from the same FCN-32s, as an
  FCN-16s for a third and then, with its own skip at 0, for the last third.
- **restarted**: FCN-8s with all its paths from the start, but the learning rates of the stages. It
  tells what comes from the stages, and what from starting three times at a high rate.

The paper divides the learning rate by 100 at each stage; it sums the loss over the pixels. With
the mean, which this project uses, such a stage would stand still: here each stage has the same
learning rate, with a warm-up and a cosine of its own.

Sources: Long, Shelhamer and Darrell (2015), sections 4.2 and 4.3, for the stages; Shelhamer, Long
and Darrell (2017), the paper's longer version, for at once. There, pool4 and pool3 are scaled by
0.01 and 0.0001 before they are scored, as they are not normalised; here BatchNorm sees to that.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minifcn.data import Batches, Dataset, InMemory, Shapes
from minifcn.experiments.experiment import Settings
from minifcn.experiments.fitting import Batch, fit
from minifcn.metrics import ConfusionMatrix
from minifcn.models.fcn import FCN
from minifcn.runs.steps import evaluate
from minifcn.tensor import Tensor

AT_ONCE, STAGED, RESTARTED = "at once", "staged", "restarted"


PATHS = ("top", "pool4", "pool3")
"""The ways from the image to scores, from the top down."""


class Variant(NamedTuple):
    """A network, the scores that it adds up, and its training."""

    name: str
    stride: int
    paths: tuple[str, ...]
    training: str = AT_ONCE


VARIANTS = (
    Variant("FCN-32s (no skip)", 32, PATHS[:1]),
    Variant("FCN-16s", 16, PATHS[:2]),
    Variant("FCN-8s", 8, PATHS),
    Variant("FCN-16s", 16, PATHS[:2], STAGED),
    Variant("FCN-8s", 8, PATHS, STAGED),
    Variant("FCN-8s", 8, PATHS, RESTARTED),
    Variant("pool3 only", 8, ("pool3",)),
)
FCN32, FCN16, FCN8, STAGED16, STAGED8, RESTARTED8, POOL3 = VARIANTS


@dataclass(frozen=True)
class Plan:
    """How much of everything; `third` is a third of the iterations of each network."""

    third: int = 130
    size: int = 96
    scenes: int = 200  # of the validation split
    batch_size: int = 8
    rows: int = 4  # scenes in the picture


class Run(NamedTuple):
    """A trained network, how it agrees with the truth, and the seconds of its training."""

    model: FCN
    matrix: ConfusionMatrix
    seconds: float


Runs = Sequence[Mapping[Variant, Run]]
"""By seed: the runs of all variants."""


def train_all(
    settings: Settings, plan: Plan, seed: int, val: Dataset
) -> Iterator[tuple[Variant, Run]]:
    """Yield every variant, trained with one seed: its weights, scenes, and their mirroring."""
    size, length = (plan.size, plan.size), 3 * plan.third * plan.batch_size
    scenes = InMemory(Shapes("train", length, size, seed))
    batch = Batches(scenes, plan.batch_size, flip=True, seed=seed).batch
    shared = train(make(FCN32, seed), batch, 0, plan.third)
    for variant in VARIANTS:
        began = time.perf_counter()
        model = train_variant(variant, shared, batch, plan.third, seed)
        seconds = time.perf_counter() - began
        matrix = evaluate(model, val)
        settings.say(
            f"seed {seed}, {variant.name}, {variant.training}: mean IU {matrix.mean_iu:.3f}"
            f" after {seconds:.0f} s"
        )
        yield variant, Run(model, matrix, seconds)


def train_variant(variant: Variant, shared: FCN, batch: Batch, third: int, seed: int) -> FCN:
    """Build and train one network."""
    if variant.training == STAGED:
        return train_staged(shared, variant, batch, third, seed)
    model = make(variant, seed)
    if variant.training == AT_ONCE:
        return train(model, batch, 0, 3 * third)
    for first in range(0, 3 * third, third):
        train(model, batch, first, third)
    return model


class Pool3Only(FCN):
    """An FCN-8s that scores pool3 and nothing else; its deeper layers lie idle."""

    def path_scores(self, x: Tensor) -> dict[str, Tensor]:
        """Return the scores of pool3: (N, num_classes, H / 8, W / 8)."""
        for k in (1, 2, 3):
            x = getattr(self.backbone, f"stage{k}")(x)
        return {"pool3": self.score_pool3(x)}

    def fuse(self, paths: dict[str, Tensor]) -> Tensor:
        """Return the only scores that there are."""
        return paths["pool3"]


def make(variant: Variant, seed: int) -> FCN:
    """Build a network; the seed draws its weights, equal ones for all of one stride."""
    network = FCN if "top" in variant.paths else Pool3Only
    return network(len(Shapes.classes), variant.stride, generator=np.random.default_rng(seed))


def train(model: FCN, batch: Batch, first: int, iterations: int) -> FCN:
    """Train on the batches first, first + 1, ..."""
    fit(model, lambda iteration: batch(first + iteration), iterations)
    return model


def train_staged(shared: FCN, variant: Variant, batch: Batch, third: int, seed: int) -> FCN:
    """Go on from an FCN-32s, that has had a third of the iterations, to an FCN-16s or FCN-8s."""
    sixteen = grown(shared, make(STAGED16, seed))
    if variant.stride == 16:
        return train(sixteen, batch, third, 2 * third)
    train(sixteen, batch, third, third)
    return train(grown(sixteen, make(STAGED8, seed)), batch, 2 * third, third)


def grown(model: FCN, larger: FCN) -> FCN:
    """Give a network with one skip more the weights of one without; the new skip is at 0.

    Only the last upsampling stays the larger one's own: its factor differs.
    """
    state = {name: a for name, a in model.state_dict().items() if name != "upscore.weight"}
    larger.load_state_dict(larger.state_dict() | state)
    return larger


def mean_ius(runs: Runs, variant: Variant) -> np.ndarray:
    """Return the mean IU of each seed."""
    return np.array([run[variant].matrix.mean_iu for run in runs])
