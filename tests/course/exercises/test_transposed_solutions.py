"""Solutions of exercise transposed as students write them, right ones and wrong ones."""

import pytest

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check

LOOPS = """
import numpy as np

def conv_transpose2d(y, weight, stride, padding, output_padding):
    N, C, H, W = y.shape
    _, F, KH, KW = weight.shape
    OH = (H - 1) * stride[0] - 2 * padding[0] + KH + output_padding[0]
    OW = (W - 1) * stride[1] - 2 * padding[1] + KW + output_padding[1]
    x = np.zeros((N, F, OH, OW))
    for n in range(N):
        for c in range(C):
            for f in range(F):
                for i in range(H):
                    for j in range(W):
                        for a in range(KH):
                            for b in range(KW):
                                r = i * stride[0] + a - padding[0]
                                q = j * stride[1] + b - padding[1]
                                if 0 <= r < OH and 0 <= q < OW:
                                    x[n, f, r, q] += y[n, c, i, j] * weight[c, f, a, b]
    return x
"""

STAMPS = """
import numpy as np

def conv_transpose2d(y, weight, stride, padding, output_padding):
    N, C, H, W = y.shape
    _, F, KH, KW = weight.shape
    sh, sw = stride
    ph, pw = padding
    full = np.zeros((N, F, (H - 1) * sh + KH + output_padding[0],
                     (W - 1) * sw + KW + output_padding[1]))
    for i in range(H):
        for j in range(W):
            stamp = np.tensordot(y[:, :, i, j], weight, axes=1)
            full[:, :, i * sh:i * sh + KH, j * sw:j * sw + KW] += stamp
    return full[:, :, ph:full.shape[2] - ph, pw:full.shape[3] - pw]
"""

SPREAD = """
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

def conv_transpose2d(y, weight, stride, padding, output_padding):
    (n, c, h, w), (kh, kw) = y.shape, weight.shape[2:]
    (sh, sw), (ph, pw), (eh, ew) = stride, padding, output_padding
    spread = np.zeros((n, c, (h - 1) * sh + 1, (w - 1) * sw + 1))
    spread[:, :, ::sh, ::sw] = y
    top, left = kh - 1 - ph, kw - 1 - pw
    spread = np.pad(spread, ((0, 0), (0, 0), (kh - 1, kh - 1 + eh), (kw - 1, kw - 1 + ew)))
    spread = spread[:, :, kh - 1 - top:, kw - 1 - left:]
    spread = spread[:, :, :spread.shape[2] - ph, :spread.shape[3] - pw]
    windows = sliding_window_view(spread, (kh, kw), axis=(2, 3))
    kernel = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    return np.einsum('ncijhw,fchw->nfij', windows, kernel)
"""

COLUMNS = """
import numpy as np

def conv_transpose2d(y, weight, stride, padding, output_padding):
    n, c, h, w = y.shape
    f, kh, kw = weight.shape[1:]
    columns = weight.reshape(c, -1).T @ y.reshape(n, c, -1)
    columns = columns.reshape(n, f, kh, kw, h, w)
    size = [(y.shape[2 + i] - 1) * stride[i] + weight.shape[2 + i] + output_padding[i]
            for i in (0, 1)]
    full = np.zeros((n, f, *size))
    r = np.arange(kh)[:, None, None, None] + np.arange(h)[:, None] * stride[0]
    q = np.arange(kw)[:, None, None] + np.arange(w) * stride[1]
    np.add.at(full, (slice(None), slice(None), r, q), columns)
    stop = [size[i] - padding[i] for i in (0, 1)]
    return full[..., padding[0]:stop[0], padding[1]:stop[1]]
"""

MATRIX = """
import numpy as np

def line(n, k, s, p, e):
    # where[o, i, a]: whether output o is input i's tap a
    o = np.arange((n - 1) * s - 2 * p + k + e)[:, None, None]
    return (o + p == np.arange(n)[:, None] * s + np.arange(k)).astype(float)

def conv_transpose2d(y, weight, stride, padding, output_padding):
    rows = line(y.shape[2], weight.shape[2], stride[0], padding[0], output_padding[0])
    cols = line(y.shape[3], weight.shape[3], stride[1], padding[1], output_padding[1])
    half = np.einsum('nchw,cfab->nfhwab', y, weight)
    return np.einsum('rha,qwb,nfhwab->nfrq', rows, cols, half, optimize=True)
"""

RIGHT = {"loops": LOOPS, "stamps": STAMPS, "spread": SPREAD, "columns": COLUMNS, "matrix": MATRIX}

