"""What exercises are given: functions, and the operations of a graph.

The child's program begins with this text; the reference uses it, too.
"""

from __future__ import annotations

from typing import Any


def given(numpy: Any) -> dict[str, Any]:
    """Return the functions that exercises are given, by name."""

    def bilinear(x: Any, factor: int) -> Any:
        def along(x: Any, axis: int) -> Any:
            n = x.shape[axis]
            source = numpy.clip((numpy.arange(n * factor) + 0.5) / factor - 0.5, 0, n - 1)
            low = numpy.minimum(source.astype(int), max(n - 2, 0))
            high = numpy.minimum(low + 1, n - 1)
            shape = [1] * x.ndim
            shape[axis] = -1
            part = (source - low).reshape(shape)
            return numpy.take(x, low, axis) * (1 - part) + numpy.take(x, high, axis) * part

        return along(along(numpy.asarray(x, numpy.float64), 2), 3)

    return {
        "bilinear": bilinear,
        "cubic": lambda x: x**3 - 2 * x,
        "product": lambda x: x * numpy.roll(x, 1, axis=-1),
        "sums": lambda x: numpy.array([x.sum(), (x * x).sum()]),
        "view": lambda x: x[..., ::-1],
        "scaled": lambda x: numpy.exp(x) / 10,
    }


def operations(numpy: Any) -> dict[str, Any]:
    """Return, by an operation's name, what makes the gradient functions of a node.

    They are functions of the node's gradient, one for each input; the inputs' values are known.
    """
    return {
        "add": lambda a, b: [lambda g: g, lambda g: g],
        "sub": lambda a, b: [lambda g: g, lambda g: -g],
        "mul": lambda a, b: [lambda g: g * b, lambda g: g * a],
        "scale": lambda a: [lambda g: 3.0 * g],
        "square": lambda a: [lambda g: 2.0 * a * g],
        "sum": lambda a: [lambda g: numpy.broadcast_to(g, a.shape)],
    }


def graph(node_class: Any, nodes: Any, arrays: Any, numpy: Any) -> list[Any]:
    """Build a graph of nodes, each described by its operation, inputs and value: a list of them."""
    built: list[Any] = []
    make = operations(numpy)
    for node in nodes:
        inputs = [built[i] for i in node["inputs"]]
        values = [one.value for one in inputs]
        gradients = make[node["operation"]](*values) if inputs else []
        built.append(node_class(arrays[node["value"]], inputs, gradients))
    return built
