"""Exercise engine: the order of a graph, gradients of all its nodes, sums over what was repeated.

topological_order(output) -> a list of nodes
backward(output) -> a dict of id(node) to the node's gradient
sum_to_shape(gradient, shape) -> an array of this shape

A graph is made of nodes (the class is given; leave it as it is). `inputs` are the nodes that a node
was computed from; one node may be there twice. `gradients` are functions, one for each input: given
the gradient of the node, it returns what that gives to the gradient of the input. Nodes without
inputs are leaves. Values and gradients are float64 arrays of any number of axes.

topological_order   all nodes from which output was computed, output too, each once, and inputs
                    before what uses them. Any such order is right.
backward            the gradient of the sum of all numbers of output: that of output itself is ones.
                    All nodes are in the result, each with a gradient of its value's shape. A
                    gradient function may return an array of the node's shape where the input is
                    smaller, because it was broadcast: bring it to the input's shape with
                    sum_to_shape. It may also return an array that is shared, or read-only: do not
                    change it. backward may be called twice on one graph.
sum_to_shape        an array of `shape` was broadcast, as NumPy does, to the shape of `gradient`.
                    Sum over what was repeated.

You may call yourself: no graph has more than 900 nodes.

An example: x = Node(2), y = x * x, o = y + x, all with values that have no axes:

    topological_order(o)  [x, y, o]    backward(o)  o: 1    y: 1    x: 1 * 2 + 1 * 2 + 1 = 5

    sum_to_shape  gradient  1 2 3    shape (2, 1)   6    shape (3,)   5 7 9    shape ()   21
                            4 5 6                  15
"""

import numpy as np


class Node:
    """A value, the nodes it was made of, and for each of these a gradient function."""

    def __init__(self, value, inputs=(), gradients=()):
        self.value = value
        self.inputs = inputs
        self.gradients = gradients


def topological_order(output):
    """Return the nodes, inputs before what uses them."""
    raise NotImplementedError


def backward(output):
    """Return the gradients of all nodes, by id(node)."""
    raise NotImplementedError


def sum_to_shape(gradient, shape):
    """Return the sum over what was repeated."""
    raise NotImplementedError