WRONG = {
    "stamp =": (STAMPS.replace("KW] += stamp", "KW] = stamp"), {"x": "tconv.overwrite/window"}),
    "not cropped": (STAMPS.replace("full[:, :, ph:full.shape[2] - ph, pw:full.shape[3] - pw]",
                                   "full"), {"x": "tconv.size/no_crop"}),
    "minus": (STAMPS.replace("full[:, :, ph:full.shape[2] - ph, pw:full.shape[3] - pw]",
                             "full[:, :, ph:-ph, pw:-pw]"), {"x": "tconv.crop_zero"}),
    "zeros appended": (
        STAMPS.replace("KH + output_padding[0]", "KH").replace("KW + output_padding[1]", "KW")
        .replace("return full[:, :, ph:full.shape[2] - ph, pw:full.shape[3] - pw]",
                 "full = full[:, :, ph:full.shape[2] - ph, pw:full.shape[3] - pw]\n    return"
                 " np.pad(full, ((0, 0), (0, 0), (0, output_padding[0]), (0, output_padding[1])))"),
        {"x": "tconv.outpad_zeros/appended"}),
    "no output_padding": (
        STAMPS.replace("KH + output_padding[0]", "KH").replace("KW + output_padding[1]", "KW"),
        {"x": "tconv.outpad_zeros/missing"}),
    "at the end": (
        STAMPS.replace("full[:, :, ph:full.shape[2] - ph, pw:full.shape[3] - pw]",
                       "full[:, :, :full.shape[2] - 2 * ph, :full.shape[3] - 2 * pw]"),
        {"x": "tconv.crop_one_side/end"}),
    "not rotated": (SPREAD.replace("[:, :, ::-1, ::-1]", ""), {"x": "tconv.flip"}),
    "no spread": (
        LOOPS.replace("i * stride[0] + a", "i + a").replace("j * stride[1] + b", "j + b"),
        {"x": "tconv.stride_step/scatter"}),
    "weight (F, C)": (
        LOOPS.replace("_, F, KH, KW = weight.shape", "F, _, KH, KW = weight.shape")
        .replace("weight[c, f, a, b]", "weight[f, c, a, b]"), {"x": None}),
    "kernel transposed": (LOOPS.replace("weight[c, f, a, b]", "weight[c, f, b, a]"),
                          {"x": "tconv.kernel_T"}),
    "columns +=": (COLUMNS.replace(
        "np.add.at(full, (slice(None), slice(None), r, q), columns)",
        "full[:, :, r, q] += columns"),
        {"x": "tconv.overwrite/tap"}),
    "padding of height": (COLUMNS.replace("padding[1]:stop[1]", "padding[0]:size[1] - padding[0]"),
                          {"x": "tconv.pad_hw"}),
    "padded by p": (SPREAD.replace("top, left = kh - 1 - ph, kw - 1 - pw", "top, left = ph, pw")
                    .replace(":spread.shape[2] - ph, :spread.shape[3] - pw",
                             ":spread.shape[2] - (kh - 1 - top), "
                             ":spread.shape[3] - (kw - 1 - left)"),
                    {"x": "tconv.pad_formula/p"}),
    "reshaped weight": (SPREAD.replace("[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)",
                                       "[:, :, ::-1, ::-1].reshape(-1, c, kh, kw)"),
                        {"x": "tconv.weight_io/reshape"}),
    "first channel": (LOOPS.replace("range(C)", "range(1)"), {"x": "tconv.one_channel"}),
    "channel =": (LOOPS.replace("x[n, f, r, q] +=", "x[n, f, r, q] ="),
                  {"x": "tconv.overwrite/channel"}),
    "two at once": (
        STAMPS.replace("axes=1)", "axes=1)[:, :, ::-1, ::-1]").replace(
            "KH + output_padding[0]", "KH").replace("KW + output_padding[1]", "KW"),
        {"x": "tconv.outpad_zeros/missing, tconv.flip"}),
    "a constant": (MATRIX.replace("return np", "return 0.5 + np"), {"x": None}),
    "transposed result": (MATRIX.replace("->nfrq", "->nfqr"), {"x": None}),
}  # fmt: skip


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_a_right_one_passes(source):
    report = check(find_exercise("transposed"), source)
    assert [one.problem for one in report.parts] == [""] * len(report.parts)


@pytest.mark.parametrize(("source", "mistakes"), WRONG.values(), ids=WRONG)
def test_a_wrong_one_is_named_right_or_not_at_all(source, mistakes):
    report = check(find_exercise("transposed"), source)
    found = {
        one.part.id: ", ".join(switch.id for switch in one.name.switches) or None
        for one in report.parts
        if one.status != "pass"
    }
    assert found == mistakes
