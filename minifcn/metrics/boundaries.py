"""How good a segmentation is at the boundaries, which a score over all pixels hardly shows.

Two measures, both of a whole data set: any score of a confusion matrix within a band around the
true boundaries (a trimap), and the boundary IU, which compares the rims of a class's true and
predicted regions. Distances are those of a square window: pixel (h, w) lies within d of (h', w') if
|h - h'| <= d and |w - w'| <= d.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from minifcn.metrics.confusion import checked_labels, integers


def trimap(truth: ArrayLike, radius: int, ignore_index: int = 255) -> NDArray[Any]:
    """Keep the labels that lie within `radius` of another label; ignore all the rest.

    `ConfusionMatrix.update(trimap(truth, r), prediction)` counts the band around the boundaries
    alone. Ignored pixels count as another label, as they cover the boundaries in PASCAL VOC, but
    stay ignored; the border of the image is no boundary.

    Args:
        truth: integer labels (..., H, W).
        radius: r, at least 1: the band is r pixels wide on both sides of a boundary.
        ignore_index: the label of ignored pixels.

    Returns:
        A copy of truth, with ignore_index outside the band.

    Raises:
        TypeError: truth does not hold integers.
        ValueError: truth has fewer than two axes, or radius is below 1.

    Source: Kohli, Ladicky and Torr (2009), Robust Higher Order Potentials for Enforcing Label
    Consistency, where the score within the band is plotted against its width.
    """
    labels = integers("truth", truth)
    _check_axes("truth", labels)
    _check_at_least_one("radius", radius)
    lowest = highest = labels
    for axis in (-2, -1):
        lowest = _windows(lowest, radius, axis, mode="edge").min(-1)
        highest = _windows(highest, radius, axis, mode="edge").max(-1)
    band = labels.copy()
    band[lowest == highest] = ignore_index
    return band


class BoundaryIU:
    """Count the pixels of regions' rims, class by class; boundary IU is a function of the counts.

    The rim of a region is what of it lies within d of a pixel outside it; the image ends outside.
    With G_c and P_c the rims of the true and of the predicted region of class c,

        boundary IU_c = |G_c and P_c| / |G_c or P_c|.

    For large regions the IU is high even where the outline is coarse, as their area outweighs it;
    rims grow only with the length of the outline. One count collects the whole data set, as in
    metrics.ConfusionMatrix; a class without any rim has no score (NaN) and enters no mean.

    Args:
        num_classes: C; labels are 0 .. C - 1.
        distance: d, at least 1, in pixels; the paper takes 2 % of the image's diagonal.
        ignore_index: the truth label of pixels that count nowhere, whatever is predicted there;
            they are outside of every region.

    Raises:
        ValueError: num_classes or distance is below 1.

    Source: Cheng, Girshick, Dollar, Berg and Kirillov (2021), Boundary IoU: Improving
    Object-Centric Image Segmentation Evaluation; there for one object, here for a class.
    """

    def __init__(self, num_classes: int, distance: int, ignore_index: int = 255) -> None:
        _check_at_least_one("num_classes", num_classes)
        _check_at_least_one("distance", distance)
        self.num_classes, self.distance = num_classes, distance
        self.ignore_index = ignore_index
        self.intersections = np.zeros(num_classes, np.int64)
        self.unions = np.zeros(num_classes, np.int64)

    def update(self, truth: ArrayLike, prediction: ArrayLike) -> None:
        """Add the rims of one image (H, W), or of a batch (..., H, W).

        Raises:
            TypeError: truth or prediction does not hold integers.
            ValueError: the shapes differ, or a label that counts is outside 0 .. C - 1; the
                counts stay as they were.
        """
        truth, prediction = checked_labels(truth, prediction, self.num_classes, self.ignore_index)
        _check_axes("truth", truth)
        counted = truth != self.ignore_index
        for label in range(self.num_classes):
            true_rim = rim(truth == label, self.distance)
            predicted_rim = rim((prediction == label) & counted, self.distance)
            self.intersections[label] += np.count_nonzero(true_rim & predicted_rim)
            self.unions[label] += np.count_nonzero(true_rim | predicted_rim)

    @property
    def iu(self) -> NDArray[np.float64]:
        """Boundary IU of each class, (C,)."""
        undefined = np.full(self.num_classes, np.nan)
        return np.divide(self.intersections, self.unions, out=undefined, where=self.unions > 0)

    @property
    def mean_iu(self) -> float:
        """The mean over the classes that have a rim in the truth or in the predictions."""
        defined = self.iu[self.unions > 0]
        return float(defined.mean()) if defined.size else float("nan")


def rim(mask: ArrayLike, distance: int) -> NDArray[np.bool_]:
    """Return the pixels of a region that lie within `distance` of a pixel outside it.

    mask: booleans (..., H, W), True inside. What is beyond the border of the image is outside.
    """
    region = np.asarray(mask, bool)
    interior: NDArray[Any] = region
    for axis in (-2, -1):
        interior = np.asarray(_windows(interior, distance, axis, mode="constant").all(-1))
    return region & ~interior


def _windows(array: NDArray[Any], radius: int, axis: int, mode: Any) -> NDArray[Any]:
    """Return each pixel's 2 r + 1 neighbours along an axis as a last axis of their own."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (radius, radius)
    return sliding_window_view(np.pad(array, widths, mode=mode), 2 * radius + 1, axis)


def _check_axes(name: str, labels: NDArray[Any]) -> None:
    if labels.ndim < 2:
        raise ValueError(f"{name} must have at least two axes (H, W); got shape {labels.shape}")


def _check_at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1; got {value}")
