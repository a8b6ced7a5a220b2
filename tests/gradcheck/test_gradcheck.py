"""The gradient check itself: what passes, what fails, kinks, subsets, order 2 and misuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minifcn import functional as F
from minifcn.gradcheck import GradientError, gradcheck
from minifcn.gradcheck.finite_differences import closer_look, slopes_and_bends
from minifcn.tensor import Tensor, is_grad_enabled, record


def leaf(*shape, seed=0):
    return Tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def values(*numbers):
    return Tensor(np.array(numbers), requires_grad=True)


def scaled_backward(factor):
    """An identity whose gradient is wrong by a factor."""
    return lambda x: record("identity", x.data.copy(), (x, lambda g: g * factor))


def relu_with_slope(at_kink, below=0.0):
    """A relu that says its slope is `below` left of 0, and `at_kink` at 0."""

    def function(x):
        slope = np.select([x.data > 0, x.data == 0], [1.0, at_kink], below)
        return record("relu", np.maximum(x.data, 0), (x, lambda g: g * Tensor(slope)))

    return function


# What passes and what fails


def test_right_gradients_have_errors_far_below_the_tolerance():
    report = gradcheck(F.conv2d, (leaf(2, 2, 4, 4), leaf(3, 2, 3, 3), leaf(3)))
    assert list(report.errors) == ["inputs[0]", "inputs[1]", "inputs[2]"]
    assert 0 < max(report.errors.values()) < 1e-9


def test_the_numeric_gradient_is_that_of_the_upstream_gradient():
    x = leaf(4)
    check = gradcheck(lambda x: x**3, x, seed=5).checks[0]
    upstream = np.random.default_rng((5, *b"gradcheck")).standard_normal(4)
    np.testing.assert_allclose(check.numeric, upstream * 3 * x.data**2, rtol=1e-8)
    np.testing.assert_allclose(check.analytic, upstream * 3 * x.data**2, rtol=1e-12)


@settings(deadline=None)
@given(st.floats(1e-6, 1e6), st.booleans())
def test_a_gradient_wrong_by_more_than_the_tolerance_fails(offset, up):
    factor = 1 + offset if up else 1 - offset
    with pytest.raises(GradientError):
        gradcheck(scaled_backward(factor), leaf(3))


def test_a_gradient_wrong_by_less_than_the_tolerance_passes():
    errors = gradcheck(scaled_backward(1 + 1e-8), leaf(3)).errors
    assert errors["inputs[0]"] == pytest.approx(1e-8, rel=0.05)
    with pytest.raises(GradientError, match="tolerance 1e-09"):
        gradcheck(scaled_backward(1 + 1e-8), leaf(3), tolerance=1e-9)


@settings(deadline=None)
@given(st.integers(0, 5), st.sampled_from([-1.0, -1e-3, 1e-3, 1.0, np.nan, np.inf]))
def test_one_wrong_element_is_found_and_named(index, offset):
    error = np.zeros((2, 3))
    error.flat[index] = offset
    wrong = lambda x: record("exp", np.exp(x.data), (x, lambda g: g * x.exp() + Tensor(error)))
    place = ", ".join(map(str, np.unravel_index(index, (2, 3))))
    with pytest.raises(GradientError, match=rf"gradient of x is wrong.*\n  worst at \[{place}\]"):
        gradcheck(wrong, leaf(2, 3), names=["x"])


def test_the_error_names_the_argument_and_both_values():
    double = lambda x, y: x + record("identity", y.data.copy(), (y, lambda g: g * 2))
    with pytest.raises(GradientError) as caught:
        gradcheck(double, (leaf(1), leaf(1)), names=("right", "wrong"))
    upstream = np.random.default_rng((0, *b"gradcheck")).standard_normal(1)[0]
    lines = str(caught.value).splitlines()
    assert lines[0] == (
        "the gradient of wrong is wrong: norm-relative error 5.0e-01, tolerance 1e-07"
    )
    numeric, analytic = lines[1].removeprefix("  worst at [0]: numeric ").split(", analytic ")
    assert float(numeric) == pytest.approx(upstream, rel=1e-9)
    assert float(analytic) == pytest.approx(2 * upstream, rel=1e-9)
    assert lines[2].startswith("  likely cause: too large by the whole factor 2")
    assert [line.split()[0] for line in lines[3:]] == ["ok", "WRONG"]


def test_a_gradient_error_is_an_assertion_error():
    with pytest.raises(AssertionError):
        gradcheck(scaled_backward(-1), leaf(2))


@pytest.mark.parametrize("order", [1, 2])
def test_strong_curvature_is_no_error(order):
    """The central difference alone is off by (200 eps)^2 / 6, more than the tolerance allows."""
    wave = lambda x: (x * 200).exp() * np.array(1e-2)
    report = gradcheck(wave, values(0.001, -0.002), order=order)
    assert report.moved == []
    with pytest.raises(GradientError):
        gradcheck(lambda x: scaled_backward(1 + 3e-7)(wave(x)), values(0.001, -0.002))


def test_noise_does_not_count_where_the_gradient_is_zero():
    """The bias before a batch normalisation changes nothing; both gradients are rounding."""
    function = lambda x, bias: F.batch_norm(x + bias.reshape((1, -1, 1, 1)), None, None)
    report = gradcheck(function, (leaf(2, 3, 4, 4), leaf(3)))
    check = report.checks[1]
    assert 0 < np.abs(check.numeric).max() < 1e-8
    assert check.passed


def test_large_outputs_have_more_noise():
    """At 1e6 a double has ten digits left of the point's right, too few for a slope of 1e-3."""
    check = gradcheck(lambda x: x * 1e-3 + 1e6, leaf(3)).checks[0]
    assert np.linalg.norm(check.numeric - check.analytic) > 1e-7 * np.linalg.norm(check.analytic)
    assert check.passed


