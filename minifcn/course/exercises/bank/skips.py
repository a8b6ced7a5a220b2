"""Exercise skips: where a pixel lies in another layer's output, and the fusion of FCN-8s."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import floor

import numpy as np

from minifcn.course.exercises.bank.drawing import integers, normal
from minifcn.course.exercises.exercise import Case, Exercise, Function, Has, Part, Switch
from minifcn.course.exercises.runner import Given

Layer = tuple[str, int, int, int]
Upsample = Callable[[np.ndarray, int], np.ndarray]


def crop_offset(has: Has, layers: Sequence[Layer]) -> float:
    """The reference: each layer is a map from positions to positions."""
    if has("skip.offset_wrong/19"):
        return 19.0
    position, scale = Fraction(0), Fraction(1)
    for kind, kernel, stride, padding in reversed(layers) if has("skip.reversed") else layers:
        half = _half(has, kind, kernel)
        shift = half if has("skip.offset_wrong/padding") else half - padding
        if kind == "conv" or has("skip.all_conv"):
            divisor = 1 if has("skip.no_stride/conv") or has("skip.no_stride/both") else stride
            position += shift if has("skip.sign/conv") else -shift
            position /= divisor
            if has("skip.half/steps"):
                position = Fraction(floor(position))
            scale /= stride
        else:
            factor = 1 if has("skip.no_stride/transposed") or has("skip.no_stride/both") else stride
            position = factor * position + (-shift if has("skip.sign/transposed") else shift)
            scale *= stride
    if has("skip.direction"):
        return float(-position / scale)
    if has("skip.sign/both"):
        return float(-position)
    if has("skip.half/down"):
        return float(floor(position))
    return float(int(position) if has("skip.half/cut") else position)


def _half(has: Has, kind: str, kernel: int) -> Fraction:
    """From the first row under a kernel to its middle."""
    if has(f"skip.half/k_{kind}"):
        return Fraction(kernel, 2)
    if has(f"skip.half/none_{kind}"):
        return Fraction(0)
    if has("skip.half/floor"):
        return Fraction((kernel - 1) // 2)
    if has("skip.half/k"):
        return Fraction(kernel, 2)
    if has("skip.half/ceil"):
        return Fraction(kernel // 2)
    return Fraction(0) if has("skip.half/none") else Fraction(kernel - 1, 2)


def fuse(
    has: Has, top: np.ndarray, pool4: np.ndarray, pool3: np.ndarray, upsample: Upsample
) -> np.ndarray:
    """The reference: up by 2, add, up by 2, add, up by 8."""
    if has("skip.scale/pool4") or has("skip.scale/both"):
        pool4 = 0.01 * pool4
    if has("skip.scale/pool3") or has("skip.scale/both"):
        pool3 = 0.0001 * pool3
    if has("skip.left_out/pool4") or has("skip.left_out/both"):
        pool4 = 0 * pool4
    if has("skip.left_out/pool3") or has("skip.left_out/both"):
        pool3 = 0 * pool3
    if has("skip.order/eight"):
        return upsample(top, 32) + upsample(pool4, 16) + upsample(pool3, 8)
    if has("skip.order/four"):
        return upsample(upsample(top, 4) + upsample(pool4, 2) + pool3, 8)
    up = _nearest if has("skip.nearest/all") else upsample
    last = _nearest if has("skip.nearest/all") or has("skip.nearest/last") else upsample
    fused = _joined(has, _joined(has, up(top, 2), pool4, up), pool3, up)
    if has("skip.no_last"):
        return fused
    if has("skip.twos"):
        return upsample(upsample(upsample(fused, 2), 2), 2)
    return last(fused, 8)


def _joined(has: Has, maps: np.ndarray, skip: np.ndarray, up: Upsample) -> np.ndarray:
    """Join the scores so far with those of a skip, whose map may be twice as large."""
    if maps.shape[2] != skip.shape[2]:
        maps = up(maps, 2)
    if has("skip.concatenate"):
        return np.concatenate((maps, skip), axis=1)
    if has("skip.product"):
        return maps * skip
    return (maps + skip) / 2 if has("skip.mean") else maps + skip


def _nearest(x: np.ndarray, factor: int) -> np.ndarray:
    return x.repeat(factor, 2).repeat(factor, 3).astype(np.float64)


def layers_of_fcn32s(padding: int) -> list[Layer]:
    """The paper's network, whose first convolution has this padding."""
    layers: list[Layer] = []
    for block in (2, 2, 3, 3, 3):
        layers += [("conv", 3, 1, 1)] * block + [("conv", 2, 2, 0)]
    layers[0] = ("conv", 3, 1, padding)
    return [*layers, ("conv", 7, 1, 0), ("conv", 1, 1, 0), ("conv", 1, 1, 0),
            ("transposed", 64, 32, 0)]  # fmt: skip


