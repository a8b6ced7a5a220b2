"""The confusion matrix: a hand-computed example, the definition in loops, and the edge cases."""

import json
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minifcn.metrics import ConfusionMatrix, format_table

VOID = 255
SCORES = ("pixel_accuracy", "mean_accuracy", "mean_iu", "fw_iu", "baseline_mean_iu")


def matrix_of(truth, prediction, num_classes, **options):
    matrix = ConfusionMatrix(num_classes, **options)
    matrix.update(np.array(truth), np.array(prediction))
    return matrix


@pytest.fixture
def example():
    """Four pixels of class 0, three of class 1, one of class 2, two ignored."""
    truth = [[0, 0, 0, 0, VOID], [1, 1, 1, 2, VOID]]
    prediction = [[0, 0, 0, 1, 2], [1, 1, 0, 1, 0]]
    return matrix_of(truth, prediction, 3)


def test_counts_have_truth_in_rows_and_prediction_in_columns(example):
    assert example.counts.tolist() == [[3, 1, 0], [1, 2, 0], [0, 1, 0]]
    assert example.counts.dtype == np.int64


def test_a_large_photo_is_counted_a_part_at_a_time():
    """Rather than with 24 bytes a pixel, each pixel once."""
    labels = np.arange(2**22 + 5, dtype=np.uint32).astype(np.uint8).reshape(3, -1)
    matrix = ConfusionMatrix(255, VOID)
    tracemalloc.start()
    try:
        matrix.update(labels, labels)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * labels.size
    counts = np.bincount(labels.ravel(), minlength=256)[:255]
    np.testing.assert_array_equal(matrix.counts, np.diag(counts))


def test_scores_of_the_example_computed_by_hand(example):
    assert example.pixel_accuracy == pytest.approx(5 / 8)
    assert example.mean_accuracy == pytest.approx((3 / 4 + 2 / 3 + 0 / 1) / 3)
    np.testing.assert_allclose(example.iu, [3 / 5, 2 / 5, 0 / 1])
    assert example.mean_iu == pytest.approx(1 / 3)
    assert example.fw_iu == pytest.approx((4 * 3 / 5 + 3 * 2 / 5 + 1 * 0) / 8)
    assert example.baseline_mean_iu == pytest.approx((4 / 8) / 3)


def test_baseline_is_the_score_of_predicting_the_most_frequent_class_everywhere(rng_labels):
    truth = rng_labels
    everywhere = matrix_of(truth, np.full_like(truth, 2), 6)
    assert np.bincount(truth.ravel()).argmax() == 2
    assert everywhere.baseline_mean_iu == pytest.approx(everywhere.mean_iu)


@pytest.fixture
def rng_labels():
    rng = np.random.default_rng(0)
    return rng.choice(6, size=(20, 30), p=[0.2, 0.1, 0.5, 0.1, 0.1, 0])


def counts_by_definition(truth, prediction, num_classes):
    counts = [[0] * num_classes for _ in range(num_classes)]
    for label, guess in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if label != VOID:
            counts[label][guess] += 1
    return counts


def mean_by_definition(values):
    return sum(values) / len(values) if values else math.nan


def scores_by_definition(counts):
    """Long et al. section 5 in plain Python, class by class."""
    num_classes = len(counts)
    rows = [sum(row) for row in counts]
    unions = [rows[i] + sum(row[i] for row in counts) - counts[i][i] for i in range(num_classes)]
    total, right = sum(rows), sum(counts[i][i] for i in range(num_classes))
    iu = [counts[i][i] / unions[i] if unions[i] else math.nan for i in range(num_classes)]
    in_truth = [i for i in range(num_classes) if rows[i]]
    return {
        "pixel_accuracy": right / total if total else math.nan,
        "mean_accuracy": mean_by_definition([counts[i][i] / rows[i] for i in in_truth]),
        "mean_iu": mean_by_definition([value for value in iu if not math.isnan(value)]),
        "fw_iu": sum(rows[i] * iu[i] for i in in_truth) / total if total else math.nan,
        "baseline_mean_iu": max(rows) / total / len(in_truth) if total else math.nan,
    }, iu


@st.composite
def label_pairs(draw):
    num_classes = draw(st.integers(1, 6))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
    dtype = draw(st.sampled_from([np.uint8, np.int16, np.int32, np.int64, np.uint64]))
    label = st.integers(0, num_classes - 1)
    truth = draw(hnp.arrays(dtype, shape, elements=label | st.just(VOID)))
    return num_classes, truth, draw(hnp.arrays(dtype, shape, elements=label))


@settings(max_examples=150, deadline=None)
@given(label_pairs())
def test_every_score_is_its_definition(case):
    num_classes, truth, prediction = case
    matrix = matrix_of(truth, prediction, num_classes)
    counts = counts_by_definition(truth, prediction, num_classes)
    scores, iu = scores_by_definition(counts)
    assert matrix.counts.tolist() == counts
    np.testing.assert_allclose(matrix.iu, iu)
    for name in SCORES:
        np.testing.assert_allclose(getattr(matrix, name), scores[name], err_msg=name)


def test_updates_add_up_to_one_matrix_not_to_a_mean_over_images():
    truth, prediction = np.array([[0, 1, 1], [0, 0, 0]]), np.array([[0, 0, 0], [0, 0, 0]])
    one_by_one = ConfusionMatrix(2)
    for image, guess in zip(truth, prediction, strict=True):
        one_by_one.update(image, guess)
    whole = matrix_of(truth, prediction, 2)
    assert (one_by_one.counts == whole.counts).all()
    assert whole.mean_iu == pytest.approx((4 / 6 + 0) / 2)


