"""Every kernel in CUDA C, launched through CuPy: the same names and arguments as reference.py.

The CUDA text is in ../cuda, one file a topic; launch.py compiles it and decides launch sizes; the
other modules say which arrays and sizes a kernel gets. Given NumPy arrays, the same text runs on
the CPU (see minifcn.cuda_on_cpu): slow, but every kernel can be run and checked without a GPU.

Like reference.py and cpu/, they check no shapes or indices, and a CUDA kernel that is given wrong
ones can crash Python. The functions of minifcn.kernels check; with `kernels.use("gpu")` these here
compute for them on the CPU too.
"""

from minifcn.kernels.gpu.convolution import (
    conv1x1,
    conv1x1_weight,
    conv2d,
    conv2d_weight,
    conv_transpose2d,
)
from minifcn.kernels.gpu.normalization import batch_norm, batch_norm_gradient
from minifcn.kernels.gpu.pointwise import (
    cross_entropy,
    cross_entropy_gradient,
    relu,
    relu6,
    relu6_gradient,
    relu_gradient,
)
from minifcn.kernels.gpu.pooling import gather, max_pool2d, unpool
from minifcn.kernels.gpu.reductions import channel_sums
from minifcn.kernels.gpu.resizing import resize, resize_adjoint
from minifcn.kernels.gpu.updates import adam_update, sgd_update
from minifcn.kernels.gpu.windows import col2im, col2im_scatter, im2col

__all__ = [
    "adam_update",
    "batch_norm",
    "batch_norm_gradient",
    "channel_sums",
    "col2im",
    "col2im_scatter",
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
