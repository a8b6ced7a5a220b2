"""What is measured: the standard training step, its forward pass, and each kernel in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

CLASSES = 4
WIDTHS = (16, 32, 64, 128, 128)
HEAD_WIDTH = 256
BATCH, SIZE = 8, 128
FLOAT = 4  # bytes
INDEX = 8


@dataclass(frozen=True)
class Work:
    """Something to time.

    Attributes:
        kind: 'network', or the name of an operation in minifcn.functional.
        part: 'step' or 'forward' of a network; 'forward', 'input gradient', 'weight gradient'
            or 'backward' of an operation.
        batch, channels, size: of the input, which is size x size.
        filters, kernel, stride, padding: of the operation, where it has them; for a resize,
            `stride` is the factor.
        mode: of a resize.
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

    @property
    def name(self) -> str:
        """One line that tells it from the others."""
        where = f"{self.batch}x{self.channels}x{self.size}x{self.size}"
        if self.kind == "network":
            return f"FCN-8s {self.part} {where}"
        kernel = f" {self.kernel}x{self.kernel}" if self.kernel else ""
        stride = f"/{self.stride}" if self.stride > 1 else ""
        filters = f" to {self.filters}" if self.filters else ""
        mode = f" {self.mode}" if self.mode else ""
        return f"{self.kind}{mode}{kernel}{stride} {where}{filters}, {self.part}"

    @property
    def out(self) -> int:
        """Rows and columns of the output."""
        if self.kind in ("conv_transpose2d", "max_unpool2d"):
            return self.stride * (self.size - 1) + self.kernel - 2 * self.padding
        if self.kind == "interpolate":
            return self.size * self.stride
        if self.kind == "cross_entropy":
            return self.size
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def product(self) -> tuple[int, int, int] | None:
        """The sizes (M, K, L) of the matrix product (M, K) @ (K, L) that a convolution is."""
        if self.kind not in ("conv2d", "conv_transpose2d"):
            return None
        taps = self.kernel**2
        into, to = self.channels * taps, self.filters
        pixels = self.batch * self.out**2
        if self.kind == "conv_transpose2d":  # the convolution that it is the adjoint of
            into, to, pixels = self.filters * taps, self.channels, self.batch * self.size**2
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
        image, values, forward = self.size**2, self.out**2, self.part == "forward"
        if self.kind == "cross_entropy":  # labels, and two numbers a pixel, beside the scores
            scores = self.channels * FLOAT * (1 if forward else 2)
            return self.batch * image * (scores + INDEX + 2 * FLOAT)
        indices = {"max_pool2d": values, "max_unpool2d": image, "interpolate": 0}[self.kind]
        return self.batch * self.channels * (FLOAT * (image + values) + INDEX * indices)


def standard_work() -> list[Work]:
    """The network, every operation in it with its parts, and unpooling and resizing."""
    network = [Work("network", "step"), Work("network", "forward")]
    operations = [*_convolutions(), *_transposed_convolutions(), *_others()]
    return network + list(dict.fromkeys(operations))


def scaling_work() -> list[Work]:
    """The step at other image sizes, and with other numbers of images."""
    sizes = [Work("network", "step", size=size) for size in (64, 128, 256, 512)]
    return sizes + [Work("network", "step", batch=batch) for batch in (2, 4, 16, 32)]


def _convolutions() -> Iterator[Work]:
    size, channels = SIZE, 3
    shapes = []
    for width in WIDTHS:
        shapes += [(channels, width, 3, size), (width, width, 3, size)]
        channels, size = width, size // 2
    shapes += [(channels, HEAD_WIDTH, 3, size), (HEAD_WIDTH, HEAD_WIDTH, 1, size)]
    scored = ((HEAD_WIDTH, size), (WIDTHS[3], size * 2), (WIDTHS[2], size * 4))
    shapes += [(width, CLASSES, 1, at) for width, at in scored]
    for into, to, kernel, at in shapes:
        for part in ("forward", "input gradient", "weight gradient"):
            if (into, part) != (3, "input gradient"):  # images need no gradient
                yield Work("conv2d", part, BATCH, into, at, to, kernel, 1, kernel // 2)


def _transposed_convolutions() -> Iterator[Work]:
    for factor, size in ((2, 4), (2, 8), (8, 16)):
        for part in ("forward", "input gradient", "weight gradient"):
            yield Work("conv_transpose2d", part, BATCH, CLASSES, size, CLASSES, 2 * factor, factor,
                       factor // 2)  # fmt: skip


def _others() -> Iterator[Work]:
    for part in ("forward", "backward"):
        for i, width in enumerate(WIDTHS):
            yield Work("max_pool2d", part, BATCH, width, SIZE >> i, kernel=2, stride=2)
        yield Work("max_unpool2d", part, BATCH, WIDTHS[0], SIZE // 2, kernel=2, stride=2)
        yield Work("max_unpool2d", part, BATCH, WIDTHS[2], SIZE // 8, kernel=2, stride=2)
        for mode in ("nearest", "bilinear"):
            yield Work("interpolate", part, BATCH, CLASSES, SIZE // 8, stride=8, mode=mode)
        yield Work("cross_entropy", part, BATCH, CLASSES, SIZE)


def input_shape(work: Work) -> tuple[int, ...]:
    """The shape (N, C, H, W) of the input."""
    return (work.batch, work.channels, work.size, work.size)


def weight_shape(work: Work) -> tuple[int, ...]:
    """The shape of a convolution's weight, (F, C, K, K), or (C, F, K, K) if it is transposed."""
    channels = (work.filters, work.channels)
    if work.kind == "conv_transpose2d":
        channels = channels[::-1]
    return (*channels, work.kernel, work.kernel)


def output_shape(work: Work) -> tuple[int, ...]:
    """The shape (N, F, OH, OW) of the output of an operation."""
    return (work.batch, work.filters or work.channels, work.out, work.out)


def operations(work: Work) -> int:
    """Floating-point operations of a convolution: two for each multiplication."""
    return 2 * prod(work.product or ())
