import numpy as np
import pytest

from minifcn import functional as F
from minifcn.plots.gradient_check import (
    DEFAULT_EPS,
    TOLERANCE,
    arms,
    difference_errors,
    plot_difference_errors,
)
from minifcn.tensor import Tensor

STEPS = np.logspace(-9, 0, 19)


def curved(weight, image):
    return F.sigmoid(F.conv2d(image, weight, stride=2, padding=1))


def straight(weight, image):
    return F.conv2d(image, weight, stride=2, padding=1)


@pytest.fixture(scope="module")
def inputs():
    generator = np.random.default_rng(0)
    return [generator.standard_normal(shape) for shape in ((2, 2, 3, 3), (1, 2, 6, 6))]


@pytest.fixture(scope="module")
def errors(inputs):
    return {d: difference_errors(curved, inputs, STEPS, d) for d in ("float64", "float32")}


def at(step, values):
    return values[np.abs(np.log(STEPS / step)).argmin()]


def test_the_errors_at_the_step_of_gradcheck(errors):
    """Measured before for such a gradient: 6.5e-11 and 1.9e-2."""
    assert DEFAULT_EPS == 1e-5
    assert at(1e-5, errors["float64"]) < 5e-10 < TOLERANCE
    assert 2e-3 < at(1e-5, errors["float32"]) < 0.2


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_best_step_is_near_the_cube_root_of_the_machine_epsilon(errors, dtype):
    best = STEPS[errors[dtype].argmin()]
    assert 0.2 < best / np.cbrt(np.finfo(dtype).eps) < 5


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_arms(errors, dtype):
    rounding, truncation = arms(STEPS, errors[dtype], np.finfo(dtype).eps)
    assert 0.1 < rounding < 20
    assert truncation == pytest.approx(at(0.1, errors["float64"]) / 0.1**2, rel=0.3)


def test_a_difference_is_what_its_formula_says(inputs):
    """By hand, for one step: the sum first, the difference after it."""
    weight, image = (array.astype(np.float32).astype(float) for array in inputs)
    upstream = np.random.default_rng(0).standard_normal((1, 2, 3, 3))
    loss = lambda w: float((upstream * curved(*map(Tensor, (w, image))).numpy()).sum())
    numeric, analytic = np.empty_like(weight), np.empty_like(weight)
    for slopes, eps in ((numeric, 0.5), (analytic, 1e-5)):
        for i in np.ndindex(weight.shape):
            nudge = np.zeros_like(weight)
            nudge[i] = eps
            slopes[i] = (loss(weight + nudge) - loss(weight - nudge)) / (2 * eps)
    error = np.linalg.norm(numeric - analytic) / np.linalg.norm(analytic)
    assert difference_errors(curved, inputs, [0.5]) == pytest.approx([error], rel=1e-6)


def test_a_linear_function_has_no_truncation(inputs):
    values = difference_errors(straight, inputs, STEPS)
    assert values[-1] < 1e-14
    assert np.isnan(arms(STEPS, values, np.finfo(float).eps)[1])


def test_the_arms_of_a_u_that_is_known():
    u = 3 * 1e-16 / STEPS + 0.5 * STEPS**2
    rounding, truncation = arms(STEPS, u, 1e-16)
    assert rounding == pytest.approx(3, rel=0.05)
    assert truncation == pytest.approx(0.5, rel=0.05)


def test_inputs_are_unchanged_and_a_seed_fixes_everything(inputs):
    before = [array.copy() for array in inputs]
    first = difference_errors(curved, inputs, [1e-5], seed=1)
    assert first == difference_errors(curved, inputs, [1e-5], seed=1)
    assert first != difference_errors(curved, inputs, [1e-5], seed=2)
    for array, old in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("ending", ["svg", "png"])
