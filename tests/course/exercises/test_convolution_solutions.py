"""Convolutions as students write them: the right ones pass, the wrong ones are named or not."""

import pytest

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check

START = """
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view, as_strided
def size(n, k, s, p):
    return (n + 2 * p - k) // s + 1
def conv2d(x, weight, bias, stride, padding):
    n, c, h, w = x.shape
    f, _, kh, kw = weight.shape
    (sh, sw), (ph, pw) = stride, padding
    oh, ow = size(h, kh, sh, ph), size(w, kw, sw, pw)
    xp = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
"""
RIGHT = {
    "plain loops": """
    y = np.zeros((n, f, oh, ow))
    for b in range(n):
        for k in range(f):
            for i in range(oh):
                for j in range(ow):
                    acc = bias[k]
                    for q in range(c):
                        for u in range(kh):
                            for v in range(kw):
                                acc += weight[k, q, u, v] * xp[b, q, i * sh + u, j * sw + v]
                    y[b, k, i, j] = acc
    return y
""",
    "einsum over sliding windows": """
    v = sliding_window_view(xp, (kh, kw), axis=(2, 3))[:, :, ::sh, ::sw]
    return np.einsum("nchwij,fcij->nfhw", v, weight) + bias[None, :, None, None]
""",
    "as_strided and tensordot, not contiguous": """
    a, b, d, e = xp.strides
    v = as_strided(xp, (n, c, kh, kw, oh, ow), (a, b, d, e, d * sh, e * sw), writeable=False)
    y = np.tensordot(weight, v, axes=((1, 2, 3), (1, 2, 3)))
    return y.transpose(1, 0, 2, 3) + bias.reshape(-1, 1, 1)
""",
    "scatter: each pixel gives to the outputs it reaches": """
    y = np.zeros((n, f, oh, ow)) + bias[:, None, None]
    for r in range(h):
        for s in range(w):
            for i in range(kh):
                for j in range(kw):
                    a, b = r + ph - i, s + pw - j
                    if a % sh or b % sw or not 0 <= a // sh < oh or not 0 <= b // sw < ow:
                        continue
                    y[:, :, a // sh, b // sw] += x[:, :, r, s] @ weight[:, :, i, j].T
    return y
""",
    "fancy indices and a matrix product": """
    rows = np.arange(oh)[:, None] * sh + np.arange(kh)
    cols = np.arange(ow)[:, None] * sw + np.arange(kw)
    v = xp[:, :, rows[:, None, :, None], cols[None, :, None, :]]
    m = v.transpose(0, 2, 3, 1, 4, 5).reshape(n * oh * ow, -1)
    y = m @ weight.reshape(f, -1).T + bias
    return y.reshape(n, oh, ow, f).transpose(0, 3, 1, 2)
""",
    "Fourier": """
    s = (xp.shape[2] + kh, xp.shape[3] + kw)
    a, b = np.fft.rfft2(xp, s), np.fft.rfft2(weight[:, :, ::-1, ::-1], s)
    y = np.fft.irfft2(np.einsum("nchw,fchw->nfhw", a, b), s)
    y = y[:, :, kh - 1:, kw - 1:][:, :, ::sh, ::sw][:, :, :oh, :ow]
    return y + bias[:, None, None]
""",
}
LOOP = """
    y = np.zeros((n, f, oh, ow))
    for b in range(n):
        for k in range(f):
            for i in range(oh):
                for j in range(ow):
                    window = xp[b, :, {rows}, {columns}]
                    y[b, k, i, j] = np.sum(window * {kernel}) + bias[k]
    return y
"""
ROWS, COLUMNS = "i * sh:i * sh + kh", "j * sw:j * sw + kw"
WRONG = {
    "no + 1 behind the division": (
        "\n    oh, ow = oh - 1, ow - 1" + RIGHT["plain loops"],
        "size.no_plus_one",
    ),
    "+ 1 before the division": (
        "\n    oh, ow = (h + 2 * ph - kh + 1) // sh, (w + 2 * pw - kw + 1) // sw"
        + RIGHT["plain loops"],
        "size.plus_one_inside",
    ),
    "windows at (i, j)": (
        LOOP.format(rows="i:i + kh", columns="j:j + kw", kernel="weight[k]"),
        "conv.stride_size_only",
    ),
    "the stride of the rows, twice, in the window alone": (
        LOOP.format(rows=ROWS, columns="j * sh:j * sh + kw", kernel="weight[k]"),
        "size.h_for_w/step",
    ),
    "a flipped kernel in loops": (
        LOOP.format(rows=ROWS, columns=COLUMNS, kernel="weight[k, :, ::-1, ::-1]"),
        "conv.flip/both",
    ),
    "np.flip without axes": (
        LOOP.format(rows=ROWS, columns=COLUMNS, kernel="np.flip(weight[k])"),
        "conv.flip/channels",
    ),
    "as many whole numbers as went in": (
        LOOP.format(rows=ROWS, columns=COLUMNS, kernel="weight[k]").replace(
            "ow))", "ow), dtype=x.dtype)"
        ),
        "conv.dtype/input",
    ),
    "a reshape for a transpose": (
        """
    v = sliding_window_view(xp, (kh, kw), axis=(2, 3))[:, :, ::sh, ::sw]
    m = v.transpose(0, 2, 3, 1, 4, 5).reshape(n * oh * ow, -1)
    return (m @ weight.reshape(f, -1).T + bias).reshape(n, f, oh, ow)
""",
        "im2col.nchw_reshape/nhwf",
    ),
    "windows in the order KH, KW, C": (
        """
    v = sliding_window_view(xp, (kh, kw), axis=(2, 3))[:, :, ::sh, ::sw]
    m = v.transpose(0, 2, 3, 4, 5, 1).reshape(n * oh * ow, -1)
    return (m @ weight.reshape(f, -1).T + bias).reshape(n, oh, ow, f).transpose(0, 3, 1, 2)
""",
        "im2col.order/taps_first",
    ),
    "the bias along the last axis": (
        """
    v = sliding_window_view(xp, (kh, kw), axis=(2, 3))[:, :, ::sh, ::sw]
    return np.einsum("nchwij,fcij->nfhw", v, weight) + bias
""",
        "conv.bias_axis/width",
    ),
    "the sum of all images": (
        """
    y = np.zeros((n, f, oh, ow))
    for i in range(oh):
        for j in range(ow):
            window = xp[:, :, i * sh:i * sh + kh, j * sw:j * sw + kw]
            y[:, :, i, j] = np.einsum("nchw,fchw->f", window, weight) + bias
    return y
""",
        "conv.no_sum/batch",
    ),
    "the bias in the loop over channels": (
        """
    y = np.zeros((n, f, oh, ow))
    for i in range(oh):
        for j in range(ow):
            window = xp[:, :, i * sh:i * sh + kh, j * sw:j * sw + kw]
            for q in range(c):
                y[:, :, i, j] += np.einsum("nhw,fhw->nf", window[:, q], weight[:, q]) + bias
    return y
""",
        "conv.bias_per_channel/channel",
    ),
    "all in float32": (
        """
    v = sliding_window_view(xp.astype(np.float32), (kh, kw), axis=(2, 3))[:, :, ::sh, ::sw]
    y = np.einsum("nchwij,fcij->nfhw", v, weight.astype(np.float32))
    return y + bias.astype(np.float32)[:, None, None]
""",
        "conv.dtype/float32",
    ),
    "the kernel is flipped where it lies": (
        """
    weight[...] = weight[:, :, ::-1, ::-1].copy()
    return np.zeros((n, f, oh, ow))
""",
        "conv.mutates_input/weight",
    ),
    "two at once: flipped, and no bias": (
        LOOP.format(rows=ROWS, columns=COLUMNS, kernel="weight[k, :, ::-1, ::-1]").replace(
            " + bias[k]", ""
        ),
        "conv.flip/both + conv.bias_missing",
    ),
    "the largest product": (
        LOOP.format(rows=ROWS, columns=COLUMNS, kernel="weight[k]").replace("np.sum", "np.max"),
        None,
    ),
    "no padding anywhere": (
        """
    oh, ow = size(h, kh, sh, 0), size(w, kw, sw, 0)
    xp = x
"""
        + LOOP.format(rows=ROWS, columns=COLUMNS, kernel="weight[k]"),
        "size.hardcoded/padding_0",
    ),
    "only the first image": (
        LOOP.format(rows=ROWS, columns=COLUMNS, kernel="weight[k]").replace(
            "    return", "        return"
        ),
        "pool.return_in_loop/image",
    ),
}


def name_of(source):
    (part,) = check(find_exercise("convolution"), START + source).parts
    assert part.status == "fail", part.problem
    if part.name.match in ("exact", "pair"):
        return " + ".join(one.id for one in part.name.switches)
    assert part.name.match in ("none", "property"), part.name
    return None


@pytest.mark.parametrize("style", RIGHT)
def test_a_right_convolution_passes(style):
    (part,) = check(find_exercise("convolution"), START + RIGHT[style]).parts
    assert (part.status, part.problem) == ("pass", "")


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_convolution_is_named_right_or_not_at_all(mistake):
    source, known = WRONG[mistake]
    assert name_of(source) == known
