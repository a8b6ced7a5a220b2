"""The oracle of the experiment `skips`: the best scores at a stride, for who knows the truth."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn import nn, optim
from minifcn.tensor import Tensor, no_grad

LR = 3.0
"""Of Adam: scores go far from 0, as some of the truth can be fitted without any error."""


def oracle(
    truth: np.ndarray,
    num_classes: int,
    stride: int,
    weight: np.ndarray | None = None,
    iterations: int = 80,
) -> np.ndarray:
    """Find the coarse scores that fit the truth best once they are upsampled.

    There is no image and no network: each scene's scores S (C, H / s, W / s) are free, and found
    by gradient descent on the loss that the networks are trained on too,

        min over S of mean cross_entropy(R S K^T, truth),

    R and K being the bilinear upsampling of rows and columns. This is convex in S: descent ends in
    no local minimum, and no network with this stride has a smaller loss on these scenes. It is not
    the maximum of the mean IU, which nobody knows how to compute; `weight` tells how much the
    choice of a loss matters.

    Args:
        truth: labels (N, H, W), H and W multiples of the stride.
        num_classes: C.
        stride: pixels per score.
        weight: how much a pixel of each class counts, (C,); all the same by default.
        iterations: of Adam. 80 of them stop a little short of the minimum: on 16 scenes of
            Shapes the mean IU was then 0.01 (stride 32 and 16) to 0.02 (stride 8) below that after
            1500.

    Returns:
        The upsampled scores R S K^T, (N, C, H, W).
    """
    rows, columns = (Tensor(interpolation(length, stride)) for length in truth.shape[1:])
    shape = (len(truth), num_classes, rows.shape[1], columns.shape[1])
    coarse = nn.Parameter(np.zeros(shape, np.float32))
    optimizer = optim.Adam([coarse], LR, betas=(0.9, 0.99))
    target = Tensor(truth.astype(np.int64))
    weights = None if weight is None else Tensor(weight.astype(np.float32))
    for iteration in range(iterations):
        optimizer.lr = LR * optim.cosine(iteration, iterations)
        loss = F.cross_entropy(rows @ coarse @ columns.transpose(), target, weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with no_grad():
        return (rows @ coarse @ columns.transpose()).data


def interpolation(length: int, stride: int) -> np.ndarray:
    """Return bilinear upsampling along one axis as a matrix (length, length / stride), float32.

    Pixel y takes max(0, 1 - |(y + 1/2) / s - (i + 1/2)|) of cell i: the tent of the transposed
    convolution with k = 2s, stride s and padding s / 2, which is what models.FCN upsamples with.

    Raises:
        ValueError: the length is not a multiple of the stride.
    """
    if length % stride:
        raise ValueError(f"length must be a multiple of the stride {stride}; got {length}")
    pixels = (np.arange(length) + 0.5) / stride
    cells = np.arange(length // stride) + 0.5
    return np.clip(1 - np.abs(pixels[:, None] - cells), 0, 1).astype(np.float32)


def rarity(truth: np.ndarray, num_classes: int) -> np.ndarray:
    """Return weights (C,) that let rare classes count more: 1 / sqrt(share of the pixels)."""
    counts = np.bincount(truth.ravel(), minlength=num_classes)
    return 1 / np.sqrt(np.maximum(counts, 1) / truth.size)
