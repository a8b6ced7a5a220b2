"""What holds for every operation: types, empty batches, and arguments that are no tensors."""

import numpy as np
import pytest

from minifcn import Tensor, grad
from minifcn import functional as F


class Sample:
    """One call of an operation: its tensors by name, and its other arguments."""

    def __init__(self, name, shapes, options=None, function=None):
        self.name, self.shapes, self.options = name, shapes, options or {}
        self.function = function or getattr(F, name)

    def tensors(self, dtype=np.float64, n=2):
        """Random positive leaves; an axis of size None is the batch."""
        rng = np.random.default_rng(0)
        return {
            name: Tensor(
                (rng.random([n if s is None else s for s in shape]) + 0.1).astype(dtype), True
            )
            for name, shape in self.shapes.items()
        }

    def __call__(self, tensors):
        options = {k: v() if callable(v) else v for k, v in self.options.items()}
        return self.function(**tensors, **options)


IMAGES = (None, 3, 4, 5)
KERNEL = {"weight": (3, 2, 3, 3), "bias": (2,)}
PIXELS = np.zeros((2, 4, 5), np.int64)

SAMPLES = [
    Sample("adaptive_avg_pool2d", {"input": IMAGES}, {"output_size": 2}),
    Sample("avg_pool2d", {"input": IMAGES}, {"kernel_size": 2, "padding": 1}),
    Sample(
        "batch_norm",
        {"input": IMAGES, "weight": (3,), "bias": (3,)},
        {"running_mean": None, "running_var": None, "training": True},
    ),
    Sample("cat", {"a": IMAGES, "b": IMAGES}, function=lambda a, b: F.cat([a, b], 1)),
    Sample("conv2d", {"input": IMAGES, "weight": (2, 3, 3, 3), "bias": (2,)}, {"padding": "same"}),
    Sample("conv2d", {"input": IMAGES, "weight": (2, 3, 3, 2), "bias": (2,)}, {"stride": 2}),
    Sample("conv2d", {"input": IMAGES, "weight": (2, 3, 1, 1), "bias": (2,)}),
    Sample("conv_transpose2d", {"input": IMAGES, **KERNEL}, {"stride": 2}),
    Sample("conv_transpose2d", {"input": IMAGES, **KERNEL}),
    Sample("cross_entropy", {"input": IMAGES}, {"target": PIXELS, "weight": np.ones(3)}),
    Sample("dropout", {"input": IMAGES}, {"generator": lambda: np.random.default_rng(0)}),
    Sample("dropout2d", {"input": IMAGES}, {"generator": lambda: np.random.default_rng(0)}),
    Sample("interpolate", {"input": IMAGES}, {"size": 7, "mode": "bilinear"}),
    Sample("interpolate", {"input": IMAGES}, {"scale_factor": 2.0}),
    Sample("linear", {"input": (None, 3), "weight": (2, 3), "bias": (2,)}),
    Sample("log_softmax", {"input": IMAGES}, {"dim": 1}),
    Sample("max_pool2d", {"input": IMAGES}, {"kernel_size": 2}),
    Sample(
        "max_unpool2d",
        {"input": (None, 3, 2, 2)},
        {"kernel_size": 2},
        lambda input, **options: F.max_unpool2d(
            input, Tensor(np.zeros((len(input.data), 3, 2, 2), np.int64)), **options
        ),
    ),
    Sample("nll_loss", {"input": IMAGES}, {"target": PIXELS}),
    Sample("pad", {"input": IMAGES}, {"pad": (1, -1, 2, 0), "value": 0.5}),
    Sample("pad", {"input": IMAGES}, {"pad": (1, 2), "mode": "reflect"}),
    Sample("relu", {"input": IMAGES}),
    Sample("relu6", {"input": IMAGES}),
    Sample("sigmoid", {"input": IMAGES}),
    Sample("softmax", {"input": IMAGES}, {"dim": 1}),
]  # fmt: skip

EVERY = pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
LOSSES = ("cross_entropy", "nll_loss")
ELEMENTWISE = ("cat", "dropout", "dropout2d", "log_softmax", "relu", "relu6", "sigmoid", "softmax")


def test_every_operation_has_a_sample():
    assert {s.name for s in SAMPLES} == set(F.__all__)


