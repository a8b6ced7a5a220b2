"""What Python and NumPy ask of a Tensor: the right value, or an error, and never something else."""

import contextlib
import copy
import math
import operator
import pickle
import random
import warnings

import numpy as np
import pytest

from minifcn import Tensor, grad, nn, no_grad, tensor

X = np.array([[1.0, 9.0, 0.0], [7.0, 2.0, 3.0]], np.float32)
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
OTHERS = {
    "a number": 2,
    "a fraction": 0.1,
    "a NumPy number": np.float64(2),
    "an array": X[::-1].copy(),
    "a row": X[0].astype(np.float64),
    "a tensor": tensor(X[:, ::-1]),
    "integers": tensor(np.array([[7], [2]])),
}


def plain(other):
    """What NumPy computes with: a Python or NumPy number counts in the dtype of the tensor."""
    if isinstance(other, Tensor):
        return other.data
    return float(other) if isinstance(other, np.floating) else other


# -- Comparisons and masks -----------------------------------------------------------------------


@pytest.mark.parametrize("compare", COMPARISONS)
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_comparison_is_of_each_element(compare, other):
    x = tensor(X, requires_grad=True)
    for found, expected in (
        (compare(x, other), compare(X, plain(other))),
        (compare(other, x), compare(plain(other), X)),
    ):
        assert isinstance(found, Tensor)
        assert not found.requires_grad
        assert found.dtype == bool
        np.testing.assert_array_equal(found.data, expected)


