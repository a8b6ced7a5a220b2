"""Layers and the Module that they are made of, with PyTorch's names."""

from minifcn.nn import init
from minifcn.nn.layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Dropout2d,
    Linear,
    MaxPool2d,
    MaxUnpool2d,
    ReLU,
    ReLU6,
    Upsample,
)
from minifcn.nn.module import Buffer, Module, Parameter, Sequential

__all__ = [
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm2d",
    "Buffer",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Dropout2d",
    "Linear",
    "MaxPool2d",
    "MaxUnpool2d",
    "Module",
    "Parameter",
    "ReLU",
    "ReLU6",
    "Sequential",
    "Upsample",
    "init",
]