def test_a_small_gradient_is_not_noise():
    with pytest.raises(GradientError):
        gradcheck(lambda x: scaled_backward(1.001)(x) * 1e-5, leaf(20))


def test_several_outputs_are_checked_together():
    function = lambda x: (x.exp(), x.sum(), x[0])
    assert gradcheck(function, leaf(2, 3), order=2).checks[0].passed
    with pytest.raises(GradientError):
        gradcheck(lambda x: (x.exp(), scaled_backward(2)(x)), leaf(2, 3))


def test_one_tensor_in_two_places():
    x = leaf(3)
    assert gradcheck(lambda a, b: a * b * b, (x, x)).checks[1].passed


def test_tensors_that_share_memory_are_nudged_separately():
    array = np.random.default_rng(0).standard_normal(3)
    x, y = Tensor(array, requires_grad=True), Tensor(array, requires_grad=True)
    assert gradcheck(lambda x, y: x * x * y, (x, y)).checks[1].passed


def test_only_what_requires_a_gradient_is_checked():
    x, constant = leaf(3), Tensor(np.arange(3.0))
    assert list(gradcheck(lambda x, c: x * c, (x, constant)).errors) == ["inputs[0]"]


def test_scalars_and_empty_tensors():
    x = Tensor(np.array(2.0), requires_grad=True)
    assert gradcheck(lambda x: x * x, x, order=2).checks[0].numeric.shape == ()
    assert gradcheck(lambda x, y: x * y.sum(), (leaf(2), leaf(0, 3))).checks[1].passed


# Parameters


def network(x, p):
    """Convolution, normalisation, relu, pooling, upsampling, crop and loss: an FCN in small."""
    y = F.conv2d(x, p["conv.weight"], p["conv.bias"], padding=2)
    y = F.max_pool2d(F.relu(F.batch_norm(y, None, None, p["norm.weight"], p["norm.bias"])), 2)
    scores = F.conv_transpose2d(y, p["up.weight"], stride=2)
    scores = F.pad(scores, (-1, -1, -1, -1)) + F.conv2d(x, p["skip.weight"])
    return F.cross_entropy(scores, np.arange(16).reshape(1, 4, 4) % 2)


