"""Indices are int64 everywhere: also where NumPy's own integers are 32 bits wide.

There np.arange, np.cumsum and their like give int32 unless they are told otherwise. Here they do
too, for the time of a test.
"""

import numpy as np
import pytest

from minifcn import Tensor, grad, kernels
from minifcn import functional as F
from minifcn.plots.pooled import ways_back

X = np.random.default_rng(0).standard_normal((2, 3, 6, 8))


def narrow(function):
    """The function with int32 for its own integers, as on a platform of 32 bits."""

    def call(*arguments, **options):
        result = function(*arguments, **options)
        told = options.get("dtype") is not None
        is_wide = isinstance(result, np.ndarray) and result.dtype == np.int64
        return result.astype(np.int32) if is_wide and not told else result

    return call


@pytest.fixture
def narrow_integers(monkeypatch):
    """NumPy of a platform of 32 bits, as far as the functions that make integers go."""
    for name in ("arange", "cumsum"):
        monkeypatch.setattr(np, name, narrow(getattr(np, name)))
    assert np.arange(3).dtype == np.int32
    assert np.arange(3, dtype=np.int64).dtype == np.int64
    assert np.arange(3.0).dtype == np.float64


LABELS = np.random.default_rng(1).integers(0, 3, (2, 6, 8))


def differentiated(function):
    def compute(x):
        x = Tensor(x, requires_grad=True)
        y = function(x)
        (to_x,) = grad((y * y).sum(), x)
        return y.data, to_x.data

    return compute


WORK = {
    "max_pool2d": lambda x: kernels.max_pool2d(x, 3, 2, 1, 1, True),
    "max_pool2d dilated": lambda x: kernels.max_pool2d(x, 2, 1, 1, 2),
    "gather": lambda x: kernels.gather(x, kernels.max_pool2d(x, 2)[1]),
    "unpool": lambda x: kernels.unpool(*kernels.max_pool2d(x, 2, 1), (6, 8)),
    "nearest": lambda x: kernels.resize(x, (9, 5), (6 / 9, 8 / 5), "nearest"),
    "nearest by a factor": differentiated(lambda x: F.interpolate(x, scale_factor=1.3)),
    "bilinear": differentiated(lambda x: F.interpolate(x, (9, 5), mode="bilinear")),
    "pool and unpool": differentiated(
        lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)
    ),
    "avg_pool2d": differentiated(lambda x: F.avg_pool2d(x, 3, 2, 1, True, False)),
    "adaptive_avg_pool2d": differentiated(lambda x: F.adaptive_avg_pool2d(x, (4, 3))),
    "cross_entropy": differentiated(lambda x: F.cross_entropy(x, LABELS, reduction="none")),
    "nll_loss": differentiated(lambda x: F.nll_loss(x, LABELS, reduction="none")),
    "reflect": differentiated(lambda x: F.pad(x, (2, 1, 3, 0), mode="reflect")),
    "cat": differentiated(lambda x: F.cat([x, x * 2], 1)),
    "im2col": lambda x: kernels.im2col(x, 3, 2, 1),
    "pictures of switches": lambda x: tuple(ways_back(x[0, 0], (2, 4)).values()),
}


@pytest.mark.parametrize("name", WORK)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_computes_the_same(name, dtype, request):
    def compute():
        results = WORK[name](X.astype(dtype))
        return results if isinstance(results, tuple) else (results,)

    expected = compute()
    request.getfixturevalue("narrow_integers")
    for found, right in zip(compute(), expected, strict=True):
        assert found.dtype == right.dtype
        np.testing.assert_array_equal(found, right)


def test_indices_are_int64(narrow_integers):
    _, indices = F.max_pool2d(Tensor(X), 2, return_indices=True)
    assert indices.dtype == np.int64