@EVERY
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays_forward_backward_and_twice(sample, dtype):
    x = sample.tensors(dtype)
    before = {name: t.data.copy() for name, t in x.items()}
    y = sample(x)
    assert y.dtype == dtype
    first = grad(y, list(x.values()), Tensor(np.ones(y.shape, dtype)), create_graph=True)
    for (name, leaf), gradient in zip(x.items(), first, strict=True):
        assert (gradient.shape, gradient.dtype) == (leaf.shape, dtype)
        np.testing.assert_array_equal(leaf.data, before[name])
    for gradient in first:
        if gradient.requires_grad:
            (gradient * gradient).sum().backward(create_graph=True)
    assert all(leaf.grad is None or leaf.grad.dtype == dtype for leaf in x.values())


@EVERY
def test_single_precision_is_close_to_double(sample):
    single, double = (sample(sample.tensors(dtype)).data for dtype in (np.float32, np.float64))
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-5)


@EVERY
def test_a_numpy_array_instead_of_a_tensor_is_named(sample):
    for name in sample.shapes:
        x = sample.tensors()
        x[name] = x[name].data
        named = f"tensors\\[{'ab'.index(name)}\\]" if sample.name == "cat" else name
        with pytest.raises(TypeError, match=rf"^{named} must be a Tensor; got ndarray$"):
            sample(x)


@EVERY
@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.bool_])
def test_other_dtypes_are_refused_by_name(sample, dtype):
    if sample.name in ("cat", "pad"):
        assert (
            sample({k: Tensor(v.data.astype(dtype)) for k, v in sample.tensors().items()}).dtype
            == dtype
        )
        return
    for name in sample.shapes:
        x = sample.tensors()
        x[name] = Tensor(x[name].data.astype(dtype))
        message = rf"^{name} must be float32 or float64; got {np.dtype(dtype)}$"
        with pytest.raises(TypeError, match=message):
            sample(x)


@EVERY
def test_two_dtypes_are_refused_by_name(sample):
    for name in list(sample.shapes)[1:]:
        x = sample.tensors()
        x[name] = Tensor(x[name].data.astype(np.float32))
        with pytest.raises(
            TypeError, match=rf"^(input is float64 but {name} is float32|tensors must .*)$"
        ):
            sample(x)


@EVERY
def test_an_empty_batch_gives_an_empty_result_or_is_refused_by_name(sample):
    x = sample.tensors(n=0)
    if sample.name == "batch_norm":
        with pytest.raises(
            ValueError, match="^input must have more than 1 value a channel in training; .*$"
        ):
            sample(x)
        return
    if sample.name in LOSSES:
        y = sample.function(**x, target=PIXELS[:0])
        assert y.item() == 0
    else:
        y = sample(x)
        assert y.shape == (0, *sample(sample.tensors()).shape[1:])
    for leaf, gradient in zip(
        x.values(), grad(y, list(x.values()), Tensor(np.ones(y.shape))), strict=True
    ):
        assert gradient.shape == leaf.shape
        np.testing.assert_array_equal(gradient.data, 0)


@EVERY
@pytest.mark.parametrize("axis", [2, 3])
def test_images_without_pixels_give_none_or_are_refused_by_name(sample, axis):
    if sample.name == "linear":
        return
    x = sample.tensors()
    shape = list(x["input"].shape if "input" in x else x["a"].shape)
    shape[axis] = 0
    empty = {k: Tensor(np.zeros(shape)) if k in ("input", "a", "b") else v for k, v in x.items()}
    if sample.name in LOSSES:
        target = np.zeros((shape[0], *shape[2:]), np.int64)
        assert sample.function(**empty, target=target).item() == 0
    elif sample.name in ELEMENTWISE:
        assert sample(empty).shape[axis] == 0
    elif sample.name != "pad":  # which may well add pixels to none
        with pytest.raises(
            ValueError, match=r"^(input|(a window of )?kernel_size|output_size) .*$"
        ):
            sample(empty)


@EVERY
def test_two_calls_give_the_same_bits(sample):
    first, second = (sample(sample.tensors(np.float32)).data for _ in range(2))
    np.testing.assert_array_equal(first, second)