@pytest.mark.parametrize("names", [("float64", "float32"), ("float32",)])
def test_the_same_errors_give_the_same_bytes(tmp_path, errors, ending, names):
    files = [tmp_path / f"{k}.{ending}" for k in range(2)]
    for file in files:
        plot_difference_errors(file, STEPS, {name: errors[name] for name in names})
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_picture_shows_the_errors_and_names_the_arms(tmp_path, drawn, errors):
    plot_difference_errors(tmp_path / "u.png", STEPS, errors)
    (axes,) = drawn[-1].axes
    for name, values in errors.items():
        (line,) = [x for x in axes.lines if x.get_label() == f"computed in {name}"]
        np.testing.assert_array_equal(line.get_ydata(), values)
    texts = " | ".join(text.get_text() for text in axes.texts)
    for said in ("truncation: ", "2.2e-16 / eps", "1.2e-7 / eps", "eps: 1e-5", "tolerance: 1e-7"):
        assert said in texts


def test_the_rounding_arms_lie_on_the_errors(tmp_path, drawn, errors):
    """Each arm's line has the typical size of the errors where it rules."""
    plot_difference_errors(tmp_path / "u.png", STEPS, errors)
    dashed = [line for line in drawn[-1].axes[0].lines if line.get_linestyle() == "--"]
    *rounding, truncation = dashed[2:]  # after gradcheck's step and its tolerance
    for line, values in zip(rounding, errors.values(), strict=True):
        steps, heights = line.get_data()
        where = (steps < STEPS[values.argmin()] / 10) & (values[: len(steps)] < 0.1)
        ratios = heights[where] / values[: len(steps)][where]
        assert 0.4 < np.exp(np.log(ratios).mean()) < 2.5
    steps, heights = truncation.get_data()
    assert heights[-4] == pytest.approx(errors["float64"][-4], rel=0.3)


@pytest.mark.parametrize("steps", [[1e-3, 2e-3, 4e-3], [1e-4, 1.5e-4], STEPS], ids=str)
def test_no_label_of_a_tick_is_a_formula(tmp_path, drawn, steps):
    plot_difference_errors(tmp_path / "u.png", steps, {"float64": np.full(len(steps), 1e-4)})
    (axes,) = drawn[-1].axes
    for axis in (axes.xaxis, axes.yaxis):
        labels = [t.get_text() for t in axis.get_ticklabels(which="both") if t.get_text()]
        assert len(labels) > 1
        assert not any("$" in label for label in labels)
        low, high = axis.get_view_interval()
        assert sum(low <= place <= high for place in axis.get_majorticklocs()) > 1


def test_an_arm_that_is_not_there_is_not_named(tmp_path, drawn, inputs):
    values = difference_errors(straight, inputs, STEPS)
    plot_difference_errors(tmp_path / "arm.png", STEPS, {"float64": values})
    texts = " | ".join(text.get_text() for text in drawn[-1].axes[0].texts)
    assert "rounding: " in texts
    assert "truncation" not in texts
    assert drawn[-1].axes[0].get_ylim()[0] < values.min()


def test_bad_input(inputs, errors, tmp_path):
    with pytest.raises(ValueError, match="dtype must be one of"):
        difference_errors(curved, inputs, STEPS, "float16")
    with pytest.raises(ValueError, match="steps must be a list of positive, finite numbers"):
        difference_errors(curved, inputs, [1e-3, 0])
    with pytest.raises(ValueError, match="finite numbers; got .*inf"):
        difference_errors(curved, inputs, [1e-3, np.inf])
    with pytest.raises(ValueError, match="must not be 0 everywhere"):
        difference_errors(lambda w, x: straight(w, x) * 0, inputs, [1e-3])
    picture = tmp_path / "u.png"
    with pytest.raises(ValueError, match="errors must be for some of"):
        plot_difference_errors(picture, STEPS, {})
    with pytest.raises(ValueError, match="at growing steps"):
        plot_difference_errors(picture, STEPS[::-1], errors)
    with pytest.raises(ValueError, match="finite numbers; got .*inf"):
        plot_difference_errors(picture, [1e-3, np.inf], {"float64": [0.1, 0.2]})
    with pytest.raises(ValueError, match="steps must be at least 2 for the arms of a U; got 1"):
        plot_difference_errors(picture, [1e-3], {"float64": [0.1]})
    assert not picture.exists()
    with pytest.raises(ValueError, match=r"errors\['float32'\] must be 19 numbers"):
        plot_difference_errors(picture, STEPS, {"float32": [1.0]})
