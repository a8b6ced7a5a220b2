"""The same work three times: that each side does it, and that it is the same."""

import inspect
from dataclasses import replace

import numpy as np
import pytest

from minifcn.bench import sides
from minifcn.bench.places import CPU, TorchCPU
from minifcn.bench.sides import SIDES, Numbers, draw, limit_call, minifcn_call, torch_call
from minifcn.bench.work import (
    FEATURES,
    Work,
    input_shape,
    output_shape,
    scaling_work,
    standard_work,
    weight_shape,
)

WORK = standard_work()
KERNELS = [work for work in WORK if work.kind != "network"]


def name(work):
    return work.name


def small(work):
    """The same operation on few pixels: an image of the network cannot be below 32x32."""
    size, width = (32, 0) if work.kind == "network" else (min(work.size, 6), work.width and 7)
    channels = min(work.groups, 5)
    if work.groups > 1:
        work = replace(work, channels=channels, filters=channels, groups=channels)
    return replace(work, batch=2, size=size, width=width)


def inside(call):
    """The names that a function to time holds on to; a network may be so as what is called."""
    held = dict(inspect.getclosurevars(inspect.unwrap(call)).nonlocals)
    compute = held.get("compute")
    return {"model": getattr(compute, "__self__", compute), **held}


def test_the_sides():
    torches = dict.fromkeys(("torch", "torch_fp32", "torch_tf32"), torch_call)
    assert {"minifcn": minifcn_call, "limit": limit_call, **torches} == SIDES


@pytest.mark.parametrize("work", [small(work) for work in WORK], ids=name)
def test_numbers_are_the_same_each_time(work):
    numbers, again = (vars(draw(work, CPU())) for _ in range(2))
    for key in numbers:
        np.testing.assert_array_equal(numbers[key], again[key])
    assert numbers["x"].shape == input_shape(work)
    assert (numbers["weight"] is not None) == ("conv" in work.kind)
    scored = work.kind == "network" and work.network != FEATURES
    assert (numbers["labels"] is not None) == (scored or work.kind == "cross_entropy")
    assert (numbers["gradient"] is None) == scored
    if not scored:
        assert numbers["gradient"].shape == output_shape(work)


def test_all_numbers_are_put_where_the_side_computes():
    class Elsewhere(CPU):
        def put(self, array):
            return "elsewhere", array.shape

    work = Work("cross_entropy", "forward", 1, 3, 4)
    there = ("elsewhere", (1, 3, 4, 4))
    assert draw(work, Elsewhere()) == Numbers(there, ("elsewhere", (1, 4, 4)), there, None)


# -- minifcn --------------------------------------------------------------------------------------


def arrays(result):
    return result if isinstance(result, tuple) else (result,)


def shapes_of_minifcn(work):
    """The shapes of what a kernel returns: as many numbers as PyTorch's, without axes of 1x1."""
    image = (work.batch, work.channels, *work.sizes)
    pixels = (work.batch, *work.sizes)
    if work.part == "forward":
        result = {"cross_entropy": [pixels] * 2, "max_pool2d": [output_shape(work)] * 2}
        return result.get(work.kind, [output_shape(work)])
    if work.part == "weight gradient":
        return [weight_shape(work)[: 2 if work.kernel == 1 else 4]]
    return [image]


@pytest.mark.parametrize("work", KERNELS, ids=name)
def test_minifcn_runs_each_kernel(work):
    work = small(work)
    results = arrays(minifcn_call(work, CPU())())
    assert [result.shape for result in results] == shapes_of_minifcn(work)
    assert results[0].dtype == np.float32
    assert all(np.isfinite(result).all() for result in results)
    assert results[0].any()


def test_minifcn_prepares_nothing_again(monkeypatch):
    """What is timed is the work alone: the numbers are drawn before."""
    calls = [minifcn_call(small(work), CPU()) for work in WORK]

    def draw(*arguments):
        raise AssertionError("drawn while the time is taken")

    monkeypatch.setattr(sides, "_normal", draw)
    monkeypatch.setattr(np.random, "default_rng", draw)
    for call in calls:
        call()


