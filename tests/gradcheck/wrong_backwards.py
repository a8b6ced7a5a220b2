"""Backwards with a mistake, of many kinds, each with what may be said of it: the right cause.

OPERATIONS holds forwards with a right backward. Each of MISTAKES is a backward of one of them, with
a part of each sentence that names the mistake rightly: any other is a false one, but for 'unknown',
which is wrong only where the mistake must be named.
"""

from typing import Any, NamedTuple

import numpy as np

from minifcn import kernels

RNG = np.random.default_rng(7)


def normal(*shape):
    return RNG.standard_normal(shape)


def ones(*shape):
    return np.ones(shape)


class Operation(NamedTuple):
    forward: Any
    backward: Any
    arrays: list


class Mistake(NamedTuple):
    operation: str
    backward: Any
    causes: tuple
    must_name: bool = True


LABELS = RNG.integers(0, 4, (2, 3, 5))
PICKS = np.array([0, 2, 2, 1])


def softmax(x, axis=1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def log_softmax(x):
    return np.log(softmax(x))


def cross_entropy(x):
    return -np.log(np.take_along_axis(softmax(x), LABELS[:, None], 1)).mean()


def cross_entropy_backward(u, x):
    one_hot = np.moveaxis(np.eye(4)[LABELS], -1, 1)
    return u * (softmax(x) - one_hot) / LABELS.size


def conv(x, w):
    return kernels.conv2d(x, w, padding=1)


def conv_backward(u, x, w):
    return kernels.conv_transpose2d(u, w, padding=1), kernels.conv2d_weight(x, u, 3, padding=1)


def conv_strided(x, w):
    return kernels.conv2d(x, w, stride=2, padding=1)


def conv_strided_backward(u, x, w):
    dx = kernels.conv_transpose2d(u, w, stride=2, padding=1)
    return dx, kernels.conv2d_weight(x, u, 3, stride=2, padding=1)


def conv_bias(x, b):
    return x + b[:, None, None]


SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])[None, None]


def sobel(x):
    return kernels.conv2d(x, SOBEL, padding=1)


def pool_windows(x):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2)


def max_pool(x):
    return pool_windows(x).max((3, 5))


def max_pool_backward(u, x):
    windows = pool_windows(x)
    mask = windows == windows.max((3, 5), keepdims=True)
    return (mask * u[:, :, :, None, :, None]).reshape(x.shape)


def average(x):
    """Windows of 3x3, stride 1."""
    h, w = x.shape[2] - 2, x.shape[3] - 2
    return sum(x[..., i : i + h, j : j + w] for i in range(3) for j in range(3)) / 9


def average_backward(u, x, add=True):
    dx, (h, w) = np.zeros_like(x), u.shape[2:]
    for i in range(3):
        for j in range(3):
            window = dx[..., i : i + h, j : j + w]
            window[...] = window * add + u / 9
    return dx


def batch_norm(x):
    centred = x - x.mean((0, 2, 3), keepdims=True)
    return centred / np.sqrt((centred**2).mean((0, 2, 3), keepdims=True) + 1e-5)


def batch_norm_backward(u, x, mean=True, product=True, eps=1e-5):
    keep = {"axis": (0, 2, 3), "keepdims": True}
    std = np.sqrt(x.var(**keep) + eps)
    xhat = (x - x.mean(**keep)) / std
    return (u - mean * u.mean(**keep) - product * xhat * (u * xhat).mean(**keep)) / std


def layer(x, w, b):
    return x @ w + b


def layer_backward(u, x, w, b):
    return u @ w.T, x.T @ u, u.sum(0)


def nearest(x):
    return x.repeat(2, 2).repeat(2, 3)


def nearest_backward(u, x):
    n, c, h, w = x.shape
    return u.reshape(n, c, h, 2, w, 2).sum((3, 5))


def padded(x):
    return np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))


def masked(x):
    return np.where(x > 0, x, 0)


DROPPED = RNG.random((5, 6)) < 0.5

