"""Solutions of exercise pooling as students write them, right ones and wrong ones."""

import pytest

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check

LOOPS = """
import numpy as np

def max_pool2d(x, kernel_size, stride, padding):
    N, C, H, W = x.shape
    KH, KW = kernel_size
    OH = (H + 2 * padding[0] - KH) // stride[0] + 1
    OW = (W + 2 * padding[1] - KW) // stride[1] + 1
    values = np.zeros((N, C, OH, OW))
    indices = np.zeros((N, C, OH, OW), dtype=int)
    for n in range(N):
        for c in range(C):
            for i in range(OH):
                for j in range(OW):
                    best = -np.inf
                    for a in range(KH):
                        for b in range(KW):
                            r = i * stride[0] + a - padding[0]
                            q = j * stride[1] + b - padding[1]
                            if 0 <= r < H and 0 <= q < W and x[n, c, r, q] > best:
                                best = x[n, c, r, q]
                                indices[n, c, i, j] = r * W + q
                    values[n, c, i, j] = best
    return values, indices

def max_pool2d_backward(gradient, indices, size):
    N, C, OH, OW = gradient.shape
    H, W = size
    dx = np.zeros((N, C, H, W))
    for n in range(N):
        for c in range(C):
            for i in range(OH):
                for j in range(OW):
                    r, q = divmod(indices[n, c, i, j], W)
                    dx[n, c, r, q] += gradient[n, c, i, j]
    return dx
"""

PADDED = """
import numpy as np

def max_pool2d(x, kernel_size, stride, padding):
    (n, c, h, w), (kh, kw), (sh, sw), (ph, pw) = x.shape, kernel_size, stride, padding
    xp = np.full((n, c, h + 2 * ph, w + 2 * pw), -np.inf)
    xp[:, :, ph:ph + h, pw:pw + w] = x
    oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    values = np.empty((n, c, oh, ow))
    indices = np.empty((n, c, oh, ow), np.int64)
    for i in range(oh):
        for j in range(ow):
            window = xp[:, :, i * sh:i * sh + kh, j * sw:j * sw + kw].reshape(n, c, -1)
            k = window.argmax(axis=2)
            values[:, :, i, j] = np.max(window, axis=-1)
            a, b = np.unravel_index(k, (kh, kw))
            indices[:, :, i, j] = (i * sh + a - ph) * w + j * sw + b - pw
    return values, indices

def max_pool2d_backward(gradient, indices, size):
    n, c, oh, ow = gradient.shape
    dx = np.zeros((n, c, size[0] * size[1]))
    for b in range(n):
        for k in range(c):
            np.add.at(dx[b, k], indices[b, k].ravel(), gradient[b, k].ravel())
    return dx.reshape(n, c, *size)
"""

RUNNING = """
import numpy as np

def max_pool2d(x, kernel_size, stride, padding):
    n, c, h, w = x.shape
    place = np.broadcast_to(np.arange(h * w).reshape(h, w), x.shape)
    sides = [(0, 0), (0, 0), (padding[0], padding[0]), (padding[1], padding[1])]
    xp = np.pad(np.float64(x), sides, constant_values=-np.inf)
    at = np.pad(place, sides)
    oh = (xp.shape[2] - kernel_size[0]) // stride[0] + 1
    ow = (xp.shape[3] - kernel_size[1]) // stride[1] + 1
    values, indices = np.full((n, c, oh, ow), -np.inf), np.zeros((n, c, oh, ow), np.int64)
    for a in range(kernel_size[0]):
        for b in range(kernel_size[1]):
            tap = np.s_[:, :, a::stride[0], b::stride[1]]
            v, k = xp[tap][:, :, :oh, :ow], at[tap][:, :, :oh, :ow]
            larger = v > values
            values, indices = np.where(larger, v, values), np.where(larger, k, indices)
    return values, indices

def max_pool2d_backward(g, indices, size):
    plane = size[0] * size[1]
    one_hot = indices.reshape(*indices.shape[:2], -1, 1) == np.arange(plane)
    dx = np.einsum('ncop,nco->ncp', one_hot.astype(float), g.reshape(*g.shape[:2], -1))
    return dx.reshape(*g.shape[:2], *size)
"""

STRIDED = """
import numpy as np
from numpy.lib.stride_tricks import as_strided

def max_pool2d(x, kernel_size, stride, padding):
    ph, pw = padding
    low = np.finfo(np.float64).min
    x = x.astype(np.float64)
    xp = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), 'constant', constant_values=low)
    oh = (xp.shape[2] - kernel_size[0]) // stride[0] + 1
    ow = (xp.shape[3] - kernel_size[1]) // stride[1] + 1
    a, b, d, e = xp.strides
    v = as_strided(xp, x.shape[:2] + (oh, ow) + tuple(kernel_size),
                   (a, b, d * stride[0], e * stride[1], d, e))
    v = v.reshape(*v.shape[:4], -1)
    k = v.argmax(4)
    values = np.take_along_axis(v, k[..., None], 4)[..., 0]
    r = k // kernel_size[1] + np.arange(oh).reshape(-1, 1) * stride[0] - ph
    q = k % kernel_size[1] + np.arange(ow).reshape(1, -1) * stride[1] - pw
    return values, np.ravel_multi_index((r, q), x.shape[2:])

def max_pool2d_backward(gradient, indices, size):
    n, c = gradient.shape[:2]
    dx = np.zeros((n, c) + tuple(size))
    b, k, _, _ = np.indices(indices.shape)
    np.add.at(dx, (b, k, indices // size[1], indices % size[1]), gradient)
    return dx
"""

