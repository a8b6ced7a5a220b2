"""Networks for segmentation."""

from minifcn.models.fcn import FCN

__all__ = ["FCN"]
