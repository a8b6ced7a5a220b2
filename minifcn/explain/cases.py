"""Random cases of each operation, computed by minifcn's kernels: what a page has to repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minifcn import functional as F
from minifcn import kernels
from minifcn.metrics import ConfusionMatrix
from minifcn.tensor import Tensor

Case = dict[str, Any]
"""operation, settings, given (flat lists by name), shape, y, gradient, x, weight: see proof.js."""


def draw_cases(operation: str, count: int, seed: int = 0) -> list[Case]:
    """Draw cases of an operation that differ in every setting, small ones.

    Raises:
        KeyError: there is no such operation.
    """
    generator = np.random.default_rng([seed, list(_DRAWN).index(operation)])
    found: list[Case] = []
    while len(found) < count:
        try:
            found.append(_DRAWN[operation](generator))
        except ValueError:  # no window fits, say: another draw
            continue
    return found


# -- Operations with a forward and a backward ----------------------------------------------------


def _case(
    operation: str,
    settings: dict[str, Any],
    compute: Callable[..., Tensor],
    given: dict[str, np.ndarray],
    generator: np.random.Generator,
    indices: np.ndarray | None = None,
) -> Case:
    """Compute forward and, from a random gradient, backward."""
    tensors = {name: Tensor(array[None] if name == "x" else array, requires_grad=True)
               for name, array in given.items() if name != "indices"}  # fmt: skip
    y = compute(**tensors)
    gradient = _numbers(generator, *y.shape)
    y.backward(Tensor(gradient))
    case = {
        "operation": operation,
        "settings": settings,
        "given": {name: array.ravel().tolist() for name, array in given.items()},
        "shape": list(y.shape[1:]),
        "y": y.data.ravel().tolist(),
        "gradient": gradient.ravel().tolist(),
    }
    for name, tensor in tensors.items():
        assert tensor.grad is not None
        case[name] = tensor.grad.data.ravel().tolist()
    return case | ({} if indices is None else {"indices": indices.ravel().tolist()})


def _numbers(generator: np.random.Generator, *shape: int) -> np.ndarray:
    """Quarters, so that few sums round, and many numbers are equal."""
    return generator.integers(-8, 9, shape) / 4


def _pair(generator: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    h, w = generator.integers(low, high + 1, 2).tolist()
    return h, w


def _window(generator: np.random.Generator) -> dict[str, Any]:
    low, high = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1]), [3, 6, 6, 4, 4, 3, 3, 2, 2, 2, 2]
    channels, *pairs = generator.integers(low, high, endpoint=True).tolist()
    names = ("size", "kernel", "stride", "padding", "dilation")
    pair_of = dict(zip(names, zip(pairs[::2], pairs[1::2], strict=True), strict=True))
    return {"channels": channels, **pair_of}


def _grouped(generator: np.random.Generator) -> dict[str, Any]:
    groups = int(generator.integers(1, 3))
    channels, filters = (groups * generator.integers(1, 3, 2)).tolist()
    own = {"channels": channels, "filters": filters, "groups": groups}
    return _window(generator) | own


def _conv2d(generator: np.random.Generator) -> Case:
    s = _grouped(generator)
    x = _numbers(generator, s["channels"], *s["size"])
    weight = _numbers(generator, s["filters"], s["channels"] // s["groups"], *s["kernel"])
    settings = {name: s[name] for name in ("stride", "padding", "dilation", "groups")}

    def compute(x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(x, weight, None, **settings)

    return _case("conv2d", s, compute, {"x": x, "weight": weight}, generator)


def _conv_transpose2d(generator: np.random.Generator) -> Case:
    s = _grouped(generator)
    most = [max(pair) - 1 for pair in zip(s["stride"], s["dilation"], strict=True)]
    s["output_padding"] = tuple(int(generator.integers(0, n + 1)) for n in most)
    y = _numbers(generator, s["channels"], *s["size"])
    weight = _numbers(generator, s["channels"], s["filters"] // s["groups"], *s["kernel"])
    names = ("stride", "padding", "output_padding", "dilation", "groups")
    settings = {name: s[name] for name in names}

    def compute(x: Tensor, weight: Tensor) -> Tensor:
        return F.conv_transpose2d(x, weight, None, **settings)

    return _case("conv_transpose2d", s, compute, {"x": y, "weight": weight}, generator)


def _conv1x1(generator: np.random.Generator) -> Case:
    channels, filters = generator.integers(1, 5, 2).tolist()
    s = {"channels": channels, "filters": filters, "size": _pair(generator, 1, 6)}
    x, weight = _numbers(generator, channels, *s["size"]), _numbers(generator, filters, channels)

    def compute(x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(x, weight.reshape((filters, channels, 1, 1)))

    return _case("conv1x1", s, compute, {"x": x, "weight": weight}, generator)


def _columns(generator: np.random.Generator, turned: bool) -> Case:
    """im2col, or col2im: each is the other's gradient. Columns are one matrix here."""
    s = _window(generator)
    settings = {name: s[name] for name in ("stride", "padding", "dilation")}
    image = _numbers(generator, s["channels"], *s["size"])
    shape = kernels.im2col(image[None], s["kernel"], **settings).shape
    columns = _numbers(generator, *shape)
    as_columns = kernels.im2col(image[None], s["kernel"], **settings)
    as_image = kernels.col2im(columns, s["size"], **settings)
    matrix = [1, s["channels"] * s["kernel"][0] * s["kernel"][1], shape[4] * shape[5]]
    flat = {"image": image.ravel().tolist(), "columns": columns.ravel().tolist()}
    results = {"columns": as_columns.ravel().tolist(), "image": as_image.ravel().tolist()}
    given, gradient = ("columns", "image") if turned else ("image", "columns")
    return {
        "operation": "col2im" if turned else "im2col",
        "settings": s,
        "given": {"x": flat[given]},
        "shape": list(image.shape) if turned else matrix,
        "y": results["image" if turned else "columns"],
        "gradient": flat[gradient],
        "x": results["columns" if turned else "image"],
    }


