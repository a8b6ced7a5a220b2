"""Each layer of `minifcn.nn`, as it computes in evaluation, as nodes of ONNX."""

from __future__ import annotations

from typing import Any

from minifcn import nn
from minifcn.kernels.checks import pair
from minifcn.onnx_export.graph import Graph, Name, Translation


def _sequential(graph: Graph, module: nn.Sequential, x: Name) -> Name:
    for part in module:
        x = graph(part, x)
    return x


def _identity(graph: Graph, module: nn.Module, x: Name) -> Name:
    """Dropout does nothing in evaluation."""
    return x


def conv2d(graph: Graph, layer: nn.Conv2d, x: Name, **padding: Any) -> Name:
    """Add a convolution, with its relu; `padding` in place of the layer's own."""
    strides, dilations = pair(layer.stride, "stride"), pair(layer.dilation, "dilation")
    y = graph.conv2d(
        x,
        graph.weight(layer.weight),
        graph.weight(layer.bias) if layer.bias is not None else None,
        strides=strides,
        dilations=dilations,
        group=layer.groups,
        **(padding or _padding(layer)),
    )
    return graph.relu(y) if layer.relu else y


def _padding(layer: nn.Conv2d) -> dict[str, Any]:
    """'same' keeps the size: of an odd number of pixels the larger half goes after."""
    if not isinstance(layer.padding, str):
        return {"pads": pair(layer.padding, "padding") * 2}
    if layer.padding == "valid":
        return {"pads": (0, 0, 0, 0)}
    reach = [
        dilation * (size - 1)
        for dilation, size in zip(
            pair(layer.dilation, "dilation"), layer.weight.shape[2:], strict=True
        )
    ]
    return {"pads": [n // 2 for n in reach] + [n - n // 2 for n in reach]}


def _conv_transpose2d(graph: Graph, layer: nn.ConvTranspose2d, x: Name) -> Name:
    return graph.add(
        "ConvTranspose",
        x,
        graph.weight(layer.weight),
        *([graph.weight(layer.bias)] if layer.bias is not None else []),
        strides=pair(layer.stride, "stride"),
        pads=pair(layer.padding, "padding") * 2,
        output_padding=pair(layer.output_padding, "output_padding"),
        dilations=pair(layer.dilation, "dilation"),
        group=layer.groups,
    )


def _linear(graph: Graph, layer: nn.Linear, x: Name) -> Name:
    bias = [graph.weight(layer.bias)] if layer.bias is not None else []
    return graph.add("Gemm", x, graph.weight(layer.weight), *bias, transB=1)


def _batch_norm2d(graph: Graph, layer: nn.BatchNorm2d, x: Name) -> Name:
    statistics = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
    y = graph.add("BatchNormalization", x, *map(graph.weight, statistics), epsilon=layer.eps)
    if layer.activation is None:
        return y
    return {"relu": graph.relu, "relu6": graph.relu6}[layer.activation](y)


def _relu(graph: Graph, layer: nn.ReLU, x: Name) -> Name:
    return graph.relu(x)


def _relu6(graph: Graph, layer: nn.ReLU6, x: Name) -> Name:
    return graph.relu6(x)


def _max_pool2d(graph: Graph, layer: nn.MaxPool2d, x: Name) -> Name:
    kernel, padding = pair(layer.kernel_size, "kernel_size"), pair(layer.padding, "padding")
    if layer.return_indices or (layer.ceil_mode and any(padding)):
        raise ValueError(
            "a MaxPool2d must have no return_indices, and no padding with ceil_mode, to have a"
            f" form in ONNX; got {layer.settings()}"
        )
    return graph.add(
        "MaxPool",
        x,
        kernel_shape=kernel,
        strides=kernel if layer.stride is None else pair(layer.stride, "stride"),
        pads=padding * 2,
        dilations=pair(layer.dilation, "dilation"),
        ceil_mode=int(layer.ceil_mode),
    )


LAYERS: dict[type, Translation] = {
    nn.Sequential: _sequential,
    nn.Dropout: _identity,
    nn.Dropout2d: _identity,
    nn.Conv2d: conv2d,
    nn.ConvTranspose2d: _conv_transpose2d,
    nn.Linear: _linear,
    nn.BatchNorm2d: _batch_norm2d,
    nn.ReLU: _relu,
    nn.ReLU6: _relu6,
    nn.MaxPool2d: _max_pool2d,
}
"""Layers that no network here has, such as AvgPool2d, are left to whoever needs them."""
