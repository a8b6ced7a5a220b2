import numpy as np
import pytest

from minifcn import Tensor, nn
from minifcn import functional as F
from minifcn.nn import init

SHAPE = (2, 4, 7, 6)


def make_generator():
    return np.random.default_rng(0)


def randomise(module, seed=1):
    """Draw all floating-point state, variances too, from [0.5, 1.5], in float64."""
    generator = np.random.default_rng(seed)
    module.to(dtype=np.float64)
    for _, value in module.named_tensors():
        if value.dtype.kind == "f":
            value.data[...] = generator.uniform(0.5, 1.5, value.shape)
    return module


def draw(shape=SHAPE, seed=2):
    return np.random.default_rng(seed).standard_normal(shape)


# -- Each layer is its function ------------------------------------------------------------------

# name: (layer, the same as a function of the layer and x)
AS_FUNCTIONS = {
    "Conv2d": (
        lambda g: nn.Conv2d(4, 6, (3, 2), 2, (1, 0), (1, 2), 2, generator=g),
        lambda m, x: F.conv2d(x, m.weight, m.bias, 2, (1, 0), (1, 2), 2),
    ),
    "Conv2d no bias": (
        lambda g: nn.Conv2d(4, 6, 3, padding="same", bias=False, generator=g),
        lambda m, x: F.conv2d(x, m.weight, padding="same"),
    ),
    "ConvTranspose2d": (
        lambda g: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2, True, 2, generator=g),
        lambda m, x: F.conv_transpose2d(x, m.weight, m.bias, 2, 1, 1, 2, 2),
    ),
    "Linear": (
        lambda g: nn.Linear(6, 3, generator=g),
        lambda m, x: F.linear(x, m.weight, m.bias),
    ),
    "BatchNorm2d": (
        lambda g: nn.BatchNorm2d(4, eps=1e-2).eval(),
        lambda m, x: F.batch_norm(
            x, m.running_mean, m.running_var, m.weight, m.bias, False, eps=1e-2
        ),
    ),
    "ReLU": (lambda g: nn.ReLU(), lambda m, x: F.relu(x)),
    "ReLU6": (lambda g: nn.ReLU6(), lambda m, x: F.relu6(x)),
    "MaxPool2d": (
        lambda g: nn.MaxPool2d(3, 2, 1, 2, ceil_mode=True),
        lambda m, x: F.max_pool2d(x, 3, 2, 1, 2, ceil_mode=True),
    ),
    "AvgPool2d": (
        lambda g: nn.AvgPool2d(3, 2, 1, True, False),
        lambda m, x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
    ),
    "AdaptiveAvgPool2d": (
        lambda g: nn.AdaptiveAvgPool2d((3, 2)),
        lambda m, x: F.adaptive_avg_pool2d(x, (3, 2)),
    ),
    "Upsample size": (
        lambda g: nn.Upsample((9, 5), mode="bilinear", align_corners=True),
        lambda m, x: F.interpolate(x, (9, 5), mode="bilinear", align_corners=True),
    ),
    "Upsample factor": (
        lambda g: nn.Upsample(scale_factor=2),
        lambda m, x: F.interpolate(x, scale_factor=2),
    ),
}


@pytest.mark.parametrize("name", AS_FUNCTIONS)
def test_a_layer_is_its_function(name):
    make, function = AS_FUNCTIONS[name]
    layer, x = randomise(make(make_generator())), Tensor(3 * draw())
    np.testing.assert_array_equal(layer(x).data, function(layer, x).data)


def test_max_pooling_and_unpooling_with_indices():
    pool, unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
    x = Tensor(draw((1, 2, 5, 4)))
    y, indices = pool(x)
    np.testing.assert_array_equal(indices.data, F.max_pool2d(x, 2, return_indices=True)[1].data)
    assert unpool(y, indices).shape == (1, 2, 4, 4)
    restored = unpool(y, indices, output_size=(5, 4))
    assert restored.shape == x.shape
    np.testing.assert_array_equal(restored.data, np.where(restored.data == 0, 0, x.data))
    assert np.count_nonzero(restored.data) == y.size


# -- Each layer is PyTorch's ---------------------------------------------------------------------

