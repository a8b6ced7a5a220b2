"""Cross-entropies as students write them: the right pass, the wrong are named or not."""

import pytest

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check

START = """
import math
import numpy as np
def cross_entropy(scores, labels, void):
    n, c, h, w = scores.shape
    valid = labels != void
    count = valid.sum()
"""
STABLE = """
    s = scores - scores.max(axis=1, keepdims=True)
    e = np.exp(s)
    p = e / e.sum(axis=1, keepdims=True)
    logp = s - np.log(e.sum(axis=1, keepdims=True))
"""
NONE_COUNTS = """
    if count == 0:
        return 0.0, np.zeros(scores.shape)
"""
AT = """
    b, i, j = np.nonzero(valid)
    k = labels[valid]
"""
MEAN = "    loss = -logp[b, k, i, j].mean()\n"
GRADIENT = """
    g = np.zeros(scores.shape)
    g[b, :, i, j] = p[b, :, i, j]
    g[b, k, i, j] -= 1
    g /= count
"""
END = "    return loss, g\n"
RIGHT = {
    "fancy indices": START + STABLE + NONE_COUNTS + AT + MEAN + GRADIENT + END,
    "plain loops": START
    + """
    total, g = 0.0, np.zeros((n, c, h, w))
    for b in range(n):
        for i in range(h):
            for j in range(w):
                t = labels[b, i, j]
                if t == void:
                    continue
                z = [float(v) for v in scores[b, :, i, j]]
                m = max(z)
                norm = m + math.log(sum(math.exp(v - m) for v in z))
                total += norm - z[t]
                for k in range(c):
                    g[b, k, i, j] = (math.exp(z[k] - norm) - (k == t)) / count
    return total / max(int(count), 1), g
""",
    "one-hot, logaddexp, np.float64": START
    + """
    logp = scores - np.logaddexp.reduce(scores.astype(float), axis=1, keepdims=True)
    one_hot = (labels[:, None] == np.arange(c)[:, None, None]) & valid[:, None]
    k = max(count, 1)
    loss = -np.where(one_hot, logp, 0).sum() / k
    return loss, (np.exp(logp) * valid[:, None] - one_hot) / k
""",
    "pixels as rows, put back": START
    + """
    rows = np.moveaxis(scores, 1, -1).reshape(-1, c).astype(float)
    keep, t = valid.ravel(), labels.ravel()
    g = np.zeros(rows.shape)
    if keep.any():
        z = rows[keep] - rows[keep].max(1)[:, None]
        lse = np.log(np.exp(z).sum(1))
        at = np.arange(len(z)), t[keep]
        loss = np.mean(lse - z[at])
        q = np.exp(z - lse[:, None])
        q[at] -= 1
        g[keep] = q / len(z)
    else:
        loss = np.array(0.0)
    return loss, np.moveaxis(g.reshape(n, h, w, c), -1, 1)
""",
    "0 for 0.0": START + STABLE + NONE_COUNTS.replace("0.0", "0") + AT + MEAN + GRADIENT + END,
    "a list of both": START
    + STABLE
    + NONE_COUNTS
    + AT
    + MEAN
    + GRADIENT
    + "    return [loss, g]\n",
}
NAIVE = """
    e = np.exp(scores)
    p = e / e.sum(axis=1, keepdims=True)
    logp = np.log(p)
"""
ONE_HOT = """
    one_hot = labels[:, None] == np.arange(c)[:, None, None]
"""
WRONG = {
    "no largest score subtracted": (
        START + NAIVE + NONE_COUNTS + AT + MEAN + GRADIENT + END,
        {"mean": "ce.overflow/log_of_softmax", "gradient": "ce.overflow/gradient"},
    ),
    "the largest of all": (
        START + STABLE.replace("axis=1, keepdims=True)\n    e =", "keepdims=True)\n    e =")
        + NONE_COUNTS + AT + MEAN + GRADIENT + END,
        {"mean": "ce.max_global/log_of_sum", "gradient": "ce.max_global/gradient"},
    ),
    "log of softmax": (
        START + STABLE + "    logp = np.log(p)\n" + NONE_COUNTS + AT + MEAN + GRADIENT + END,
        {"mean": "ce.log0/infinite"},
    ),
    "log of softmax + 1e-12": (
        START + STABLE + "    logp = np.log(p + 1e-12)\n"
        + NONE_COUNTS + AT + MEAN + GRADIENT + END,
        {"mean": "ce.log0/1e-12"},
    ),
    "log of softmax times one-hot": (
        START + STABLE + ONE_HOT + NONE_COUNTS
        + "    loss = -(np.log(p) * (one_hot & valid[:, None])).sum() / count\n"
        + AT + GRADIENT + END,
        {"mean": "ce.log0/nan"},
    ),
    "softmax along the last axis": (
        START + STABLE.replace("axis=1", "axis=-1") + NONE_COUNTS + AT + MEAN + GRADIENT + END,
        {"mean": "ce.axis/width", "gradient": "ce.axis/width"},
    ),
    "the mean of all pixels": (
        START + STABLE + NONE_COUNTS + AT
        + "    loss = -logp[b, k, i, j].sum() / labels.size\n"
        + GRADIENT.replace("g /= count", "g /= labels.size") + END,
        {"mean": "ce.mean_all", "gradient": "ce.mean_all"},
    ),
    "all void is not thought of": (
        START + STABLE + AT
        + "    loss = -logp[b, k, i, j].sum() / count\n"
        + GRADIENT + END,
        {"mean": "ce.all_void_nan", "gradient": "ce.all_void_nan"},
    ),
    "the gradient is not divided": (
        START + STABLE + NONE_COUNTS + AT + MEAN + GRADIENT.replace("g /= count", "") + END,
        {"gradient": "ce.not_div_n/gradient"},
    ),
    "1 is not subtracted": (
        START + STABLE + NONE_COUNTS + AT + MEAN
        + GRADIENT.replace("g[b, k, i, j] -= 1", "") + END,
        {"gradient": "ce.no_minus_one"},
    ),
    "the gradient is made of void pixels, too": (
        START + STABLE + NONE_COUNTS + AT + MEAN
        + "    g = p.copy()\n    g[b, k, i, j] -= 1\n    g /= count\n" + END,
        {"gradient": "ce.void_grad/softmax"},
    ),
    "scores are changed": (
        START
        + "    m = scores.max(axis=1, keepdims=True)\n    scores -= m\n"
        + STABLE + NONE_COUNTS + AT + MEAN + GRADIENT + END,
        {"mean": "conv.mutates_input/scores", "gradient": "conv.mutates_input/scores"},
    ),
    "labels are changed": (
        START + "    labels[~valid] = 0\n" + STABLE + NONE_COUNTS + AT + MEAN + GRADIENT + END,
        {"mean": "conv.mutates_input/labels", "gradient": "conv.mutates_input/labels"},
    ),
    "the sign of the loss": (
        START + STABLE + NONE_COUNTS + AT + MEAN.replace("-logp", "logp") + GRADIENT + END,
        {"mean": "ce.sign/loss"},
    ),
    "void is 255": (
        START + "    valid = labels != 255\n    count = valid.sum()\n"
        + STABLE + NONE_COUNTS + AT + MEAN + GRADIENT + END,
        {"mean": "ce.void_negative/255", "gradient": "ce.void_negative/255"},
    ),
    "a mean of means": (
        START + STABLE + NONE_COUNTS + AT + GRADIENT
        + """
    each = []
    for q in range(n):
        r, s = np.nonzero(valid[q])
        each.append(-logp[q, labels[q, r, s], r, s].mean())
    loss = np.mean(each)
""" + END,
        {"mean": "ce.mean_per_image/zero"},
    ),
    "all pixels have a gradient, by the number of all": (
        START + STABLE + NONE_COUNTS + AT + MEAN
        + "    g = p.copy()\n    g[b, k, i, j] -= 1\n    g /= labels.size\n" + END,
        {"gradient": "ce.mean_all + ce.void_grad/softmax"},
    ),
    "half a sum of squares": (
        START + STABLE + NONE_COUNTS + ONE_HOT + AT + GRADIENT
        + "    loss = 0.5 * ((p - one_hot) ** 2).sum() / count\n" + END,
        {"mean": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("style", RIGHT)
def test_a_right_loss_passes(style):
    parts = check(find_exercise("loss"), RIGHT[style]).parts
    assert {(part.status, part.problem) for part in parts} == {("pass", "")}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_loss_is_named_right_or_not_at_all(mistake):
    source, known = WRONG[mistake]
    wrong = [part for part in check(find_exercise("loss"), source).parts if part.status != "pass"]
    assert {part.status for part in wrong} == {"fail"}
    assert all(part.name.match != "either" for part in wrong)
    names = {p.part.id: " + ".join(one.id for one in p.name.switches) or None for p in wrong}
    assert names == known