@pytest.mark.oracle
@pytest.mark.parametrize("compare", COMPARISONS)
@pytest.mark.parametrize("value", [0.1, -1, 300, np.float64(0.1), True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
def test_a_comparison_is_pytorchs(compare, value, dtype):
    torch = pytest.importorskip("torch")
    array = np.array([0.1, 1, 44, 255]).astype(dtype)
    expected = compare(torch.from_numpy(array), value)
    if dtype == np.uint8 and value in (-1, 300):  # PyTorch wraps the number around to 255 and 44
        expected = compare(torch.from_numpy(array).long(), value)
    np.testing.assert_array_equal(compare(tensor(array), value).data, expected.numpy())


def test_a_comparison_with_what_has_no_elements():
    x = tensor([1.0])
    assert (x == None, x != None, x == "1") == (False, True, False)  # noqa: E711
    with pytest.raises(TypeError, match="not supported between"):
        x < None  # noqa: B015
    for wrong in ([1.0], (1.0,)):
        with pytest.raises(TypeError, match="^other must be a Tensor, an array or a number; got"):
            x == wrong  # noqa: B015
    with pytest.raises(ValueError, match="broadcast"):
        tensor([1.0, 2.0, 3.0]) == tensor([1.0, 2.0])  # noqa: B015


def test_masks_select_what_counts_with_a_gradient():
    losses = tensor([1.0, 2.0, 30.0], requires_grad=True)
    labels = tensor([0, 1, 255])
    kept = losses[labels != 255].mean()
    assert kept.item() == 1.5
    kept.backward()
    np.testing.assert_array_equal(losses.grad.data, [0.5, 0.5, 0])
    assert losses[(labels != 255) & (labels > 0)].data.tolist() == [2]
    assert losses[(labels == 0) | (labels == 255)].data.tolist() == [1, 30]
    assert losses[~(labels == 0) ^ (labels == 255)].data.tolist() == [2]
    assert losses[(labels.data < 2) & (labels > 0)].data.tolist() == [2]  # an array on the left
    assert (labels != 255).sum().item() == 2


def test_integer_tensors_index_with_a_gradient():
    x, rows = tensor(np.arange(6.0).reshape(3, 2), requires_grad=True), tensor([2, 0, 2])
    y = x[rows, 1]
    assert y.data.tolist() == [5, 1, 5]
    (to_x,) = grad(y.sum(), x)
    np.testing.assert_array_equal(to_x.data, [[0, 1], [0, 0], [0, 2]])
    assert x[: tensor(1)].shape == (1, 2)


def test_an_index_is_kept_as_it_was():
    x, mask = tensor([1.0, 2.0, 3.0], requires_grad=True), tensor([True, False, True])
    y = x[mask].sum()
    mask[...] = False
    y.backward()
    np.testing.assert_array_equal(x.grad.data, [1, 0, 1])


@pytest.mark.parametrize("make", [list, np.array, lambda x: tensor(np.array(x))])
@pytest.mark.parametrize("form", [lambda i: i, lambda i: (i,), lambda i: slice(i[0], None)])
def test_an_index_that_changes_before_backward(make, form):
    x, index = tensor([1.0, 2.0, 3.0], requires_grad=True), make([1, 2])
    y = x[form(index)]
    index[0] = 0
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [0, 1, 1])


BESIDE = {
    "a number before": (0, slice(None), [1, 3]),
    "a number after": ([0, 1], slice(None), 2),
    "a negative number between": ([1, 0], -1, slice(None), [0, 1]),
    "a number without axes": (np.array(1), slice(None), np.array([[0], [2]])),
    "an ellipsis": (1, ..., [1, 0]),
    "an ellipsis of no axes": (slice(None), [0, 1], ..., [1, 2], 0),
    "a new axis": (0, None, [2, 1, 0]),
    "a mask": (-1, slice(None), np.array([True, False, True, False])),
    "a mask of two axes": (slice(None), np.ones((3, 4), bool), 1),
}


@pytest.mark.oracle
@pytest.mark.parametrize("index", BESIDE.values(), ids=BESIDE)
def test_numbers_beside_arrays_index_as_in_pytorch(index):
    """NumPy would put the axes of array[0, :, [1, 3]] in another order."""
    torch = pytest.importorskip("torch")
    values = np.arange(48.0).reshape(2, 3, 4, 2)
    theirs = torch.tensor(values, requires_grad=True)
    of_torch = [torch.tensor(i) if isinstance(i, (list, np.ndarray)) else i for i in index]
    there = theirs[tuple(of_torch)]
    weights = np.random.default_rng(0).random(there.shape)
    (there * torch.tensor(weights)).sum().backward()
    ours = tensor(values, requires_grad=True)
    here = ours[index]
    np.testing.assert_array_equal(here.data, there.detach().numpy())
    (here * weights).sum().backward()
    np.testing.assert_array_equal(ours.grad.data, theirs.grad.numpy())
    x, y = tensor(values), torch.tensor(values)
    x[index], y[tuple(of_torch)] = weights, torch.tensor(weights)
    np.testing.assert_array_equal(x.data, y.numpy())


def test_a_number_without_axes_makes_a_view():
    x = tensor(X)
    row = x[tensor(1)]
    row += 1
    np.testing.assert_array_equal(x.data, X + [[0], [1]])


def test_an_index_that_could_be_a_mask_or_numbers_is_refused():
    for index in (np.array([1, 0], np.uint8), tensor(np.array([1, 0], np.uint8))):
        for wrong in (index, (slice(None), index)):
            with pytest.raises(TypeError, match=r"^an index must be bool \(a mask\) or int64"):
                tensor(X)[wrong]
    with pytest.raises(IndexError, match="must be of integer"):
        tensor(X)[tensor([1.0])]


def test_tensors_are_keys_as_the_objects_that_they_are():
    x, y = tensor([1.0]), tensor([1.0])
    assert {x: 1, y: 2} == {x: 1, y: 2}
    assert len({x, y, x}) == 2
    assert hash(nn.Parameter(X)) != hash(nn.Parameter(X))


# -- What Python asks ----------------------------------------------------------------------------


def test_truth_is_that_of_one_element():
    assert [bool(tensor(v)) for v in (0.0, [2.0], [[0]], True)] == [False, True, False, True]
    assert not tensor(1.0) == 2  # noqa: SIM201
    for many in (tensor([0.0, 0.0]), tensor(np.zeros(0))):
        with pytest.raises(RuntimeError, match=r"^a tensor is true or false if it has one element"):
            bool(many)


def test_membership_is_that_of_an_element():
    labels = tensor([[0, 1], [255, 1]])
    assert 255 in labels
    assert tensor(255) in labels
    assert 2 not in labels
    assert math.nan not in tensor([math.nan])  # which equals nothing
    for wrong in (None, "a", [255]):
        with pytest.raises(TypeError, match="^a tensor contains numbers; got"):
            wrong in labels  # noqa: B015


def test_length_and_iteration_are_along_the_first_axis():
    x = tensor(X, requires_grad=True)
    assert len(x) == 2
    rows = list(x)
    np.testing.assert_array_equal(rows[1].data, X[1])
    assert rows[1].requires_grad
    first, second = x
    assert (first.data[1], second.data[0]) == (9, 7)
    assert [y.item() for y in reversed(x[0])] == [0, 9, 1]
    assert (min(x[1]).item(), max(x[1]).item(), sum(x[1]).item()) == (2, 7, 12)
    assert [y.item() for y in sorted(x[1])] == [2, 3, 7]
    assert list(tensor(np.zeros((0, 2)))) == []
    for ask in (list, len, iter, lambda x: x.__iter__().__next__()):
        with pytest.raises(TypeError, match="^a tensor without axes has no length, and nothing"):
            ask(tensor(1.0))


def test_numbers_are_those_of_one_element():
    assert (float(tensor([2.5])), int(tensor(-2.7)), int(tensor([[3]]))) == (2.5, -2, 3)
    assert math.sqrt(tensor(4.0)) == 2
    assert (["a", "b"][tensor(1)], list(range(tensor(2)))) == ("b", [0, 1])
    for wrong in (tensor(1.0), tensor([1]), tensor(True)):
        with pytest.raises(TypeError, match="integer"):
            ["a", "b"][wrong]
    for convert in (float, int):
        with pytest.raises(ValueError, match=r"^item\(\) needs a tensor of one element"):
            convert(tensor([1.0, 2.0]))


def test_what_a_tensor_cannot_do_raises():
    x = tensor(X, requires_grad=True)
    for wrong in (abs, operator.pos, round, lambda x: x % 2, lambda x: x // 2, divmod):
        with pytest.raises(TypeError):
            wrong(x) if wrong is not divmod else divmod(x, 2)
    for exponent in (x, x[0, 0], X, tensor(2.0), "2"):  # float() of it would lose a gradient
        with pytest.raises(TypeError, match=r"^\*\* needs a number as exponent; got"):
            x**exponent
    with pytest.raises(TypeError):
        2**x


def test_requires_grad_is_switched_of_leaves():
    x = tensor([1.0])
    x.requires_grad = True
    y = x * 2
    with pytest.raises(RuntimeError, match="^requires_grad of a computed tensor is True; detach"):
        y.requires_grad = False
    y.requires_grad = True
    y.backward()
    assert x.grad.item() == 2
    x.requires_grad = False
    assert not (x * 2).requires_grad
    with pytest.raises(TypeError, match="^requires_grad needs a floating-point tensor; got"):
        tensor([1]).requires_grad = True


@pytest.mark.parametrize("wrong", [[1, 2], (1, 2), "12", None, {1}])
def test_arithmetic_is_with_numbers_arrays_and_tensors(wrong):
    """To Python, [0] * 3 and list += are no arithmetic: a tensor in them is a mistake."""
    x = tensor([3, 4])
    for operate in (operator.add, operator.sub, operator.mul, operator.truediv, operator.iadd):
        for operands in ((x, wrong), (wrong, x)):
            with pytest.raises(TypeError):
                operate(*operands)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8, np.int64])
