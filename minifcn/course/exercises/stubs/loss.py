"""Exercise loss: the cross-entropy of scores, where some pixels do not count, and its gradient.

cross_entropy(scores, labels, void) -> (mean, gradient)

scores    (N, C, H, W), of floats or of whole numbers: a score for each class at each pixel. They
          may be large: 1000, and -1000
labels    (N, H, W), int64: the true class of each pixel, 0 to C - 1, or void
void      the label of pixels that do not count. It may be any number: 255, -1, or one of 0 to C - 1
mean      a float: the mean, over all pixels of all images that are not void, of
          -log(p[label]), where p = exp(scores) / sum of exp(scores) over the classes of the pixel
gradient  of this mean with respect to the scores, (N, C, H, W), float64; 0 at void pixels

If all pixels are void, mean is 0.0 and gradient is zeros. The logarithm is the natural one. Nothing
may become infinite or NaN: a pixel with the scores 1000 and -1000 has the loss 2000 if the second
is the true class. Arguments must come back unchanged.

An example with N = 1, C = 2, H = 1, W = 3, and void 255:

    scores[0, 0, 0]   0  log 3  7      p   1/2  3/4       labels[0, 0]  0  1  255
    scores[0, 1, 0]   0      0  7          1/2  1/4

    mean = -(log 1/2 + log 1/4) / 2 = 1.0397
    gradient[0, 0, 0]  -0.25   0.375  0
    gradient[0, 1, 0]   0.25  -0.375  0
"""

import numpy as np


def cross_entropy(scores, labels, void):
    """Return the mean and the gradient, a tuple."""
    raise NotImplementedError
