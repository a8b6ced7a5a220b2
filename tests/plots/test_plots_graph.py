from itertools import combinations

import numpy as np
import pytest

import minifcn
from minifcn import functional as F
from minifcn.plots.graph import LARGEST, graph_of, layout, plot_graph


def leaf(value, dtype=np.float64):
    return minifcn.tensor(np.asarray(value, dtype), requires_grad=True)


@pytest.fixture
def product():
    a, b = leaf(2.0), leaf(-3.0)
    return a * b, {"a": a, "b": b}


def expression():
    a, b, c = leaf(2.0), leaf(-3.0), leaf(10.0)
    p = a * b
    result = F.relu(p + c) * a
    return result, {"a": a, "b": b, "c": c, "p": p, "loss": result}


def test_nodes_and_edges_of_a_product(product):
    graph = graph_of(*product)
    assert graph.nodes == [
        ("leaf", "a", ("value 2",)),
        ("leaf", "b", ("value -3",)),
        ("operation", "mul", ()),
        ("result", "", ("value -6",)),
    ]
    assert graph.edges == [(0, 2), (1, 2), (2, 3)]


def test_the_gradient_of_each_box():
    nodes = graph_of(*expression(), gradients=True).nodes
    said = {node.name: node.lines for node in nodes if node.kind != "operation" and node.name}
    assert said == {
        "a": ("value 2", "grad -2"),  # relu(a b + c) + a b, as p + c = 4 is above 0
        "b": ("value -3", "grad 4"),
        "c": ("value 10", "grad 2"),
        "p": ("value -6", "grad 2"),
        "loss": ("value 8", "grad 1"),
    }


def test_asking_for_gradients_changes_nothing(product):
    result, names = product
    graph_of(result, gradients=True)
    assert names["a"].grad is None
    result.backward()  # which would raise, had the graph been freed
    assert names["a"].grad.item() == -3


def test_the_grad_that_a_leaf_has(product):
    result, names = product
    result.backward(create_graph=True)
    nodes = graph_of(result, names).nodes
    assert nodes[0].lines == ("value 2", "grad -3")
    assert nodes[-1].lines == ("value -6",)


def test_a_shared_tensor_is_one_node_with_two_arrows():
    x = leaf(3.0)
    graph = graph_of(x * x, {"x": x})
    assert [node.kind for node in graph.nodes] == ["leaf", "operation", "result"]
    assert graph.edges == [(0, 1), (0, 1), (1, 2)]
    routes = layout(graph).routes
    assert routes[0] != routes[1]


def test_constants_and_shapes():
    graph = graph_of(leaf(np.ones((2, 3))) * minifcn.tensor(np.ones((2, 3))) + 2)
    assert [(node.kind, *node.lines) for node in graph.nodes if node.kind != "operation"] == [
        ("leaf", "shape (2, 3)"),
        ("constant", "shape (2, 3)"),
        ("result", "shape (2, 3)"),
        ("constant", "shape (2, 3)"),  # 2, which the addition broadcasts
        ("result", "shape (2, 3)"),
    ]
    assert ("constant", "", ("value 2",)) in graph_of(leaf(3.0) * 2).nodes


def test_a_leaf_alone_is_a_graph():
    assert graph_of(leaf(1.0)) == ([("leaf", "", ("value 1",))], [])


def test_nothing_is_recorded_under_no_grad(product):
    _, names = product
    with minifcn.no_grad():
        result = names["a"] * names["b"]
    assert [node.kind for node in graph_of(result).nodes] == ["constant"]


def test_inputs_come_before_what_is_made_of_them():
    graph = graph_of(*expression())
    assert all(i < j for i, j in graph.edges)
    assert len(graph.nodes) == 3 + 2 * 4


def test_no_two_boxes_overlap_and_arrows_go_down():
    boxes, routes = layout(graph_of(*expression(), gradients=True))
    for a, b in combinations(boxes, 2):
        apart = 2 * abs(a.x - b.x) >= a.width + b.width, 2 * abs(a.y - b.y) >= a.height + b.height
        assert any(apart)
    for route in routes:
        heights = [y for _, y in route]
        assert heights == sorted(set(heights))


