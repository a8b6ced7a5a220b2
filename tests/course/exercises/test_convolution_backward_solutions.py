"""Solutions of exercise convolution_backward as students write them, right ones and wrong ones."""

import pytest

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check

LOOPS = """
import numpy as np

def conv2d_backward(gradient, x, weight, stride, padding):
    N, C, H, W = x.shape
    F, _, KH, KW = weight.shape
    ph, pw = padding
    xp = np.zeros((N, C, H + 2 * ph, W + 2 * pw))
    xp[:, :, ph:ph + H, pw:pw + W] = x
    dxp = np.zeros_like(xp)
    dw = np.zeros_like(weight)
    db = np.zeros(F)
    for n in range(N):
        for f in range(F):
            for i in range(gradient.shape[2]):
                for j in range(gradient.shape[3]):
                    t, l = i * stride[0], j * stride[1]
                    g = gradient[n, f, i, j]
                    window = xp[n, :, t:t + KH, l:l + KW]
                    dw[f] += window * g
                    dxp[n, :, t:t + KH, l:l + KW] += weight[f] * g
                    db[f] += g
    return dxp[:, :, ph:ph + H, pw:pw + W], dw, db
"""

FULL = """
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

def conv2d_backward(g, x, weight, stride, padding):
    (sh, sw), (ph, pw) = stride, padding
    n, f, oh, ow = g.shape
    kh, kw = weight.shape[2:]
    h, w = x.shape[2:]
    spread = np.zeros((n, f, h + 2 * ph - kh + 1, w + 2 * pw - kw + 1))
    spread[:, :, :(oh - 1) * sh + 1:sh, :(ow - 1) * sw + 1:sw] = g
    a, b = kh - 1, kw - 1
    wide = np.pad(spread, ((0, 0), (0, 0), (a, a), (b, b)))
    windows = sliding_window_view(wide, (kh, kw), axis=(2, 3))
    full = np.einsum('nfhwij,fcij->nchw', windows, weight[:, :, ::-1, ::-1])
    dx = full[:, :, ph:ph + h, pw:pw + w]
    xp = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    seen = sliding_window_view(xp, spread.shape[2:], axis=(2, 3))
    dw = np.einsum('ncijhw,nfhw->fcij', seen, spread)
    return dx, dw, np.einsum('nfhw->f', g)
"""

COLUMNS = """
import numpy as np

def places(C, KH, KW, OH, OW, stride):
    k = np.repeat(np.arange(C), KH * KW)[:, None]
    i0 = np.tile(np.repeat(np.arange(KH), KW), C)[:, None]
    j0 = np.tile(np.arange(KW), KH * C)[:, None]
    i1 = stride[0] * np.repeat(np.arange(OH), OW)[None]
    j1 = stride[1] * np.tile(np.arange(OW), OH)[None]
    return k, i0 + i1, j0 + j1

def conv2d_backward(gradient, x, weight, stride, padding):
    N, C, H, W = x.shape
    F, _, KH, KW = weight.shape
    OH, OW = gradient.shape[2:]
    ph, pw = padding
    xp = np.pad(x, [(0, 0), (0, 0), (ph, ph), (pw, pw)])
    k, i, j = places(C, KH, KW, OH, OW, stride)
    columns = xp[:, k, i, j].transpose(1, 2, 0).reshape(C * KH * KW, -1)
    g = gradient.transpose(1, 2, 3, 0).reshape(F, -1)
    dw = (g @ columns.T).reshape(weight.shape)
    dcolumns = (weight.reshape(F, -1).T @ g).reshape(C * KH * KW, -1, N).transpose(2, 0, 1)
    dxp = np.zeros((N, C, H + 2 * ph, W + 2 * pw))
    np.add.at(dxp, (slice(None), k, i, j), dcolumns)
    return [dxp[:, :, ph:H + ph, pw:W + pw], dw, g.sum(axis=1)]
"""

TENSORDOT = """
import numpy as np

def conv2d_backward(gradient, x, weight, stride, padding):
    (H, W), (KH, KW) = x.shape[2:], weight.shape[2:]
    OH, OW = gradient.shape[2:]
    dw = np.empty(weight.shape)
    dx = np.zeros(x.shape)
    for i in range(KH):
        for j in range(KW):
            rows = np.arange(OH) * stride[0] + i - padding[0]
            cols = np.arange(OW) * stride[1] + j - padding[1]
            r, c = (rows >= 0) & (rows < H), (cols >= 0) & (cols < W)
            g = gradient[:, :, r][..., c]
            at = np.ix_(range(x.shape[0]), range(x.shape[1]), rows[r], cols[c])
            dw[:, :, i, j] = np.tensordot(g, x[at], ((0, 2, 3), (0, 2, 3)))
            dx[at] += np.tensordot(g, weight[:, :, i, j], (1, 0)).transpose(0, 3, 1, 2)
    return dx, dw, gradient.sum(axis=(0, 2)).sum(axis=1)
"""

RIGHT = {"loops": LOOPS, "full convolution": FULL, "columns": COLUMNS, "tensordot": TENSORDOT}