def test_exp_and_log_of_integers_are_float64(dtype):
    """NumPy's exp of uint8 is a float16: infinity from 12 on."""
    values = np.array([1, 12, 20], dtype)
    for found, expected in ((tensor(values).exp(), np.exp), (tensor(values).log(), np.log)):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found.data, expected(values.astype(np.float64)))


def test_a_whole_exponent_keeps_integers():
    for exponent in (2, np.int64(2), np.uint8(2)):
        squares = tensor([3, 4]) ** exponent
        assert (squares.dtype, squares.data.tolist()) == (np.int64, [9, 16])


def test_axes_go_in_a_tuple():
    x = tensor(np.ones((2, 3, 4), np.float32))
    for wrong in (lambda: x.sum(0, 1), lambda: x.mean(1, 2), lambda: x.sum(0, None)):
        with pytest.raises(TypeError, match=r"^several axes go in a tuple, sum\(\(0, 1\)\); got"):
            wrong()
    assert x.sum((0, 1)).shape == (4,)
    assert x.mean(1, True).shape == (2, 1, 4)


def test_sums_of_integers_and_booleans_are_int64():
    for dtype in (bool, np.uint8, np.int16, np.int64):
        total = tensor(np.ones(300, dtype)).sum()
        assert (total.dtype, total.item()) == (np.int64, 300)
    assert tensor([1, 2]).dtype == tensor(3).dtype == np.int64


# -- Copies --------------------------------------------------------------------------------------


