"""SqueezeNet 1.1: the network itself, against PyTorch, and where its cells lie."""

import numpy as np
import pytest
from installed import need

from minifcn import Tensor, no_grad
from minifcn.data.images import read_image
from minifcn.experiments.heatmap.photos import resize
from minifcn.models.pretrained import NETWORKS, PHOTOS, locate
from minifcn.models.squeezenet import SqueezeNet
from minifcn.weights import read_numpy_pickle

NETWORK = NETWORKS["squeezenet1.1"]
SIZES = [(17, 17), (18, 32), (33, 70), (64, 97)]


@pytest.fixture(scope="module")
def model():
    """A network with random weights and ten classes, in float64."""
    network = SqueezeNet(10, generator=np.random.default_rng(0)).to(dtype=np.float64)
    generator = np.random.default_rng(1)
    for name, value in network.named_tensors():
        if name.endswith("bias"):
            value.data[...] = 0.3 * generator.standard_normal(value.shape)
    return network


def images(size, seed=2):
    return Tensor(np.random.default_rng(seed).standard_normal((2, 3, *size)))


def reference(torch, weights, x):
    """SqueezeNet 1.1 in PyTorch's functions, from {'fire2/squeeze1x1': (weight, bias), ...}."""
    functional = torch.nn.functional

    def convolve(x, name, **options):
        return functional.conv2d(x, *weights[name], **options).relu()

    def fire(x, number):
        x = convolve(x, f"fire{number}/squeeze1x1")
        halves = [convolve(x, f"fire{number}/expand1x1")]
        halves.append(convolve(x, f"fire{number}/expand3x3", padding=1))
        return torch.cat(halves, 1)

    def pool(x):
        return functional.max_pool2d(x, 3, 2, ceil_mode=True)

    x = pool(convolve(x, "conv1", stride=2))
    x = pool(fire(fire(x, 2), 3))
    x = pool(fire(fire(x, 4), 5))
    for number in (6, 7, 8, 9):
        x = fire(x, number)
    return convolve(x, "conv10").mean((2, 3))


@pytest.mark.oracle
@pytest.mark.parametrize("size", SIZES)
def test_random_weights_give_what_pytorch_gives(model, size):
    torch = pytest.importorskip("torch")
    state = {name: torch.from_numpy(array) for name, array in model.state_dict().items()}
    layers = [name.removesuffix(".weight") for name in state if name.endswith("weight")]
    weights = {
        name.replace(".", "/"): (state[f"{name}.weight"], state[f"{name}.bias"]) for name in layers
    }
    assert len(weights) == 26
    x = images(size)
    expected = reference(torch, weights, torch.from_numpy(x.data)).numpy()
    assert expected.max() > 0
    with no_grad():
        np.testing.assert_allclose(model(x).data, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.oracle
@pytest.mark.parametrize("photo", ["chelsea", "coffee", "rocket", "china"])
def test_the_file_gives_what_pytorch_gives_from_it(photo):
    torch = pytest.importorskip("torch")
    need(NETWORK.weights, PHOTOS[photo])
    weights = {
        name: (torch.from_numpy(weight).permute(3, 2, 0, 1), torch.from_numpy(bias))
        for name, (weight, bias) in read_numpy_pickle(locate(NETWORK.weights)).items()
    }
    pixels = resize(read_image(locate(PHOTOS[photo])), (200, 301))
    x = NETWORK.prepare(pixels)[np.newaxis]
    expected = reference(torch, weights, torch.from_numpy(x)).numpy()
    with no_grad():
        found = NETWORK.load()(Tensor(x)).data
    assert np.linalg.norm(found - expected) <= 1e-4 * np.linalg.norm(expected)
    assert found.argmax() == expected.argmax()


@pytest.mark.parametrize(
    ("size", "cells"), [((17, 32), (1, 1)), ((33, 70), (2, 4)), ((227, 227), (14, 14))]
)
def test_the_mean_of_the_map_is_the_classifiers_score(model, size, cells):
    with no_grad():
        features = model.features(images(size))
        scores, logits = model.score_map(features), model.classify(features)
    assert features.shape == (2, 512, *cells)
    assert scores.shape == (2, 10, *cells)
    assert scores.data.min() >= 0
    np.testing.assert_allclose(scores.data.mean((2, 3)), logits.data, rtol=1e-12)


def test_where_the_cells_lie(model):
    """Centres: 2j + 1 after the first convolution, 4j + 3, 8j + 7 and 16j + 15 after poolings."""
    to_pixels = model.to_cells(300).inverse()
    assert (to_pixels(0), to_pixels(1)) == (15, 31)


def test_an_impulse_is_seen_by_the_cell_it_is_mapped_to(model):
    """The pixel that changes a cell's features most is near the cell's centre."""
    base = np.full((1, 3, 131, 131), 0.5)
    with no_grad():
        plain = model.features(Tensor(base)).data
        for cell in (3, 4):
            pixel = int(model.to_cells(131).inverse()(cell))
            changed = base.copy()
            changed[:, :, pixel - 1 : pixel + 2, pixel - 1 : pixel + 2] += 1
            change = np.abs(model.features(Tensor(changed)).data - plain).sum((0, 1))
            assert np.unravel_index(change.argmax(), change.shape) == (cell, cell)


@pytest.mark.parametrize("shape", [(3, 40, 40), (1, 4, 40, 40), (1, 3, 16, 40), (1, 3, 40, 16)])
def test_wrong_images_are_refused(model, shape):
    with pytest.raises(ValueError, match=r"images must be \(N, 3, H, W\) with H and W at least 17"):
        model(Tensor(np.zeros(shape)))
