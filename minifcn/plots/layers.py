"""Where to draw the nodes and arrows of a graph without cycles: in layers, from top to bottom.

Four steps, after Sugiyama, Tagawa and Toda (1981), Methods for visual understanding of
hierarchical system structures: a layer for each node, by the longest path; bends, where an arrow
passes through a layer; an order within each layer with few crossings; places with short arrows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

Edges: TypeAlias = "Sequence[tuple[int, int]]"

_GAP, _BEND = 0.22, 0.1  # between neighbours in a layer, and the width of a bend
_STRAIGHT = 8  # how much more an arrow between two items that have no other weighs
_ORDERINGS, _PLACINGS = 24, 200


class Box(NamedTuple):
    """Where a node is: its middle and its size; y grows downwards."""

    x: float
    y: float
    width: float
    height: float


class Layout(NamedTuple):
    """The box of each node, and for each edge the points that its arrow passes through."""

    boxes: list[Box]
    routes: list[list[tuple[float, float]]]


def layered(edges: Edges, sizes: Sequence[tuple[float, float]], gaps: Sequence[float]) -> Layout:
    """Lay a graph out so that all arrows point down, and neither boxes nor arrows run over boxes.

    Args:
        edges: pairs (i, j) of nodes with i < j; a pair may come twice.
        sizes: (width, height) of each node.
        gaps: how much room each node needs above it.
    """
    chains, layers = _layers_with_bends(edges, len(sizes))
    segments = sorted({pair for chain in chains for pair in pairwise(chain)})
    layers = ordered(layers, segments)
    widths = [width for width, _ in sizes]
    widths += [_BEND] * (sum(map(len, layers)) - len(sizes))
    x = _straightened(chains, layers, _across(layers, segments, widths), widths)
    left = min(x[item] - widths[item] / 2 for item in x)
    x = {item: place - left for item, place in x.items()}
    rows = _rows(layers, sizes, gaps)
    row_of = {item: row for layer, row in zip(layers, rows, strict=True) for item in layer}
    boxes = [Box(x[i], sum(row_of[i]) / 2, *size) for i, size in enumerate(sizes)]
    return Layout(boxes, _routes(chains, boxes, x, row_of))


def _layers_with_bends(edges: Edges, count: int) -> tuple[list[list[int]], list[list[int]]]:
    """Return the items on the way of each edge, and the items of each layer.

    Items are the `count` nodes, and after them a bend for each layer that an edge passes through.
    """
    layer = _longest_paths(edges, count)
    layers: list[list[int]] = [[] for _ in range(max(layer) + 1)]
    for i, depth in enumerate(layer):
        layers[depth].append(i)
    chains = []
    for i, j in edges:
        passed = range(layer[i] + 1, layer[j])
        bends = list(range(count, count + len(passed)))
        count += len(bends)
        for depth, bend in zip(passed, bends, strict=True):
            layers[depth].append(bend)
        chains.append([i, *bends, j])
    return chains, layers


def _longest_paths(edges: Edges, count: int) -> list[int]:
    """Return the layer of each node; one that nothing leads to is right above its first use."""
    layer = [0] * count
    for i, j in sorted(edges, key=lambda edge: edge[1]):  # so that layer[i] is final
        layer[j] = max(layer[j], layer[i] + 1)
    for i in set(range(count)) - {j for _, j in edges}:
        layer[i] = min((layer[j] - 1 for k, j in edges if k == i), default=0)
    return layer


def ordered(layers: list[list[int]], segments: Edges) -> list[list[int]]:
    """Sort each layer by the mean place of the neighbours above, then below; keep the best."""
    best, fewest = layers, crossings(layers, segments)
    for sweep in range(_ORDERINGS):
        step = 1 if sweep % 2 == 0 else -1
        neighbours, place = _neighbours([edge[::step] for edge in segments]), _places(layers)
        fresh = []
        for layer in layers[::step]:
            means = _neighbour_means(layer, neighbours, place)
            fresh.append([layer[k] for k in np.argsort(means, kind="stable")])
            place |= _places(fresh[-1:])
        layers = fresh[::step]
        if (count := crossings(layers, segments)) < fewest:
            best, fewest = layers, count
    return best


def _places(layers: Sequence[Sequence[int]]) -> dict[int, float]:
    return {item: float(k) for layer in layers for k, item in enumerate(layer)}


def _neighbours(edges: Iterable[Sequence[int]]) -> dict[int, list[int]]:
    """List for each item those from which an edge leads to it."""
    neighbours: dict[int, list[int]] = {}
    for i, j in edges:
        neighbours.setdefault(j, []).append(i)
    return neighbours


def _neighbour_means(
    layer: Sequence[int], neighbours: Mapping[int, Sequence[int]], place: Mapping[int, float]
) -> list[float]:
    """Mean place of the neighbours of each item; its own place, if it has none."""
    found = [[place[i] for i in neighbours.get(item, [item])] for item in layer]
    return [sum(places) / len(places) for places in found]


def crossings(layers: Sequence[Sequence[int]], segments: Edges) -> int:
    """Count the pairs of arrows between two layers that cross."""
    depth = {item: d for d, layer in enumerate(layers) for item in layer}
    place = _places(layers)
    ends = [(depth[i], place[i], place[j]) for i, j in segments]
    return sum(
        one[0] == other[0] and (one[1] - other[1]) * (one[2] - other[2]) < 0
        for one, other in combinations(ends, 2)
    )


def _across(
    layers: Sequence[Sequence[int]], segments: Edges, widths: Sequence[float]
) -> dict[int, float]:
    """Place the items of each layer, in their order, as near to their neighbours as they fit."""
    ends = Counter(("from", i) for i, _ in segments) + Counter(("to", j) for _, j in segments)
    weighed = [
        pair
        for i, j in segments
        for pair in [(i, j), (j, i)] * (_STRAIGHT if ends["from", i] == ends["to", j] == 1 else 1)
    ]
    x, neighbours = dict.fromkeys(_places(layers), 0.0), _neighbours(weighed)
    for _ in range(_PLACINGS):
        for layer in (*layers, *layers[::-1]):
            wanted = _neighbour_means(layer, neighbours, x)
            weights = [len(neighbours.get(item, [item])) for item in layer]
            places = apart(wanted, [widths[item] for item in layer], weights)
            x |= dict(zip(layer, places, strict=True))
    return x


def _straightened(
    chains: Sequence[Sequence[int]],
    layers: Sequence[Sequence[int]],
    x: Mapping[int, float],
    widths: Sequence[float],
) -> dict[int, float]:
    """Return the places with all bends of an edge at one, where their layers have room for it."""
    places = dict(x)
    layer_of = {item: layer for layer in layers for item in layer}
    for _, *bends, _ in chains:
        rooms = [_room(bend, layer_of[bend], places, widths) for bend in bends]
        low, high = (max(r[0] for r in rooms), min(r[1] for r in rooms)) if bends else (0, -1)
        if low <= high:
            middle = sorted(places[bend] for bend in bends)[len(bends) // 2]
            places |= dict.fromkeys(bends, min(max(middle, low), high))
    return places


def _room(
    item: int, layer: Sequence[int], x: Mapping[int, float], widths: Sequence[float]
) -> tuple[float, float]:
    """Return how far left and right an item may be, between its neighbours in the layer."""
    k = layer.index(item)
    distance = lambda other: (widths[item] + widths[other]) / 2 + _GAP
    low = x[layer[k - 1]] + distance(layer[k - 1]) if k else -np.inf
    high = x[layer[k + 1]] - distance(layer[k + 1]) if k + 1 < len(layer) else np.inf
    return low, high


def apart(
    wanted: Sequence[float], widths: Sequence[float], weights: Sequence[float]
) -> list[float]:
    """Return the places nearest to the wanted ones, in that order, at which no two overlap.

    Nearest by the weighed sum of squares: with the distances taken off, it is an isotonic
    regression, which merges neighbours that stand in each other's way, and gives them their mean.
    """
    distances = [(a + b) / 2 + _GAP for a, b in pairwise(widths)]
    offsets = np.cumsum([0.0, *distances])
    merged: list[tuple[float, float, int]] = []  # mean, weight, and of how many
    for value, weight in zip(np.asarray(wanted) - offsets, weights, strict=True):
        mean, count = float(value), 1
        while merged and merged[-1][0] > mean:
            other, others_weight, others = merged.pop()
            mean = (mean * weight + other * others_weight) / (weight + others_weight)
            weight, count = weight + others_weight, count + others
        merged.append((mean, weight, count))
    free = np.repeat([block[0] for block in merged], [block[2] for block in merged])
    return [float(value) for value in free + offsets]


def _rows(
    layers: Sequence[Sequence[int]], sizes: Sequence[tuple[float, float]], gaps: Sequence[float]
) -> list[tuple[float, float]]:
    """Return the top and bottom of each layer."""
    rows, bottom = [], 0.0
    for depth, layer in enumerate(layers):
        nodes = [item for item in layer if item < len(sizes)]
        top = bottom + (max(gaps[item] for item in nodes) if depth else 0.0)
        bottom = top + max(sizes[item][1] for item in nodes)
        rows.append((top, bottom))
    return rows


def _routes(
    chains: Sequence[Sequence[int]],
    boxes: Sequence[Box],
    x: Mapping[int, float],
    row_of: Mapping[int, tuple[float, float]],
) -> list[list[tuple[float, float]]]:
    """Return the points of each arrow: out of a box, straight down through bends, into a box."""
    starts = _ports(chains, boxes, lambda chain: (chain[0], x[chain[1]]))
    ends = _ports(chains, boxes, lambda chain: (chain[-1], x[chain[-2]]))
    routes = []
    for start, end, chain in zip(starts, ends, chains, strict=True):
        source, target = boxes[chain[0]], boxes[chain[-1]]
        bends = [(x[bend], y) for bend in chain[1:-1] for y in row_of[bend]]
        first = (start, source.y + source.height / 2)
        routes.append([first, *bends, (end, target.y - target.height / 2)])
    return routes


def _ports(
    chains: Sequence[Sequence[int]],
    boxes: Sequence[Box],
    end: Callable[[Sequence[int]], tuple[int, float]],
) -> list[float]:
    """Spread the arrows at a box over the middle of its side, by where each comes from or goes.

    end: gives the node at that end of an arrow, and the place of what is next to it.
    """
    ports = [0.0] * len(chains)
    for item, box in enumerate(boxes):
        mine = [e for e, chain in enumerate(chains) if end(chain)[0] == item]
        mine.sort(key=lambda e: end(chains[e])[1])
        for k, e in enumerate(mine):
            ports[e] = box.x + box.width * 0.6 * ((k + 0.5) / len(mine) - 0.5)
    return ports