def test_swapped_arguments_transpose_the_counts(example):
    truth, prediction = [0, 0, 1, 2], [1, 0, 1, 1]
    straight, swapped = matrix_of(truth, prediction, 3), matrix_of(prediction, truth, 3)
    assert (straight.counts == swapped.counts.T).all()
    assert straight.mean_accuracy != swapped.mean_accuracy


def test_uint8_labels_of_200_classes_do_not_overflow():
    labels = np.arange(200, dtype=np.uint8)
    assert (matrix_of(labels, labels, 200).counts == np.eye(200)).all()


def test_class_absent_everywhere_has_no_score_and_enters_no_mean():
    matrix = matrix_of([0, 0, 2, 2], [0, 0, 2, 2], 3)
    np.testing.assert_array_equal(matrix.iu, [1, np.nan, 1])
    assert matrix.mean_iu == matrix.mean_accuracy == matrix.fw_iu == 1


def test_class_only_predicted_counts_in_mean_iu_but_not_in_mean_accuracy():
    matrix = matrix_of([0, 0, 0, 0], [0, 0, 0, 1], 2)
    np.testing.assert_array_equal(matrix.iu, [3 / 4, 0])
    assert matrix.mean_iu == pytest.approx(3 / 8)
    assert matrix.mean_accuracy == pytest.approx(3 / 4)
    assert matrix.baseline_mean_iu == 1


@pytest.mark.parametrize("truth", [np.full((2, 3), VOID), np.zeros((0, 3), int)])
def test_nothing_counted_gives_nan_without_a_warning(truth):
    matrix = matrix_of(truth, np.zeros_like(truth), 2)
    assert matrix.counts.sum() == 0
    assert np.isnan(matrix.iu).all()
    assert all(math.isnan(getattr(matrix, name)) for name in SCORES)


def test_prediction_is_free_where_the_truth_is_ignored():
    assert matrix_of([0, VOID], [0, VOID], 2).counts.sum() == 1


@pytest.mark.parametrize("ignore_index", [-1, 0, -100])
def test_another_ignore_index(ignore_index):
    matrix = matrix_of([ignore_index, 1], [1, 1], 2, ignore_index=ignore_index)
    assert matrix.counts.tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        ([0, 7], [0, 1], "truth labels must be 0 .. 1 or ignore_index 255, got 7"),
        ([0, -1], [0, 1], "truth .* got -1"),
        ([0, 1], [0, 2], "prediction labels must be 0 .. 1, got 2"),
        ([0, 1], [0, 255], "prediction .* got 255"),
        ([0, 1], [[0, 1]], r"prediction must have the shape of truth \(2,\), got \(1, 2\)"),
    ],
)
def test_wrong_labels_raise_and_leave_the_counts(truth, prediction, message):
    matrix = matrix_of([0], [1], 2)
    with pytest.raises(ValueError, match=message):
        matrix.update(np.array(truth), np.array(prediction))
    assert matrix.counts.tolist() == [[0, 1], [0, 0]]


def test_int8_prediction_is_compared_with_a_class_count_beyond_its_range():
    labels = np.array([100, -1], np.int8)
    with pytest.raises(ValueError, match="got -1"):
        ConfusionMatrix(200).update(np.array([100, 1]), labels)


@pytest.mark.parametrize("labels", [np.zeros(2), np.zeros(2, bool)])
def test_labels_that_are_not_integers_raise(labels):
    with pytest.raises(TypeError, match="truth must hold integer labels, got dtype"):
        ConfusionMatrix(2).update(labels, np.zeros(2, int))
    with pytest.raises(TypeError, match="prediction must hold integer labels"):
        ConfusionMatrix(2).update(np.zeros(2, int), labels)


def test_a_matrix_needs_a_class():
    with pytest.raises(ValueError, match="num_classes must be at least 1, got 0"):
        ConfusionMatrix(0)


def test_summary_goes_through_json(example):
    summary = example.summary(["sky", "road", "sign"])
    assert list(summary) == [
        "pixel_accuracy", "mean_accuracy", "mean_iu", "fw_iu", "iu", "baseline_mean_iu",
    ]  # fmt: skip
    assert summary["iu"] == {"sky": 3 / 5, "road": 2 / 5, "sign": 0}
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_summary_says_none_for_undefined():
    summary = ConfusionMatrix(2).summary(["a", "b"])
    assert summary.pop("iu") == {"a": None, "b": None}
    assert set(summary.values()) == {None}


@pytest.mark.parametrize("classes", [["a"], ["a", "b", "c"], ["a", "a"]])
def test_summary_wants_one_name_per_class(classes):
    with pytest.raises(ValueError, match="classes must be 2 different names"):
        ConfusionMatrix(2).summary(classes)


def test_table_lists_classes_totals_and_the_baseline():
    matrix = matrix_of([0, 0, 0, 2], [0, 0, 2, 2], 3)
    assert matrix.table(["sky", "bus", "road"]).splitlines() == [
        "class                    IU %",
        "-----------------------------",
        "sky                      66.7",
        "bus                    absent",
        "road                     50.0",
        "-----------------------------",
        "mean IU                  58.3",
        "baseline mean IU         37.5",
        "pixel accuracy           75.0",
        "mean accuracy            83.3",
        "frequency-weighted IU    62.5",
    ]


def test_table_of_an_empty_matrix():
    assert format_table(ConfusionMatrix(1).summary(["a"])).splitlines()[-1].endswith("     -")
