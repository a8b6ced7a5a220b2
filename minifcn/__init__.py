"""minifcn: semantic segmentation with fully convolutional networks, from scratch."""

from minifcn import functional, nn, optim
from minifcn.tensor import Tensor, grad, no_grad, tensor

__version__ = "0.1.0"

__all__ = ["Tensor", "functional", "grad", "nn", "no_grad", "optim", "tensor"]
