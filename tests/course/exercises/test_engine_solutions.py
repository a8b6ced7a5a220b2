"""Solutions of engine as students write them: right ones pass, wrong ones get the right name."""

import pytest
from solution_checks import assert_named, assert_passes, part_checked

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.bank.engine import EXERCISE
from minifcn.course.exercises.checker import check
from minifcn.course.exercises.messages import messages
from minifcn.course.exercises.mutants import Mutants

HEAD = """
import numpy as np
from collections import defaultdict, deque

class Node:
    def __init__(self, value, inputs=(), gradients=()):
        self.value = value
        self.inputs = inputs
        self.gradients = gradients
"""

# -- Orders --------------------------------------------------------------------------------------

DEPTH_FIRST = """
def topological_order(output):
    topo, visited = [], set()
    def build(v):
        if v not in visited:
            visited.add(v)
            for child in v.inputs:
                build(child)
            topo.append(v)
    build(output)
    return topo
"""
RIGHT_FIRST = DEPTH_FIRST.replace("in v.inputs", "in reversed(v.inputs)")
KAHN = """
def topological_order(output):
    users, nodes, stack = defaultdict(int), {id(output): output}, [output]
    while stack:
        node = stack.pop()
        for one in node.inputs:
            users[id(one)] += 1
            if id(one) not in nodes:
                nodes[id(one)] = one
                stack.append(one)
    ready, order = deque([output]), []
    while ready:
        node = ready.popleft()
        order.append(node)
        for one in node.inputs:
            users[id(one)] -= 1
            if not users[id(one)]:
                ready.append(one)
    order.reverse()
    return order
"""
STACK = """
def topological_order(output):
    order, done, stack = [], set(), [(output, False)]
    while stack:
        node, left = stack.pop()
        if left:
            order.append(node)
        elif id(node) not in done:
            done.add(id(node))
            stack.append((node, True))
            stack += [(one, False) for one in node.inputs]
    return tuple(order)
"""
GENERATOR = """
def topological_order(output, seen=None):
    seen = set() if seen is None else seen
    return list(walk(output, seen))
def walk(node, seen):
    if id(node) in seen: return
    seen.add(id(node))
    for one in node.inputs:
        yield from walk(one, seen)
    yield node
"""
DEPTHS = """
def topological_order(output):
    depth, todo = {output: 0}, [output]
    while todo:
        n = todo.pop()
        for i in n.inputs:
            if depth.get(i, -1) < depth[n] + 1:
                depth[i] = depth[n] + 1
                todo.append(i)
    return sorted(depth, key=lambda n: -depth[n])
"""

# -- Gradients -----------------------------------------------------------------------------------

SUM_LOOP = """
def sum_to_shape(g, shape):
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for axis, n in enumerate(shape):
        if n == 1 and g.shape[axis] != 1:
            g = g.sum(axis=axis, keepdims=True)
    return g
"""
SUM_PADDED = """
def sum_to_shape(gradient, shape):
    full = (1,) * (gradient.ndim - len(shape)) + tuple(shape)
    axes = tuple(i for i, (a, b) in enumerate(zip(gradient.shape, full)) if b == 1)
    return gradient.sum(axis=axes).reshape(shape)
"""
SUM_ADD_AT = """
def sum_to_shape(gradient, shape):
    places = np.broadcast_to(np.arange(np.prod(shape, dtype=int)).reshape(shape), gradient.shape)
    result = np.zeros(np.prod(shape, dtype=int))
    np.add.at(result, places.ravel(), gradient.ravel())
    return result.reshape(shape)
"""
ADD = """
def backward(output):
    grads = {id(output): np.ones_like(output.value)}
    for node in reversed(topological_order(output)):
        for child, fn in zip(node.inputs, node.gradients):
            g = sum_to_shape(fn(grads[id(node)]), child.value.shape)
            if id(child) in grads:
                grads[id(child)] = grads[id(child)] + g
            else:
                grads[id(child)] = g
    return grads
"""
ZEROS = """
def backward(output):
    order = topological_order(output)
    grads = {id(n): np.zeros(n.value.shape) for n in order}
    grads[id(output)] += 1
    for n in order[::-1]:
        for i, f in zip(n.inputs, n.gradients):
            grads[id(i)] += sum_to_shape(f(grads[id(n)]), i.value.shape)
    return grads
"""
DEFAULT = """
def backward(output):
    grads = defaultdict(float)
    grads[id(output)] = np.ones(output.value.shape)
    for n in topological_order(output)[::-1]:
        for i, f in zip(n.inputs, n.gradients):
            grads[id(i)] = grads[id(i)] + sum_to_shape(f(grads[id(n)]), np.shape(i.value))
    return grads
"""
PULL = """
def backward(output):
    order = topological_order(output)
    users = defaultdict(list)
    for n in order:
        for i, f in zip(n.inputs, n.gradients):
            users[id(i)].append((n, f))
    grads = {}
    for n in order[::-1]:
        if n is output:
            grads[id(n)] = np.ones_like(n.value)
        else:
            grads[id(n)] = sum(
                sum_to_shape(f(grads[id(u)]), n.value.shape) for u, f in users[id(n)]
            )
    return grads
"""
PATHS = """
def backward(output):
    grads = {}
    def push(node, part):
        grads[id(node)] = grads.get(id(node), 0.0) + part
        for i, f in zip(node.inputs, node.gradients):
            push(i, sum_to_shape(f(part), i.value.shape))
    push(output, np.ones_like(output.value))
    return grads
"""
ATTRIBUTES = """
def backward(output):
    order = topological_order(output)
    for n in order:
        n.grad = 0.0
    output.grad = np.ones_like(output.value)
    for n in reversed(order):
        for i, f in zip(n.inputs, n.gradients):
            i.grad = i.grad + sum_to_shape(f(n.grad), i.value.shape)
    return {id(n): n.grad for n in order}
"""
MICROGRAD = """
def backward(output):
    grads = defaultdict(float)
    grads[id(output)] = np.ones_like(output.value)
    def down(node):
        for i, f in zip(node.inputs, node.gradients):
            grads[id(i)] = grads[id(i)] + sum_to_shape(f(grads[id(node)]), i.value.shape)
        for i in node.inputs:
            down(i)
    down(output)
    return dict(grads)
"""

