"""Linear probes: what they are asked, what they see, and their scores, by hand and by loops."""

import numpy as np
import pytest

from minifcn import Tensor
from minifcn import functional as F
from minifcn.data import Shapes
from minifcn.data.transforms import MEAN, STD
from minifcn.experiments.features import probes
from minifcn.experiments.scenes import read


def rng(seed=0):
    return np.random.default_rng(seed)


def normalised(colours):
    """Images (N, H, W, 3), colours from 0 to 1, as networks read them."""
    return ((colours - MEAN) / STD).transpose(0, 3, 1, 2).astype(np.float32)


@pytest.fixture(scope="module")
def scenes():
    return read(Shapes("val", 12))


# -- What is asked -------------------------------------------------------------------------------


def test_the_colour_is_the_mean_of_the_window():
    colours = rng().random((3, 12, 9, 3))
    asked = probes.colours(normalised(colours), 50, rng(1))
    for n, i, j, target in zip(*asked, strict=True):
        window = colours[n, i - 2 : i + 3, j - 2 : j + 3]
        assert window.shape == (5, 5, 3)
        np.testing.assert_allclose(target, window.mean((0, 1)), atol=1e-6)
    assert len(set(asked.scene)) == 3
    assert (asked.row.min(), asked.row.max()) == (2, 9)
    assert (asked.column.min(), asked.column.max()) == (2, 6)