def parameters():
    shapes = {
        "conv.weight": (3, 2, 3, 3),
        "conv.bias": (3,),
        "norm.weight": (3,),
        "norm.bias": (3,),
        "up.weight": (3, 2, 2, 2),
        "skip.weight": (2, 2, 1, 1),
    }
    return {name: leaf(*shape, seed=i) for i, (name, shape) in enumerate(shapes.items())}


def test_parameters_are_checked_by_their_names():
    p = parameters()
    report = gradcheck(lambda x: network(x, p), leaf(1, 2, 4, 4), parameters=p, order=2)
    assert list(report.errors)[:7] == ["inputs[0]", *p]
    assert list(report.errors)[7:] == [
        "inputs[0] (order 2)", *(f"{name} (order 2)" for name in p), "upstream[0] (order 2)",
    ]  # fmt: skip


def test_a_wrong_parameter_is_named():
    p = parameters()
    skip = p["skip.weight"]
    detached = lambda x: network(x, p | {"skip.weight": skip.detach() + 0.5 * skip - skip.data / 2})
    with pytest.raises(GradientError, match=r"gradient of skip\.weight is wrong"):
        gradcheck(detached, leaf(1, 2, 4, 4), parameters=p)


def test_a_list_of_parameters_is_numbered():
    w, x = leaf(3), leaf(3)
    report = gradcheck(lambda x: x * w, x, parameters=[w, Tensor(np.ones(3))])
    assert list(report.errors) == ["inputs[0]", "parameters[0]"]


def test_parameters_alone_may_require_a_gradient():
    w = leaf(3)
    report = gradcheck(lambda x: x * w, Tensor(np.ones(3)), parameters={"w": w})
    assert list(report.errors) == ["w"]


# Order 2


def exp_with_wrong_second_gradient(x):
    """The gradient of exp is right, but treats e^x as a constant."""
    return record("exp", np.exp(x.data), (x, lambda g: g * Tensor(np.exp(x.data))))


def test_order_2_finds_what_order_1_cannot_see():
    gradcheck(exp_with_wrong_second_gradient, leaf(3))
    with pytest.raises(GradientError, match=r"gradient of inputs\[0\] \(order 2\) is wrong"):
        gradcheck(exp_with_wrong_second_gradient, leaf(3), order=2)


def test_order_2_finds_a_gradient_that_does_not_depend_on_the_upstream_one():
    """Right for one upstream gradient only: the derivative by it is wrong."""
    cut = lambda x: record("double", 2 * x.data, (x, lambda g: Tensor(2 * g.data)))
    gradcheck(cut, leaf(3))
    with pytest.raises(GradientError, match=r"upstream\[0\] \(order 2\) is wrong.*\n.*\n.*no path"):
        gradcheck(cut, leaf(3), order=2)


def test_order_2_holds_the_two_ways_through_backward_against_each_other():
    """A gradient that is right without create_graph, and another function's with it."""

    def two_faced(x):
        def gradient(g):
            return g * (x * x if is_grad_enabled() else x * 2)

        return record("square", x.data**2, (x, gradient))

    gradcheck(two_faced, leaf(3))
    with pytest.raises(GradientError, match=r"inputs\[0\] \(order 2\)"):
        gradcheck(two_faced, leaf(3), order=2)


def test_the_second_gradient_of_a_linear_function_is_zero():
    report = gradcheck(lambda x: x * 3 + 1, leaf(4), order=2)
    check = report.checks[1]
    assert check.name == "inputs[0] (order 2)"
    assert (check.error, check.numeric.any()) == (0.0, False)


def test_a_second_gradient_of_a_linear_function_that_is_not_zero_fails():
    """Its gradient multiplies by x / x, of which one x is detached."""
    wrong = lambda x: record("identity", x.data.copy(), (x, lambda g: g * (x / x.detach())))
    gradcheck(wrong, leaf(4))
    with pytest.raises(GradientError, match="does not depend on it"):
        gradcheck(wrong, leaf(4), order=2)


def test_a_constant_function_passes_with_gradients_of_zero():
    report = gradcheck(lambda x: Tensor(np.ones(3)), leaf(3), order=2)
    assert set(report.errors.values()) == {0.0}


# Kinks


