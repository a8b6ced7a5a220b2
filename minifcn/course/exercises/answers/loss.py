"""Answer to exercise loss: the logarithm of softmax without large numbers, at the true class."""

import numpy as np


def cross_entropy(scores, labels, void):
    """Subtract each pixel's largest score first: p stays the same, and exp stays small."""
    counts = labels != void
    count = max(counts.sum(), 1)
    true_class = np.where(counts, labels, 0)[:, None]
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    losses = -np.take_along_axis(log_p, true_class, axis=1)[:, 0]
    gradient = np.exp(log_p)
    gradient -= np.arange(scores.shape[1])[:, None, None] == true_class
    return float(losses[counts].sum() / count), gradient * counts[:, None] / count
