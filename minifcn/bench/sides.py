"""The same work three times: by minifcn, by PyTorch, and as little as it could be.

minifcn and PyTorch are given the same numbers, and their networks the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minifcn.backend import library
from minifcn.bench.places import CPU
from minifcn.bench.twins import twin
from minifcn.bench.work import FEATURES, NETWORKS, Work, input_shape, output_shape, weight_shape
from minifcn.models import FCN, VGG
from minifcn.models.efficientnet_lite import EfficientNetLite0

Call = Callable[[], Any]
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.01, "momentum": 0.9},
    "Adam": {"lr": 1e-3},
}


@dataclass
class Numbers:
    """What the work is done with; gradient: of an operation's output, or of the features."""

    x: Any
    labels: Any
    gradient: Any = None
    weight: Any = None


def draw(work: Work, place: CPU) -> Numbers:
    """Return the same random numbers for the same work, where they are to be worked with."""
    rng = np.random.default_rng(0)
    known = NETWORKS.get(work.network) if work.kind == "network" else None
    numbers = Numbers(_normal(rng, input_shape(work)), None)
    if not known:
        numbers.gradient = _normal(rng, output_shape(work))
    if work.kind in ("conv2d", "conv_transpose2d"):
        numbers.weight = _normal(rng, weight_shape(work))
    if known or work.kind == "cross_entropy":
        classes = known.classes if known else work.channels
        numbers.labels = rng.integers(0, classes, (work.batch, *work.sizes))
    held = {name: None if a is None else place.put(a) for name, a in vars(numbers).items()}
    return Numbers(**held)


def network(work: Work) -> FCN | EfficientNetLite0:
    """Return the network of the work, with the same weights each time, on the CPU."""
    if work.network == FEATURES:
        return EfficientNetLite0(generator=np.random.default_rng(1))
    sizes = NETWORKS[work.network]
    generator = np.random.default_rng(1)
    return FCN(
        sizes.classes,
        8,
        backbone=VGG(sizes.widths, sizes.depths, sizes.batch_norm, generator=generator),
        head_width=sizes.head_width,
        batch_norm=sizes.batch_norm,
        generator=generator,
    )


def minifcn_call(work: Work, place: CPU) -> Call:
    """Prepare the work for minifcn; return the function to time."""
    numbers = draw(work, place)
    return (_minifcn_network if work.kind == "network" else _minifcn_kernel)(work, place, numbers)


def _minifcn_network(work: Work, place: CPU, numbers: Numbers) -> Call:
    """A step in training mode; the forward pass alone as for a prediction."""
    from minifcn import functional as F
    from minifcn import no_grad, optim, tensor

    x, labels = tensor(numbers.x), numbers.labels
    model = network(work)
    model.to(place.device)
    model.train(work.part != "forward")
    compute = model.features if isinstance(model, EfficientNetLite0) else model

    def forward() -> None:
        with no_grad():
            compute(x)

    if work.part == "forward":
        return forward
    if work.network == FEATURES:
        return _forward_and_backward(model, compute, x, tensor(numbers.gradient))
    name = NETWORKS[work.network].optimizer
    optimizer = getattr(optim, name)(model.parameters(), **OPTIMIZERS[name])

    def step() -> None:
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _forward_and_backward(model: Any, compute: Any, x: Any, gradient: Any) -> Call:
    """From images to the gradients of all weights, by a network of minifcn or of PyTorch."""

    def forward_and_backward() -> None:
        y = compute(x)
        model.zero_grad()
        y.backward(gradient)

    return forward_and_backward


def _minifcn_kernel(work: Work, place: CPU, numbers: Numbers) -> Call:
    """The kernel as minifcn.functional calls it: labels and indices are known to be in range."""
    from minifcn import kernels

    x, y = numbers.x, numbers.gradient
    if work.kind in ("conv2d", "conv_transpose2d"):
        return _minifcn_convolution(work, x, numbers.weight, y)
    if work.kind == "interpolate":
        steps = (1 / work.stride, 1 / work.stride)
        if work.part == "forward":
            return lambda: kernels.resize(x, work.out, steps, work.mode)
        return lambda: kernels.resize_adjoint(y, work.sizes, steps, work.mode)
    if work.kind == "cross_entropy":
        labels = numbers.labels
        logs, scale = kernels.cross_entropy(x, labels)[1], library(y).ascontiguousarray(y[:, 0])
        if work.part == "forward":
            return lambda: kernels.cross_entropy(x, labels, checked=True)
        return lambda: kernels.cross_entropy_gradient(x, labels, logs, scale, checked=True)
    if work.kind == "max_pool2d":
        indices = kernels.max_pool2d(x, 2)[1]
        if work.part == "forward":
            return lambda: kernels.max_pool2d(x, 2)
        return lambda: kernels.unpool(y, indices, work.sizes, checked=True)
    indices = kernels.max_pool2d(y, 2)[1]
    if work.part == "forward":
        return lambda: kernels.unpool(x, indices, work.out, checked=True)
    return lambda: kernels.gather(y, indices, checked=True)


