"""Curves, bars and the confusion matrix: the numbers that the pictures hold."""

import numpy as np
import pytest
from PIL import Image

from minifcn.data.palettes import default_palette
from minifcn.plots import plot_beside, plot_confusion, plot_curves, plot_iou
from minifcn.plots.canvas import DPI
from minifcn.plots.confusion import percentage, row_shares
from minifcn.plots.runs import trailing_mean

NAN = float("nan")


def size_of(path):
    with Image.open(path) as picture:
        picture.load()
        return picture.size


def labels_of(axes):
    legend = axes.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def words_of(axes):
    return [text.get_text() for text in axes.texts]


@pytest.fixture
def log():
    """Sixty rows, with a validation every twenty."""
    scores = [None if i % 20 else 0.2 + i / 100 for i in range(60)]
    return {
        "iteration": list(range(60)),
        "loss": [2.0 * 0.9**i for i in range(60)],
        "learning_rate": [0.1] * 60,
        "mean_iu": scores,
        "pixel_accuracy": [NAN if score is None else score + 0.1 for score in scores],
    }


def test_curves_hold_the_log(tmp_path, drawn, log):
    path = tmp_path / "a.png"
    plot_curves(path, log, baseline_mean_iu=0.125)
    loss, validation = drawn[0].axes
    raw, smooth = loss.lines
    np.testing.assert_array_equal(raw.get_ydata(), log["loss"])
    np.testing.assert_allclose(smooth.get_ydata(), trailing_mean(log["loss"], 3))
    accuracy, mean_iu, baseline = validation.lines
    np.testing.assert_allclose(mean_iu.get_xydata(), [[0, 0.2], [20, 0.4], [40, 0.6]])
    np.testing.assert_allclose(accuracy.get_ydata(), [0.3, 0.5, 0.7])
    assert baseline.get_ydata() == [0.125, 0.125]
    assert labels_of(loss) == ["loss", "mean of the last 3 iterations"]
    assert labels_of(validation) == [
        "pixel accuracy (last 0.700)",
        "mean IU (last 0.600)",
        "baseline (one class everywhere) 0.125",
    ]
    assert size_of(path) == (8 * DPI, 5.2 * DPI)


def test_loss_axis_is_logarithmic_only_where_the_loss_spans_a_decade(tmp_path, drawn, log):
    for losses in ([1.0, 0.1], [1.0, 0.2], [1.0, 0.0], [NAN, NAN]):
        plot_curves(tmp_path / "a.png", {"iteration": [1, 2], "loss": losses})
    assert [figure.axes[0].get_yscale() for figure in drawn] == ["log"] + ["linear"] * 3


def test_curves_without_validation_have_one_panel(tmp_path, drawn, log):
    log["mean_iu"] = [NAN] * 60
    plot_curves(tmp_path / "a.png", log)
    plot_curves(tmp_path / "a.png", {"iteration": [7], "loss": [1.0]})
    assert [len(figure.axes) for figure in drawn] == [1, 1]


def test_validation_without_pixel_accuracy_or_baseline(tmp_path, drawn):
    plot_curves(tmp_path / "a.png", {"iteration": [1], "loss": [1.0], "mean_iu": [0.5]})
    assert labels_of(drawn[0].axes[1]) == ["mean IU (last 0.500)"]


def test_a_loss_that_became_nan_leaves_a_gap_at_the_end(tmp_path, drawn):
    plot_curves(tmp_path / "a.png", {"iteration": [1, 2, 300], "loss": [1.0, NAN, NAN]})
    assert drawn[0].axes[0].get_xlim()[1] > 300


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ({"loss": [1.0]}, r"log must have a column 'iteration', got \['loss'\]"),
        ({"iteration": [1]}, "log must have a column 'loss'"),
        ({"iteration": [], "loss": []}, "log must have columns of one length above 0"),
        ({"iteration": [1], "loss": [1.0, 2.0]}, "log must have columns of one length"),
        ({"iteration": [1], "loss": [1.0], "mean_iu": []}, "'mean_iu': 0"),
    ],
)
def test_wrong_logs_are_named(tmp_path, log, message):
    with pytest.raises(ValueError, match=message):
        plot_curves(tmp_path / "a.png", log)


def test_trailing_mean_looks_back_and_leaves_out_what_is_not_finite():
    values = [NAN, 2, 4, np.inf, 9, NAN, NAN]
    np.testing.assert_allclose(trailing_mean(values, 2), [NAN, 2, 3, 4, 9, 9, NAN])
    np.testing.assert_allclose(trailing_mean([1, 2, 6], 10), [1, 1.5, 3])


def test_trailing_mean_wants_a_window():
    with pytest.raises(ValueError, match="window must be at least 1, got 0"):
        trailing_mean([1.0], 0)


def test_iou_bars_values_and_lines(tmp_path, drawn):
    path = tmp_path / "a.png"
    plot_iou(path, {"sky": 0.5, "bus": None, "road": 0.0, "$x$": 1.0}, 0.5, 0.125)
    (axes,) = drawn[0].axes
    assert [bar.get_width() for bar in axes.patches] == [0.5, 0, 0, 1]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["sky", "bus", "road", "$x$"]
    assert words_of(axes) == ["0.500", "absent", "0.000", "1.000"]
    assert labels_of(axes) == ["mean 0.500", "baseline (one class everywhere) 0.125"]
    assert axes.yaxis_inverted()
    assert all(text.get_window_extent().x1 <= drawn[0].bbox.x1 for text in axes.texts)
    assert size_of(path) == (8 * DPI, int((0.9 + 0.26 * 4) * DPI))


