"""EfficientNet-Lite0: the network itself, against PyTorch, and where its cells lie."""

import math

import numpy as np
import pytest
from installed import need
from photo_scores import check_scores

from minifcn import Tensor, no_grad
from minifcn.data.images import read_image
from minifcn.experiments.heatmap.photos import resize
from minifcn.experiments.heatmap.views import look
from minifcn.kernels.geometry import coordinate_map
from minifcn.models.efficientnet_lite import LEAN, EfficientNetLite0, same_padding
from minifcn.models.pretrained import NETWORKS, PHOTOS, locate

NETWORK = NETWORKS["efficientnet-lite0"]
SIZES = [(1, 1), (33, 70), (64, 97)]
STAGES = "1-3-1-1-16 2-3-2-6-24 2-5-2-6-40 3-3-2-6-80 3-5-1-6-112 4-5-2-6-192 1-3-1-6-320"


def randomise(model, seed=1):
    """Float64, all weights and running statistics random."""
    generator = np.random.default_rng(seed)
    model.to(dtype=np.float64)
    for name, value in model.named_tensors():
        if name.endswith(("running_var", "bn0.weight", "bn1.weight", "bn2.weight")):
            value.data[...] = generator.uniform(0.5, 1.5, value.shape)
        elif name.endswith(("bias", "running_mean")):
            value.data[...] = 0.3 * generator.standard_normal(value.shape)
    return model.eval()


@pytest.fixture(scope="module")
def model():
    """A network with random weights and ten classes, in float64."""
    return randomise(EfficientNetLite0(10, generator=np.random.default_rng(0)))


def images(size, seed=2):
    return Tensor(np.random.default_rng(seed).standard_normal((2, 3, *size)))


# -- The same network in PyTorch, with the names that the file of weights has --------------------