def test_arrows_reach_the_boxes_they_join():
    graph = graph_of(*expression())
    boxes, routes = layout(graph)
    for (i, j), route in zip(graph.edges, routes, strict=True):
        assert abs(route[0][0] - boxes[i].x) < boxes[i].width / 2
        assert route[0][1] == pytest.approx(boxes[i].y + boxes[i].height / 2)
        assert abs(route[-1][0] - boxes[j].x) < boxes[j].width / 2
        assert abs(route[-1][1] - boxes[j].y) <= boxes[j].height / 2 + 1e-9


def test_heads_of_arrows_are_at_what_is_made(tmp_path, drawn):
    arguments = expression()
    plot_graph(tmp_path / "graph.png", *arguments)
    graph = graph_of(*arguments)
    boxes, _ = layout(graph)
    arrows = [p for p in drawn[-1].axes[0].patches if type(p).__name__ == "FancyArrowPatch"]
    for (i, j), arrow in zip(graph.edges, arrows, strict=True):
        start, *_, stop = arrow._path_original.vertices
        assert start[1] == pytest.approx(boxes[i].y + boxes[i].height / 2)
        assert boxes[j].y - boxes[j].height / 2 <= stop[1] + 1e-9 < boxes[j].y
        assert arrow.get_arrowstyle().arrow == "-|>"  # the head is at the end


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_same_graph_gives_the_same_bytes(tmp_path, ending):
    files = [tmp_path / f"{k}.{ending}" for k in range(2)]
    for file in files:
        plot_graph(file, *expression(), gradients=True)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_picture_says_what_the_nodes_say(tmp_path, drawn):
    arguments = expression()
    plot_graph(tmp_path / "graph.png", *arguments, gradients=True)
    (axes,) = drawn[-1].axes
    graph = graph_of(*arguments, gradients=True)
    said = [line for node in graph.nodes for line in (node.name, *node.lines) if line]
    texts = [text.get_text() for text in axes.texts]
    assert texts[: len(said)] == said
    assert texts[len(said) :] == [
        "leaf that requires a gradient", "result of an operation", "operation"
    ]  # fmt: skip
    arrows = [patch for patch in axes.patches if type(patch).__name__ == "FancyArrowPatch"]
    assert len(arrows) == len(graph.edges)


def test_every_text_fits_into_its_box(tmp_path, drawn):
    x, many = leaf(-1234.5), leaf(np.ones(2))
    result = (x * 0.001234567 * many).sum()
    plot_graph(tmp_path / "graph.png", result, {"a name of many words": x}, gradients=True)
    (axes,) = drawn[-1].axes
    renderer = drawn[-1].canvas.get_renderer()
    boxes = [p for p in axes.patches if type(p).__name__ in ("FancyBboxPatch", "Ellipse")]
    checked = 0
    for text in axes.texts:
        inner = text.get_window_extent(renderer)
        for box in boxes:
            outer = box.get_window_extent(renderer)
            if outer.contains(inner.x0 + inner.width / 2, inner.y0 + inner.height / 2):
                across, up = inner.width / outer.width, inner.height / outer.height
                ellipse = type(box).__name__ == "Ellipse"
                assert (across**2 + (up / 2) ** 2 if ellipse else max(across, up)) < 0.95, text
                checked += 1
    assert checked == 21
    assert "broadcast_to" in [text.get_text() for text in axes.texts]


def test_a_graph_too_large_to_read():
    x = leaf(1.0)
    y = x
    for _ in range((LARGEST - 1) // 4):
        y = y.exp().log()
    graph_of(y)
    for _ in range(10_000):
        y = y.exp().log()
    with pytest.raises(ValueError, match=f"at most {LARGEST} nodes"):
        graph_of(y)


def test_a_freed_graph(product):
    result, names = product
    result.backward()
    with pytest.raises(ValueError, match="freed by backward"):
        graph_of(result, names)


def test_bad_input(product, tmp_path):
    result, names = product
    with pytest.raises(TypeError, match="tensor must be a Tensor; got float"):
        graph_of(2.0)
    with pytest.raises(TypeError, match="c must be a Tensor; got int"):
        graph_of(result, {"c": 3})
    with pytest.raises(ValueError, match=r"one element; got shape \(2,\)"):
        graph_of(leaf([1.0, 2.0]) * 2, gradients=True)
    with pytest.raises(ValueError, match=r"\.png or \.svg"):
        plot_graph(tmp_path / "graph.gif", result, names)
