"""Pages that step through an operation, number by number, in a browser or a notebook.

from minifcn.explain import explain

explain("conv_transpose2d", x, weight, stride=2)
"""

from minifcn.explain.notebook import explain
from minifcn.explain.operations import OPERATIONS
from minifcn.explain.page import make_page

__all__ = ["OPERATIONS", "explain", "make_page"]