def make_reference(torch, num_classes):
    """Build EfficientNet-Lite0 from PyTorch's layers."""
    layers, functional = torch.nn, torch.nn.functional

    class Same(layers.Conv2d):
        def forward(self, x):
            for axis in (3, 2):
                size, k, s = x.shape[axis], self.kernel_size[0], self.stride[0]
                extra = max((math.ceil(size / s) - 1) * s + k - size, 0)
                sides = [extra // 2, extra - extra // 2]
                x = functional.pad(x, sides if axis == 3 else [0, 0, *sides])
            return super().forward(x)

    def norm(channels):
        return layers.BatchNorm2d(channels, eps=1e-3)

    class Block(layers.Module):
        def __init__(self, into, out, k, s, expansion):
            super().__init__()
            inside = into * expansion
            if expansion > 1:
                self._expand_conv = layers.Conv2d(into, inside, 1, bias=False)
                self._bn0 = norm(inside)
            self._depthwise_conv = Same(inside, inside, k, s, groups=inside, bias=False)
            self._bn1 = norm(inside)
            self._project_conv = layers.Conv2d(inside, out, 1, bias=False)
            self._bn2 = norm(out)
            self.skip = s == 1 and into == out

        def forward(self, x):
            y = x
            if hasattr(self, "_expand_conv"):
                y = functional.relu6(self._bn0(self._expand_conv(y)))
            y = functional.relu6(self._bn1(self._depthwise_conv(y)))
            y = self._bn2(self._project_conv(y))
            return x + y if self.skip else y

    class Reference(layers.Module):
        def __init__(self):
            super().__init__()
            self._conv_stem, self._bn0 = Same(3, 32, 3, 2, bias=False), norm(32)
            blocks, into = [], 32
            for stage in STAGES.split():
                count, k, s, expansion, out = map(int, stage.split("-"))
                for i in range(count):
                    blocks.append(Block(into, out, k, s if i == 0 else 1, expansion))
                    into = out
            self._blocks = layers.Sequential(*blocks)
            self._conv_head, self._bn1 = layers.Conv2d(320, 1280, 1, bias=False), norm(1280)
            self._fc = layers.Linear(1280, num_classes)

        def forward(self, x):
            x = self._blocks(functional.relu6(self._bn0(self._conv_stem(x))))
            x = functional.relu6(self._bn1(self._conv_head(x)))
            return self._fc(x.mean((2, 3)))

    return Reference().eval()


@pytest.mark.oracle
@pytest.mark.parametrize("size", SIZES)
def test_random_weights_give_what_pytorch_gives(model, size):
    torch = pytest.importorskip("torch")
    reference = make_reference(torch, 10).double()
    state = model.state_dict()
    own = {name.replace("._", ".").lstrip("_"): name for name in reference.state_dict()}
    assert list(own) == list(state)
    reference.load_state_dict({own[name]: torch.from_numpy(state[name]) for name in state})
    x = images(size)
    with no_grad(), torch.no_grad():
        expected = reference(torch.from_numpy(x.data)).numpy()
        np.testing.assert_allclose(model(x).data, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.oracle
@pytest.mark.parametrize("photo", ["chelsea", "coffee", "rocket", "china"])
def test_the_file_gives_what_pytorch_gives_from_it(photo):
    torch = pytest.importorskip("torch")
    need(NETWORK.weights, PHOTOS[photo])
    reference = make_reference(torch, 1000)
    reference.load_state_dict(torch.load(locate(NETWORK.weights), weights_only=True))
    with torch.no_grad():
        check_scores(NETWORK, photo, lambda x: reference(torch.from_numpy(x)).numpy())


# -- Maps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_the_mean_of_the_map_is_the_classifiers_score(model, size):
    with no_grad():
        features = model.features(images(size))
        scores, logits = model.score_map(features), model.classify(features)
    cells = tuple(math.ceil(n / 32) for n in size)
    assert features.shape == (2, 1280, *cells)
    assert scores.shape == (2, 10, *cells)
    np.testing.assert_allclose(scores.data.mean((2, 3)), logits.data, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(model(images(size)).data, logits.data)


def test_both_ways_have_the_same_gradient(model):
    with no_grad():
        features = model.features(images((40, 70)))
    gradients = []
    for score in (model.classify, lambda x: model.score_map(x).mean((2, 3))):
        model.zero_grad()
        (score(features) * score(features)).sum().backward()
        gradients.append([model.fc.weight.grad.data, model.fc.bias.grad.data])
    for one, other in zip(*gradients, strict=True):
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


# -- Padding and places --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (224, 3, 2, (0, 1)), (225, 3, 2, (1, 1)), (224, 5, 2, (1, 2)), (225, 5, 2, (2, 2)),
        (7, 5, 1, (2, 2)), (1, 3, 2, (1, 1)), (5, 1, 2, (0, 0)),
    ],
)  # fmt: skip
def test_same_padding(size, kernel, stride, expected):
    assert same_padding(size, kernel, stride) == expected


def test_same_padding_is_the_least_that_gives_the_size():
    for size in range(1, 40):
        for kernel, stride in [(1, 1), (1, 2), (3, 1), (3, 2), (5, 1), (5, 2), (2, 3), (4, 3)]:
            before, after = same_padding(size, kernel, stride)
            assert after - before in (0, 1)
            outputs = [
                (size + total - kernel) // stride + 1
                for total in (before + after, before + after - 1)
            ]
            assert outputs[0] == math.ceil(size / stride) or kernel < stride
            assert before + after == 0 or outputs[1] < outputs[0]


@pytest.mark.parametrize(
    ("size", "first"), [(224, 31), (256, 31), (225, 0), (257, 0), (240, 15), (239, 14), (369, 16)]
)
def test_where_the_first_windows_centre_lies(model, size, first):
    """Padding before, of the stem and the strided blocks 1, 3, 5 and 11, moves it to the left."""
    window = coordinate_map(model.windows(size)).inverse()
    assert (window(0), window(1) - window(0)) == (first, 32)
    assert model.to_cells(size).inverse()(0) == first - LEAN


def test_windows_are_those_of_the_layers(model):
    windows = model.windows(224)
    assert [window.stride for window in windows] == [2, 1, 2, 1, 2, 1, 2, *[1] * 5, 2, *[1] * 4]
    assert [window.kernel for window in windows] == [
        3, 3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3
    ]  # fmt: skip


@pytest.mark.parametrize("size", [(256, 384), (257, 385)])
def test_a_mirrored_photo_has_a_mirrored_map_thanks_to_the_lean(size):
    """Where is the evidence, in the photo and in its mirror image? Without LEAN: 13 pixels off."""
    need(NETWORK.weights, *PHOTOS.values())
    network, differences = NETWORK.load(), []
    for photo, number in (("coffee", 967), ("china", 698), ("flower", 985), ("astronaut", 560)):
        pixels = resize(read_image(locate(PHOTOS[photo])), size)
        left = column_of_evidence(look(network, NETWORK, pixels), number)
        right = column_of_evidence(look(network, NETWORK, pixels[:, ::-1]), number)
        differences.append((left - (size[1] - 1 - right)) / 2)
    assert abs(np.mean(differences)) < 4
    assert abs(np.mean(differences) + float(LEAN)) > 10


def column_of_evidence(view, number):
    """The mean column, in pixels, of the cells that score more than half of the largest."""
    scores = view.scores[number] * (view.scores[number] > view.scores[number].max() / 2)
    cell = (scores.sum(0) * np.arange(scores.shape[1])).sum() / scores.sum()
    to_pixels = view.axes[1].inverse()
    return float(to_pixels.scale) * cell + float(to_pixels.offset)


@pytest.mark.parametrize("shape", [(3, 40, 40), (1, 4, 40, 40)])
def test_wrong_images_are_refused(model, shape):
    with pytest.raises(ValueError, match=r"images must be \(N, 3, H, W\); got shape"):
        model(Tensor(np.zeros(shape)))
