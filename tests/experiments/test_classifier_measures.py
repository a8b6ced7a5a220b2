"""How a classifier's maps are judged, against numbers computed by hand and by loops."""

import numpy as np
import pytest

from minifcn import Tensor
from minifcn.experiments.classifier import measures
from minifcn.metrics import ConfusionMatrix
from minifcn.models.classifier import Classifier


def one_row(*scores):
    """Score maps (1, C, 1, W) from the scores of each class along a row."""
    return np.array(scores, float)[None, :, None]


def random_scene(seed, count=5):
    rng = np.random.default_rng(seed)
    truth = np.zeros((count, 12, 10), np.uint8)
    truth[:, 2:6, 3:8] = rng.integers(1, 4, (count, 1, 1))
    truth[:, 8:11, 1:4] = rng.integers(1, 4, (count, 1, 1))
    return rng.standard_normal((count, 3, 12, 10)), truth


# -- Evidence and masks --------------------------------------------------------------------------


def test_evidence_by_hand():
    values, best = measures.evidence(one_row([3, 0, 1], [0, 6, 1], [0, 0, 1]))
    np.testing.assert_allclose(values[0, 0], [2, 4, 0])
    assert best[0, 0].tolist() == [1, 2, 1]


def test_evidence_ignores_what_is_added_to_all_classes():
    maps, _ = random_scene(0)
    shifted = maps + np.random.default_rng(1).standard_normal((5, 1, 12, 10))
    for own, other in zip(measures.evidence(maps), measures.evidence(shifted), strict=True):
        np.testing.assert_allclose(own, other, atol=1e-12)


def test_segment_by_hand():
    maps = one_row([3, 0, 1.0], [0, 6, 1], [0, 0, 1])  # evidence 2, 4, 0
    assert measures.segment(maps, threshold=4)[0, 0].tolist() == [0, 2, 0]
    assert measures.segment(maps, threshold=3.9)[0, 0].tolist() == [0, 2, 0]
    assert measures.segment(maps, threshold=2)[0, 0].tolist() == [1, 2, 0]
    assert measures.segment(maps, share=0.51)[0, 0].tolist() == [0, 2, 0]
    assert measures.segment(maps, share=0.49)[0, 0].tolist() == [1, 2, 0]
    assert measures.segment(maps)[0, 0].tolist() == [1, 2, 0]


def test_a_share_is_of_each_images_own_maximum():
    maps = np.concatenate([one_row([3, 0], [0, 1]), 10 * one_row([3, 0], [0, 1])])
    one, ten = measures.segment(maps, share=0.5)
    assert one.tolist() == ten.tolist() == [[1, 0]]
    assert measures.segment(maps, threshold=4)[:, 0].tolist() == [[0, 0], [1, 2]]


def test_the_chosen_threshold_is_the_best_of_all():
    maps, truth = random_scene(3)
    chosen = measures.choose_threshold(maps, truth, candidates=20)
    values, _ = measures.evidence(maps)
    scores = {}
    for k in range(20):
        threshold = np.quantile(values, k / 20)
        matrix = ConfusionMatrix(4)
        for own, labels in zip(maps, truth, strict=True):
            matrix.update(labels, measures.segment(own[None], threshold)[0])
        scores[float(threshold)] = matrix.mean_iu
    assert len(set(scores.values())) > 10
    assert chosen == max(scores, key=scores.get)


# -- The pointing game ---------------------------------------------------------------------------


def test_pointing_by_hand():
    truth = np.zeros((6, 6), int)
    truth[1, 1], truth[4, 4:] = 1, 3
    maps = np.zeros((3, 6, 6))
    maps[0, 1, 4] = 1  # 3 pixels from the object of class 1
    maps[1, 0, 0] = 1  # class 2 is not in the scene: not asked
    maps[2, 4, 5] = 1  # on the object of class 3
    assert list(measures.point(maps, truth, near=3)) == [(1, False, True), (3, True, True)]
    assert list(measures.point(maps, truth, near=2.9)) == [(1, False, False), (3, True, True)]
    counts = measures.pointing(np.stack([maps, maps]), np.stack([truth, truth]), near=3)
    assert counts.tolist() == [[2, 0, 2], [0, 0, 0], [2, 2, 2]]


