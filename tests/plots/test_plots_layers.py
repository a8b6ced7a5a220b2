from itertools import combinations

import numpy as np
import pytest

from minifcn.plots.layers import apart, crossings, layered, ordered

CHAIN = [(0, 1), (1, 2)]


def lay_out(edges, count, size=(1.0, 0.5), gap=0.3):
    return layered(edges, [size] * count, [gap] * count)


def random_edges(seed, count=18):
    generator = np.random.default_rng(seed)
    return [(int(generator.integers(max(0, j - 7), j)), j) for j in range(1, count) for _ in "ab"]


def overlap(a, b):
    return 2 * abs(a.x - b.x) < a.width + b.width and 2 * abs(a.y - b.y) < a.height + b.height


def test_a_chain_is_one_straight_line():
    boxes, routes = lay_out(CHAIN, 3)
    assert [box.x for box in boxes] == [0.5, 0.5, 0.5]
    assert [box.y for box in boxes] == pytest.approx([0.25, 1.05, 1.85])
    np.testing.assert_allclose(routes[0], [(0.5, 0.5), (0.5, 0.8)])


def test_what_nothing_leads_to_is_right_above_its_first_use():
    boxes, _ = lay_out([(0, 1), (1, 3), (2, 3)], 4)
    assert boxes[2].y == boxes[1].y
    boxes, _ = lay_out([(0, 2), (1, 2), (0, 3), (2, 3)], 4)
    assert boxes[0].y == boxes[1].y


def test_two_edges_between_the_same_nodes_are_two_arrows():
    _, (left, right) = lay_out([(0, 1), (0, 1)], 2)
    assert left[0][0] < right[0][0]
    assert left[1][0] < right[1][0]


def test_arrows_enter_on_the_side_they_come_from():
    boxes, routes = lay_out([(1, 2), (0, 2)], 3)
    sources = sorted((boxes[i].x, route[-1][0]) for i, route in zip((1, 0), routes, strict=True))
    assert sources[0][1] < sources[1][1]
    edges = [(0, 3), (1, 3), (2, 3), (0, 3)]
    boxes, routes = lay_out(edges, 4)
    ends = sorted((boxes[i].x, route[-1][0]) for (i, _), route in zip(edges, routes, strict=True))
    assert [end for _, end in ends] == sorted(end for _, end in ends)


def test_a_neighbour_bends_no_chain():
    """0 -> 1 -> 2 -> 3 -> 4 -> 6, and 5 beside 4."""
    boxes, _ = lay_out([(0, 1), (1, 2), (2, 3), (3, 4), (4, 6), (5, 6)], 7)
    chain = [box.x for box in boxes[:5]]
    assert max(chain) - min(chain) < 0.02


def test_an_arrow_that_is_alone_is_straighter_than_others():
    edges = [(0, 3), (1, 3), (2, 3), (0, 4), (3, 4), (4, 5), (1, 6), (5, 6)]
    boxes, _ = lay_out(edges, 7)
    assert abs(boxes[4].x - boxes[5].x) < 0.1 < abs(boxes[3].x - boxes[4].x)


def test_an_edge_over_several_layers_goes_around_what_is_between():
    boxes, (_, _, route) = lay_out([(0, 1), (1, 2), (0, 2)], 3)
    inside = [x for x, y in route if abs(y - boxes[1].y) <= boxes[1].height / 2]
    assert len(inside) == 2
    assert all(abs(x - boxes[1].x) > boxes[1].width / 2 for x in inside)


def test_an_edge_over_many_layers_is_straight_where_nothing_is_in_the_way():
    """0 -> 1 -> ... -> 6 and 0 -> 6; then the graph of relu(a b + c) a."""
    edges = [(k, k + 1) for k in range(6)] + [(0, 6)]
    _, routes = lay_out(edges, 7)
    assert len({x for x, _ in routes[-1][1:-1]}) == 1
    edges = [(0, 2), (1, 2), (2, 3), (3, 5), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9), (0, 9)]
    boxes, routes = lay_out([*edges, (9, 10)], 11)
    bends = [x for x, _ in routes[9][1:-1]]
    assert len(bends) == 12
    assert len(set(bends)) == 1
    assert bends[0] < min(box.x - box.width / 2 for box in (*boxes[2:4], *boxes[5:9]))


@pytest.mark.parametrize("seed", range(8))
def test_no_two_boxes_overlap(seed):
    boxes, _ = lay_out(random_edges(seed), 18)
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    assert min(box.x - box.width / 2 for box in boxes) > -1e-9


@pytest.mark.parametrize("seed", range(8))
def test_arrows_go_down_and_through_no_box(seed):
    boxes, routes = lay_out(random_edges(seed), 18)
    for route in routes:
        heights = [y for _, y in route]
        assert all(a < b for a, b in zip(heights, heights[1:], strict=False))
        for x, y in route[1:-1]:
            assert not any(
                abs(x - box.x) < box.width / 2 and abs(y - box.y) <= box.height / 2 for box in boxes
            )


def test_the_order_with_fewer_crossings_wins():
    segments = [(0, 5), (1, 4), (2, 3)]
    assert crossings([[0, 1, 2], [3, 4, 5]], segments) == 3
    assert crossings(ordered([[0, 1, 2], [3, 4, 5]], segments), segments) == 0


def test_arrows_that_share_an_end_do_not_cross():
    assert crossings([[0, 1], [2]], [(0, 2), (1, 2)]) == 0


def test_apart_keeps_what_fits_and_merges_what_does_not():
    assert apart([0.0, 5.0], [1.0, 1.0], [1, 1]) == [0.0, 5.0]
    left, right = apart([0.0, 0.0], [1.0, 1.0], [1, 1])
    assert left == -right
    assert right - left > 1
    heavy, light = apart([0.0, 0.0], [1.0, 1.0], [9, 1])
    assert abs(heavy) == pytest.approx(abs(light) / 9)


def test_the_same_graph_gives_the_same_layout():
    assert lay_out(random_edges(3), 18) == lay_out(random_edges(3), 18)


def test_one_node():
    boxes, routes = lay_out([], 1)
    assert (boxes[0].x, boxes[0].y, routes) == (0.5, 0.25, [])
