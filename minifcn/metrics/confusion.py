"""One confusion matrix over a whole data set, and the scores of Long et al. read from it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minifcn.backend import is_array, to_device

Summary = dict[str, Any]

_TOTALS = {
    "mean_iu": "mean IU",
    "baseline_mean_iu": "baseline mean IU",
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy",
    "fw_iu": "frequency-weighted IU",
}

PIXELS_AT_ONCE = 2**20
"""So many labels are counted at a time: as pairs, they take 24 times their memory."""


class ConfusionMatrix:
    """Count pixels by true and predicted class; every score is a function of the counts.

    With n_ij = ``counts[i, j]`` the pixels of class i predicted as class j, and
    t_i = sum_j n_ij the pixels of class i:

    - pixel accuracy = sum_i n_ii / sum_i t_i
    - mean accuracy = mean_i (n_ii / t_i)
    - IU_i = n_ii / (t_i + sum_j n_ji - n_ii), the intersection over the union
    - mean IU = mean_i IU_i
    - frequency-weighted IU = sum_i t_i IU_i / sum_i t_i

    One matrix collects the whole data set. The mean of per-image scores is another, wrong
    number: it lets a class with three pixels in one image count as much as a full one.

    A class absent from the truth and from the predictions has no score (NaN) and enters no
    mean. A class absent from the truth but predicted has IU 0, which counts in the mean IU; its
    accuracy is undefined and enters no mean. With no pixel counted every score is NaN.

    Args:
        num_classes: C, the number of classes; labels are 0 .. C - 1.
        ignore_index: the truth label of pixels that are removed before counting.

    Raises:
        ValueError: if num_classes is below 1.

    Source: Long, Shelhamer and Darrell 2015, section 5; `score.py` of the authors' release.
    """

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        if num_classes < 1:
            raise ValueError(f"num_classes must be at least 1, got {num_classes}")
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.counts: NDArray[np.int64] = np.zeros((num_classes, num_classes), np.int64)

    def update(self, truth: ArrayLike, prediction: ArrayLike) -> None:
        """Add the pixels of one image or batch: counts[truth, prediction] += 1.

        Args:
            truth: integer labels of any shape, for example (H, W) or (N, H, W).
            prediction: integer labels of the same shape; free where the truth is ignored.

        Raises:
            TypeError: if a label array is not of an integer dtype.
            ValueError: if the shapes differ or a counted label is outside 0 .. C - 1; the
                counts stay as they were.
        """
        truth, prediction = checked_labels(truth, prediction, self.num_classes, self.ignore_index)
        flat = truth.reshape(-1), prediction.reshape(-1)
        for first in range(0, truth.size, PIXELS_AT_ONCE):
            self._count(*(labels[first : first + PIXELS_AT_ONCE] for labels in flat))

    def _count(self, truth: NDArray[Any], prediction: NDArray[Any]) -> None:
        counted = truth != self.ignore_index
        # As int64, because C * label + label overflows uint8 from C = 16 on.
        rows, columns = (labels[counted].astype(np.int64) for labels in (truth, prediction))
        pairs = np.bincount(self.num_classes * rows + columns, minlength=self.counts.size)
        self.counts += pairs.reshape(self.counts.shape)

    @property
    def pixel_accuracy(self) -> float:
        """The share of counted pixels that are right: sum_i n_ii / sum_i t_i."""
        return float(_ratio(np.trace(self.counts), self.counts.sum()))

    @property
    def mean_accuracy(self) -> float:
        """The mean of n_ii / t_i over the classes that occur in the truth."""
        return _mean(_ratio(np.diag(self.counts), self.counts.sum(axis=1)))

    @property
    def iu(self) -> NDArray[np.float64]:
        """Intersection over union of each class, shape (C,): n_ii / (t_i + sum_j n_ji - n_ii)."""
        intersection = np.diag(self.counts)
        union = self.counts.sum(axis=1) + self.counts.sum(axis=0) - intersection
        return _ratio(intersection, union)

    @property
    def mean_iu(self) -> float:
        """The mean IU over the classes that occur in the truth or in the predictions."""
        return _mean(self.iu)

    @property
    def fw_iu(self) -> float:
        """The frequency-weighted IU: sum_i t_i IU_i / sum_i t_i."""
        truth_pixels = self.counts.sum(axis=1)
        return float(_ratio(np.nansum(truth_pixels * self.iu), truth_pixels.sum()))

    @property
    def baseline_mean_iu(self) -> float:
        """The mean IU of predicting the most frequent class of the truth everywhere.

        Where the background is the majority this is the all-background baseline. That class
        scores IU = max_i t_i / sum_i t_i and the others in the truth 0, so

            baseline = (max_i t_i / sum_i t_i) / (number of classes with t_i > 0).

        A network that does not beat this number could as well not look at the image.
        """
        truth_pixels = self.counts.sum(axis=1)
        present = np.count_nonzero(truth_pixels)
        return float(_ratio(truth_pixels.max(), truth_pixels.sum() * present))

    def summary(self, classes: Sequence[str]) -> Summary:
        """Return every score in one dict that `json.dumps` takes: floats, None for NaN.

        Args:
            classes: the C class names, in label order.

        Returns:
            The keys pixel_accuracy, mean_accuracy, mean_iu, fw_iu, iu (a dict by class name)
            and baseline_mean_iu.

        Raises:
            ValueError: if classes are not C different names.
        """
        if len(classes) != self.num_classes or len(set(classes)) != len(classes):
            raise ValueError(
                f"classes must be {self.num_classes} different names, got {list(classes)}"
            )
        return {
            "pixel_accuracy": _json(self.pixel_accuracy),
            "mean_accuracy": _json(self.mean_accuracy),
            "mean_iu": _json(self.mean_iu),
            "fw_iu": _json(self.fw_iu),
            "iu": dict(zip(classes, map(_json, self.iu), strict=True)),
            "baseline_mean_iu": _json(self.baseline_mean_iu),
        }

    def table(self, classes: Sequence[str]) -> str:
        """Return `format_table(self.summary(classes))`."""
        return format_table(self.summary(classes))


def format_table(summary: Summary) -> str:
    """Return the scores of `ConfusionMatrix.summary` as lines of text, in percent.

    One line per class, then the means with the baseline beneath the mean IU; a score that is
    undefined reads "absent" for a class and "-" for a mean. Last the number of images, and the
    size of the masks that were scored, if known.
    """
    classes = [(name, _percent(iu, "absent")) for name, iu in summary["iu"].items()]
    totals = [(title, _percent(summary[key], "-")) for key, title in _TOTALS.items()]
    width = max(len(name) for name, _ in classes + totals)
    rule = "-" * (width + 8)
    lines = [f"{name:<{width}}  {score:>6}" for name, score in classes + totals]
    header = f"{'class':<{width}}  {'IU %':>6}"
    if "images" in summary:
        lines.append(f"{'images':<{width}}  {summary['images']:>6}")
    if sizes := list(summary.get("scored_at", ())):
        at = sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes"
        lines.append(f"{'scored at':<{width}}  {at:>6}")
    return "\n".join([header, rule, *lines[: len(classes)], rule, *lines[len(classes) :]])


def checked_labels(
    truth: ArrayLike, prediction: ArrayLike, num_classes: int, ignore_index: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return two arrays of labels, to be compared pixel by pixel, as NumPy arrays.

    Raises:
        TypeError: truth or prediction does not hold integers.
        ValueError: the shapes differ, or a label is outside 0 .. C - 1 where the truth is not
            ignore_index.
    """
    truth, prediction = integers("truth", truth), integers("prediction", prediction)
    if truth.shape != prediction.shape:
        raise ValueError(
            f"prediction must have the shape of truth {truth.shape}, got {prediction.shape}"
        )
    counted = truth != ignore_index
    for name, labels in (("truth", truth[counted]), ("prediction", prediction[counted])):
        outside = labels[(labels < 0) | (labels >= num_classes)]
        if outside.size:
            ignored = f" or ignore_index {ignore_index}" if name == "truth" else ""
            raise ValueError(
                f"{name} labels must be 0 .. {num_classes - 1}{ignored}, got {outside[0]}"
            )
    return truth, prediction


def integers(name: str, labels: ArrayLike) -> NDArray[Any]:
    """Return labels as a NumPy array; raise TypeError unless they are integers."""
    array = np.asarray(to_device(labels, "cpu") if is_array(labels) else labels)
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{name} must hold integer labels, got dtype {array.dtype}")
    return array


def _ratio(numerator: ArrayLike, denominator: ArrayLike) -> NDArray[np.float64]:
    """Divide element by element; NaN, without a warning, where the denominator is 0."""
    numerator, denominator = np.asarray(numerator), np.asarray(denominator)
    undefined = np.full(denominator.shape, np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator > 0)


def _mean(values: NDArray[np.float64]) -> float:
    """Average the values that are defined; NaN if none is (np.nanmean would also warn)."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _json(value: float) -> float | None:
    """JSON has no NaN: an undefined score is null."""
    return None if np.isnan(value) else float(value)


def _percent(score: float | None, undefined: str) -> str:
    return undefined if score is None else f"{100 * score:.1f}"
