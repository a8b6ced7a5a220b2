"""Training batches, each a function of the seed and the iteration alone."""

from collections.abc import Callable

import numpy as np

from minifcn.data.dataset import Dataset, Sample
from minifcn.data.transforms import (
    IMAGENET,
    check_scale,
    check_size,
    check_strength,
    colour_jitter,
    pad_to,
    random_flip,
    random_scaled_window,
    random_window,
)

ORDER, AUGMENTATION = 4, 5
"""What a stream of random numbers is for; a scene of shapes.py uses 1 to 3."""


class Batches:
    """Shuffled, augmented batches of a dataset.

    `batch(iteration)` needs nothing from the batches before, so a training that is resumed at any
    iteration reads the same bits as one that never stopped. Each epoch visits every sample once, in
    an order of its own; a batch may reach into the next epoch, so every batch is full.

    `crop` = (H, W) cuts random windows of that size, out of samples resized by a random factor
    from low to high of `scale`; `jitter` changes brightness, contrast and saturation by up to that
    share; `flip` mirrors half of the samples (see transforms.py for each). `normalise` makes
    float32 (3, H, W) of an image. Several threads may ask for batches at a time if they may
    read the dataset so.

    Raises ValueError for an empty dataset, a batch size, seed, scale or jitter that is out of
    range, or a scale without a crop.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        crop: tuple[int, int] | None = None,
        flip: bool = False,
        scale: tuple[float, float] | None = None,
        jitter: float = 0.0,
        seed: int = 0,
        normalise: Callable[[np.ndarray], np.ndarray] = IMAGENET,
    ):
        if len(dataset) == 0:
            raise ValueError("dataset must have at least one sample; got an empty one")
        check_at_least("batch_size", batch_size, 1)
        check_at_least("seed", seed, 0)
        _check_augmentation(crop, scale, jitter)
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed
        self.crop, self.flip, self.scale, self.jitter = crop, flip, scale, jitter
        self.normalise = normalise
        self._known = -1, np.empty(0, np.int64)  # one tuple: threads see both or neither

    def batch(self, iteration: int) -> tuple[np.ndarray, np.ndarray]:
        """Images, float32 (N, 3, H, W), normalised, and labels, int64 (N, H, W), with VOID = 255.

        Raises ValueError if the samples differ in size and there is no `crop`.
        """
        check_at_least("iteration", iteration, 0)
        generator = np.random.default_rng([self.seed, AUGMENTATION, iteration])
        samples = [self._augment(*self.dataset[i], generator) for i in self.indices(iteration)]
        _check_equal_sizes(samples)
        images = np.stack([self.normalise(image) for image, _ in samples])
        return images, np.stack([mask for _, mask in samples], dtype=np.int64)

    def indices(self, iteration: int) -> list[int]:
        """Which samples are in this iteration's batch."""
        first = iteration * self.batch_size
        return [self._index(position) for position in range(first, first + self.batch_size)]

    def _index(self, position: int) -> int:
        """The sample at this position of the endless sequence of epochs."""
        epoch, place = divmod(position, len(self.dataset))
        known, order = self._known
        if epoch != known:
            generator = np.random.default_rng([self.seed, ORDER, epoch])
            order = generator.permutation(len(self.dataset))
            self._known = epoch, order
        return int(order[place])

    def _augment(
        self, image: np.ndarray, mask: np.ndarray, generator: np.random.Generator
    ) -> Sample:
        if self.crop is not None and self.scale is not None:
            image, mask = random_scaled_window(image, mask, self.scale, self.crop, generator)
        elif self.crop is not None:
            image, mask = random_window(image, mask, self.crop, generator)
        if self.jitter:
            image = colour_jitter(image, generator, self.jitter, self.jitter, self.jitter)
        if self.crop is not None:
            image, mask = pad_to(image, mask, self.crop)
        if self.flip:
            image, mask = random_flip(image, mask, generator)
        return image, mask


def _check_augmentation(
    crop: tuple[int, int] | None, scale: tuple[float, float] | None, jitter: float
) -> None:
    if crop is not None:
        check_size(crop)
    if scale is not None:
        check_scale(scale)
        if crop is None:
            raise ValueError(
                f"scale needs a crop, so that samples of a batch have equal sizes; got {scale}"
                " without one"
            )
    check_strength("jitter", jitter)


def check_at_least(name: str, value: int, least: int) -> None:
    """Raise ValueError unless `value` is an integer of at least `least`."""
    if not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}; got {value!r}")


def _check_equal_sizes(samples: list[Sample]) -> None:
    sizes = sorted({mask.shape for _, mask in samples})
    if len(sizes) > 1:
        raise ValueError(
            f"samples of a batch must have equal sizes; got {sizes[0]} and {sizes[-1]}: "
            "give the dataset a size, or the batches a crop"
        )