def _max_pool2d(generator: np.random.Generator) -> Case:
    s = _window(generator)
    x = _numbers(generator, s["channels"], *s["size"])
    settings = {name: s[name] for name in ("stride", "padding", "dilation")}
    _, indices = F.max_pool2d(Tensor(x[None]), s["kernel"], return_indices=True, **settings)

    def compute(x: Tensor) -> Tensor:
        y = F.max_pool2d(x, s["kernel"], **settings)
        assert isinstance(y, Tensor)
        return y

    return _case("max_pool2d", s, compute, {"x": x}, generator, indices.data)


def _max_unpool2d(generator: np.random.Generator) -> Case:
    way = str(generator.choice(["switches", "nails", "nearest"]))
    kernel, size = _pair(generator, 1, 3), _pair(generator, 1, 4)
    channels = int(generator.integers(1, 4))
    s = {"way": way, "channels": channels, "size": size, "kernel": kernel}
    y = _numbers(generator, channels, *size)
    given, out = {"x": y}, (size[0] * kernel[0], size[1] * kernel[1])
    if way == "switches":
        given["indices"] = generator.integers(0, out[0] * out[1], y.shape)
    nail = np.zeros((channels, 1, *kernel))
    nail[:, :, 0, 0] = 1

    def compute(x: Tensor) -> Tensor:
        if way == "switches":
            indices = Tensor(given["indices"][None])
            return F.max_unpool2d(x, indices, kernel, output_size=out)
        if way == "nails":
            return F.conv_transpose2d(x, Tensor(nail), stride=kernel, groups=channels)
        return F.interpolate(x, size=out, mode="nearest")

    return _case("max_unpool2d", s, compute, given, generator)


def _interpolate(generator: np.random.Generator) -> Case:
    mode = str(generator.choice(["nearest", "bilinear"]))
    corners = bool(generator.integers(0, 2))
    s: dict[str, Any] = {"mode": mode, "align_corners": corners}
    s |= {"channels": int(generator.integers(1, 4)), "size": _pair(generator, 1, 6)}
    s["out"] = _pair(generator, 1, 9)
    x = _numbers(generator, s["channels"], *s["size"])
    align = corners if mode == "bilinear" else None

    def compute(x: Tensor) -> Tensor:
        return F.interpolate(x, size=s["out"], mode=mode, align_corners=align)

    return _case("interpolate", s, compute, {"x": x}, generator)


# -- Two without -----------------------------------------------------------------------------------


def _cross_entropy(generator: np.random.Generator) -> Case:
    classes = int(generator.integers(2, 7))
    scores, label = 3 * _numbers(generator, classes), int(generator.integers(0, classes))
    x = Tensor(scores[None], requires_grad=True)
    loss = F.cross_entropy(x, np.array([label]))
    loss.backward()
    assert x.grad is not None
    results = [loss.item(), *x.grad.data[0].tolist()]
    return {"operation": "cross_entropy", "scores": scores.tolist(), "label": label,
            "results": results}  # fmt: skip


def _iou(generator: np.random.Generator) -> Case:
    classes = int(generator.integers(2, 7))
    matrix = ConfusionMatrix(classes)
    present = generator.integers(0, classes, int(generator.integers(1, 4)))
    matrix.update(*generator.choice(present, (2, int(generator.integers(1, 60)))))
    results = [None if np.isnan(iu) else iu for iu in (*matrix.iu.tolist(), matrix.mean_iu)]
    return {"operation": "iou", "counts": matrix.counts.tolist(), "results": results}


_DRAWN: dict[str, Callable[[np.random.Generator], Case]] = {
    "conv2d": _conv2d,
    "conv_transpose2d": _conv_transpose2d,
    "conv1x1": _conv1x1,
    "im2col": partial(_columns, turned=False),
    "col2im": partial(_columns, turned=True),
    "max_pool2d": _max_pool2d,
    "max_unpool2d": _max_unpool2d,
    "interpolate": _interpolate,
    "cross_entropy": _cross_entropy,
    "iou": _iou,
}


def proof_cases(operations: tuple[str, ...], count: int) -> Iterator[Case]:
    """The cases that are embedded into a page: `count` of each operation."""
    for operation in operations:
        yield from draw_cases(operation, count)
