"""What is measured: the amounts that a piece of work states, and that the network is all there."""

from dataclasses import replace

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import kernels, nn, tensor
from minifcn.bench import sides
from minifcn.bench import work as work_module
from minifcn.bench.places import CPU
from minifcn.bench.work import (
    BATCH,
    FEATURES,
    NETWORKS,
    OTHERS,
    SIZE,
    STANDARD,
    Work,
    input_shape,
    network_work,
    operations,
    output_shape,
    scaling_work,
    standard_work,
    weight_shape,
)
from minifcn.data import camvid, shapes
from minifcn.models.efficientnet_lite import SameConv2d
from minifcn.runs.config import Config

KERNELS = [work for work in standard_work() if work.kind != "network"]
DEPTHWISE = [work for work in KERNELS if work.groups > 1]
CONVOLUTIONS = [work for work in KERNELS if "conv" in work.kind and work.groups == 1]
REST = [work for work in KERNELS if "conv" not in work.kind]


def name(work):
    return work.name


def zeros(shape):
    return np.zeros(shape, np.float32)


def forward(work, x):
    """The output of an operation, by minifcn.functional and with the settings of the work."""
    x = tensor(x)
    if work.kind in ("conv2d", "conv_transpose2d"):
        weight = tensor(zeros(weight_shape(work)))
        settings = {"stride": work.stride, "padding": work.padding, "groups": work.groups}
        return getattr(F, work.kind)(x, weight, **settings)
    if work.kind == "interpolate":
        return F.interpolate(x, scale_factor=work.stride, mode=work.mode)
    if work.kind == "max_pool2d":
        return F.max_pool2d(x, work.kernel, work.stride)
    indices = tensor(np.zeros(x.shape, np.int64))
    return F.max_unpool2d(x, indices, work.kernel, work.stride)


@pytest.mark.parametrize("device", STANDARD)
@pytest.mark.parametrize("list_work", [standard_work, scaling_work])
def test_names_differ_and_are_one_line(list_work, device):
    works = list_work(device)
    names = [work.name for work in works]
    assert len(set(names)) == len(names) == len(set(works))
    assert all(text.isprintable() for text in names)


def test_names_tell_what_is_done():
    assert Work("network", "step").name == f"FCN-8s step {BATCH}x3x{SIZE}x{SIZE}"
    large = Work("network", "forward", 1, size=500, network="vgg16")
    assert large.name == "FCN-8s VGG16 forward 1x3x500x500"
    features = Work("network", "forward", 2, size=32, network=FEATURES, width=64)
    assert features.name == "EfficientNet-Lite0 features forward 2x3x32x64"
    depthwise = Work("conv2d", "forward", 8, 24, 10, 24, 5, 2, 2, width=12, groups=24)
    assert depthwise.name == "conv2d 5x5/2 8x24x10x12 depthwise, forward"
    convolution = Work("conv2d", "weight gradient", 8, 3, 128, 16, 3, 1, 1)
    assert convolution.name == "conv2d 3x3 8x3x128x128 to 16, weight gradient"
    resize = Work("interpolate", "forward", 2, 4, 16, stride=8, mode="nearest")
    assert resize.name == "interpolate nearest/8 2x4x16x16, forward"


@pytest.mark.parametrize(
    "work", [work for work in KERNELS if work.kind != "cross_entropy"], ids=name
)
def test_output_shapes_are_what_the_operations_return(work):
    work = replace(work, batch=1)
    y = forward(work, zeros(input_shape(work)))
    assert y.shape == output_shape(work)
    assert y.shape[2:] == work.out


def test_the_loss_has_a_value_for_each_pixel():
    for work in (work for work in REST if work.kind == "cross_entropy"):
        labels = np.zeros((work.batch, *work.out), np.int64)
        losses, _ = kernels.cross_entropy(zeros(input_shape(work)), labels)
        assert losses.shape == (work.batch, *work.out)


