import numpy as np
import pytest
from every_size import check_size_of_scores

from minifcn import Tensor, optim
from minifcn import functional as F
from minifcn.gradcheck import gradcheck
from minifcn.models.decoders import DECODERS, DecoderStage, corners
from minifcn.models.segnet import EncoderDecoder, SegNet

TINY = {"widths": (4, 4, 4), "depths": (1, 2, 1)}


def make_model(decoder="unpooling", num_classes=4, seed=0, **choices):
    choices = {**TINY, "generator": np.random.default_rng(seed), **choices}
    return EncoderDecoder(num_classes, decoder, **choices)


def randomise(model, seed=1):
    """Float64, all weights and running statistics random."""
    generator = np.random.default_rng(seed)
    model.to(dtype=np.float64)
    for name, value in model.named_tensors():
        if name.endswith("running_var"):
            value.data[...] = generator.uniform(0.5, 1.5, value.shape)
        elif value.dtype.kind == "f":
            value.data[...] = 0.5 * generator.standard_normal(value.shape)
            if value.ndim == 1 and name.endswith("weight"):
                value.data[...] = generator.uniform(0.5, 1.5, value.shape)
    return model


def draw(shape, seed=2):
    return np.random.default_rng(seed).standard_normal(shape)


# -- The same network in PyTorch -----------------------------------------------------------------


def make_reference(torch):
    """SegNet with widths 4, 5, 6 from PyTorch's layers, with our names."""
    layers = torch.nn

    def block(into, out):
        convolution = layers.Conv2d(into, out, 3, padding=1, bias=False)
        return layers.Sequential(convolution, layers.BatchNorm2d(out), layers.ReLU())

    def blocks(into, out, depth):
        return layers.Sequential(*(block(into if i == 0 else out, out) for i in range(depth)))

    class Stage(layers.Module):
        def __init__(self, into, out):
            super().__init__()
            self.learned = block(into, out)

        def forward(self, x, indices, size):
            return self.learned(torch.nn.functional.max_unpool2d(x, indices, 2, output_size=size))

    class Reference(layers.Module):
        def __init__(self):
            super().__init__()
            stages = [blocks(3, 4, 1), blocks(4, 5, 2), blocks(5, 6, 1)]
            self.encoder = layers.Sequential(*stages)
            self.decoder = layers.Sequential(Stage(6, 5), Stage(5, 4), Stage(4, 4))
            self.score = layers.Conv2d(4, 4, 1)

        def forward(self, x):
            height, width = x.shape[2:]
            x = torch.nn.functional.pad(x, (0, -width % 8, 0, -height % 8))
            remembered = []
            for stage in self.encoder:
                full = stage(x)
                x, indices = torch.nn.functional.max_pool2d(full, 2, return_indices=True)
                remembered.append((indices, full.shape[2:]))
            for stage, partner in zip(self.decoder, remembered[::-1], strict=True):
                x = stage(x, *partner)
            return self.score(x)[:, :, :height, :width]

    return Reference().double()


@pytest.mark.oracle
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [(70, 45), (1, 33)])
def test_scores_gradients_and_a_step_are_pytorchs(size, training):
    torch = pytest.importorskip("torch")
    model = SegNet(4, widths=(4, 5, 6), depths=(1, 2, 1), generator=np.random.default_rng(0))
    model = randomise(model).train(training)
    reference = make_reference(torch).train(training)
    assert list(model.state_dict()) == list(reference.state_dict())
    reference.load_state_dict({n: torch.from_numpy(a) for n, a in model.state_dict().items()})
    images, labels = draw((2, 3, *size)), np.random.default_rng(3).integers(0, 4, (2, *size))
    scores, theirs = model(Tensor(images)), reference(torch.from_numpy(images))
    np.testing.assert_allclose(scores.data, theirs.detach().numpy(), atol=1e-10)
    F.cross_entropy(scores, labels).backward()
    torch.nn.functional.cross_entropy(theirs, torch.from_numpy(labels)).backward()
    gradients = {name: p.grad.numpy() for name, p in reference.named_parameters()}
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(parameter.grad.data, gradients[name], atol=1e-10, err_msg=name)
    optim.SGD(model.parameters(), lr=0.1).step()
    torch.optim.SGD(reference.parameters(), lr=0.1).step()
    state = reference.state_dict()
    for name, array in model.state_dict().items():
        np.testing.assert_allclose(array, state[name].numpy(), atol=1e-10, err_msg=name)


# -- Sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("decoder", DECODERS)
def test_scores_have_the_size_of_the_image(decoder):
    check_size_of_scores(make_model(decoder).eval())


