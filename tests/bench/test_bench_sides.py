"""The same work three times: that each side does it, and that it is the same."""

import inspect
from dataclasses import replace

import numpy as np
import pytest

from minifcn.bench import sides
from minifcn.bench.sides import SIDES, limit_call, minifcn_call, torch_call
from minifcn.bench.work import Work, output_shape, scaling_work, standard_work, weight_shape

WORK = standard_work()
KERNELS = [work for work in WORK if work.kind != "network"]


def name(work):
    return work.name


def small(work):
    """The same operation on few pixels: an image of the network cannot be below 32x32."""
    return replace(work, batch=2, size=32 if work.kind == "network" else min(work.size, 6))


def inside(call):
    """The names that a function to time holds on to."""
    return dict(inspect.getclosurevars(inspect.unwrap(call)).nonlocals)


def test_the_sides():
    assert {"minifcn": minifcn_call, "torch": torch_call, "limit": limit_call} == SIDES


# -- minifcn --------------------------------------------------------------------------------------


def arrays(result):
    return result if isinstance(result, tuple) else (result,)


def shapes_of_minifcn(work):
    """The shapes of what a kernel returns: as many numbers as PyTorch's, without axes of 1x1."""
    image = (work.batch, work.channels, work.size, work.size)
    pixels = (work.batch, work.size, work.size)
    if work.part == "forward":
        result = {"cross_entropy": [pixels] * 2, "max_pool2d": [output_shape(work)] * 2}
        return result.get(work.kind, [output_shape(work)])
    if work.part == "weight gradient":
        return [weight_shape(work)[: 2 if work.kernel == 1 else 4]]
    return [image]


@pytest.mark.parametrize("work", KERNELS, ids=name)
def test_minifcn_runs_each_kernel(work):
    work = small(work)
    results = arrays(minifcn_call(work)())
    assert [result.shape for result in results] == shapes_of_minifcn(work)
    assert results[0].dtype == np.float32
    assert all(np.isfinite(result).all() for result in results)
    assert results[0].any()


def test_minifcn_prepares_nothing_again(monkeypatch):
    """What is timed is the work alone: the numbers are drawn before."""
    calls = [minifcn_call(small(work)) for work in WORK]

    def draw(*arguments):
        raise AssertionError("drawn while the time is taken")

    monkeypatch.setattr(sides, "_normal", draw)
    monkeypatch.setattr(np.random, "default_rng", draw)
    for call in calls:
        call()


def values(model):
    return [parameter.data.copy() for parameter in model.parameters()]


@pytest.mark.parametrize("part", ["step", "forward"])
def test_only_a_step_trains(part):
    call = minifcn_call(Work("network", part, batch=1, size=32))
    model = inside(call)["model"]
    before = values(model)
    assert call() is None
    moved = [(a != b).any() for a, b in zip(before, values(model), strict=True)]
    assert any(moved) == (part == "step")
    assert all(parameter.grad is None for parameter in model.parameters()) == (part == "forward")


@pytest.mark.parametrize("work", [*scaling_work()[:2], scaling_work()[4]], ids=name)
def test_images_and_labels_have_the_size_and_number_of_the_work(work):
    held = inside(minifcn_call(work))
    assert held["x"].shape == (work.batch, 3, work.size, work.size)
    assert held["labels"].shape == (work.batch, work.size, work.size)
    assert set(np.unique(held["labels"])) == set(range(4))


# -- The limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("work", KERNELS, ids=name)
def test_the_limit_is_the_bare_product_or_a_copy(work):
    work = small(work)
    call = limit_call(work)
    held = inside(call)
    call()
    if work.product:
        a, b, out = (held[name] for name in ("a", "b", "out"))
        assert (*a.shape, out.shape[1]) == work.product
        assert {array.dtype for array in (a, b, out)} == {np.dtype(np.float32)}
        np.testing.assert_array_equal(out, a @ b)
        assert b.flags.c_contiguous == (work.part != "weight gradient") or 1 in b.shape
    else:
        source, target = held["source"], held["target"]
        assert source.nbytes + target.nbytes == work.bytes
        assert not np.shares_memory(source, target)
        assert target.all()


def test_networks_have_no_limit():
    assert [limit_call(work) for work in WORK if work.kind == "network"] == [None, None]


