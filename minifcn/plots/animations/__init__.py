"""Animations in numbers: the window of a convolution slides, a transposed one stamps its kernel.

Both compute with the project's kernels, and show real numbers: the reader's own, or made-up ones.
"""

from minifcn.plots.animations.convolution import animate_convolution
from minifcn.plots.animations.steps import convolution_steps, stamps
from minifcn.plots.animations.transposed import animate_transposed

__all__ = ["animate_convolution", "animate_transposed", "convolution_steps", "stamps"]
