"""The engine: a Tensor remembers how it was made, and backward walks that history in reverse.

1. An operation computes an array, then calls `record` with, for each input, a function from the
   gradient of the output to that of the input (a vector-Jacobian product). So the tensors behind a
   result form a graph, built as the code runs. The functions compute with Tensors, so a gradient
   can be differentiated again.
2. Backward visits that graph from the result to the leaves, each tensor after everything that was
   made from it, and adds up what arrives at a tensor over several paths.
3. Values change in place too, by an optimiser for one. Each array has a version, and backward stops
   where one that was used, or made, is no longer what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from minifcn import backend
from minifcn.backend import Array
from minifcn.values import UNCHANGED, Values, Version, is_grad_enabled, plain_index, recorded
from minifcn.values import no_grad as no_grad

Source: TypeAlias = "tuple[Tensor, Callable[[Tensor], Tensor]]"

_IN_PLACE = "cannot be changed in place where gradients are recorded"


class Tensor(Values):
    """An array that remembers how it was made.

    Attributes:
        data: the array, of NumPy or of CuPy; wrapped, not copied.
        requires_grad: whether gradients flow to this tensor.
        grad: the gradient that `backward` added up, a Tensor, or None; only leaves get one.
        grad_fn: the Function that made this tensor; None for a leaf.
        version: which values it has, where they are changed in place; shared with its views.
    """

    __slots__ = ("grad", "grad_fn")

    def __init__(self, data: Array, requires_grad: bool = False) -> None:
        self.data = data if type(data) is np.ndarray else backend.plain_array(data)
        if self.data.dtype.kind not in "fiub":
            raise TypeError(f"data must be real numbers or booleans; got {self.data.dtype}")
        self.version = data.detach().version if isinstance(data, Tensor) else UNCHANGED
        self.grad: Tensor | None = None
        self.grad_fn: Function | None = None
        self._needs_gradient = False
        if requires_grad:
            self.requires_grad = True

    def __repr__(self) -> str:
        text = np.array2string(self.numpy(), separator=", ", prefix="tensor(")
        made = f", grad_fn={self.grad_fn.name}" if self.grad_fn else ""
        return f"tensor({text}, {self.dtype}{made or ', requires_grad' * self.requires_grad})"

    def detach(self) -> Tensor:
        """Return a tensor with the same array and no history."""
        cut = Tensor(self.data)
        cut.version = self.own_version()
        cut.version.shared = True
        return cut

    def to(self, device: str) -> Tensor:
        """Return the same values on `device`; their gradients come back from there."""
        moved, back = backend.to_device(self.data, device), lambda g: g.to(self.device)
        return self if moved is self.data else record("to", moved, (self, back))

    def backward(self, gradient: Tensor | None = None, create_graph: bool = False) -> None:
        """Add d(this tensor)/d(leaf), times the upstream `gradient`, to the grad of each leaf.

        gradient: of this tensor's shape; 1 by default, for a tensor of one element.
        create_graph: make the gradients differentiable; otherwise the graph is freed on the way.
        Raises ValueError for a missing or misshaped `gradient`, RuntimeError without a graph.
        """
        for leaf, grad in _propagate((self,), (gradient,), create_graph, lambda x: not x.grad_fn):
            old, plain = leaf.grad, not grad.requires_grad
            if old is not None and plain and not old.requires_grad and old.data.flags.owndata:
                old.data += grad.data  # in place
                old.changed()
            else:
                fresh = Tensor(grad.data.copy()) if plain else grad
                leaf.grad = fresh if old is None else old + fresh

    def __add__(self, other: Any) -> Tensor:
        a, b = _operands(self, other)
        return record("add", a.data + b.data, (a, lambda g: g), (b, lambda g: g))

    def __mul__(self, other: Any) -> Tensor:
        a, b = _operands(self, other)
        return record("mul", a.data * b.data, (a, lambda g: g * b), (b, lambda g: g * a))

    def __truediv__(self, other: Any) -> Tensor:
        a, b = _operands(self, other)
        return record("div", a.data / b.data, (a, lambda g: g / b), (b, lambda g: -g * a / b**2))

    def __rtruediv__(self, other: Any) -> Tensor:
        return _matching(self, other) / self

    def __pow__(self, exponent: float) -> Tensor:
        if not isinstance(exponent, (int, float, np.number)):
            raise TypeError(f"** needs a number as exponent; got {type(exponent).__name__}")
        exponent = (int if isinstance(exponent, (int, np.integer)) else float)(exponent)
        slope = lambda: exponent * self ** (exponent - 1) if exponent else 0.0
        return record("pow", self.data**exponent, (self, lambda g: g * slope()))

    def __neg__(self) -> Tensor:
        return self * -1

    def __sub__(self, other: Any) -> Tensor:
        return self + -other

    def __rsub__(self, other: Any) -> Tensor:
        return -self + other

    __radd__, __rmul__ = __add__, __mul__

    def __matmul__(self, other: Any) -> Tensor:
        other = _matching(self, other)
        if min(self.ndim, other.ndim) < 2:
            raise ValueError(f"@ needs at least 2 axes; got {self.shape} @ {other.shape}")
        to_self = lambda g: sum_to(g @ other.transpose(), self.shape)
        to_other = lambda g: sum_to(self.transpose() @ g, other.shape)
        return record("matmul", self.data @ other.data, (self, to_self), (other, to_other))

    def __rmatmul__(self, other: Any) -> Tensor:
        return _matching(self, other) @ self

    def _in_place(self, operation: Callable[[Any, Any], Tensor], other: Any) -> Tensor:
        """Do what `x += y` does in PyTorch: x stays the same tensor, with new values.

        Where gradients are recorded it gets a new array and history; else the array is changed.
        """
        before = Tensor(self.data)._take_over(self)
        after = operation(before, before if other is self else other)
        if (after.shape, after.dtype) != (self.shape, self.dtype):
            raise TypeError(f"in place, a {_kind(self)} cannot become a {_kind(after)}")
        if not after.grad_fn:
            self[...] = after
        elif (leaf := self.requires_grad and not self.grad_fn) or self.version.shared:
            what = "leaf" if leaf else "tensor that shares its array"
            raise RuntimeError(f"a {what} {_IN_PLACE}; write x = x + y, or use no_grad()")
        else:
            self._take_over(after).changed()  # for what was made from it as it was before
            after.grad_fn.versions = (self.version.number, *after.grad_fn.versions[1:])
        return self

    def _take_over(self, x: Tensor) -> Tensor:
        self.data, self.version, self.grad_fn = x.data, x.version, x.grad_fn
        self._needs_gradient = x.requires_grad
        return self

    def __getitem__(self, index: Any) -> Tensor:
        index = plain_index(index)
        back = lambda g: put(g, index, self.shape)
        return _view("take", backend.take(self.data, index), self, back)

    def __setitem__(self, index: Any, value: Any) -> None:
        if is_grad_enabled() and (self.requires_grad or getattr(value, "requires_grad", False)):
            raise RuntimeError(f"elements {_IN_PLACE}; compute a new tensor, or use no_grad()")
        value = value.data if isinstance(value, Tensor) else value
        backend.write(self.data, plain_index(index), value)
        self.changed()

    def exp(self) -> Tensor:
        """Raise e to the power of each element; of integers, in float64."""
        return record("exp", np.exp(self.data / 1), (self, lambda g: g * self.exp()))

    def log(self) -> Tensor:
        """Take the natural logarithm of each element; of integers, in float64."""
        return record("log", np.log(self.data / 1), (self, lambda g: g / self))

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Sum over `axis` (all of them by default); integers and booleans as int64."""
        if not isinstance(keepdims, bool):
            raise TypeError(f"several axes go in a tuple, sum((0, 1)); got keepdims={keepdims!r}")
        axis, dtype = None if axis == () else axis, None if self.dtype.kind == "f" else np.int64
        data = self.data.sum(axis, dtype, keepdims=True)
        total = record("sum", data, (self, lambda g: broadcast_to(g, self.shape)))
        back = lambda g: g.reshape(total.shape)
        return total if keepdims else record("reshape", np.squeeze(data, axis), (total, back))

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Mean over `axis` (all of them by default)."""
        total = self.sum(axis, keepdims)
        return total / (self.size / max(total.size, 1))

    def reshape(self, *shape: Any) -> Tensor:
        """Return the same elements in another shape, (2, 3) or 2, 3; one size may be -1."""
        return _view("reshape", self.data.reshape(*shape), self, lambda g: g.reshape(self.shape))

    def transpose(self, *dims: int) -> Tensor:
        """Swap two axes, by default the last two, which transposes a matrix."""
        if len(dims) not in (0, 2):
            raise TypeError(f"transpose swaps two axes; got {dims}: permute takes all of them")
        data, back = self.data.swapaxes(*dims or (-2, -1)), lambda g: g.transpose(*dims)
        return _view("transpose", data, self, back)

    def permute(self, *dims: Any) -> Tensor:
        """Return all axes in the order `dims`, such as 0, 2, 3, 1 or (0, 2, 3, 1)."""
        order = np.ravel(dims).tolist()
        back = lambda g: g.permute(*np.argsort([range(self.ndim)[i] for i in order]))
        return _view("permute", self.data.transpose(order), self, back)


Values.kind = Tensor  # what a comparison makes


def tensor(array: Any, requires_grad: bool = False) -> Tensor:
    """Return a Tensor with a copy of `array`: numbers, nested lists or an array.

    An array keeps its dtype; Python's floats become float32, its integers int64.
    Raises TypeError for anything but float32, float64, integers and booleans.
    """
    copy = backend.plain_array(array).copy()
    if not hasattr(array, "dtype"):
        copy = copy.astype({"f": np.float32, "i": np.int64}.get(copy.dtype.kind, copy.dtype))
    if copy.dtype.kind not in "iub" and copy.dtype not in (np.float32, np.float64):
        raise TypeError(f"array must be float32, float64, integer or bool; got {copy.dtype}")
    return Tensor(copy, requires_grad)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    create_graph: bool = False,
) -> tuple[Tensor, ...]:
    """Return d(outputs)/d(input) for each of `inputs`; no `.grad` changes.

    grad_outputs: the upstream gradient of each output; 1 by default, for one element.
    create_graph: as in `Tensor.backward`, whose errors this raises too.
    Raises ValueError for an input that the outputs do not depend on.
    """
    outputs, inputs = _as_tuple(outputs), _as_tuple(inputs)
    upstream = (None,) * len(outputs) if grad_outputs is None else _as_tuple(grad_outputs)
    if len(upstream) != len(outputs):
        raise ValueError(f"grad_outputs must be {len(outputs)} tensors; got {len(upstream)}")
    ids = [id(x) for x in inputs]
    found = _propagate(outputs, upstream, create_graph, wanted=lambda x: id(x) in ids)
    gradients = {id(x): gradient for x, gradient in found}
    if unused := [i for i, key in enumerate(ids) if key not in gradients]:
        raise ValueError(f"inputs{unused} require no gradient or were not used")
    return tuple(gradients[key] for key in ids)


class Function:
    """How a tensor was made: the operation's name, its inputs and a gradient function for each.

    It keeps the versions of the inputs and the output: backward needs the values that they had.
    """

    def __init__(self, name: str, output: Tensor, *sources: Source) -> None:
        self.name = name
        self.inputs = tuple([x for x, _ in sources])
        self.gradients = tuple([gradient for _, gradient in sources])
        self.versions = tuple([x.version.number for x in (output, *self.inputs)])

    def check(self, output: Tensor) -> None:
        """Raise RuntimeError where backward cannot start from here."""
        if not self.inputs:
            raise RuntimeError("a backward freed this graph; give it create_graph=True")
        if tuple([x.version.number for x in (output, *self.inputs)]) != self.versions:
            raise RuntimeError(
                f"values that {self.name} used or made were changed in place since, by a step of an"
                " optimiser, load_state_dict, += or the like: call backward before that"
            )


def record(name: str, data: Array, *sources: Source, version: Version = UNCHANGED) -> Tensor:
    """Return a Tensor of `data`, the result of the operation `name`, with the way back.

    sources: for each input, the pair (input, function from the gradient of the result to the
        gradient of the input). The function computes with Tensors, to be differentiable itself.
    version: that of the input whose array `data` is a part of.
    """
    output = Tensor(data)
    output.version = version
    if is_grad_enabled() and any(x.requires_grad for x, _ in sources):
        output.grad_fn, output._needs_gradient = Function(name, output, *sources), True
    return output


def _view(name: str, data: Array, x: Tensor, back: Callable[[Tensor], Tensor]) -> Tensor:
    """Record what may be a view of the array of `x`: changed in place, it changes x too."""
    version = x.own_version() if np.may_share_memory(data, x.data) else UNCHANGED
    version.shared = version is not UNCHANGED
    return record(name, data, (x, back), version=version)


def _propagate(
    outputs: Sequence[Tensor],
    upstream: Sequence[Tensor | None],
    create_graph: bool,
    wanted: Callable[[Tensor], bool],
) -> list[tuple[Tensor, Tensor]]:
    """Walk from `outputs` to the leaves; return the wanted tensors with their gradients."""
    pending: dict[int, Tensor] = {}  # id of a tensor -> its gradient, as far as it has come
    found = []
    with recorded(create_graph):
        for output, gradient in zip(outputs, upstream, strict=True):
            _accumulate(pending, output, _checked_upstream(output, gradient), "the output")
        order = _topological_order(outputs)
        while order:  # popping lets a tensor go as soon as its gradient has been used
            x = order.pop()
            gradient = pending.pop(id(x))
            if wanted(x):
                found.append((x, gradient))
            if x.grad_fn:
                for source, gradient_of in zip(x.grad_fn.inputs, x.grad_fn.gradients, strict=True):
                    if source.requires_grad:
                        _accumulate(pending, source, gradient_of(gradient), x.grad_fn.name)
                if not create_graph:  # let go of the inputs, and of arrays the functions hold
                    x.grad_fn.inputs = x.grad_fn.gradients = ()
    return found


def _topological_order(outputs: Sequence[Tensor]) -> list[Tensor]:
    """List the tensors that gradients pass through, each after all that it was made from."""
    order, seen = [], set()
    stack = [(x, False) for x in outputs]
    while stack:
        x, inputs_are_listed = stack.pop()
        if inputs_are_listed:
            order.append(x)
        elif id(x) not in seen:
            seen.add(id(x))
            stack.append((x, True))
            if x.grad_fn:
                x.grad_fn.check(x)
                stack.extend((y, False) for y in x.grad_fn.inputs if y.requires_grad)
    return order


def _accumulate(pending: dict[int, Tensor], x: Tensor, part: Tensor, name: str) -> None:
    kind = (part.shape, part.dtype, part.device) if isinstance(part, Tensor) else None
    if kind != (x.shape, x.dtype, x.device):
        raise RuntimeError(f"the gradient of {name} is a {_kind(part)} for a {_kind(x)}")
    pending[id(x)] = pending[id(x)] + part if id(x) in pending else part


def _checked_upstream(output: Tensor, gradient: Tensor | None) -> Tensor:
    if not output.requires_grad:
        raise RuntimeError("no gradient can be computed: the output does not require one")
    if gradient is None and output.size == 1:
        return Tensor(np.ones_like(output.data))
    if not isinstance(gradient, Tensor) or _kind(gradient) != _kind(output):
        raise ValueError(f"gradient must be a {_kind(output)}; got {_kind(gradient)}")
    return gradient


def _kind(x: Any) -> str:
    return f"{x.dtype} {x.device} Tensor {x.shape}" if isinstance(x, Tensor) else type(x).__name__


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _operands(x: Tensor, other: Any) -> tuple[Tensor, Tensor]:
    other = _matching(x, other)
    shape = np.broadcast_shapes(x.shape, other.shape)
    return broadcast_to(x, shape), broadcast_to(other, shape)


def _matching(x: Tensor, other: Any) -> Tensor:
    """Make a Tensor of `other`, a Python number in the dtype of `x`, which others must have."""
    if not isinstance(other, Tensor):
        other = Tensor(backend.operand(other, x.data))
    if other.device != x.device:
        raise ValueError(f"operands must be on one device; got {x.device} and {other.device}")
    if other.dtype != x.dtype:
        raise TypeError(f"operands must have one dtype; got {x.dtype} and {other.dtype}")
    return other


def broadcast_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Repeat `x` along new leading axes and along axes of size 1; the adjoint of `sum_to`."""
    if x.shape == shape:
        return x
    data, back = np.broadcast_to(x.data, shape), lambda g: sum_to(g, x.shape)
    return record("broadcast_to", data, (x, back), version=x.own_version())


def sum_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Sum over the axes that `broadcast_to` would repeat to get from `shape` to that of `x`."""
    if x.shape == shape:
        return x
    new = x.ndim - len(shape)
    repeated = tuple(i + new for i, n in enumerate(shape) if n == 1)
    data = x.data.sum((*range(new), *repeated), keepdims=True).reshape(shape)
    return record("sum_to", data, (x, lambda g: broadcast_to(g, x.shape)))


def put(x: Tensor, index: Any, shape: tuple[int, ...]) -> Tensor:
    """Add the elements of `x` into zeros of `shape` at `index`; the adjoint of `tensor[index]`."""
    return record("put", backend.put(x.data, index, shape), (x, lambda g: g[index]))
