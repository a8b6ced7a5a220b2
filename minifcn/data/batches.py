"""Training batches, each a function of the seed and the iteration alone."""

from collections.abc import Callable

import numpy as np

from minifcn.data.dataset import Dataset, Sample
from minifcn.data.transforms import IMAGENET, check_size, random_crop, random_flip

ORDER, AUGMENTATION = 4, 5
"""What a stream of random numbers is for; a scene of shapes.py uses 1 to 3."""


class Batches:
    """Shuffled, augmented batches of a dataset.

    `batch(iteration)` needs nothing from the batches before, so a training that is resumed at any
    iteration reads the same bits as one that never stopped. Each epoch visits every sample once, in
    an order of its own; a batch may reach into the next epoch, so every batch is full.

    `crop` = (H, W) cuts random windows of that size, `flip` mirrors half of the samples, and
    `normalise` makes an image a network's input.
    Raises ValueError for an empty dataset, a batch size or seed that is out of range.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        crop: tuple[int, int] | None = None,
        flip: bool = False,
        seed: int = 0,
        normalise: Callable[[np.ndarray], np.ndarray] = IMAGENET,
    ):
        if len(dataset) == 0:
            raise ValueError("dataset must have at least one sample; got an empty one")
        _check_at_least("batch_size", batch_size, 1)
        _check_at_least("seed", seed, 0)
        if crop is not None:
            check_size(crop)
        self.dataset, self.batch_size, self.seed = dataset, batch_size, seed
        self.crop, self.flip, self.normalise = crop, flip, normalise
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def batch(self, iteration: int) -> tuple[np.ndarray, np.ndarray]:
        """Images, float32 (N, 3, H, W), normalised, and labels, int64 (N, H, W), with VOID = 255.

        Raises ValueError if the samples differ in size and there is no `crop`.
        """
        _check_at_least("iteration", iteration, 0)
        generator = np.random.default_rng([self.seed, AUGMENTATION, iteration])
        samples = [self._augment(*self.dataset[i], generator) for i in self.indices(iteration)]
        _check_equal_sizes(samples)
        images = np.stack([self.normalise(image) for image, _ in samples])
        return images, np.stack([mask for _, mask in samples]).astype(np.int64)

    def indices(self, iteration: int) -> list[int]:
        """Which samples are in this iteration's batch."""
        first = iteration * self.batch_size
        return [self._index(position) for position in range(first, first + self.batch_size)]

    def _index(self, position: int) -> int:
        """The sample at this position of the endless sequence of epochs."""
        epoch, place = divmod(position, len(self.dataset))
        if epoch != self._epoch:
            generator = np.random.default_rng([self.seed, ORDER, epoch])
            self._epoch, self._order = epoch, generator.permutation(len(self.dataset))
        return int(self._order[place])

    def _augment(
        self, image: np.ndarray, mask: np.ndarray, generator: np.random.Generator
    ) -> Sample:
        if self.crop is not None:
            image, mask = random_crop(image, mask, self.crop, generator)
        if self.flip:
            image, mask = random_flip(image, mask, generator)
        return image, mask


def _check_at_least(name: str, value: int, least: int) -> None:
    if not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}; got {value!r}")


def _check_equal_sizes(samples: list[Sample]) -> None:
    sizes = sorted({mask.shape for _, mask in samples})
    if len(sizes) > 1:
        raise ValueError(
            f"samples of a batch must have equal sizes; got {sizes[0]} and {sizes[-1]}: "
            "give the dataset a size, or the batches a crop"
        )
