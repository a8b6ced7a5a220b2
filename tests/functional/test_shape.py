"""Padding, cropping and joining: worked examples, the adjoint pair, and refused arguments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minifcn import Tensor, grad
from minifcn import functional as F

X = Tensor(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), requires_grad=True)


def test_the_last_axis_comes_first():
    np.testing.assert_array_equal(
        F.pad(X, (1, 0, 0, 2), value=9).data,
        [[9, 1, 2, 3], [9, 4, 5, 6], [9, 9, 9, 9], [9, 9, 9, 9]],
    )


def test_negative_amounts_crop():
    np.testing.assert_array_equal(F.pad(X, (-1, 0)).data, [[2, 3], [5, 6]])
    np.testing.assert_array_equal(F.pad(X, (0, -2, -1, 1)).data, [[4], [0]])
    np.testing.assert_array_equal(F.pad(X, (-2, 4)).data, [[3, 0, 0, 0, 0], [6, 0, 0, 0, 0]])


def test_repeating_and_mirroring_the_border():
    np.testing.assert_array_equal(F.pad(X, (2, 1), "replicate").data[0], [1, 1, 1, 2, 3, 3])
    np.testing.assert_array_equal(F.pad(X, (2, 1), "reflect").data[0], [3, 2, 1, 2, 3, 2])
    (gradient,) = grad(F.pad(X, (2, 1), "reflect").sum(), X)
    np.testing.assert_array_equal(gradient.data, [[1, 3, 2]] * 2)


def test_labels_can_be_padded_too():
    padded = F.pad(Tensor(np.array([[1, 2]], np.uint8)), (1, 1), value=255)
    assert padded.dtype == np.uint8
    np.testing.assert_array_equal(padded.data, [[255, 1, 2, 255]])


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=4
    )
)
@settings(max_examples=100, deadline=None)
def test_pad_and_crop_are_adjoint(axes):
    axes = [(n, a, b) for n, a, b in axes if n + min(a, 0) + min(b, 0) >= 1] or [(2, 1, -1)]
    amounts = [amount for _, a, b in reversed(axes) for amount in (a, b)]
    rng = np.random.default_rng(len(axes))
    x = Tensor(rng.standard_normal([n for n, _, _ in axes]))
    padded = F.pad(x, amounts)
    y = Tensor(rng.standard_normal(padded.shape))
    back = F.pad(y, [-amount for amount in amounts])
    assert back.shape == x.shape
    assert (padded * y).sum().item() == pytest.approx((x * back).sum().item(), rel=1e-12, abs=1e-12)


def test_joining_and_its_gradient():
    a, b = (Tensor(np.full((2, n), float(n)), requires_grad=True) for n in (1, 3))
    joined = F.cat([a, b], 1)
    np.testing.assert_array_equal(joined.data, [[1, 3, 3, 3]] * 2)
    upstream = Tensor(np.arange(8.0).reshape(2, 4))
    to_a, to_b = grad(joined, (a, b), upstream)
    np.testing.assert_array_equal(to_a.data, [[0], [4]])
    np.testing.assert_array_equal(to_b.data, [[1, 2, 3], [5, 6, 7]])
    np.testing.assert_array_equal(F.cat((a, b), -1).data, joined.data)
    np.testing.assert_array_equal(F.cat([b, b]).data, [[3, 3, 3]] * 4)


def test_one_tensor_joined_twice_gets_both_gradients():
    a = Tensor(np.ones(2), requires_grad=True)
    (gradient,) = grad(F.cat([a, a]), a, Tensor(np.array([1.0, 2.0, 30.0, 40.0])))
    np.testing.assert_array_equal(gradient.data, [31, 42])


REFUSED_PADS = [
    ((1,), {}, ValueError, r"pad must have two whole numbers for each of at most 2 axes;"),
    ((1, 1, 1, 1, 1, 1), {}, ValueError, "pad must have two whole numbers for each of at most 2"),
    ((1.0, 1), {}, ValueError, r"pad must have two whole numbers .*; got \(1.0, 1\)$"),
    ((-2, -1), {}, ValueError, r"pad \(-2, -1\) leaves nothing of an input of shape \(2, 3\)$"),
    ((-4, 9), {}, ValueError, "pad .* leaves nothing of an input"),
    ((9, -3), {}, ValueError, "pad .* leaves nothing of an input"),
    ((0, 0, 0, -2), {}, ValueError, "pad .* leaves nothing of an input"),
    ((1, 1), {"mode": "circular"}, ValueError, "mode must be .*; got 'circular'$"),
    ((3, 0), {"mode": "reflect"}, ValueError, "pad must be 0 or more, and less than the size to"),
    ((0, -1), {"mode": "reflect"}, ValueError, "pad must be 0 or more"),
    ((-1, 0), {"mode": "replicate"}, ValueError, "pad must be 0 or more"),
]  # fmt: skip


@pytest.mark.parametrize(("amounts", "options", "error", "message"), REFUSED_PADS)
def test_pad_refuses(refuses, amounts, options, error, message):
    refuses(error, message, F.pad, X, amounts, **options)


def test_cat_refuses(refuses):
    wide = Tensor(np.zeros((2, 4)))
    refuses(ValueError, "tensors must hold at least one tensor; got none$", F.cat, [])
    refuses(TypeError, "tensors must be a list of Tensors; got Tensor$", F.cat, X)
    refuses(TypeError, r"tensors\[1\] must be a Tensor; got ndarray$", F.cat, [X, X.data])
    refuses(TypeError, r"tensors must have one dtype; got float64 and float32$", F.cat,
            [X, Tensor(X.data.astype(np.float32))])  # fmt: skip
    refuses(
        ValueError,
        r"tensors must agree but in axis 0; got \(2, 3\) and \(2, 4\) at 1$",
        F.cat,
        [X, wide],
    )
    refuses(ValueError, "tensors must agree but in axis 1", F.cat, [X, X[0]], 1)
    for dim in (2, -3, None, 0.5):
        refuses(ValueError, f"dim must be from -2 to 1; got {dim}$", F.cat, [X, X], dim)


def test_padding_by_nothing_is_a_copy():
    """So that a change of the result in place is none of the input, as in PyTorch."""
    x = Tensor(np.ones((1, 1, 2, 2)))
    for mode in ("constant", "replicate", "reflect"):
        y = F.pad(x, (0, 0, 0, 0), mode)
        y += 1
        assert (x.data == 1).all()
        assert (y.data == 2).all()