RIGHT = {
    "depth first": DEPTH_FIRST, "right input first": RIGHT_FIRST, "Kahn": KAHN,
    "a generator": GENERATOR, "longest paths": DEPTHS, "a tuple, from a stack": STACK,
    "a loop of sums": SUM_LOOP, "padded shape": SUM_PADDED, "add.at": SUM_ADD_AT,
    "adds": ADD + DEPTH_FIRST + SUM_LOOP, "zeros first": ZEROS + KAHN + SUM_PADDED,
    "defaultdict": DEFAULT + RIGHT_FIRST + SUM_ADD_AT, "asks its users": PULL + KAHN + SUM_LOOP,
    "all paths": PATHS + SUM_LOOP, "attributes": ATTRIBUTES + DEPTHS + SUM_PADDED,
}  # fmt: skip

WRONG = {
    "before its inputs": (
        DEPTH_FIRST.replace("            topo.append(v)\n", "").replace(
            "visited.add(v)", "visited.add(v); topo.append(v)"
        ),
        "ag.preorder/left + ag.reversed",
    ),
    "the same, turned round": (
        DEPTH_FIRST.replace("            topo.append(v)\n", "")
        .replace("visited.add(v)", "visited.add(v); topo.append(v)")
        .replace("return topo", "return topo[::-1]"),
        "ag.preorder/left",
    ),
    "Kahn, not turned round": (KAHN.replace("    order.reverse()\n", ""), "ag.reversed"),
    "no visited": (
        DEPTH_FIRST.replace("if v not in visited", "if True"), "ag.no_topo"
    ),
    "breadth first": (
        """
def topological_order(output):
    queue, order = deque([output]), []
    while queue:
        n = queue.popleft()
        if n in order:
            continue
        order.append(n)
        queue.extend(n.inputs)
    return order[::-1]
""",
        "ag.bfs/left",
    ),
    "inner nodes only": (
        DEPTH_FIRST.replace("topo.append(v)", "topo.append(v) if v.inputs else None"),
        "ag.leaves_missing",
    ),
    "replaces": (
        ADD.replace("grads[id(child)] = grads[id(child)] + g", "grads[id(child)] = g")
        + DEPTH_FIRST + SUM_LOOP,
        "ag.assign/left",
    ),
    "adds in place": (
        ADD.replace("grads[id(child)] = grads[id(child)] + g", "grads[id(child)] += g")
        + DEPTH_FIRST + SUM_LOOP,
        "ag.inplace/left",
    ),
    "plain recursion": (MICROGRAD + SUM_LOOP, "ag.no_topo/all/left"),
    "recursion with visited": (
        MICROGRAD.replace("            down(i)", "            if i not in seen: down(i)").replace(
            "    def down(node):", "    seen = set()\n    def down(node):\n        seen.add(node)"
        ) + SUM_LOOP,
        "ag.preorder/left",
    ),
    "a dict of inputs": (
        DEFAULT.replace("zip(n.inputs, n.gradients)", "dict(zip(n.inputs, n.gradients)).items()")
        + DEPTH_FIRST + SUM_LOOP,
        "ag.same_parent_twice/last",
    ),
    "the gradients of the last call": (
        ATTRIBUTES.replace("n.grad = 0.0", "n.grad = getattr(n, 'grad', 0.0)")
        + DEPTH_FIRST + SUM_LOOP,
        "ag.not_zeroed/set",
    ),
    "a dict that is made once": (
        DEFAULT.replace("backward(output)", "backward(output, grads=defaultdict(float))").replace(
            "    grads = defaultdict(float)\n", ""
        ) + DEPTH_FIRST + SUM_LOOP,
        "ag.not_zeroed/set",
    ),
    "no sum_to_shape": (
        ADD.replace("sum_to_shape(fn(grads[id(node)]), child.value.shape)", "fn(grads[id(node)])")
        + DEPTH_FIRST,
        "ag.broadcast/none",
    ),
    "nodes as keys": (
        ADD.replace("id(node)", "node")
        .replace("id(child)", "child")
        .replace("id(output)", "output")
        + DEPTH_FIRST
        + SUM_LOOP,
        "",
    ),
    "a mistake of its own": (
        ZEROS.replace("grads[id(output)] += 1", "grads[id(output)] += 2") + KAHN + SUM_PADDED, ""
    ),
    "only new axes": (
        SUM_LOOP.replace("if n == 1", "if n == 0"), "ag.broadcast_keepdims/leading"
    ),
    "axes go away": (
        "def sum_to_shape(g, shape):\n"
        "    g = g.sum(tuple(range(g.ndim - len(shape))))\n"
        "    return g.sum(tuple(i for i, n in enumerate(shape) if n == 1))\n",
        "ag.broadcast_keepdims/dropped",
    ),
    "axes of 1, one by one": (
        "def sum_to_shape(g, shape):\n"
        "    while g.ndim > len(shape):\n        g = g.sum(axis=0)\n"
        "    for i, size in enumerate(shape):\n"
        "        if size == 1:\n            g = g.sum(axis=i)\n"
        "    return g",
        "ag.broadcast_keepdims/one_by_one",
    ),
    "means": (SUM_PADDED.replace(".sum(", ".mean("), "ag.broadcast/mean"),
}  # fmt: skip


