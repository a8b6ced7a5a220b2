"""Differentiable operations, imported as F, with PyTorch's names, and its meanings but for a few.

Some of PyTorch's arguments are missing. dropout takes a `generator`; max_unpool2d adds up values
with equal indices; the loss of labels that are all `ignore_index` is 0, not NaN.
"""

from minifcn.functional.activation import (
    dropout,
    dropout2d,
    log_softmax,
    relu,
    relu6,
    sigmoid,
    softmax,
)
from minifcn.functional.conv import conv2d, conv_transpose2d, linear
from minifcn.functional.loss import cross_entropy, nll_loss
from minifcn.functional.norm import batch_norm
from minifcn.functional.pool import adaptive_avg_pool2d, avg_pool2d, max_pool2d, max_unpool2d
from minifcn.functional.resize import interpolate
from minifcn.functional.shape import cat, pad

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_norm",
    "cat",
    "conv2d",
    "conv_transpose2d",
    "cross_entropy",
    "dropout",
    "dropout2d",
    "interpolate",
    "linear",
    "log_softmax",
    "max_pool2d",
    "max_unpool2d",
    "nll_loss",
    "pad",
    "relu",
    "relu6",
    "sigmoid",
    "softmax",
]
