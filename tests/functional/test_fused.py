"""Steps done in one pass: bias and relu within conv2d, the loss in one kernel, gradients in place.

Each must be what the separate steps are, in values and in gradients of any order.
"""

import numpy as np
import pytest
from small_networks import small_fcn

from minifcn import Tensor, grad, nn, no_grad
from minifcn import functional as F
from minifcn.gradcheck import gradcheck

# shape of the input, shape of the weight, options
CONVOLUTIONS = {
    "3x3": ((2, 3, 5, 6), (4, 3, 3, 3), {"padding": 1}),
    "1x1": ((2, 3, 4, 5), (4, 3, 1, 1), {}),
    "1x1 with a stride": ((2, 3, 5, 5), (4, 3, 1, 1), {"stride": 2}),
    "stride, dilation, groups": (
        (1, 4, 9, 8),
        (6, 2, 3, 2),
        {"stride": (2, 1), "padding": (1, 2), "dilation": 2, "groups": 2},
    ),
    "same": ((1, 2, 5, 5), (3, 2, 2, 4), {"padding": "same"}),
    "a large image": ((1, 8, 40, 50), (4, 8, 3, 3), {"padding": 1}),
}

ALL = pytest.mark.parametrize("name", CONVOLUTIONS)
BIAS = pytest.mark.parametrize("with_bias", [True, False], ids=["bias", "no bias"])


@pytest.fixture
def convolution(random):
    """The arguments of one convolution: [input, weight, bias or None], options."""

    def convolution(name, with_bias=True):
        x, weight, options = CONVOLUTIONS[name]
        bias = random(weight[0], seed=2) if with_bias else None
        return [random(*x), random(*weight, seed=1), bias], options

    return convolution


def leaves(arguments):
    return [x for x in arguments if x is not None]


# --- conv2d(relu=True) ----------------------------------------------------------------------------


@ALL
@BIAS
def test_relu_within_is_relu_afterwards(convolution, random, name, with_bias):
    arguments, options = convolution(name, with_bias)
    within = F.conv2d(*arguments, **options, relu=True)
    after = F.relu(F.conv2d(*arguments, **options))
    assert 0.1 < (after.data == 0).mean() < 0.9
    np.testing.assert_array_equal(within.data, after.data)
    upstream = random(*after.shape, seed=3)
    found = [grad(y, leaves(arguments), upstream) for y in (within, after)]
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


@ALL
@BIAS
def test_gradients_of_gradients_are_those_of_relu_afterwards(convolution, random, name, with_bias):
    arguments, options = convolution(name, with_bias)
    found = []
    for y in (
        F.conv2d(*arguments, **options, relu=True),
        F.relu(F.conv2d(*arguments, **options)),
    ):
        first = grad((y * y).sum(), leaves(arguments), create_graph=True)
        total = sum((g * g * g).sum() for g in first)
        found.append(grad(total, leaves(arguments)))
    for a, b in zip(*found, strict=True):
        assert np.abs(b.data).max() > 0
        np.testing.assert_array_equal(a.data, b.data)


@pytest.mark.parametrize("name", [name for name in CONVOLUTIONS if "large" not in name])
@BIAS
def test_its_gradients_are_right_to_second_order(convolution, name, with_bias):
    arguments, options = convolution(name, with_bias)
    function = lambda x, weight, bias=None: F.conv2d(x, weight, bias, **options, relu=True)
    gradcheck(function, leaves(arguments), order=2, max_elements=12)


@pytest.mark.parametrize("place", [0, 1, 2], ids=["input", "weight", "bias"])
def test_one_argument_alone_may_need_a_gradient(convolution, place):
    arguments, options = convolution("3x3")
    (expected,) = grad(F.relu(F.conv2d(*arguments, **options)).sum(), arguments[place])
    for i, x in enumerate(arguments):
        x.requires_grad = i == place
    F.conv2d(*arguments, **options, relu=True).sum().backward()
    np.testing.assert_array_equal(arguments[place].grad.data, expected.data)
    assert [x.grad is None for x in arguments] == [i != place for i in range(3)]


def test_a_hand_made_gradient_at_zero_and_below():
    x = Tensor(np.array([[[[1.0, 2.0, 3.0]]]]), requires_grad=True)
    bias = Tensor(np.array([-2.0]), requires_grad=True)
    y = F.conv2d(x, Tensor(np.ones((1, 1, 1, 1))), bias, relu=True)
    assert y.data.ravel().tolist() == [0, 0, 1]
    y.sum().backward()
    assert x.grad.data.ravel().tolist() == [0, 0, 1]
    assert bias.grad.data.tolist() == [1]


