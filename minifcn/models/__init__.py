"""Networks for segmentation."""

from minifcn.models.fcn import FCN
from minifcn.models.vgg_fcn import VGGFCN

__all__ = ["FCN", "VGGFCN"]