RIGHT = {"loops": LOOPS, "padded": PADDED, "running maximum": RUNNING, "strided": STRIDED}

WRONG = {
    "last tie": (LOOPS.replace("> best", ">= best"), {"indices": "pool.last_tie"}),
    "from 0": (LOOPS.replace("best = -np.inf", "best = 0"),
               {"values": "pool.init_zero", "indices": "pool.init_zero"}),
    "in the window": (LOOPS.replace("= r * W + q", "= a * KW + b"),
                      {"indices": "pool.argmax_local"}),
    "times H": (LOOPS.replace("= r * W + q", "= r * H + q"), {"indices": "pool.argmax_xy/height"}),
    "padded place": (PADDED.replace("(i * sh + a - ph) * w + j * sw + b - pw",
                                    "(i * sh + a) * xp.shape[3] + j * sw + b"),
                     {"indices": "pool.argmax_padded/all"}),
    "zeros": (PADDED.replace("np.full((n, c, h + 2 * ph, w + 2 * pw), -np.inf)",
                             "np.zeros((n, c, h + 2 * ph, w + 2 * pw))"),
              {"values": "pool.pad_zero", "indices": "pool.pad_zero"}),
    "kernel as step": (PADDED.replace("i * sh:i * sh + kh, j * sw:j * sw + kw",
                                      "i * kh:i * kh + kh, j * kw:j * kw + kw"),
                       {"values": "pool.window_k/start", "indices": None}),
    "return too early": (LOOPS.replace("    return values", "        return values"),
                         {"values": "pool.return_in_loop/image",
                          "indices": "pool.return_in_loop/image"}),
    "all channels": (PADDED.replace("reshape(n, c, -1)", "reshape(n, -1)[:, None].repeat(c, 1)")
                     .replace("unravel_index(k, (", "unravel_index(k % (kh * kw), ("),
                     {"values": "pool.over_channels", "indices": "pool.over_channels"}),
    "not float": (PADDED.replace("values = np.empty((n, c, oh, ow))",
                                 "values = np.empty((n, c, oh, ow), x.dtype)"),
                  {"values": None}),
    "zero padding with a running maximum": (
        RUNNING.replace("np.pad(np.float64(x), sides, constant_values=-np.inf)",
                        "np.pad(np.float64(x), sides)"),
        {"values": "pool.pad_zero", "indices": None}),
    "backward =": (LOOPS.replace("dx[n, c, r, q] +=", "dx[n, c, r, q] ="),
                   {"dx": "pool.overwrite"}),
    "fancy +=": (STRIDED.replace(
        "np.add.at(dx, (b, k, indices // size[1], indices % size[1]), gradient)",
        "dx[b, k, indices // size[1], indices % size[1]] += gradient"), {"dx": "pool.overwrite"}),
    "one plane": (PADDED.replace("np.add.at(dx[b, k], ", "np.add.at(dx[0, 0], "),
                  {"dx": "unpool.no_batch/all"}),
    "divided by H": (LOOPS.replace("divmod(indices[n, c, i, j], W)",
                                   "divmod(indices[n, c, i, j], H)"), {"dx": "unpool.xy/height"}),
    "column by column": (
        LOOPS.replace("r, q = divmod(indices[n, c, i, j], W)", "q, r = divmod("
                      "indices[n, c, i, j], H)"), {"dx": "unpool.xy/column_first"}),
    "row and column": (LOOPS.replace("r, q = divmod", "q, r = divmod"),
                       {"dx": "unpool.xy/swapped"}),
    "divided by OW": (LOOPS.replace("divmod(indices[n, c, i, j], W)",
                                    "divmod(indices[n, c, i, j], OW)"),
                      {"dx": "unpool.pooled_width"}),
    "backward returns too early": (LOOPS.replace("    return dx", "            return dx"),
                                   {"dx": "pool.return_in_loop/channel"}),
    "each once": (RUNNING.replace("dx = np.einsum('ncop,nco->ncp', one_hot.astype(float),",
                                  "dx = np.einsum('ncop,nco->ncp', one_hot / 2,"), {"dx": None}),
    "average": (PADDED.replace("np.max(window, axis=-1)", "np.mean(window, axis=-1)"),
                {"values": None}),
    "floats": (STRIDED.replace("np.ravel_multi_index((r, q), x.shape[2:])",
                               "1.0 * np.ravel_multi_index((r, q), x.shape[2:])"),
               {"indices": None}),
    "values only": (STRIDED.replace("return values, np", "return values  # np"),
                    {"values": None, "indices": None}),
}  # fmt: skip


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_a_right_one_passes(source):
    report = check(find_exercise("pooling"), source)
    assert [one.problem for one in report.parts] == [""] * len(report.parts)


@pytest.mark.parametrize(("source", "mistakes"), WRONG.values(), ids=WRONG)
def test_a_wrong_one_is_named_right_or_not_at_all(source, mistakes):
    report = check(find_exercise("pooling"), source)
    found = {
        one.part.id: ", ".join(switch.id for switch in one.name.switches) or None
        for one in report.parts
        if one.status != "pass"
    }
    assert found == mistakes
