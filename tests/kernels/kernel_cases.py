"""Random arguments for every kernel, and the implementations that are to agree on them."""

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from random_windows import CHANNELS, GENERATORS, pairs, windows

from minifcn.kernels import checks, cpu, geometry, gpu, reference


class OnGPU:
    """The CUDA kernels on a real GPU: arrays are moved there, and what comes out is moved back."""

    def __getattr__(self, name):
        import cupy

        def call(*arguments):
            moved = [cupy.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments]
            result = getattr(gpu, name)(*moved)
            for i in IN_PLACE.get(name, ()):
                arguments[i][...] = moved[i].get()
            parts = [a if a is None else a.get() for a in as_list(result)]
            return tuple(parts) if isinstance(result, tuple) else parts[0]

        return call


def as_list(result):
    return list(result) if isinstance(result, tuple) else [result]


FAST = [
    pytest.param(cpu, id="cpu"),
    pytest.param(gpu, id="cuda on the cpu", marks=pytest.mark.cuda_on_cpu),
    pytest.param(OnGPU(), id="cuda on a gpu", marks=pytest.mark.gpu),
]
"""Every implementation that is to compute what the reference defines. NumPy arrays given to
`gpu` make it run its CUDA text on the CPU."""

IMPLEMENTATIONS = pytest.mark.parametrize("kernel", [pytest.param(reference, id="loops"), *FAST])


@st.composite
def convolutions(draw):
    """(x, weight, y, (stride, padding, dilation, groups)) of one convolution; y has no meaning."""
    size, kernel_size, stride, padding, dilation = draw(windows())
    rng, n, groups = draw(GENERATORS), draw(st.integers(0, 2)), draw(st.integers(1, 3))
    c, f = draw(st.integers(1, 2)), draw(st.integers(1, 2)) * groups
    out = geometry.output_pair(size, kernel_size, stride, padding, dilation)
    x = rng.standard_normal((n, c * groups, *size))
    weight = rng.standard_normal((f, c, *kernel_size))
    return x, weight, rng.standard_normal((n, f, *out)), (stride, padding, dilation, groups)


@st.composite
def im2col(draw):
    size, kernel_size, *settings = draw(windows())
    return draw(GENERATORS).standard_normal((2, draw(CHANNELS), *size)), kernel_size, *settings


@st.composite
def col2im(draw):
    size, kernel_size, *settings = draw(windows())
    out = geometry.output_pair(size, kernel_size, *settings)
    columns = draw(GENERATORS).standard_normal((2, draw(CHANNELS), *kernel_size, *out))
    return columns, size, *settings


@st.composite
def conv_transpose2d(draw):
    _, weight, y, (stride, padding, dilation, groups) = draw(convolutions())
    output_padding = (0, 0)
    if draw(st.booleans()):
        most = (max(s, d) - 1 for s, d in zip(stride, dilation, strict=True))
        output_padding = tuple(draw(st.integers(0, n)) for n in most)
    size = geometry.transpose_output_pair(
        y.shape[2:], weight.shape[2:], stride, padding, output_padding, dilation
    )
    assume(min(size) >= 1)
    return y, weight, stride, padding, output_padding, dilation, groups


@st.composite
def conv1x1(draw):
    rng, c = draw(GENERATORS), draw(CHANNELS)
    x = rng.standard_normal((draw(st.integers(0, 2)), c, *draw(pairs(1, 4))))
    return x, rng.standard_normal((draw(CHANNELS), c))


@st.composite
def conv1x1_weight(draw):
    x, weight = draw(conv1x1())
    return x, draw(GENERATORS).standard_normal((len(x), len(weight), *x.shape[2:]))


