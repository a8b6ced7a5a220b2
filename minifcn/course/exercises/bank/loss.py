"""Exercise loss: the cross-entropy with void, and its gradient."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises.bank.drawing import integers, normal
from minifcn.course.exercises.bank.loss_mistakes import SWITCHES
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part


def cross_entropy(
    has: Has, scores: np.ndarray, labels: np.ndarray, void: int
) -> tuple[np.float64, np.ndarray]:
    """The reference: log softmax, its value at the true class, and p - 1 there."""
    log_p, p = _softmax(has, scores)
    counts = _counting(has, labels, void, scores.shape[1])
    classes = _classes(has, labels, counts, scores.shape[1])
    one_hot = np.arange(scores.shape[1])[:, None, None] == classes[:, None]
    losses = -np.where(one_hot, log_p, 0).sum(1)
    if has("ce.log0/nan"):
        losses = -(np.log(p) * one_hot).sum(1)
    if has("ce.no_log"):
        losses = 1 - np.where(one_hot, p, 0).sum(1)
    if has("ce.log_base/2"):
        losses = losses / np.log(2)
    if has("ce.log_base/10"):
        losses = losses / np.log(10)
    loss = _mean(has, losses, counts, scores.shape[1])
    gradient = _gradient(has, p, one_hot, counts)
    if has("conv.mutates_input/scores"):
        scores += 1
    if has("conv.mutates_input/labels"):
        labels += 1
    if has("conv.dtype/input"):
        gradient = gradient.astype(scores.dtype)
    if has("conv.dtype/float32"):
        return np.float32(loss), gradient.astype(np.float32)  # type: ignore[return-value]
    return np.float64(loss), gradient


def _softmax(has: Has, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The logarithm of softmax, as the mean has it, and softmax, as the gradient has it."""
    s = scores.astype(float)
    axes: int | tuple[int, ...] = 1
    if has("ce.axis/width"):
        axes = 3
    if has("ce.axis/height"):
        axes = 2
    if has("ce.axis/batch"):
        axes = 0
    if has("ce.axis/image"):
        axes = (1, 2, 3)
    if has("ce.axis/all"):
        axes = (0, 1, 2, 3)
    if has("ce.twice"):
        s = np.exp(s - s.max(axes, keepdims=True))
        s = s / s.sum(axes, keepdims=True)
    of_mean = of_gradient = s.max(axes, keepdims=True)
    if has("ce.overflow/log_of_softmax") or has("ce.overflow/log_of_sum"):
        of_mean = np.zeros_like(of_mean)
    if has("ce.overflow/gradient"):
        of_gradient = np.zeros_like(of_mean)
    if has("ce.max_global/log_of_softmax") or has("ce.max_global/log_of_sum"):
        of_mean = s.max(keepdims=True)
    if has("ce.max_global/gradient"):
        of_gradient = s.max(keepdims=True)
    if has("ce.max_global/image_log_of_softmax") or has("ce.max_global/image_log_of_sum"):
        of_mean = s.max((1, 2, 3), keepdims=True)
    if has("ce.max_global/image_gradient"):
        of_gradient = s.max((1, 2, 3), keepdims=True)
    e = np.exp(s - of_mean)
    total = e.sum(axes, keepdims=True)
    log_p, e_of_gradient = s - of_mean - np.log(total), np.exp(s - of_gradient)
    p = e_of_gradient / e_of_gradient.sum(axes, keepdims=True)
    return _log(has, log_p, e / total), p


def _log(has: Has, log_p: np.ndarray, p: np.ndarray) -> np.ndarray:
    if (
        has("ce.log0/infinite")
        or has("ce.overflow/log_of_softmax")
        or has("ce.max_global/log_of_softmax")
        or has("ce.max_global/image_log_of_softmax")
    ):
        return np.log(p)
    if has("ce.log0/plus_1e-6"):
        return np.log(p + 1e-6)
    if has("ce.log0/plus_1e-8"):
        return np.log(p + 1e-8)
    if has("ce.log0/at_least_1e-7"):
        return np.log(np.maximum(p, 1e-7))
    if has("ce.log0/at_least_1e-8"):
        return np.log(np.maximum(p, 1e-8))
    if has("ce.log0/1e-9"):
        return np.log(np.maximum(p, 1e-9))
    if has("ce.log0/1e-10"):
        return np.log(np.maximum(p, 1e-10))
    if has("ce.log0/1e-12"):
        return np.log(np.maximum(p, 1e-12))
    if has("ce.log0/1e-15"):
        return np.log(np.maximum(p, 1e-15))
    return log_p


