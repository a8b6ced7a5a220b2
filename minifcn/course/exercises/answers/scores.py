"""Answer to exercise scores: each pair of labels becomes one number, and numbers are counted."""

import numpy as np


def confusion_matrix(truth, prediction, num_classes, void):
    """Count the pairs (i, j) as the numbers i * C + j."""
    counts = truth != void
    pairs = truth[counts] * num_classes + prediction[counts]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def intersection_over_union(matrix):
    """Divide the diagonal by the union; the pixels in both are in the row and in the column."""
    both = np.diag(matrix)
    union = matrix.sum(axis=1) + matrix.sum(axis=0) - both
    scores = np.full(len(matrix), np.nan)
    return np.divide(both, union, out=scores, where=union > 0)


def mean_iu(matrix):
    """Leave out the classes that have no score."""
    return np.nanmean(intersection_over_union(matrix))
