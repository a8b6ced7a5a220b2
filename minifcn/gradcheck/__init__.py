"""Gradient checking: what backward says, against what the function does when it is nudged.

For L = <u, f(x)>, with a fixed random u as the upstream gradient, and each element i of x,

    numeric = (L(x + eps at i) - L(x - eps at i)) / (2 eps)      analytic = dL/dx[i], by backward

    error = ||numeric - analytic|| / max(||numeric||, ||analytic||), over all the elements of x.

- float64: with eps = 1e-5 a right gradient has an error near 1e-10; in float32 it is near 1e-2.
- u is random: sums over an all-ones u hide mistakes, among them a kernel that is not flipped.
- The norm, not the worst element: dividing by one tiny element measures rounding.
- On a kink (relu at 0, a tie in max-pooling) there is no gradient to compare with. Such an element
  is moved a little, and the whole check is done where it went.

`gradcheck` checks functions of Tensors, `check_backward` a kernel and its backward in plain NumPy.
"""

from minifcn.gradcheck.arrays import check_backward
from minifcn.gradcheck.contract import GradientError
from minifcn.gradcheck.report import Check, Report
from minifcn.gradcheck.tensors import gradcheck

__all__ = ["Check", "GradientError", "Report", "check_backward", "gradcheck"]
