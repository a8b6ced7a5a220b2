"""Every kernel in NumPy, fast: the same names and arguments as reference.py.

What makes them fast is said where it is done: windows.py (which bytes a convolution moves),
threads.py (how the cores share the work), and in each kernel.
"""

from minifcn.kernels.cpu.convolution import (
    conv1x1,
    conv1x1_weight,
    conv2d,
    conv2d_weight,
    conv_transpose2d,
)
from minifcn.kernels.cpu.normalization import batch_norm, batch_norm_gradient
from minifcn.kernels.cpu.pointwise import (
    channel_sums,
    cross_entropy,
    cross_entropy_gradient,
    relu,
    relu6,
    relu6_gradient,
    relu_gradient,
)
from minifcn.kernels.cpu.pooling import gather, max_pool2d, unpool
from minifcn.kernels.cpu.resizing import resize, resize_adjoint
from minifcn.kernels.cpu.updates import adam_update, sgd_update
from minifcn.kernels.cpu.windows import col2im, im2col

__all__ = [
    "adam_update",
    "batch_norm",
    "batch_norm_gradient",
    "channel_sums",
    "col2im",
    "conv1x1",
    "conv1x1_weight",
    "conv2d",
    "conv2d_weight",
    "conv_transpose2d",
    "cross_entropy",
    "cross_entropy_gradient",
    "gather",
    "im2col",
    "max_pool2d",
    "relu",
    "relu6",
    "relu6_gradient",
    "relu_gradient",
    "resize",
    "resize_adjoint",
    "sgd_update",
    "unpool",
]
