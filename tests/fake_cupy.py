"""A stand-in for CuPy on a machine without a GPU: NumPy arrays that behave as CuPy's do.

What CuPy refuses, it refuses too: to turn into a NumPy array unasked, to be mixed with one in an
operation, to be filled from one. What CuPy gives as an array without axes, NumPy as a number, is
an array here. It offers only names that CuPy has (test_fake_cupy.py holds them against a real one
where that is installed), and of these only what minifcn uses. Where CuPy's behaviour was not clear,
it is the stricter of the two. Kernels run through minifcn.cuda_on_cpu.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from numpy import bool_, float32, float64, int32, int64, uint8  # noqa: F401 - as CuPy has them

__version__ = "0.0.0"
_NOT_ALLOWED = (
    "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy"
    " array explicitly."
)
_waits = []
"""What made the CPU wait for the GPU, in order; tests look at it."""


def _wrap(result):
    """Make arrays of the results of NumPy; a number becomes an array without axes."""
    if isinstance(result, tuple):
        return tuple(map(_wrap, result))
    array = object.__new__(ndarray)
    array._array = np.asarray(result)
    return array


def _own(value):
    """The NumPy array in one of ours, or a number; anything else is refused, as CuPy refuses it."""
    if isinstance(value, ndarray):
        return value._array
    if isinstance(value, (bool, int, float, np.generic)):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def _index(index, shape):
    """Indices may be NumPy's arrays too; what is out of range wraps around, as on a GPU."""
    parts = index if isinstance(index, tuple) else (index,)
    parts = [part._array if isinstance(part, ndarray) else part for part in parts]
    axes = [getattr(part, "ndim", 1) if _is_mask(part) else part is not None for part in parts]
    if any(part is Ellipsis for part in parts):
        place = next(i for i, part in enumerate(parts) if part is Ellipsis)
        axes[place] = len(shape) - sum(axes) + 1
    for i, part in enumerate(parts):
        if isinstance(part, (list, np.ndarray)) and not _is_mask(part):
            parts[i] = np.asarray(part) % shape[sum(axes[:i])]
    return tuple(parts)


def _is_mask(index):
    parts = index if isinstance(index, tuple) else (index,)
    return any(getattr(part, "dtype", None) == np.bool_ for part in parts)


