"""A case of every operation with all of its options, for tests of gradients and of devices."""

import numpy as np

from minifcn import functional as F
from minifcn.backend import to_device
from minifcn.tensor import Tensor, broadcast_to, put, sum_to, tensor

LABELS = np.array([[[0, 2, -100], [1, 2, 0]], [[-100, 1, 1], [2, 0, 2]]])
CLASS_WEIGHTS = np.array([0.5, 2.0, 1.25])
INDICES = np.array([[[[0, 5], [5, 11]], [[3, 3], [3, 8]]]])  # several values to one place
RUNNING = {"mean": np.array([0.1, -0.3]), "var": np.array([0.7, 1.9])}


def dropping(op, **options):
    """Dropout with the same mask each time it is called."""
    return lambda x: op(x, generator=np.random.default_rng(3), **options)


def near(array, x):
    """A copy of the array where x is."""
    return to_device(array.copy(), x.device)


def normalised(training, with_running=True, scale=1, **options):
    """Batch normalisation with running statistics of its own each time it is called."""

    def function(x, weight, bias):
        running = [Tensor(near(r, x)) if with_running else None for r in RUNNING.values()]
        return F.batch_norm(x, *running, scale * weight, bias, training, **options)

    return function


def loss(op, weight=None, **options):
    """A loss of scores, with the labels and the class weights where they are."""
    weights = lambda x: None if weight is None else near(weight, x)
    return lambda x: op(x, near(LABELS, x), weights(x), **options)


CONV = [
    ("plain", {}, (2, 2, 4, 5), (3, 2, 3, 2)),
    ("stride that leaves a remainder", {"stride": 2}, (1, 2, 6, 5), (2, 2, 3, 2)),
    ("stride and padding by axis",
     {"stride": (1, 2), "padding": (2, 1)}, (1, 2, 3, 5), (2, 2, 3, 3)),
    ("dilation", {"dilation": (2, 1), "padding": 1}, (1, 2, 4, 4), (2, 2, 2, 3)),
    ("groups", {"groups": 2, "padding": 1, "stride": 2}, (1, 4, 4, 4), (2, 2, 3, 3)),
    ("depthwise", {"groups": 3}, (1, 3, 4, 3), (3, 1, 2, 2)),
    ("depthwise with a stride",
     {"groups": 2, "stride": 2, "padding": (1, 2)}, (1, 2, 4, 5), (2, 1, 3, 5)),
    ("same padding, even kernel", {"padding": "same", "dilation": 1}, (1, 2, 4, 4), (2, 2, 2, 4)),
    ("valid padding", {"padding": "valid"}, (1, 1, 3, 3), (2, 1, 2, 2)),
    ("1x1", {}, (2, 3, 2, 3), (2, 3, 1, 1)),
    ("1x1 with stride", {"stride": 2}, (1, 3, 4, 3), (2, 3, 1, 1)),
    ("1x1 with padding and groups", {"padding": 1, "groups": 2}, (1, 4, 2, 2), (2, 2, 1, 1)),
]  # fmt: skip

CONV_TRANSPOSE = [
    ("plain", {}, (2, 2, 3, 2), (2, 3, 2, 3), 3),
    ("stride, padding", {"stride": 2, "padding": 1}, (1, 2, 3, 3), (2, 2, 4, 3), 2),
    ("output_padding", {"stride": (2, 3), "output_padding": (1, 2)}, (1, 2, 2, 2), (2, 1, 3, 2), 1),
    ("dilation, its output_padding",
     {"stride": 1, "dilation": 3, "output_padding": 2}, (1, 1, 2, 3), (1, 2, 2, 2), 2),
    ("groups", {"groups": 2, "stride": 2, "output_padding": 1}, (1, 4, 2, 2), (4, 1, 3, 3), 2),
    ("all", {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2, "dilation": 2},
     (1, 2, 2, 3), (2, 2, 3, 2), 4),
    ("1x1", {}, (1, 2, 2, 2), (2, 3, 1, 1), 3),
]  # fmt: skip


def in_place(x, y):
    """Each of the operators that Python calls for `x += y` and the like."""
    z = x * x + 1
    z += y
    z *= x
    z *= z
    z -= x**2
    z /= 2 + x * x
    z **= 2
    return z


