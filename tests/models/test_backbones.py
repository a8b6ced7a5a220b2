"""The backbones of FCN: where their cells lie, their weights, and whole networks on them."""

import numpy as np
import pytest
from installed import need

from minifcn import Tensor, no_grad
from minifcn import functional as F
from minifcn.data.images import read_image
from minifcn.data.transforms import resize_image
from minifcn.models import FCN, VGG, Backbone
from minifcn.models.backbone import STRIDES
from minifcn.models.backbones import (
    NAMES,
    PRETRAINED,
    build_backbone,
    load_pretrained,
    normalisation_of,
)
from minifcn.models.pretrained import NETWORKS, PHOTOS, locate

SMALL = ((2, 3, 4, 5, 6), (1, 1, 2, 1, 1))
FROM_PACKAGES = ("efficientnet-lite0", "squeezenet1.1")


def build(name, seed=0):
    sizes = SMALL if name == "small" else ()
    return build_backbone(name, *sizes, generator=np.random.default_rng(seed))


def build_tiny_vgg16():
    """VGG16 with 4 channels in place of 64, and so on."""
    widths, depths = (4, 5, 6, 7, 7), (2, 2, 3, 3, 3)
    return VGG(widths, depths, batch_norm=False, generator=np.random.default_rng(0))


@pytest.fixture(scope="module")
def trained():
    """The backbones whose weights are in packages, with these weights."""
    need(*(NETWORKS[name].weights for name in FROM_PACKAGES))
    found = {name: build(name) for name in FROM_PACKAGES}
    for name, backbone in found.items():
        load_pretrained(backbone, name)
        backbone.eval()
    return found


def noise(size, seed=1):
    return Tensor(np.random.default_rng(seed).standard_normal((1, 3, *size)).astype(np.float32))