@ALL
def test_nan_stays_nan(convolution, name):
    arguments, options = convolution(name)
    arguments[0].data[0, 0, 2:4, 2:4] = np.nan
    expected = np.isnan(F.conv2d(*arguments, **options).data)
    assert expected.any()
    np.testing.assert_array_equal(
        np.isnan(F.conv2d(*arguments, **options, relu=True).data), expected
    )


@ALL
def test_the_arguments_stay_as_they_are(convolution, name):
    arguments, options = convolution(name)
    kept = [x.data.copy() for x in arguments]
    y = F.conv2d(*arguments, **options, relu=True)
    result = y.data.copy()
    y.backward(Tensor(np.ones(y.shape)))
    for x, before in zip(arguments, kept, strict=True):
        np.testing.assert_array_equal(x.data, before)
        assert not np.shares_memory(x.data, y.data)
    np.testing.assert_array_equal(y.data, result)


def test_the_transposed_convolution_adds_its_bias_to_an_array_of_its_own(random):
    x, weight, bias = random(1, 2, 3, 4), random(2, 3, 2, 2, seed=1), random(3, seed=2)
    plain = F.conv_transpose2d(x, weight, stride=2)
    found = F.conv_transpose2d(x, weight, bias, stride=2)
    np.testing.assert_array_equal(found.data, plain.data + bias.data[:, None, None])
    gradcheck(lambda *a: F.conv_transpose2d(*a, stride=2), (x, weight, bias), order=2)


# --- The layer and the network --------------------------------------------------------------------


def generator():
    return np.random.default_rng(5)


def in_float64(module):
    for parameter in module.parameters():
        parameter.data = parameter.data.astype(np.float64)
    return module


@BIAS
def test_the_layer_applies_relu(random, with_bias):
    settings = {"stride": 2, "padding": 1, "bias": with_bias}
    plain, rectified = (
        nn.Conv2d(3, 4, 3, **settings, relu=relu, generator=generator()) for relu in (False, True)
    )
    x = random(2, 3, 8, 9, dtype=np.float32)
    np.testing.assert_array_equal(rectified(x).data, F.relu(plain(x)).data)
    assert (plain(x).data < 0).any()
    assert list(rectified.state_dict()) == list(plain.state_dict())
    assert "relu=True" in repr(rectified)
    assert not nn.Conv2d(3, 4, 3, generator=generator()).relu


def test_the_layer_takes_relu_by_name_only():
    with pytest.raises(TypeError):
        nn.Conv2d(3, 4, 3, 1, 1, 1, 1, True, True, generator=generator())


TINY = {"widths": (2, 3, 3, 4, 4), "depths": (1, 1, 2, 1, 1), "head_width": 5}


def tiny(stride=8, **options):
    return small_fcn(3, stride, **TINY, **options, generator=generator())


def test_without_batch_norm_each_convolution_has_a_bias_and_relu():
    network = tiny(batch_norm=False)
    names = {name for name, _ in network.named_parameters()}
    stages = [f"backbone.stage{stage}.0" for stage in range(1, 6)]
    convolutions = [*stages, "backbone.stage3.1", "fc6", "fc7"]
    scores = ["score_fr", "score_pool4", "score_pool3"]
    upsamplings = ["upscore2", "upscore_pool4", "upscore"]
    expected = {f"{n}.{p}" for n in (*convolutions, *scores) for p in ("weight", "bias")}
    assert names == expected | {f"{name}.weight" for name in upsamplings}
    assert network.backbone.stage1[0].relu
    assert network.fc7.relu
    assert not network.score_fr.relu


@pytest.mark.parametrize("stride", [8, 16, 32])
@pytest.mark.parametrize("size", [(1, 1), (33, 20), (64, 32)])
def test_without_batch_norm_scores_have_the_size_of_the_image(stride, size):
    with no_grad():
        scores = tiny(stride, batch_norm=False)(Tensor(np.zeros((2, 3, *size), np.float32)))
    assert scores.shape == (2, 3, *size)


