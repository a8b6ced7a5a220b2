"""What the engine stands on: a Tensor's sizes and values, and whether operations are recorded.

Nothing here knows of gradients, but that values of a tensor which needs one are not given away
unasked: np.array(x) would lose the way back without a word, x.numpy() says so.
"""

from __future__ import annotations

import contextlib
import itertools
import operator
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, ClassVar

import numpy as np

from minifcn import backend
from minifcn.backend import Array

_changes = itertools.count(1)


class Version:
    """Which values an array holds, as it may be changed in place; all who share it keep one.

    Attributes:
        number: of the latest change among all there have ever been; 0 before the first.
        shared: whether another tensor, such as a view, has ever had the same array.
    """

    number = 0
    shared = False

    def __reduce__(self) -> str | tuple[type[Version], tuple[()]]:
        # A copy has seen no changes: numbers are those of one process.
        return "UNCHANGED" if self is UNCHANGED else (Version, ())


UNCHANGED = Version()
"""The version of every tensor until it is changed in place, or shares its array."""


def _elementwise(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Make an operator that computes with the values, whose dtypes may differ, and no gradient."""

    def compute(x: Values, other: Any) -> Any:
        if isinstance(other, (list, tuple)):
            raise TypeError(f"other must be a Tensor, an array or a number; got {other!r}")
        if isinstance(other, Values):
            if other.device != x.device:
                raise ValueError(f"operands must be on one device; got {x.device}, {other.device}")
            return x.kind(operation(x.data, other.data))
        if not backend.is_array(other) and not isinstance(other, (int, float, np.generic)):
            return NotImplemented  # equal to nothing else, and in no order with it
        return x.kind(operation(x.data, backend.operand(other, x.data)))

    return compute


def _in_place(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda x, other: x._in_place(operation, other)


class Values:
    """An array, and how its sizes and values are asked for: the base of Tensor.

    Its own class says what an operator does. NumPy's functions take no Tensors: they would not
    know of gradients, and many see one object where there are many numbers.
    """

    __slots__ = ("_needs_gradient", "data", "version")
    __array_ufunc__ = None  # makes `array * tensor` call Tensor.__rmul__ instead of looping

    kind: ClassVar[Any]  # the class of results without history: Tensor, which is defined above
    data: Array
    grad_fn: Any
    version: Version

    shape = property(lambda self: self.data.shape, doc="The size of each axis.")
    ndim = property(lambda self: self.data.ndim, doc="The number of axes.")
    size = property(lambda self: self.data.size, doc="The number of elements.")
    dtype = property(lambda self: self.data.dtype, doc="The type of the elements.")
    device = property(lambda self: backend.device(self.data), doc="'cpu' or 'cuda'.")

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor."""
        return self._needs_gradient

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        """Let gradients flow to a leaf of floating-point numbers, or not."""
        if wanted and self.dtype.kind != "f":
            raise TypeError(f"requires_grad needs a floating-point tensor; got dtype {self.dtype}")
        if self.grad_fn and not wanted:
            raise RuntimeError("requires_grad of a computed tensor is True; detach() it instead")
        self._needs_gradient = bool(wanted)

    def numpy(self) -> np.ndarray:
        """Return the values as a NumPy array, which shares its memory on the CPU."""
        return backend.to_device(self.data, "cpu")

    def item(self) -> float | int:
        """Return the value of a tensor of one element as a Python number."""
        if self.size != 1:
            raise ValueError(f"item() needs a tensor of one element; got shape {self.shape}")
        return self.data.item()

    def changed(self) -> None:
        """Note that the values were changed in place: backward refuses where it needs the old."""
        self.own_version().number = next(_changes)

    def own_version(self) -> Version:
        """Return the version that this tensor keeps, to change it or share it."""
        self.version = Version() if self.version is UNCHANGED else self.version
        return self.version

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return operator.index(self.numpy())  # of an integer without axes only

    def __bool__(self) -> bool:
        if self.size != 1:
            raise RuntimeError(
                f"a tensor is true or false if it has one element; got shape {self.shape}: ask for"
                " (x == y).data.all(), .any(), or x is None"
            )
        return bool(self.item())

    # Comparisons and masks: of each element, without gradients. As keys, tensors are objects.
    __eq__ = _elementwise(operator.eq)
    __ne__ = _elementwise(operator.ne)
    __lt__, __le__ = _elementwise(operator.lt), _elementwise(operator.le)
    __gt__, __ge__ = _elementwise(operator.gt), _elementwise(operator.ge)
    __and__ = __rand__ = _elementwise(operator.and_)
    __or__ = __ror__ = _elementwise(operator.or_)
    __xor__ = __rxor__ = _elementwise(operator.xor)
    __hash__ = object.__hash__

    __iadd__, __isub__ = _in_place(operator.add), _in_place(operator.sub)
    __imul__, __itruediv__ = _in_place(operator.mul), _in_place(operator.truediv)
    __ipow__, __iand__ = _in_place(operator.pow), _in_place(operator.and_)
    __ior__, __ixor__ = _in_place(operator.or_), _in_place(operator.xor)

    def __invert__(self) -> Any:
        return self.kind(~self.data)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))  # type: ignore[index]

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a tensor without axes has no length, and nothing to iterate over")
        return self.shape[0]

    def __contains__(self, value: Any) -> bool:
        if not isinstance(value, (int, float, np.generic, Values)):
            raise TypeError(f"a tensor contains numbers; got {type(value).__name__}")
        return bool((self == value).data.any())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.requires_grad or self.device != "cpu":
            why = "requires a gradient" if self.requires_grad else "is on a GPU"
            raise TypeError(f"a Tensor that {why} is no NumPy array: give x.numpy()")
        return np.array(self.data, dtype, copy=copy)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, arguments: Any, options: Any
    ) -> Any:
        raise TypeError(f"numpy.{function.__name__} takes arrays, not Tensors: give it x.numpy()")

    def __reduce_ex__(self, protocol: Any) -> Any:  # for copy and pickle
        if self.grad_fn:
            raise RuntimeError("a computed tensor is not copied with its history: detach() it")
        self.own_version()  # copy.copy shares it, as it shares the array
        return super().__reduce_ex__(protocol)


def plain_index(index: Any) -> Any:
    """Copy an index, without the Tensors in it, so that it stays as backward needs it."""
    if isinstance(index, tuple):
        return tuple(map(plain_index, index))
    if isinstance(index, slice):
        return slice(*map(plain_index, (index.start, index.stop, index.step)))
    if getattr(index, "dtype", None) == np.uint8 and index.ndim:
        raise TypeError("an index must be bool (a mask) or int64; got uint8, which could be either")
    index = index.data if isinstance(index, Values) else index
    return index.copy() if isinstance(index, list) or backend.is_array(index) else index


# -- Whether operations are recorded: a switch of each thread -----------------------------------

_recording: ContextVar[bool] = ContextVar("recording", default=True)


@contextlib.contextmanager
def recorded(enabled: bool) -> Iterator[None]:
    """Record inside this context manager, or do not."""
    token = _recording.set(enabled)
    try:
        yield
    finally:
        _recording.reset(token)


def no_grad() -> contextlib.AbstractContextManager[None]:
    """Stop recording inside this context manager, which nests."""
    return recorded(False)


is_grad_enabled = _recording.get
"""Return whether operations are being recorded."""
