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
from minifcn.bench.work import NETWORKS, Work, input_shape, output_shape, weight_shape
from minifcn.models import FCN, VGG

Call = Callable[[], Any]
LEARNING_RATE, MOMENTUM = 0.01, 0.9


@dataclass
class Numbers:
    """What the work is done with; gradient: of an operation's output."""

    x: Any
    labels: Any
    gradient: Any = None
    weight: Any = None


def draw(work: Work, place: CPU) -> Numbers:
    """Return the same random numbers for the same work, where they are to be worked with."""
    rng = np.random.default_rng(0)
    classes = work.channels
    numbers = Numbers(_normal(rng, input_shape(work)), None)
    if work.kind == "network":
        classes = NETWORKS[work.network].classes
    else:
        numbers.gradient = _normal(rng, output_shape(work))
    if work.kind in ("conv2d", "conv_transpose2d"):
        numbers.weight = _normal(rng, weight_shape(work))
    if work.kind in ("network", "cross_entropy"):
        numbers.labels = rng.integers(0, classes, (work.batch, work.size, work.size))
    held = {name: None if a is None else place.put(a) for name, a in vars(numbers).items()}
    return Numbers(**held)


def network(work: Work) -> FCN:
    """Return the network of the work, with the same weights each time, on the CPU."""
    sizes = NETWORKS[work.network]
    generator = np.random.default_rng(1)
    return FCN(
        sizes.classes,
        8,
        backbone=VGG(sizes.widths, sizes.depths, batch_norm=False, generator=generator),
        head_width=sizes.head_width,
        batch_norm=False,
        generator=generator,
    )


def minifcn_call(work: Work, place: CPU) -> Call:
    """Prepare the work for minifcn; return the function to time."""
    from minifcn import functional as F
    from minifcn import no_grad, optim, tensor

    numbers = draw(work, place)
    if work.kind != "network":
        return _minifcn_kernel(work, numbers)
    x, labels = tensor(numbers.x), numbers.labels
    model = network(work)
    model.to(place.device)
    optimizer = optim.SGD(model.parameters(), LEARNING_RATE, MOMENTUM)

    def step() -> None:
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def forward() -> None:
        with no_grad():
            model(x)

    return step if work.part == "step" else forward


def _minifcn_kernel(work: Work, numbers: Numbers) -> Call:
    """The kernel as minifcn.functional calls it: labels and indices are known to be in range."""
    from minifcn import kernels

    x, y = numbers.x, numbers.gradient
    if work.kind in ("conv2d", "conv_transpose2d"):
        return _minifcn_convolution(work, x, numbers.weight, y)
    if work.kind == "interpolate":
        steps = (1 / work.stride, 1 / work.stride)
        if work.part == "forward":
            return lambda: kernels.resize(x, work.out, steps, work.mode)
        return lambda: kernels.resize_adjoint(y, work.size, steps, work.mode)
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
        return lambda: kernels.unpool(y, indices, work.size, checked=True)
    indices = kernels.max_pool2d(y, 2)[1]
    if work.part == "forward":
        return lambda: kernels.unpool(x, indices, work.out, checked=True)
    return lambda: kernels.gather(y, indices, checked=True)


def _minifcn_convolution(work: Work, x: Any, weight: Any, y: Any) -> Call:
    from minifcn import kernels

    settings = (work.stride, work.padding)
    if work.kind == "conv_transpose2d":
        return {
            "forward": lambda: kernels.conv_transpose2d(x, weight, *settings),
            "input gradient": lambda: kernels.conv2d(y, weight, *settings),
            "weight gradient": lambda: kernels.conv2d_weight(y, x, work.kernel, *settings),
        }[work.part]
    if work.kernel == 1:
        matrix = weight[:, :, 0, 0]
        return {
            "forward": lambda: kernels.conv1x1(x, matrix),
            "input gradient": lambda: kernels.conv1x1(y, matrix.T),
            "weight gradient": lambda: kernels.conv1x1_weight(x, y),
        }[work.part]
    return {
        "forward": lambda: kernels.conv2d(x, weight, *settings),
        "input gradient": lambda: kernels.conv_transpose2d(y, weight, *settings),
        "weight gradient": lambda: kernels.conv2d_weight(x, y, work.kernel, *settings),
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
        call = lambda: function(x, weight, None, work.stride, work.padding)
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

    model = _torch_model(work)
    state = {name: torch.from_numpy(a) for name, a in network(work).state_dict().items()}
    model.load_state_dict(state)
    model.to(place.device)
    x, labels = numbers.x, numbers.labels
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, LEARNING_RATE, MOMENTUM)

    def step() -> None:
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step if work.part == "step" else torch.no_grad()(lambda: model(x))


def _torch_model(work: Work) -> Any:
    """The FCN-8s as one writes it with PyTorch; its layers have the names of ours."""
    from torch import nn
    from torch.nn import functional as F

    sizes = NETWORKS[work.network]
    classes, widths, head = sizes.classes, sizes.widths, sizes.head_width
    below = right = -work.size % 32

    class Block(nn.Conv2d):
        def forward(self, x: Any) -> Any:
            return F.relu(super().forward(x))

    def block(into: int, to: int, kernel: int = 3) -> nn.Module:
        return Block(into, to, kernel, padding=kernel // 2)

    def stage(into: int, to: int, depth: int) -> nn.Module:
        more = [block(to, to) for _ in range(depth - 1)]
        return nn.Sequential(block(into, to), *more, nn.MaxPool2d(2))

    def up(factor: int) -> nn.Module:
        layer = nn.ConvTranspose2d(classes, classes, 2 * factor, factor, factor // 2, bias=False)
        return layer.requires_grad_(False)

    class Stages(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            shapes = zip((3, *widths), widths, sizes.depths, strict=False)
            stages = (stage(*shape) for shape in shapes)
            self.stage1, self.stage2, self.stage3, self.stage4, self.stage5 = stages

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = Stages()
            self.fc6, self.fc7 = block(widths[4], head), block(head, head, 1)
            self.score_fr = nn.Conv2d(head, classes, 1)
            self.score_pool4 = nn.Conv2d(widths[3], classes, 1)
            self.score_pool3 = nn.Conv2d(widths[2], classes, 1)
            self.upscore2, self.upscore_pool4, self.upscore = up(2), up(2), up(8)

        def forward(self, x: Any) -> Any:
            if below or right:
                x = F.pad(x, (0, right, 0, below))
            stages = self.backbone
            pool3 = stages.stage3(stages.stage2(stages.stage1(x)))
            pool4 = stages.stage4(pool3)
            scores = self.score_fr(self.fc7(self.fc6(stages.stage5(pool4))))
            scores = self.upscore2(scores) + self.score_pool4(pool4)
            scores = self.upscore(self.upscore_pool4(scores) + self.score_pool3(pool3))
            return scores[..., : work.size, : work.size]

    return Network()


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