class ndarray:  # noqa: N801 - CuPy's name
    """An array on a GPU that is not there."""

    __array_priority__ = 100

    def __init__(self, shape, dtype=float):
        self._array = np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 99, dtype)

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)
    ndim = property(lambda self: self._array.ndim)
    size = property(lambda self: self._array.size)
    itemsize = property(lambda self: self._array.itemsize)
    nbytes = property(lambda self: self._array.nbytes)
    strides = property(lambda self: self._array.strides)
    T = property(lambda self: _wrap(self._array.T))
    device = property(lambda self: cuda.Device(0))

    @property
    def flags(self):
        own = self._array.flags
        return SimpleNamespace(
            c_contiguous=own.c_contiguous, f_contiguous=own.f_contiguous, owndata=own.owndata
        )

    # -- To the CPU: each of these waits for the GPU --

    def get(self, stream=None, order="C", out=None, blocking=True):
        _waits.append("get")
        return np.array(self._array, order="C")

    def item(self):
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self):
        return self.get().tolist()

    def tobytes(self, order="C"):
        return self.get().tobytes(order)

    def __bool__(self):
        return bool(self.get())

    def __int__(self):
        return int(self.get())

    def __float__(self):
        return float(self.get())

    def __repr__(self):
        return repr(self.get())

    def __str__(self):
        return str(self.get())

    def __format__(self, form):
        return format(self.get(), form)

    def __array__(self, dtype=None):
        raise TypeError(_NOT_ALLOWED)

    # -- Elements --

    def __len__(self):
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return len(self._array)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        if _is_mask(index):
            _waits.append("mask")  # how many elements there are, only the GPU knows
        return _wrap(self._array[_index(index, self.shape)])

    def __setitem__(self, index, value):
        if not isinstance(value, ndarray) and np.ndim(value):
            raise ValueError(f"non-scalar {type(value).__name__} cannot be used for fill")
        self._array[_index(index, self.shape)] = (
            value._array if isinstance(value, ndarray) else value
        )

    # -- NumPy's functions, called with our arrays --

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if method == "at" and ufunc is np.add:
            array, index, values = inputs
            np.add.at(_own(array), _index(index, array.shape), _own(values))
            return None
        function = globals().get(ufunc.__name__)
        if method != "__call__" or function is None:
            return NotImplemented
        if "out" in options:
            (options["out"],) = options["out"]
        return function(*inputs, **options)

    def __array_function__(self, function, types, arguments, options):
        own = globals().get(function.__name__)
        if own is None or not function.__module__.startswith("numpy"):
            return NotImplemented
        return own(*arguments, **options)

    # -- Methods --

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        if not copy and self.dtype == dtype:
            return self
        return _wrap(self._array.astype(dtype, order))

    def copy(self, order="C"):
        return _wrap(self._array.copy(order))

    def fill(self, value):
        self._array.fill(_own(value))

    def reshape(self, *shape, order="C"):
        return _wrap(self._array.reshape(*shape, order=order))

    def transpose(self, *axes):
        return _wrap(self._array.transpose(*axes))

    def swapaxes(self, axis1, axis2):
        return _wrap(self._array.swapaxes(axis1, axis2))

    def ravel(self, order="C"):
        return _wrap(self._array.ravel(order))

    def squeeze(self, axis=None):
        return _wrap(self._array.squeeze(axis))

    def view(self, dtype=None):
        return _wrap(self._array.view(dtype) if dtype else self._array.view())

    def sum(self, axis=None, dtype=None, out=None, keepdims=False):
        return _wrap(self._array.sum(axis, dtype, keepdims=keepdims))

    def mean(self, axis=None, dtype=None, out=None, keepdims=False):
        return _wrap(self._array.mean(axis, dtype, keepdims=keepdims))

    def max(self, axis=None, out=None, keepdims=False):
        return _wrap(self._array.max(axis, keepdims=keepdims))

    def min(self, axis=None, out=None, keepdims=False):
        return _wrap(self._array.min(axis, keepdims=keepdims))

    def argmax(self, axis=None, out=None, dtype=None, keepdims=False):
        return _wrap(self._array.argmax(axis, keepdims=keepdims))

    def all(self, axis=None, out=None, keepdims=False):
        return _wrap(self._array.all(axis, keepdims=keepdims))

    def any(self, axis=None, out=None, keepdims=False):
        return _wrap(self._array.any(axis, keepdims=keepdims))

    def clip(self, min=None, max=None, out=None):
        return clip(self, min, max, out)


def _operator(ufunc, swapped=False):
    def operate(self, other):
        if getattr(other, "__array_ufunc__", self) is None:
            return NotImplemented  # it has an operator of its own, as a Tensor has
        pair = (_own(other), self._array) if swapped else (self._array, _own(other))
        return _wrap(ufunc(*pair))

    return operate


def _in_place(ufunc):
    def operate(self, other):
        ufunc(self._array, _own(other), out=self._array)
        return self

    return operate


def _matmul(self, other):
    if not isinstance(other, ndarray):
        if getattr(other, "__array_ufunc__", self) is None:
            return NotImplemented
        raise TypeError(f"Argument 'b' has incorrect type (got {type(other).__name__})")
    return _wrap(self._array @ other._array)


_ARITHMETIC = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.true_divide,
    "pow": np.power,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
_COMPARISONS = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
for _name, _function in _ARITHMETIC.items():
    setattr(ndarray, f"__{_name}__", _operator(_function))
    setattr(ndarray, f"__r{_name}__", _operator(_function, swapped=True))
    setattr(ndarray, f"__i{_name}__", _in_place(_function))
for _name, _function in _COMPARISONS.items():
    setattr(ndarray, f"__{_name}__", _operator(_function))
ndarray.__matmul__ = _matmul
ndarray.__neg__ = lambda self: _wrap(-self._array)
ndarray.__invert__ = lambda self: _wrap(~self._array)
ndarray.__abs__ = lambda self: _wrap(abs(self._array))
ndarray.__hash__ = None


# -- Functions -----------------------------------------------------------------------------------


def _ufunc(function):
    def call(*inputs, out=None, dtype=None):
        options = {"out": _own(out)} if out is not None else {}
        result = function(*map(_own, inputs), **options, **({"dtype": dtype} if dtype else {}))
        return out if out is not None else _wrap(result)

    return call