# name: (ours, PyTorch's, shape of the input)
AS_TORCH = {
    "Conv2d": (
        lambda g: nn.Conv2d(4, 6, (3, 2), 2, (1, 0), (1, 2), 2, generator=g),
        lambda t: t.Conv2d(4, 6, (3, 2), 2, (1, 0), (1, 2), 2),
        SHAPE,
    ),
    "Conv2d same": (
        lambda g: nn.Conv2d(4, 5, (3, 5), padding="same", bias=False, generator=g),
        lambda t: t.Conv2d(4, 5, (3, 5), padding="same", bias=False),
        SHAPE,
    ),
    "Conv2d 1x1": (lambda g: nn.Conv2d(4, 5, 1, generator=g), lambda t: t.Conv2d(4, 5, 1), SHAPE),
    "ConvTranspose2d": (
        lambda g: nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2, True, 2, generator=g),
        lambda t: t.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2, True, 2),
        SHAPE,
    ),
    "Linear": (lambda g: nn.Linear(6, 3, generator=g), lambda t: t.Linear(6, 3), (2, 5, 6)),
    "Linear no bias": (
        lambda g: nn.Linear(6, 3, bias=False, generator=g),
        lambda t: t.Linear(6, 3, bias=False),
        (5, 6),
    ),
    "BatchNorm2d": (
        lambda g: nn.BatchNorm2d(4, eps=1e-2, momentum=0.3),
        lambda t: t.BatchNorm2d(4, eps=1e-2, momentum=0.3),
        SHAPE,
    ),
    "BatchNorm2d eval": (
        lambda g: nn.BatchNorm2d(4).eval(),
        lambda t: t.BatchNorm2d(4).eval(),
        SHAPE,
    ),
    "ReLU": (lambda g: nn.ReLU(), lambda t: t.ReLU(), SHAPE),
    "ReLU6": (lambda g: nn.ReLU6(), lambda t: t.ReLU6(), SHAPE),
    "MaxPool2d": (
        lambda g: nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        lambda t: t.MaxPool2d(3, 2, 1, ceil_mode=True),
        SHAPE,
    ),
    "AvgPool2d": (
        lambda g: nn.AvgPool2d(3, 2, 1, True, False),
        lambda t: t.AvgPool2d(3, 2, 1, True, False),
        SHAPE,
    ),
    "AdaptiveAvgPool2d": (
        lambda g: nn.AdaptiveAvgPool2d((3, None)),
        lambda t: t.AdaptiveAvgPool2d((3, None)),
        SHAPE,
    ),
    "Upsample bilinear": (
        lambda g: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        lambda t: t.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        SHAPE,
    ),
    "Upsample nearest": (
        lambda g: nn.Upsample((9, 13)),
        lambda t: t.Upsample((9, 13)),
        SHAPE,
    ),
    "Dropout eval": (
        lambda g: nn.Dropout(0.4, generator=g).eval(),
        lambda t: t.Dropout(0.4).eval(),
        SHAPE,
    ),
    "Dropout2d eval": (
        lambda g: nn.Dropout2d(0.4, generator=g).eval(),
        lambda t: t.Dropout2d(0.4).eval(),
        SHAPE,
    ),
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", AS_TORCH)
def test_a_layer_is_pytorchs(name):
    torch = pytest.importorskip("torch")
    ours, theirs, shape = AS_TORCH[name]
    layer, reference = randomise(ours(make_generator())), theirs(torch.nn).double()
    state = layer.state_dict()
    reference.load_state_dict({n: torch.from_numpy(a) for n, a in state.items()})

    x, x_reference = Tensor(3 * draw(shape), requires_grad=True), torch.tensor(3 * draw(shape))
    x_reference.requires_grad_()
    y, y_reference = layer(x), reference(x_reference)
    close(y.data, y_reference)
    upstream = draw(y.shape, seed=3)
    y.backward(Tensor(upstream))
    y_reference.backward(torch.from_numpy(upstream))

    close(x.grad.data, x_reference.grad)
    gradients = {n: p.grad for n, p in reference.named_parameters()}
    assert [n for n, _ in layer.named_parameters()] == list(gradients)
    for n, parameter in layer.named_parameters():
        close(parameter.grad.data, gradients[n], n)
    for n, array in layer.state_dict().items():  # running statistics moved alike
        close(array, reference.state_dict()[n], n)


def close(ours, theirs, name=""):
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-10, atol=1e-10, err_msg=name)


# -- What a layer adds to its function -----------------------------------------------------------


def test_batch_norm_counts_batches_in_training_only():
    layer, x = nn.BatchNorm2d(4), Tensor(draw().astype(np.float32))
    layer(x)
    layer(x)
    moved = layer.state_dict()
    assert moved["num_batches_tracked"] == 2
    assert moved["num_batches_tracked"].dtype == np.int64
    layer.eval()(x)
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, moved[name])


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout2d])
def test_dropout_follows_its_generator(kind):
    x = Tensor(np.ones((8, 16, 4, 4)))
    layer = kind(0.25, generator=np.random.default_rng(5))
    y, again = layer(x), layer(x)
    repeated = kind(0.25, generator=np.random.default_rng(5))
    np.testing.assert_array_equal(repeated(x).data, y.data)
    assert not np.array_equal(y.data, again.data)
    np.testing.assert_allclose(np.unique(y.data), [0, 4 / 3])
    assert abs((y.data == 0).mean() - 0.25) < 0.1
    assert layer.eval()(x) is x or np.array_equal(layer(x).data, x.data)