def offset_cases(generator: np.random.Generator) -> list[Case]:
    """Kernels even and odd, strides one after another, both kinds, and the paper's network."""
    conv, transposed = "conv", "transposed"

    def drawn(count: int) -> list[Layer]:
        numbers = generator.integers((2, 2, 0), (8, 4, 5), (count, 3)).tolist()
        return [((conv, transposed)[i % 2], *numbers[i]) for i in range(count)]

    chains: dict[str, list[Layer]] = {
        "one convolution": [(conv, 5, 1, 1)],
        "even kernels, two strides, up again": [
            (conv, 4, 2, 3), (conv, 2, 3, 0), (transposed, 7, 3, 1),
        ],
        "transposed layers": [(transposed, 4, 2, 1), (transposed, 6, 3, 0), (conv, 3, 1, 2)],
        "a kernel of 2 with stride 2": [(conv, 2, 2, 0)],
        "FCN-32s, padding 100": layers_of_fcn32s(100),
        "FCN-32s, padding 70": layers_of_fcn32s(70),
        "both kinds, twice": [
            (conv, 3, 2, 0), (transposed, 5, 2, 3), (conv, 6, 3, 4), (transposed, 3, 4, 0),
        ],
        "drawn": drawn(3),
        "drawn, long": drawn(6),
    }  # fmt: skip
    return [Case(name, {"layers": chain}) for name, chain in chains.items()]


def fuse_cases(generator: np.random.Generator) -> list[Case]:
    """Maps that are not square, several channels, whole numbers."""

    def case(name: str, n: int, c: int, h: int, w: int, draw: object = normal) -> Case:
        make = integers if draw is integers else normal
        maps = {
            name: make(generator, n, c, factor * h, factor * w)
            for name, factor in (("top", 1), ("pool4", 2), ("pool3", 4))
        }
        return Case(name, {**maps, "upsample": Given("bilinear")})

    return [
        case("a batch of 2", 2, 3, 2, 3),
        case("one cell on top", 1, 2, 1, 1),
        case("whole numbers as scores", 3, 2, 3, 2, integers),
    ]


def _switch(id: str, words: str, question: str) -> Switch:
    return Switch(f"skip.{id}", words, question)


MIDDLE = "Where is the middle of a kernel of 3, and of a kernel of 2, counted from its first pixel?"
GROWS = "If x moves by 1 before a layer of stride 2, by how much does it move behind it?"
SIGN = "With padding 1 more, does pixel 0 of the input lie further on in the output, or less far?"

