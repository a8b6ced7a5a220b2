"""The class of each pixel of one image, at its own size, and how probable each class is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from minifcn import nn
from minifcn.backend import to_device
from minifcn.data.transforms import resize_image
from minifcn.kernels import resize
from minifcn.runs.steps import Normalise, likeliest, score
from minifcn.runs.windows import Score, Span, score_rows

Segment: TypeAlias = "Callable[[np.ndarray], Segmented]"


class Segmented(NamedTuple):
    """The class of each pixel, uint8 (H, W), and, if wanted, probabilities, float16 (C, H, W)."""

    mask: np.ndarray
    probabilities: np.ndarray | None


def scoring(model: nn.Module, normalise: Normalise) -> Score:
    """Return a function from an image, uint8 (H, W, 3), to the network's scores of it, (C, H, W).

    It raises FloatingPointError where a score is not finite.
    """
    return lambda image: to_device(score(model, [image], normalise), "cpu")[0]


def segment_resized(
    score: Score, image: np.ndarray, size: tuple[int, int], probable: bool = False
) -> Segmented:
    """Score an image at another size; the scores are resized to its own, bilinearly."""
    scores, shape = score(resize_image(image, size))[None], image.shape[:2]
    mask = likeliest(scores, shape)[0]
    if not probable:
        return Segmented(mask, None)
    steps = (scores.shape[2] / shape[0], scores.shape[3] / shape[1])
    at_own_size = scores if scores.shape[2:] == shape else resize(scores, shape, steps)
    return Segmented(mask, probabilities(at_own_size[0]))


def segment_native(
    score: Score, image: np.ndarray, window: Span, probable: bool = False
) -> Segmented:
    """Score an image at its own size, in windows of (height, width); see windows.py."""
    masks, parts = [], []
    for scores in score_rows(score, image, window):
        masks.append(scores.argmax(0).astype(np.uint8))
        if probable:
            parts.append(probabilities(scores))
    return Segmented(np.concatenate(masks), np.concatenate(parts, 1) if probable else None)


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Take the softmax over the classes of (C, H, W), as float16: to about three digits."""
    powers = scores - scores.max(0)
    np.exp(powers, out=powers)
    powers /= powers.sum(0)
    return powers.astype(np.float16)
