"""The whole FCN-8s, forward, backward and one step, by NumPy and by the CUDA kernels."""

import numpy as np
import pytest
from small_networks import small_fcn

from minifcn import Tensor, kernels, optim
from minifcn import functional as F
from minifcn.kernels.gpu import launch

TINY = {"widths": (4, 5, 6, 7, 8), "depths": (1, 2, 1, 1, 2), "head_width": 6}
VOID = 255


@pytest.fixture
def launched(monkeypatch):
    """The names of the CUDA kernels that have been launched."""
    used, original = set(), launch._kernel

    def spy(file, name, *kind):
        used.add(name)
        return original(file, name, *kind)

    monkeypatch.setattr(launch, "_kernel", spy)
    return used


def one_step(make_optimizer, dtype, device="cpu", **choices):
    """Logits, loss, every gradient, and every parameter and buffer after a step."""
    model = small_fcn(4, 8, **TINY, **choices, generator=np.random.default_rng(0)).to(device, dtype)
    optimizer = make_optimizer(model.parameters())
    generator = np.random.default_rng(1)
    x = Tensor(generator.standard_normal((2, 3, 45, 70)).astype(dtype)).to(device)
    labels = generator.integers(0, 4, (2, 45, 70))
    labels[generator.random(labels.shape) < 0.1] = VOID
    scores = model(x)
    loss = F.cross_entropy(scores, Tensor(labels).to(device), ignore_index=VOID)
    loss.backward()
    named = [(n, p.grad) for n, p in model.named_parameters()]
    gradients = {f"gradient of {n}": g.numpy() for n, g in named if g is not None}
    optimizer.step()
    return {"scores": scores.numpy(), "loss": loss.numpy(), **gradients, **model.state_dict()}


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, 0.1, momentum=0.9, weight_decay=1e-3),
    "Adam": lambda p: optim.Adam(p, 0.01, weight_decay=1e-3),
}
CHOICES = {
    "batch norm": {"batch_norm": True},
    "no batch norm": {"batch_norm": False},
}


def assert_agree(found, expected, tolerance):
    assert found.keys() == expected.keys()
    assert len(expected) > 40
    for name, array in expected.items():
        scale = np.linalg.norm(array) or 1
        assert np.linalg.norm(found[name] - array) <= tolerance * scale, name


@pytest.mark.cuda_on_cpu
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 1e-4)])
@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_cuda_kernels_on_the_cpu(optimizer, choice, dtype, tolerance, launched):
    arguments = OPTIMIZERS[optimizer], dtype
    expected = one_step(*arguments, **CHOICES[choice])
    assert not launched
    with kernels.use("gpu"):
        found = one_step(*arguments, **CHOICES[choice])
    assert_agree(found, expected, tolerance)
    assert {"conv2d", "conv_transpose2d", "conv2d_weight", "max_pool2d", "unpool"} <= launched
    assert ("batch_norm_gradient" in launched) == CHOICES[choice]["batch_norm"]


@pytest.mark.gpu
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 1e-4)])
@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_gpu(optimizer, choice, dtype, tolerance):
    arguments = OPTIMIZERS[optimizer], dtype
    expected = one_step(*arguments, **CHOICES[choice])
    found = one_step(*arguments, "cuda", **CHOICES[choice])
    assert_agree(found, expected, tolerance)
    again = one_step(*arguments, "cuda", **CHOICES[choice])
    assert all(np.array_equal(again[name], found[name]) for name in found)