def test_an_element_on_a_kink_is_moved_and_reported():
    x = values(1.0, 0.0, -2.0)
    report = gradcheck(F.relu, x, names=["x"], order=2)
    assert report.moved == [("x", (1,))]
    assert "moved  off a kink: x[1]" in str(report)
    assert list(report.errors) == ["x", "x (order 2)", "upstream[0] (order 2)"]


def test_no_element_moves_where_there_is_no_kink():
    assert gradcheck(F.relu, values(1.0, 0.1, -2.0)).moved == []
    assert gradcheck(lambda x: x**2 + 100 * x**4, values(0.0, 1e-6, 3.0), order=2).moved == []


@settings(deadline=None)
@given(st.floats(-3e-5, 3e-5), st.floats(1e-4, 100.0))
def test_a_kink_at_any_distance_neither_fails_nor_excuses(distance, slope):
    gradcheck(lambda x: F.relu(x) * slope, values(1.0, distance))
    with pytest.raises(GradientError):
        gradcheck(lambda x: relu_with_slope(0.0, below=1e-5)(x) * slope, values(distance, -1.0))


@settings(deadline=None)
@given(st.floats(-0.98e-5, 0.98e-5), st.floats(0.5, 100.0))
def test_a_kink_within_eps_is_found(distance, slope):
    report = gradcheck(lambda x: F.relu(x) * slope, values(1.0, distance))
    assert report.moved == [("inputs[0]", (1,))]


@pytest.mark.parametrize("kink", [0.0, 6.0])
def test_both_kinks_of_relu6(kink):
    assert gradcheck(F.relu6, values(kink, 2.0)).moved == [("inputs[0]", (0,))]


def test_ties_of_max_pooling_are_moved_apart():
    x = Tensor(np.array([[[[1.0, 1.0], [1.0, 0.0]]]]), requires_grad=True)
    report = gradcheck(lambda x: F.max_pool2d(x, 2), x, order=2)
    assert {index for _, index in report.moved} >= {(0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 0)}
    assert {name for name, _ in report.moved} == {"inputs[0]"}


def test_a_step_has_a_gradient_of_zero_beside_it():
    rounded = lambda x: x + Tensor(np.floor(x.data))
    assert gradcheck(rounded, values(2.0, 0.5)).moved == [("inputs[0]", (0,))]


def test_a_kink_inside_moves_the_element_that_reaches_it():
    report = gradcheck(lambda x, b: F.relu(x + b), (values(1.0, -1.0, 3.0), values(1.0)))
    assert report.moved[0] == ("inputs[0]", (1,))


def test_a_kink_too_faint_to_stand_out_moves_all_the_same():
    """It changes the numeric gradient by 1e-5 of its norm: too little to see, too much to pass."""
    faint = lambda x: 1000 * x + F.relu(x) * 0.01
    report = gradcheck(faint, values(0.0, 1.0))
    assert report.moved == [("inputs[0]", (0,))]


def test_a_kink_that_spoils_one_of_many_elements_a_little():
    """It makes an error of 2e-7; the other elements are smooth."""
    slopes = np.ones(100)
    slopes[0] = 0.0
    faint = lambda x: x * Tensor(slopes) + F.relu(x) * 4e-6 * Tensor(1 - slopes)
    report = gradcheck(faint, values(0.0, *[1.0] * 99))
    assert report.moved == [("inputs[0]", (0,))]
    unmoved = gradcheck(faint, values(0.0, *[1.0] * 99), tolerance=1e-3)
    assert unmoved.moved == []
    assert unmoved.errors["inputs[0]"] > 1e-7


def test_a_kink_hidden_in_curvature():
    """The curve bends a thousand times more than the kink does, which spoils 5e-7 of the slope."""
    curved = lambda x: x + 100 * x**2 + F.relu(x) * 1e-6
    assert gradcheck(curved, values(0.0, 1.0)).moved == []  # next to a slope of 201 it is nothing
    assert gradcheck(curved, values(0.0, 1e-3)).moved == [("inputs[0]", (0,))]


