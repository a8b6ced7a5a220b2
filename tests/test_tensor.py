"""The engine: arithmetic against finite differences, the walk backward, and what it refuses."""

import gc
import operator
import threading
import time
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minifcn
from minifcn import Tensor, grad, no_grad, tensor
from minifcn.tensor import Function, broadcast_to, is_grad_enabled, put, record, sum_to

AXIS = st.integers(1, 3)


def random(*shape, seed=0, dtype=np.float64, requires_grad=True):
    values = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    return tensor(values, requires_grad=requires_grad)


def positive(*shape, **options):
    x = random(*shape, **options)
    x.data = np.abs(x.data) + 0.5
    return x


def numeric_gradient(f, x, upstream, eps=1e-6):
    """Central differences of sum(upstream * f()) in every element of x."""
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        kept, sides = x.data[i], []
        for step in (eps, -eps):
            x.data[i] = kept + step
            sides.append((f().data * upstream).sum())
        x.data[i] = kept
        gradient[i] = (sides[0] - sides[1]) / (2 * eps)
    return gradient


def check_gradients(f, *inputs):
    y = f()
    upstream = np.random.default_rng(9).standard_normal(y.shape)
    for x, found in zip(inputs, grad(y, inputs, Tensor(upstream)), strict=True):
        assert found.dtype == x.dtype
        np.testing.assert_allclose(found.data, numeric_gradient(f, x, upstream), 1e-6, 1e-7)


def dot(a, b):
    return float((a * b).sum())


# --- Operations ---------------------------------------------------------------------------------


BINARY = [operator.add, operator.sub, operator.mul, operator.truediv]
SHAPES = [
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),  # a new leading axis on the right
    ((3,), (2, 3)),  # and on the left
    ((2, 1, 3), (4, 1)),  # axes of size 1 on both sides
    ((1, 3), (2, 1)),
    ((), (2, 2)),
    ((1,), (1, 1)),
]


@pytest.mark.parametrize("operation", BINARY)
@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_arithmetic_with_broadcasting(operation, left, right):
    a, b = random(*left), positive(*right, seed=1)
    y = operation(a, b)
    np.testing.assert_array_equal(y.data, operation(a.data, b.data))
    check_gradients(lambda: operation(a, b), a, b)


@pytest.mark.parametrize("operation", BINARY)
@pytest.mark.parametrize("number", [2, -0.3])
def test_arithmetic_with_numbers_on_both_sides(operation, number):
    a = positive(3)
    for f in (lambda: operation(a, number), lambda: operation(number, a)):
        check_gradients(f, a)
    np.testing.assert_array_equal(operation(number, a).data, operation(number, a.data))


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 0.5, -1, -2.5])
def test_powers(exponent):
    a = positive(4)
    np.testing.assert_array_equal((a**exponent).data, a.data**exponent)
    check_gradients(lambda: a**exponent, a)


def test_a_power_of_zero_has_finite_gradients_at_zero():
    x = tensor([0.0, -2.0], requires_grad=True)
    for exponent, expected in ((0, [0, 0]), (1, [1, 1]), (2, [0, -4])):
        np.testing.assert_array_equal(grad((x**exponent).sum(), x)[0].data, expected)


@pytest.mark.parametrize(
    "shapes",
    [((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 1)), ((4, 1, 2, 3), (5, 3, 2))],
)
def test_matmul(shapes):
    a, b = random(*shapes[0]), random(*shapes[1], seed=1)
    np.testing.assert_array_equal((a @ b).data, a.data @ b.data)
    check_gradients(lambda: a @ b, a, b)


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (1, -1), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sum_and_mean(axis, keepdims):
    a = random(2, 1, 3)
    for name in ("sum", "mean"):
        y = getattr(a, name)(axis, keepdims=keepdims)
        all_for_none = None if axis == () else axis  # as in PyTorch, where NumPy sums over no axis
        expected = getattr(a.data, name)(all_for_none, keepdims=keepdims)
        assert y.shape == expected.shape
        np.testing.assert_allclose(y.data, expected, 1e-15)
        check_gradients(lambda name=name: getattr(a, name)(axis, keepdims=keepdims), a)


