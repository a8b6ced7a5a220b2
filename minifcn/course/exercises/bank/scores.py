"""Exercise scores: the confusion matrix, and what is read from it."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises.bank.scores_mistakes import (
    IU_SWITCHES,
    MATRIX_SWITCHES,
    MEAN_SWITCHES,
)
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part


def confusion_matrix(
    has: Has, truth: np.ndarray, prediction: np.ndarray, num_classes: int, void: int
) -> np.ndarray:
    """The reference: pixels that count, then pairs of labels."""
    c = num_classes
    counts = _counting(has, truth, prediction, c, void)
    rows, columns = truth[counts], prediction[counts]
    if has("iou.void/class_0"):
        rows, columns = np.where(truth == void, 0, truth).ravel(), prediction.ravel()
    if has("iou.void/clipped"):
        rows, columns = np.clip(truth, 0, c - 1).ravel(), prediction.ravel()
    if has("iou.bincount/size"):
        c = int(max(rows.max(), columns.max())) + 1
    if has("iou.bincount/size_of_truth"):
        c = int(rows.max()) + 1
    if (has("iou.void/kept_bincount") or has("iou.void/255_bincount")) and (
        rows.min() < 0 or rows.max() >= c
    ):
        raise ValueError
    matrix = np.zeros((c, c), np.int64)
    if has("col2im.fancy_iadd"):
        matrix[rows, columns] += 1
    else:
        np.add.at(matrix, (rows, columns), 1)
    if has("conv.mutates_input/truth"):
        truth += 1
    if has("conv.mutates_input/prediction"):
        prediction += 1
    return _matrix(has, matrix)


def _matrix(has: Has, matrix: np.ndarray) -> np.ndarray:
    if has("iou.rows_cols"):
        matrix = matrix.T.copy()
    if has("iou.pixel_acc/shares"):
        return matrix / matrix.sum(1, keepdims=True)
    if has("iou.pixel_acc/all"):
        return matrix / matrix.sum()
    return matrix.astype(np.float64) if has("conv.dtype/float") else matrix


def _counting(has: Has, truth: np.ndarray, prediction: np.ndarray, c: int, void: int) -> np.ndarray:
    """Which pixels count."""
    if has("iou.void/kept") or has("iou.void/kept_bincount"):
        return np.full(truth.shape, True)
    if has("iou.void/range"):
        return (truth >= 0) & (truth < c)
    if has("iou.void/range_and_below_void"):
        return (truth >= 0) & (truth < min(c, void))
    if has("iou.void/255") or has("iou.void/255_bincount"):
        return truth != 255
    if has("iou.void/negative"):
        return truth >= 0
    if has("iou.void/of_prediction"):
        return prediction != void
    if has("iou.void/both"):
        return (truth != void) & (prediction != void)
    if has("iou.void/background"):
        return (truth != void) & (truth != 0)
    if has("iou.mean_of_images/first_image"):
        counts = truth != void
        counts[1:] = False
        return counts
    return truth != void


def intersection_over_union(has: Has, matrix: np.ndarray) -> np.ndarray:
    """The reference: the diagonal by the union."""
    return _iu(has, matrix)


def _iu(has: Has, matrix: np.ndarray) -> np.ndarray:
    both, rows, columns = matrix.diagonal().astype(float), matrix.sum(1), matrix.sum(0)
    union = rows + columns - both
    if has("conv.mutates_input/matrix"):
        np.fill_diagonal(matrix, -1)
    scores = both / _union(has, both, rows, columns)
    if has("iou.float_eps/both_1e-6"):
        scores = (both + 1e-6) / (union + 1e-6)
    if has("iou.float_eps/both_1e-7"):
        scores = (both + 1e-7) / (union + 1e-7)
    if has("iou.float_eps/both_1"):
        scores = (both + 1) / (union + 1)
    if has("iou.float_eps/1e-6"):
        scores = both / (union + 1e-6)
    if has("iou.float_eps/1e-7"):
        scores = both / (union + 1e-7)
    if has("iou.no_intersection/dice"):
        scores = 2 * both / (rows + columns)
    if has("iou.absent_zero"):
        scores = np.where(union == 0, 0.0, scores)
    if has("iou.absent_one"):
        scores = np.where(union == 0, 1.0, scores)
    if has("iou.predicted_only_dropped/nan"):
        scores = np.where(rows == 0, np.nan, scores)
    if has("iou.predicted_only_dropped/true_only"):
        scores = np.where(columns == 0, np.nan, scores)
    if has("iou.predicted_only_dropped/no_hit"):
        scores = np.where(both == 0, np.nan, scores)
    return _shortened(has, scores, union, rows)


def _union(has: Has, both: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    if has("iou.no_intersection/sum"):
        return rows + columns
    if has("iou.no_intersection/twice"):
        return rows + columns - 2 * both
    if has("iou.no_intersection/trace"):
        return np.asarray(rows + columns - both.sum())
    if has("iou.no_intersection/total"):
        return np.full(len(both), rows.sum())
    if has("iou.pixel_acc/rows"):
        return rows
    if has("iou.pixel_acc/columns"):
        return columns
    return np.asarray(rows + columns - both)


def _shortened(has: Has, scores: np.ndarray, union: np.ndarray, rows: np.ndarray) -> np.ndarray:
    if has("iou.absent_dropped"):
        scores = scores[union > 0]
    if has("iou.predicted_only_dropped/shorter"):
        scores = scores[rows > 0]
    if has("iou.void/no_background"):
        scores = scores[1:]
    return scores.astype(np.float32) if has("conv.dtype/float32") else scores


def mean_iu(has: Has, matrix: np.ndarray) -> np.float64 | np.float32:
    """The reference: the mean of what is not NaN."""
    total = matrix.sum()
    if has("iou.pixel_acc/pixels"):
        return np.float64(matrix.trace() / total)
    weights = matrix.sum(1) / total
    scores = _iu(has, matrix)
    if has("iou.pixel_acc/weighted"):
        return np.float64(np.nansum(weights * scores))
    if has("iou.nan_mean"):
        return np.float64(scores.mean())
    if has("iou.nan_mean/sum"):
        return np.float64(np.nansum(scores))
    return scores.dtype.type(np.nanmean(scores))


def cases(generator: np.random.Generator) -> list[Case]:
    """With void as a number outside and inside the classes, and classes that are absent."""

    def case(name: str, shape: tuple[int, ...], classes: int, void: int, true: list[int],
             predicted: list[int]) -> Case:  # fmt: skip
        truth, prediction = generator.choice(true, shape), generator.choice(predicted, shape)
        truth.flat[: len(true)], prediction.flat[-len(predicted) :] = true, predicted
        arguments = {"truth": truth.astype(np.int64), "prediction": prediction.astype(np.int64)}
        return Case(name, {**arguments, "num_classes": classes, "void": void})

    return [
        case("no void", (2, 5, 7), 4, 255, [0, 1, 1, 2, 3], [0, 0, 1, 2, 3]),
        case("void is 255", (3, 4, 6), 4, 255, [0, 1, 2, 2, 3, 255], [0, 1, 2, 3, 3]),
        case("void is -1", (2, 6, 5), 5, -1, [0, 1, 2, 3, 4, -1, -1], [0, 1, 2, 3, 4, 4]),
        case("void is the label of a class", (2, 5, 6), 4, 2, [0, 1, 2, 3, 3], [0, 1, 2, 3]),
        case("void is 0", (2, 4, 9), 3, 0, [0, 1, 2, 2], [0, 1, 1, 2]),
        case("classes that are in neither", (2, 4, 5), 6, 255, [0, 1, 1, 3, 255], [0, 1, 3]),
        case("classes that are in one of both", (2, 3, 8), 5, 255, [0, 1, 3, 255], [0, 1, 2, 4]),
        case("one image, without an axis for images", (6, 7), 3, 255, [0, 1, 2, 255], [0, 1, 2]),
    ]


def matrices(generator: np.random.Generator) -> list[Case]:
    """Small counts; classes that are in neither, and in one of both."""

    def case(name: str, classes: int, rows: tuple[int, ...] = (), columns: tuple[int, ...] = ()
             ) -> Case:  # fmt: skip
        matrix = generator.integers(1, 9, (classes, classes))
        matrix[np.arange(classes), np.arange(classes)] += generator.integers(3, 12, classes)
        matrix[list(rows)], matrix[:, list(columns)] = 0, 0
        return Case(name, {"matrix": matrix.astype(np.int64)})

    clean = case("a class without a mistake, others found wholly or predicted rightly", 5)
    matrix = clean.arguments["matrix"]
    for row, column in ((1, 0), (1, 2), (1, 3), (1, 4), (0, 1), (2, 1), (3, 1), (4, 1),
                        (3, 0), (3, 2), (3, 4), (0, 4), (2, 4)):  # fmt: skip
        matrix[row, column] = 0
    return [
        case("all classes are there", 4),
        clean,
        case("a class that is in neither", 5, (2,), (2,)),
        case("a class that is only predicted", 4, (1,), ()),
        case("a class that is never predicted", 3, (), (2,)),
        case("the last class is in neither, others are in one of both", 6, (1, 5), (3, 5)),
    ]


EXERCISE = Exercise(
    name="scores",
    title="the confusion matrix, intersection over union and its mean",
    functions=(
        Function(
            "confusion_matrix",
            (Part("matrix", "confusion matrix", "int64"),),
            confusion_matrix,
            cases,
            MATRIX_SWITCHES,
        ),
        Function(
            "intersection_over_union",
            (Part("iu", "intersection over union"),),
            intersection_over_union,
            matrices,
            IU_SWITCHES,
        ),
        Function(
            "mean_iu",
            (Part("mean", "mean IU", "float"),),
            mean_iu,
            matrices,
            MEAN_SWITCHES,
            uses=("intersection_over_union",),
        ),
    ),
    hints=(
        "Which pixels are counted, and in which cell? Which classes have a union at all?",
        "Tutorial 01, 'The confusion matrix', 'Intersection over union' and 'Void:"
        " pixels that do not count'.",
        "matrix[i, j] = how many pixels have truth i, prediction j, and truth other than void;"
        " iu[i] = matrix[i, i] / (sum of row i + sum of column i - matrix[i, i]), NaN for 0 / 0;"
        " the mean is over what is not NaN.",
    ),
    tutorial=1,
)
