"""Networks for segmentation, and classifiers that become some."""

from minifcn.models.backbone import VGG, Backbone
from minifcn.models.classifier import Classifier, ScoreMaps
from minifcn.models.fcn import FCN
from minifcn.models.segnet import EncoderDecoder, SegNet
from minifcn.models.vgg_fcn import VGGFCN

__all__ = [
    "FCN",
    "VGG",
    "VGGFCN",
    "Backbone",
    "Classifier",
    "EncoderDecoder",
    "ScoreMaps",
    "SegNet",
]