@pytest.mark.parametrize("decoder", ["unpooling", "transposed_k3"])
def test_the_image_is_padded_below_and_right_with_zeros(decoder):
    model, x = randomise(make_model(decoder)).eval(), draw((1, 3, 33, 50))
    padded = np.zeros((1, 3, 40, 56))
    padded[:, :, :33, :50] = x
    scores = model(Tensor(padded)).data
    np.testing.assert_array_equal(model(Tensor(x)).data, scores[:, :, :33, :50])
    assert scores.std() > 1e-3


@pytest.mark.parametrize("stages", [1, 2, 5])
def test_any_number_of_stages(stages):
    model = make_model(widths=(3, 4, 5, 6, 7)[:stages], depths=(1,) * stages)
    assert model(Tensor(np.ones((2, 3, 33, 17), np.float32))).shape == (2, 4, 33, 17)
    x, switches = model.encode(Tensor(np.ones((1, 3, 64, 32), np.float32)))
    assert x.shape == (1, 2 + stages, 64 // 2**stages, 32 // 2**stages)
    assert [s.shape[2] for s in switches] == [32, 16, 8, 4, 2][:stages]


# -- The decoders --------------------------------------------------------------------------------


def stage_of(decoder, seed=0):
    return DecoderStage(decoder, 4, 4, np.random.default_rng(seed)).to(dtype=np.float64).eval()


def test_unpooling_puts_values_back_where_they_were():
    x = Tensor(draw((2, 3, 6, 8)))
    pooled, switches = F.max_pool2d(x, 2, return_indices=True)
    y = DECODERS["unpooling"].enlarge(pooled, switches).data
    put = y != 0
    np.testing.assert_array_equal(y[put], x.data[put])
    assert (put.reshape(2, 3, 3, 2, 4, 2).sum((3, 5)) == 1).all()


def test_a_bed_of_nails_has_its_nails_at_the_upper_left():
    x = Tensor(draw((2, 3, 3, 4)))
    y = DECODERS["bed_of_nails"].enlarge(x, Tensor(np.zeros(x.shape, np.int64))).data
    expected = np.zeros((2, 3, 6, 8))
    expected[:, :, ::2, ::2] = x.data
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(corners(x).data[0, 0], [[0, 2, 4, 6], [16, 18, 20, 22],
                                                          [32, 34, 36, 38]])  # fmt: skip


def test_a_bed_of_nails_with_a_convolution_is_a_transposed_convolution():
    """The kernel turned by 180 degrees, and its channels exchanged."""
    nails, transposed = stage_of("bed_of_nails"), stage_of("transposed_k3", seed=1)
    kernel = nails.state_dict()["learned.0.weight"]
    transposed.load_state_dict(
        {**transposed.state_dict(), "learned.0.weight": kernel.swapaxes(0, 1)[..., ::-1, ::-1]}
    )
    x, switches = Tensor(draw((2, 4, 5, 7))), Tensor(np.zeros((2, 4, 5, 7), np.int64))
    y = nails(x, switches).data
    np.testing.assert_allclose(transposed(x, switches).data, y, atol=1e-12)
    assert y.std() > 0.1


def test_k4_starts_as_bilinear_interpolation():
    stage = stage_of("transposed_k4_bilinear")
    x = Tensor(np.abs(draw((1, 4, 8, 9))))  # positive: the relu changes nothing
    y = stage(x, x).data * np.sqrt(1 + 1e-5)  # the eps of BatchNorm
    expected = F.interpolate(x, scale_factor=2, mode="bilinear").data
    np.testing.assert_allclose(y[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-12)


def test_fixed_bilinear_learns_nothing_and_may_as_well_come_after_the_score():
    model = randomise(make_model("bilinear")).eval()
    assert list(model.decoder.parameters()) == []
    x, switches = model.encode(Tensor(draw((1, 3, 32, 40))))
    after = model.decode(model.score(x), switches).data
    np.testing.assert_allclose(model.score(model.decode(x, switches)).data, after, atol=1e-12)


def test_kernels_have_the_size_in_the_name():
    sizes = {d: 4 if "k4" in d else 3 for d in DECODERS if d != "bilinear"}
    assert {d: stage_of(d).learned[0].weight.shape for d in sizes} == {
        d: (4, 4, k, k) for d, k in sizes.items()
    }


@pytest.mark.parametrize(
    ("decoder", "expected"),
    [
        ("transposed_k4_bilinear", 0),
        ("transposed_k4", 0),
        ("transposed_k3", 1),
        ("nearest_convolution", 0),
        ("bilinear_convolution", 0),
        ("bed_of_nails", 1),
    ],
)
def test_windows_overlap_unevenly_only_where_the_stride_does_not_divide(decoder, expected):
    """With equal weights a constant stays one, or becomes 1, 2, 2, 4 in every 2 x 2."""
    stage = stage_of(decoder)
    stage.learned[0].weight.data[...] = 1
    x = Tensor(np.ones((1, 4, 8, 8)))
    inner = stage(x, Tensor(np.zeros(x.shape, np.int64))).data[0, 0, 4:-4, 4:-4]
    square = np.sort(inner[:2, :2].ravel()) / inner.min()
    np.testing.assert_allclose(square, [1, 2, 2, 4] if expected else [1] * 4, atol=1e-12)
    np.testing.assert_allclose(inner, np.tile(inner[:2, :2], (4, 4)), atol=1e-12)


def test_only_unpooling_looks_at_the_switches():
    x = Tensor(np.abs(draw((1, 4, 4, 4))))
    _, switches = F.max_pool2d(Tensor(draw((1, 4, 8, 8))), 2, return_indices=True)
    looking = {d for d in DECODERS
               if not np.array_equal(stage_of(d)(x, switches).data,
                                     stage_of(d)(x, corners(x)).data)}  # fmt: skip
    assert looking == {"unpooling"}


# -- The start -----------------------------------------------------------------------------------


def test_all_decoders_start_from_one_encoder():
    states = [make_model(decoder).encoder.state_dict() for decoder in DECODERS]
    for state in states[1:]:
        for name, array in state.items():
            np.testing.assert_array_equal(array, states[0][name])
    other = make_model(seed=1).encoder.state_dict()
    assert not np.array_equal(other["0.0.0.weight"], states[0]["0.0.0.weight"])


def test_segnet_is_the_encoder_decoder_that_unpools():
    segnet = SegNet(4, **TINY, generator=np.random.default_rng(0))
    model = make_model("unpooling")
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(segnet.state_dict()[name], array)
    x = Tensor(draw((1, 3, 17, 20)).astype(np.float32))
    np.testing.assert_array_equal(segnet(x).data, model(x).data)


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_weight_learns(decoder):
    model = make_model(decoder)
    F.cross_entropy(
        model(Tensor(draw((2, 3, 32, 32)).astype(np.float32))), np.ones((2, 32, 32), np.int64)
    ).backward()
    for name, parameter in model.named_parameters():
        assert np.abs(parameter.grad.data).max() > 1e-9, name


# -- Gradients by finite differences -------------------------------------------------------------


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("training", [False, True])
def test_the_whole_network_passes_the_gradient_check(decoder, training):
    model = make_model(decoder, 2, widths=(2, 2), depths=(1, 1))
    model = randomise(model, seed=3).train(training)
    x = Tensor(draw((2, 3, 12, 12)), requires_grad=True)
    parameters = dict(model.named_parameters())
    report = gradcheck(lambda x: model(x), x, parameters=parameters, max_elements=3)
    assert set(report.errors) == {"inputs[0]", *parameters}
    assert all(np.abs(check.analytic).max() > 1e-9 for check in report.checks)


# -- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"num_classes": 0}, "num_classes must be at least 1; got 0"),
        ({"decoder": "magic"}, "decoder must be one of bilinear, .*, bed_of_nails; got 'magic'"),
        ({"widths": ()}, r"widths must be 1 to 8 numbers of at least 1; got \(\)"),
        ({"widths": (4, 0, 4)}, r"widths must be 1 to 8 numbers of at least 1; got \(4, 0, 4\)"),
        ({"widths": (1,) * 9}, "widths must be 1 to 8 numbers"),
        ({"depths": (1, 1)}, r"depths must be 3 numbers of at least 1, as widths; got \(1, 1\)"),
        ({"depths": (1, 1, 0)}, "depths must be 3 numbers of at least 1"),
        (
            {"decoder": "bilinear", "widths": (4, 5, 6)},
            "widths must be equal for decoder 'bilinear'; got 6 and 5",
        ),
        (
            {"decoder": "transposed_k4_bilinear", "widths": (4, 5, 5)},
            "widths must be equal for decoder 'transposed_k4_bilinear'; got 5 and 4",
        ),
    ],
)
def test_wrong_settings(choices, message):
    with pytest.raises(ValueError, match=message):
        make_model(**choices)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 4, 32, 32), (1, 32, 32, 3)])
def test_images_must_have_three_channels(shape):
    with pytest.raises(ValueError, match=r"images must be \(N, 3, H, W\); got shape"):
        make_model()(Tensor(np.ones(shape, np.float32)))
