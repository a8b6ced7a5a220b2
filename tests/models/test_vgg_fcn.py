import numpy as np
import pytest
from vgg_networks import STRIDES, draw, make_model, make_reference, randomise

from minifcn import Tensor, nn, no_grad
from minifcn.kernels.geometry import (
    Window,
    conv_output_size,
    conv_transpose_output_size,
    coordinate_map,
    pool_output_size,
)
from minifcn.models import VGGFCN
from minifcn.models.vgg_fcn import DEPTHS, crops, windows
from minifcn.nn import init, layers

CROPS = {32: {"scores": 19}, 16: {"score_pool4": 5, "scores": 27},
         8: {"score_pool4": 5, "score_pool3": 9, "scores": 31}}  # fmt: skip


# -- Geometry ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", STRIDES)
def test_the_papers_crops_come_out_of_the_coordinate_maps(stride):
    assert crops(stride) == CROPS[stride]
    assert make_model(stride).crops == CROPS[stride]


def test_a_crop_is_where_the_first_pixel_lies():
    """Pixel 0 of the image lies at pixel 19 of the scores of FCN-32s, pixel 7 at 26."""
    path = coordinate_map([*windows("score_fr"), Window(64, 32, transposed=True)])
    assert (path(0), path(7)) == (19, 26)


def sizes_of(size, padding=100, ceil_mode=True):
    """Sizes of pool3, pool4 and score_fr along one axis, from the sizes of all layers."""
    sizes = {}
    for stage, depth in enumerate(DEPTHS, 1):
        for i in range(depth):
            size = conv_output_size(size, 3, 1, padding if (stage, i) == (1, 0) else 1)
        size = sizes[f"pool{stage}"] = pool_output_size(size, 2, 2, 0, 1, ceil_mode)
    return sizes["pool3"], sizes["pool4"], conv_output_size(size, 7)


def fits(size, stride, padding=100, ceil_mode=True):
    """Whether every crop lies inside what it is cropped from; only the last depends on padding."""
    pool3, pool4, scores = sizes_of(size, padding, ceil_mode)
    if scores < 1:
        return False
    steps = [("score_pool4", pool4)] * (stride <= 16) + [("score_pool3", pool3)] * (stride == 8)
    for name, finer in steps:
        scores = conv_transpose_output_size(scores, 4, 2)
        if CROPS[stride][name] + scores > finer:
            return False
    upsampled = conv_transpose_output_size(scores, 2 * stride, stride)
    return CROPS[stride]["scores"] + padding - 100 + size <= upsampled


@pytest.mark.parametrize("stride", STRIDES)
def test_every_size_up_to_600_gives_scores_of_the_same_size(stride):
    assert all(fits(size, stride) for size in range(1, 601))


def test_it_would_not_without_the_ceiling_or_with_less_padding():
    floor = [size for size in range(1, 601) if not fits(size, 32, ceil_mode=False)]
    assert len(floor) > 100
    assert 500 in floor
    for padding, enough in ((97, True), (96, False)):
        every = all(fits(n, stride, padding) for n in range(1, 601) for stride in STRIDES)
        assert every == enough


@pytest.mark.parametrize("stride", STRIDES)
def test_the_network_agrees(stride):
    model = make_model(stride, widths=(1,) * 5, fc_width=1).eval()
    for height, width in ((1, 1), (2, 33), (31, 97), (64, 7), (131, 200)):
        x = Tensor(np.zeros((2, 3, height, width), np.float32))
        with no_grad():
            assert model(x).shape == (2, 3, height, width)
            _, _, pool3, pool4, _ = model.features(x)
        pooled = [sizes_of(height)[:2], sizes_of(width)[:2]]
        assert [(pool3.shape[i], pool4.shape[i]) for i in (2, 3)] == pooled


@pytest.mark.parametrize("stride", STRIDES)
def test_a_mirrored_image_gives_mirrored_scores(stride):
    """With symmetric kernels, at a size that no pooling rounds: crops one pixel off would show."""
    size = 122  # 320 after conv1_1: five halves, and a window of 7 less, are 4
    model = randomise(make_model(stride)).to(dtype=np.float64).eval()
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data[...] = (parameter.data + parameter.data[..., ::-1]) / 2
    x = draw((1, 3, size, size))
    ours, mirrored = (model(Tensor(np.ascontiguousarray(a))).data for a in (x, x[..., ::-1]))
    assert np.abs(ours[..., ::-1] - mirrored).max() < 1e-10
    assert np.abs(ours - mirrored).max() > 1e-3


# -- Parameters ----------------------------------------------------------------------------------


@pytest.fixture
def full_width(monkeypatch):
    """The real networks by stride, with all zeros in one place instead of half a gigabyte."""
    monkeypatch.setattr(layers, "_zeros", lambda *shape: np.broadcast_to(np.float32(0), shape))
    for name in ("kaiming_normal_", "bilinear_"):
        monkeypatch.setattr(init, name, lambda *_: None)
    monkeypatch.setattr("minifcn.models.vgg_fcn.score", make_score)
    return {stride: VGGFCN(stride=stride, generator=np.random.default_rng(0)) for stride in STRIDES}


def make_score(into, out, generator):
    return nn.Conv2d(into, out, 1, generator=generator)


def test_the_papers_numbers_of_parameters(full_width):
    counts = {}
    for stride, model in full_width.items():
        sizes = {name: p.size for name, p in model.named_parameters()}
        counts[stride] = sum(n for name, n in sizes.items() if not name.startswith("upscore"))
        fixed = {name for name, p in model.named_parameters() if not p.requires_grad}
        assert fixed == {f"{n}.weight" for n, _ in model.children() if n.startswith("upscore")}
    assert counts[32] == 134_346_581
    assert counts[16] == counts[32] + 10_773
    assert counts[8] == counts[16] + 5_397