def _counting(has: Has, labels: np.ndarray, void: int, c: int) -> np.ndarray:
    """Which pixels count; raises where a label that is kept is no index."""
    counts = labels != void
    if has("ce.void_negative/range"):
        counts = (labels >= 0) & (labels < c)
    if has("ce.void_negative/nonnegative"):
        counts = labels >= 0
    if has("ce.void_negative/255"):
        counts = labels != 255
    if has("ce.void_as_class0/zero_is_void"):
        counts = labels != 0
    if has("ce.void_as_class0/no_background"):
        counts = (labels != void) & (labels != 0)
    if (
        has("ce.void_negative/kept")
        or has("ce.void_as_class0/counted")
        or has("ce.void_grad/one_hot")
        or has("ce.void_as_class0/clipped")
    ):
        counts = np.full(labels.shape, True)
    mapped = (
        has("ce.void_as_class0/counted")
        or has("ce.void_as_class0/clipped")
        or has("ce.void_grad/one_hot")
    )
    if not mapped and (labels[counts] >= c).any():
        raise IndexError
    return counts


def _classes(has: Has, labels: np.ndarray, counts: np.ndarray, c: int) -> np.ndarray:
    """The true class of each pixel, as it is used for an index."""
    if has("ce.void_grad/one_hot"):
        return labels
    if has("ce.void_as_class0/clipped"):
        return np.clip(labels, 0, c - 1)
    if has("ce.void_as_class0/counted"):
        return np.where((labels < 0) | (labels >= c), 0, labels)
    classes = np.where(counts, labels, 0)
    if has("ce.labels_from_1"):
        classes = classes - 1
    return np.where(classes < 0, classes + c, classes)


def _mean(has: Has, losses: np.ndarray, counts: np.ndarray, channels: int) -> float:
    total, count = (losses * counts)[counts].sum(), counts.sum()
    if has("ce.sign/loss"):
        total = -total
    if has("ce.factor2/loss_double"):
        total = 2 * total
    if has("ce.factor2/loss_half"):
        total = total / 2
    if has("ce.mean_per_image/nan"):
        return float(((losses * counts).sum((1, 2)) / counts.sum((1, 2))).mean())
    if has("ce.mean_per_image/zero"):
        each = (losses * counts).sum((1, 2)) / np.maximum(counts.sum((1, 2)), 1)
        return float(each.mean())
    if has("ce.mean_per_image/sum"):
        return float(total / len(losses))
    if has("ce.not_div_n/loss"):
        return float(total)
    if has("ce.mean_all"):
        return float(total / losses.size)
    if has("ce.div_numel"):
        return float(total / losses.size / channels)
    if has("ce.all_void_nan"):
        return float(total / count)
    return float(total / max(count, 1))


def _gradient(has: Has, p: np.ndarray, one_hot: np.ndarray, counts: np.ndarray) -> np.ndarray:
    gradient, count = p - one_hot, counts.sum()
    if has("ce.no_minus_one"):
        gradient = p
    if has("ce.sign/gradient"):
        gradient = one_hot - p
    if has("ce.logsoftmax_bwd/true_class"):
        gradient = -1.0 * one_hot
    if has("ce.logsoftmax_bwd/plus"):
        gradient = p + one_hot
    if has("ce.logsoftmax_bwd/of_p"):
        gradient = np.where(one_hot, -1 / p, 0.0)
    if has("ce.logsoftmax_bwd/only_true_class"):
        gradient = (p - 1) * one_hot
    if has("ce.factor2/gradient_double"):
        gradient = 2 * gradient
    if has("ce.factor2/gradient_half"):
        gradient = gradient / 2
    divisor = _divisor(has, counts, p.size)
    if has("ce.void_grad/softmax_all_void") or (count and has("ce.void_grad/softmax")):
        return np.asarray(np.where(counts[:, None], gradient, p) / divisor)
    if has("ce.void_grad/class_0_all_void") or (count and has("ce.void_grad/class_0")):
        return np.asarray(gradient / divisor)
    at_void = p if count and has("ce.void_grad/softmax_later") else 0.0 / divisor
    return np.where(counts[:, None], gradient / divisor, at_void)


