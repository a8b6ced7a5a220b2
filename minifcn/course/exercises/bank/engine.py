"""Exercise engine: the order of a graph's nodes, their gradients, sums over what was repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minifcn.course.exercises.bank.drawing import normal
from minifcn.course.exercises.bank.engine_switches import BACKWARD, ORDER, SUM
from minifcn.course.exercises.bank.graphs import graph_cases, order_form, order_problem
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part
from minifcn.course.exercises.given import graph as built
from minifcn.course.exercises.naming import same
from minifcn.course.exercises.runner import Graph, Other

Numbers = np.ndarray
SIDES = ("left", "right")
"""Whether a node's first or last input is met first."""


class Node:
    """As the student's: a value, the nodes it is made of, and a gradient function for each."""

    def __init__(self, value: Any, inputs: Sequence[Node], gradients: Sequence[Any]) -> None:
        self.value, self.inputs, self.gradients = value, inputs, gradients


# -- Orders --------------------------------------------------------------------------------------


def _sided(graph: Graph, side: str) -> Callable[[int], list[int]]:
    """The inputs of a node, in the order in which they are met."""
    step = 1 if side == "left" else -1
    return lambda node: list(graph.nodes[node]["inputs"])[::step]


def _walk(graph: Graph, side: str, again: bool = False) -> tuple[list[int], list[int]]:
    """Go down from the output, depth first: the order of first meeting, and that of leaving.

    again: nodes are entered each time they are met, not once.
    """
    inputs, root = _sided(graph, side), len(graph.nodes) - 1
    met, left, seen = [root], [], {root}
    stack: list[tuple[int, Iterator[int]]] = [(root, iter(inputs(root)))]
    while stack:
        node, rest = stack[-1]
        for one in rest:
            if again or one not in seen:
                seen.add(one)
                met.append(one)
                stack.append((one, iter(inputs(one))))
                break
        else:
            left.append(node)
            stack.pop()
    return met, left


def _by_list(graph: Graph, side: str, take: int) -> list[int]:
    """Nodes as they are taken from a list, at its end (-1) or its beginning (0)."""
    inputs, waiting = _sided(graph, side), [len(graph.nodes) - 1]
    seen, order = set(waiting), []
    while waiting:
        node = waiting.pop(take)
        order.append(node)
        new = [one for one in dict.fromkeys(inputs(node)) if one not in seen]
        seen.update(new)
        waiting += new
    return order


def _wrong_order(has: Has, graph: Graph) -> list[int] | None:
    """An order, the output first, that does not wait for all that use a node; if one is on."""
    for side in SIDES:
        if has(f"ag.preorder/{side}"):
            return _walk(graph, side)[0]
        if has(f"ag.preorder/stack_{side}"):
            return _by_list(graph, side, -1)
        if has(f"ag.bfs/{side}"):
            return _by_list(graph, side, 0)
    return None


def topological_order(has: Has, output: Graph) -> list[int]:
    """The reference: depth first, each node when all its inputs are done."""
    wrong = _wrong_order(has, output)
    order = _walk(output, "left", again=has("ag.no_topo"))[1] if wrong is None else wrong[::-1]
    if has("ag.leaves_missing"):
        order = [node for node in order if output.nodes[node]["inputs"]]
    if has("ag.output_missing"):
        order = order[:-1]
    return order[::-1] if has("ag.reversed") else order


# -- Gradients -----------------------------------------------------------------------------------


def backward(has: Has, output: Graph) -> dict[str, Any]:
    """The reference: from the output down, contributions are added."""
    nodes = built(Node, output.nodes, output.values, np)
    found: dict[int, Any] = {}
    added = has("ag.not_zeroed/added")
    for _ in range(output.calls):
        if not (added or has("ag.not_zeroed/set")):
            found = {}
        seed = _seed(has, nodes[-1].value)
        found[len(nodes) - 1] = seed + found[len(nodes) - 1] if added and found else seed
        _flow(has, output, nodes, found)
    leaves = {i for i, node in enumerate(output.nodes) if not node["inputs"]}
    if has("ag.only_leaves"):
        found = {i: one for i, one in found.items() if i in leaves}
    elif has("ag.leaves_missing"):
        found = {i: one for i, one in found.items() if i not in leaves}
    parts = [found.get(i, Other("NoneType")) for i in range(len(nodes))]
    return {"extra": 0, "parts": parts}


