"""Exercise batch_norm: batch normalization, forward and backward."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises.bank.drawing import integers, normal
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part, Switch

READINGS = {
    "image": (2, 3),
    "batch": (0,),
    "all": (0, 1, 2, 3),
    "channel": (1,),
    "layer": (1, 2, 3),
}
"""Of bn.axes: the axes that are averaged over."""


def batch_norm(
    has: Has, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float
) -> np.ndarray:
    """The reference: normalised over each channel, then scaled and shifted."""
    mean, inverse, _ = _statistics(has, x, eps)
    if has("bn.swapped"):
        weight, bias = bias, weight
    shape = (-1,) if has("bn.weight_axis/width") else (-1, 1, 1)
    y = x if has("bn.no_mean") else x - mean
    y = y * inverse
    if not has("bn.no_weight"):
        y = y * weight.reshape(shape)
    if not has("bn.no_bias"):
        y = y + bias.reshape(shape)
    return y.astype(x.dtype) if has("bn.dtype/input") else y


def batch_norm_backward(
    has: Has, gradient: np.ndarray, x: np.ndarray, weight: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The reference: of x, of weight and of bias."""
    mean, inverse, axes = _statistics(has, x, eps)
    normal_x = (x - mean) * inverse
    scaled = gradient if has("bn.no_weight") else gradient * weight.reshape(-1, 1, 1)
    count = np.prod([x.shape[axis] for axis in axes])
    if has("bn.count/batch"):
        count = len(x)
    if has("bn.count/one"):
        count = 1
    of_mean = scaled.sum(axes, keepdims=True) / count
    of_variance = normal_x * ((scaled * normal_x).sum(axes, keepdims=True) / count)
    for reading, factor in (("half", 0.5), ("double", 2.0), ("sign", -1.0)):
        if has(f"bn.var_factor/{reading}"):
            of_variance = factor * of_variance
    if has("bn.constants") or has("bn.mean_constant"):
        of_mean = np.zeros_like(of_mean)
    if has("bn.constants") or has("bn.var_constant"):
        of_variance = np.zeros_like(of_variance)
    of_x = inverse * (scaled - of_mean - of_variance)
    if has("bn.dtype/input"):
        of_x = of_x.astype(x.dtype)
    seen = x if has("bn.weight_raw/x") else x - mean if has("bn.weight_raw/centred") else normal_x
    summed = np.mean if has("bn.mean_for_sum") else np.sum
    of_weight, of_bias = summed(gradient * seen, (0, 2, 3)), summed(gradient, (0, 2, 3))
    return (of_x, of_bias, of_weight) if has("bn.swapped") else (of_x, of_weight, of_bias)


def _statistics(has: Has, x: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray, tuple]:
    """The mean, one over the deviation, and the axes of both."""
    axes: tuple[int, ...] = (0, 2, 3)
    for reading, wrong in READINGS.items():
        if has(f"bn.axes/{reading}"):
            axes = wrong
    mean = x.mean(axes, keepdims=True)
    variance = x.var(axes, keepdims=True, ddof=1 if has("bn.unbiased") else 0)
    if has("bn.eps_outside/std"):
        return mean, 1 / (np.sqrt(variance) + eps), axes
    if has("bn.eps_outside/none"):
        return mean, 1 / np.sqrt(variance), axes
    power = 1.0 if has("bn.no_sqrt") else 0.5
    return mean, (variance + eps) ** -power, axes


def _x(generator: np.random.Generator, shape: tuple[int, ...], spread: float) -> np.ndarray:
    """Channels of unequal means and deviations, none of them 0 or 1."""
    means = 1 + np.arange(shape[1]) + generator.uniform(0, 0.5, shape[1])
    spreads = spread * generator.uniform(0.5, 2, shape[1])
    return normal(generator, *shape) * spreads[:, None, None] + means[:, None, None]


def _case(generator: np.random.Generator, name: str, shape: tuple[int, ...], spread: float,
          eps: float, backward: bool) -> Case:  # fmt: skip
    x = _x(generator, shape, spread) if spread else integers(generator, *shape)
    weight = generator.uniform(1.5, 3, shape[1]) * generator.choice([-1, 1], shape[1])
    if backward:
        return Case(
            name, {"gradient": normal(generator, *shape), "x": x, "weight": weight, "eps": eps}
        )
    return Case(name, {"x": x, "weight": weight, "bias": normal(generator, shape[1]), "eps": eps})


def _cases(generator: np.random.Generator, backward: bool) -> list[Case]:
    return [
        _case(generator, "a batch of 3", (3, 2, 4, 5), 2.0, 1e-5, backward),
        _case(generator, "a batch of 2, large eps", (2, 3, 5, 4), 1.0, 0.3, backward),
        _case(generator, "small variance", (4, 3, 2, 5), 0.01, 1e-3, backward),
        _case(generator, "whole numbers as input", (2, 4, 3, 5), 0, 1e-2, backward),
    ]


def cases(generator: np.random.Generator) -> list[Case]:
    """Unequal in everything; an eps that counts; whole numbers."""
    return _cases(generator, backward=False)


def naming(generator: np.random.Generator) -> list[Case]:
    """As many columns as channels, so that a number a column gives numbers, too."""
    return [
        _case(generator, "as many columns as channels", (2, 4, 3, 4), 1.0, 0.1, False),
        _case(generator, "all sizes equal", (3, 3, 3, 3), 1.0, 0.1, False),
    ]