def part_of(source):
    function = "topological_order" if "topological_order" in source else "sum_to_shape"
    function = "backward" if "def backward" in source else function
    return part_checked("engine", function, HEAD + source)


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_a_right_solution_passes(source):
    assert_passes(part_of(source))


@pytest.mark.parametrize(("source", "name"), WRONG.values(), ids=WRONG)
def test_a_wrong_solution_is_named(source, name):
    assert_named(part_of(source), name)


def test_depth_is_said_when_it_was_the_problem():
    source = DEPTH_FIRST.replace("def topo", "import sys\nsys.setrecursionlimit(500)\ndef topo")
    part = part_of(source)
    assert "it calls itself too many levels deep" in part.problem
    assert part.case.name == "a chain of 900 nodes"


CALLS = """
def backward(output):
    found = {id(output): np.ones(output.value.shape)}
    for node in topological_order(output)[::-1]:
        for one, gradient in zip(node.inputs, node.gradients):
            part = sum_to_shape(gradient(found[id(node)]), one.value.shape)
            found[id(one)] = found.get(id(one), 0) + part
    return found
"""


def test_a_problem_that_may_come_from_another_function_says_so():
    source = HEAD + DEPTH_FIRST + SUM_PADDED + CALLS
    assert messages(check(find_exercise("engine"), source)) == []
    order, gradients = messages(
        check(find_exercise("engine"), source.replace("return topo", "return topo[::-1]"))
    )
    assert "ag.reversed" in order
    assert "raised KeyError" in gradients
    last = "Is it called here? topological_order is not right yet: mend that first."
    assert gradients.splitlines()[-1] == last
    assert "Is it called here?" not in order


def test_mistakes_that_write_into_values_change_no_case():
    mutants = Mutants(next(one for one in EXERCISE.functions if one.name == "backward"), seed=0)
    graphs = [case.arguments["output"] for case in mutants.every]
    before = [value.tobytes() for graph in graphs for value in graph.values]
    for place in range(len(graphs)):
        mutants.result(place, ("ag.value_for_gradient", "ag.inplace/left"), 0)
    assert [value.tobytes() for graph in graphs for value in graph.values] == before