def test_the_mean_of_no_images_is_empty():
    assert tensor(np.zeros((0, 3, 2, 2))).mean((2, 3)).shape == (0, 3)


@pytest.mark.parametrize("dims", [(), (0, 1), (1, 0), (0, 2), (-1, 0), (1, 1)])
def test_transpose_swaps_two_axes(dims):
    a = random(2, 3, 4)
    np.testing.assert_array_equal(a.transpose(*dims).data, a.data.swapaxes(*dims or (-1, -2)))
    check_gradients(lambda: a.transpose(*dims), a)


@pytest.mark.parametrize("dims", [(2, 0, 1), (1, 0, 2), (-1, 0, -2), (0, 1, 2)])
def test_permute(dims):
    a = random(2, 3, 4)
    np.testing.assert_array_equal(a.permute(*dims).data, a.data.transpose(dims))
    np.testing.assert_array_equal(a.permute(dims).data, a.data.transpose(dims))
    check_gradients(lambda: a.permute(*dims), a)


def test_axes_that_are_not_there():
    a = random(2, 3)
    for wrong in (lambda: a.transpose(0, 2), lambda: a.permute(0), lambda: a.permute(0, 0)):
        with pytest.raises(ValueError, match="ax[ei]s"):
            wrong()
    for wrong in ((0, 2, 1), (0,), ((1, 0),)):
        with pytest.raises(TypeError, match="^transpose swaps two axes; got .*: permute takes all"):
            a.transpose(*wrong)


def test_exp_log_neg_reshape():
    a = positive(2, 3)
    check_gradients(lambda: a.exp(), a)
    check_gradients(lambda: a.log(), a)
    check_gradients(lambda: -a, a)
    check_gradients(lambda: a.reshape((3, -1)), a)
    check_gradients(lambda: a.reshape(3, -1), a)
    np.testing.assert_array_equal((-a).data, -a.data)
    np.testing.assert_array_equal(a.exp().log().data.round(12), a.data.round(12))