WRONG = {
    "mean over the images": (
        LOOPS.replace("g = gradient[n, f, i, j]", "g = gradient[n, f, i, j] / N"),
        {"dx": "dx.mean/images", "dweight": "dw.mean_n", "dbias": "db.mean/images"},
    ),
    "mean over the places": (
        LOOPS.replace("gradient[n, f, i, j]", "gradient[n, f, i, j] / gradient[n, f].size"),
        {"dx": "dx.mean/places", "dweight": "dw.mean_hw", "dbias": "db.mean/places"},
    ),
    "channels last": (
        LOOPS.replace("return dxp", "db = gradient.sum(axis=(0, 1, 2))\n    return dxp"),
        {"dbias": "db.axes/width_only"},
    ),
    "window =": (
        LOOPS.replace("weight[f] * g\n", "weight[f] * g\n").replace(
            "KW] += weight[f]", "KW] = weight[f]"
        ),
        {"dx": "dx.overwrite/filter"},
    ),
    "weight =": (LOOPS.replace("dw[f] +=", "dw[f] ="), {"dweight": "dw.last_window/image"}),
    "bias =": (LOOPS.replace("db[f] +=", "db[f] ="), {"dbias": "db.overwrite/window"}),
    "by image": (LOOPS.replace("dw[f] +=", "dw[n] +="), {"dweight": "dw.batch_index"}),
    "first only": (
        LOOPS.replace("range(N)", "range(1)"),
        {"dx": None, "dweight": "dw.first_item", "dbias": "db.first_item"},
    ),
    "no stride": (
        LOOPS.replace("i * stride[0], j * stride[1]", "i, j"),
        {"dx": "dx.stride_ignored", "dweight": "dw.stride/step"},
    ),
    "swapped": (
        LOOPS.replace("i * stride[0], j * stride[1]", "j * stride[0], i * stride[1]"),
        {"dx": "dx.index/swapped", "dweight": None, "dbias": "dx.index/swapped"},
    ),
    "minus": (
        LOOPS.replace("dxp[:, :, ph:ph + H, pw:pw + W], dw", "dxp[:, :, ph:-ph, pw:-pw], dw"),
        {"dx": "dx.crop_zero"},
    ),
    "summed window": (
        LOOPS.replace("window * g", "np.sum(window * g)"),
        {"dweight": "dw.dot"},
    ),
    "not flipped": (FULL.replace("[:, :, ::-1, ::-1]", ""), {"dx": "dx.not_rotated"}),
    "not swapped": (
        FULL.replace("nfhwij,fcij->nchw", "nchwij,fcij->nfhw"),
        {"dx": "dx.no_channel_swap/swap", "dweight": "dx.no_channel_swap/swap",
         "dbias": "dx.no_channel_swap/swap"},
    ),
    "uncropped": (FULL.replace("dx = full[:, :, ph:ph + h, pw:pw + w]", "dx = full"),
                  {"dx": "dx.no_crop"}),
    "no rest": (
        FULL.replace("h + 2 * ph - kh + 1, w + 2 * pw - kw + 1",
                     "(oh - 1) * sh + 1, (ow - 1) * sw + 1"),
        {"dx": "dx.remainder/short", "dweight": "dw.stride/remainder"},
    ),
    "x as it is": (
        TENSORDOT.replace("- padding[0]", "").replace("- padding[1]", ""),
        {"dx": "dx.crop_end/start", "dweight": "dw.unpadded_x/clipped"},
    ),
    "+= keeps one": (
        COLUMNS.replace("np.add.at(dxp, (slice(None), k, i, j), dcolumns)",
                        "dxp[:, k, i, j] += dcolumns"),
        {"dx": "dx.overwrite/tap"},
    ),
    "reshaped": (
        COLUMNS.replace("gradient.transpose(1, 2, 3, 0).reshape(F, -1)",
                        "gradient.reshape(F, -1)"),
        {"dx": None, "dweight": None, "dbias": None},
    ),
    "mean": (TENSORDOT.replace("gradient.sum(axis=(0, 2)).sum(axis=1)",
                               "gradient.mean(axis=(0, 2, 3))"), {"dbias": "db.mean/all"}),
    "images left": (TENSORDOT.replace("gradient.sum(axis=(0, 2)).sum(axis=1)",
                                      "gradient.sum(axis=(2, 3))"),
                    {"dbias": "db.axes/images_left"}),
    "two": (
        TENSORDOT.replace("dw[:, :, i, j] = np", "dw[:, :, -1 - i, -1 - j] = np").replace(
            "return dx, dw,", "return dx, dw / len(x),"),
        {"dweight": "dw.mean_n, dw.flip"},
    ),
    "half of it": (TENSORDOT.replace("return dx, dw,", "return dx, dw / 2,"), {"dweight": None}),
    "relu": (TENSORDOT.replace("return dx, dw,", "return dx, abs(dw),"), {"dweight": None}),
    "other order": (
        LOOPS.replace("return dxp[:, :, ph:ph + H, pw:pw + W], dw, db",
                      "return dw, dxp[:, :, ph:ph + H, pw:pw + W], db"),
        {"dx": None, "dweight": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_a_right_one_passes(source):
    report = check(find_exercise("convolution_backward"), source)
    assert [one.problem for one in report.parts] == [""] * len(report.parts)


@pytest.mark.parametrize(("source", "mistakes"), WRONG.values(), ids=WRONG)
def test_a_wrong_one_is_named_right_or_not_at_all(source, mistakes):
    report = check(find_exercise("convolution_backward"), source)
    found = {
        one.part.id: ", ".join(switch.id for switch in one.name.switches) or None
        for one in report.parts
        if one.status != "pass"
    }
    assert found == mistakes
