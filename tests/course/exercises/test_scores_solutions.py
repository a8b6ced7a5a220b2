"""Scores as students compute them: the right ones pass, the wrong ones are named or not."""

import pytest
from solution_checks import part_checked

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check

MATRIX = "import numpy as np\ndef confusion_matrix(truth, prediction, num_classes, void):\n"
IU = "import numpy as np\ndef intersection_over_union(matrix):\n"
MEAN = "import numpy as np\ndef mean_iu(matrix):\n"
RIGHT = {
    "loops over pixels": MATRIX
    + """
    m = np.zeros((num_classes, num_classes), dtype=int)
    for t, p in zip(truth.flatten(), prediction.flatten()):
        if t == void:
            continue
        m[t][p] += 1
    return m
""",
    "loops over pairs of classes": MATRIX
    + """
    m = np.zeros((num_classes, num_classes), np.int64)
    for i in range(num_classes):
        for j in range(num_classes):
            m[i, j] = np.sum((truth == i) & (prediction == j) & (truth != void))
    return m
""",
    "one-hot and a product": MATRIX
    + """
    classes = np.arange(num_classes)
    keep = truth != void
    t = (truth[keep][:, None] == classes).astype(np.int64)
    p = (prediction[keep][:, None] == classes).astype(np.int64)
    return np.einsum("nt,np->tp", t, p)
""",
    "a histogram, not contiguous": MATRIX
    + """
    keep = (truth != void) & (truth >= 0) & (truth < num_classes)
    edges = np.arange(num_classes + 1) - 0.5
    h, _, _ = np.histogram2d(prediction[keep], truth[keep], bins=(edges, edges))
    return h.T.astype(np.int64)
""",
    "a loop over classes": IU
    + """
    result = []
    for k in range(matrix.shape[0]):
        tp = matrix[k, k]
        fp, fn = matrix[:, k].sum() - tp, matrix[k, :].sum() - tp
        result.append(tp / (tp + fp + fn) if tp + fp + fn else float("nan"))
    return np.array(result)
""",
    "division by zero, unseen": IU
    + """
    tp = matrix.diagonal()
    with np.errstate(all="ignore"):
        return tp / (matrix.sum(0) + matrix.sum(1) - tp)
""",
    "a mean in Python": MEAN
    + """
    found = []
    for k in range(len(matrix)):
        union = matrix[k].sum() + matrix[:, k].sum() - matrix[k, k]
        if union > 0:
            found.append(float(matrix[k, k]) / float(union))
    return sum(found) / len(found)
""",
    "a mean that is an array without axes": MEAN
    + """
    tp = np.diag(matrix).astype(float)
    union = matrix.sum(0) + matrix.sum(1) - tp
    there = union > 0
    return np.array((tp[there] / union[there]).mean())
""",
}
WRONG = {
    "the prediction down, the truth across": (
        MATRIX
        + """
    keep = truth != void
    n = num_classes
    return np.bincount(n * prediction[keep] + truth[keep], minlength=n * n).reshape(n, n)
""",
        "iou.rows_cols",
    ),
    "+= with arrays of places": (
        MATRIX
        + """
    m = np.zeros((num_classes, num_classes), int)
    keep = truth != void
    m[truth[keep], prediction[keep]] += 1
    return m
""",
        "col2im.fancy_iadd",
    ),
    "pairs of classes, void unused": (
        MATRIX
        + """
    n = range(num_classes)
    return np.array([[((truth == i) & (prediction == j)).sum() for j in n] for i in n])
""",
        "iou.void/range",
    ),
    "void pixels in a copy become 0": (
        MATRIX
        + """
    t = np.where(truth == void, 0, truth)
    m = np.zeros((num_classes, num_classes), int)
    for a, b in zip(t.ravel(), prediction.ravel()):
        m[a, b] += 1
    return m
""",
        "iou.void/class_0",
    ),
    "void pixels become 0 in the student's argument": (
        MATRIX
        + """
    truth[truth == void] = 0
    m = np.zeros((num_classes, num_classes), int)
    np.add.at(m, (truth, prediction), 1)
    return m
""",
        "conv.mutates_input/truth",
    ),
    "np.zeros as it is": (
        MATRIX
        + """
    m = np.zeros((num_classes, num_classes))
    for t, p in zip(truth.ravel(), prediction.ravel()):
        if t != void:
            m[t, p] += 1
    return m
""",
        "conv.dtype/float",
    ),
    "only the last image": (
        MATRIX
        + """
    for t, p in zip(truth, prediction):
        m = np.zeros((num_classes, num_classes), int)
        keep = t != void
        np.add.at(m, (t[keep], p[keep]), 1)
    return m
""",
        None,
    ),
    "the union counts twice": (
        IU
        + """
    a, b = matrix.sum(0), matrix.sum(1)
    with np.errstate(all="ignore"):
        return np.diag(matrix) / (a + b)
""",
        "iou.no_intersection/sum",
    ),
    "a tiny epsilon": (
        IU
        + """
    tp = np.diag(matrix)
    union = matrix.sum(0) + matrix.sum(1) - tp
    return tp / (union + 1e-12)
""",
        "iou.absent_zero",
    ),
    "only classes of the truth": (
        IU
        + """
    scores = np.full(len(matrix), np.nan)
    for k in range(len(matrix)):
        if matrix[k].sum() > 0:
            scores[k] = matrix[k, k] / (matrix[k].sum() + matrix[:, k].sum() - matrix[k, k])
    return scores
""",
        "iou.predicted_only_dropped/nan",
    ),
    "np.mean of what has NaN": (
        MEAN
        + """
    tp = np.diag(matrix)
    with np.errstate(all="ignore"):
        return np.mean(tp / (matrix.sum(0) + matrix.sum(1) - tp))
""",
        "iou.nan_mean",
    ),
    "pixel accuracy": (
        MEAN + "    return np.trace(matrix) / matrix.sum()",
        "iou.pixel_acc/pixels",
    ),
    "a median": (
        MEAN
        + """
    tp = np.diag(matrix)
    with np.errstate(all="ignore"):
        return np.nanmedian(tp / (matrix.sum(0) + matrix.sum(1) - tp))
""",
        None,
    ),
}


def written(source):
    return [p for p in check(find_exercise("scores"), source).parts if p.status != "not-written"]


@pytest.mark.parametrize("style", RIGHT)
def test_a_right_score_passes(style):
    (part,) = written(RIGHT[style])
    assert (part.status, part.problem) == ("pass", "")


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_score_is_named_right_or_not_at_all(mistake):
    source, known = WRONG[mistake]
    (part,) = written(source)
    assert part.status == "fail"
    assert part.name.match != "either"
    assert (" + ".join(one.id for one in part.name.switches) or None) == known


@pytest.mark.parametrize("kind", ["list", "tuple"])
def test_what_is_no_array_is_called_what_it_is(kind):
    source = f"def intersection_over_union(matrix):\n    return {kind}([0.5] * len(matrix))"
    part = part_checked("scores", "intersection_over_union", source)
    assert part.problem == f"is a {kind}, expected a float64 array"
