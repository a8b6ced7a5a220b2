"""Comparisons, masks and changes in place on a GPU: the same as on the CPU, and no mixing."""

import operator

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import nn, optim
from minifcn.tensor import Tensor, no_grad, tensor

X = np.array([[1.0, 9.0, 0.0], [7.0, 2.0, 3.0]], np.float32)


def there(array, **options):
    return tensor(array, **options).to("cuda")


@pytest.mark.parametrize("compare", [operator.eq, operator.ne, operator.lt, operator.ge])
def test_comparisons(cupy, compare):
    x = there(X)
    for other, plain in ((2, 2), (there(X[::-1].copy()), X[::-1]), (there([[1], [2]]), [[1], [2]])):
        found = compare(x, other)
        assert (found.device, found.dtype) == ("cuda", bool)
        np.testing.assert_array_equal(found.numpy(), compare(X, np.array(plain)))
    with pytest.raises(ValueError, match="^operands must be on one device; got cuda, cpu$"):
        compare(x, tensor(X))


def test_masks_and_indices(cupy):
    losses, labels = there([1.0, 2.0, 30.0], requires_grad=True), there([0, 1, 255])
    leaf = there([1.0, 2.0, 30.0])
    leaf.requires_grad = True
    (leaf[(labels != 255) & ~(labels == 0)].sum() + leaf[there([0, 0])].sum()).backward()
    assert leaf.grad.numpy().tolist() == [2, 1, 0]
    assert losses[labels != 255].mean().item() == 1.5
    assert 255 in labels
    assert 3 not in labels
    assert (bool(labels[0]), int(labels[1]), float(leaf[2])) == (False, 1, 30)
    assert ["a", "b"][labels[1]] == "b"


def test_numpy_does_not_get_at_it(cupy):
    with pytest.raises(TypeError, match="^a Tensor that is on a GPU is no NumPy array: give x.num"):
        np.array(there(X))
    with pytest.raises(TypeError, match="^numpy.argmax takes arrays, not Tensors"):
        np.argmax(there(X))


@pytest.mark.parametrize("change", [operator.iadd, operator.imul, operator.itruediv, operator.ipow])
def test_changes_in_place(cupy, change):
    x, expected = there(X), change(X.copy(), 2)
    array = x.data
    change(x, 2)
    assert x.data is array
    np.testing.assert_array_equal(x.numpy(), expected)
    leaf = there(X)
    leaf.requires_grad = True
    with pytest.raises(RuntimeError, match="^a leaf cannot be changed in place"):
        change(leaf, 2)
    y = leaf * 1
    change(y, 2)
    y.sum().backward()
    assert leaf.grad.device == "cuda"


def test_elements_are_assigned(cupy):
    x = there(X)
    x[x > 5] = -1
    x[0, 2] = 4
    x[1] *= 2
    np.testing.assert_array_equal(x.numpy(), [[1, -1, 4], [-2, 4, 6]])
    for wrong in ((2,), (0, 3), (np.array([0, 5]),)):
        with pytest.raises(IndexError):
            x[wrong] = 0


def test_views_share_what_backward_notices(cupy):
    w = nn.Parameter(X.copy())
    holder = nn.Sequential()
    holder.w = w
    holder.to("cuda")
    for change in (
        lambda: w.detach().__imul__(2),
        lambda: w.reshape(-1).__setitem__(0, 5),
        lambda: w.transpose()[1].__isub__(1),
        lambda: optim.SGD([w], lr=0.1).step(),
    ):
        y = (w * w).sum()
        w.grad = Tensor(w.data * 0)
        with no_grad():
            change()
        with pytest.raises(RuntimeError, match="were changed in place since"):
            y.backward()
    before = F.relu(w)
    loss = before.sum()
    holder.to("cpu")
    assert (w.device, before.device, loss.device) == ("cpu", "cuda", "cuda")
    with pytest.raises(RuntimeError, match="were changed in place since"):
        loss.backward()
