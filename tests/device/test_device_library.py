"""Tensors, modules, optimisers, scores on a GPU: the same results, and no mixing with the CPU."""

import re

import numpy as np
import pytest
from small_networks import small_fcn

import minifcn
from minifcn import functional as F
from minifcn import nn, optim
from minifcn.metrics import ConfusionMatrix
from minifcn.tensor import Tensor, no_grad


def random(*shape, device="cuda", seed=0, dtype=np.float32):
    values = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    return Tensor(values).to(device)


def network(device="cpu", seed=0, **settings):
    """A small FCN-8s with everything in it."""
    generator = np.random.default_rng(seed)
    settings = {"widths": (3, 4, 4, 4, 5), "depths": (1,) * 5, "head_width": 4, **settings}
    return small_fcn(3, generator=generator, **settings).to(device)


def train(model, optimizer, steps=3):
    """Train on noise; return the losses."""
    device, losses = optimizer.parameters[0].device, []
    for i in range(steps):
        images = random(2, 3, 32, 32, device=device, seed=i)
        labels = np.random.default_rng(i).integers(0, 3, (2, 32, 32))
        labels[0, :3] = 255
        loss = F.cross_entropy(model(images), Tensor(labels).to(device), ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# -- Tensors -------------------------------------------------------------------------------------


def test_a_tensor_goes_to_the_gpu_and_back_with_its_gradient(cupy):
    x = minifcn.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x.to("cuda")
    assert (x.device, y.device, y.to("auto").device) == ("cpu", "cuda", "cuda")
    assert isinstance(y.data, cupy.ndarray)
    (y * y).sum().backward()
    assert (x.grad.device, x.grad.numpy().tolist()) == ("cpu", [[2, 4], [6, 8]])
    assert isinstance(y.numpy(), np.ndarray)


def test_a_tensor_on_the_gpu_shows_its_values(cupy):
    x = random(2, 2)
    assert repr(x) == repr(x.to("cpu"))
    assert x.sum().item() == pytest.approx(float(x.numpy().sum()))
    assert x[0, 1].item() == x.numpy()[0, 1]
    assert minifcn.tensor(x.data).device == "cuda"


def test_gradients_add_up_on_the_gpu_in_an_array_of_their_own(cupy):
    x = Tensor(cupy.ones((2,), np.float32), requires_grad=True)
    for _ in range(3):
        x.sum().backward()
    assert (x.grad.device, x.grad.numpy().tolist()) == ("cuda", [3, 3])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_go_where_the_tensor_is(cupy, dtype):
    x = random(2, dtype=dtype)
    for y in (x + 1, 2 * x, x - True, 1 / x, x / 2.5, x * dtype(2), dtype(2) * x):
        assert (y.device, y.dtype) == ("cuda", dtype)
    labels = Tensor(cupy.asarray(np.array([1, 2])))
    assert ((labels + 1).numpy().tolist(), (labels + 1).dtype) == ([2, 3], np.int64)


@pytest.mark.parametrize("index", [5, np.array([0, 5]), (slice(None), np.array([[-4]]))])
def test_an_index_out_of_range_raises_where_cupy_would_wrap_it_around(cupy, index):
    x = random(3, 3)
    with pytest.raises(IndexError, match="out of bounds"):
        x[index]


def test_arrays_of_either_library_may_be_an_index(cupy):
    x, where = random(4), np.array([1, 1, 3])
    expected = x.numpy()[where]
    x.requires_grad = True
    for index in (where, cupy.asarray(where)):
        x.grad = None
        y = x[index]
        y.sum().backward()
        np.testing.assert_array_equal(y.numpy(), expected)
        assert x.grad.numpy().tolist() == [0, 2, 0, 1]
        np.testing.assert_array_equal(x.to("cpu")[index].numpy(), expected)


# -- No mixing -----------------------------------------------------------------------------------

SCORES = random(1, 3, 2, 2, device="cpu")
LABELS = np.zeros((1, 2, 2), np.int64)
PLACES = np.zeros((1, 3, 1, 1), np.int64)
MIXED = {
    "add": (lambda x: x + x.to("cpu"), "operands must be on one device; got cuda and cpu"),
    "multiply": (lambda x: x.to("cpu") * x, "operands must be on one device; got cpu and cuda"),
    "array": (lambda x: x - x.numpy(), "operands must be on one device; got cuda and cpu"),
    "matmul": (lambda x: x @ x.to("cpu"), "operands must be on one device; got cuda and cpu"),
    "conv2d": (lambda x: F.conv2d(x, SCORES), "input is on cuda but weight on cpu"),
    "bias": (
        lambda x: F.conv2d(x, x, Tensor(np.zeros(1, np.float32))),
        "input is on cuda but bias on cpu",
    ),
    "cat": (lambda x: F.cat([x, SCORES]), "tensors[0] is on cuda but tensors[1] on cpu"),
    "target": (lambda x: F.cross_entropy(x, LABELS), "input is on cuda but target on cpu"),
    "target of nll_loss": (lambda x: F.nll_loss(x, LABELS), "input is on cuda but target on cpu"),
    "class weights": (
        lambda x: F.cross_entropy(x, Tensor(LABELS).to("cuda"), np.ones(3, np.float32)),
        "input is on cuda but weight on cpu",
    ),
    "indices": (
        lambda x: F.max_unpool2d(x[..., :1, :1], Tensor(PLACES), 2),
        "x is on cuda but indices on cpu",
    ),
    "statistics": (
        lambda x: F.batch_norm(x, *(Tensor(np.ones(3, np.float32)),) * 2),
        "input is on cuda but running_mean on cpu",
    ),
    "module": (lambda x: nn.BatchNorm2d(3)(x), "input is on cuda but weight on cpu"),
    "gradient": (
        lambda x: (Tensor(x.data, requires_grad=True) * 2).backward(x.to("cpu")),
        "gradient must be a float32 cuda Tensor (1, 3, 2, 2); got float32 cpu Tensor (1, 3, 2, 2)",
    ),
}


@pytest.mark.parametrize("case", MIXED)
def test_arrays_on_two_devices_are_refused(numpy_kernels, case):
    function, message = MIXED[case]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(SCORES.to("cuda"))


OUT_OF_RANGE = {
    "target": (F.cross_entropy, LABELS, r"^target must be in \[0, 3\) or -100 .*; got 7$"),
    "indices": (
        lambda x, indices: F.max_unpool2d(x[..., :1, :1], indices, 2),
        PLACES,
        r"^indices must be in \[0, 4\) .*; got 7 to 7$",
    ),
}


@pytest.mark.parametrize("case", OUT_OF_RANGE)
def test_labels_and_indices_out_of_range_are_named(numpy_kernels, case):
    function, values, message = OUT_OF_RANGE[case]
    x, wrong = SCORES.to("cuda"), Tensor(values + 7).to("cuda")
    with pytest.raises(ValueError, match=message):
        function(x, wrong)


# -- Modules and optimisers ----------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": lambda parameters: optim.SGD(parameters, 0.1, momentum=0.9, weight_decay=0.01),
    "Adam": lambda parameters: optim.Adam(parameters, 0.01, weight_decay=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_gives_the_same_weights_on_both_devices(cupy, name):
    results = {}
    for device in ("cpu", "cuda"):
        model = network(device, upsampling="learned", dropout=0.3)
        optimizer = OPTIMIZERS[name]([p for p in model.parameters() if p.requires_grad])
        losses = train(model, optimizer)
        assert {x.device for _, x in model.named_tensors()} == {device}
        results[device] = losses, model.state_dict(), optimizer.state_dict()
    np.testing.assert_allclose(results["cuda"][0], results["cpu"][0], rtol=1e-4)
    for expected, found in zip(results["cpu"][1:], results["cuda"][1:], strict=True):
        assert found.keys() == expected.keys()
        for key, array in found.items():
            assert isinstance(array, np.ndarray)
            np.testing.assert_allclose(array, expected[key], rtol=2e-3, atol=2e-4, err_msg=key)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_is_saved_on_one_device_and_loaded_on_the_other(numpy_kernels, name):
    model = network("cuda")
    optimizer = OPTIMIZERS[name](model.parameters())
    train(model, optimizer)
    for device in ("cpu", "cuda"):
        other = network(device, seed=1)
        again = OPTIMIZERS[name](other.parameters())
        other.load_state_dict(model.state_dict())
        again.load_state_dict(optimizer.state_dict())
        for (key, a), (_, b) in zip(model.named_tensors(), other.named_tensors(), strict=True):
            assert b.device == device
            np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=key)
        for key, array in again.state_dict().items():
            np.testing.assert_array_equal(array, optimizer.state_dict()[key], err_msg=key)
        assert {type(a) for arrays in again.state.values() for a in arrays} == {
            type(other.backbone.stage1[0][0].weight.data)
        }


@pytest.mark.parametrize("source", ["cpu", "cuda"])
@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_a_module_takes_arrays_from_either_device(numpy_kernels, source, target):
    values = random(2, 3, device=source, dtype=np.float64).data
    module = nn.Linear(3, 2, bias=False, generator=np.random.default_rng(0)).to(target)
    module.load_state_dict({"weight": values})
    assert (module.weight.device, module.weight.dtype) == (target, np.float32)
    np.testing.assert_allclose(module.weight.numpy(), random(2, 3, device="cpu").numpy())


def test_moving_a_module_takes_its_gradients_along(numpy_kernels):
    model = network()
    train(model, optim.SGD(model.parameters(), 0.1), 1)
    model.to("cuda")
    assert {p.grad.device for p in model.parameters() if p.grad is not None} == {"cuda"}
    assert {x.device for _, x in model.to("cpu").named_tensors()} == {"cpu"}


def test_an_optimiser_made_before_the_module_moved_is_refused(numpy_kernels):
    model = network()
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)
    with pytest.raises(ValueError, match="^parameter is on cuda but velocity on cpu$"):
        train(model.to("cuda"), optimizer)