INDICES = [
    np.s_[1],
    np.s_[-1, ..., 0],
    np.s_[:, 1:],
    np.s_[::2, ::-1],
    np.s_[:, None],
    (np.array([0, 2, 0, 0]),),  # with duplicates
    (slice(None), np.array([[1, 1], [3, 1]])),
    (np.array([0, 0, 2]), np.array([1, 1, 3])),
    np.arange(12).reshape(3, 4) % 3 == 0,
    np.zeros((3, 4), bool),
    [2, 2, 1],
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_getitem(index):
    a = random(3, 4)
    np.testing.assert_array_equal(a[index].data, a.data[index])
    check_gradients(lambda: a[index], a)


def test_getitem_with_duplicates_counts_each():
    a = tensor([1.0, 2.0, 3.0], requires_grad=True)
    a[np.array([0, 2, 0, 0])].sum().backward()
    np.testing.assert_array_equal(a.grad.data, [3, 0, 1])


# --- Adjoint pairs: <A x, y> = <x, A* y> ----------------------------------------------------------


@given(st.lists(AXIS, max_size=3), st.lists(st.tuples(AXIS, st.booleans()), max_size=3))
@settings(deadline=None)
def test_broadcast_to_and_sum_to_are_adjoint(leading, axes):
    small = tuple(1 if repeated else n for n, repeated in axes)
    large = (*leading, *(n for n, _ in axes))
    x, y = random(*small), random(*large, seed=1)
    assert dot(broadcast_to(x, large).data, y.data) == pytest.approx(
        dot(x.data, sum_to(y, small).data), rel=1e-12, abs=1e-12
    )


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_take_and_put_are_adjoint(index):
    x = random(3, 4)
    y = random(*x[index].shape, seed=1)
    assert dot(x[index].data, y.data) == pytest.approx(
        dot(x.data, put(y, index, x.shape).data), rel=1e-12, abs=1e-12
    )


# --- Numbers, dtypes and arrays -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_python_and_numpy_numbers_keep_the_dtype(dtype):
    x = positive(2, dtype=dtype)
    results = [x + 1, 1 - x, 2.5 * x, x / 3, 1 / x, -x, x**2, x**0.5, x**-1]
    results += [x * np.float64(2), x ** np.float64(2), x ** np.float32(0.5)]
    results += [x.mean(), x.exp(), x.log(), x[None] @ x[:, None]]
    for y in results:
        assert y.dtype == dtype
        (gradient,) = grad(y.sum(), x)
        assert gradient.dtype == dtype


@pytest.mark.parametrize("operation", [*BINARY, operator.matmul])
def test_mixed_dtypes_raise(operation):
    a, b = random(2, 2), random(2, 2, dtype=np.float32)
    for other in (b, b.data, tensor([[1, 2], [3, 4]])):
        with pytest.raises(TypeError, match=r"^operands must have one dtype; got float64 and \w+$"):
            operation(a, other)


def test_an_integer_tensor_takes_integers_only():
    labels = tensor([1, 2, 3])
    np.testing.assert_array_equal((labels * 2 + 1).data, [3, 5, 7])
    assert (labels - 1).dtype == np.int64
    with pytest.raises(TypeError, match="^operands must have one dtype; got int64 and float64$"):
        labels + 0.5


def test_a_numpy_array_on_the_left_makes_one_tensor():
    x = random(3)
    left = np.ones(3) * x
    assert isinstance(left, Tensor)
    np.testing.assert_array_equal(left.data, x.data)
    for operation in BINARY:
        np.testing.assert_allclose(
            operation(np.full((2, 3), 2.0), x).data, operation(np.full((2, 3), 2.0), x.data)
        )
    check_gradients(lambda: np.arange(6.0).reshape(2, 3) / x, x)


def test_a_numpy_array_on_the_right_is_a_constant():
    x = random(2, 3)
    check_gradients(lambda: x * np.arange(3.0) + np.ones((4, 1, 1)), x)
    check_gradients(lambda: x @ np.arange(6.0).reshape(3, 2), x)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.5, np.float32),
        ([[1.0, 2.0]], np.float32),
        (3, np.int64),
        ([1, 2], np.int64),
        (True, np.bool_),
        (np.ones(2), np.float64),
        (np.float64(2), np.float64),
        (np.ones(2, np.float32), np.float32),
        (np.ones(2, np.uint8), np.uint8),
    ],
)
def test_tensor_keeps_an_arrays_dtype_and_makes_numbers_float32_or_int64(value, dtype):
    x = tensor(value)
    assert x.dtype == dtype
    np.testing.assert_array_equal(x.data, value)


def test_tensor_copies_and_the_class_does_not():
    array = np.ones(2)
    copied, wrapped = tensor(array), Tensor(array)
    array[0] = 5
    assert copied.data[0] == 1
    assert wrapped.data[0] == 5
    assert wrapped.numpy() is array


@pytest.mark.parametrize(
    "value", [np.ones(2, np.float16), np.ones(2, complex), "text", None, [None]]
)
def test_tensor_refuses_other_types(value):
    with pytest.raises(
        TypeError, match=r"^array must be float32, float64, integer or bool; got .*$"
    ):
        tensor(value)


@pytest.mark.parametrize("array", [np.ones(2, int), np.ones(2, bool)])
def test_only_floats_can_require_a_gradient(array):
    with pytest.raises(TypeError, match=r"^requires_grad needs a floating-point tensor; got .*$"):
        tensor(array, requires_grad=True)


def test_attributes():
    x = tensor(np.zeros((2, 3)), requires_grad=True)
    assert (x.shape, x.ndim, x.size, x.dtype, x.device) == ((2, 3), 2, 6, np.float64, "cpu")
    assert x.requires_grad
    assert x.grad is None
    assert x.grad_fn is None
    y = x * 2
    assert isinstance(y.grad_fn, Function)
    assert y.grad_fn.name == "mul"
    assert y.requires_grad


def test_item():
    assert tensor([[2.5]]).item() == 2.5
    assert type(tensor([[2.5]]).item()) is float
    assert type(tensor(3).item()) is int
    for wrong in (np.zeros(2), np.zeros(0), np.zeros((1, 2))):
        with pytest.raises(
            ValueError, match=r"^item\(\) needs a tensor of one element; got shape .*$"
        ):
            tensor(wrong).item()