CASES = [
    *[("conv2d", label, lambda x, w, b, options=options: F.conv2d(x, w, b, **options),
       x, w, (w[0],)) for label, options, x, w in CONV],
    ("conv2d", "no bias", lambda x, w: F.conv2d(x, w), (1, 1, 3, 3), (1, 1, 2, 2)),
    *[("conv_transpose2d", label,
       lambda x, w, b, options=options: F.conv_transpose2d(x, w, b, **options),
       x, w, (outputs,)) for label, options, x, w, outputs in CONV_TRANSPOSE],
    ("conv_transpose2d", "no bias",
     lambda x, w: F.conv_transpose2d(x, w), (1, 1, 3, 3), (1, 1, 2, 2)),
    ("linear", "matrix", F.linear, (3, 4), (2, 4), (2,)),
    ("linear", "more axes", F.linear, (2, 3, 4), (2, 4), (2,)),
    ("linear", "no bias", lambda x, w: F.linear(x, w), (3, 4), (2, 4)),
    ("max_pool2d", "plain", lambda x: F.max_pool2d(x, 2), (2, 2, 4, 4)),
    ("max_pool2d", "overlapping", lambda x: F.max_pool2d(x, 3, 1), (1, 2, 5, 5)),
    ("max_pool2d", "overlapping, padding, ceil_mode",
     lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), (1, 2, 6, 5)),
    ("max_pool2d", "dilation, by axis",
     lambda x: F.max_pool2d(x, (2, 3), 1, (0, 1), 2), (1, 1, 5, 6)),
    ("max_pool2d", "with indices",
     lambda x: F.max_pool2d(x, 2, return_indices=True)[0], (1, 2, 4, 4)),
    ("max_unpool2d", "duplicates",
     lambda x: F.max_unpool2d(x, Tensor(near(INDICES, x)), 2, output_size=(3, 4)), (1, 2, 2, 2)),
    ("max_unpool2d", "of its own pooling",
     lambda x: F.max_unpool2d(*F.max_pool2d(x, 3, 2, return_indices=True), 3, 2), (1, 2, 5, 5)),
    ("avg_pool2d", "plain", lambda x: F.avg_pool2d(x, 2), (2, 2, 4, 5)),
    ("avg_pool2d", "overlapping, padding, ceil_mode",
     lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), (1, 2, 6, 5)),
    ("avg_pool2d", "without the padding",
     lambda x: F.avg_pool2d(x, (3, 2), (1, 2), (1, 0), count_include_pad=False), (1, 2, 4, 4)),
    ("avg_pool2d", "divisor", lambda x: F.avg_pool2d(x, 2, 1, divisor_override=3), (1, 1, 3, 3)),
    ("adaptive_avg_pool2d", "global", lambda x: F.adaptive_avg_pool2d(x, 1), (2, 3, 4, 3)),
    ("adaptive_avg_pool2d", "uneven", lambda x: F.adaptive_avg_pool2d(x, (3, None)), (1, 2, 5, 4)),
    ("interpolate", "nearest", lambda x: F.interpolate(x, (5, 3)), (1, 2, 3, 4)),
    ("interpolate", "nearest, scale", lambda x: F.interpolate(x, scale_factor=2), (2, 1, 2, 3)),
    ("interpolate", "bilinear", lambda x: F.interpolate(x, (6, 3), mode="bilinear"), (1, 2, 3, 4)),
    ("interpolate", "bilinear, scale",
     lambda x: F.interpolate(x, scale_factor=(1.5, 2.5), mode="bilinear"), (1, 2, 3, 4)),
    ("interpolate", "bilinear, align_corners",
     lambda x: F.interpolate(x, (5, 1), mode="bilinear", align_corners=True), (1, 2, 3, 4)),
    ("pad", "constant", lambda x: F.pad(x, (1, 2, 0, 3), value=1.5), (1, 2, 3, 2)),
    ("pad", "crop", lambda x: F.pad(x, (-1, 1, -1, -1)), (1, 2, 4, 3)),
    ("pad", "replicate", lambda x: F.pad(x, (2, 1, 0, 3), "replicate"), (1, 2, 2, 3)),
    ("pad", "reflect", lambda x: F.pad(x, (2, 1, 1, 2), "reflect"), (1, 2, 3, 4)),
    ("cat", "channels", lambda *xs: F.cat(xs, 1), (2, 1, 2, 2), (2, 3, 2, 2), (2, 2, 2, 2)),
    ("cat", "last axis, one tensor twice", lambda x, y: F.cat([x, y, x], -1), (2, 3), (2, 1)),
    ("relu", "", F.relu, (3, 4)),
    ("relu6", "both bends", lambda x: F.relu6(8 * x), (4, 5)),
    ("sigmoid", "", F.sigmoid, (3, 4)),
    ("sigmoid", "large values", lambda x: F.sigmoid(x * 10), (3, 4)),
    ("softmax", "channels", lambda x: F.softmax(x, 1), (2, 3, 2, 2)),
    ("softmax", "last axis", lambda x: F.softmax(x, -1), (3, 4)),
    ("log_softmax", "channels", lambda x: F.log_softmax(x, 1), (2, 3, 2, 2)),
    ("log_softmax", "first axis", lambda x: F.log_softmax(x, 0), (3, 4)),
    ("dropout", "", dropping(F.dropout, p=0.4), (4, 5)),
    ("dropout", "evaluation", lambda x: F.dropout(x, training=False), (2, 2)),
    ("dropout2d", "", dropping(F.dropout2d), (2, 4, 2, 2)),
    ("batch_norm", "training", normalised(training=True), (2, 2, 2, 3), (2,), (2,)),
    ("batch_norm", "evaluation", normalised(training=False), (2, 2, 2, 3), (2,), (2,)),
    *[("batch_norm", f"{activation}, training={training}",
       normalised(training, scale=20, activation=activation), (2, 2, 2, 3), (2,), (2,))
      for activation in ("relu", "relu6") for training in (True, False)],
    ("batch_norm", "evaluation without running statistics", normalised(False, with_running=False),
     (2, 2, 2, 3), (2,), (2,)),
    ("batch_norm", "no weight and bias", lambda x: F.batch_norm(x, None, None, training=True),
     (3, 2, 2, 2)),
    *[(op.__name__, reduction, loss(op, reduction=reduction), (2, 3, 2, 3))
      for op in (F.cross_entropy, F.nll_loss) for reduction in ("mean", "sum", "none")],
    *[(op.__name__, f"{reduction}, class weights",
       loss(op, reduction=reduction, weight=CLASS_WEIGHTS), (2, 3, 2, 3))
      for op in (F.cross_entropy, F.nll_loss) for reduction in ("mean", "sum", "none")],
    *[("cross_entropy", f"{reduction}, class weights, label smoothing",
       loss(F.cross_entropy, reduction=reduction, weight=CLASS_WEIGHTS, label_smoothing=0.2),
       (2, 3, 2, 3)) for reduction in ("mean", "sum", "none")],
    ("cross_entropy", "another ignore_index",
     lambda x: F.cross_entropy(x, near(LABELS % 3, x), ignore_index=2), (2, 3, 2, 3)),
    ("cross_entropy", "whole images",
     lambda x: F.cross_entropy(x, near(np.array([2, 0]), x)), (2, 3)),
]  # fmt: skip