def test_initialisation_fills_weights_where_they_are(numpy_kernels):
    for fill in (
        lambda w: nn.init.kaiming_normal_(w, np.random.default_rng(0)),
        nn.init.bilinear_,
    ):
        here, there = (Tensor(np.ones((2, 2, 4, 4), np.float32)).to(d) for d in ("cpu", "cuda"))
        fill(here)
        fill(there)
        assert there.device == "cuda"
        np.testing.assert_array_equal(there.numpy(), here.numpy())


def layers():
    generator = np.random.default_rng(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding="same", generator=generator),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3, padding=1, groups=2, relu=True, generator=generator),
        nn.Dropout2d(0.3, generator=generator),
        nn.AvgPool2d(2, 1, 1),
        nn.ReLU6(),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.ConvTranspose2d(4, 4, 4, 2, 1),
        nn.Dropout(0.3, generator=generator),
        nn.AdaptiveAvgPool2d((3, 2)),
        nn.Linear(2, 5, generator=generator),
    )


@pytest.mark.parametrize("training", [True, False])
def test_all_layers(cupy, training):
    expected, found = (
        layers().train(training).to(device)(random(2, 3, 8, 6, device=device))
        for device in ("cpu", "cuda")
    )
    assert found.device == "cuda"
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_pooling_and_unpooling_with_indices(cupy):
    x = random(1, 2, 6, 6)
    y, indices = nn.MaxPool2d(2, return_indices=True)(x)
    assert (indices.device, indices.dtype) == ("cuda", np.int64)
    back = nn.MaxUnpool2d(2)(y, indices)
    np.testing.assert_array_equal(F.max_pool2d(back, 2).numpy(), np.maximum(y.numpy(), 0))


# -- Scores, and waiting -------------------------------------------------------------------------


def test_scores_are_counted_from_arrays_on_the_gpu(cupy):
    truth, prediction = np.array([[0, 1, 255]]), np.array([[0, 0, 7]])
    matrix = ConfusionMatrix(2)
    matrix.update(cupy.asarray(truth), cupy.asarray(prediction))
    assert matrix.counts.tolist() == [[1, 0], [1, 0]]


def test_a_prediction_needs_no_labels_and_waits_for_nothing(numpy_kernels):
    model = network("cuda").eval()
    images = random(1, 3, 32, 32)
    numpy_kernels._waits.clear()
    with no_grad():
        model(images)
    assert numpy_kernels._waits == []


def test_a_training_step_waits_for_the_check_of_its_labels_only(numpy_kernels):
    model = network("cuda")
    optimizer = optim.Adam(model.parameters(), 0.01)
    images, labels = random(2, 3, 32, 32), Tensor(np.zeros((2, 32, 32), np.int64)).to("cuda")
    numpy_kernels._waits.clear()
    loss = F.cross_entropy(model(images), labels, ignore_index=255)
    loss.backward()
    optimizer.step()
    assert numpy_kernels._waits == ["get"]