@pytest.mark.parametrize("scale", [1e-3, 1e3])
@pytest.mark.parametrize("part", [1.0, 0.01])
def test_a_kink_that_agrees_by_chance_at_any_scale(scale, part):
    """|x|, whose slope of 0 at 0 is also what the central difference says."""
    slopes = np.array([scale * part, scale])
    sign = lambda x: Tensor(np.sign(x.data) * slopes)
    absolute = lambda x: record("abs", np.abs(x.data) * slopes, (x, lambda g: g * sign(x)))
    assert gradcheck(absolute, values(0.0, 1.0)).moved == [("inputs[0]", (0,))]


def test_moves_go_either_way_and_not_far():
    def moved_to(seed):
        seen = []
        gradcheck(lambda x: seen.append(x.data[0]) or F.relu(x), values(0.0), seed=seed)
        return seen[-1]

    places = [moved_to(seed) for seed in range(20)]
    assert {np.sign(place) for place in places} == {-1.0, 1.0}
    assert 0.99e-3 < min(map(abs, places)) < max(map(abs, places)) < 1.01e-2


@pytest.mark.parametrize("wrong", [relu_with_slope(0.0, below=0.5), relu_with_slope(0.0, below=1)])
def test_a_kink_excuses_no_wrong_gradient(wrong):
    with pytest.raises(GradientError):
        gradcheck(wrong, values(0.0, -1.0, 1.0))
    with pytest.raises(GradientError):
        gradcheck(wrong, values(*[0.0] * 20))


@settings(deadline=None)
@given(st.sampled_from([0.0, 0.3, 0.5, 1.0, 7.0]))
def test_what_a_function_says_on_the_kink_itself_does_not_matter(at_kink):
    assert gradcheck(relu_with_slope(at_kink), values(0.0, 1.0)).moved == [("inputs[0]", (0,))]


def test_a_function_with_kinks_everywhere_is_refused():
    sawtooth = lambda x: x + Tensor(np.abs(x.data / 3e-6 % 2 - 1))
    with pytest.raises(
        ValueError, match=r"not differentiable: 10 moves leave inputs\[0\] on kinks"
    ):
        gradcheck(sawtooth, leaf(5))


def test_bends_of_a_parabola_halve_and_those_of_a_kink_stay():
    x = np.array([0.0])
    for eps in (1e-2, 1e-3):
        assert slopes_and_bends(lambda: x**2, x, [0], eps)[1] == pytest.approx(2 * eps)
        assert slopes_and_bends(lambda: np.abs(x), x, [0], eps)[1] == pytest.approx(2)
    assert closer_look(lambda: x**2, x, 0, 1e-3, 0, 2e-3) == pytest.approx((0, 0), abs=1e-15)
    assert closer_look(lambda: np.abs(x), x, 0, 1e-3, 0, 2) == pytest.approx((0, 1))
    assert x.tolist() == [0.0]


@pytest.mark.parametrize("part", [0, 1 / 5, 1 / 3, 1 / 2, 0.9, -1 / 5, -1 / 3])
def test_a_kink_shows_wherever_within_eps_it_is(part):
    x, eps = np.array([0.0]), 1e-3
    hinge = lambda: np.abs(x - part * eps)
    (slope,), (bend,) = slopes_and_bends(hinge, x, [0], eps)
    assert bend == pytest.approx(2 * (1 - abs(part)))
    assert closer_look(hinge, x, 0, eps, slope, bend)[1] > 0.2 * bend


def test_a_closer_look_corrects_for_curvature():
    x, eps = np.array([0.3]), 1e-2
    wave = lambda: np.sin(9 * x)
    (slope,), (bend,) = slopes_and_bends(wave, x, [0], eps)
    better, kink = closer_look(wave, x, 0, eps, slope, bend)
    error, rest = abs(slope - 9 * np.cos(2.7)), abs(better - 9 * np.cos(2.7))
    assert error > 1e-4
    assert rest < 1e-3 * error
    assert kink < 1e-3 * abs(bend)


# The likely cause, whatever the numbers

said = st.sampled_from([0.0, 1.0, -1.0, 2.0, 0.5, 1e-3, 1e300, np.nan, np.inf])
slopes = st.sampled_from([0.0, 1.0, -1.0, 2.0, 0.5])
shapes = st.sampled_from([(), (1,), (4,), (2, 2), (1, 2, 3), (2, 1, 5, 6)])


