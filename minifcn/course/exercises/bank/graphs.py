"""The graphs on which exercise engine is tried, and how orders of their nodes are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minifcn.course.exercises.bank.drawing import normal
from minifcn.course.exercises.exercise import Case
from minifcn.course.exercises.runner import Graph, Other

FORWARD: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "scale": lambda a: 3.0 * a,
    "square": np.square,
    "sum": np.sum,
}

Steps = Sequence[tuple[str, str, str]]
"""Nodes: a name, an operation, and the names of its inputs, with spaces between."""


def graph_of(leaves: Mapping[str, np.ndarray], steps: Steps, calls: int = 1) -> Graph:
    """Compute the values of a graph; its last node is the output."""
    names = [*leaves, *(name for name, _, _ in steps)]
    values = list(leaves.values())
    nodes: list[dict[str, Any]] = [
        {"operation": "leaf", "inputs": [], "value": i} for i in range(len(leaves))
    ]
    for _, operation, words in steps:
        inputs = [names.index(word) for word in words.split()]
        nodes.append({"operation": operation, "inputs": inputs, "value": len(values)})
        values.append(np.asarray(FORWARD[operation](*(values[i] for i in inputs)), np.float64))
    return Graph(tuple(nodes), tuple(values), calls)


def graph_cases(generator: np.random.Generator) -> list[Case]:
    """Diamonds, nodes that are used twice, broadcast axes of all kinds, and a long chain."""

    def x(*shape: int) -> np.ndarray:
        return normal(generator, *shape)

    mixed: Steps = [
        ("s", "mul", "a b"), ("t", "add", "s c"), ("u", "mul", "t t"), ("v", "square", "s"),
        ("w", "sub", "u v"), ("o", "add", "w t"),
    ]  # fmt: skip
    diamond: Steps = [
        ("y", "square", "x"), ("a", "square", "y"), ("b", "scale", "y"), ("o", "mul", "a b"),
    ]  # fmt: skip
    lengths: Steps = [
        ("y", "square", "x"), ("a", "mul", "y z"), ("b", "scale", "a"), ("c", "mul", "b y"),
        ("d", "sub", "a c"), ("o", "mul", "y d"),
    ]  # fmt: skip
    shared: Steps = [
        ("p", "add", "a b"), ("q", "mul", "p a"), ("r", "add", "q b"), ("e", "sub", "p r"),
        ("o", "add", "e a"),
    ]  # fmt: skip
    total: Steps = [("s", "sum", "a"), ("t", "mul", "s a"), ("o", "add", "t b")]
    pairs: Steps = [("y", "sub", "x x"), ("z", "mul", "x x"), ("o", "add", "y z")]
    axes: Steps = [("s", "mul", "a b"), ("t", "mul", "s c"), ("o", "add", "d t")]
    chain: Steps = [
        (f"n{i}", "sub", f"n{i - 1} c" if i > 1 else "x c") for i in range(1, 898)
    ]  # fmt: skip
    graphs = {
        "broadcast axes, and nodes used several times": graph_of(
            {"a": x(2, 3), "b": x(3), "c": x(2, 1)}, mixed
        ),
        "a diamond": graph_of({"x": x(4)}, diamond),
        "paths of unequal length": graph_of({"x": x(2, 2), "z": x(2, 2)}, lengths),
        "a sum of the same nodes, early and late": graph_of({"a": x(3), "b": x(3)}, shared),
        "a node with itself": graph_of({"x": x(2, 3)}, pairs),
        "a sum of all numbers": graph_of({"a": x(2, 3), "b": x(1, 1)}, total),
        "new axes, axes of 1, and both": graph_of(
            {"a": x(4, 2, 3), "b": x(2, 3), "c": x(1, 2, 1), "d": x(1, 3)}, axes
        ),
        "one number": graph_of({"x": x()}, diamond),
        "a leaf alone": graph_of({"x": x(2)}, []),
        "called twice on one graph": graph_of({"x": x(3)}, diamond, calls=2),
        "a chain of 900 nodes": graph_of({"x": x(2), "c": x(2)}, chain),
    }
    return [Case(name, {"output": graph}) for name, graph in graphs.items()]


# -- Orders --------------------------------------------------------------------------------------


def inputs_first(order: Sequence[int], graph: Graph) -> bool:
    """Whether all nodes of an order come after those of their inputs that are in it."""
    place = {node: i for i, node in enumerate(order)}
    return all(
        place[one] < place[node]
        for node in order
        for one in graph.nodes[node]["inputs"]
        if one in place
    )


def order_problem(result: Any, right: Any, arguments: Mapping[str, Any]) -> str:
    """Say what is wrong with an order; any order is right that lists inputs first."""
    graph: Graph = arguments["output"]
    if not isinstance(result, list):
        kind = result.type if isinstance(result, Other) else type(result).__name__
        return f"is of type {kind}, expected a list of nodes"
    if min(result, default=0) < 0:
        return "has an element that is no node of the graph"
    if len(set(result)) < len(result):
        return "has a node more than once"
    if len(result) < len(graph.nodes):
        return f"has {len(result)} of the graph's {len(graph.nodes)} nodes"
    return "" if inputs_first(result, graph) else "has a node before one of its inputs"


def order_form(result: Any, arguments: Mapping[str, Any]) -> Any:
    """Say alike what is wrong alike; orders that are wrong both ways stay what they are."""
    graph: Graph = arguments["output"]
    if not isinstance(result, list) or min(result, default=0) < 0:
        return result
    once = list(dict.fromkeys(result))
    missing = sorted(set(range(len(graph.nodes))) - set(once))
    for word, order in (("inputs first", once), ("inputs last", once[::-1])):
        if inputs_first(order, graph):
            return f"{word}, {'repeats' if len(once) < len(result) else 'once'}, without {missing}"
    return min(result, result[::-1])