def _divisor(has: Has, counts: np.ndarray, numbers: int) -> np.ndarray:
    """What the gradient is divided by, for each image."""
    each, count = counts.sum((1, 2)), counts.sum()
    divisor = np.full(len(counts), max(count, 1), float)
    if has("ce.mean_per_image/nan"):
        divisor = each * len(counts)
    if has("ce.mean_per_image/zero"):
        divisor = np.maximum(each, 1) * len(counts)
    if has("ce.mean_per_image/sum"):
        divisor[:] = len(counts)
    if has("ce.not_div_n/gradient"):
        divisor[:] = 1
    if has("ce.mean_all"):
        divisor[:] = counts.size
    if has("ce.div_numel"):
        divisor[:] = numbers
    if has("ce.all_void_nan"):
        divisor[:] = count
    return divisor[:, None, None, None]


def cases(generator: np.random.Generator) -> list[Case]:
    """Void outside and inside the classes, images with unequal counts, and large scores."""

    def case(name: str, shape: tuple[int, int, int, int], void: int, share: float,
             draw: object = normal) -> Case:  # fmt: skip
        n, c, h, w = shape
        scores = integers(generator, *shape) if draw is integers else normal(generator, *shape)
        labels = generator.integers(0, c, (n, h, w))
        labels.flat[: 2 * c] = np.tile(np.arange(c), 2)
        chance = share * np.linspace(0.3, 1.0, n)[:, None, None]
        hidden = generator.random((n, h, w)) < chance
        hidden[:, 0, 0], hidden[-1, -1, -1] = False, share > 0
        return Case(name, {"scores": scores, "labels": np.where(hidden, void, labels),
                           "void": void})  # fmt: skip

    large = case("scores up to 1000 and down to -1000", (2, 4, 3, 5), 255, 0.3)
    large.arguments["scores"][:, :, 1] *= 400
    large.arguments["scores"][0, :, 0, :2] = np.array([1000, -1000, 0, 3])[:, None]
    large.arguments["labels"][0, 0, :2] = 1, 0
    empty = case("all pixels are void", (2, 3, 4, 5), 255, 0.5)
    empty.arguments["labels"][:] = 255
    return [
        case("no void", (2, 3, 4, 5), 255, 0.0),
        case("void is 255", (3, 4, 5, 6), 255, 0.6),
        case("void is -1", (2, 5, 4, 6), -1, 0.5),
        case("void is the label of a class", (2, 4, 6, 5), 2, 0.5),
        case("void is 0", (3, 5, 4, 3), 0, 0.4),
        case("whole numbers as scores", (2, 4, 3, 6), 255, 0.4, integers),
        large,
        empty,
    ]


def naming(generator: np.random.Generator) -> list[Case]:
    """Scores that only some ways to compute softmax survive."""

    def case(name: str, *changes: tuple[int, int, int, float]) -> Case:
        scores, labels = normal(generator, 2, 3, 4, 5), generator.integers(0, 3, (2, 4, 5))
        for image, row, column, by in changes:
            scores[image, :, row, column] += by
        return Case(name, {"scores": scores, "labels": labels, "void": 255})

    vanishing = case("a true class that is far below the others")
    vanishing.arguments["labels"][1, 2, 3] = 1
    vanishing.arguments["scores"][1, 1, 2, 3] = -800
    return [
        case("two pixels of each image far apart", (0, 1, 2, 600), (0, 0, 0, -600),
             (1, 2, 2, 600), (1, 3, 4, -600)),
        case("two images far apart", (0, 1, 2, 600), (1, 2, 1, -600)),
        case("a pixel with all its scores near 1000", (1, 2, 0, 1000)),
        vanishing,
    ]  # fmt: skip


EXERCISE = Exercise(
    name="loss",
    title="the cross-entropy of a segmentation, with pixels that do not count",
    functions=(
        Function(
            "cross_entropy",
            (Part("mean", "mean loss", "float"), Part("gradient", "gradient of the scores")),
            cross_entropy,
            cases,
            SWITCHES,
            naming,
        ),
    ),
    hints=(
        "What changes in p if the same number is added to all scores of a pixel? And how many"
        " pixels share the mean?",
        "Tutorial 05, 'From scores to probabilities', 'How wrong is it?' and 'Which way is down?';"
        " for void tutorial 01, 'Void: pixels that do not count'.",
        "With s = scores - the pixel's largest: log p = s - log(sum of exp(s) over the classes);"
        " mean = sum of -log p[label] / count; gradient = (p - 1 at the label) / count; both only"
        " over pixels that count.",
    ),
    tutorial=5,
)