def test_each_bar_has_the_colour_of_its_class(tmp_path, drawn):
    palette = np.array([(0, 0, 0), (230, 159, 0), (255, 255, 255)])
    for given, expected in ((palette, palette), (None, default_palette(3))):
        plot_iou(tmp_path / "a.png", {"sky": 0.5, "bus": None, "road": 1.0}, 0.5, 0.1, given)
        bars = drawn[-1].axes[0].patches
        np.testing.assert_allclose([bar.get_facecolor()[:3] for bar in bars], expected / 255)
        assert all(bar.get_edgecolor()[:3] == (0, 0, 0) for bar in bars)  # white ones are seen


@pytest.mark.parametrize(
    ("palette", "error", "message"),
    [
        ([(0, 0, 0)], ValueError, "classes must be 1 names, as palette has, got 2"),
        ([(0, 0, 256)] * 2, ValueError, r"palette must hold 0 \.\. 255"),
        ([(0.0, 0.0, 0.0)] * 2, TypeError, "palette must hold integers"),
    ],
)
def test_iou_wants_a_colour_for_each_class(tmp_path, palette, error, message):
    with pytest.raises(error, match=message):
        plot_iou(tmp_path / "a.png", {"sky": 0.5, "bus": 0.5}, 0.5, 0.1, palette)


def test_iou_of_nothing_has_no_lines(tmp_path, drawn):
    plot_iou(tmp_path / "a.png", {"sky": NAN}, None, NAN)
    (axes,) = drawn[0].axes
    assert words_of(axes) == ["absent"]
    assert not axes.lines
    assert axes.get_legend() is None


def test_iou_wants_a_class(tmp_path):
    with pytest.raises(ValueError, match="iu must hold at least one class"):
        plot_iou(tmp_path / "a.png", {}, 0.5, 0.1)


def test_confusion_shows_row_shares_with_truth_down_and_prediction_across(tmp_path, drawn):
    plot_confusion(tmp_path / "a.png", [[3, 1, 0], [0, 0, 0], [0, 0, 5]], ["a", "b", "c"])
    axes, bar = drawn[0].axes
    expected = [[75, 25, 0], [NAN] * 3, [0, 0, 100]]
    np.testing.assert_array_equal(axes.images[0].get_array().filled(NAN), expected)
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("truth", "prediction")
    assert words_of(axes) == ["75", "25", "0", "–", "–", "–", "0", "0", "100"]
    assert bar.get_ylabel() == "% of the true class's pixels"


@pytest.mark.parametrize(("num_classes", "cells"), [(1, 1), (21, 441), (22, 0)])
def test_confusion_writes_numbers_while_they_can_be_read(tmp_path, drawn, num_classes, cells):
    names = [f"class number {i}" for i in range(num_classes)]
    plot_confusion(tmp_path / "a.png", np.eye(num_classes, dtype=int), names)
    (figure,) = drawn
    assert len(figure.axes[0].texts) == cells
    page = figure.bbox
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert min(box.x0, box.y0, page.x1 - box.x1, page.y1 - box.y1) >= 0
    assert size_of(tmp_path / "a.png") == (int(page.width), int(page.height))


def test_row_shares():
    np.testing.assert_array_equal(row_shares([[1, 3], [0, 0]]), [[0.25, 0.75], [NAN, NAN]])


@pytest.mark.parametrize(
    ("counts", "classes", "message"),
    [
        ([[1, 2]], ["a"], r"counts must have shape \(C, C\), got \(1, 2\)"),
        (np.zeros((0, 0)), [], r"counts must have shape \(C, C\)"),
        ([[-1]], ["a"], "counts must not be negative, got -1"),
        ([[1]], ["a", "b"], "classes must be 1 names, as counts has, got 2"),
    ],
)
def test_wrong_confusions_are_named(tmp_path, counts, classes, message):
    with pytest.raises(ValueError, match=message):
        plot_confusion(tmp_path / "a.png", counts, classes)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0"), (0.001, "<1"), (0.25, "25"), (0.999, ">99"), (1, "100"), (NAN, "–")],
)
def test_percentage_rounds_nothing_to_zero_or_all(share, text):
    assert percentage(share) == text


# -- Two runs ------------------------------------------------------------------------------------


def test_two_runs_beside_each_other_hold_both_logs(tmp_path, drawn, log):
    short = {name: column[:30] for name, column in log.items()}
    plot_beside(tmp_path / "a.png", {"right": log, "wrong": short}, "a bug")
    loss, score = drawn[0].axes
    raw, smooth, other, other_smooth = loss.lines
    np.testing.assert_array_equal(raw.get_ydata(), log["loss"])
    np.testing.assert_allclose(smooth.get_ydata(), trailing_mean(log["loss"], 3))
    np.testing.assert_array_equal(other.get_ydata(), log["loss"][:30])
    assert smooth.get_linestyle() != other_smooth.get_linestyle()
    right, wrong = score.lines
    np.testing.assert_allclose(right.get_xydata(), [[0, 0.2], [20, 0.4], [40, 0.6]])
    np.testing.assert_allclose(wrong.get_xydata(), [[0, 0.2], [20, 0.4]])
    assert labels_of(score) == ["right: mean IU 0.600", "wrong: mean IU 0.400"]
    assert drawn[0].get_suptitle() == "a bug"


def test_a_run_without_scores_beside_another_says_so(tmp_path, drawn, log):
    bare = {"iteration": [1], "loss": [2.0], "mean_iu": [None]}
    plot_beside(tmp_path / "a.png", {"right": log, "wrong": bare}, "a bug")
    assert labels_of(drawn[0].axes[1])[1] == "wrong: no score"


def test_one_run_has_nothing_beside_it(tmp_path, log):
    with pytest.raises(ValueError, match="logs must be two, got 1"):
        plot_beside(tmp_path / "a.png", {"right": log}, "a bug")