_UFUNCS = (
    "absolute", "add", "divide", "equal", "exp", "greater", "greater_equal", "isfinite", "isnan",
    "less", "less_equal", "log", "logical_and", "logical_not", "logical_or", "maximum", "minimum",
    "multiply", "negative", "not_equal", "power", "sqrt", "square", "subtract", "true_divide",
)  # fmt: skip
globals().update({_name: _ufunc(getattr(np, _name)) for _name in _UFUNCS})


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    if isinstance(a, ndarray):
        return a if dtype is None or a.dtype == dtype else a.astype(dtype)
    return _wrap(np.array(a, dtype))


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    return _wrap(np.array(obj._array if isinstance(obj, ndarray) else obj, dtype))


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def ascontiguousarray(a, dtype=None):
    return a if a.flags.c_contiguous and dtype is None else _wrap(a._array.copy("C"))


def empty(shape, dtype=float, order="C"):
    return ndarray(shape, dtype)


def zeros(shape, dtype=float, order="C"):
    return _wrap(np.zeros(shape, dtype))


def ones(shape, dtype=float, order="C"):
    return _wrap(np.ones(shape, dtype))


def full(shape, fill_value, dtype=None, order="C"):
    return _wrap(np.full(shape, _own(fill_value), dtype))


def arange(start, stop=None, step=1, dtype=None):
    return _wrap(np.arange(0, start) if stop is None else np.arange(start, stop, step, dtype))


def _like(function):
    def like(a, dtype=None, order="K", subok=None, shape=None):
        return _wrap(function(_own(a), dtype, shape=shape))

    return like


zeros_like, ones_like = _like(np.zeros_like), _like(np.ones_like)


def where(condition, x=None, y=None):
    if not isinstance(condition, ndarray):
        raise TypeError(f"Unsupported type {type(condition)}")
    return _wrap(np.where(condition._array, _own(x), _own(y)))


def clip(a, a_min, a_max, out=None):
    return _wrap(np.clip(_own(a), _own(a_min), _own(a_max)))


def concatenate(tup, axis=0, out=None, *, dtype=None, casting="same_kind"):
    if not all(isinstance(a, ndarray) for a in tup):
        raise TypeError("Only cupy arrays can be concatenated")
    return _wrap(np.concatenate([a._array for a in tup], axis))


def squeeze(a, axis=None):
    return a.squeeze(axis)


def broadcast_to(array, shape):
    return _wrap(np.broadcast_to(_own(array), shape))


def may_share_memory(a, b, max_work=None):
    return np.may_share_memory(_own(a), _own(b))


def take_along_axis(a, indices, axis):
    if not isinstance(indices, ndarray):
        raise TypeError(f"Unsupported type {type(indices)}")
    return _wrap(np.take_along_axis(a._array, indices._array, axis))


def put_along_axis(arr, indices, values, axis):
    np.put_along_axis(arr._array, _own(indices), _own(values), axis)


def shape(a):
    return a.shape if isinstance(a, ndarray) else np.shape(a)


# -- The GPU -------------------------------------------------------------------------------------


class RawModule:
    """CUDA text, run by minifcn.cuda_on_cpu on the arrays in ours."""

    def __init__(self, *, code=None, options=()):
        from minifcn import cuda_on_cpu

        self._module = cuda_on_cpu.RawModule(code=code, options=options)

    def get_function(self, name):
        function = self._module.get_function(name)
        return lambda grid, block, args: function(grid, block, tuple(map(_passed, args)))


def _passed(argument):
    if isinstance(argument, np.ndarray) and argument.dtype.kind != "V":
        raise TypeError("a kernel on the GPU was given an array on the CPU that is no struct")
    return argument._array if isinstance(argument, ndarray) else argument


class RawKernel:
    """The one kernel that shows whether a GPU works; it doubles its argument."""

    def __init__(self, code, name):
        assert name == "twice"

    def __call__(self, grid, block, args):
        args[0]._array *= 2


class _Device:
    def __init__(self, device=None):
        self.id = device or 0

    def __repr__(self):
        return f"<CUDA Device {self.id}>"


runtime = SimpleNamespace(
    getDeviceCount=lambda: 1,
    getDevice=lambda: 0,
    getDeviceProperties=lambda device: {
        "name": b"Imaginary GPU", "totalGlobalMem": 3 * 2**29, "major": 9, "minor": 0,
    },
    runtimeGetVersion=lambda: 13020,
    driverGetVersion=lambda: 13010,
)  # fmt: skip
cuda = SimpleNamespace(runtime=runtime, Device=_Device, is_available=lambda: True)
