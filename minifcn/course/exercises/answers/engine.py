"""Answer to exercise engine: inputs before what uses them, then back, adding up."""

import numpy as np


class Node:
    """A value, the nodes it was made of, and for each of these a gradient function."""

    def __init__(self, value, inputs=(), gradients=()):
        self.value = value
        self.inputs = inputs
        self.gradients = gradients


def topological_order(output):
    """Go down depth first; a node is listed when all its inputs are."""
    order, met = [], set()

    def visit(node):
        if node in met:
            return
        met.add(node)
        for one in node.inputs:
            visit(one)
        order.append(node)

    visit(output)
    return order


def backward(output):
    """From the output to the leaves: a node goes on when all that use it have given their part."""
    gradients = {id(output): np.ones_like(output.value)}
    for node in reversed(topological_order(output)):
        for one, function in zip(node.inputs, node.gradients, strict=True):
            part = sum_to_shape(function(gradients[id(node)]), one.value.shape)
            gradients[id(one)] = gradients[id(one)] + part if id(one) in gradients else part
    return gradients


def sum_to_shape(gradient, shape):
    """Sum over new axes, then over axes that were 1; these stay."""
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    ones = tuple(axis for axis, size in enumerate(shape) if size == 1)
    return gradient.sum(axis=ones, keepdims=True)