# -- PyTorch --------------------------------------------------------------------------------------


@pytest.fixture
def torch():
    """PyTorch with one thread."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return torch


def numbers(shape):
    """The same random numbers for the same shape."""
    return np.random.default_rng(list(shape)).standard_normal(shape, np.float32)


@pytest.fixture
def same_numbers(torch, monkeypatch):
    """Both sides draw the same numbers: those of a shape."""

    def labels(low, high, shape):
        return torch.from_numpy(np.random.default_rng(0).integers(low, high, shape))

    monkeypatch.setattr(sides, "_normal", lambda rng, shape: numbers(shape))
    monkeypatch.setattr(
        torch, "randn", lambda shape, **options: torch.tensor(numbers(shape), **options)
    )
    monkeypatch.setattr(torch, "randn_like", lambda y: torch.from_numpy(numbers(y.shape)))
    monkeypatch.setattr(torch, "randint", labels)
    return torch


def close(ours, theirs):
    ours, theirs = np.asarray(ours), theirs.detach().numpy()
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.oracle
@pytest.mark.parametrize("work", KERNELS, ids=name)
def test_pytorch_computes_the_same(work, same_numbers):
    work = small(work)
    ours, theirs = (arrays(side(work)()) for side in (minifcn_call, torch_call))
    assert len(theirs) == 1
    if work.kind == "cross_entropy":  # PyTorch's is the mean
        scale, count = numbers((work.batch, work.size, work.size)), work.batch * work.size**2
        if work.part == "forward":
            close(ours[0].mean(), theirs[0])
        else:
            close(ours[0] / scale[:, None], theirs[0] * count / numbers(()).item())
    else:
        close(ours[0].reshape(theirs[0].shape), theirs[0])
    assert (theirs[0].grad_fn, theirs[0].requires_grad) == (None, False)


NAMES = {"score4": "score_pool4", "score3": "score_pool3", "up2": "upscore2"}
NAMES |= {"up4": "upscore_pool4", "up8": "upscore"}


def pairs(torch_model, model):
    """Parameters of the two networks, side by side."""
    ours = dict(model.named_parameters())
    top = ("stage", "fc6", "fc7", "score_fr")
    first = [name for name in ours if name.startswith(top)]
    for name, value in torch_model.named_parameters():
        module, _, rest = name.partition(".")
        yield value, ours.pop(f"{NAMES[module]}.{rest}" if module in NAMES else first.pop(0))
    assert not ours


@pytest.fixture
def networks(torch):
    """Make both sides' calls for the work, with PyTorch's weights, images and labels in both."""

    def make(part):
        torch.manual_seed(0)
        work = Work("network", part, batch=2, size=32)
        calls = minifcn_call(work), torch_call(work)
        ours, theirs = map(inside, calls)
        with torch.no_grad():
            theirs["x"].copy_(torch.from_numpy(ours["x"].data))
            if part == "step":
                theirs["labels"].copy_(torch.from_numpy(ours["labels"]))
        for value, parameter in pairs(theirs["model"], ours["model"]):
            value.data *= 2.5  # He's initialisation, so that gradients reach the first layer
            assert value.requires_grad == parameter.requires_grad
            assert tuple(value.shape) == parameter.shape
            parameter.data[...] = value.detach().numpy()
        return calls, ours, theirs

    return make


@pytest.mark.oracle
def test_pytorchs_network_has_the_same_parameters_and_scores(networks, torch):
    calls, ours, theirs = networks("forward")
    assert [call() is None for call in calls] == [True, False]
    scores = calls[1]()
    assert scores.grad_fn is None
    close(ours["model"](ours["x"]).data, scores)
    trained = [sum(p.data.size for p in ours["model"].parameters() if p.requires_grad)]
    trained += [sum(p.numel() for p in theirs["model"].parameters() if p.requires_grad)]
    assert trained[0] == trained[1] > 10**5


@pytest.mark.oracle
def test_pytorchs_steps_are_the_same(networks):
    """Two of them, for the momentum."""
    calls, ours, theirs = networks("step")
    matched = list(pairs(theirs["model"], ours["model"]))
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
def test_pytorchs_gradients_are_timed_without_the_forward_pass(work, torch):
    call = torch_call(small(work))
    y = inside(call)["y"]
    call(), call()
    assert inside(call)["y"] is y
