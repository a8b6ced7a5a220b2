"""From an image and its mask to what a network reads: normalise, resize, crop, flip, jitter."""

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

GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""How much red, green and blue count in the brightness of a colour (ITU-R BT.601)."""


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
        _check_image(image)
        pixels = image if self.order == "RGB" else image[..., ::-1]
        result = np.empty((3, *image.shape[:2]), np.float32)
        for k, channel in enumerate(result):  # one by one: rows of three numbers are slow
            np.divide(pixels[..., k], np.float32(self.scale), out=channel)
            channel -= np.float32(self.mean[k])
            channel /= np.float32(self.std[k])
        return result


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
    check_size(size)
    if image.shape[:2] == size:
        return image
    from PIL.Image import Resampling, fromarray

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

    Where the image is smaller, it is padded, centred, with MEAN_COLOUR; its mask with VOID.
    """
    check_size(size)
    rows, columns = _random_window(mask.shape, size, generator)
    return pad_to(image[rows, columns], mask[rows, columns], size)


def random_scale(
    image: np.ndarray,
    mask: np.ndarray,
    scale: tuple[float, float],
    generator: np.random.Generator,
) -> Sample:
    """Resize both by one factor, from low to high of `scale`, as `resize_pair` does.

    factor = low (high / low)^u with u uniform in [0, 1): log-uniform, so that from 1/2 to 2 it is
    as likely to shrink as to enlarge. Raises ValueError unless 0 < low <= high.
    """
    scaled = _random_size(mask.shape, scale, generator)
    return _resized_window(image, mask, scaled, slice(0, scaled[0]), slice(0, scaled[1]))


def random_scaled_window(
    image: np.ndarray,
    mask: np.ndarray,
    scale: tuple[float, float],
    size: tuple[int, int],
    generator: np.random.Generator,
) -> Sample:
    """What `random_scale` and then `random_crop` cut out, before it is padded, in less time.

    Only what the window shows is resized. The mask has the bits of the two in turn, the image
    differs by one at most: where a window starts between two pixels, Pillow rounds that place.
    `pad_to` pads it; what changes colours should come before that.
    """
    check_size(size)
    scaled = _random_size(mask.shape, scale, generator)
    return _resized_window(image, mask, scaled, *_random_window(scaled, size, generator))


def random_window(
    image: np.ndarray, mask: np.ndarray, size: tuple[int, int], generator: np.random.Generator
) -> Sample:
    """What `random_crop` cuts out, before it is padded."""
    check_size(size)
    rows, columns = _random_window(mask.shape, size, generator)
    return image[rows, columns], mask[rows, columns]


def pad_to(image: np.ndarray, mask: np.ndarray, size: tuple[int, int]) -> Sample:
    """Pad to at least `size` = (H, W), centred: the image with MEAN_COLOUR, the mask with VOID."""
    height, width = (max(size[k], mask.shape[k]) for k in (0, 1))
    if (height, width) == mask.shape:
        return image, mask
    top, left = (height - mask.shape[0]) // 2, (width - mask.shape[1]) // 2
    inside = slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1])
    wide_image = np.full((height, width, 3), MEAN_COLOUR, np.uint8)
    wide_mask = np.full((height, width), VOID, np.uint8)
    wide_image[inside], wide_mask[inside] = image, mask
    return wide_image, wide_mask


def colour_jitter(
    image: np.ndarray,
    generator: np.random.Generator,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
) -> np.ndarray:
    """Change brightness, contrast and saturation of an image, uint8 (H, W, 3), by random factors.

    Each factor, b, c and s, is uniform from 1 - x to 1 + x of its strength x, and they mean what
    they do in torchvision's ColorJitter. With grey = GREY . image, the brightness of each pixel:

        result = b (c (s image + (1 - s) grey) + (1 - c) (mean of grey)), cut to 0 to 255

    All is computed in float32 and rounded once, so that the order of the three does not matter;
    torchvision rounds and cuts after each, in a random order. Jitter before padding: the colour of
    the padding should stay what it is. Raises ValueError for a strength outside [0, 1].
    """
    for name, value in (("brightness", brightness), ("contrast", contrast)):
        check_strength(name, value)
    check_strength("saturation", saturation)
    _check_image(image)
    strengths = np.array([brightness, contrast, saturation])
    b, c, s = (1 + strengths * generator.uniform(-1, 1, 3)).tolist()
    grey = sum(GREY[k] * image[..., k] for k in range(3))
    offset = b * c * (1 - s) * grey + b * (1 - c) * float(grey.mean(dtype=np.float64))
    result = np.float32(b * c * s) * image
    result += offset[..., None]
    return np.clip(np.rint(result, out=result), 0, 255, out=result).astype(np.uint8)


