"""Building an ONNX graph: one method for each operation, named as in `minifcn.functional`.

A tensor of the graph is known by its name alone, a string. Sizes are not: wherever the height or
width of an image counts, nodes compute it from the image, so that any size can come in.
Source: the ONNX operators of opset 17, https://onnx.ai/onnx/operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count
from typing import Any, TypeAlias

import numpy as np

from minifcn import nn
from minifcn.tensor import Tensor

Name: TypeAlias = str
Translation: TypeAlias = Callable[..., Any]

OPSET, IR_VERSION = 17, 8
"""Of 2022, which all that reads ONNX today understands."""


class Graph:
    """Nodes and constants, in the order in which they were added.

    Call it with a module and its input to add what the module does.

    Args:
        model: the network whose weights may be used; they keep their names.
        translations: for each type of module, a function (graph, module, input) that adds its
            nodes and returns the name of its output.
    """

    def __init__(self, model: nn.Module, translations: Mapping[type, Translation]) -> None:
        self.translations = translations
        self.weights = {id(tensor): name for name, tensor in model.named_tensors()}
        self.places = {id(module): place for place, module in _places(model)}
        self.place = ""
        self.nodes: list[Any] = []
        self.constants: dict[Name, np.ndarray] = {}

    def __call__(self, module: nn.Module, x: Name, *others: Name) -> Any:
        """Add what a module does to x; its nodes are named after its place in the network.

        Returns the name of its output; of a backbone, those of its feature maps by stride.

        Raises ValueError for a type of module that has no translation. A subclass is another type:
        it may compute something else.
        """
        if type(module) not in self.translations:
            known = ", ".join(sorted(kind.__name__ for kind in self.translations))
            raise ValueError(
                f"model must be made of modules that have a form in ONNX: {known};"
                f" got a {type(module).__name__} at {self.places[id(module)] or 'the top'!r}"
            )
        before, self.place = self.place, self.places[id(module)]
        output = self.translations[type(module)](self, module, x, *others)
        self.place = before
        return output

    # -- Nodes and constants -------------------------------------------------------------------

    def add(
        self, kind: str, *inputs: Name, name: Name = "", outputs: int = 1, **settings: Any
    ) -> Any:
        """Add a node; return the name of its output, or the names of several in a list."""
        from onnx import helper

        name = name or self._new_name(kind)
        names = [name, *(f"{name}:{i}" for i in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, **settings))
        return names if outputs > 1 else name

    def _new_name(self, kind: str) -> Name:
        """Such as stage1.0.0/Conv; with a number where the module has several."""
        taken = {node.name for node in self.nodes} | self.constants.keys()
        name = f"{self.place}/{kind}" if self.place else kind
        numbered = (f"{name}_{i}" for i in count(2))
        return next(n for n in chain([name], numbered) if n not in taken)

    def weight(self, tensor: Tensor) -> Name:
        """Add a parameter or buffer of the network under the name that it has in `state_dict`."""
        name = self.weights[id(tensor)]
        self.constants[name] = np.array(tensor.numpy())
        return name

    def constant(self, values: Any, dtype: Any = np.int64) -> Name:
        """Add an array, by default of int64, as sizes and axes are."""
        name = self._new_name("constant")
        self.constants[name] = np.array(values, dtype)
        return name

    # -- Operations ----------------------------------------------------------------------------

    def conv2d(self, x: Name, weight: Name, bias: Name | None, **settings: Any) -> Name:
        """Convolve; settings: strides, pads (top, left, bottom, right), dilations, group."""
        return self.add("Conv", x, weight, *([bias] if bias else []), **settings)

    def relu(self, x: Name) -> Name:
        """max(x, 0)."""
        return self.add("Relu", x)

    def relu6(self, x: Name) -> Name:
        """min(max(x, 0), 6)."""
        return self.add("Clip", x, self.constant(0, np.float32), self.constant(6, np.float32))

    def plus(self, x: Name, y: Name) -> Name:
        """Add two tensors of one shape."""
        return self.add("Add", x, y)

    def times(self, x: Name, number: float) -> Name:
        """A number times x."""
        return self.add("Mul", x, self.constant(number, np.float32))

    def cat(self, *parts: Name) -> Name:
        """Join along the channels."""
        return self.add("Concat", *parts, axis=1)

    def global_average(self, x: Name) -> Name:
        """The mean of each plane: (N, C, H, W) to (N, C)."""
        return self.add("Flatten", self.add("GlobalAveragePool", x), axis=1)

    def max_pool2d(self, x: Name, size: int) -> Name:
        """Maxima of windows that do not overlap."""
        return self.add("MaxPool", x, kernel_shape=[size] * 2, strides=[size] * 2)

    def max_pool2d_with_indices(self, x: Name, size: int) -> list[Name]:
        """The same, and where the maxima are; see `max_unpool2d`."""
        return self.add("MaxPool", x, outputs=2, kernel_shape=[size] * 2, strides=[size] * 2)

    def max_unpool2d(self, x: Name, indices: Name, size: int) -> Name:
        """Put values back; ONNX counts indices through all planes, in both operations alike."""
        return self.add("MaxUnpool", x, indices, kernel_shape=[size] * 2, strides=[size] * 2)

    def doubled(self, x: Name, mode: str) -> Name:
        """Resize to twice the height and width, as F.interpolate does; 'nearest' or 'bilinear'."""
        scales = self.constant([1, 1, 2, 2], np.float32)
        settings = {
            "nearest": {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
            "bilinear": {"coordinate_transformation_mode": "half_pixel", "mode": "linear"},
        }[mode]
        return self.add("Resize", x, "", scales, **settings)  # type: ignore[arg-type]

    def size(self, x: Name) -> Name:
        """(H, W) of x (N, C, H, W)."""
        return self.add("Shape", x, start=2, end=4)

    def pad(self, x: Name, amounts: tuple[int, int, int, int]) -> Name:
        """Pad with zeros: left, right, top and bottom, as F.pad names them."""
        left, right, top, bottom = amounts
        return self.add("Pad", x, self.constant([0, 0, top, left, 0, 0, bottom, right]))

    def padded(self, x: Name, multiple: int) -> Name:
        """Pad with zeros at the bottom and right to a multiple of so many pixels."""
        missing = self.add("Neg", self.size(x))
        missing = self.add("Mod", missing, self.constant([multiple]))  # at least 0, as in Python
        amounts = self.add("Concat", self.constant([0] * 6), missing, axis=0)
        return self.add("Pad", x, amounts)

    def cropped(self, x: Name, like: Name, offset: int = 0) -> Name:
        """Cut a window of the size of `like` out of x, so many pixels from the top and left."""
        starts = self.constant([offset, offset])
        ends = self.add("Add", self.size(like), starts) if offset else self.size(like)
        return self.add("Slice", x, starts, ends, self.constant([2, 3]))


def _places(module: nn.Module, place: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Every module with its path of attributes."""
    yield place, module
    for name, child in module.children():
        yield from _places(child, f"{place}.{name}" if place else name)
