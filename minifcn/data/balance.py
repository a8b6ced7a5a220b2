"""Class weights that make up for classes of few pixels."""

import numpy as np

from minifcn.data.dataset import VOID, Dataset, InMemory
from minifcn.data.files import FilePairs

MOST_SAMPLES = 500
"""How many samples are counted where they are drawn, and without end."""


def balanced_weights(dataset: Dataset) -> np.ndarray:
    """Weigh each class by 1 / its share of the pixels, as scikit-learn's `balanced` does.

        weight of c = pixels / (classes that occur * pixels of class c)

    The weights of a dataset's pixels have the mean 1, and all classes that occur the same sum.
    VOID counts nowhere. A class that never occurs gets 0: no label asks for it, and smoothed
    labels should not either.

    Returns: float64 (number of classes,), for the argument `weight` of `cross_entropy`.
    Raises ValueError if every pixel is VOID.
    """
    counts = class_counts(dataset)
    occurs = counts > 0
    if not occurs.any():
        raise ValueError("dataset must have a pixel with a label; got masks that are all void")
    weights = np.zeros(len(counts))
    weights[occurs] = counts.sum() / (occurs.sum() * counts[occurs])
    return weights


def class_counts(dataset: Dataset) -> np.ndarray:
    """Pixels of each class: int64 (number of classes,).

    Masks in files are counted as they are there, all of them, and were read when the data was
    checked; of other datasets the first 500 samples are.
    """
    if isinstance(dataset, InMemory):
        return class_counts(dataset.dataset)
    if isinstance(dataset, FilePairs):
        return dataset.class_counts()
    counts = np.zeros(len(dataset.classes), np.int64)
    for i in range(min(len(dataset), MOST_SAMPLES)):
        _, mask = dataset[i]
        counts += np.bincount(mask[mask != VOID], minlength=len(counts))
    return counts