# -- Feature maps --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(32, 32), (64, 96)])
def test_maps_have_the_widths_and_strides_that_are_said(name, size):
    backbone = build_tiny_vgg16() if name == "vgg16" else build(name)
    backbone.eval()
    with no_grad():
        maps = backbone.feature_maps(noise(size))
    assert tuple(backbone.widths) == STRIDES == tuple(maps)
    for stride, found in maps.items():
        assert found.shape == (1, backbone.widths[stride], *(n // stride for n in size))


def test_a_backbone_of_ones_own_needs_feature_maps():
    with pytest.raises(TypeError, match="Backbone defines no feature_maps"):
        Backbone().feature_maps(noise((32, 32)))


@pytest.mark.parametrize("name", FROM_PACKAGES)
def test_the_classifier_has_the_same_features(trained, name):
    """Trained weights are where they belong: the classifier, built on the backbone, agrees."""
    classifier, x = NETWORKS[name].load(), noise((64, 96))
    own = classifier.state_dict()
    for key, array in trained[name].state_dict().items():
        np.testing.assert_array_equal(own[key], array, key)
    with no_grad():
        maps, expected = trained[name].feature_maps(x), classifier.feature_maps(x)
    for stride in STRIDES:
        np.testing.assert_array_equal(maps[stride].data, expected[stride].data)


# -- Where cells lie -----------------------------------------------------------------------------


def energies(backbone, pixels):
    """How strong the features of each cell are, (H / s, W / s), around their mean; by stride."""
    with no_grad():
        maps = backbone.feature_maps(Tensor(backbone.normalisation(pixels)[None]))
    return {stride: energy(features.data[0]) for stride, features in maps.items()}


def energy(features):
    strength = np.sqrt(((features - features.mean((1, 2), keepdims=True)) ** 2).sum(0))
    return strength - strength.mean()


def shift(one, other):
    """By how many cells `one` lies further right than `other`, by their correlation."""

    def correlation(d):
        width = one.shape[1]
        a = one[:, max(0, d) : width + min(0, d)]
        b = other[:, max(0, -d) : width + min(0, -d)]
        return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())

    values = {d: correlation(d) for d in range(-2, 3)}
    best = max((-1, 0, 1), key=values.get)
    low, middle, high = (values[best + d] for d in (-1, 0, 1))
    return best + (low - high) / 2 / (low - 2 * middle + high)  # the top of a parabola


@pytest.mark.parametrize("name", FROM_PACKAGES)
def test_cells_tell_of_their_middles_so_the_maps_land_on_each_other(trained, name):
    """A photo and its mirror image: a cell that tells of another place shows twice the distance."""
    photos = ("astronaut", "chelsea", "coffee", "rocket", "china", "flower")
    need(*(PHOTOS[photo] for photo in photos))
    found = {stride: [] for stride in STRIDES}
    for photo in photos:
        pixels = resize_image(read_image(locate(PHOTOS[photo])), (160, 224))
        own, mirrored = (energies(trained[name], x) for x in (pixels, pixels[:, ::-1]))
        for stride in STRIDES:
            found[stride].append(shift(own[stride], mirrored[stride][:, ::-1]) / 2)
    for stride, cells in found.items():
        assert abs(np.mean(cells)) < (1.5 / stride if name == "efficientnet-lite0" else 0.26)


@pytest.mark.parametrize("axis", [2, 3])
def test_vggs_cells_are_exactly_about_their_middles(axis):
    """With symmetric kernels, a mirrored image gives mirrored maps of every stride."""
    backbone = build("small").to(dtype=np.float64).eval()
    for parameter in backbone.parameters():
        if parameter.ndim == 4:
            parameter.data[...] = (parameter.data + np.flip(parameter.data, axis)) / 2
    x = np.random.default_rng(3).standard_normal((1, 3, 64, 96))
    maps, mirrored = (backbone.feature_maps(Tensor(own)) for own in (x, np.flip(x, axis).copy()))
    for stride in STRIDES:
        np.testing.assert_allclose(np.flip(mirrored[stride].data, axis), maps[stride].data)
        assert maps[stride].data.std() > 1e-3


@pytest.mark.parametrize("stride", [32, 16, 8, 4])
@pytest.mark.parametrize("name", NAMES)
def test_any_size_of_image_can_be_scored(name, stride):
    backbone = build_tiny_vgg16() if name == "vgg16" else build(name)
    model = FCN(3, stride, backbone=backbone, head_width=4, generator=np.random.default_rng(0))
    model.eval()
    with no_grad():
        for size in ((1, 1), (33, 20), (64, 32)):
            assert model(noise(size)).shape == (1, 3, *size)


# -- Beside PyTorch ------------------------------------------------------------------------------


def randomise(model, dtype, seed=5):
    """Draw scores, which start at 0, and BatchNorm's numbers."""
    generator = np.random.default_rng(seed)
    model.to(dtype=dtype)
    for name, value in model.named_tensors():
        if name.startswith("score") or name.endswith(("bias", "running_mean")):
            value.data[...] = 0.3 * generator.standard_normal(value.shape)
        elif name.endswith("running_var") or (name.endswith("weight") and value.ndim == 1):
            value.data[...] = generator.uniform(0.5, 1.5, value.shape)
    return model


@pytest.mark.oracle
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", [*FROM_PACKAGES, "vgg16"])
def test_scores_and_gradients_are_those_of_the_twin_in_pytorch(name, training):
    torch = pytest.importorskip("torch")
    from torch_twins import make_twin

    backbone = build_tiny_vgg16() if name == "vgg16" else build(name)
    model = FCN(3, 4, backbone=backbone, head_width=6, generator=np.random.default_rng(0))
    randomise(model, np.float64).train(training)
    twin = make_twin(torch, model, name).train(training)
    generator = np.random.default_rng(6)
    x, labels = generator.standard_normal((2, 3, 40, 70)), generator.integers(0, 3, (2, 40, 70))
    loss = F.cross_entropy(model(Tensor(x)), labels)
    theirs = torch.nn.functional.cross_entropy(twin(torch.from_numpy(x)), torch.from_numpy(labels))
    assert abs(loss.item() - theirs.item()) < 1e-10 * abs(theirs.item())
    loss.backward()
    theirs.backward()
    expected = {key: p.grad.numpy() for key, p in twin.named_parameters() if p.grad is not None}
    moving = {key: p.grad.data for key, p in model.named_parameters() if p.grad is not None}
    assert moving.keys() == expected.keys()
    for key, gradient in moving.items():
        largest = np.abs(expected[key]).max()
        assert np.abs(gradient - expected[key]).max() <= 1e-10 * max(largest, 1e-3), key


@pytest.mark.oracle
@pytest.mark.parametrize("name", FROM_PACKAGES)
def test_trained_weights_give_what_the_twin_gives_in_float32(trained, name):
    torch = pytest.importorskip("torch")
    from torch_twins import make_twin

    settings = {"head_width": 6, "generator": np.random.default_rng(0)}
    model = randomise(FCN(3, 8, backbone=build(name), **settings), np.float32)
    model.backbone.load_state_dict(trained[name].state_dict())
    twin = make_twin(torch, model.eval(), name).eval()
    x = noise((64, 96))
    with no_grad(), torch.no_grad():
        ours, theirs = model(x).data, twin(torch.from_numpy(x.data)).numpy()
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


# -- Names and files -----------------------------------------------------------------------------


def test_each_name_has_the_normalisation_that_its_network_has():
    for name in NAMES:
        if name != "vgg16":
            assert build(name).normalisation == normalisation_of(name)
    for name in FROM_PACKAGES:
        assert NETWORKS[name].prepare == normalisation_of(name)


def test_unknown_names_and_settings():
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="backbone must be one of small, .*; got 'resnet'"):
        build_backbone("resnet", generator=generator)
    with pytest.raises(ValueError, match="widths and depths are those of squeezenet1.1 itself"):
        build_backbone("squeezenet1.1", *SMALL, generator=generator)
    with pytest.raises(ValueError, match="small has no pretrained weights; choose efficientnet-"):
        load_pretrained(build("small"), "small")
    with pytest.raises(ValueError, match="vgg16 needs --backbone-weights FILE"):
        load_pretrained(build_tiny_vgg16(), "vgg16")


