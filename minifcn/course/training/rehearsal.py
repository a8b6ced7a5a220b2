"""A few steps before a training begins, which tell how long it will take, and what costs most.

The scores of a new network are all 0, and so is what goes back below them: the first step tells how
long one takes, but not yet whether a mistake changes anything.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minifcn import kernels, optim
from minifcn.course.training.functions import mistaken_pieces, without_mistake
from minifcn.course.training.kernels import OwnKernels, PieceError
from minifcn.data import Batches
from minifcn.runs.config import Config
from minifcn.runs.steps import predict, train_step

SMALL: dict[str, Any] = {
    "size": (64, 64),
    "iterations": 400,
    "widths": (8, 16, 32, 48, 48),
    "depths": (1, 1, 1, 1, 1),
    "head_width": 64,
    "evaluate_every": 100,
}
"""For functions that compute whole arrays at once: scenes of shapes, small ones."""

TINY: dict[str, Any] = {
    "by_heart": 2,
    "size": (48, 48),
    "batch_size": 2,
    "lr": 3e-2,
    "iterations": 120,
    "widths": (4, 8, 12, 16, 16),
    "depths": (1, 1, 1, 1, 1),
    "head_width": 16,
    "evaluate_every": 30,
}
"""For functions in plain loops: two tiny scenes, learned by heart."""

ENOUGH = 300.0
"""Seconds that the small recipe may take; the tiny one is taken if it would be more."""


LONG = 2.0
"""A step of so many seconds is done once; a shorter one twice, for the first is always slow."""


@dataclass(frozen=True)
class Rehearsal:
    """What one step and one prediction took, in seconds.

    Attributes:
        step: the last step, forward, backward and update.
        image: the prediction of one image.
        shares: how much of the step each function took, by name, the most first.
        arrays: the loss and the gradients of the last step, by name.
    """

    step: float
    image: float
    shares: Mapping[str, float]
    arrays: Mapping[str, np.ndarray]

    def total(self, config: Config, images: int) -> float:
        """Seconds that a training takes which is scored on so many images."""
        scored = (config.iterations // config.evaluate_every + 2) * images
        return config.iterations * self.step + scored * self.image

    def differs(self, other: Rehearsal) -> bool:
        """Whether other steps came to another loss, or other gradients, beyond rounding."""
        return any(
            not np.allclose(array, other.arrays[name], rtol=1e-4, atol=1e-8, equal_nan=True)
            for name, array in self.arrays.items()
        )


def rehearse(config: Config, own: OwnKernels, steps: int = 2) -> Rehearsal:
    """Do the first steps of a training, on a network that is thrown away, and predict an image.

    Where a step is a long one, it is the only one: the first is slow, but not by much then.

    Raises:
        PieceError: a mistake that was made on purpose gives nothing to go on with.
    """
    dataset = config.open_dataset("train")
    config = config.with_classes_of(dataset)
    batches = Batches(dataset, config.batch_size, crop=config.crop, seed=config.seed)
    model = config.build_model(np.random.default_rng(config.seed))
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = optim.Adam(list(trained.values()), config.lr)
    step = 0.0
    with kernels.use(own):
        own.prepare(model)
        for i in range(steps):
            images, labels = batches.batch(i)
            for piece in own.pieces.values():
                piece.forget()
            began = time.perf_counter()
            try:
                loss = train_step(model, optimizer, images, labels, own.compute_loss)
            except FloatingPointError as error:
                raise PieceError(f"a step gives nothing to go on with: {error}") from error
            step = time.perf_counter() - began
            if step > LONG and steps == 2:
                break
        shares = {piece.name: piece.seconds for piece in own.pieces.values()}
        model.eval()
        began = time.perf_counter()
        predict(model, [dataset[0][0]])
        image = time.perf_counter() - began
    arrays = {name: p.grad.data for name, p in trained.items() if p.grad is not None}
    by_cost = dict(sorted(shares.items(), key=lambda one: -one[1]))
    return Rehearsal(step, image, by_cost, arrays | {"loss": np.array(loss)})


def choose_recipe(choices: Mapping[str, Any], own: OwnKernels) -> tuple[Config, Rehearsal]:
    """Return the largest recipe that takes no longer than `ENOUGH`, and how its rehearsal went.

    Of shapes there are two, the small and the tiny one; other data has its own. What was chosen
    (not None) is not changed.
    """
    given = {name: value for name, value in choices.items() if value is not None}
    if given.get("data", "shapes") != "shapes":
        config = Config.make(**given)
        return config, rehearse(config, own)
    tiny, small = Config.make(**TINY | given), Config.make(**SMALL | given)
    config, rehearsal = tiny, rehearse(tiny, own)
    if _pixels(small) / _pixels(tiny) * rehearsal.step * small.iterations <= ENOUGH:
        larger = rehearse(small, own)
        images = small.by_heart or len(small.open_dataset("val"))
        if larger.total(small, images) <= ENOUGH:
            return small, larger
    return config, rehearsal


def choose_mistake(
    mistake: str, choices: Mapping[str, Any], right: OwnKernels
) -> tuple[Config, Rehearsal, OwnKernels]:
    """Find the first reading of a mistake that a training notices, and can do with.

    Returns:
        The recipe, with the mistake's full id; its rehearsal; and the functions, one of them wrong.

    Raises:
        ValueError: there is no such mistake, or no reading of it changes a step and gives results.
    """
    objections = []
    for piece in mistaken_pieces(mistake):
        assert piece.mistake is not None
        own = OwnKernels(right.pieces | {piece.name: piece})
        try:
            config, rehearsal = choose_recipe(choices, own)
            same = OwnKernels(right.pieces | {piece.name: without_mistake(piece)})
            if rehearse(config, own, 4).differs(rehearse(config, same, 4)):
                identity = f"{piece.name}:{piece.mistake.id}"
                return dataclasses.replace(config, mistake=identity), rehearsal, own
            objections.append(f"{piece.mistake.id} changes nothing in this network")
        except PieceError as error:
            objections.append(str(error))
    raise ValueError(f"mistake {mistake} cannot be trained with: {'; '.join(objections)}")


def _pixels(config: Config) -> int:
    height, width = config.size
    return config.batch_size * height * width
