"""The same work three times: by minifcn, by PyTorch, and as little as it could be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minifcn.bench.work import (
    CLASSES,
    HEAD_WIDTH,
    WIDTHS,
    Work,
    input_shape,
    output_shape,
    weight_shape,
)

Call = Callable[[], Any]
LEARNING_RATE, MOMENTUM = 0.01, 0.9


def minifcn_call(work: Work) -> Call:
    """Prepare the work for minifcn; return the function to time."""
    from minifcn import functional as F
    from minifcn import no_grad, optim, tensor
    from minifcn.models import FCN

    rng = np.random.default_rng(0)
    x = tensor(_normal(rng, input_shape(work)))
    if work.kind != "network":
        return _minifcn_kernel(work, x.data, rng)
    model = FCN(
        CLASSES, 8, widths=WIDTHS, depths=(2,) * 5, head_width=HEAD_WIDTH, batch_norm=False,
        generator=rng,
    )  # fmt: skip
    labels = rng.integers(0, CLASSES, (work.batch, work.size, work.size))
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


def _minifcn_kernel(work: Work, x: np.ndarray, rng: np.random.Generator) -> Call:
    from minifcn import kernels

    y = _normal(rng, output_shape(work))
    if work.kind in ("conv2d", "conv_transpose2d"):
        return _minifcn_convolution(work, x, _normal(rng, weight_shape(work)), y)
    if work.kind == "interpolate":
        steps = (1 / work.stride, 1 / work.stride)
        if work.part == "forward":
            return lambda: kernels.resize(x, work.out, steps, work.mode)
        return lambda: kernels.resize_adjoint(y, work.size, steps, work.mode)
    if work.kind == "cross_entropy":
        labels = rng.integers(0, work.channels, (work.batch, work.size, work.size))
        logs, scale = kernels.cross_entropy(x, labels)[1], _normal(rng, labels.shape)
        if work.part == "forward":
            return lambda: kernels.cross_entropy(x, labels)
        return lambda: kernels.cross_entropy_gradient(x, labels, logs, scale)
    if work.kind == "max_pool2d":
        indices = kernels.max_pool2d(x, 2)[1]
        if work.part == "forward":
            return lambda: kernels.max_pool2d(x, 2)
        return lambda: kernels.unpool(y, indices, work.size)
    indices = kernels.max_pool2d(y, 2)[1]
    if work.part == "forward":
        return lambda: kernels.unpool(x, indices, work.out)
    return lambda: kernels.gather(y, indices)


def _minifcn_convolution(work: Work, x: np.ndarray, weight: np.ndarray, y: np.ndarray) -> Call:
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


def torch_call(work: Work) -> Call:
    """Prepare the work for PyTorch; return the function to time."""
    import torch
    from torch.nn import functional as F

    torch.manual_seed(0)
    x = torch.randn(input_shape(work))
    if work.kind == "network":
        return _torch_network(work, x)
    x.requires_grad_()
    inputs = {"input gradient": x, "backward": x}
    if work.kind in ("conv2d", "conv_transpose2d"):
        weight = torch.randn(weight_shape(work), requires_grad=True)
        inputs["weight gradient"] = weight
        function = getattr(F, work.kind)
        call = lambda: function(x, weight, None, work.stride, work.padding)
    elif work.kind == "interpolate":
        call = lambda: F.interpolate(x, scale_factor=work.stride, mode=work.mode)
    elif work.kind == "cross_entropy":
        labels = torch.randint(0, work.channels, (work.batch, work.size, work.size))
        call = lambda: F.cross_entropy(x, labels)
    elif work.kind == "max_pool2d":
        call = lambda: F.max_pool2d(x, 2)
    else:
        indices = F.max_pool2d(torch.randn(output_shape(work)), 2, return_indices=True)[1]
        call = lambda: F.max_unpool2d(x, indices, [2, 2])
    if work.part == "forward":
        return torch.no_grad()(call)
    y = call()
    upstream = torch.randn_like(y)
    return lambda: torch.autograd.grad(y, inputs[work.part], upstream, retain_graph=True)


def _torch_network(work: Work, x: Any) -> Call:
    import torch
    from torch import nn
    from torch.nn import functional as F

    def block(into: int, to: int, kernel: int = 3) -> list[nn.Module]:
        return [nn.Conv2d(into, to, kernel, padding=kernel // 2), nn.ReLU()]

    def up(factor: int) -> nn.Module:
        layer = nn.ConvTranspose2d(CLASSES, CLASSES, 2 * factor, factor, factor // 2, bias=False)
        return layer.requires_grad_(False)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            pairs = zip((3, *WIDTHS), WIDTHS, strict=False)
            self.stages = nn.ModuleList(
                nn.Sequential(*block(into, to), *block(to, to), nn.MaxPool2d(2))
                for into, to in pairs
            )
            self.head = nn.Sequential(
                *block(WIDTHS[4], HEAD_WIDTH), *block(HEAD_WIDTH, HEAD_WIDTH, 1),
                nn.Conv2d(HEAD_WIDTH, CLASSES, 1),
            )  # fmt: skip
            self.score4 = nn.Conv2d(WIDTHS[3], CLASSES, 1)
            self.score3 = nn.Conv2d(WIDTHS[2], CLASSES, 1)
            self.up2, self.up4, self.up8 = up(2), up(2), up(8)

        def forward(self, x: Any) -> Any:
            pooled = []
            for stage in self.stages:
                x = stage(x)
                pooled.append(x)
            scores = self.up2(self.head(x)) + self.score4(pooled[3])
            return self.up8(self.up4(scores) + self.score3(pooled[2]))

    model = Network()
    labels = torch.randint(0, CLASSES, (work.batch, work.size, work.size))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, LEARNING_RATE, MOMENTUM)

    def step() -> None:
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step if work.part == "step" else torch.no_grad()(lambda: model(x))


def limit_call(work: Work) -> Call | None:
    """The bare matrix product of a convolution; for the others, a copy of as many bytes."""
    rng = np.random.default_rng(0)
    if work.kind == "network":
        return None
    if work.product:
        m, k, columns = work.product
        a, out = _normal(rng, (m, k)), np.empty((m, columns), np.float32)
        b = _normal(rng, (columns, k)).T if "weight" in work.part else _normal(rng, (k, columns))
        return lambda: np.matmul(a, b, out=out)
    source = np.ones(work.bytes // 2, np.uint8)
    target = np.ones_like(source)
    return lambda: np.copyto(target, source)


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape, np.float32)


SIDES: dict[str, Callable[[Work], Call | None]] = {
    "minifcn": minifcn_call,
    "torch": torch_call,
    "limit": limit_call,
}
