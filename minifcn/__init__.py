"""minifcn: semantic segmentation with fully convolutional networks, from scratch."""

from minifcn.system import interrupts

if interrupts.is_command():  # before the imports that take a moment, NumPy's first of all
    interrupts.quit_on_ctrl_c()

from minifcn import functional, nn, optim  # noqa: E402
from minifcn.tensor import Tensor, grad, no_grad, tensor  # noqa: E402

__version__ = "0.1.0"

__all__ = ["Tensor", "functional", "grad", "nn", "no_grad", "optim", "tensor"]
