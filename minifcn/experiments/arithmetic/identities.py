"""Two identities of a transposed convolution: an adjoint, and a convolution of stuffed input."""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn import kernels
from minifcn.experiments.arithmetic.cases import Case


def adjoint_difference(case: Case, generator: np.random.Generator, dtype: Any) -> float:
    """Relative difference of <conv(x), y> and <x, conv_transpose(y)> for random x, y and weight.

    Relative to |conv(x)| |y|, which bounds the inner product (Cauchy and Schwarz).
    """
    i, k, s, p, d = case
    x, y, weight = _draw(generator, dtype, (2, 3, i, i), (2, 4, case.o, case.o), (4, 3, k, k))
    direct = kernels.conv2d(x, weight, s, p, d)
    transposed = kernels.conv_transpose2d(y, weight, s, p, case.a, d)
    difference = abs(np.vdot(direct, y) - np.vdot(x, transposed))
    return _relative(difference, np.linalg.norm(direct) * np.linalg.norm(y))


def stuffing_difference(case: Case, generator: np.random.Generator, dtype: Any) -> float:
    """Largest difference of a transposed convolution and a convolution of its stuffed input.

    Relative to the largest output.
    """
    _, k, s, p, d = case
    y, weight = _draw(generator, dtype, (2, 4, case.o, case.o), (4, 3, k, k))
    scattered = kernels.conv_transpose2d(y, weight, s, p, case.a, d)
    gathered = convolve_stuffed(y, weight, case)
    return _relative(np.abs(gathered - scattered).max(), np.abs(scattered).max())


def convolve_stuffed(y: np.ndarray, weight: np.ndarray, case: Case) -> np.ndarray:
    """Compute a transposed convolution as a direct one, as the guide draws it.

    s - 1 zeros go between the pixels of y (N, F, OH, OW) and d(k - 1) - p around them (less than
    none: crop), a more at the bottom and the right; the kernel (F, C, k, k) is turned by 180
    degrees and convolved with stride 1.
    """
    _, k, s, p, d = case
    stuffed = np.zeros((*y.shape[:2], s * (case.o - 1) + 1, s * (case.o - 1) + 1), y.dtype)
    stuffed[:, :, ::s, ::s] = y
    border = d * (k - 1) - p
    before, after = max(border, 0), max(border + case.a, 0)
    padded = np.pad(stuffed, ((0, 0), (0, 0), (before, after), (before, after)))
    first, last = max(-border, 0), padded.shape[2] - max(-border - case.a, 0)
    turned = np.ascontiguousarray(weight[:, :, ::-1, ::-1].swapaxes(0, 1))
    return kernels.conv2d(padded[:, :, first:last, first:last], turned, dilation=d)


def _draw(generator: np.random.Generator, dtype: Any, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    return [generator.standard_normal(shape).astype(dtype) for shape in shapes]


def _relative(difference: Any, scale: Any) -> float:
    """Where windows see nothing but padding the scale is 0, and so must the difference be."""
    return float(difference / scale if scale else difference)


IDENTITIES = {
    "<conv(x), y> = <x, conv_transpose(y)>": adjoint_difference,
    "zeros between + pad d(k-1)-p + turned kernel = conv_transpose": stuffing_difference,
}
"""What makes a transposed convolution: two identities, each with what measures it."""