OPERATIONS = {
    "square": Operation(lambda x: x**2, lambda u, x: 2 * x * u, [normal(4, 5)]),
    "square of ones": Operation(lambda x: x**2, lambda u, x: 2 * x * u, [ones(4, 5)]),
    "abs": Operation(np.abs, lambda u, x: np.sign(x) * u, [-np.abs(normal(4, 5)) - 0.1]),
    "scale": Operation(
        lambda x, s: x * s, lambda u, x, s: (u * s, (u * x).sum()), [normal(4, 5), np.array(1.7)]
    ),
    "add": Operation(lambda a, b: a - b, lambda u, a, b: (u, -u), [normal(3, 4), normal(3, 4)]),
    "matmul": Operation(
        lambda x, w: x @ w, lambda u, x, w: (u @ w.T, x.T @ u), [normal(4, 3), normal(3, 3)]
    ),
    "layer": Operation(layer, layer_backward, [normal(4, 3), normal(3, 2), normal(2)]),
    "layer of a square": Operation(layer, layer_backward, [normal(3, 3), normal(3, 3), normal(3)]),
    "mean": Operation(
        lambda x: x.mean(), lambda u, x: u / x.size * np.ones_like(x), [normal(5, 7)]
    ),
    "mean of rows": Operation(
        lambda x: x.mean(1), lambda u, x: u[:, None] / 7 * np.ones_like(x), [normal(5, 7)]
    ),
    "sum": Operation(lambda x: x.sum(0), lambda u, x: u * np.ones_like(x), [normal(4, 3)]),
    "sigmoid": Operation(
        lambda x: 1 / (1 + np.exp(-x)),
        lambda u, x: u * np.exp(-x) / (1 + np.exp(-x)) ** 2,
        [normal(4, 5)],
    ),
    "exp": Operation(np.exp, lambda u, x: u * np.exp(x), [normal(4, 5)]),
    "log": Operation(np.log, lambda u, x: u / x, [np.abs(normal(4, 5)) + 0.5]),
    "power": Operation(
        lambda x: x**2.5, lambda u, x: 2.5 * x**1.5 * u, [np.abs(normal(4, 5)) + 0.5]
    ),
    "relu": Operation(masked, lambda u, x: u * (x > 0), [normal(4, 5)]),
    "relu of an image": Operation(masked, lambda u, x: u * (x > 0), [normal(1, 1, 3, 3)]),
    "relu6": Operation(
        lambda x: np.clip(x, 0, 6), lambda u, x: u * ((x > 0) & (x < 6)), [4 * normal(6, 6)]
    ),
    "softmax": Operation(
        softmax,
        lambda u, x: softmax(x) * (u - (u * softmax(x)).sum(1, keepdims=True)),
        [normal(2, 3, 4)],
    ),
    "log_softmax": Operation(
        log_softmax, lambda u, x: u - softmax(x) * u.sum(1, keepdims=True), [normal(2, 3, 4)]
    ),
    "cross_entropy": Operation(cross_entropy, cross_entropy_backward, [normal(2, 4, 3, 5)]),
    "conv": Operation(conv, conv_backward, [normal(2, 3, 5, 4), normal(2, 3, 3, 3)]),
    "conv of a square": Operation(conv, conv_backward, [normal(2, 2, 4, 4), normal(2, 2, 3, 3)]),
    "conv_strided": Operation(
        conv_strided, conv_strided_backward, [normal(2, 2, 7, 7), normal(2, 2, 3, 3)]
    ),
    "bias": Operation(
        conv_bias, lambda u, x, b: (u, u.sum((0, 2, 3))), [normal(3, 2, 4, 4), normal(2)]
    ),
    "sobel": Operation(
        sobel, lambda u, x: kernels.conv_transpose2d(u, SOBEL, padding=1), [normal(1, 1, 4, 5)]
    ),
    "max_pool": Operation(max_pool, max_pool_backward, [normal(1, 2, 4, 6)]),
    "average": Operation(average, average_backward, [normal(1, 2, 5, 5)]),
    "batch_norm": Operation(batch_norm, batch_norm_backward, [normal(3, 2, 3, 3)]),
    "nearest": Operation(nearest, nearest_backward, [normal(1, 2, 3, 3)]),
    "pad": Operation(padded, lambda u, x: u[..., 1:-1, 1:-1], [normal(1, 2, 3, 4)]),
    "flip": Operation(lambda x: x[..., ::-1], lambda u, x: u[..., ::-1], [normal(2, 3, 4, 5)]),
    "roll": Operation(
        lambda x: np.roll(x, 1, 3), lambda u, x: np.roll(u, -1, 3), [normal(1, 2, 4, 5)]
    ),
    "transpose": Operation(lambda x: x.T, lambda u, x: u.T, [normal(4, 4)]),
    "transpose of a rectangle": Operation(lambda x: x.T, lambda u, x: u.T, [normal(4, 3)]),
    "take": Operation(
        lambda x: x[PICKS], lambda u, x: np.stack([u[0], u[3], u[1] + u[2]]), [normal(3, 5)]
    ),
    "dropout": Operation(lambda x: x * DROPPED * 2, lambda u, x: u * DROPPED * 2, [normal(5, 6)]),
    "cat": Operation(
        lambda a, b: np.concatenate([a, b]),
        lambda u, a, b: (u[:3], u[3:]),
        [normal(3, 4), normal(3, 4)],
    ),
    "cat of images": Operation(
        lambda a, b: np.concatenate([a, b], 2),
        lambda u, a, b: (u[:, :, :3], u[:, :, 3:]),
        [normal(1, 2, 3, 4), normal(1, 2, 3, 4)],
    ),
    "stack": Operation(
        lambda x: np.stack([x**2, x**3]),
        lambda u, x: 2 * x * u[0] + 3 * x**2 * u[1],
        [normal(3, 4)],
    ),
    "take of some": Operation(
        lambda x: x[[0, 2, 2]], lambda u, x: np.stack([u[0], 0 * u[0], u[1] + u[2]]), [normal(3, 5)]
    ),
    "round": Operation(np.rint, lambda u, x: 0 * u, [normal(3, 5)]),
    "norm": Operation(
        lambda x: np.sqrt((x**2).sum()), lambda u, x: u * x / np.sqrt((x**2).sum()), [normal(4, 5)]
    ),
    "first": Operation(
        lambda x: np.concatenate([x**3, ones(2, 4)]), lambda u, x: 3 * x**2 * u[:3], [normal(3, 4)]
    ),
}