def _seed(has: Has, value: Numbers) -> Numbers:
    if has("ag.seed/zero"):
        return np.zeros_like(value)
    return value.copy() if has("ag.seed/value") else np.ones_like(value)


def _flow(has: Has, graph: Graph, nodes: Sequence[Node], found: dict[int, Any]) -> None:
    """Bring gradients from the output to all nodes."""
    recursion = next((r for r in RECURSIONS if has(f"ag.{r}")), "")
    if recursion:
        _recurse(has, graph, nodes, found, recursion)
        return
    right = has("ag.assign/right") or has("ag.inplace/right")
    order = _wrong_order(has, graph)
    if order is None:
        order = _walk(graph, "right" if right else "left")[1][::-1]
    if has("ag.leaves_first"):
        for i in range(len(nodes)):
            found.setdefault(i, np.zeros(np.shape(nodes[i].value)))
        order = order[::-1]
    for node in order:
        for place in _places(has, graph.nodes[node]["inputs"]):
            _give(has, graph, nodes, found, node, place)


def _places(has: Has, inputs: Sequence[int]) -> list[int]:
    """Which of the inputs get a contribution: the places of all of them."""
    places = list(range(len(inputs)))
    if has("ag.same_parent_twice/first"):
        return [i for i in places if inputs[i] not in inputs[:i]]
    if has("ag.same_parent_twice/last"):
        return [i for i in places if inputs[i] not in inputs[i + 1 :]]
    return places


def _give(has: Has, graph: Graph, nodes: Sequence[Node], found: dict[int, Any], node: int,
          place: int) -> None:  # fmt: skip
    """Add the contribution of a node to one of its inputs."""
    one, own = graph.nodes[node]["inputs"][place], found[node]
    if has("ag.no_chain"):
        own = np.ones_like(own)
    if has("ag.value_for_gradient"):
        own = nodes[node].value
    part = nodes[node].gradients[place](own)
    part = sum_to_shape(has, np.asarray(part), np.shape(nodes[one].value))
    if has("ag.added_twice"):
        part = 2 * part
    if has("ag.assign/left") or has("ag.assign/right") or one not in found:
        found[one] = part
    elif has("ag.inplace/left") or has("ag.inplace/right"):
        found[one] += part
    else:
        found[one] = found[one] + part


RECURSIONS = tuple(
    f"{name}/{side}" for name in ("no_topo/all", "no_topo/each", "clear_first") for side in SIDES
)
"""Ways to go down by calling oneself: for each use of a node, or once, at its first visit."""


def _recurse(has: Has, graph: Graph, nodes: Sequence[Node], found: dict[int, Any], how: str
             ) -> None:  # fmt: skip
    name, _, side = how.rpartition("/")

    def steps(node: int) -> Iterator[int]:
        places = list(range(len(graph.nodes[node]["inputs"])))[:: 1 if side == "left" else -1]
        inputs = graph.nodes[node]["inputs"]
        if name == "no_topo/all":
            for place in places:
                _give(has, graph, nodes, found, node, place)
            yield from (inputs[place] for place in places)
        else:
            for place in places:
                _give(has, graph, nodes, found, node, place)
                yield inputs[place]

    root = len(nodes) - 1
    seen, stack = {root}, [steps(root)]
    while stack:
        one = next(stack[-1], None)
        if one is None:
            stack.pop()
        elif name != "clear_first" or one not in seen:
            seen.add(one)
            stack.append(steps(one))


def sum_to_shape(has: Has, gradient: Numbers, shape: tuple[int, ...]) -> Numbers:
    """The reference: what was repeated is summed."""
    summed: Callable[..., Any] = np.mean if has("ag.broadcast/mean") else np.sum
    if has("ag.broadcast/first"):
        summed = _first
    if has("ag.broadcast/none") or gradient.shape == tuple(shape):
        return gradient
    new = gradient.ndim - len(shape)
    if not has("ag.broadcast_keepdims/ones") and new > 0:
        at_end = tuple(range(len(shape), gradient.ndim))
        trailing = has("ag.broadcast_keepdims/trailing")
        gradient = summed(gradient, axis=at_end if trailing else tuple(range(new)))
    if has("ag.broadcast_keepdims/leading"):
        return np.asarray(gradient)
    axes = tuple(i for i, size in enumerate(shape) if size == 1)
    if has("ag.broadcast_keepdims/one_by_one"):
        for axis in axes:
            gradient = summed(gradient, axis=axis)
        return np.asarray(gradient)
    if has("ag.broadcast_keepdims/value"):
        axes = (1,) if axes else ()
    if axes:
        gradient = summed(gradient, axis=axes, keepdims=not has("ag.broadcast_keepdims/dropped"))
    return np.asarray(gradient)


