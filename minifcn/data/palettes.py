"""Colours for class ids."""

import numpy as np

OKABE_ITO = (
    (0, 0, 0),  # black
    (230, 159, 0),  # orange
    (86, 180, 233),  # sky blue
    (0, 158, 115),  # bluish green
    (240, 228, 66),  # yellow
    (213, 94, 0),  # vermillion
    (0, 114, 178),  # blue
    (204, 121, 167),  # reddish purple
)
"""Eight colours that colour-blind readers tell apart (Okabe and Ito, 2008)."""

VOID_COLOUR = (224, 224, 192)
"""The colour of VOID in PASCAL VOC's masks."""


def voc_palette(num_classes: int) -> np.ndarray:
    """PASCAL VOC's colours, uint8 (num_classes, 3).

    The bits of an id are dealt to red, green and blue in turn, the lowest bits to the highest
    places: bit 3k + channel of the id is bit 7 - k of the colour. (VOC devkit, VOCcolormap.m)
    """
    ids = np.arange(num_classes)[:, None]
    channel = np.arange(3)
    bits = [(ids >> (3 * k + channel) & 1) << (7 - k) for k in range(8)]
    return np.sum(bits, axis=0).astype(np.uint8)


def default_palette(num_classes: int) -> np.ndarray:
    """Okabe and Ito's colours, then PASCAL VOC's where there are more than eight classes."""
    palette = voc_palette(num_classes)
    first = OKABE_ITO[:num_classes]
    palette[: len(first)] = first
    return palette
