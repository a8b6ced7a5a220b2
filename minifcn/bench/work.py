"""What is measured: training steps, forward passes, and each kernel in the standard network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, prod

from minifcn.models.efficientnet_lite import HEAD, STAGES, STEM

FLOAT = 4  # bytes
INDEX = 8


@dataclass(frozen=True)
class Network:
    """An FCN-8s, with the sizes that models.FCN takes, and the optimiser that trains it."""

    title: str
    classes: int
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    head_width: int
    batch_norm: bool = False
    optimizer: str = "SGD"


NETWORKS = {
    "small": Network("FCN-8s", 4, (16, 32, 64, 128, 128), (2,) * 5, 256),
    "vgg16": Network("FCN-8s VGG16", 21, (64, 128, 256, 512, 512), (2, 2, 3, 3, 3), 4096),
    "shapes": Network(
        "FCN-8s of shapes", 6, (12, 24, 48, 64, 64), (1, 1, 2, 2, 1), 96, True, "Adam"
    ),
    "camvid": Network(
        "FCN-8s of CamVid", 11, (32, 64, 96, 128, 128), (1, 1, 2, 2, 1), 256, True, "Adam"
    ),
}
"""vgg16 is the paper's network, but for fc6: a 3x3 convolution here and 7x7 there. shapes and
camvid are what `minifcn train` trains by default on such data."""

FEATURES = "efficientnet-lite0"
"""The network without scores and labels: its features, and back from a gradient of these."""

STANDARD = {"cpu": (("small", 8, 128),), "cuda": (("small", 16, 128), ("vgg16", 1, 500))}
"""For each device: networks, how many images at once, and of which size."""
_, BATCH, SIZE = STANDARD["cpu"][0]

OTHERS = (("shapes", 8, 96, 96), ("camvid", 8, 160, 192), (FEATURES, 8, 160, 192))
"""On each device: networks, how many images at once, their rows and columns."""


@dataclass(frozen=True)
class Work:
    """Something to time.

    Attributes:
        kind: 'network', or the name of an operation in minifcn.functional.
        part: 'step' or 'forward' of a network, or 'forward and backward'; 'forward', 'input
            gradient', 'weight gradient' or 'backward' of an operation.
        batch, channels, size: of the input, which is size x size, unless it has a `width`.
        filters, kernel, stride, padding: of the operation, where it has them; for a resize,
            `stride` is the factor.
        mode: of a resize.
        network: which one, in NETWORKS, or FEATURES.
        width: columns of the input; 0 for as many as rows.
        groups: of a convolution: 1, or as many as channels (depthwise).
    """

    kind: str
    part: str
    batch: int = BATCH
    channels: int = 3
    size: int = SIZE
    filters: int = 0
    kernel: int = 0
    stride: int = 1
    padding: int = 0
    mode: str = ""
    network: str = "small"
    width: int = 0
    groups: int = 1

    @property
    def name(self) -> str:
        """One line that tells it from the others."""
        where = "x".join(map(str, input_shape(self)))
        if self.kind == "network":
            known = NETWORKS.get(self.network)
            return f"{known.title if known else 'EfficientNet-Lite0 features'} {self.part} {where}"
        kernel = f" {self.kernel}x{self.kernel}" if self.kernel else ""
        stride = f"/{self.stride}" if self.stride > 1 else ""
        filters = f" to {self.filters}" if self.filters else ""
        filters = " depthwise" if self.groups > 1 else filters
        mode = f" {self.mode}" if self.mode else ""
        return f"{self.kind}{mode}{kernel}{stride} {where}{filters}, {self.part}"

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows and columns of the input."""
        return self.size, self.width or self.size

    @property
    def out(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        rows, columns = map(self._out, self.sizes)
        return rows, columns

    def _out(self, size: int) -> int:
        if self.kind in ("conv_transpose2d", "max_unpool2d"):
            return self.stride * (size - 1) + self.kernel - 2 * self.padding
        if self.kind == "interpolate":
            return size * self.stride
        if self.kind == "cross_entropy":
            return size
        return (size + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def product(self) -> tuple[int, int, int] | None:
        """The sizes (M, K, L) of the matrix product (M, K) @ (K, L) that a convolution is.

        None for a depthwise one: a number of each window meets one number of each kernel.
        """
        if self.kind not in ("conv2d", "conv_transpose2d") or self.groups > 1:
            return None
        taps = self.kernel**2
        into, to = self.channels * taps, self.filters
        pixels = self.batch * prod(self.out)
        if self.kind == "conv_transpose2d":  # the convolution that it is the adjoint of
            into, to, pixels = self.filters * taps, self.channels, self.batch * prod(self.sizes)
        forward, backward = (to, into, pixels), (into, to, pixels)
        if self.kind == "conv_transpose2d":
            forward, backward = backward, forward
        return {
            "forward": forward,
            "input gradient": backward,
            "weight gradient": (to, pixels, into),
        }[self.part]

    @property
    def moves_bytes(self) -> bool:
        """Whether it does little more than that."""
        return self.kind != "network" and not self.product

    @property
    def bytes(self) -> int:
        """What has to be read and written at least."""
        image, values, forward = prod(self.sizes), prod(self.out), self.part == "forward"
        if self.kind == "cross_entropy":  # labels, and two numbers a pixel, beside the scores
            scores = self.channels * FLOAT * (1 if forward else 2)
            return self.batch * image * (scores + INDEX + 2 * FLOAT)
        indices = {"max_pool2d": values, "max_unpool2d": image}.get(self.kind, 0)
        return self.batch * self.channels * (FLOAT * (image + values) + INDEX * indices)


def standard_work(device: str = "cpu") -> list[Work]:
    """The networks, every operation of the standard ones with its parts, unpooling, resizing.

    And depthwise convolutions, which only EfficientNet-Lite0 has.
    """
    networks = network_work(device)
    operations = [operation for s in STANDARD[device] for operation in _operations(*s)]
    depthwise = [operation for s in OTHERS if s[0] == FEATURES for operation in _depthwise(*s[1:])]
    return networks + list(dict.fromkeys(operations + depthwise))


def network_work(device: str = "cpu") -> list[Work]:
    """The training step and the forward pass of the networks that are measured on a device."""
    standard = [(network, batch, size, 0) for network, batch, size in STANDARD[device]]
    return [
        Work("network", part, batch, size=size, network=network, width=width)
        for network, batch, size, width in (*standard, *OTHERS)
        for part in ("forward and backward" if network == FEATURES else "step", "forward")
    ]


def scaling_work(device: str = "cpu") -> list[Work]:
    """The small network's step at other image sizes, and with other numbers of images."""
    _, batch, size = STANDARD[device][0]
    sizes = [Work("network", "step", batch, size=size * f // 2) for f in (1, 2, 4, 8)]
    return sizes + [Work("network", "step", batch * f // 4, size=size) for f in (1, 2, 8, 16)]


def _operations(name: str, batch: int, size: int) -> Iterator[Work]:
    network, padded = NETWORKS[name], -(-size // 32) * 32  # as FCN pads its images
    yield from _convolutions(network, batch, padded)
    yield from _transposed_convolutions(network, batch, padded)
    yield from _others(network, batch, padded)
    for part in ("forward", "backward"):
        yield Work("cross_entropy", part, batch, network.classes, size)


def _convolutions(network: Network, batch: int, size: int) -> Iterator[Work]:
    widths, head, channels = network.widths, network.head_width, 3
    scored = ((head, size // 32), (widths[3], size // 16), (widths[2], size // 8))
    shapes = []
    for width, depth in zip(widths, network.depths, strict=True):
        shapes += [(channels, width, 3, size), *[(width, width, 3, size)] * (depth - 1)]
        channels, size = width, size // 2
    shapes += [(channels, head, 3, size), (head, head, 1, size)]
    shapes += [(width, network.classes, 1, at) for width, at in scored]
    for into, to, kernel, at in shapes:
        for part in ("forward", "input gradient", "weight gradient"):
            if (into, part) != (3, "input gradient"):  # images need no gradient
                yield Work("conv2d", part, batch, into, at, to, kernel, 1, kernel // 2)


def _transposed_convolutions(network: Network, batch: int, size: int) -> Iterator[Work]:
    for factor, at in ((2, size // 32), (2, size // 16), (8, size // 8)):
        for part in ("forward", "input gradient", "weight gradient"):
            yield Work("conv_transpose2d", part, batch, network.classes, at, network.classes,
                       2 * factor, factor, factor // 2)  # fmt: skip


def _others(network: Network, batch: int, size: int) -> Iterator[Work]:
    widths = network.widths
    for part in ("forward", "backward"):
        for i, width in enumerate(widths):
            yield Work("max_pool2d", part, batch, width, size >> i, kernel=2, stride=2)
        for width, at in ((widths[0], size // 2), (widths[2], size // 8)):
            yield Work("max_unpool2d", part, batch, width, at, kernel=2, stride=2)
        for mode in ("nearest", "bilinear"):
            yield Work("interpolate", part, batch, network.classes, size // 8, stride=8, mode=mode)


def _depthwise(batch: int, height: int, width: int) -> Iterator[Work]:
    """The depthwise convolutions of EfficientNet-Lite0 for images of this size."""
    channels, size = STEM, (ceil(height / 2), ceil(width / 2))
    for count, kernel, first_stride, expansion, narrow in STAGES:
        for stride in (first_stride, *[1] * (count - 1)):
            wide = channels * expansion
            for part in ("forward", "input gradient", "weight gradient"):
                yield Work("conv2d", part, batch, wide, size[0], wide, kernel, stride,
                           kernel // 2, width=size[1], groups=wide)  # fmt: skip
            channels, size = narrow, (ceil(size[0] / stride), ceil(size[1] / stride))


def input_shape(work: Work) -> tuple[int, ...]:
    """The shape (N, C, H, W) of the input."""
    return (work.batch, work.channels, *work.sizes)


def weight_shape(work: Work) -> tuple[int, ...]:
    """The shape of a convolution's weight, (F, C, K, K), or (C, F, K, K) if it is transposed."""
    channels = (work.filters, work.channels // work.groups)
    if work.kind == "conv_transpose2d":
        channels = channels[::-1]
    return (*channels, work.kernel, work.kernel)


def output_shape(work: Work) -> tuple[int, ...]:
    """The shape (N, F, OH, OW) of the output of an operation, or of the features."""
    if work.kind == "network":
        return (work.batch, HEAD, *(ceil(size / 32) for size in work.sizes))
    return (work.batch, work.filters or work.channels, *work.out)


def operations(work: Work) -> int:
    """Floating-point operations of a convolution: two for each multiplication."""
    return 2 * prod(work.product or ())
