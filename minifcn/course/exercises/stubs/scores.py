"""Exercise scores: how good a segmentation is.

confusion_matrix(truth, prediction, num_classes, void) -> matrix
intersection_over_union(matrix) -> one score a class
mean_iu(matrix) -> a float

truth, prediction  int64 arrays of one shape, (N, H, W) for example: a label for each pixel
num_classes        C: classes have the labels 0 to C - 1
void               the label, in truth, of pixels that do not count, whatever is predicted there. It
                   may be any number: 255, -1, or one of 0 to C - 1, too. prediction has only labels
                   from 0 to C - 1, and does not decide whether a pixel counts
matrix             (C, C), int64: matrix[i, j] is how many pixels of the true class i were predicted
                   as class j. Void pixels are left out

The intersection over union of a class: of the pixels that are of this class in the truth, in the
prediction, or in both, the share of those that are so in both. It is NaN for a class that is in
neither; the result is a float64 array of shape (C,). A class that is in one of them only has 0.

mean_iu: the mean over the classes that have one, each of the same weight.

Arguments must come back unchanged.

An example, C = 3, void 255:

    truth       0 0 1 255     matrix  1 1 0     intersection over union  1/2  1/2  NaN
    prediction  0 1 1 2               0 1 0     mean                     1/2
                                      0 0 0
"""

import numpy as np


def confusion_matrix(truth, prediction, num_classes, void):
    """Return the matrix."""
    raise NotImplementedError


def intersection_over_union(matrix):
    """Return one score a class."""
    raise NotImplementedError


def mean_iu(matrix):
    """Return the mean of the scores."""
    raise NotImplementedError