def test_without_batch_norm_it_is_convolutions_and_relus(random):
    """The coarse scores of FCN-32s, written out."""
    network = tiny(32, batch_norm=False)
    rng = generator()
    for parameter in network.parameters():
        parameter.data = rng.standard_normal(parameter.shape)
    x = random(2, 3, 32, 64)
    expected = x
    for stage in (getattr(network.backbone, f"stage{k}") for k in range(1, 6)):
        for layer in (layer for layer in stage if isinstance(layer, nn.Conv2d)):
            expected = F.relu(F.conv2d(expected, layer.weight, layer.bias, padding=1))
        expected = F.max_pool2d(expected, 2)
    expected = F.relu(F.conv2d(expected, network.fc6.weight, network.fc6.bias, padding=1))
    expected = F.relu(F.conv2d(expected, network.fc7.weight, network.fc7.bias))
    expected = F.conv2d(expected, network.score_fr.weight, network.score_fr.bias)
    np.testing.assert_allclose(network.coarse_scores(x).data, expected.data, rtol=1e-12)


def test_the_gradients_of_the_whole_network_without_batch_norm(random):
    network, rng = in_float64(tiny(batch_norm=False)), generator()
    for name, parameter in network.named_parameters():
        if not name.startswith("up"):
            parameter.data = 0.4 * rng.standard_normal(parameter.shape) + 0.1
    labels = rng.integers(0, 3, (1, 32, 32))
    report = gradcheck(
        lambda x: F.cross_entropy(network(x), labels),
        random(1, 3, 32, 32),
        parameters={n: p for n, p in network.named_parameters() if p.requires_grad},
        max_elements=3,
        tolerance=1e-6,
    )
    assert len(report.checks) > 20
    assert all(np.abs(check.analytic).max() > 0 for check in report.checks)


# --- Gradients of leaves, added up in place -------------------------------------------------------


def loss(x):
    return (x * x * x).sum()


def slope(x):
    return 3 * x.data**2


def test_two_backwards_add_up(random):
    x = random(3, 4)
    for times in (1, 2, 3):
        loss(x).backward()
        np.testing.assert_allclose(x.grad.data, times * slope(x), rtol=1e-15)


def test_the_sum_is_kept_in_one_array(random):
    """As in PyTorch: who keeps x.grad keeps the sum; a copy, or grad = None, keeps the past."""
    x = random(3)
    loss(x).backward()
    kept, copy = x.grad, x.grad.data.copy()
    loss(x).backward()
    assert x.grad is kept
    np.testing.assert_allclose(kept.data, 2 * copy)
    x.grad = None
    loss(x).backward()
    np.testing.assert_allclose(kept.data, 2 * copy)
    np.testing.assert_array_equal(x.grad.data, copy)


def test_a_gradient_belongs_to_its_leaf_alone(random):
    x, z, upstream = random(3), random(3, seed=1), Tensor(np.array([1.0, 2.0, 3.0]))
    for _ in range(3):
        (x + z).backward(upstream)
    for array in (x.grad.data, z.grad.data):
        assert array.tolist() == [3, 6, 9]
    assert not np.shares_memory(x.grad.data, z.grad.data)
    assert upstream.data.tolist() == [1, 2, 3]


def test_a_broadcast_gradient_can_be_added_to(random):
    x = random(3, 4)
    for _ in range(2):
        x.sum().backward()
    np.testing.assert_array_equal(x.grad.data, np.full((3, 4), 2.0))


def test_a_leaf_without_axes(random):
    x = Tensor(np.array(2.0), requires_grad=True)
    for _ in range(2):
        (x * x).backward()
    assert x.grad.item() == 8


def test_with_create_graph_the_sum_stays_differentiable(random):
    x = random(3)
    for _ in range(2):
        loss(x).backward(create_graph=True)
    first = x.grad
    (second,) = grad(first.sum(), x)
    np.testing.assert_allclose(second.data, 2 * 6 * x.data)


def test_a_differentiable_gradient_is_never_changed(random):
    x = random(3)
    loss(x).backward(create_graph=True)
    kept, before = x.grad, x.grad.data.copy()
    loss(x).backward()
    np.testing.assert_array_equal(kept.data, before)
    np.testing.assert_allclose(x.grad.data, 2 * before)
    np.testing.assert_allclose(grad(kept.sum(), x)[0].data, 6 * x.data)


def test_after_create_graph_too_a_gradient_belongs_to_its_leaf_alone(random):
    """The gradient of a sum needs no gradient itself, and is the upstream gradient."""
    x, z, upstream = random(3), random(3, seed=1), Tensor(np.array([1.0, 2.0, 3.0]))
    (x + z).backward(upstream, create_graph=True)
    (x + z).backward(upstream)
    assert upstream.data.tolist() == [1, 2, 3]
    assert x.grad.data.tolist() == [2, 4, 6]
    assert z.grad.data.tolist() == [2, 4, 6]