def _minifcn_convolution(work: Work, x: Any, weight: Any, y: Any) -> Call:
    from minifcn import kernels

    settings: dict[str, Any] = {
        "stride": work.stride, "padding": work.padding, "groups": work.groups
    }  # fmt: skip
    if work.kind == "conv_transpose2d":
        return {
            "forward": lambda: kernels.conv_transpose2d(x, weight, **settings),
            "input gradient": lambda: kernels.conv2d(y, weight, **settings),
            "weight gradient": lambda: kernels.conv2d_weight(y, x, work.kernel, **settings),
        }[work.part]
    if work.kernel == 1:
        matrix = weight[:, :, 0, 0]
        return {
            "forward": lambda: kernels.conv1x1(x, matrix),
            "input gradient": lambda: kernels.conv1x1(y, matrix.T),
            "weight gradient": lambda: kernels.conv1x1_weight(x, y),
        }[work.part]
    below, right = ((n + 2 * work.padding - work.kernel) % work.stride for n in work.sizes)
    return {
        "forward": lambda: kernels.conv2d(x, weight, **settings),
        "input gradient": lambda: kernels.conv_transpose2d(
            y, weight, output_padding=(below, right), **settings
        ),
        "weight gradient": lambda: kernels.conv2d_weight(x, y, work.kernel, **settings),
    }[work.part]


def torch_call(work: Work, place: CPU) -> Call:
    """Prepare the work for PyTorch; return the function to time."""
    import torch
    from torch.nn import functional as F

    numbers = draw(work, place)
    if work.kind == "network":
        return _torch_network(work, place, numbers)
    x, weight, labels = numbers.x.requires_grad_(), numbers.weight, numbers.labels
    inputs = {"input gradient": x, "backward": x, "weight gradient": weight}
    if work.kind in ("conv2d", "conv_transpose2d"):
        weight.requires_grad_()
        function = getattr(F, work.kind)
        settings = {"stride": work.stride, "padding": work.padding, "groups": work.groups}
        call = lambda: function(x, weight, None, **settings)
    elif work.kind == "interpolate":
        call = lambda: F.interpolate(x, scale_factor=work.stride, mode=work.mode)
    elif work.kind == "cross_entropy":
        call = lambda: F.cross_entropy(x, labels)
    elif work.kind == "max_pool2d":
        call = lambda: F.max_pool2d(x, 2)
    else:
        indices = F.max_pool2d(numbers.gradient, 2, return_indices=True)[1]
        call = lambda: F.max_unpool2d(x, indices, [2, 2])
    if work.part == "forward":
        return torch.no_grad()(call)
    y = call()
    upstream = numbers.gradient if y.ndim else torch.ones_like(y)
    return lambda: torch.autograd.grad(y, inputs[work.part], upstream, retain_graph=True)


def _torch_network(work: Work, place: CPU, numbers: Numbers) -> Call:
    import torch
    from torch.nn import functional as F

    model = twin(work)
    state = network(work).state_dict()
    model.load_state_dict({name: torch.from_numpy(state[name]) for name in model.state_dict()})
    model.to(place.device)
    model.train(work.part != "forward")
    x, labels = numbers.x, numbers.labels
    if work.part == "forward":
        return torch.no_grad()(lambda: model(x))
    if work.network == FEATURES:
        return _forward_and_backward(model, model, x, numbers.gradient)
    name = NETWORKS[work.network].optimizer
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = getattr(torch.optim, name)(trained, **OPTIMIZERS[name])

    def step() -> None:
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def limit_call(work: Work, place: CPU) -> Call | None:
    """The bare matrix product of a convolution; for the others, a copy of as many bytes."""
    if work.kind == "network":
        return None
    if work.product:
        m, k, columns = work.product
        a, out = _filled((m, k), place), _filled((m, columns), place)
        turned = "weight" in work.part  # the columns lie in memory as those of an image do
        b = _filled((columns, k), place).T if turned else _filled((k, columns), place)
        matmul = library(a).matmul
        return lambda: matmul(a, b, out=out)
    source = place.put(np.ones(work.bytes // 2, np.uint8))
    target = place.put(np.zeros(work.bytes // 2, np.uint8))
    copyto = library(source).copyto
    return lambda: copyto(target, source)


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape, np.float32)


def _filled(shape: tuple[int, int], place: CPU) -> Any:
    """Random numbers, the same again and again: drawing a billion of them takes long."""
    return place.put(np.resize(_normal(np.random.default_rng(0), (2**16,)), shape))


SIDES: dict[str, Callable[[Work, CPU], Call | None]] = {
    "minifcn": minifcn_call,
    "torch": torch_call,
    "torch_fp32": torch_call,
    "torch_tf32": torch_call,
    "limit": limit_call,
}