@pytest.mark.parametrize("work", CONVOLUTIONS, ids=name)
def test_products_and_operations_are_those_of_the_windows_laid_out(work):
    """A convolution is weight @ columns of its image; the one that it is the adjoint of, too."""
    small, image = output_shape(work), input_shape(work)
    if work.kind == "conv_transpose2d":
        small, image = image, small
    one = (1, *image[1:])
    columns = kernels.im2col(zeros(one), work.kernel, work.stride, work.padding).size * work.batch
    weight, pixels = int(np.prod(weight_shape(work))), int(np.prod(small))
    up, down = (weight, columns, pixels), (weight, pixels, columns)
    if work.kind == "conv_transpose2d":
        up, down = down, up
    left, right, result = {
        "forward": up,
        "input gradient": down,
        "weight gradient": (pixels, columns, weight),
    }[work.part]
    m, k, n = work.product
    assert (m * k, k * n, m * n) == (left, right, result)
    # Each number of each window meets each filter once.
    filters = small[1]
    assert operations(work) == 2 * columns * filters
    assert not work.moves_bytes


def moved(work):
    """The arrays that a kernel without a matrix product reads and writes."""
    x, y = zeros(input_shape(work)), zeros(output_shape(work))
    gradient = work.part == "backward"
    if work.kind == "max_pool2d":
        values, indices = kernels.max_pool2d(x, work.kernel)
        assert values.shape == y.shape
        return (y, indices, kernels.unpool(y, indices, work.size)) if gradient else (x, y, indices)
    if work.kind == "max_unpool2d":
        indices = kernels.max_pool2d(y, work.kernel)[1]
        return (y, indices, kernels.gather(y, indices)) if gradient else (x, indices, y)
    if work.kind in ("interpolate", "conv2d"):
        return x, y
    labels = np.zeros((work.batch, work.size, work.size), np.int64)
    losses, logs = kernels.cross_entropy(x, labels)
    # Of the scores, and back: with the gradient of each pixel's loss, of the losses' shape.
    return (x, labels, logs, losses, x) if gradient else (x, labels, losses, logs)


@pytest.mark.parametrize("work", [*REST, *DEPTHWISE], ids=name)
def test_bytes_are_those_of_the_arrays(work):
    assert work.bytes == sum(array.nbytes for array in moved(work))
    assert work.moves_bytes
    assert work.product is None
    assert len({input_shape(work)[:2], output_shape(work)[:2]}) == 1


def test_a_network_has_no_amount():
    for work in [*standard_work(), *scaling_work()]:
        if work.kind == "network":
            assert not work.moves_bytes
            assert work.product is None


@pytest.mark.parametrize("of", [("small", 1, 128), ("vgg16", 1, 60)], ids=str)
def test_every_operation_of_the_network_is_measured(monkeypatch, of):
    """A look at all that one forward pass of the measured network calls, with its settings."""
    seen = set()

    def look_at(kind, layer, settings):
        def look(self, x):
            seen.add((kind, *x.shape[1:3], *settings(self)))
            return run(self, x)

        run = layer.forward
        monkeypatch.setattr(layer, "forward", look)

    def convolution(layer):
        return len(layer.weight.data), layer.weight.shape[2], layer.stride, layer.padding

    look_at("conv2d", nn.Conv2d, convolution)
    look_at("conv_transpose2d", nn.ConvTranspose2d, convolution)
    look_at("max_pool2d", nn.MaxPool2d, lambda layer: (0, layer.kernel_size, 2, 0))
    network, batch, size = of
    sides.minifcn_call(Work("network", "forward", batch, size=size, network=network), CPU())()
    kernels = list(work_module._operations(network, batch, size))
    measured = {
        (work.kind, work.channels, work.size, work.filters, work.kernel, work.stride, work.padding)
        for work in kernels
        if work.part == "forward" and work.kind in ("conv2d", "conv_transpose2d", "max_pool2d")
    }
    assert seen == measured
    assert len(seen) >= 14 + 3 + 5
    loss = [work for work in kernels if work.kind == "cross_entropy"]
    classes = NETWORKS[network].classes
    assert {input_shape(work) for work in loss} == {(batch, classes, size, size)}
    assert {work.batch for work in kernels} == {batch}


@pytest.mark.parametrize("device", STANDARD)
def test_the_operations_of_every_network_of_a_device_are_measured(device):
    operations = {operation for s in STANDARD[device] for operation in work_module._operations(*s)}
    measured = [work for work in standard_work(device) if work.kind != "network"]
    assert {work for work in measured if work.groups == 1} == operations
    assert [work for work in measured if work.groups > 1] == DEPTHWISE
    networks = [work for work in standard_work(device) if work.kind == "network"]
    assert networks == network_work(device)
    first = len(STANDARD[device]) * 2
    assert [(w.network, w.batch, w.size, w.part) for w in networks[:first]] == [
        (*of, part) for of in STANDARD[device] for part in ("step", "forward")
    ]
    others = networks[first:]
    assert [(w.network, w.batch, *w.sizes) for w in others[::2]] == list(OTHERS)
    assert [w.part for w in others] == ["step", "forward"] * 2 + ["forward and backward", "forward"]
    assert [replace(w, part="") for w in others[::2]] == [replace(w, part="") for w in others[1::2]]


