"""Training for experiments: no folder, no checkpoints, just a network that learns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minifcn import nn, optim
from minifcn.runs.steps import train_step

Batch = Callable[[int], tuple[np.ndarray, np.ndarray]]
"""From an iteration to its images and labels, as `data.Batches.batch`."""


def fit(
    model: nn.Module, batch: Batch, iterations: int, lr: float = 1e-2, warmup: int = 20
) -> list[float]:
    """Train a network with Adam, its learning rate going down a cosine; return the losses.

    Args:
        model: scores (N, C, ...) of images (N, 3, H, W).
        batch: gives the images and labels (N, ...) of an iteration.
        iterations: how many; the cosine ends with the last one.
        lr: the highest learning rate.
        warmup: after how many iterations that is reached.

    Raises:
        FloatingPointError: the loss is not finite any more.
    """
    model.train()
    optimizer = optim.Adam([p for p in model.parameters() if p.requires_grad], lr)
    losses = []
    for iteration in range(iterations):
        optimizer.lr = lr * optim.cosine(iteration, iterations, min(warmup, iterations // 2))
        losses.append(train_step(model, optimizer, *batch(iteration)))
    model.eval()
    return losses