def test_repr():
    assert repr(tensor([1.5, 2])) == "tensor([1.5, 2. ], float32)"
    assert repr(tensor(np.ones(1), True)) == "tensor([1.], float64, requires_grad)"
    assert repr(tensor(1.0, True) * 2) == "tensor(2., float32, grad_fn=mul)"
    assert repr(tensor([[1, 2], [3, 4]])) == "tensor([[1, 2],\n        [3, 4]], int64)"


def test_to_device():
    x = tensor([1.0], requires_grad=True)
    y = x.to("cpu")
    assert y.device == "cpu"
    assert y.requires_grad
    with pytest.raises(ValueError, match=r"^device must be one of auto, cpu, cuda; got 'tpu'$"):
        x.to("tpu")


def test_the_package_exports_the_engine():
    assert set(minifcn.__all__) >= {"Tensor", "tensor", "no_grad", "grad", "functional"}


# --- Backward -------------------------------------------------------------------------------------


def test_a_shared_node_accumulates():
    x = tensor([3.0], requires_grad=True)
    (x * x + x).backward()
    np.testing.assert_array_equal(x.grad.data, [7])


def test_a_diamond_waits_for_all_its_paths():
    x = tensor([2.0], requires_grad=True)
    a = x * 3
    b, c = a * a, a + 1  # a is reached over two paths of different lengths
    d = b * c
    (d * a).backward()
    # a^3 (a + 1) * a' with a = 6
    assert x.grad.item() == 3 * (4 * 6**3 + 3 * 6**2)


def test_backward_twice_adds_up_in_the_leaf():
    x = tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    (x * 3).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [5, 7])


def test_only_leaves_get_a_grad():
    x, y = tensor([1.0], requires_grad=True), tensor([1.0])
    z = x * y
    (z * 2).backward()
    assert z.grad is None
    assert y.grad is None
    assert x.grad.item() == 2


def test_backward_of_a_leaf_itself():
    x = tensor([1.0], requires_grad=True)
    x.backward()
    assert x.grad.item() == 1