def drawn(u, x):
    return u * 2 * x + 1e-2 * np.random.default_rng().standard_normal(x.shape)


class Adds:
    """Adds to an array that it keeps, as a gradient buffer that nobody empties."""

    def __init__(self, backward):
        self.backward, self.kept = backward, 0

    def __call__(self, u, *arrays):
        self.kept = self.kept + self.backward(u, *arrays)
        return self.kept


class Keeps:
    """Keeps what it was called with first, at `place` of its arguments."""

    def __init__(self, backward, place):
        self.backward, self.place, self.kept = backward, place, None

    def __call__(self, *arguments):
        if self.kept is None:
            self.kept = arguments[self.place].copy()
        return self.backward(*arguments[: self.place], self.kept, *arguments[self.place + 1 :])


def put_once(u, x):
    dx = np.zeros_like(x)
    dx[PICKS] = u
    return dx


def without_border(u, x, w):
    dx, (right, dw) = np.zeros_like(x), conv_backward(u, x, w)
    dx[..., 1:-1, 1:-1] = right[..., 1:-1, 1:-1]
    return dx, dw


def all_ties_of_last(u, x):
    return (
        np.array([[0, 0], [0, 1]])[:, None, :]
        * u[:, :, :, None, :, None]
        * np.ones_like(pool_windows(x))
    ).reshape(x.shape)


def one_element(u, x):
    dx = 2 * x * u
    dx[1, 2] *= 1.5
    return dx


