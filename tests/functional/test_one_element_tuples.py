"""A setting of a window may be a tuple of one number, for both axes, where PyTorch takes it."""

import numpy as np
import pytest

from minifcn import Tensor, nn
from minifcn import functional as F

X = np.random.default_rng(0).standard_normal((2, 2, 7, 8))
WEIGHT = np.random.default_rng(1).standard_normal((2, 2, 3, 3))

# function: settings as numbers
WINDOWS = {
    "conv2d": {"stride": 2, "padding": 1, "dilation": 2},
    "conv_transpose2d": {"stride": 2, "padding": 1, "output_padding": 1, "dilation": 2},
    "max_pool2d": {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2},
    "avg_pool2d": {"kernel_size": 3, "stride": 2, "padding": 1},
}
ONES = [(name, setting) for name, settings in WINDOWS.items() for setting in settings]


def inputs(name):
    return (X, WEIGHT) if name.startswith("conv") else (X,)


@pytest.mark.parametrize(("name", "setting"), ONES)
@pytest.mark.parametrize("kind", [tuple, list])
def test_one_number_in_a_tuple_counts_for_both_axes(name, setting, kind):
    arguments = [Tensor(x) for x in inputs(name)]
    settings = WINDOWS[name]
    expected = getattr(F, name)(*arguments, **settings)
    found = getattr(F, name)(*arguments, **settings | {setting: kind([settings[setting]])})
    np.testing.assert_array_equal(found.data, expected.data)


@pytest.mark.oracle
@pytest.mark.parametrize("name", WINDOWS)
def test_tuples_of_one_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    settings = {setting: (value,) for setting, value in WINDOWS[name].items()}
    found = getattr(F, name)(*map(Tensor, inputs(name)), **settings)
    theirs = getattr(torch.nn.functional, name)(*map(torch.from_numpy, inputs(name)), **settings)
    np.testing.assert_allclose(found.data, theirs.numpy(), rtol=1e-12, atol=1e-12)


def test_layers_take_them_too():
    x = Tensor(X.astype(np.float32))
    make = lambda *settings: [
        nn.Conv2d(2, 2, 3, *settings, generator=np.random.default_rng(0)),
        nn.ConvTranspose2d(2, 2, 3, *settings, generator=np.random.default_rng(0)),
        nn.MaxPool2d(3, *settings),
        nn.AvgPool2d(3, *settings),
    ]
    for one, plain in zip(make((2,), (1,)), make(2, 1), strict=True):
        np.testing.assert_array_equal(one(x).data, plain(x).data)
    same = nn.Conv2d(2, 2, 3, (1,), "same", (2,), generator=np.random.default_rng(0))
    assert same(x).shape == x.shape


@pytest.mark.parametrize(
    "resize",
    [
        lambda x: F.interpolate(x, (4,)),
        lambda x: F.adaptive_avg_pool2d(x, (2,)),
        lambda x: nn.Upsample(size=[4])(x),
        lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2, output_size=(8,)),
    ],
)
def test_a_size_of_one_number_in_a_tuple_is_refused(resize):
    with pytest.raises((TypeError, ValueError), match=r"size must be .*; got"):
        resize(Tensor(X))


@pytest.mark.parametrize("value", [(), (1, 2, 3), (1.0,), (True,), ("1",), ((1,),), (-1,)])
def test_what_is_no_number_is_refused(value):
    with pytest.raises((TypeError, ValueError), match=r"^padding must be "):
        F.conv2d(Tensor(X), Tensor(WEIGHT), padding=value)