def test_after_create_graph_too_a_broadcast_gradient_can_be_added_to(random):
    x = random(3, 4)
    x.sum().backward(create_graph=True)
    x.sum().backward()
    np.testing.assert_array_equal(x.grad.data, np.full((3, 4), 2.0))


def test_a_gradient_that_was_assigned_can_be_added_to(random):
    x = random(3, 4)
    (x.grad,) = grad(x.sum(), x)
    x.sum().backward()
    np.testing.assert_array_equal(x.grad.data, np.full((3, 4), 2.0))


# --- Cross-entropy in one kernel ------------------------------------------------------------------

VOID = 9
SHAPES = [(2, 4, 3, 5), (7, 4), (2, 4, 6)]
SCORES = pytest.mark.parametrize("shape", SHAPES, ids=["pixels", "images", "positions"])
REDUCTIONS = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
OPTIONS = pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight": np.array([0.5, 2.0, 0.0, 3.0])},
        {"ignore_index": VOID},
        {"weight": np.array([0.5, 2.0, 0.0, 3.0]), "ignore_index": VOID},
    ],
    ids=["plain", "weights", "void", "weights and void"],
)


def labels_for(shape, options):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    if "ignore_index" in options:
        labels[rng.random(labels.shape) < 0.3] = VOID
        assert 0 < (labels == VOID).sum() < labels.size
    return labels


@SCORES
@REDUCTIONS
@OPTIONS
def test_cross_entropy_is_nll_loss_of_log_softmax(random, shape, reduction, options):
    x, labels = random(*shape), labels_for(shape, options)
    fused = F.cross_entropy(x, labels, **options, reduction=reduction)
    steps = F.nll_loss(F.log_softmax(x, 1), labels, **options, reduction=reduction)
    assert fused.shape == steps.shape == (labels.shape if reduction == "none" else ())
    np.testing.assert_allclose(fused.data, steps.data, rtol=1e-13, atol=1e-14)
    results = []
    for y in (fused, steps):
        upstream = random(*y.shape, seed=4)
        upstream.requires_grad = False
        (first,) = grad(y, x, upstream, create_graph=True)
        (second,) = grad((first * first * first).sum(), x)
        results.append((first.data, second.data))
    for a, b in zip(*results, strict=True):
        assert np.abs(b).max() > 0
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@SCORES
@REDUCTIONS
@OPTIONS
@pytest.mark.parametrize("smoothing", [0, 0.3])
def test_its_gradients_are_right_to_second_order_by_differences(
    random, shape, reduction, options, smoothing
):
    labels = labels_for(shape, options)
    options = {**options, "reduction": reduction, "label_smoothing": smoothing}
    gradcheck(
        lambda x: F.cross_entropy(x, labels, **options),
        random(*shape),
        order=2,
        max_elements=10,
    )


def test_its_gradient_reaches_third_order(random):
    x, labels, found = random(3, 4), np.array([0, 3, 1]), []
    for y in (F.cross_entropy(x, labels), F.nll_loss(F.log_softmax(x, 1), labels)):
        (first,) = grad(y, x, create_graph=True)
        (second,) = grad((first * first).sum(), x, create_graph=True)
        found.append(grad((second * second).sum(), x)[0].data)
    np.testing.assert_allclose(*found, rtol=1e-10, atol=1e-14)


@REDUCTIONS
def test_an_ignored_pixel_that_is_not_finite_has_no_loss(random, reduction):
    x, labels = random(1, 3, 1, 3), np.array([[[0, VOID, 2]]])
    expected = F.cross_entropy(x, labels, ignore_index=VOID, reduction=reduction)
    x.data[0, 1, 0, 1] = np.nan
    found = F.cross_entropy(x, labels, ignore_index=VOID, reduction=reduction)
    np.testing.assert_array_equal(found.data, expected.data)


def test_the_labels_and_scores_stay_as_they_are(random):
    x, labels = random(2, 4, 3, 5), labels_for((2, 4, 3, 5), {"ignore_index": VOID})
    kept = x.data.copy(), labels.copy()
    F.cross_entropy(x, labels, ignore_index=VOID).backward()
    np.testing.assert_array_equal(x.data, kept[0])
    np.testing.assert_array_equal(labels, kept[1])


def test_float32_scores_give_a_float32_loss_and_gradient(random):
    x = random(2, 4, 3, 5, dtype=np.float32)
    value = F.cross_entropy(x, labels_for(x.shape, {}), np.array([1.0, 2.0, 3.0, 4.0]))
    value.backward()
    assert value.dtype == x.grad.dtype == np.float32