METHODS = [
    ("__add__", lambda x, y: x + y, (2, 3), (2, 3)),
    ("__add__", lambda x, y: x + y, (2, 1, 3), (4, 1)),
    ("__radd__", lambda x: 2 + x, (3,)),
    ("__sub__", lambda x, y: x - y, (3, 2), (2,)),
    ("__rsub__", lambda x: 1.5 - x, (3,)),
    ("__mul__", lambda x, y: x * y, (2, 3), (2, 3)),
    ("__mul__", lambda x, y: x * y * x, (2, 3), (1,)),
    ("__rmul__", lambda x: -2 * x, (3,)),
    ("__truediv__", lambda x, y: x / (y * y + 1), (2, 3), (3,)),
    ("__rtruediv__", lambda x: 2 / (x.exp() + 1), (2, 3)),
    ("__pow__", lambda x: x**3, (2, 3)),
    ("__pow__", lambda x: (x * x + 0.5) ** -0.5, (2, 3)),
    ("__pow__", lambda x: x**1 + x**2, (2, 3)),
    ("__neg__", lambda x: -x, (2, 3)),
    ("__matmul__", lambda x, y: x @ y, (2, 3), (3, 4)),
    ("__matmul__", lambda x, y: x @ y, (2, 1, 2, 3), (4, 3, 2)),
    ("__rmatmul__", lambda x: near(np.arange(6.0).reshape(2, 3), x) @ x, (3, 4)),
    ("_in_place", in_place, (2, 3), (3,)),
    ("__getitem__", lambda x: x[1:, ::2], (3, 4)),
    ("__getitem__", lambda x: x[x > 0], (3, 4)),
    ("__getitem__", lambda x: x[tensor([2, 0, 2]), 1], (3, 4)),
    ("__getitem__", lambda x: x[np.array([0, 2, 0, 0])], (3, 4)),
    ("__getitem__", lambda x: x[..., 1, None], (3, 4)),
    ("exp", lambda x: x.exp(), (2, 3)),
    ("log", lambda x: (x * x + 0.5).log(), (2, 3)),
    ("sum", lambda x: x.sum(), (2, 3)),
    ("sum", lambda x: x.sum((0, 2)), (2, 3, 2)),
    ("sum", lambda x: x * x.sum(-1, keepdims=True), (2, 3)),
    ("mean", lambda x: x.mean(), (2, 3)),
    ("mean", lambda x: x.mean((0, 2), keepdims=True) * x, (2, 3, 2)),
    ("reshape", lambda x: x.reshape((3, -1)) ** 2, (2, 3, 2)),
    ("transpose", lambda x: x.transpose() ** 2, (2, 3, 4)),
    ("transpose", lambda x: x.transpose(0, 2) ** 2, (2, 3, 4)),
    ("permute", lambda x: x.permute(2, 0, 1) ** 2, (2, 3, 4)),
    ("broadcast_to", lambda x: broadcast_to(x, (2, 3, 4)), (3, 1)),
    ("sum_to", lambda x: sum_to(x, (3, 1)), (2, 3, 4)),
    ("put", lambda x: put(x, np.array([1, 1, 3]), (5,)), (3,)),
]
