"""Exercise skips: where a pixel lies after many layers, and the fusion of FCN-8s.

crop_offset(layers) -> position
fuse(top, pool4, pool3, upsample) -> scores

layers     a list of (kind, kernel, stride, padding) along one axis, first layer first; kind is
           'conv' or 'transposed', and a pool is a 'conv'
position   where the middle of pixel 0 of the first layer's input lies in the last layer's output,
           in pixels of that output: a number, which may lie between two pixels or below 0.
           Pixels are counted by their middles: pixel 0 lies at 0, pixel 1 at 1.

A pixel lies where a window is centred on it. The paper's FCN-32s, with a first padding of 100, has
19 (19.0 is as good): its scores begin 19 pixels before the image, so 19 are cropped.

top        (N, C, H, W), scores of the deepest layer, a cell of which is 32 pixels wide
pool4      (N, C, 2 H, 2 W), scores; a cell is 16 pixels wide
pool3      (N, C, 4 H, 4 W), scores; a cell is 8 pixels wide
upsample   upsample(x, factor) is given: x is made larger, bilinear, float64
scores     (N, C, 32 H, 32 W), float64, as FCN-8s makes them. All arguments come back unchanged.

An example, two layers: a pool of 2 with stride 2, then a transposed layer of kernel 4, stride 2,
padding 0. The first window of the pool is centred between pixels 0 and 1, at 0.5. So pixel 0 lies
0.5 pixels, a quarter of a cell, before cell 0: at -0.25. Cell 0 is put down on pixels 0 to 3 of the
output, centred at 1.5; pixel 0 of the input lies at 2 * (-0.25) + 1.5 = 1.0.
"""

import numpy as np


def crop_offset(layers):
    """Return where pixel 0 of the input lies in the output."""
    raise NotImplementedError


def fuse(top, pool4, pool3, upsample):
    """Return the scores at the image's size."""
    raise NotImplementedError