def test_dropout2d_drops_whole_channels():
    layer = nn.Dropout2d(0.5, generator=make_generator())
    y = layer(Tensor(np.ones((8, 16, 4, 4)))).data
    np.testing.assert_array_equal(y, np.broadcast_to(y[..., :1, :1], y.shape))
    assert len(np.unique(y)) == 2


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_dropout_needs_a_probability(p):
    with pytest.raises(ValueError, match="p must be between 0 and 1; got"):
        nn.Dropout(p, generator=make_generator())


@pytest.mark.parametrize(
    ("channels", "groups", "message"),
    [
        ((0, 2), 1, "in_channels must be a positive multiple of groups 1; got 0"),
        ((2, 0), 1, "out_channels must be a positive multiple of groups 1; got 0"),
        ((3, 4), 2, "in_channels must be a positive multiple of groups 2; got 3"),
        ((4, 3), 2, "out_channels must be a positive multiple of groups 2; got 3"),
        ((4, 4), 0, "groups must be at least 1; got 0"),
    ],
)
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_channels_must_fit_the_groups(kind, channels, groups, message):
    with pytest.raises(ValueError, match=message):
        kind(*channels, 3, groups=groups, generator=make_generator())


def test_kernel_size_must_be_positive():
    with pytest.raises(ValueError, match="kernel_size"):
        nn.Conv2d(3, 4, 0, generator=make_generator())


@pytest.mark.parametrize("name", AS_FUNCTIONS)
def test_repr_names_the_layer_and_the_shape_of_its_weight(name):
    text = repr(AS_FUNCTIONS[name][0](make_generator()))
    assert text.startswith(name.split()[0] + "(")
    if name == "ConvTranspose2d":
        assert text == (
            "ConvTranspose2d(weight=(4, 3, 3, 3), stride=2, padding=1, output_padding=1,"
            " dilation=2, groups=2)"
        )


# -- Initial values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (nn.Conv2d(64, 128, 3, groups=2, generator=np.random.default_rng(1)), 32 * 9),
        (nn.Linear(256, 128, generator=np.random.default_rng(1)), 256),
    ],
)
def test_he_initialisation(layer, fan_in):
    weight = layer.weight.data
    assert weight.dtype == np.float32
    assert abs(weight.std() / np.sqrt(2 / fan_in) - 1) < 0.02
    assert abs(weight.mean()) < 0.02 * weight.std()
    assert not layer.bias.data.any()


def test_the_generator_fixes_the_weights():
    first, same, other = (
        nn.Conv2d(3, 4, 3, generator=np.random.default_rng(seed)).weight.data for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_bilinear_kernels():
    np.testing.assert_allclose(init.bilinear_kernel(4)[0], np.array([1, 3, 3, 1]) / 16)
    np.testing.assert_allclose(init.bilinear_kernel(3)[1], np.array([1, 2, 1]) / 2)
    np.testing.assert_allclose(init.bilinear_kernel(1), [[1]])
    for k in range(1, 9):
        kernel = init.bilinear_kernel(k)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1].T)


@pytest.mark.parametrize("factor", [2, 3, 4, 5, 8, 16, 32])
def test_a_new_transposed_convolution_interpolates_in_the_interior(factor):
    kernel, padding = 2 * factor - factor % 2, factor // 2
    layer = nn.ConvTranspose2d(3, 3, kernel, factor, padding, bias=False).to(dtype=np.float64)
    x = Tensor(draw((2, 3, 5, 4)))
    ours = layer(x).data
    expected = F.interpolate(x, scale_factor=factor, mode="bilinear").data
    assert ours.shape == expected.shape
    inside = (..., slice(factor, -factor), slice(factor, -factor))
    np.testing.assert_allclose(ours[inside], expected[inside], atol=1e-6)


def test_bilinear_fills_only_the_way_from_a_channel_to_itself():
    weight = nn.ConvTranspose2d(4, 4, 4, 2, 1, groups=2).weight.data
    assert weight.shape == (4, 2, 4, 4)
    filled = weight.any((2, 3))
    assert filled.tolist() == [[True, False], [False, True]] * 2


def test_bilinear_needs_equal_channels_and_a_square_kernel():
    with pytest.raises(ValueError, match="in_channels and out_channels must be equal"):
        nn.ConvTranspose2d(3, 4, 4)
    with pytest.raises(ValueError, match="square kernel to be bilinear; got 4x2"):
        nn.ConvTranspose2d(3, 3, (4, 2))


def test_a_transposed_convolution_with_a_generator_starts_at_random():
    weight = nn.ConvTranspose2d(3, 5, 4, generator=make_generator()).weight.data
    assert weight.shape == (3, 5, 4, 4)
    assert np.count_nonzero(weight) == weight.size