def lists(shape, elements, data):
    size = int(np.prod(shape))
    drawn = data.draw(st.lists(elements, min_size=size, max_size=size))
    return np.array(drawn).reshape(shape)


@settings(deadline=None)
@given(shapes, st.sampled_from([None, 1, 3]), st.booleans(), st.data())
def test_a_cause_is_found_for_any_wrong_gradient(shape, max_elements, scalar, data):
    """Explaining a wrong gradient must not itself go wrong and hide it."""
    slope, wrong = lists(shape, slopes, data), lists(shape, said, data)
    wrong[(slope == 0) & (wrong == 0)] = 1.0  # every element is wrong, so any subset is
    wrong_one = lambda x: record("mul", x.data * slope, (x, lambda g: Tensor(wrong.copy())))
    function = (lambda x: wrong_one(x).sum()) if scalar else wrong_one
    with pytest.raises(GradientError, match="likely cause: "):
        gradcheck(function, leaf(*shape), max_elements=max_elements)


# What is left behind, seeds and subsets


@pytest.mark.parametrize("function", [F.relu, scaled_backward(2), lambda x: x / 0])
def test_the_tensors_keep_their_arrays_bit_for_bit(function):
    x = values(0.0, -0.0, 1 / 3, 1e-300, np.pi)
    array, before = x.data, x.data.tobytes()
    try:
        gradcheck(function, x, order=2)
    except (GradientError, ValueError):
        assert function is not F.relu
    assert x.data is array
    assert array.tobytes() == before
    assert x.grad is None


def test_a_read_only_array_can_be_checked():
    array = np.broadcast_to(np.float64(0.5), (2, 2))
    assert gradcheck(lambda x: x * x, Tensor(array, requires_grad=True)).checks[0].passed


def test_a_seed_fixes_everything():
    def arrays(seed):
        report = gradcheck(F.relu, values(0.0, 1.0, -1.0, 2.0), seed=seed, max_elements=3)
        return [c.numeric.tobytes() + c.analytic.tobytes() for c in report.checks]

    assert arrays(1) == arrays(1)
    assert arrays(1) != arrays(2)


def test_a_subset_is_checked_and_the_report_says_how_many():
    report = gradcheck(lambda x, y: x.exp() * y, (leaf(5, 8), leaf(1)), max_elements=7)
    assert [int(check.known.sum()) for check in report.checks] == [7, 1]
    assert "7 of 40 elements" in str(report)
    assert "1 of 1 elements" in str(report)


def test_no_element_is_picked_twice():
    check = gradcheck(lambda x: x.exp(), leaf(40), max_elements=39).checks[0]
    assert check.known.sum() == 39


def test_the_worst_element_of_a_subset_is_one_that_was_checked():
    x = leaf(40)
    known = gradcheck(lambda x: x.exp(), x, max_elements=3).checks[0].known
    with pytest.raises(GradientError) as caught:
        gradcheck(lambda x: scaled_backward(1.001)(x), x, max_elements=3)
    worst = int(str(caught.value).split("worst at [")[1].split("]")[0])
    assert known[worst]


def test_subsets_of_different_seeds_differ():
    subsets = {
        gradcheck(lambda x: x.exp(), leaf(40), max_elements=5, seed=seed).checks[0].known.tobytes()
        for seed in range(5)
    }
    assert len(subsets) == 5


def test_a_wrong_gradient_is_found_in_a_subset():
    with pytest.raises(GradientError, match="too small by the whole factor 4.*\nWRONG.* 3 of 40"):
        gradcheck(scaled_backward(0.25), leaf(40), max_elements=3)


def test_the_function_is_called_once_for_each_side_of_each_element():
    calls = []
    gradcheck(lambda x: calls.append(1) or x.exp(), leaf(40), max_elements=5)
    assert len(calls) <= 2 * 5 + 12  # twice seven: the first look, and the second


