"""The classifier, and the same weights as a fully convolutional network."""

import numpy as np
import pytest

from minifcn import Tensor, no_grad
from minifcn import functional as F
from minifcn.gradcheck import gradcheck
from minifcn.models.classifier import Classifier

SIZES = ((64, 64), (33, 70), (8, 131), (1, 1))
TINY = {"widths": (4, 5, 6), "depths": (1, 1, 2), "head_width": 7}


def make(num_classes=3, seed=0, **choices):
    """A network in float64 and evaluation, with random weights and running statistics."""
    generator = np.random.default_rng(seed)
    model = Classifier(num_classes, generator=generator, **{**TINY, **choices})
    model.to(dtype=np.float64).eval()
    for name, value in model.named_tensors():
        if name.endswith(("running_var", "1.weight")):
            value.data[...] = generator.uniform(0.5, 1.5, value.shape)
        elif value.dtype.kind == "f" and value.ndim == 1:
            value.data[...] = generator.standard_normal(value.shape)
    return model


def draw(*shape, seed=1):
    return Tensor(np.random.default_rng(seed).standard_normal(shape))


# -- The identity --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_mean_of_a_map_is_the_classifiers_logit(size, batch_norm):
    model = make(batch_norm=batch_norm)
    x = draw(2, 3, *size)
    maps = model.fully_convolutional()(x)
    assert not model.fully_convolutional().training
    assert maps.shape == (2, 3, -(-size[0] // 8), -(-size[1] // 8))
    np.testing.assert_allclose(maps.data.mean((2, 3)), model(x).data, rtol=1e-12, atol=1e-12)


def test_the_mean_of_a_map_is_the_logit_in_float32():
    model = make()
    model.to(dtype=np.float32)
    x = Tensor(draw(2, 3, 64, 96).data.astype(np.float32))
    maps, logits = model.fully_convolutional()(x), model(x)
    assert (maps.dtype, logits.dtype) == (np.float32, np.float32)
    error = np.abs(maps.data.mean((2, 3)) - logits.data).max()
    assert error / np.abs(logits.data).max() < 1e-5


def test_each_cell_adds_the_bias_and_so_does_the_mean():
    model, x = make(), draw(1, 3, 40, 48)
    network = model.fully_convolutional()
    network.score.bias.data[...] = 0
    missing = model(x).data - network(x).data.mean((2, 3))
    np.testing.assert_allclose(missing[0], model.classifier.bias.data, rtol=1e-10)


def test_the_identity_holds_in_training_too_where_both_see_the_same_batch():
    model = make()
    model.train()
    network, x = model.fully_convolutional(), draw(3, 3, 32, 32)
    assert network.training
    np.testing.assert_allclose(network(x).data.mean((2, 3)), model(x).data, rtol=1e-12)


def test_the_linear_layer_is_copied_and_the_backbone_shared():
    model, x = make(), draw(1, 3, 16, 16)
    network = model.fully_convolutional()
    before = network(x).data
    model.classifier.weight.data += 1
    model.classifier.bias.data += 1
    np.testing.assert_array_equal(network(x).data, before)
    model.features[0][0][0].weight.data += 1
    assert np.abs(network(x).data - before).max() > 1e-3


def test_a_larger_image_has_the_same_scores_where_it_shows_the_same():
    """Away from the border: the network is one function, slid over the image."""
    network, x = make().fully_convolutional(), draw(1, 3, 160, 176)
    part = network(Tensor(x.data[:, :, 16:, 24:].copy())).data
    inside = (..., slice(7, -7), slice(7, -7))
    np.testing.assert_allclose(part[inside], network(x).data[:, :, 2:, 3:][inside], rtol=1e-9)


# -- Upsampled maps ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_upsampled_maps_have_the_size_of_the_image(size):
    network = make().fully_convolutional()
    assert network.at_image_size(draw(2, 3, *size)).shape == (2, 3, *size)


def test_upsampling_puts_every_score_where_its_cell_is():
    """Cells that hold the place of their centre upsample to pixels that hold theirs."""
    network = make(2, head_width=2).fully_convolutional()
    rows, columns = np.meshgrid(8 * np.arange(8) + 3.5, 8 * np.arange(9) + 3.5, indexing="ij")
    del network.features  # a module's name takes no function
    network.features = lambda x: Tensor(np.stack([rows, columns])[None])
    network.score.weight.data[...] = np.eye(2)[:, :, None, None]
    network.score.bias.data[...] = 0
    maps = network.at_image_size(draw(1, 3, 61, 70)).data[0]
    expected = np.stack(np.meshgrid(np.arange(61), np.arange(70), indexing="ij"))
    inside = (..., slice(4, 60), slice(4, 67))
    np.testing.assert_allclose(maps[inside], expected[inside], atol=1e-9)


# -- The network ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("widths", "depths", "stride"), [((4,), (1,), 2), ((4, 4), (2, 1), 4), ((3,) * 5, (1,) * 5, 32)]
)
def test_each_stage_doubles_the_stride(widths, depths, stride):
    model = make(widths=widths, depths=depths)
    assert model.stride == stride
    assert model.fully_convolutional()(draw(1, 3, 64, 96)).shape[2:] == (64 // stride, 96 // stride)


def test_a_generator_fixes_the_weights():
    states = [
        Classifier(3, generator=np.random.default_rng(seed)).state_dict() for seed in (4, 4, 5)
    ]
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name])
    assert not np.array_equal(states[0]["classifier.weight"], states[2]["classifier.weight"])


