"""im2col and col2im as students write them: the right pass, the wrong are named or not."""

import pytest

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.checker import check

START = """
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view, as_strided
def im2col(x, kernel_size, stride, padding):
    n, c, h, w = x.shape
    (kh, kw), (sh, sw), (ph, pw) = kernel_size, stride, padding
    oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    xp = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
"""
BACK = """
import numpy as np
def col2im(columns, size, stride, padding):
    n, c, kh, kw, oh, ow = columns.shape
    (h, w), (sh, sw), (ph, pw) = size, stride, padding
    xp = np.zeros((n, c, h + 2 * ph, w + 2 * pw))
"""
WINDOWS = """
    for i in range(oh):
        for j in range(ow):
            xp[:, :, i * sh:i * sh + kh, j * sw:j * sw + kw] += columns[:, :, :, :, i, j]
"""
FANCY = """
    rows = np.arange(kh)[:, None, None, None] + sh * np.arange(oh)[:, None]
    cols = np.arange(kw)[:, None, None] + sw * np.arange(ow)
"""
WINDOW_FANCY = """
    rows = np.arange(oh)[:, None, None, None] * sh + np.arange(kh)[:, None]
    cols = np.arange(ow)[:, None, None] * sw + np.arange(kw)
    xp[:, :, rows, cols] += columns.transpose(0, 1, 4, 5, 2, 3)
"""
CROP = "    return xp[:, :, ph:ph + h, pw:pw + w]\n"
RIGHT = {
    "a loop over windows": START
    + """
    columns = np.zeros((n, c, kh, kw, oh, ow))
    for i in range(oh):
        for j in range(ow):
            columns[..., i, j] = xp[:, :, i * sh:i * sh + kh, j * sw:j * sw + kw]
    return columns
""",
    "a view, where nothing must be copied": START.replace("np.pad(x,", "np.pad(1.0 * x,")
    + """
    if x.dtype == float and (ph, pw) == (0, 0):
        xp = x
    v = sliding_window_view(xp, (kh, kw), axis=(2, 3))[:, :, ::sh, ::sw]
    return v.transpose(0, 1, 4, 5, 2, 3)
""",
    "as_strided": START
    + """
    xp = xp.astype(np.float64)
    a, b, d, e = xp.strides
    return as_strided(xp, (n, c, kh, kw, oh, ow), (a, b, d, e, d * sh, e * sw))
""",
    "fancy indices": START + FANCY + "    return xp[:, :, rows, cols].astype(float)\n",
    "back: a loop over windows": BACK + WINDOWS + CROP,
    "back: np.add.at": BACK
    + FANCY
    + "    np.add.at(xp, (slice(None), slice(None), rows, cols), columns)\n"
    + CROP,
    "back: only what lies in the image is added": BACK
    + """
    x = np.zeros((n, c, h, w))
    for i, j, a, b in np.ndindex(kh, kw, oh, ow):
        r, s = a * sh + i - ph, b * sw + j - pw
        if 0 <= r < h and 0 <= s < w:
            x[:, :, r, s] += columns[:, :, i, j, a, b]
    return x
""",
    "back: a sum of products with one-hot matrices": BACK
    + """
    def places(size, k, s, p, o):
        at = s * np.arange(o) + np.arange(k)[:, None] - p
        return (at[..., None] == np.arange(size)).astype(float)
    return np.einsum("ncijab,iah,jbw->nchw", columns, places(h, kh, sh, ph, oh),
                     places(w, kw, sw, pw, ow))
""",
}
WRONG = {
    "the windows' axes first": (
        START
        + "    return 1.0 * sliding_window_view(xp, (kh, kw), axis=(2, 3))[:, :, ::sh, ::sw]\n",
        "im2col.order/windows_first",
    ),
    "a reshape of the windows": (
        START
        + """
    v = sliding_window_view(xp, (kh, kw), axis=(2, 3))[:, :, ::sh, ::sw]
    return 1.0 * v.reshape(n, c, kh, kw, oh, ow)
""",
        "im2col.nchw_reshape/windows_first",
    ),
    "a fixed order of memory": (
        START
        + """
    xp = xp.astype(np.float64)
    _, _, H, W = xp.shape
    steps = np.array([c * H * W, H * W, W, 1, W * sh, sw]) * 8
    return as_strided(xp, (n, c, kh, kw, oh, ow), steps)
""",
        "im2col.view_write",
    ),
    "dtype of the input": (
        START
        + """
    columns = np.zeros((n, c, kh, kw, oh, ow), x.dtype)
    for i in range(kh):
        for j in range(kw):
            columns[:, :, i, j] = xp[:, :, i:, j:][:, :, ::sh, ::sw][:, :, :oh, :ow]
    return columns
""",
        "conv.dtype/input",
    ),
    "no stride in the windows": (
        START
        + """
    columns = np.zeros((n, c, kh, kw, oh, ow))
    for i in range(oh):
        for j in range(ow):
            columns[..., i, j] = xp[:, :, i:i + kh, j:j + kw]
    return columns
""",
        "im2col.stride_pos/none",
    ),
    "back: windows replace": (BACK + WINDOWS.replace("+=", "=") + CROP, "col2im.overwrite/windows"),
    "back: places of the kernel replace": (
        BACK
        + """
    for i in range(kh):
        for j in range(kw):
            xp[:, :, i:i + sh * oh:sh, j:j + sw * ow:sw][:, :, :oh, :ow] = columns[:, :, i, j]
"""
        + CROP,
        "col2im.overwrite/taps",
    ),
    "back: += with repeated indices": (
        BACK + FANCY + "    xp[:, :, rows, cols] += columns\n" + CROP,
        "col2im.overwrite/taps",
    ),
    "back: += with repeated indices, windows first": (
        BACK + WINDOW_FANCY + CROP,
        "col2im.overwrite/windows",
    ),
    "back: [p:-p]": (
        BACK + WINDOWS + "    return xp[:, :, ph:-ph, pw:-pw]\n",
        "dx.crop_zero",
    ),
    "back: the image ends with its last window": (
        BACK
        + "    xp = np.zeros((n, c, (oh - 1) * sh + kh, (ow - 1) * sw + kw))\n"
        + WINDOWS
        + CROP,
        "col2im.remainder/from_start",
    ),
    "back: cut at the wrong end": (
        BACK + WINDOWS + "    return xp[:, :, :h, :w]\n",
        "col2im.crop/start",
    ),
    "back: the mean": (
        BACK
        + WINDOWS
        + """
    count = np.zeros(xp.shape)
    for i in range(oh):
        for j in range(ow):
            count[:, :, i * sh:i * sh + kh, j * sw:j * sw + kw] += 1
    count[count == 0] = 1
    xp = xp / count
"""
        + CROP,
        "col2im.mean",
    ),
    "back: overwritten, and cut at the wrong end": (
        BACK + WINDOWS.replace("+=", "=") + "    return xp[:, :, :h, :w]\n",
        "col2im.overwrite/windows + col2im.crop/start",
    ),
    "back: the largest number": (
        BACK
        + """
    for i, j, a, b in np.ndindex(kh, kw, oh, ow):
        at = xp[:, :, a * sh + i, b * sw + j]
        np.maximum(at, columns[:, :, i, j, a, b], out=at)
"""
        + CROP,
        None,
    ),
}


def written(source):
    return [p for p in check(find_exercise("columns"), source).parts if p.status != "not-written"]


@pytest.mark.parametrize("style", RIGHT)
def test_right_columns_pass(style):
    (part,) = written(RIGHT[style])
    assert (part.status, part.problem) == ("pass", "")


@pytest.mark.parametrize("mistake", WRONG)
def test_wrong_columns_are_named_right_or_not_at_all(mistake):
    source, known = WRONG[mistake]
    (part,) = written(source)
    assert part.status == "fail"
    assert part.name.match != "either"
    assert (" + ".join(one.id for one in part.name.switches) or None) == known