def values(model):
    return [parameter.data.copy() for parameter in model.parameters()]


@pytest.mark.parametrize("network", ["small", "shapes"])
@pytest.mark.parametrize("part", ["step", "forward"])
def test_only_a_step_trains(part, network):
    call = minifcn_call(Work("network", part, batch=2, size=32, network=network), CPU())
    model = inside(call)["model"]
    assert model.training == (part == "step")
    before = values(model)
    assert call() is None
    moved = [(a != b).any() for a, b in zip(before, values(model), strict=True)]
    assert any(moved) == (part == "step")
    assert all(parameter.grad is None for parameter in model.parameters()) == (part == "forward")


@pytest.mark.parametrize("work", [*scaling_work()[:2], scaling_work()[4]], ids=name)
def test_images_and_labels_have_the_size_and_number_of_the_work(work):
    held = inside(minifcn_call(work, CPU()))
    assert held["x"].shape == (work.batch, 3, work.size, work.size)
    assert held["labels"].shape == (work.batch, work.size, work.size)
    assert set(np.unique(held["labels"])) == set(range(4))


# -- The limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("work", KERNELS, ids=name)
def test_the_limit_is_the_bare_product_or_a_copy(work):
    work = small(work)
    call = limit_call(work, CPU())
    held = inside(call)
    call()
    if work.product:
        a, b, out = (held[name] for name in ("a", "b", "out"))
        assert (*a.shape, out.shape[1]) == work.product
        assert {array.dtype for array in (a, b, out)} == {np.dtype(np.float32)}
        np.testing.assert_array_equal(out, a @ b)
        assert len(np.unique(a)) > 0.9 * min(a.size, 2**16)
        assert b.flags.c_contiguous == (work.part != "weight gradient") or 1 in b.shape
    else:
        source, target = held["source"], held["target"]
        assert source.nbytes + target.nbytes == work.bytes
        assert not np.shares_memory(source, target)
        assert target.all()


def test_networks_have_no_limit():
    assert [limit_call(work, CPU()) for work in WORK if work.kind == "network"] == [None] * 8


# -- PyTorch --------------------------------------------------------------------------------------


@pytest.fixture
def torch():
    """PyTorch, and not more than a thread of it."""
    return pytest.importorskip("torch")


@pytest.fixture
def beside(torch):
    """Where PyTorch computes."""
    return TorchCPU(1)


def close(ours, theirs):
    ours, theirs = np.asarray(ours), theirs.detach().numpy()
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.oracle
@pytest.mark.parametrize("work", KERNELS, ids=name)
def test_pytorch_computes_the_same(work, beside):
    work = small(work)
    ours, theirs = arrays(minifcn_call(work, CPU())()), arrays(torch_call(work, beside)())
    assert len(theirs) == 1
    if work.kind == "cross_entropy":  # PyTorch's is the mean
        scale, count = draw(work, CPU()).gradient[:, :1], work.batch * work.size**2
        if work.part == "forward":
            close(ours[0].mean(), theirs[0])
        else:
            close(ours[0] / scale, theirs[0] * count)
    else:
        close(ours[0].reshape(theirs[0].shape), theirs[0])
    assert (theirs[0].grad_fn, theirs[0].requires_grad) == (None, False)


# One of VGG-16's size in small, images whose size is no multiple of 32, and BatchNorm.
NETWORKS = [
    Work("network", "step", batch=2, size=32),
    Work("network", "step", batch=1, size=40, network="vgg16"),
    Work("network", "step", batch=2, size=32, network="shapes", width=40),
]