def pickled(x):
    return pickle.loads(pickle.dumps(x))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_a_computed_tensor_is_not_copied(duplicate):
    p = tensor([2.0], requires_grad=True)
    for computed in (p * p, [p * p], {"loss": (p * p).sum()}):
        if duplicate is not copy.copy or isinstance(computed, Tensor):
            with pytest.raises(RuntimeError, match="^a computed tensor is not copied with its"):
                duplicate(computed)
    assert duplicate((p * p).detach()).item() == 4


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
def test_a_copied_leaf_is_independent(duplicate):
    p = nn.Parameter(X.copy())
    (p * p).sum().backward()
    q = duplicate(p)
    assert (type(q), q.requires_grad) == (nn.Parameter, True)
    np.testing.assert_array_equal(q.grad.data, p.grad.data)
    with no_grad():
        q -= q.grad
    np.testing.assert_array_equal(p.data, X)
    loss = (q * q).sum()
    loss.backward()  # a version of its own
    np.testing.assert_array_equal(p.grad.data, 2 * X)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
def test_a_copied_module_is_independent(duplicate):
    layer = nn.Linear(2, 2, generator=np.random.default_rng(0))
    net = nn.Sequential(layer, nn.ReLU(), layer)
    twin = duplicate(net)
    assert len(list(twin.parameters())) == 2  # the shared layer is one there too
    with no_grad():
        for p in twin.parameters():
            p *= 0
    assert all(p.data.any() for p in net.parameters() if p.ndim == 2)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
def test_a_copied_module_trains_like_its_original(duplicate):
    """Tensors that never changed keep versions of their own: to change one is not to change all."""
    draw = np.random.default_rng(0)
    layers = (nn.Conv2d(1, 2, 1, generator=draw), nn.BatchNorm2d(2), nn.BatchNorm2d(2))
    net, x = nn.Sequential(*layers), tensor(draw.random((2, 1, 2, 2)).astype(np.float32))
    twin = duplicate(net)
    for model in (net, twin):
        (model(x) ** 3).sum().backward()
    for p, q in zip(net.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(p.grad.data, q.grad.data)
    a, b = duplicate([tensor([1.0]), tensor([2.0])])
    w = tensor([3.0], requires_grad=True)
    y = w * a
    b += 1
    y.backward()
    assert w.grad.item() == 1


# -- NumPy ---------------------------------------------------------------------------------------


def test_an_array_of_a_tensor_has_its_values():
    x = tensor(X)
    for made in (np.array(x), np.asarray(x), np.asanyarray(x), np.array(x, np.float64)):
        assert type(made) is np.ndarray
        np.testing.assert_array_equal(made, X)
    assert np.shares_memory(np.asarray(x), x.data)
    assert not np.shares_memory(np.array(x), x.data)
    np.testing.assert_array_equal(np.array([x[0], x[1]]), X)
    np.testing.assert_array_equal(np.arange(5)[tensor([3, 1])], [3, 1])
    assert np.arange(5)[tensor([3])].shape == (1,)
    np.testing.assert_array_equal(X[x > 2], X[X > 2])


def test_an_array_would_lose_a_gradient():
    x = tensor([1.0, 2.0], requires_grad=True)
    for make in (
        np.array,
        np.asarray,
        lambda x: np.array([x[0], x[1]]),
        lambda x: np.zeros(2).dot(x),
        tensor,
        Tensor,
        lambda x: tensor([x, x]),
    ):
        with pytest.raises(TypeError, match="^a Tensor that requires a gradient is no NumPy array"):
            make(x)
    np.testing.assert_array_equal(np.array(x.detach()), [1, 2])


ARRAYS = [np.array([1.0, 2.0]), np.array([3.0, 2.0])]


def functions():
    """Every public function and ufunc of NumPy that takes one or two arrays, with its result."""
    for name in sorted(set(dir(np)) - {"printoptions"}):
        function = getattr(np, name)
        if isinstance(function, np.ufunc) or (
            callable(function) and hasattr(function, "__wrapped__")
        ):
            for arrays in (ARRAYS[:1], ARRAYS):
                with warnings.catch_warnings(), contextlib.suppress(Exception):
                    warnings.simplefilter("ignore")
                    expected = function(*arrays)
                    yield pytest.param(function, arrays, expected, id=f"{name}-{len(arrays)}")


FUNCTIONS = list(functions())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("function", "arrays", "expected"), FUNCTIONS)
def test_a_numpy_function_is_right_or_a_type_error(function, arrays, expected):
    assert len(FUNCTIONS) > 200
    for arguments in ([Tensor(arrays[0]), *arrays[1:]], [*arrays[:-1], Tensor(arrays[-1])]):
        try:
            found = function(*arguments)
        except TypeError:
            continue
        np.testing.assert_equal(found, expected)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.argmax(x),
        lambda x: np.where(x, 1, 0),
        lambda x: np.where(X > 0, x, X),
        lambda x: np.dot(X.T, x),
        lambda x: np.stack([x, x]),
        lambda x: np.concatenate([X, x]),
        lambda x: np.sum(x, axis=0),
        lambda x: np.linalg.norm(x),
        lambda x: np.zeros_like(x),
        lambda x: np.einsum("ij->i", x),
        lambda x: np.copyto(x, X),
        lambda x: np.sum(X, out=x),
    ],
)
def test_numpy_functions_name_the_way_out(call):
    for x in (tensor(X), tensor(X, requires_grad=True)):
        with pytest.raises(TypeError, match=r"^numpy\.\w+ takes arrays, not Tensors: give it x\."):
            call(x)


