"""Networks that score images of any size: what is checked of each."""

import itertools

import numpy as np

from minifcn import Tensor, no_grad

SIZES = (1, 31, 32, 33, 70, 97)


def check_size_of_scores(model):
    """The scores of a model with 4 classes, in evaluation, have the height and width of images."""
    with no_grad():
        for height, width in itertools.permutations(SIZES, 2):
            scores = model(Tensor(np.ones((1, 3, height, width), np.float32)))
            assert scores.shape == (1, 4, height, width)
            assert scores.dtype == np.float32