@pytest.fixture(params=NETWORKS, ids=name)
def networks(request, torch, beside, monkeypatch):
    """Make both sides' calls for a part, with weights of the scores that are not 0."""
    vgg16 = replace(sides.NETWORKS["vgg16"], widths=(4, 6, 8, 10, 12), head_width=14)
    monkeypatch.setitem(sides.NETWORKS, "vgg16", vgg16)

    def make(part):
        work = replace(request.param, part=part)
        calls = minifcn_call(work, CPU()), torch_call(work, beside)
        ours, theirs = map(inside, calls)
        rng = np.random.default_rng(0)
        trained = dict(theirs["model"].named_parameters())
        for name, parameter in ours["model"].named_parameters():
            assert trained[name].requires_grad == parameter.requires_grad
            if name.startswith("score") and name.endswith("weight"):
                assert not parameter.data.any()
                parameter.data[...] = rng.standard_normal(parameter.shape)
                trained[name].data.copy_(torch.from_numpy(parameter.data))
        return calls, ours, theirs

    return make


def pairs(ours, theirs):
    """Parameters of the two networks, side by side; they have the same names."""
    theirs, ours = (dict(held["model"].named_parameters()) for held in (theirs, ours))
    assert ours.keys() == theirs.keys()
    return [(theirs[name], parameter) for name, parameter in ours.items()]


@pytest.mark.oracle
def test_pytorchs_network_has_the_same_weights_images_and_scores(networks):
    calls, ours, theirs = networks("forward")
    for value, parameter in pairs(ours, theirs):
        np.testing.assert_array_equal(value.detach().numpy(), parameter.data)
    np.testing.assert_array_equal(ours["x"].data, theirs["x"].numpy())
    assert [call() is None for call in calls] == [True, False]
    scores = calls[1]()
    assert scores.grad_fn is None
    close(ours["model"](ours["x"]).data, scores)


@pytest.mark.oracle
@pytest.mark.parametrize("part", ["forward", "forward and backward"])
def test_pytorchs_features_and_their_gradients_are_the_same(part, beside, monkeypatch):
    """In float64, as 49 BatchNorms of few pixels make much of a rounding."""
    monkeypatch.setattr(sides, "_normal", lambda rng, shape: rng.standard_normal(shape))
    work = Work("network", part, batch=2, size=32, network=FEATURES, width=64)
    calls = minifcn_call(work, CPU()), torch_call(work, beside)
    ours, theirs = map(inside, calls)
    ours["model"].to(dtype=np.float64)
    theirs["model"].double()
    for call in (*calls, *calls):  # the gradients are those of the last time
        call()
    features = theirs["model"](theirs["x"])
    assert features.shape == output_shape(work)
    close(ours["model"].features(ours["x"]).data, features)
    if part == "forward":
        return
    own = dict(ours["model"].named_parameters())
    for name, parameter in theirs["model"].named_parameters():  # some are 0 but for rounding
        np.testing.assert_allclose(own.pop(name).grad.data, parameter.grad, rtol=1e-6, atol=1e-6)
    assert set(own) == {"fc.weight", "fc.bias"}


@pytest.mark.oracle
def test_pytorchs_steps_are_the_same(networks):
    """Two of them, for the momentum."""
    calls, ours, theirs = networks("step")
    np.testing.assert_array_equal(ours["labels"], theirs["labels"].numpy())
    matched = pairs(ours, theirs)
    before = [parameter.data.copy() for _, parameter in matched]
    for _ in range(2):
        for call in calls:
            assert call() is None
    for (value, parameter), start in zip(matched, before, strict=True):
        moved, expected = parameter.data - start, value.detach().numpy() - start
        assert moved.any() == parameter.requires_grad
        np.testing.assert_allclose(moved, expected, atol=0.01 * np.abs(expected).max())


@pytest.mark.oracle
@pytest.mark.parametrize("work", [w for w in KERNELS if w.part != "forward"], ids=name)
def test_pytorchs_gradients_are_timed_without_the_forward_pass(work, beside):
    call = torch_call(small(work), beside)
    y = inside(call)["y"]
    call(), call()
    assert inside(call)["y"] is y
