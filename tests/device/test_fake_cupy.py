"""The stand-in refuses what CuPy refuses, and offers only what CuPy has."""

import inspect
import warnings

import fake_cupy
import numpy as np
import pytest

OPERATORS = [f"__{prefix}{name}__" for name in fake_cupy._ARITHMETIC for prefix in ("", "r", "i")]
METHODS = [name for name in vars(fake_cupy.ndarray) if not name.startswith("_")]
FUNCTIONS = [
    name
    for name, value in vars(fake_cupy).items()
    if callable(value) and not name.startswith("_") and name not in ("SimpleNamespace", "ndarray")
]


def ones(*shape, dtype=np.float32):
    return fake_cupy.ones(shape, dtype)


# -- As CuPy does --------------------------------------------------------------------------------


def test_it_is_no_numpy_array():
    assert not isinstance(ones(2), np.ndarray)


N = np.ones((2, 3), np.float32)
REFUSED = {
    "asarray": (lambda x: np.asarray(x), TypeError),
    "array": (lambda x: np.array([x, x]), TypeError),
    "float32": (lambda x: np.float32(x.sum()), TypeError),
    "ascontiguousarray": (lambda x: np.ascontiguousarray(x), TypeError),
    "testing": (lambda x: np.testing.assert_allclose(x, x), TypeError),
    "index": (lambda x: N[x.astype(np.int64)], TypeError),
    "range": (lambda x: range(x.astype(np.int64).sum()), TypeError),
    "hash": (lambda x: hash(x), TypeError),
    "plus": (lambda x: x + N, TypeError),
    "plus an array without axes": (lambda x: x + np.array(1.0), TypeError),
    "numpy plus": (lambda x: N + x, TypeError),
    "equal": (lambda x: x == N, TypeError),
    "matmul": (lambda x: x @ N.T, TypeError),
    "numpy matmul": (lambda x: N.T @ x, TypeError),
    "in place": (lambda x: x.__iadd__(N), TypeError),
    "numpy in place": (lambda x: N.copy().__iadd__(x), TypeError),
    "fill": (lambda x: x.__setitem__(..., N), ValueError),
    "fill with a list": (lambda x: x.__setitem__(0, [1, 2, 3]), ValueError),
    "numpy filled": (lambda x: N.copy().__setitem__(..., x), TypeError),
    "where": (lambda x: np.where(x > 0, N, x), TypeError),
    "where in numpy": (lambda x: np.where(N > 0, x, x), TypeError),
    "concatenate": (lambda x: np.concatenate([x, N]), TypeError),
    "take": (lambda x: np.take_along_axis(x, np.zeros((2, 1), int), 1), TypeError),
    "a function that it lacks": (lambda x: np.errstate(x) or np.kron(x, x), TypeError),
    "a method of a ufunc": (lambda x: np.add.reduce(x), TypeError),
    "writeable": (lambda x: x.flags.writeable, AttributeError),
    "len": (lambda x: len(x.sum()), TypeError),
    "kernel": (lambda x: fake_cupy._passed(N), TypeError),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cupy_refuses_is_refused(case):
    function, error = REFUSED[case]
    with pytest.raises(error):
        function(ones(2, 3))


def test_reductions_and_elements_are_arrays():
    x = ones(2, 3)
    for y in (x.sum(), x.max(), x[0, 0], x.mean() + 1, np.exp(x.sum()), np.squeeze(x[:1, :1])):
        assert isinstance(y, fake_cupy.ndarray)
        assert y.shape == ()


def test_numpy_functions_go_to_the_stand_in():
    x = ones(2, 3)
    results = [
        np.exp(x), np.where(x > 0, 1, x), np.zeros_like(x, shape=(2,)), np.clip(x, 0, 6), 2 * x,
        np.float32(2) * x, np.concatenate([x, x], 1), np.broadcast_to(x, (4, 2, 3)), abs(-x),
    ]  # fmt: skip
    assert {type(y) for y in results} == {fake_cupy.ndarray}
    assert {y.dtype for y in results} == {np.dtype(np.float32)}
    assert np.shape(x) == (2, 3)


def test_an_array_of_indices_wraps_around():
    x = fake_cupy.asarray(np.arange(12.0).reshape(3, 4))
    for index, same in (
        ([4, -4], [1, 2]),
        ((slice(None), np.array([5])), (slice(None), [1])),
        ((..., fake_cupy.asarray(np.array([7]))), (..., [3])),
        ((None, np.array([3]), 0), (None, [0], 0)),
    ):
        np.testing.assert_array_equal(x[index].get(), x.get()[same])
    with pytest.raises(IndexError):
        x[3]


def test_a_new_array_holds_nothing_to_rely_on():
    assert np.isnan(fake_cupy.empty((2,)).get()).all()


def test_waiting_is_counted():
    x = ones(2)
    fake_cupy._waits.clear()
    _ = x + x, np.exp(x).sum(), x[0], x > 0
    assert fake_cupy._waits == []
    waits = [bool, float, int, repr, "{:.1f}".format, fake_cupy.asnumpy, lambda y: y.item()]
    for wait in (*(lambda f=f: f(x[0]) for f in waits), lambda: x[x > 0]):
        before = len(fake_cupy._waits)
        wait()
        assert len(fake_cupy._waits) == before + 1


# -- As CuPy is ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    """CuPy itself, which needs no GPU to be looked at."""
    return pytest.importorskip("cupy", exc_type=ImportError)


@pytest.fixture(scope="module")
def unowned(real):
    """Make real arrays of memory that is not there: enough for all that launches nothing."""

    def make(*shape, dtype=np.float32):
        memory = real.cuda.UnownedMemory(2**16, 2**16, object(), 0)
        return real.ndarray(shape, dtype, real.cuda.MemoryPointer(memory, 0))

    return make


def kinds(function):
    """The names of the arguments of a function in order, with their kinds."""
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind) for p in parameters if p.name != "self"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_cupys(real, name):
    assert callable(getattr(real, name))
    if name in fake_cupy._UFUNCS:
        assert isinstance(getattr(real, name), real.ufunc)
    elif not isinstance(getattr(real, name), type):
        ours, theirs = kinds(getattr(fake_cupy, name)), kinds(getattr(real, name))
        assert ours == theirs