@pytest.mark.parametrize(
    ("degrees", "bin"), [(0, 0), (30, 1), (45, 2), (90, 4), (150, 7), (175, 0)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_orientation_of_a_ramp(degrees, bin, sign):
    """A colour that rises by 0.02 a pixel in a direction; falling is the same orientation."""
    angle = np.deg2rad(degrees)
    y, x = np.mgrid[:9, :11]
    image = np.full((1, 9, 11, 3), 0.5)
    image[0, :, :, 1] += sign * 0.02 * (x * np.cos(angle) + y * np.sin(angle))
    image[0, :, :, 0] += 0.01 * x  # a weaker change in another channel does not matter
    found, length = probes.gradients(normalised(image))
    assert found.shape == length.shape == (1, 7, 9)
    np.testing.assert_allclose(length, 0.02, atol=1e-6)
    assert ((found >= 0) & (found < np.pi)).all()
    np.testing.assert_allclose(np.cos(2 * (found - angle)), 1, atol=1e-6)
    assert (np.round(found / (np.pi / 8)) % 8 == bin).all()


def test_orientations_are_asked_on_strong_edges_only(scenes):
    images, _ = scenes
    asked = probes.orientations(images, 160, rng())
    angle, length = probes.gradients(images)
    places = asked.scene, asked.row - 1, asked.column - 1
    assert length[places].min() >= 0.1
    assert np.median(length) < 0.05
    away = np.abs(angle[places] - asked.targets * np.pi / 8)
    assert np.minimum(away, np.pi - away).max() <= np.pi / 16 + 1e-9
    assert np.bincount(asked.targets).tolist() == [20] * 8


def test_shapes_are_asked_on_objects_as_often_each(scenes):
    images, masks = scenes
    asked = probes.shapes(masks, 100, rng())
    assert (masks[asked.scene, asked.row, asked.column] == asked.targets + 1).all()
    assert np.bincount(asked.targets).tolist() == [20] * 5
    assert len(set(asked.scene)) > 6


def test_every_class_must_be_there(scenes):
    _, masks = scenes
    with pytest.raises(ValueError, match="must show every class to probe for; none shows 3"):
        probes.shapes(np.where(masks == 4, 0, masks), 100, rng())


# -- What a probe sees ---------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [2, 8, 32])
def test_features_are_those_of_upsampled_maps(stride):
    maps = rng().standard_normal((3, 4, 64 // stride, 96 // stride))
    places = rng(1).integers((3, 64, 96), size=(200, 3)).T
    asked = probes.Positions(*places, np.zeros(200))
    upsampled = F.interpolate(Tensor(maps), scale_factor=stride, mode="bilinear").data
    expected = upsampled[places[0], :, places[1], places[2]]
    np.testing.assert_allclose(probes.interpolated(maps, stride, asked), expected, atol=1e-12)


def test_raw_pixels_are_what_a_filter_sees():
    images = rng().standard_normal((2, 3, 5, 6))
    weight = rng(1).standard_normal((7, 3, 3, 3))
    places = np.argwhere(np.ones((2, 5, 6))).T
    seen = probes.raw_patches(images, probes.Positions(*places, np.zeros(60)))
    expected = F.conv2d(Tensor(images), Tensor(weight), padding=1).data
    found = (seen @ weight.reshape(7, 27).T).reshape(2, 5, 6, 7).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found, expected, atol=1e-12)


# -- The probe -----------------------------------------------------------------------------------


def test_ridge_finds_a_linear_map():
    features = rng().standard_normal((300, 5)) * [1, 10, 0.1, 3, 1] + 7
    true = rng(1).standard_normal((5, 2))
    found = probes.ridge(features, features @ true + [3, -1], penalty=1e-12)
    np.testing.assert_allclose(found(features), features @ true + [3, -1], rtol=1e-6)


def test_ridge_minimises_the_penalised_squares():
    """No small change of the weights makes the objective smaller."""
    features, outputs = rng().standard_normal((80, 4)), rng(1).standard_normal((80, 2))
    found = probes.ridge(features, outputs, penalty=0.3)
    x = (features - features.mean(0)) / features.std(0)

    def objective(weight):
        errors = x @ weight - (outputs - outputs.mean(0))
        return (errors**2).sum() / len(x) + 0.3 * (weight**2).sum()

    least = objective(found.weight)
    for seed in range(20):
        assert objective(found.weight + 1e-3 * rng(seed).standard_normal((4, 2))) > least


def test_a_dead_feature_is_no_trouble():
    features = np.concatenate([rng().standard_normal((50, 2)), np.full((50, 1), 3.0)], axis=1)
    found = probes.ridge(features, features[:, :1])
    assert found.weight[2] == 0
    assert np.isfinite(found(features)).all()


def test_scores_by_hand():
    truth = np.array([[0.0, 0], [2, 4]])
    assert probes.r_squared(truth, truth) == 1
    assert probes.r_squared(truth, np.array([[1.0, 2], [1, 2]])) == 0
    assert probes.r_squared(truth, np.array([[0.0, 2], [2, 2]])) == 0.5
    labels = np.array([0, 0, 0, 0, 1, 1])
    assert probes.balanced_accuracy(labels, np.zeros(6, int)) == 0.5
    assert probes.balanced_accuracy(labels, np.array([0, 0, 0, 1, 1, 0])) == 0.625


def test_labels_are_read_off_what_tells_them_apart_and_not_off_noise():
    labels = np.repeat([0, 1, 2], 400)
    features = 0.3 * rng().standard_normal((1200, 6))
    features[np.arange(1200), labels] += 1
    noise = rng(1).standard_normal((1200, 6))
    even, odd = slice(0, None, 2), slice(1, None, 2)
    good, bad = probes.probe_all(
        [features[even], noise[even]], labels[even], [features[odd], noise[odd]], labels[odd]
    )
    assert good > 0.9
    assert abs(bad - 1 / 3) < 0.06


def test_numbers_are_scored_by_r_squared():
    features = rng().standard_normal((200, 3))
    outputs = features @ rng(1).standard_normal((3, 2))
    noisy = outputs + rng(2).standard_normal(outputs.shape)
    score = probes.probe(features[:100], noisy[:100], features[100:], noisy[100:])
    expected = probes.r_squared(noisy[100:], outputs[100:])
    assert score == pytest.approx(expected, abs=0.05)
    assert 0.2 < expected < 0.9