SIGN = ("sign is flipped",)
FACTOR = ("factor",)
IGNORES = ("ignores its upstream",)
LINEAR = ("not linear",)
STALE = ("earlier call",)
VALUES = ("leaves out their values", "factor that depends on the inputs")
TERM = ("must sum to 0",)
ONE_ITEM = ("only one item",)
MASK = ("mask is missing",)
FLIP = ("flipped", "reversed")
OFF_BY_ONE = ("off by one",)
TRANSPOSED = ("transposed", "swapped")
UNNAMED = ()

MISTAKES = {
    "ignores upstream: square": Mistake("square", lambda u, x: 2 * x, IGNORES),
    "ignores upstream: mean": Mistake("mean", lambda u, x: ones(5, 7) / 35, IGNORES),
    "ignores upstream: layer, x": Mistake(
        "layer", lambda u, x, w, b: (ones(*u.shape) @ w.T, x.T @ u, u.sum(0)), IGNORES
    ),
    "ignores upstream: layer, b": Mistake(
        "layer", lambda u, x, w, b: (u @ w.T, x.T @ u, 4 * ones(2)), IGNORES
    ),
    "ignores upstream: relu": Mistake("relu", lambda u, x: (x > 0) * 1.0, IGNORES),
    "ignores upstream: softmax": Mistake(
        "softmax", lambda u, x: softmax(x) * (1 - softmax(x)), IGNORES
    ),
    "ignores upstream: cross_entropy": Mistake(
        "cross_entropy", lambda u, x: cross_entropy_backward(1, x), IGNORES
    ),
    "ignores upstream: conv": Mistake(
        "conv",
        lambda u, x, w: (conv_backward(ones(*u.shape), x, w)[0], conv_backward(u, x, w)[1]),
        IGNORES,
    ),
    "a constant": Mistake("square", lambda u, x: ones(4, 5), IGNORES),
    "its sign only": Mistake("square", lambda u, x: 2 * x * np.sign(u), LINEAR),
    "upstream squared": Mistake("square", lambda u, x: 2 * x * u**2, ("twice", *LINEAR)),
    "upstream squared, of a number": Mistake(
        "mean", lambda u, x: u * u * ones(5, 7) / 35, ("twice", *LINEAR)
    ),
    "upstream clipped": Mistake("exp", lambda u, x: np.clip(u, -1, 1) * np.exp(x), LINEAR),
    "upstream normalised": Mistake("exp", lambda u, x: u / np.linalg.norm(u) * np.exp(x), LINEAR),
    "upstream masked by itself": Mistake("relu", lambda u, x: u * (x > 0) * (u > 0), LINEAR),
    "upstream added": Mistake("square", lambda u, x: 2 * x + u, LINEAR),
    "integer division": Mistake("square", lambda u, x: (2 * x * u) // 1, LINEAR),
    "a constant added": Mistake("exp", lambda u, x: u * np.exp(x) + 0.1, LINEAR),
    "sign: sub": Mistake("add", lambda u, a, b: (u, u), SIGN),
    "sign: cross_entropy": Mistake(
        "cross_entropy", lambda u, x: -cross_entropy_backward(u, x), SIGN
    ),
    "sign: log": Mistake("log", lambda u, x: -u / x, SIGN),
    "factor 2: square": Mistake("square", lambda u, x: x * u, FACTOR),
    "factor 2: too many": Mistake("square", lambda u, x: 4 * x * u, FACTOR),
    "factor 2.5": Mistake("power", lambda u, x: x**1.5 * u, FACTOR),
    "factor -2": Mistake("square", lambda u, x: -4 * x * u, FACTOR),
    "factor: mean": Mistake("mean", lambda u, x: u * ones(5, 7), FACTOR),
    "factor: mean of rows": Mistake("mean of rows", lambda u, x: u[:, None] * ones(5, 7), FACTOR),
    "factor: mean for sum": Mistake("bias", lambda u, x, b: (u, u.sum((2, 3)).mean(0)), FACTOR),
    "factor: by the batch": Mistake(
        "cross_entropy", lambda u, x: cross_entropy_backward(u, x) * 15, FACTOR
    ),
    "factor: dropout": Mistake("dropout", lambda u, x: u * DROPPED, FACTOR),
    "factor that is an input": Mistake("scale", lambda u, x, s: (u, (u * x).sum()), VALUES),
    "factor that is a norm": Mistake("norm", lambda u, x: u * x, VALUES),
    "no 2x, of ones": Mistake("square of ones", lambda u, x: u * ones(4, 5), VALUES),
    "no 2x": Mistake("square", lambda u, x: u * ones(4, 5), VALUES),
    "no sign(x), of negatives": Mistake("abs", lambda u, x: u, VALUES),
    "no exp(x)": Mistake("exp", lambda u, x: u, VALUES),
    "no (1 - y)": Mistake("sigmoid", lambda u, x: u / (1 + np.exp(-x)), UNNAMED, False),
    "y for x": Mistake("square", lambda u, x: 2 * x**2 * u, UNNAMED, False),
    "power rule": Mistake("power", lambda u, x: 2.5 * x**2.5 * u, UNNAMED, False),
    "1/x for log, squared": Mistake("log", lambda u, x: u / x**2, UNNAMED, False),
    "zero": Mistake("square", lambda u, x: 0 * x, ("zero everywhere",)),
    "zero for one input": Mistake("matmul", lambda u, x, w: (u @ w.T, 0 * w), ("zero everywhere",)),
    "other input's": Mistake("matmul", lambda u, x, w: (u @ w.T, (x.T @ u) * 0 + w), IGNORES),
    "NaN": Mistake("square", lambda u, x: 2 * x * u * np.nan, ("NaN",)),
    "NaN at one": Mistake(
        "square", lambda u, x: np.where(x == x[0, 0], np.nan, 2 * x * u), ("NaN",)
    ),
    "random": Mistake("square", drawn, ("draws random",)),
    "adds up": Mistake(
        "square", lambda: Adds(lambda u, x: 2 * x * u), ("grows", "earlier call left")
    ),
    "keeps x": Mistake("square", lambda: Keeps(lambda u, x: 2 * x * u, 1), STALE),
    "keeps u": Mistake("square", lambda: Keeps(lambda u, x: 2 * x * u, 0), IGNORES),
    "keeps w": Mistake("matmul", lambda: Keeps(lambda u, x, w: (u @ w.T, x.T @ u), 2), STALE),
    "float32": Mistake("square", lambda u, x: (2 * x * u).astype("f").astype(float), ("float32",)),
    "float32 inside": Mistake(
        "matmul",
        lambda u, x, w: ((u.astype("f") @ w.T.astype("f")).astype(float), x.T @ u),
        ("float32",),
    ),
    "float32 weights": Mistake(
        "layer",
        lambda u, x, w, b: (u @ w.T.astype("f").astype(float) * (1 + 2e-6), x.T @ u, u.sum(0)),
        ("nearly right", "factor"),
    ),
    "float16": Mistake(
        "matmul",
        lambda u, x, w: ((u.astype("e") @ w.T.astype("e")).astype(float), x.T @ u),
        ("float32", "rounded", "not linear"),
    ),
    "eps left out": Mistake(
        "batch_norm", lambda u, x: batch_norm_backward(u, x, eps=0), ("nearly right",)
    ),
    "transposed weight": Mistake(
        "matmul", lambda u, x, w: (u @ w.T, u.T @ x if len(u) == 3 else (x.T @ u).T), TRANSPOSED
    ),
    "w for w.T": Mistake("matmul", lambda u, x, w: (u @ w, x.T @ u), UNNAMED, False),
    "no transpose": Mistake("transpose", lambda u, x: u, TRANSPOSED),
    "reshape for transpose": Mistake(
        "transpose of a rectangle", lambda u, x: u.reshape(4, 3), TRANSPOSED
    ),
    "H and W swapped": Mistake(
        "conv of a square",
        lambda u, x, w: (conv_backward(u, x, w)[0].swapaxes(2, 3), conv_backward(u, x, w)[1]),
        TRANSPOSED,
    ),
    "channels swapped": Mistake(
        "conv of a square",
        lambda u, x, w: (conv_backward(u, x, w)[0], conv_backward(u, x, w)[1].swapaxes(0, 1)),
        TRANSPOSED,
    ),
    "u transposed": Mistake(
        "conv of a square",
        lambda u, x, w: (
            conv_backward(u.swapaxes(2, 3).copy(), x, w)[0],
            conv_backward(u, x, w)[1],
        ),
        TRANSPOSED,
    ),
    "sum over the wrong axis": Mistake(
        "layer of a square", lambda u, x, w, b: (u @ w.T, x.T @ u, u.sum(1)), TRANSPOSED
    ),
    "softmax over the wrong axis": Mistake(
        "softmax",
        lambda u, x: softmax(x) * (u - (u * softmax(x)).sum(2, keepdims=True)),
        UNNAMED,
        False,
    ),
    "first of the batch": Mistake("bias", lambda u, x, b: (u, u[0].sum((1, 2))), ONE_ITEM),
    "last of the batch": Mistake("layer", lambda u, x, w, b: (u @ w.T, x.T @ u, u[-1]), ONE_ITEM),
    "one row": Mistake("bias", lambda u, x, b: (u, u[:, :, 0].sum((0, 2))), ONE_ITEM),
    "first of the batch, of x": Mistake(
        "matmul", lambda u, x, w: (u @ w.T, x[:1].T @ u[:1]), ONE_ITEM
    ),
    "wrong where only the first items count": Mistake(
        "first", lambda u, x: 3 * x * u[:3], UNNAMED, False
    ),
    "no sum term: softmax": Mistake("softmax", lambda u, x: softmax(x) * u, TERM),
    "no sum term: log_softmax": Mistake("log_softmax", lambda u, x: u, TERM),
    "no mean term": Mistake("batch_norm", lambda u, x: batch_norm_backward(u, x, mean=False), TERM),
    "no product term": Mistake(
        "batch_norm", lambda u, x: batch_norm_backward(u, x, product=False), UNNAMED, False
    ),
    "neither term": Mistake(
        "batch_norm",
        lambda u, x: batch_norm_backward(u, x, mean=False, product=False),
        UNNAMED,
        False,
    ),
    "no one-hot": Mistake(
        "cross_entropy", lambda u, x: u * softmax(x) / LABELS.size, UNNAMED, False
    ),
    "no mask: relu": Mistake("relu", lambda u, x: u, MASK),
    "no mask: relu of an image": Mistake("relu of an image", lambda u, x: u, MASK),
    "half a mask: relu6": Mistake("relu6", lambda u, x: u * (x > 0), MASK),
    "no mask: dropout": Mistake("dropout", lambda u, x: 2 * u, MASK),
    "mask the wrong way": Mistake("relu", lambda u, x: u * (x < 0), UNNAMED, False),
    "too much masked": Mistake("relu", lambda u, x: u * (x > 0.5), ("masked or left out",)),
    "a leak": Mistake("relu", lambda u, x: u * np.where(x > 0, 1, 0.01), MASK, False),
    "kernel not flipped": Mistake(
        "conv",
        lambda u, x, w: (
            kernels.conv2d(u, w.transpose(1, 0, 2, 3), padding=1),
            conv_backward(u, x, w)[1],
        ),
        FLIP,
    ),
    "kernel not flipped: sobel": Mistake(
        "sobel", lambda u, x: kernels.conv2d(u, SOBEL, padding=1), FLIP
    ),
    "weight gradient flipped": Mistake(
        "conv",
        lambda u, x, w: (conv_backward(u, x, w)[0], conv_backward(u, x, w)[1][..., ::-1, ::-1]),
        FLIP,
    ),
    "weight gradient flipped in one axis": Mistake(
        "conv",
        lambda u, x, w: (conv_backward(u, x, w)[0], conv_backward(u, x, w)[1][..., ::-1]),
        FLIP,
    ),
    "not flipped back": Mistake("flip", lambda u, x: u, FLIP),
    "flipped in the wrong axis": Mistake("flip", lambda u, x: u[:, :, ::-1], FLIP, False),
    "rolled the same way": Mistake("roll", lambda u, x: np.roll(u, 1, 3), ("goes the same way",)),
    "not rolled back": Mistake("roll", lambda u, x: u, OFF_BY_ONE),
    "one pixel off": Mistake(
        "conv",
        lambda u, x, w: (np.roll(conv_backward(u, x, w)[0], 1, 3), conv_backward(u, x, w)[1]),
        OFF_BY_ONE,
    ),
    "one window off": Mistake(
        "max_pool", lambda u, x: max_pool_backward(np.roll(u, 1, 2), x), (*OFF_BY_ONE, *FLIP)
    ),
    "padding cropped on one side": Mistake("pad", lambda u, x: u[..., :-2, 2:], UNNAMED, False),
    "cropped one off": Mistake("pad", lambda u, x: u[..., 1:-1, 2:], OFF_BY_ONE),
    "overwritten windows": Mistake(
        "average", lambda u, x: average_backward(u, x, False), ("added up, not overwritten",)
    ),
    "an index used twice counts once": Mistake("take", put_once, ("added up, not overwritten",)),
    "no border": Mistake("conv", without_border, ("only the border",)),
    "last pixel of a window": Mistake("max_pool", all_ties_of_last, VALUES),
    "mean over the window": Mistake("max_pool", lambda u, x: nearest(u) / 4, VALUES),
    "first of four": Mistake(
        "nearest",
        lambda u, x: u[..., ::2, ::2],
        ("added up, not overwritten", "some of the contributions"),
    ),
    "mean of four": Mistake("nearest", lambda u, x: nearest_backward(u, x) / 4, FACTOR),
    "stride and padding swapped": Mistake(
        "conv_strided",
        lambda u, x, w: (
            kernels.conv_transpose2d(u, w, stride=1, padding=0, output_padding=0)[..., :1, :1]
            * np.ones_like(x),
            conv_strided_backward(u, x, w)[1],
        ),
        UNNAMED,
        False,
    ),
    "weight without its stride": Mistake(
        "conv_strided",
        lambda u, x, w: (
            conv_strided_backward(u, x, w)[0],
            kernels.conv2d_weight(x[..., :4, :4].copy(), u, 3, padding=1),
        ),
        UNNAMED,
        False,
    ),
    "one element": Mistake("square", one_element, UNNAMED, False),
    "the other's part": Mistake("cat", lambda u, a, b: (u[3:], u[3:]), ("from the wrong end",)),
    "the image's other part": Mistake(
        "cat of images",
        lambda u, a, b: (u[:, :, 3:], u[:, :, 3:]),
        ("a part is taken from the wrong end",),
    ),
    "one path left out": Mistake("stack", lambda u, x: 3 * x**2 * u[1], ("each path back",)),
    "an unused row": Mistake(
        "take of some", lambda u, x: np.stack([u[0], u[0], u[1] + u[2]]), ("an index is wrong",)
    ),
    "straight through": Mistake("round", lambda u, x: u, ("in steps",)),
    "decimals": Mistake("exp", lambda u, x: np.round(u * np.exp(x), 3), LINEAR),
    "softmax, its diagonal alone": Mistake(
        "softmax",
        lambda u, x: softmax(x) * (1 - softmax(x)) * u,
        ("what goes through a sum (softmax is more than y (1 - y))",),
    ),
    "softmax, p for dp": Mistake("softmax", lambda u, x: u * softmax(x) ** 2, UNNAMED, False),
    "softmax, upstream summed": Mistake(
        "softmax", lambda u, x: softmax(x) * (u - u.sum(1, keepdims=True)), TERM, False
    ),
    "centre, the first for the mean": Mistake(
        "batch_norm",
        lambda u, x: batch_norm_backward(u - u[:, :, :1, :1], x, mean=False),
        UNNAMED,
        False,
    ),
    "average of three": Mistake("average", lambda u, x: average_backward(u, x) * 3, FACTOR),
    "average without its last row": Mistake(
        "average",
        lambda u, x: average_backward(u * (np.arange(3) < 2)[:, None], x),
        ("some of the contributions",),
        False,
    ),
    "relu of the output's mask moved": Mistake(
        "relu of an image", lambda u, x: u * np.roll(x > 0, 1, 3), UNNAMED, False
    ),
    "log of a shifted": Mistake("log", lambda u, x: u / (x + 1e-4), ("nearly right",), False),
    "w doubled": Mistake("matmul", lambda u, x, w: (u @ (2 * w).T, x.T @ u), FACTOR),
    "x normalised": Mistake(
        "matmul", lambda u, x, w: (u @ w.T, (x / np.linalg.norm(x)).T @ u), VALUES
    ),
    "abs of the gradient": Mistake("matmul", lambda u, x, w: (np.abs(u @ w.T), x.T @ u), LINEAR),
    "sorted": Mistake("matmul", lambda u, x, w: (np.sort(u @ w.T), x.T @ u), LINEAR),
    "mean subtracted from what needs none": Mistake(
        "exp", lambda u, x: u * np.exp(x) - (u * np.exp(x)).mean(), UNNAMED, False
    ),
    "the last item only, of many": Mistake(
        "sum", lambda u, x: np.where(np.arange(4)[:, None] == 3, u, 0), ("masked or left out",)
    ),
    "spread from one": Mistake(
        "sum", lambda u, x: u[:1] * ones(4, 3), (*ONE_ITEM, "UNNAMED"), False
    ),
    "sign and factor": Mistake(
        "layer", lambda u, x, w, b: (u @ w.T, -3 * x.T @ u, u.sum(0)), FACTOR
    ),
    "sign and flip": Mistake(
        "conv",
        lambda u, x, w: (conv_backward(u, x, w)[0], -conv_backward(u, x, w)[1][..., ::-1, ::-1]),
        UNNAMED,
        False,
    ),
    "transposed and doubled": Mistake("transpose", lambda u, x: 2 * u, UNNAMED, False),
    "mask missing and doubled": Mistake("relu", lambda u, x: 2 * u, VALUES, False),
    "ignores upstream and flipped": Mistake(
        "conv",
        lambda u, x, w: (
            conv_backward(u, x, w)[0],
            conv_backward(ones(*u.shape), x, w)[1][..., ::-1, ::-1],
        ),
        IGNORES,
    ),
    "no mask and one element": Mistake("relu", lambda u, x: u + (x == x[1, 2]) * u, VALUES, False),
    "sign at some": Mistake(
        "dropout", lambda u, x: u * np.where(np.arange(6) < 3, 2, -2) * DROPPED, UNNAMED, False
    ),
    "nothing but rounding": Mistake(
        "softmax",
        lambda u, x: softmax(x) * (u.mean() - (u.mean() * softmax(x)).sum(1, keepdims=True)),
        ("zero everywhere",),
    ),
    "no gradient for the first item": Mistake(
        "softmax",
        lambda u, x: (
            softmax(x) * (u - (u * softmax(x)).sum(1, keepdims=True)) * np.arange(2)[:, None, None]
        ),
        ("masked or left out",),
    ),
    "two items exchanged": Mistake(
        "softmax",
        lambda u, x: (softmax(x) * (u - (u * softmax(x)).sum(1, keepdims=True)))[::-1],
        ("to move by one is the same",),
    ),
    "no first row and column": Mistake(
        "square",
        lambda u, x: np.pad((2 * x * u)[1:, 1:], ((1, 0), (1, 0))),
        ("masked or left out",),
    ),
    "flipped, and no first row": Mistake(
        "matmul",
        lambda u, x, w: ((u @ w.T)[:, ::-1] * (np.arange(4) > 0)[:, None], x.T @ u),
        UNNAMED,
        False,
    ),
}