@st.composite
def max_pool2d(draw):
    """Small whole numbers, for many ties, with some NaN and -inf among them."""
    size, kernel_size, stride, _, dilation = draw(windows(most_dilation=2))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel_size)
    settings = (kernel_size, stride, padding, dilation, draw(st.booleans()))
    try:
        checks.check_pool(size, *settings)
    except ValueError:
        assume(False)
    rng = draw(GENERATORS)
    x = rng.integers(-2, 3, (draw(st.integers(0, 2)), draw(CHANNELS), *size)).astype(float)
    x[rng.random(x.shape) < draw(st.sampled_from([0, 0.3, 1]))] = -np.inf
    x[rng.random(x.shape) < draw(st.sampled_from([0, 0, 0.2]))] = np.nan
    return x, *settings, draw(st.booleans())


@st.composite
def gather(draw):
    rng, n, c = draw(GENERATORS), draw(st.integers(0, 2)), draw(CHANNELS)
    size, out = draw(pairs(1, 5)), draw(pairs(1, 5))
    indices = rng.integers(0, size[0] * size[1], (n, c, *out))  # duplicates are likely
    return rng.standard_normal((n, c, *size)), indices


@st.composite
def unpool(draw):
    x, indices = draw(gather())
    return draw(GENERATORS).standard_normal(indices.shape), indices, x.shape[2:]


@st.composite
def resize(draw):
    x = draw(GENERATORS).standard_normal(
        (draw(st.integers(0, 2)), draw(CHANNELS), *draw(pairs(1, 6)))
    )
    size = draw(pairs(1, 8))
    steps = tuple(
        draw(st.sampled_from([n / o, (n - 1) / max(o - 1, 1), 0.0, 0.7, 1.3]))
        for n, o in zip(x.shape[2:], size, strict=True)
    )
    return x, size, steps, draw(st.sampled_from(["nearest", "bilinear"])), draw(st.booleans())


@st.composite
def resize_adjoint(draw):
    x, size, *settings = draw(resize())
    return draw(GENERATORS).standard_normal((*x.shape[:2], *size)), x.shape[2:], *settings


@st.composite
def with_bias(draw, arguments):
    """Arguments of a convolution, some with a bias, some rectified."""
    values = draw(arguments)
    bias = draw(GENERATORS).standard_normal(len(values[1])) if draw(st.booleans()) else None
    return *values, bias, draw(st.booleans())


@st.composite
def array(draw):
    """An array of 1 to 4 axes, with zeros and NaN in it."""
    rng = draw(GENERATORS)
    x = rng.standard_normal(draw(st.lists(st.integers(0, 4), min_size=1, max_size=4)))
    x[rng.random(x.shape) < 0.2] = draw(st.sampled_from([0, -0.0, np.inf, np.nan]))
    return x


@st.composite
def relu_gradient(draw):
    y = np.maximum(draw(array()), 0)
    return draw(GENERATORS).standard_normal(y.shape), y


@st.composite
def scored(draw):
    """Scores (N, C, H, W) and labels (N, H, W)."""
    rng, c = draw(GENERATORS), draw(CHANNELS)
    x = rng.standard_normal((draw(st.integers(0, 2)), c, *draw(pairs(1, 4))))
    x *= draw(st.sampled_from([1, 300]))  # exp(800) is not finite
    return x, rng.integers(0, c, (len(x), *x.shape[2:]))


@st.composite
def cross_entropy_gradient(draw):
    x, labels = draw(scored())
    _, logs = reference.cross_entropy(x, labels)
    return x, labels, logs, draw(GENERATORS).standard_normal(logs.shape)


@st.composite
def batch_norm(draw):
    """At least 8 numbers a channel: of fewer, the gradient is a small difference of large ones.

    Some clipped, some with given statistics. A small limit, so that many numbers meet it.
    """
    rng, n, c = draw(GENERATORS), draw(st.integers(2, 3)), draw(CHANNELS)
    x = rng.standard_normal((n, c, *draw(pairs(2, 4)))) + draw(st.sampled_from([0, 10]))
    eps, limit = draw(st.sampled_from([1e-5, 0.1])), draw(st.sampled_from([None, np.inf, 0.5]))
    given = (rng.standard_normal(c), rng.random(c)) if draw(st.booleans()) else (None, None)
    return x, rng.standard_normal(c), rng.standard_normal(c), eps, limit, *given