@pytest.mark.oracle
def test_logits_and_gradients_are_pytorchs():
    torch = pytest.importorskip("torch")
    model, labels = make(), np.array([2, 0])
    parts, width = [], 3
    for out, pool in ((4, True), (5, True), (6, False), (6, True), (7, False), (7, False)):
        parts += [torch.nn.Conv2d(width, out, 3, padding=1, bias=False), torch.nn.BatchNorm2d(out)]
        parts += [torch.nn.ReLU()] + [torch.nn.MaxPool2d(2)] * pool
        width = out
    parts += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(7, 3)]
    reference = torch.nn.Sequential(*parts).double().eval()
    ours = [value for _, value in model.named_tensors()]
    theirs = reference.state_dict()
    assert [tuple(array.shape) for array in theirs.values()] == [v.shape for v in ours]
    reference.load_state_dict({n: torch.tensor(v.data) for n, v in zip(theirs, ours, strict=True)})
    x = draw(2, 3, 32, 40)
    logits, expected = model(x), reference(torch.tensor(x.data))
    np.testing.assert_allclose(logits.data, expected.detach().numpy(), rtol=1e-10)
    F.cross_entropy(logits, Tensor(labels)).backward()
    torch.nn.functional.cross_entropy(expected, torch.tensor(labels)).backward()
    for own, other in zip(model.parameters(), reference.parameters(), strict=True):
        np.testing.assert_allclose(own.grad.data, other.grad.numpy(), rtol=1e-8, atol=1e-12)


def test_the_score_maps_pass_the_gradient_check():
    network = make(2, widths=(2,), depths=(1,), head_width=2).fully_convolutional()
    parameters = dict(network.named_parameters())
    x = Tensor(draw(1, 3, 4, 6).data, requires_grad=True)
    report = gradcheck(lambda x: network(x), x, parameters=parameters, max_elements=4)
    assert set(report.errors) == {"inputs[0]", *parameters}
    moving = [check.name for check in report.checks if np.abs(check.analytic).max() > 1e-9]
    assert set(moving) == {"inputs[0]", *parameters}


# -- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"num_classes": 0}, "num_classes must be at least 1; got 0"),
        ({"head_width": 0}, "head_width must be at least 1; got 0"),
        (
            {"widths": (4, 4)},
            r"as many positive numbers each, 1 to 8; got \(4, 4\) and \(1, 1, 2\)",
        ),
        ({"widths": (), "depths": ()}, r"got \(\) and \(\)"),
        ({"widths": (4, 0, 4)}, r"got \(4, 0, 4\)"),
        ({"depths": (1, 1, 0)}, r"\(1, 1, 0\)"),
    ],
)
def test_wrong_settings(choices, message):
    with pytest.raises(ValueError, match=message):
        make(**choices)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 4, 32, 32)])
def test_images_must_have_three_channels(shape):
    model = make()
    for network in (model, model.fully_convolutional()):
        with no_grad(), pytest.raises(ValueError, match=r"images must be \(N, 3, H, W\); got"):
            network(draw(*shape))