def torchvisions(backbone):
    """The state of a VGG16 as torchvision names it, linear layers included."""
    places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    stages = [(1, 2), (2, 2), (3, 3), (4, 3), (5, 3)]
    names = [f"stage{stage}.{i}" for stage, depth in stages for i in range(depth)]
    state = backbone.state_dict()
    found = {
        f"features.{place}.{part}": state[f"{name}.{part}"] + 1
        for place, name in zip(places, names, strict=True)
        for part in ("weight", "bias")
    }
    return found | {"classifier.0.weight": np.zeros((3, 2)), "classifier.0.bias": np.zeros(3)}


def test_vgg16s_weights_are_torchvisions(tmp_path):
    backbone = build_tiny_vgg16()
    before, file = backbone.state_dict(), tmp_path / "vgg16.npz"
    np.savez(file, **torchvisions(backbone))
    load_pretrained(backbone, "vgg16", file)
    for name, array in backbone.state_dict().items():
        np.testing.assert_array_equal(array, before[name] + 1)


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_file_of_something_else_is_refused_and_nothing_changes(tmp_path, name):
    backbone = build_tiny_vgg16() if name == "vgg16" else build(name)
    before, file = backbone.state_dict(), tmp_path / "other.npz"
    np.savez(file, weight=np.zeros(3))
    with pytest.raises(ValueError, match="other.npz"):
        load_pretrained(backbone, name, file)
    for key, array in backbone.state_dict().items():
        np.testing.assert_array_equal(array, before[key])
