"""Exercise gradient_check: a gradient by differences, and how far two gradients are apart.

numeric_gradient(function, x, upstream, eps) -> gradient
relative_error(analytic, numeric) -> a number

function   takes an array like x, returns an array; it may return a part of x itself, as a view
x          an array of any shape, of floats or of whole numbers
upstream   has the shape of function(x)
eps        the step: use this one
gradient   has the shape of x, float64: of sum(upstream * function(x)), by central differences
analytic, numeric   float64 arrays of one shape

gradient[i] = (the sum with x[i] + eps, less the sum with x[i] - eps) / (2 * eps), where all other
numbers of x are as they were. x and the others must come back unchanged: change a copy.

The error is norm(analytic - numeric) / the larger of norm(analytic) and norm(numeric), where the
norm is the root of the sum of squares. It is 0 if both are 0.

An example, function(x) = x ** 3, upstream (10, 1), eps 0.1:

    x  1 2    gradient  10 * (1.331 - 0.729) / 0.2  (9.261 - 6.859) / 0.2  =  30.1  12.01

    analytic 30 12, numeric 30.1 12.01: error 0.1004988 / 32.4075 = 0.0031011
"""

import numpy as np


def numeric_gradient(function, x, upstream, eps):
    """Return the gradient of sum(upstream * function(x))."""
    raise NotImplementedError


def relative_error(analytic, numeric):
    """Return the error, a number."""
    raise NotImplementedError