@pytest.mark.parametrize("name", [*METHODS, *OPERATORS, "__matmul__", "__array__", "__format__"])
def test_every_method_is_cupys(real, name):
    assert hasattr(real.ndarray, name)


@pytest.mark.parametrize("name", vars(fake_cupy.runtime))
def test_every_question_about_the_gpu_is_cupys(real, name):
    assert callable(getattr(real.cuda.runtime, name))
    assert real.cuda.Device
    assert real.RawKernel
    assert real.RawModule


@pytest.mark.parametrize("case", [
    "asarray", "array", "float32", "ascontiguousarray", "testing", "index", "range", "hash",
    "matmul", "numpy matmul", "fill", "fill with a list", "numpy filled", "writeable",
])  # fmt: skip
def test_cupy_refuses_it_too(unowned, case):
    _, error = REFUSED[case]
    function = {
        "index": lambda x: N[unowned(2, dtype=np.int64)],
        "float32": lambda x: np.float32(unowned()),
        "array": lambda x: np.array([x]),
        "range": lambda x: range(unowned(dtype=np.int64)),
    }.get(case, REFUSED[case][0])
    x = unowned(2, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's about how CuPy says no
        with pytest.raises(error):
            function(x)


def test_views_of_cupy_are_what_ours_are(unowned):
    for x in (unowned(2, 3), ones(2, 3)):
        views = (x[0], x[:, None], x.T, x.transpose((1, 0)), x.reshape((3, 2)), x.ravel(),
                 np.broadcast_to(x, (4, 2, 3)), np.squeeze(x[:1], 0), x[..., 1, None])  # fmt: skip
        assert [y.shape for y in views] == [
            (3,), (2, 1, 3), (3, 2), (3, 2), (3, 2), (6,), (4, 2, 3), (3,), (2, 1),
        ]  # fmt: skip
        assert x.flags.owndata
        assert not any(y.flags.owndata for y in views)
        assert x.astype(np.float32, copy=False) is x
        assert np.shape(x) == (2, 3)
        with pytest.raises(IndexError):
            x[5]
