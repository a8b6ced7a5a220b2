"""The graph that a Tensor remembers, drawn: tensors are boxes, operations are ellipses."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from minifcn.plots.canvas import figure_file, shortened
from minifcn.plots.layers import Box, Layout, layered
from minifcn.plots.panels import page_axes
from minifcn.tensor import Tensor, grad

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

LARGEST = 60
"""More nodes than these cannot be read on a page."""

# Inches: above an operation, above anything else, the height of a line of text, around a text.
_ABOVE_OPERATION, _ABOVE, _LINE, _PADDING = 0.42, 0.22, 0.165, 0.16
_MARGIN, _LEGEND_LINE, _LEGEND_WIDTH = 0.12, 0.27, 4.3
_LETTER, _BOLD_LETTER = 0.078, 0.094  # at 9 points

# Okabe and Ito's colours, lightened. The outlines differ as well, for those who read in grey.
_LOOKS: dict[str, dict[str, Any]] = {
    "leaf": {"facecolor": "#F7DFA8", "linewidth": 2.2},
    "constant": {"facecolor": "white", "linewidth": 1.0, "linestyle": (0, (3, 2))},
    "result": {"facecolor": "#CBE6F7", "linewidth": 1.0},
    "operation": {"facecolor": "white", "linewidth": 1.0},
}
_MEANINGS = {
    "leaf": "leaf that requires a gradient",
    "constant": "leaf that does not (constant)",
    "result": "result of an operation",
    "operation": "operation",
}


class Node(NamedTuple):
    """A tensor or an operation.

    kind: 'leaf' (it requires a gradient), 'constant' (it does not), 'result' or 'operation';
    name: the operation's, or what the tensor is called, "" if nothing; lines: what else is said.
    """

    kind: str
    name: str
    lines: tuple[str, ...] = ()


class Graph(NamedTuple):
    """Nodes, each after what it was made from, and edges (from, to) as the computation runs.

    A tensor that an operation uses twice has two edges to it.
    """

    nodes: list[Node]
    edges: list[tuple[int, int]]


def graph_of(
    tensor: Tensor, names: Mapping[str, Tensor] | None = None, gradients: bool = False
) -> Graph:
    """Return the nodes and edges of how `tensor` was made.

    Args:
        tensor: the result; its `grad_fn` is followed back to the leaves.
        names: what tensors are called: {"w": w, "loss": loss}; the others have no name.
        gradients: say d(tensor)/d(box) in each box, which `minifcn.grad` computes; otherwise
            the `.grad` of leaves that have one.

    Raises:
        TypeError: tensor, or what has a name, is not a Tensor.
        ValueError: more than LARGEST nodes; a graph that a backward has freed; gradients of a
            tensor that has more than one element.
    """
    named = _checked_names(tensor, names or {})
    tensors = _in_order(tensor)
    slopes = _gradients(tensor, tensors) if gradients else {id(x): x.grad for x in tensors}
    nodes: list[Node] = []
    edges: list[tuple[int, int]] = []
    places: dict[int, int] = {}
    for x in tensors:
        if x.grad_fn:
            edges += [(places[id(source)], len(nodes)) for source in x.grad_fn.inputs]
            edges.append((len(nodes), len(nodes) + 1))
            nodes.append(Node("operation", x.grad_fn.name))
        places[id(x)] = len(nodes)
        kind = "result" if x.grad_fn else "leaf" if x.requires_grad else "constant"
        nodes.append(Node(kind, named.get(id(x), ""), _lines(x, slopes.get(id(x)))))
    return Graph(nodes, edges)


def _checked_names(tensor: Tensor, names: Mapping[str, Tensor]) -> dict[int, str]:
    for name, x in {"tensor": tensor, **names}.items():
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} must be a Tensor; got {type(x).__name__}")
    return {id(x): shortened(name, 18) for name, x in names.items()}


def _in_order(tensor: Tensor) -> list[Tensor]:
    """List the tensors of the graph, each after all that it was made from."""
    order: dict[int, Tensor] = {}
    seen: dict[int, int] = {}  # how many nodes each tensor brings: itself, and its operation
    stack = [(tensor, False)]
    while stack:
        x, inputs_are_listed = stack.pop()
        if inputs_are_listed:
            order[id(x)] = x
        elif id(x) not in seen:
            seen[id(x)] = 2 if x.grad_fn else 1
            if sum(seen.values()) > LARGEST:
                raise ValueError(f"tensor must have a graph of at most {LARGEST} nodes; got more")
            if x.grad_fn and not x.grad_fn.inputs:
                raise ValueError("tensor's graph was freed by backward; draw it before that")
            stack.append((x, True))
            stack += [(source, False) for source in reversed(_inputs(x))]
    return list(order.values())


def _inputs(x: Tensor) -> tuple[Tensor, ...]:
    return x.grad_fn.inputs if x.grad_fn else ()


def _gradients(tensor: Tensor, tensors: Sequence[Tensor]) -> dict[int, Tensor | None]:
    if tensor.size != 1:
        raise ValueError(f"gradients needs a tensor of one element; got shape {tensor.shape}")
    wanted = [x for x in tensors if x.requires_grad]
    found = grad(tensor, wanted, create_graph=True) if wanted else ()  # which keeps the graph
    return {id(x): slope for x, slope in zip(wanted, found, strict=True)}


def _lines(x: Tensor, slope: Tensor | None) -> tuple[str, ...]:
    value = f"value {x.item():.4g}" if x.size == 1 else f"shape {x.shape}"
    if slope is None:
        return (value,)
    return value, f"grad {slope.item():.4g}" if slope.size == 1 else f"grad {slope.shape}"


def layout(graph: Graph) -> Layout:
    """Return where the nodes and arrows of the graph are, in inches; see `layers.layered`."""
    sizes = [_size(node) for node in graph.nodes]
    gaps = [_ABOVE_OPERATION if node.kind == "operation" else _ABOVE for node in graph.nodes]
    boxes, routes = layered(graph.edges, sizes, gaps)
    for (_, j), route in zip(graph.edges, routes, strict=True):
        if graph.nodes[j].kind == "operation":
            route[-1] = (route[-1][0], _top_of_ellipse(boxes[j], route[-1][0]))
    return Layout(boxes, routes)


def _size(node: Node) -> tuple[float, float]:
    bold = _LETTER if node.kind == "operation" else _BOLD_LETTER
    widest = max([bold * len(node.name), *(_LETTER * len(line) for line in node.lines)])
    # An ellipse needs more room than its text, whose corners would stick out.
    width = widest * (1.35 if node.kind == "operation" else 1) + _PADDING
    return max(0.4, width), _LINE * (len(node.lines) + bool(node.name)) + 0.75 * _PADDING


def _top_of_ellipse(box: Box, x: float) -> float:
    across = (x - box.x) / (box.width / 2)
    return box.y - box.height / 2 * (1 - across**2) ** 0.5


def plot_graph(
    path: str | os.PathLike[str],
    tensor: Tensor,
    names: Mapping[str, Tensor] | None = None,
    gradients: bool = False,
) -> None:
    """Draw how `tensor` was made, from the leaves at the top to the result at the bottom.

    Args:
        path: the SVG or PNG to write.
        tensor: the result.
        names: what tensors are called, as in `graph_of`.
        gradients: whether to say d(tensor)/d(box) in each box.

    Raises:
        TypeError, ValueError: as `graph_of`, or if path is no SVG or PNG in an existing folder.
    """
    graph = graph_of(tensor, names, gradients)
    boxes, routes = layout(graph)
    kinds = [kind for kind in _MEANINGS if any(node.kind == kind for node in graph.nodes)]
    bottom = max(box.y + box.height / 2 for box in boxes)
    right = max([box.x + box.width / 2 for box in boxes] + [x for r in routes for x, _ in r])
    width = max(right, _LEGEND_WIDTH) + 2 * _MARGIN
    height = bottom + _LEGEND_LINE * ((len(kinds) + 1) // 2) + 4 * _MARGIN
    with figure_file(path, width, height) as figure:
        axes = page_axes(figure)
        left = (right - width) / 2
        axes.set(xlim=(left, left + width), ylim=(height - _MARGIN, -_MARGIN))
        for route in routes:
            _draw_arrow(axes, route)
        for node, box in zip(graph.nodes, boxes, strict=True):
            _draw_node(axes, node, box)
        _draw_legend(axes, kinds, (right - _LEGEND_WIDTH) / 2, bottom + 2 * _MARGIN)


def _draw_legend(axes: Axes, kinds: Sequence[str], left: float, top: float) -> None:
    for k, kind in enumerate(kinds):
        x = left + 0.2 + _LEGEND_WIDTH / 2 * (k % 2)
        y = top + _LEGEND_LINE * (k // 2 + 0.5)
        axes.add_patch(_outline(kind, Box(x, y, 0.34, 0.17)))
        axes.text(x + 0.26, y, _MEANINGS[kind], va="center", fontsize=8)


def _draw_node(axes: Axes, node: Node, box: Box) -> None:
    axes.add_patch(_outline(node.kind, box))
    lines = [node.name, *node.lines] if node.name else list(node.lines)
    for k, line in enumerate(lines):
        bold = line is node.name and node.kind != "operation"
        y = box.y + _LINE * (k - (len(lines) - 1) / 2)
        axes.text(
            box.x, y, line, ha="center", va="center", fontsize=9,
            fontweight="bold" if bold else "normal", zorder=4,
        )  # fmt: skip


def _outline(kind: str, box: Box) -> Patch:
    """A box with sharp corners for what goes in, with round ones for a result; an ellipse."""
    from matplotlib.patches import Ellipse, FancyBboxPatch

    look = {"edgecolor": "black", "zorder": 3, **_LOOKS[kind]}
    if kind == "operation":
        return Ellipse((box.x, box.y), box.width, box.height, **look)
    corner = (box.x - box.width / 2, box.y - box.height / 2)
    style = "round,pad=0,rounding_size=0.08" if kind == "result" else "square,pad=0"
    return FancyBboxPatch(corner, box.width, box.height, boxstyle=style, **look)


def _draw_arrow(axes: Axes, route: Sequence[tuple[float, float]]) -> None:
    """Draw a line that leaves and enters vertically, so that it stays between its layers."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    points, codes = [route[0]], [Path.MOVETO]
    for (x, y), (next_x, next_y) in pairwise(route):
        middle = (y + next_y) / 2
        points += [(x, middle), (next_x, middle), (next_x, next_y)]
        codes += [Path.CURVE4] * 3
    axes.add_patch(
        FancyArrowPatch(
            path=Path(points, codes), arrowstyle="-|>", mutation_scale=9, linewidth=1,
            color="black", zorder=2,
        )
    )  # fmt: skip
