"""What a pretrained network gives for a photo, held against what PyTorch gives for it."""

import numpy as np

from minifcn import Tensor, no_grad
from minifcn.data.images import read_image
from minifcn.experiments.heatmap.photos import resize
from minifcn.models.pretrained import PHOTOS, locate


def check_scores(network, photo, reference):
    """reference: from an array of images (1, 3, H, W) to an array of scores."""
    pixels = resize(read_image(locate(PHOTOS[photo])), (200, 301))
    x = network.prepare(pixels)[np.newaxis]
    expected = reference(x)
    with no_grad():
        found = network.load()(Tensor(x)).data
    assert np.linalg.norm(found - expected) <= 1e-4 * np.linalg.norm(expected)
    assert found.argmax() == expected.argmax()