def test_an_array_is_not_changed_in_place_by_a_tensor():
    array = X.copy()
    for change in (operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow):
        with pytest.raises(TypeError, match="ufunc|unsupported"):
            change(array, tensor(X))
    np.testing.assert_array_equal(array, X)
    array[...] = tensor(X) * 2
    np.testing.assert_array_equal(array, 2 * X)


@pytest.mark.parametrize("number", [np.float64(2), np.float32(2), np.int64(2)])
def test_a_numpy_number_on_either_side(number):
    x = tensor(X + 1, requires_grad=True)
    if isinstance(number, np.integer):
        with pytest.raises(TypeError, match="one dtype"):
            number * x
        return
    for operation in (operator.add, operator.sub, operator.mul, operator.truediv):
        for left, right in ((number, x), (x, number)):
            y = operation(left, right)
            assert (type(y), y.dtype, y.requires_grad) == (Tensor, np.float32, True)
            values = (v.data if v is x else np.float32(v) for v in (left, right))
            np.testing.assert_array_equal(y.data, operation(*values))


def test_an_array_on_the_left_of_a_matrix_product():
    x, left = tensor(X, requires_grad=True), np.arange(4, dtype=np.float32).reshape(2, 2)
    y = left @ x
    np.testing.assert_array_equal(y.data, left @ X)
    (to_x,) = grad(y.sum(), x)
    np.testing.assert_array_equal(to_x.data, np.repeat(left.sum(0)[:, None], 3, 1))


# -- Other kinds of arrays -----------------------------------------------------------------------


class Upside(np.ndarray):
    """A kind of array whose * is something else."""

    def __mul__(self, other):
        raise AssertionError


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("make", [tensor, Tensor])
def test_other_kinds_of_arrays_become_plain_ones(make, tmp_path):
    square = np.array([[1.0, 2.0], [3.0, 4.0]])
    mapped = np.memmap(tmp_path / "file", np.float64, "w+", shape=(2, 2))
    mapped[...] = square
    for other in (np.asmatrix(square), square.view(Upside), mapped, np.rec.array(square)):
        x = make(other)
        assert type(x.data) is np.ndarray
        np.testing.assert_array_equal((x * x).data, square**2)
        np.testing.assert_array_equal((make(square) * other).data, square**2)
        np.testing.assert_array_equal((x == other).data, True)


@pytest.mark.parametrize("make", [tensor, Tensor, lambda a: tensor(np.ones(2)) * a])
def test_a_masked_array_is_refused(make):
    for masked in (np.ma.masked_less([1.0, -1.0], 0), np.ma.array([1.0, 2.0])):
        with pytest.raises(TypeError, match=r"^a masked array has no plain values: give its \.fil"):
            make(masked)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(2, "f4,i4"),
        np.array([1, None]),
        np.array([[1.0], "a"], object),
        np.array(["a"]),
        np.array([b"a"]),
        np.ones(2, complex),
        np.array(["2020-01-01"], "M8[D]"),
        np.ones(2, "m8[s]"),
    ],
    ids=lambda a: str(a.dtype),
)
def test_what_are_no_numbers_is_refused(array):
    with pytest.raises(TypeError, match="^data must be real numbers or booleans; got"):
        Tensor(array)
    with pytest.raises(TypeError, match="^array must be float32, float64, integer or bool; got"):
        tensor(array)
    with pytest.raises(TypeError, match="real numbers or booleans|one dtype"):
        tensor(np.ones(2)) * array


def test_shuffling_a_tensor_in_place_loses_elements_and_is_warned_about_by_numpy():
    with pytest.warns(UserWarning, match="shuffling a 'Tensor'"):
        np.random.default_rng(0).shuffle(tensor([1, 2]))
    numbers = [3, 1, 2]
    assert random.Random(0).choice(tensor(numbers)).item() in numbers