@pytest.mark.parametrize("name", ["shapes", "camvid"])
def test_networks_of_data_are_what_minifcn_train_trains(name):
    """With BatchNorm and Adam, on as many images and pixels a step."""
    recipe, network = Config.make(name), NETWORKS[name]
    sizes = (network.widths, network.depths, network.head_width)
    assert sizes == (recipe.widths, recipe.depths, recipe.head_width)
    assert (network.batch_norm, network.optimizer) == (True, "Adam")
    assert (name, recipe.batch_size, *(recipe.crop or recipe.size)) in OTHERS
    assert network.classes == {"shapes": len(shapes.CLASSES), "camvid": camvid.VOID_ID}[name]


def test_every_depthwise_convolution_is_measured(monkeypatch):
    """A look at all that one forward pass of EfficientNet-Lite0 filters channel by channel."""
    seen, run = set(), SameConv2d.forward

    def look(self, x):
        y = run(self, x)
        if self.groups > 1:
            seen.add((self.groups, self.weight.shape[2], self.stride, *y.shape[1:]))
        return y

    monkeypatch.setattr(SameConv2d, "forward", look)
    (_, batch, height, width) = next(of for of in OTHERS if of[0] == FEATURES)
    work = Work("network", "forward", 1, size=height, network=FEATURES, width=width)
    sides.minifcn_call(work, CPU())()
    found = {(w.groups, w.kernel, w.stride, *output_shape(w)[1:]) for w in DEPTHWISE}
    assert found == seen
    assert len(DEPTHWISE) == 3 * len(seen)
    assert {w.batch for w in DEPTHWISE} == {batch}


def test_a_gpu_is_given_the_networks_of_the_issue():
    """And the convolutions of VGG-16, whose images of 500x500 are padded to a multiple of 32."""
    assert STANDARD["cuda"] == (("small", 16, 128), ("vgg16", 1, 500))
    shapes = {
        (work.channels, work.filters, work.kernel, work.size)
        for work in standard_work("cuda")
        if (work.kind, work.batch) == ("conv2d", 1)
    }
    assert {shape for shape in shapes if shape[2] == 3} == {
        (3, 64, 3, 512), (64, 64, 3, 512), (64, 128, 3, 256), (128, 128, 3, 256),
        (128, 256, 3, 128), (256, 256, 3, 128), (256, 512, 3, 64), (512, 512, 3, 64),
        (512, 512, 3, 32), (512, 4096, 3, 16),
    }  # fmt: skip


def test_every_part_of_a_convolution_is_measured_but_the_gradient_of_the_images():
    parts = {}
    for work in CONVOLUTIONS:
        parts.setdefault(replace(work, part=""), []).append(work.part)
    for work, found in parts.items():
        assert found[0] == "forward"
        assert ("input gradient" in found) == (work.channels != 3)
        assert "weight gradient" in found
        assert len(found) == (2 if work.channels == 3 else 3)


def test_the_others_are_measured_forward_and_backward():
    parts = {part: {replace(w, part="") for w in REST if w.part == part} for part in
             ("forward", "backward")}  # fmt: skip
    assert parts["forward"] == parts["backward"]
    assert {work.kind for work in REST} == {
        "max_pool2d", "max_unpool2d", "interpolate", "cross_entropy"
    }  # fmt: skip
    assert {work.mode for work in REST if work.kind == "interpolate"} == {"nearest", "bilinear"}


def test_scaling_doubles_the_size_and_the_batch():
    assert [(work.batch, work.size) for work in scaling_work()] == [
        (8, 64), (8, 128), (8, 256), (8, 512), (2, 128), (4, 128), (16, 128), (32, 128),
    ]  # fmt: skip
    assert {(work.kind, work.part) for work in scaling_work()} == {("network", "step")}
    assert [(work.batch, work.size) for work in scaling_work("cuda")] == [
        (16, 64), (16, 128), (16, 256), (16, 512), (4, 128), (8, 128), (32, 128), (64, 128),
    ]  # fmt: skip
