"""A student's functions in the place of minifcn's kernels: the one place where the two meet.

The exercises are whole functions of float64 with a bias and a gradient of everything at once; the
engine asks for kernels of float32, one result at a time. What no function of the student's can
compute, such as a convolution with dilation, minifcn's own kernel does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from minifcn import nn
from minifcn.course.training.functions import Piece
from minifcn.data import VOID
from minifcn.kernels import cpu, geometry
from minifcn.kernels.geometry import Pair
from minifcn.runs.steps import cross_entropy
from minifcn.tensor import Tensor, is_grad_enabled, record

Shape = tuple[int, ...]


class PieceError(ValueError):
    """A mistake that was made on purpose gives nothing to go on with."""


class _Forward(NamedTuple):
    """What a convolution has seen, for its gradients."""

    weight: np.ndarray
    x: np.ndarray


class _Gradients(NamedTuple):
    """The results of conv2d_backward, which the engine asks for one after another."""

    gradient: np.ndarray
    forward: _Forward
    results: list[np.ndarray] | None


class OwnKernels:
    """All kernels of minifcn.kernels.cpu, those replaced for which there is a function.

    Args:
        pieces: the functions by name (see `functions.USED`).

    Attributes:
        pieces: those in use.
        failures: by name, why a function was given up during the training.
    """

    def __init__(self, pieces: dict[str, Piece]) -> None:
        self.pieces = dict(pieces)
        self.failures: dict[str, str] = {}
        self._forward: dict[int, _Forward] = {}
        self._latest: _Gradients | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(cpu, name)

    def forget(self) -> None:
        """Let go of the arrays of the last step, and of all times."""
        self._forward.clear()
        self._latest = None
        for piece in self.pieces.values():
            piece.forget()

    # -- Convolutions ----------------------------------------------------------------------------

    def conv2d(
        self,
        x: np.ndarray,
        weight: np.ndarray,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
        groups: int,
        bias: np.ndarray | None,
        rectify: bool,
    ) -> np.ndarray:
        """conv2d: see kernels.conv2d."""
        if is_grad_enabled():  # what is computed without is a gradient, or has none
            self._forward[id(weight)] = _Forward(weight, x)
        results = None
        if dilation == (1, 1) and groups == 1:
            added = np.zeros(len(weight), x.dtype) if bias is None else bias
            size = geometry.output_pair(x.shape[2:], weight.shape[2:], stride, padding, dilation)
            shape = (len(x), len(weight), *size)
            results = self._call("conv2d", (x, weight, added, stride, padding), [shape], x)
        if results is None:
            return cpu.conv2d(x, weight, stride, padding, dilation, groups, bias, rectify)
        return np.maximum(results[0], 0) if rectify else results[0]

    def conv_transpose2d(
        self,
        y: np.ndarray,
        weight: np.ndarray,
        stride: Pair,
        padding: Pair,
        output_padding: Pair,
        dilation: Pair,
        groups: int,
    ) -> np.ndarray:
        """conv_transpose2d; or the first result of conv2d_backward, if it goes back through one."""
        results, forward = None, self._forward.get(id(weight))
        if dilation == (1, 1) and groups == 1:
            size = geometry.transpose_output_pair(
                y.shape[2:], weight.shape[2:], stride, padding, output_padding, dilation
            )
            shape = (len(y), weight.shape[1], *size)
            # Where the layer has had an input of another size since, conv_transpose2d does it.
            if not is_grad_enabled() and forward is not None and forward.x.shape == shape:
                results = self._conv2d_gradients(y, forward, stride, padding)
            else:
                given = (y, weight, stride, padding, output_padding)
                results = self._call("conv_transpose2d", given, [shape], y)
        if results is not None:
            return results[0]
        return cpu.conv_transpose2d(y, weight, stride, padding, output_padding, dilation, groups)

    def conv2d_weight(
        self,
        x: np.ndarray,
        y: np.ndarray,
        kernel_size: Pair,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
        groups: int,
    ) -> np.ndarray:
        """The second result of conv2d_backward, if x was convolved."""
        shape, results = (y.shape[1], x.shape[1], *kernel_size), None
        if dilation == (1, 1) and groups == 1:
            for forward in self._forward.values():
                if forward.x is x and forward.weight.shape == shape:
                    results = self._conv2d_gradients(y, forward, stride, padding)
                    break
        if results is not None:
            return results[1]
        return cpu.conv2d_weight(x, y, kernel_size, stride, padding, dilation, groups)

    def _conv2d_gradients(
        self, gradient: np.ndarray, forward: _Forward, stride: Pair, padding: Pair
    ) -> list[np.ndarray] | None:
        latest = self._latest
        if latest is None or latest.gradient is not gradient or latest.forward is not forward:
            shapes = [forward.x.shape, forward.weight.shape, forward.weight.shape[:1]]
            given = (gradient, forward.x, forward.weight, stride, padding)
            results = self._call("conv2d_backward", given, shapes, gradient)
            self._latest = latest = _Gradients(gradient, forward, results)
        return latest.results

    def conv1x1(
        self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, rectify: bool
    ) -> np.ndarray:
        """conv1x1: see kernels.conv1x1."""
        added = np.zeros(len(weight), x.dtype) if bias is None else bias
        shape = (len(x), len(weight), *x.shape[2:])
        results = self._call("conv1x1", (x, weight, added), [shape], x)
        if results is None:
            return cpu.conv1x1(x, weight, bias, rectify)
        return np.maximum(results[0], 0) if rectify else results[0]

    # -- Pooling ---------------------------------------------------------------------------------

    def max_pool2d(
        self,
        x: np.ndarray,
        kernel_size: Pair,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
        ceil_mode: bool,
        with_indices: bool,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """max_pool2d: see kernels.max_pool2d."""
        results = None
        if dilation == (1, 1) and not ceil_mode:
            size = geometry.output_pair(x.shape[2:], kernel_size, stride, padding, dilation)
            shapes = [(*x.shape[:2], *size)] * 2
            given = (x, kernel_size, stride, padding)
            places = int(np.prod(x.shape[2:]))
            results = self._call("max_pool2d", given, shapes, x, {1: places})
        if results is None:
            return cpu.max_pool2d(
                x, kernel_size, stride, padding, dilation, ceil_mode, with_indices
            )
        return results[0], results[1] if with_indices else None

    def unpool(self, y: np.ndarray, indices: np.ndarray, size: Pair) -> np.ndarray:
        """max_pool2d_backward: see kernels.unpool."""
        shape = (*y.shape[:2], *size)
        results = self._call("max_pool2d_backward", (y, indices, size), [shape], y)
        return cpu.unpool(y, indices, size) if results is None else results[0]

    # -- Batch normalisation ---------------------------------------------------------------------

    def batch_norm(
        self,
        x: np.ndarray,
        weight: np.ndarray,
        bias: np.ndarray,
        eps: float,
        limit: float | None,
        mean: np.ndarray | None,
        var: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """batch_norm, clipped; the mean and variance that training keeps are minifcn's."""
        given = mean is not None
        y, mean, var = cpu.batch_norm(x, weight, bias, eps, limit, mean, var)
        own = None
        if not given:
            own = self._call("batch_norm", (x, weight, bias, eps), [x.shape], x)
        if own is not None:
            y = own[0] if limit is None else np.clip(own[0], 0, limit)
        return y, mean, var

    def batch_norm_gradient(
        self,
        gradient: np.ndarray,
        x: np.ndarray,
        weight: np.ndarray,
        mean: np.ndarray,
        var: np.ndarray,
        eps: float,
        y: np.ndarray | None,
        limit: float,
        frozen: bool,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """batch_norm_backward of what clipping keeps: see kernels.batch_norm_gradient."""
        results = None
        if not frozen:
            inside = gradient if y is None else np.where((y > 0) & (y < limit), gradient, 0)
            shapes = [x.shape, weight.shape, weight.shape]
            results = self._call("batch_norm_backward", (inside, x, weight, eps), shapes, x)
        if results is None:
            return cpu.batch_norm_gradient(gradient, x, weight, mean, var, eps, y, limit, frozen)
        return results[0], results[1], results[2]

    # -- What is no kernel -----------------------------------------------------------------------

    def compute_loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """cross_entropy, a mean over the labels that are not VOID: see steps.cross_entropy."""
        shapes: list[Shape] = [(), scores.shape]
        given = (scores.data, labels.data, VOID)
        results = self._call("cross_entropy", given, shapes, scores.data)
        if results is None:
            return cross_entropy(scores, labels)
        mean, gradient = results
        return record("cross_entropy", mean, (scores, lambda g: Tensor(gradient) * g))

    def prepare(self, model: nn.Module) -> None:
        """upsampling_weight for the transposed convolutions of a new model that double a size."""
        for layer in model.modules():
            if isinstance(layer, nn.ConvTranspose2d):
                weight = layer.weight
                channels, _, size, _ = weight.shape
                given = (channels, size // 2)
                results = self._call("upsampling_weight", given, [weight.shape], weight.data)
                if results is not None:
                    weight.data[...] = results[0]
                    weight.changed()

    # -- Calls -----------------------------------------------------------------------------------

    def _call(
        self,
        name: str,
        arguments: tuple[Any, ...],
        shapes: Sequence[Shape],
        like: np.ndarray,
        indices: Mapping[int, int] = MappingProxyType({}),
    ) -> list[np.ndarray] | None:
        """Call a function; return new arrays of these shapes, or None if minifcn has to compute.

        They get the dtype of `like`, but those that are `indices` int64, less than the number that
        stands there. A student's function that fails is given up; a mistake made on purpose that
        fails is the caller's to know.
        """
        piece = self.pieces.get(name)
        if piece is None:
            return None
        try:
            with np.errstate(all="ignore"):
                found = piece(*arguments)
            return _checked(found, shapes, like.dtype, indices)
        except (Exception, SystemExit) as error:
            said = f"{type(error).__name__}: {error}"
            if piece.mistake is not None:
                raise PieceError(f"{name} with mistake {piece.mistake.id}: {said}") from error
            del self.pieces[name]
            self.failures[name] = said
            return None


def _checked(
    found: Any, shapes: Sequence[Shape], dtype: np.dtype[Any], indices: Mapping[int, int]
) -> list[np.ndarray]:
    """Return results as arrays of their own; raise ValueError if one cannot be used."""
    results = [found] if len(shapes) == 1 else list(found)
    dtypes = [np.int64 if i in indices else dtype for i in range(len(shapes))]
    arrays = [np.array(one, kind, order="C") for one, kind in zip(results, dtypes, strict=True)]
    if [array.shape for array in arrays] != list(shapes):
        got = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(f"returned shapes {got}; expected {', '.join(map(str, shapes))}")
    for i, count in indices.items():
        if arrays[i].size and not 0 <= arrays[i].min() <= arrays[i].max() < count:
            raise ValueError(f"returned indices outside of [0, {count})")
    return arrays