def port_shapes(stride, c=21):
    """Names and shapes of the public PyTorch port's state_dict, written down by hand."""
    convolutions = {
        "conv1_1": (64, 3), "conv1_2": (64, 64), "conv2_1": (128, 64), "conv2_2": (128, 128),
        "conv3_1": (256, 128), "conv3_2": (256, 256), "conv3_3": (256, 256),
        "conv4_1": (512, 256), "conv4_2": (512, 512), "conv4_3": (512, 512),
        "conv5_1": (512, 512), "conv5_2": (512, 512), "conv5_3": (512, 512),
    }  # fmt: skip
    shapes = {name: (*shape, 3, 3) for name, shape in convolutions.items()}
    shapes |= {"fc6": (4096, 512, 7, 7), "fc7": (4096, 4096, 1, 1), "score_fr": (c, 4096, 1, 1)}
    if stride <= 16:
        shapes["score_pool4"] = (c, 512, 1, 1)
    if stride == 8:
        shapes["score_pool3"] = (c, 256, 1, 1)
    state = {f"{name}.weight": shape for name, shape in shapes.items()}
    state |= {f"{name}.bias": shape[:1] for name, shape in shapes.items()}
    kernels = {
        32: {"upscore": 64},
        16: {"upscore2": 4, "upscore16": 32},
        8: {"upscore2": 4, "upscore_pool4": 4, "upscore8": 16},
    }[stride]
    return state | {f"{name}.weight": (c, c, k, k) for name, k in kernels.items()}


@pytest.mark.parametrize("stride", STRIDES)
def test_names_and_shapes_are_the_ports(stride, full_width):
    own = {name: value.shape for name, value in full_width[stride].named_tensors()}
    assert own == port_shapes(stride)


def test_the_start():
    """Scores are 0; upsampling is bilinear, each class by itself."""
    model = make_model()
    assert not model(Tensor(np.ones((1, 3, 9, 8), np.float32))).data.any()
    weight = model.upscore2.weight.data
    np.testing.assert_array_equal(weight[0, 0], init.bilinear_kernel(4))
    assert not weight[0, 1].any()


# -- The same network in PyTorch -----------------------------------------------------------------


def make_both(stride, dtype=np.float32, **choices):
    torch = pytest.importorskip("torch")
    model = randomise(make_model(stride, **choices)).to(dtype=dtype).eval()
    reference = make_reference(torch, stride, choices.get("at_once", False))
    state = {name: torch.from_numpy(array) for name, array in model.state_dict().items()}
    reference.to(state["fc6.weight"].dtype).load_state_dict(state)
    return torch, model, reference


def relative_error(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


@pytest.mark.oracle
@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("stride", STRIDES)
def test_scores_are_pytorchs(stride, at_once):
    torch, model, reference = make_both(stride, at_once=at_once)
    x = draw((1, 3, 97, 131)).astype(np.float32)
    with no_grad(), torch.no_grad():
        ours, theirs = model(Tensor(x)).data, reference(torch.from_numpy(x)).numpy()
    assert ours.shape == (1, 3, 97, 131)
    assert ours.std() > 0.01
    assert relative_error(ours, theirs) < 1e-4


@pytest.mark.oracle
@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("stride", STRIDES)
def test_gradients_are_pytorchs(stride, at_once):
    """Of the upsampling too, which is fixed only in training."""
    torch, model, reference = make_both(stride, np.float64, at_once=at_once)
    for parameter in model.parameters():
        parameter.requires_grad = True
    x, weights = draw((2, 3, 20, 13)), draw((2, 3, 20, 13), seed=3)
    image, theirs = Tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
    (model(image) * Tensor(weights)).sum().backward()
    (reference(theirs) * torch.from_numpy(weights)).sum().backward()
    assert relative_error(image.grad.data, theirs.grad.numpy()) < 1e-10
    gradients = {name: p.grad.numpy() for name, p in reference.named_parameters()}
    for name, parameter in model.named_parameters():
        assert np.abs(gradients[name]).max() > 0, name
        assert relative_error(parameter.grad.data, gradients[name]) < 1e-10, name


# -- Settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"stride": 4}, "stride must be 32, 16 or 8; got 4"),
        ({"widths": (2, 2)}, r"widths must be five whole numbers, at least 1; got \(2, 2\)"),
        ({"num_classes": 0}, "num_classes must be a whole number of at least 1; got 0"),
        ({"num_classes": 2.5}, "num_classes must be a whole number of at least 1; got 2.5"),
        ({"widths": (2, 2, 2, 2, 0)}, r"widths must be five whole .*; got \(2, 2, 2, 2, 0\)"),
        ({"fc_width": 0}, "fc_width must be a whole number of at least 1; got 0"),
        ({"dropout": 2.0}, "p must be between 0 and 1"),
    ],
)
def test_wrong_settings(choices, message):
    with pytest.raises(ValueError, match=message):
        make_model(**choices)


def test_images_must_have_three_channels():
    with pytest.raises(ValueError, match=r"images must be \(N, 3, H, W\); got shape \(3, 9, 9\)"):
        make_model()(Tensor(np.ones((3, 9, 9), np.float32)))


def test_dropout_is_drawn_from_the_generator():
    images = Tensor(draw((1, 3, 9, 9)).astype(np.float32))
    first, second, other = (
        randomise(make_model(generator=np.random.default_rng(seed)))(images).data
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 0