def test_pointing_by_loops():
    maps, truth = random_scene(5, count=8)
    expected = np.zeros((3, 3), int)
    for scores, labels in zip(maps, truth, strict=True):
        for c in range(3):
            pixels = [(i, j) for i in range(12) for j in range(10) if labels[i, j] == c + 1]
            if not pixels:
                continue
            top = max(((i, j) for i in range(12) for j in range(10)), key=lambda p: scores[c][p])
            away = min((top[0] - i) ** 2 + (top[1] - j) ** 2 for i, j in pixels)
            expected[c] += (1, away == 0, away <= 4)
    assert measures.pointing(maps, truth, near=2).tolist() == expected.tolist()
    asked, hit, near = expected.sum(0)
    assert 0 < hit < near < asked


def test_the_peak_is_the_first_of_equals():
    assert measures.peak(np.array([[0, 1, 0], [0, 0, 1]])) == (0, 1)


def test_chance_is_the_share_of_a_class():
    truth = np.array([[[0, 1], [1, 2]], [[0, 0], [0, 3]]])
    assert measures.chance(truth) == pytest.approx((2 / 4 + 1 / 4 + 1 / 4) / 3)


def test_chance_to_be_near_by_loops():
    _, truth = random_scene(5, count=3)
    for near in (0, 1, 1.5, 4):
        shares = []
        for labels in truth:
            for label in set(labels.flat) - {0}:
                pixels = np.argwhere(labels == label)
                away = [np.hypot(*(pixels - at).T).min() for at in np.ndindex(labels.shape)]
                shares.append(np.mean(np.array(away) <= near))
        assert measures.chance(truth, near) == pytest.approx(np.mean(shares))
    assert measures.chance(truth) == measures.chance(truth, 0) < measures.chance(truth, 4) < 1


def test_what_surrounds_a_pixel_is_a_disc():
    region = np.zeros((5, 6), bool)
    region[2, 0] = True
    assert (measures.surroundings(region, 0) == region).all()
    assert np.argwhere(measures.surroundings(region, 1)).tolist() == [
        [1, 0],
        [2, 0],
        [2, 1],
        [3, 0],
    ]
    assert measures.surroundings(region, 1.5).sum() == 6
    assert not measures.surroundings(region, 3)[0, 5]


def test_the_middle_is_pointed_at_whatever_is_there():
    _, truth = random_scene(2, count=4)
    maps = measures.centred(truth, 3)
    assert maps.shape == (4, 3, 12, 10)
    assert {measures.peak(own) for own in maps.reshape(12, 12, 10)} == {(6, 5)}


def test_pointing_at_random_hits_as_often_as_chance():
    truth = np.zeros((4000, 6, 6), int)
    truth[:, 2:4, 1:4] = 1
    maps = np.random.default_rng(0).random((4000, 1, 6, 6))
    asked, hit, near = measures.pointing(maps, truth, near=1)[0]
    assert measures.chance(truth[:1]) == pytest.approx(6 / 36)
    assert measures.chance(truth[:1], near=1) == pytest.approx(16 / 36)
    assert hit / asked == pytest.approx(6 / 36, abs=0.02)
    assert near / asked == pytest.approx(16 / 36, abs=0.03)


# -- The identity --------------------------------------------------------------------------------


@pytest.fixture
def classifier():
    model = Classifier(
        3, widths=(4,), depths=(1,), head_width=5, generator=np.random.default_rng(0)
    )
    model.classifier.bias.data[...] = (0.5, -2, 1)
    model.to(dtype=np.float64).eval()
    return model


def test_only_the_bias_as_it_is_gives_the_logit(classifier):
    images = np.random.default_rng(1).standard_normal((3, 3, 8, 6))
    largest = np.abs(classifier(Tensor(images)).data).max()
    before = classifier.state_dict()
    assert measures.identity_error(classifier, images) < 1e-14
    left_out = measures.identity_error(classifier, images, bias=0.0)
    assert left_out == pytest.approx(2 / largest)
    divided = measures.identity_error(classifier, images, bias=None)
    assert divided == pytest.approx((2 - 2 / 12) / largest)  # 4x3 cells
    for name, array in classifier.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
