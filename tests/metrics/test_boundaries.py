import numpy as np
import pytest

from minifcn.metrics import ConfusionMatrix
from minifcn.metrics.boundaries import BoundaryIU, rim, trimap

VOID = 255


def draw(shape, classes=3, seed=0):
    """Blocks of labels, so that there are regions; and a few void pixels."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, classes, (shape[0], -(-shape[1] // 4), -(-shape[2] // 3)))
    labels = coarse.repeat(4, 1).repeat(3, 2)[:, : shape[1], : shape[2]].astype(np.uint8)
    labels[generator.random(labels.shape) < 0.02] = VOID
    return labels


def window(labels, n, h, w, distance):
    """All pixels of image n within a distance of (h, w), the image's own."""
    return labels[
        n, max(0, h - distance) : h + distance + 1, max(0, w - distance) : w + distance + 1
    ]


# -- The trimap ----------------------------------------------------------------------------------


def test_a_trimap_by_hand():
    truth = np.array([[0, 0, 0, 0, 1, 1, 1, 1]] * 3)
    expected = [[VOID, VOID, VOID, 0, 1, VOID, VOID, VOID]] * 3
    np.testing.assert_array_equal(trimap(truth, 1), expected)
    expected = [[VOID, VOID, 0, 0, 1, 1, VOID, VOID]] * 3
    np.testing.assert_array_equal(trimap(truth, 2), expected)


def test_a_corner_is_near_in_both_directions():
    truth = np.zeros((5, 5), int)
    truth[0, 0] = 1
    expected = np.full((5, 5), VOID)
    expected[:2, :2] = truth[:2, :2]
    np.testing.assert_array_equal(trimap(truth, 1), expected)


@pytest.mark.parametrize("radius", [1, 2, 3, 30])
def test_trimap_is_its_definition(radius):
    truth = draw((2, 17, 13))
    kept = trimap(truth, radius)
    assert kept.dtype == truth.dtype
    for n, h, w in np.ndindex(truth.shape):
        near = (window(truth, n, h, w, radius) != truth[n, h, w]).any()
        assert kept[n, h, w] == (truth[n, h, w] if near else VOID)


def test_a_trimap_leaves_the_truth_alone_and_ignores_one_label():
    truth = draw((1, 9, 9))
    before = truth.copy()
    trimap(truth, 1)
    np.testing.assert_array_equal(truth, before)
    assert (trimap(np.ones((4, 4), int), 2, ignore_index=7) == 7).all()


def test_scores_in_the_band():
    truth = np.array([[0, 0, 0, 0, 1, 1, 1, 1]])
    prediction = np.array([[1, 0, 0, 0, 0, 1, 1, 1]])
    matrix = ConfusionMatrix(2)
    matrix.update(trimap(truth, 2), prediction)
    np.testing.assert_array_equal(matrix.counts, [[2, 0], [1, 1]])


# -- The boundary IU -----------------------------------------------------------------------------


def test_a_rim_by_hand():
    mask = np.zeros((7, 7), bool)
    mask[1:6, 1:6] = True
    inner = np.zeros((7, 7), bool)
    inner[2:5, 2:5] = True
    np.testing.assert_array_equal(rim(mask, 1), mask & ~inner)
    inner[...] = False
    inner[3, 3] = True
    np.testing.assert_array_equal(rim(mask, 2), mask & ~inner)
    np.testing.assert_array_equal(rim(mask, 3), mask)


@pytest.mark.parametrize("distance", [1, 2, 5])
def test_rim_is_its_definition(distance):
    mask = draw((2, 17, 13)) == 1
    found = rim(mask, distance)
    for n, h, w in np.ndindex(mask.shape):
        near = window(mask, n, h, w, distance)
        inside = near.all() and near.size == (2 * distance + 1) ** 2
        assert found[n, h, w] == (mask[n, h, w] and not inside)