@st.composite
def batch_norm_gradient(draw):
    x, weight, bias, eps, limit, *given = draw(batch_norm())
    y, mean, var = reference.batch_norm(x, weight, bias, eps, limit, *given)
    clip = (None, np.inf) if limit is None else (y, limit)
    gradient = draw(GENERATORS).standard_normal(x.shape)
    return gradient, x, weight, mean, var, eps, *clip, given[0] is not None


@st.composite
def sgd_update(draw):
    rng, shape = draw(GENERATORS), draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    arrays = rng.standard_normal((3, *shape))
    return *arrays, 0.1, draw(st.sampled_from([0.0, 0.9])), draw(st.sampled_from([0.0, 0.01]))


@st.composite
def adam_update(draw):
    parameter, gradient, mean, *_, decay = draw(sgd_update())
    square, steps = np.square(mean), draw(st.integers(1, 100))
    return parameter, gradient, mean, square, steps, 0.1, (0.9, 0.999), 1e-8, decay


IN_PLACE = {"sgd_update": (0, 2), "adam_update": (0, 2, 3)}
"""Which arguments a kernel changes that returns nothing."""


def outputs(module, name, arguments):
    """The arrays that a kernel returns, or has changed."""
    if name not in IN_PLACE:
        return as_tuple(getattr(module, name)(*arguments))
    arguments = [np.array(a) if isinstance(a, np.ndarray) else a for a in arguments]
    assert getattr(module, name)(*arguments) is None
    return tuple(arguments[i] for i in IN_PLACE[name])


ARGUMENTS = {
    "batch_norm": batch_norm(),
    "batch_norm_gradient": batch_norm_gradient(),
    "sgd_update": sgd_update(),
    "adam_update": adam_update(),
    "relu": array().map(lambda x: (x,)),
    "relu_gradient": relu_gradient(),
    "relu6": array().map(lambda x: (4 * x,)),
    "relu6_gradient": relu_gradient().map(lambda case: (case[0], np.minimum(4 * case[1], 6))),
    "channel_sums": conv1x1().map(lambda case: case[:1]),
    "cross_entropy": scored(),
    "cross_entropy_gradient": cross_entropy_gradient(),
    "im2col": im2col(),
    "col2im": col2im(),
    "conv2d": with_bias(convolutions().map(lambda case: (*case[:2], *case[3]))),
    "conv_transpose2d": conv_transpose2d(),
    "conv2d_weight": convolutions().map(lambda c: (c[0], c[2], c[1].shape[2:], *c[3])),
    "conv1x1": with_bias(conv1x1()),
    "conv1x1_weight": conv1x1_weight(),
    "max_pool2d": max_pool2d(),
    "gather": gather(),
    "unpool": unpool(),
    "resize": resize(),
    "resize_adjoint": resize_adjoint(),
}


def as_tuple(result):
    """The arrays of a result; max_pool2d has None where no indices were wanted."""
    return tuple(a for a in result if a is not None) if isinstance(result, tuple) else (result,)


def to_float32(arguments):
    return [
        a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype == np.float64 else a
        for a in arguments
    ]


TOLERANCE = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-5}


def assert_close(found, expected, least=0.0):
    """Of one shape and dtype, and as close as the dtype allows, relative to the norm.

    least: a norm to start from, for sums of so few numbers that they may cancel to nothing.
    """
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    odd = ~np.isfinite(expected)
    np.testing.assert_array_equal(found[odd], expected[odd])
    norm = max(np.linalg.norm(expected[~odd]), least)
    assert np.linalg.norm(found[~odd] - expected[~odd]) <= TOLERANCE.get(found.dtype, 0) * norm