OFFSET = (
    _switch("half/floor", "even kernels lose their half pixel: (k - 1) // 2", MIDDLE),
    _switch("half/ceil", "even kernels gain half a pixel: k // 2", MIDDLE),
    _switch("half/k", "the middle of a kernel is taken at k / 2", MIDDLE),
    _switch("half/none", "the middle of the kernels is left out, only padding counts", MIDDLE),
    *(
        _switch(f"half/{reading}_{kind}", f"{words} {layers}", MIDDLE)
        for kind, layers in (("conv", "a convolution"), ("transposed", "a transposed layer"))
        for reading, words in (
            ("k", "k / 2 is taken for the middle of the kernel of"),
            ("none", "the middle of the kernel is left out of"),
        )
    ),
    _switch(
        "half/steps",
        "positions are rounded down after each convolution",
        "May a position lie between two pixels?",
    ),
    _switch("half/down", "the position is rounded down", "May a position lie between two pixels?"),
    _switch(
        "half/cut",
        "the position is cut to a whole number",
        "May a position lie between two pixels?",
    ),
    _switch(
        "all_conv",
        "transposed layers are treated as convolutions",
        "Does a transposed layer with stride 2 bring pixels together, or apart?",
    ),
    _switch("no_stride/conv", "positions are not divided by a convolution's stride", GROWS),
    _switch("no_stride/transposed", "positions are not multiplied by the stride", GROWS),
    _switch("no_stride/both", "strides are not used", GROWS),
    _switch(
        "direction",
        "the opposite map: where the output's pixel 0 lies in the input",
        "Which of the two positions is 0, the one in the input or the one in the output?",
    ),
    _switch("sign/conv", "shifts of convolutions have the wrong sign", SIGN),
    _switch("sign/transposed", "shifts of transposed layers have the wrong sign", SIGN),
    _switch("sign/both", "the position has the wrong sign", SIGN),
    _switch(
        "reversed",
        "layers are gone through from the last to the first",
        "Through which layer does pixel 0 of the input go first?",
    ),
    _switch(
        "offset_wrong/19",
        "it is always 19, whatever the layers are",
        "What is it if the first convolution has a padding of 70?",
    ),
    _switch(
        "offset_wrong/padding",
        "padding is not used",
        "What is it if the first convolution has a padding of 70?",
    ),
)

FUSE = (
    _switch(
        "order/eight",
        "all maps are brought to the image's size first, and added there",
        "At which size does FCN-8s add the scores of pool4?",
    ),
    _switch(
        "order/four",
        "top and pool4 are each brought to the size of pool3, and added there",
        "At which size does FCN-8s add the scores of pool4?",
    ),
    _switch(
        "twos",
        "the last step is three times up by 2, not once by 8",
        "Is twice as large, three times, the same as eight times as large with these weights?",
    ),
    *(
        _switch(
            f"scale/{reading}",
            f"{words} scaled, as in training at once",
            "By which number are the scores of a skip multiplied here?",
        )
        for reading, words in (
            ("pool4", "pool4 is"),
            ("pool3", "pool3 is"),
            ("both", "pool4 and pool3 are"),
        )
    ),
    *(
        _switch(
            f"left_out/{reading}",
            f"{words} not added",
            "How many maps of scores does FCN-8s add up?",
        )
        for reading, words in (
            ("pool4", "pool4 is"),
            ("pool3", "pool3 is"),
            ("both", "pool4 and pool3 are"),
        )
    ),
    _switch(
        "nearest/last",
        "the last step repeats pixels, it does not use upsample",
        "What lies between two pixels after upsample?",
    ),
    _switch(
        "nearest/all",
        "pixels are repeated, upsample is not used",
        "What lies between two pixels after upsample?",
    ),
    _switch(
        "no_last",
        "the scores stay at the size of pool3",
        "How many pixels of the image are in one cell of pool3?",
    ),
    _switch(
        "mean",
        "scores are averaged, not added",
        "How much does the result change when all scores of pool3 grow by 1?",
    ),
    _switch(
        "product",
        "scores are multiplied, not added",
        "How much does the result change when all scores of pool3 grow by 1?",
    ),
    _switch(
        "concatenate",
        "maps are put side by side as channels, not added",
        "How many channels do scores of C classes have?",
    ),
)

EXERCISE = Exercise(
    name="skips",
    title="where a pixel lies after many layers, and the fusion of FCN-8s",
    functions=(
        Function(
            "crop_offset",
            (Part("offset", "position", "number"),),
            crop_offset,
            offset_cases,
            OFFSET,
            form={"offset": lambda result, arguments: np.float64(result)},
        ),
        Function("fuse", (Part("scores", "array of scores"),), fuse, fuse_cases, FUSE),
    ),
    hints=(
        "Through one convolution: in which output does the pixel x of the input lie in the middle?"
        " Through a transposed one: where is the middle of what the pixel x puts down?",
        "Tutorial 12, 'The idea' and 'FCN-8s by hand'; for crop_offset tutorial 13, 'Where is"
        " a cell?'.",
        "conv: x -> (x + padding - (kernel - 1) / 2) / stride. transposed: x -> stride * x +"
        " (kernel - 1) / 2 - padding. From x = 0, layer by layer. fuse: upsample(upsample("
        "upsample(top, 2) + pool4, 2) + pool3, 8).",
    ),
    tutorial=12,
)