def test_boundary_iu_by_hand():
    """A 10x10 square, moved to the right by one pixel; a rim has 36 pixels."""
    truth, prediction = np.zeros((2, 14, 14), int)
    truth[2:12, 2:12], prediction[2:12, 3:13] = 1, 1
    counts = BoundaryIU(2, 1)
    counts.update(truth, prediction)
    # Both rims have the upper and the lower row, less one pixel each; the sides are apart.
    assert counts.intersections[1] == 2 * 9
    assert counts.unions[1] == 2 * 36 - 2 * 9
    assert counts.iu[1] == 18 / 54


@pytest.mark.parametrize("distance", [1, 3])
def test_boundary_iu_is_its_definition_with_void_nowhere(distance):
    truth, prediction = draw((3, 17, 13)), draw((3, 17, 13), seed=1)
    prediction[prediction == VOID] = 0
    counts = BoundaryIU(3, distance)
    for n in range(3):  # image by image, as a data set comes
        counts.update(truth[n], prediction[n])
    counted = truth != VOID
    for label in range(3):
        both = [rim((m == label) & counted, distance) for m in (truth, prediction)]
        expected = (both[0] & both[1]).sum() / (both[0] | both[1]).sum()
        assert counts.iu[label] == expected
    assert counts.mean_iu == pytest.approx(counts.iu.mean())
    moved = prediction.copy()
    moved[truth == VOID] = 2
    again = BoundaryIU(3, distance)
    again.update(truth, moved)
    np.testing.assert_array_equal(again.iu, counts.iu)


def test_it_sees_what_the_iu_does_not():
    """A large square with coarse edges: nearly perfect by area, poor at the rim."""
    truth, prediction = np.zeros((2, 64, 64), int)
    truth[8:56, 8:56], prediction[10:58, 10:58] = 1, 1
    matrix, counts = ConfusionMatrix(2), BoundaryIU(2, 2)
    matrix.update(truth, prediction)
    counts.update(truth, prediction)
    assert matrix.iu[1] > 0.8
    assert counts.iu[1] < 0.1


def test_absent_classes_have_no_score():
    counts = BoundaryIU(3, 1)
    assert np.isnan(counts.mean_iu)
    counts.update(np.zeros((4, 4), int), np.zeros((4, 4), int))
    assert counts.iu[0] == 1
    assert np.isnan(counts.iu[1:]).all()
    assert counts.mean_iu == 1
    counts.update(np.zeros((4, 4), int), np.ones((4, 4), int))
    assert counts.iu[1] == 0
    assert counts.iu[0] == 0.5
    assert counts.mean_iu == 0.25


# -- Errors --------------------------------------------------------------------------------------


def test_wrong_arguments():
    plane = np.zeros((3, 3), int)
    with pytest.raises(ValueError, match="radius must be at least 1; got 0"):
        trimap(plane, 0)
    with pytest.raises(TypeError, match="truth must hold integer labels, got dtype float64"):
        trimap(np.zeros((3, 3)), 1)
    with pytest.raises(ValueError, match=r"truth must have at least two axes .* got shape \(3,\)"):
        trimap(plane[0], 1)
    with pytest.raises(ValueError, match="num_classes must be at least 1; got 0"):
        BoundaryIU(0, 1)
    with pytest.raises(ValueError, match="distance must be at least 1; got 0"):
        BoundaryIU(1, 0)


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        ([[0, 3]], [[0, 0]], "truth labels must be 0 .. 1 or ignore_index 255, got 3"),
        ([[0, 0]], [[0, -1]], "prediction labels must be 0 .. 1, got -1"),
        ([[0, 0]], [[0, 255]], "prediction labels must be 0 .. 1, got 255"),
        ([[0, 0]], [[0]], r"prediction must have the shape of truth \(1, 2\), got \(1, 1\)"),
    ],
)
def test_wrong_labels_change_nothing(truth, prediction, message):
    counts = BoundaryIU(2, 1)
    with pytest.raises(ValueError, match=message):
        counts.update(truth, prediction)
    assert not counts.unions.any()