def backward_cases(generator: np.random.Generator) -> list[Case]:
    """As those of forward, with a random gradient."""
    return _cases(generator, backward=True)


AXES = tuple(
    Switch(
        f"bn.axes/{reading}",
        f"mean and variance are taken {words}, not over all pixels of all images of a channel",
        "How many means does a batch of N images with C channels have?",
    )
    for reading, words in (
        ("image", "over each image's own pixels"),
        ("batch", "over the images only, pixel by pixel"),
        ("all", "over everything, all channels together"),
        ("channel", "over the channels of a pixel"),
        ("layer", "over all channels of an image"),
    )
)

SHARED = (
    *AXES,
    Switch(
        "bn.unbiased",
        "the variance is divided by n - 1, not by n",
        "Is this an estimate from a sample, or the mean of the squares that are there?",
    ),
    Switch(
        "bn.eps_outside/std",
        "eps is added to the standard deviation, not to the variance",
        "Is eps under the root, or beside it?",
    ),
    Switch(
        "bn.eps_outside/none",
        "eps is left out",
        "What becomes of a channel that is the same everywhere?",
    ),
    Switch(
        "bn.no_sqrt",
        "it is divided by the variance, not by its root",
        "What is the variance of the result before the weight, and what should it be?",
    ),
    Switch(
        "bn.no_weight",
        "the weight is left out",
        "What changes in the result when a weight is doubled?",
    ),
    Switch(
        "bn.dtype/input",
        "the result has the dtype of the input, so whole numbers are cut",
        "What becomes of 0.5 in an array of whole numbers?",
    ),
)

FORWARD = (
    *SHARED,
    Switch("bn.no_bias", "the bias is left out", "What is the mean of each channel of the result?"),
    Switch(
        "bn.no_mean",
        "the mean is not subtracted",
        "What is the mean of a channel of the result when the bias is 0?",
    ),
    Switch(
        "bn.swapped",
        "weight and bias are exchanged",
        "Which of the two is multiplied, and which is added?",
    ),
    Switch(
        "bn.weight_axis/width",
        "weight and bias have a number for each column, not for each channel",
        "To which axis of x does NumPy fit an array of shape (C,)?",
    ),
)

BACKWARD = (
    *SHARED,
    Switch(
        "bn.constants",
        "mean and variance are treated as constants",
        "If one pixel of x grows, which other pixels of y change?",
    ),
    Switch(
        "bn.var_constant",
        "the part through the variance is missing",
        "If one pixel of x grows, does the variance stay as it is?",
    ),
    Switch(
        "bn.mean_constant",
        "the part through the mean is missing",
        "If one pixel of x grows, does the mean stay as it is?",
    ),
    *(
        Switch(
            f"bn.var_factor/{reading}",
            f"the part through the variance {words}",
            "What is the derivative of (v + eps) ** -0.5, and of (x - m) ** 2?",
        )
        for reading, words in (
            ("half", "is half of what it should be"),
            ("double", "is twice what it should be"),
            ("sign", "has the wrong sign"),
        )
    ),
    Switch(
        "bn.count/batch",
        "it is divided by the number of images where n is the number of pixels in all images",
        "Over how many numbers does one mean go?",
    ),
    Switch(
        "bn.count/one",
        "sums stand where the means of the gradient belong",
        "How much does the mean change when one of its n numbers grows by 1?",
    ),
    Switch(
        "bn.weight_raw/x",
        "the gradient of the weight is made with x, not with the normalised x",
        "What is the weight multiplied with in forward?",
    ),
    Switch(
        "bn.weight_raw/centred",
        "the gradient of the weight is made with x less its mean, not divided by the deviation",
        "What is the weight multiplied with in forward?",
    ),
    Switch(
        "bn.mean_for_sum",
        "gradients of weight and bias are means, not sums",
        "How many pixels does one bias go into, and what does each of them add?",
    ),
    Switch(
        "bn.swapped",
        "the gradients of weight and bias are returned in the other order",
        "In which order are the three gradients asked for?",
    ),
)

EXERCISE = Exercise(
    name="batch_norm",
    title="batch normalization, forward and backward",
    functions=(
        Function("batch_norm", (Part("y", "output"),), batch_norm, cases, FORWARD, naming),
        Function(
            "batch_norm_backward",
            (
                Part("dx", "gradient of the input"),
                Part("dweight", "gradient of the weight"),
                Part("dbias", "gradient of the bias"),
            ),
            batch_norm_backward,
            backward_cases,
            BACKWARD,
        ),
    ),
    hints=(
        "Forward: how many means are there in a batch? Backward: by how many ways does one number"
        " of x change y?",
        "Tutorial 12, 'FCN-8s by hand'; for backward tutorial 03, 'The graph' and 'Arrays: what was"
        " repeated is summed': write forward as small steps (mean, difference, variance, root,"
        " quotient) and go back through them one by one.",
        "z = (x - m) / sqrt(v + eps), y = weight * z + bias, with m and v of each channel over"
        " (N, H, W). dbias = sum of g, dweight = sum of g * z. With h = g * weight: dx ="
        " (h - mean(h) - z * mean(h * z)) / sqrt(v + eps), sums and means over (N, H, W).",
    ),
    tutorial=12,
)