# -- How it is done ------------------------------------------------------------------------------


def _random_size(
    shape: tuple[int, ...], scale: tuple[float, float], generator: np.random.Generator
) -> tuple[int, int]:
    check_scale(scale)
    low, high = scale
    factor = low * (high / low) ** generator.random()
    return max(1, round(factor * shape[0])), max(1, round(factor * shape[1]))


def _random_window(
    shape: tuple[int, ...], size: tuple[int, int], generator: np.random.Generator
) -> tuple[slice, slice]:
    """Rows and columns of a window of `size`, or of all where there are not so many."""
    first = [int(generator.integers(max(shape[k] - size[k], 0) + 1)) for k in (0, 1)]
    rows, columns = (slice(first[k], min(first[k] + size[k], shape[k])) for k in (0, 1))
    return rows, columns


def _resized_window(
    image: np.ndarray, mask: np.ndarray, scaled: tuple[int, int], rows: slice, columns: slice
) -> Sample:
    """These rows and columns of the pair resized to `scaled`, without resizing all of it."""
    from PIL.Image import Resampling, fromarray

    if scaled == mask.shape:
        return image[rows, columns], mask[rows, columns]
    (top, bottom, down), (left, right, across) = (
        _seen(window, mask.shape[k], scaled[k]) for k, window in enumerate((rows, columns))
    )
    part = fromarray(np.ascontiguousarray(image[down, across]))
    size = columns.stop - columns.start, rows.stop - rows.start
    resized = part.resize(size, Resampling.BILINEAR, (left, top, right, bottom))
    nearest = (_nearest(w, mask.shape[k], scaled[k]) for k, w in enumerate((rows, columns)))
    return np.array(resized), mask[np.ix_(*nearest)]


def _seen(window: slice, length: int, scaled: int) -> tuple[float, float, slice]:
    """Where a window of an axis resized from `length` to `scaled` lies in what it is made from.

    Begin and end are counted from the first of the pixels that are looked at, the third result:
    the window and what the filter reaches beside it.
    """
    begin, end = window.start * length / scaled, window.stop * length / scaled
    reach = max(1.0, length / scaled) + 1
    first, last = max(0, math.floor(begin - reach)), min(length, math.ceil(end + reach))
    return begin - first, end - first, slice(first, last)


def _nearest(window: slice, length: int, scaled: int) -> np.ndarray:
    """floor((i + 1/2) length / scaled), in integers: the pixel that the centre of pixel i is in."""
    return (2 * np.arange(window.start, window.stop, dtype=np.int64) + 1) * length // (2 * scaled)


# -- Checks --------------------------------------------------------------------------------------


def check_scale(scale: tuple[float, float]) -> None:
    """Raise ValueError unless `scale` is (low, high) with 0 < low <= high."""
    numbers = isinstance(scale, tuple) and len(scale) == 2 and all(map(_is_number, scale))
    if not numbers or not 0 < scale[0] <= scale[1] < math.inf:
        raise ValueError(f"scale must be (low, high), 0 < low <= high; got {scale!r}")


def check_strength(name: str, value: float) -> None:
    """Raise ValueError unless a strength of `colour_jitter` is from 0 to 1."""
    if not _is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a number from 0 to 1; got {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _check_image(image: np.ndarray) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be uint8 (H, W, 3); got {image.dtype} {image.shape}")


def check_size(size: tuple[int, int]) -> None:
    """Raise ValueError unless `size` is (H, W), two positive integers."""
    if len(size) != 2 or not all(isinstance(n, int | np.integer) and n > 0 for n in size):
        raise ValueError(f"size must be (height, width), two positive integers; got {size}")
