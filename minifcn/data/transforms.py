"""From an image and its mask to what a network reads: normalise, resize, crop, flip."""

import math
from dataclasses import dataclass

import numpy as np

from minifcn.data.dataset import VOID, Sample

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
"""The mean of ImageNet's red, green and blue, in [0, 1]; every pretrained network knows it."""

STD = np.array([0.229, 0.224, 0.225], np.float32)
"""The standard deviation of ImageNet's red, green and blue, in [0, 1]."""

MEAN_COLOUR = np.round(255 * MEAN).astype(np.uint8)
"""The colour that is nearest to zero once normalised: what a crop is padded with."""


@dataclass(frozen=True)
class Normalisation:
    """How an image becomes a network's input: (image / scale - mean) / std a channel.

    A pretrained network must be given what it was trained on. Calling it turns uint8 RGB (H, W, 3)
    into float32 (3, H, W).

    Attributes:
        scale: what the numbers from 0 to 255 are divided by first.
        mean, std: of each channel, in the order that follows.
        order: of the channels that the network reads, 'RGB' or 'BGR'.

    Raises ValueError for another order, or numbers that cannot be meant.
    """

    scale: float = 255
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    order: str = "RGB"

    def __post_init__(self) -> None:
        if self.order not in ("RGB", "BGR"):
            raise ValueError(f"order must be 'RGB' or 'BGR'; got {self.order!r}")
        if len(self.mean) != 3 or len(self.std) != 3:
            raise ValueError(f"mean and std must be 3 numbers; got {self.mean} and {self.std}")
        if not all(map(math.isfinite, self.mean)) or not all(
            0 < number < math.inf for number in (self.scale, *self.std)
        ):
            raise ValueError(
                "scale and std must be positive and mean finite;"
                f" got {self.scale}, {self.std} and {self.mean}"
            )

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return an image, uint8 (H, W, 3), as float32 (3, H, W)."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"image must be uint8 (H, W, 3); got {image.dtype} {image.shape}")
        pixels = image if self.order == "RGB" else image[..., ::-1]
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        scaled = (pixels / np.float32(self.scale) - mean) / std
        return np.ascontiguousarray(scaled.transpose(2, 0, 1))


IMAGENET = Normalisation()
"""What most networks that know ImageNet are given, and minifcn's own: colours in [0, 1], minus
their mean, divided by their standard deviation."""


def normalise(image: np.ndarray) -> np.ndarray:
    """(image / 255 - MEAN) / STD: uint8 (H, W, 3) to float32 (3, H, W); see IMAGENET."""
    return IMAGENET(image)


def denormalise(image: np.ndarray) -> np.ndarray:
    """The inverse of `normalise`, exact: (image * STD + MEAN) * 255, to uint8 (H, W, 3)."""
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(f"image must have the shape (3, H, W); got {image.shape}")
    scaled = (image.transpose(1, 2, 0) * STD + MEAN) * 255
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)


def resize_pair(image: np.ndarray, mask: np.ndarray, size: tuple[int, int]) -> Sample:
    """Resize to `size` = (H, W): the image bilinearly, the mask to the nearest pixel.

    Shrinking averages over all the pixels that one pixel replaces, so the image does not alias.
    A mask must not be averaged: between ids 1 and 3 there is no class 2.
    """
    from PIL.Image import Resampling, fromarray

    check_size(size)
    if image.shape[:2] == size:
        return image, mask
    nearest = np.array(fromarray(mask).resize(size[::-1], Resampling.NEAREST))
    return resize_image(image, size), nearest


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image, uint8 (H, W, 3), to `size` = (H, W), as `resize_pair` does."""
    from PIL.Image import Resampling, fromarray

    check_size(size)
    if image.shape[:2] == size:
        return image
    return np.array(fromarray(image).resize(size[::-1], Resampling.BILINEAR))


def random_flip(image: np.ndarray, mask: np.ndarray, generator: np.random.Generator) -> Sample:
    """Mirror both left to right, with probability 1/2."""
    if generator.random() < 0.5:
        return image[:, ::-1], mask[:, ::-1]
    return image, mask


def random_crop(
    image: np.ndarray, mask: np.ndarray, size: tuple[int, int], generator: np.random.Generator
) -> Sample:
    """Cut the same window of `size` = (H, W) out of both, each position equally likely.

    Where the image is smaller, it is first padded, centred, with MEAN_COLOUR; its mask with VOID.
    """
    check_size(size)
    image, mask = _pad_to(image, mask, size)
    top, left = (generator.integers(mask.shape[k] - size[k] + 1) for k in (0, 1))
    window = slice(top, top + size[0]), slice(left, left + size[1])
    return image[window], mask[window]


def _pad_to(image: np.ndarray, mask: np.ndarray, size: tuple[int, int]) -> Sample:
    height, width = (max(size[k], mask.shape[k]) for k in (0, 1))
    if (height, width) == mask.shape:
        return image, mask
    top, left = (height - mask.shape[0]) // 2, (width - mask.shape[1]) // 2
    inside = slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1])
    wide_image = np.full((height, width, 3), MEAN_COLOUR, np.uint8)
    wide_mask = np.full((height, width), VOID, np.uint8)
    wide_image[inside], wide_mask[inside] = image, mask
    return wide_image, wide_mask


def check_size(size: tuple[int, int]) -> None:
    """Raise ValueError unless `size` is (H, W), two positive integers."""
    if len(size) != 2 or not all(isinstance(n, int | np.integer) and n > 0 for n in size):
        raise ValueError(f"size must be (height, width), two positive integers; got {size}")