def test_a_leafs_grad_shares_no_memory():
    x, y = (tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    upstream = tensor([1.0, 1.0])
    (x + y).backward(upstream)
    x.grad.data += 1
    np.testing.assert_array_equal(y.grad.data, [1, 1])
    np.testing.assert_array_equal(upstream.data, [1, 1])


def test_eighteen_doublings_take_eighteen_steps():
    x = tensor([1.0], requires_grad=True)
    y, calls = x, []

    def double(x):
        def gradient(g):
            calls.append(1)
            return g

        return record("double", x.data * 2, (x, gradient), (x, gradient))

    for _ in range(18):
        y = double(y)
    y.backward()  # 2^18 paths, but only 18 functions
    assert x.grad.item() == 2**18
    assert len(calls) == 2 * 18


@pytest.mark.parametrize("create_graph", [False, True])
def test_ten_thousand_operations_deep(create_graph):
    x = tensor(np.ones(1), requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y * 1.0001
    start = time.perf_counter()
    (found,) = grad(y, x, create_graph=create_graph)
    assert found.item() == pytest.approx(1.0001**10_000)
    assert time.perf_counter() - start < 10


def test_a_deep_chain_is_collected_without_recursion():
    x = tensor(np.ones(1), requires_grad=True)
    y = first = x + 1.0
    for _ in range(30_000):
        y = y + 1.0
    newest, oldest = weakref.ref(y.grad_fn), weakref.ref(first.grad_fn)
    gc.disable()  # there are no cycles: counting references must be enough
    try:
        del y, first
        assert newest() is None
        assert oldest() is None
    finally:
        gc.enable()


def test_upstream_gradient():
    x = tensor([1.0, 2.0], requires_grad=True)
    (x * x).backward(tensor([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad.data, [2, 40])


@pytest.mark.parametrize(
    ("gradient", "came"),
    [
        (None, "NoneType"),
        (tensor([1.0]), r"float32 cpu Tensor \(1,\)"),
        (tensor([[1.0, 1.0]]), r"float32 cpu Tensor \(1, 2\)"),
        (tensor(np.ones(2)), r"float64 cpu Tensor \(2,\)"),
        (np.ones(2, np.float32), "ndarray"),
        (1.0, "float"),
    ],
    ids=str,
)
def test_a_wrong_upstream_gradient_raises(gradient, came):
    x = tensor([1.0, 2.0], requires_grad=True)
    expected = rf"^gradient must be a float32 cpu Tensor \(2,\); got {came}$"
    with pytest.raises(ValueError, match=expected):
        (x * 2).backward(gradient)
    with pytest.raises(ValueError, match=expected):
        grad(x * 2, x, gradient)
    assert x.grad is None


def test_a_tensor_without_history_has_no_backward():
    with pytest.raises(RuntimeError, match="^no gradient can be computed: the output does not .*$"):
        tensor([1.0]).backward()


def test_a_second_backward_raises_and_changes_nothing():
    x = tensor([1.0], requires_grad=True)
    y = x * x
    y.backward()
    with pytest.raises(RuntimeError, match="^a backward freed this graph; .*create_graph=T"):
        y.backward()
    z = x * 5 + y  # a new graph on top of a freed one
    with pytest.raises(RuntimeError, match="freed this graph"):
        z.backward()
    assert x.grad.item() == 2


def test_create_graph_keeps_the_graph():
    x = tensor([3.0], requires_grad=True)
    y = x * x
    y.backward(create_graph=True)
    y.backward(create_graph=True)
    assert x.grad.item() == 12


def test_a_wrong_gradient_function_is_named():
    x = tensor([1.0, 2.0], requires_grad=True)
    y = record("broken", x.data.sum(), (x, lambda g: g))
    with pytest.raises(
        RuntimeError, match=r"^the gradient of broken is a float32 cpu Tensor \(\) for .*$"
    ):
        y.backward()


def test_buffers_are_freed_as_backward_consumes_them():
    x = tensor(np.ones(4), requires_grad=True)
    hidden = x.exp()
    array, node = weakref.ref(hidden.data), weakref.ref(hidden.grad_fn)
    y = (hidden * hidden).sum()
    del hidden
    assert array() is not None  # the product needs it to go back
    y.backward()
    assert array() is None
    assert node() is None


def test_buffers_die_while_the_walk_is_still_going_on():
    x = tensor(np.ones(4), requires_grad=True)
    alive = []
    early = record("probe", x.data + 0, (x, lambda g: (alive.append(array() is not None), g)[1]))
    late = early * 2
    array = weakref.ref(late.data)
    y = (late * late).sum()
    del late
    y.backward()
    assert alive == [False]


def test_without_recording_no_intermediate_is_kept():
    x = tensor(np.ones(4), requires_grad=True)
    with no_grad():
        hidden = x * 2
        array = weakref.ref(hidden.data)
        y = hidden + 1
        del hidden
    assert array() is None
    assert not y.requires_grad


# --- grad() and higher orders ---------------------------------------------------------------------


def test_grad_with_inputs_that_are_no_leaves():
    x = tensor([2.0], requires_grad=True)
    hidden = x * 3
    y = hidden * hidden
    found = grad(y, (hidden, x))
    assert [g.item() for g in found] == [12, 36]
    assert x.grad is None
    assert hidden.grad is None


def test_grad_of_several_outputs_sums_over_them():
    x = tensor([1.0, 2.0], requires_grad=True)
    a = x * 2
    (found,) = grad((a, a * x), x, (tensor([1.0, 1.0]), tensor([10.0, 0.0])))
    np.testing.assert_array_equal(found.data, [2 + 10 * 4, 2])


def test_grad_with_the_same_input_twice():
    x = tensor([3.0], requires_grad=True)
    assert [g.item() for g in grad(x * x, [x, x])] == [6, 6]


def test_grad_names_the_input_that_was_not_used():
    x, y, z = (tensor([1.0], requires_grad=True) for _ in range(3))
    with pytest.raises(ValueError, match=r"^inputs\[1, 2\] require no gradient or were not used$"):
        grad(x * 2, (x, y, z))


def test_grad_wants_an_upstream_gradient_for_each_output():
    x = tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"^grad_outputs must be 2 tensors; got 1$"):
        grad((x * 2, x * 3), x, tensor([1.0]))


def test_second_and_third_order():
    x = tensor(np.array([2.0, -1.5]), requires_grad=True)
    (first,) = grad((x**3).sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x, create_graph=True)
    (third,) = grad(second.sum(), x)
    np.testing.assert_allclose(first.data, 3 * x.data**2)
    np.testing.assert_allclose(second.data, 6 * x.data)
    np.testing.assert_allclose(third.data, [6, 6])
    assert not third.requires_grad


def test_backward_with_create_graph_makes_a_differentiable_grad():
    x = tensor(np.array([2.0]), requires_grad=True)
    (x**3).backward(create_graph=True)
    first, x.grad = x.grad, None
    first.backward()
    assert x.grad.item() == pytest.approx(12)


DIFFERENTIABLE_TWICE = {
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "broadcast": lambda a, b: a * b[:1],
    "matmul": lambda a, b: a @ b.transpose(),
    "exp": lambda a, b: (a * b).exp(),
    "log": lambda a, b: (a * a + b).log(),
    "mean": lambda a, b: a * (a * b).mean(1, keepdims=True),
    "take": lambda a, b: a[np.array([0, 1, 1])] * b[np.array([1, 1, 0])],
    "pow": lambda a, b: a**3 * b**-0.5,
}


@pytest.mark.parametrize("f", DIFFERENTIABLE_TWICE.values(), ids=DIFFERENTIABLE_TWICE)
def test_gradients_of_gradients(f):
    a, b = random(2, 3), positive(2, 3, seed=1)
    upstream = random(*f(a, b).shape, seed=2)

    def first_order():
        to_a, to_b = grad(f(a, b), (a, b), upstream, create_graph=True)
        return to_a * 3 + to_b**2

    check_gradients(first_order, a, b, upstream)


# --- no_grad and detach ---------------------------------------------------------------------------


def test_no_grad_nests_and_comes_back():
    assert is_grad_enabled()
    with no_grad():
        with no_grad():
            assert not is_grad_enabled()
        assert not is_grad_enabled()
    assert is_grad_enabled()


def test_no_grad_ends_with_an_exception():
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert (tensor([1.0], requires_grad=True) * 2).requires_grad


def test_no_grad_as_a_decorator():
    f = no_grad()(lambda x: x * 2)
    x = tensor([1.0], requires_grad=True)
    assert not f(x).requires_grad
    assert not f(x).requires_grad
    assert is_grad_enabled()


def test_no_grad_is_of_one_thread():
    found = []
    with no_grad():
        thread = threading.Thread(target=lambda: found.append(is_grad_enabled()))
        thread.start()
        thread.join()
    assert found == [True]


def test_backward_within_no_grad_works():
    x = tensor([3.0], requires_grad=True)
    y = x * x
    with no_grad():
        y.backward()
    assert x.grad.item() == 6
    assert not x.grad.requires_grad


def test_backward_records_nothing_by_default():
    x = tensor([3.0], requires_grad=True)
    (x * x * x).backward()
    assert not x.grad.requires_grad
    assert x.grad.grad_fn is None


def test_detach_cuts_the_history_and_shares_the_values():
    x = tensor([2.0], requires_grad=True)
    y = x * 3
    cut = y.detach()
    assert cut.data is y.data
    assert not cut.requires_grad
    (y * cut).backward()
    assert x.grad.item() == 18


# --- Shapes that do not fit ---------------------------------------------------------------------


@pytest.mark.parametrize("operation", BINARY)
def test_shapes_that_do_not_broadcast_raise(operation):
    with pytest.raises(ValueError, match="broadcast"):
        operation(random(2, 3), random(2))


def test_matmul_needs_matrices_that_fit():
    for a, b in ((random(3), random(3, 2)), (random(2, 3), random(3))):
        with pytest.raises(ValueError, match=r"^@ needs at least 2 axes; got \(.*\) @ \(.*\)$"):
            a @ b
    with pytest.raises(ValueError, match="mismatch"):
        random(2, 3) @ random(2, 3)
