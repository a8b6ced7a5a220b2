"""How pictures write numbers: short, with a true minus, and plainly at logarithmic axes."""

import pytest
from matplotlib.figure import Figure

from minifcn.plots.numbers import compact, label_plainly, signs, true_minus


@pytest.mark.parametrize(
    ("text", "short"),
    [("1e-07", "1e-7"), ("1e+05", "1e5"), ("-2.5e-10", "-2.5e-10"), ("3e+00", "3e0"), ("-4", "-4")],
)
def test_powers_are_short(text, short):
    assert compact(text) == short


def test_a_minus_is_as_wide_as_a_plus():
    assert true_minus("-1e-7") == "−1e−7"
    assert signs("−1e−7") == pytest.approx(5.6)
    assert signs("123") == 3


@pytest.mark.parametrize(
    ("limits", "labels"), [((0.5, 9), ["0.5", "1", "2", "5"]), ((0.5, 2000), ["1", "10", "100"])]
)
def test_logarithmic_axes_are_labelled_without_formulas(limits, labels):
    axes = Figure().subplots()
    axes.set(yscale="log", ylim=limits)
    label_plainly(axes.yaxis)
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert set(labels) <= set(shown)
    assert not any("$" in text for text in shown)
    assert not any(label.get_text() for label in axes.get_yticklabels(minor=True))


def test_an_axis_may_have_its_own_words():
    axes = Figure().subplots()
    axes.set(xscale="log", xlim=(1, 1000))
    label_plainly(axes.xaxis, lambda value, _: f"<{value:.0f}>")
    assert "<10>" in [label.get_text() for label in axes.get_xticklabels()]