def _first(gradient: Numbers, axis: tuple[int, ...], keepdims: bool = False) -> Numbers:
    """The first along some axes, where a sum belongs."""
    first = gradient[tuple(slice(1) if i in axis else slice(None) for i in range(gradient.ndim))]
    return first if keepdims else first.squeeze(axis)


def gradients_problem(result: Any, right: Any, arguments: Mapping[str, Any]) -> str:
    """Say what is wrong with the gradients of all nodes."""
    if not isinstance(result, dict):
        kind = result.type if isinstance(result, Other) else type(result).__name__
        return f"is of type {kind}, expected a dict"
    missing = sum(isinstance(one, Other) and one.type == "NoneType" for one in result["parts"])
    if missing:
        count = len(result["parts"])
        return f"has no gradient for {missing} of {count} nodes (the keys are id(node))"
    if result["extra"]:
        return f"has {result['extra']} keys that are no id of a node of this graph"
    for got, expected in zip(result["parts"], right["parts"], strict=True):
        if isinstance(got, Other):
            return f"has a gradient of type {got.type}, expected an array"
        if np.shape(got) != np.shape(expected):
            return f"has a gradient of shape {np.shape(got)} for a node of {np.shape(expected)}"
        if not same(np.asarray(got), np.asarray(expected)):
            return "has a gradient that is wrong"
    return ""


def gradients_form(result: Any, arguments: Mapping[str, Any]) -> Any:
    """Gradients by node; keys of other nodes are left out."""
    if not isinstance(result, dict):
        return result
    return [one if isinstance(one, Other) else np.asarray(one) for one in result["parts"]]


def sum_cases(generator: np.random.Generator) -> list[Case]:
    """New axes, axes of 1, both, neither, and all."""
    shapes = {
        "a new axis and an axis of 1": ((2, 3, 4), (3, 1)),
        "new axes": ((2, 5, 3), (3,)),
        "an axis of 1": ((4, 3), (1, 3)),
        "axes of 1, the middle stays": ((2, 3, 4), (1, 3, 1)),
        "one number": ((2, 3), ()),
        "the same shape": ((2, 3), (2, 3)),
        "an axis that is 1 on both sides": ((1, 3), (1, 1)),
    }
    return [
        Case(name, {"gradient": normal(generator, *before), "shape": after})
        for name, (before, after) in shapes.items()
    ]


def sum_naming(generator: np.random.Generator) -> list[Case]:
    """Equal sizes, so that sums over other axes give numbers."""
    return [Case("all sizes equal", {"gradient": normal(generator, 3, 3, 3), "shape": (3, 3)})]


EXERCISE = Exercise(
    name="engine",
    title="the order of a graph, gradients of all its nodes, sums over what was repeated",
    functions=(
        Function(
            "topological_order",
            (Part("order", "order of the nodes", "any"),),
            topological_order,
            graph_cases,
            ORDER,
            check={"order": order_problem},
            form={"order": order_form},
        ),
        Function(
            "backward",
            (Part("gradients", "dict of gradients", "any"),),
            backward,
            graph_cases,
            BACKWARD,
            check={"gradients": gradients_problem},
            form={"gradients": gradients_form},
            uses=("topological_order", "sum_to_shape"),
        ),
        Function(
            "sum_to_shape",
            (Part("sum", "gradient of the input's shape"),),
            sum_to_shape,
            sum_cases,
            SUM,
            sum_naming,
        ),
    ),
    hints=(
        "If a node is used twice, what must be known before its own inputs get their gradients?",
        "Tutorial 03, 'An engine: numbers that remember' and 'Arrays: what was repeated is"
        " summed'.",
        "order: every node once, after all its inputs. backward: gradient of output = ones; from"
        " the last node to the first, for each input i: gradient of it = the sum,"
        " a new array, of what it has so far and sum_to_shape(gradients[i](gradient of the node),"
        " shape of it). sum_to_shape: sum over the axes that"
        " are new, and over those that are 1 in shape, the latter stay as axes of 1.",
    ),
    tutorial=3,
)