def test_any_error_passes_with_an_infinite_tolerance():
    """For a plot of the error over eps."""
    errors = [
        gradcheck(lambda x: x.exp(), leaf(3), eps=eps, tolerance=np.inf).errors["inputs[0]"]
        for eps in (1e-1, 1e-5, 1e-12)
    ]
    assert errors[0] > 1e-4 > errors[1] < errors[2]
    assert errors[1] < 1e-9


# Misuse


def test_float32_is_refused_with_the_reason():
    x = Tensor(np.ones(2, np.float32), requires_grad=True)
    with pytest.raises(TypeError, match=r"x must be float64; got float32.*2e-2 in float32"):
        gradcheck(F.relu, x, names=["x"])
    with pytest.raises(TypeError, match=r"parameters\[0\] must be float64; got float32"):
        gradcheck(F.relu, leaf(2), parameters=[x])


def test_no_tensor_requires_a_gradient():
    with pytest.raises(ValueError, match=r"at least one of \['inputs\[0\]', 'w'\] must require"):
        gradcheck(F.relu, Tensor(np.ones(2)), parameters={"w": Tensor(np.ones(2))})


def test_a_function_that_is_not_deterministic():
    generator = np.random.default_rng(0)
    with pytest.raises(
        ValueError, match="two calls differ: make the generator of a dropout inside"
    ):
        gradcheck(lambda x: F.dropout(x, generator=generator), leaf(20))


@pytest.mark.parametrize(
    ("function", "came"),
    [
        (lambda x: Tensor(x.data.astype(np.float32)), "float32"),
        (lambda x: (x, Tensor(np.arange(3))), "int64"),
        (lambda x: x.data, "ndarray"),
        (lambda x: None, "NoneType"),
    ],
)
def test_outputs_must_be_float64_tensors(function, came):
    with pytest.raises(TypeError, match=f"function must return float64 Tensors; got {came}"):
        gradcheck(function, leaf(3))


@pytest.mark.parametrize("x", [0.0, -1.0])
def test_outputs_must_be_finite(x):
    with pytest.raises(ValueError, match="function must return finite values"):
        gradcheck(lambda x: x.log(), values(1.0, x))


def test_outputs_must_be_finite_where_an_element_is_nudged():
    with pytest.raises(ValueError, match=r"not finite when inputs\[0\]\[1\] moves by 1e-05"):
        gradcheck(lambda x: x.log(), values(1.0, 1e-6))


def test_a_gradient_that_is_nan_fails():
    wrong = lambda x: record("identity", x.data.copy(), (x, lambda g: g * np.nan))
    with pytest.raises(GradientError, match="likely cause: backward gives NaN or infinity"):
        gradcheck(wrong, leaf(3))


def test_inputs_must_be_leaves():
    with pytest.raises(ValueError, match=r"inputs\[0\] must be a leaf; it was made by exp"):
        gradcheck(F.relu, leaf(2).exp())


def test_inputs_must_be_tensors():
    with pytest.raises(TypeError, match=r"inputs\[1\] must be a Tensor; got ndarray"):
        gradcheck(lambda x, y: x * y, (leaf(2), np.ones(2)))


@pytest.mark.parametrize("names", [["x"], ["x", "y", "z"], ["x", "x"], ["x", "w"]])
def test_names_must_fit(names):
    with pytest.raises(ValueError, match="names must be one for each input, all different"):
        gradcheck(lambda x, y: x * y, (leaf(2), leaf(2)), names=names, parameters={"w": leaf(2)})


@pytest.mark.parametrize(
    "options", [{"order": 3}, {"eps": 0}, {"eps": -1e-5}, {"tolerance": 0}, {"order": 0}]
)
def test_options_are_checked(options):
    with pytest.raises(ValueError, match="order must be 1 or 2, eps and tolerance positive"):
        gradcheck(F.relu, leaf(2), **options)


def test_a_gradient_of_a_wrong_shape_says_what_was_forgotten():
    wrong = lambda x: record("sum", x.data.sum(0), (x, lambda g: g))
    with pytest.raises(GradientError, match=r"of sum for .*\(2, 3\); got \(3,\): .* be broadcast"):
        gradcheck(wrong, leaf(2, 3))
