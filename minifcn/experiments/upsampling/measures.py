"""What the experiment on upsampling measures: scores, boundaries, checkerboards, switches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from minifcn import functional as F
from minifcn import no_grad
from minifcn.data import VOID, Shapes
from minifcn.experiments.scenes import read
from minifcn.metrics import ConfusionMatrix
from minifcn.metrics.boundaries import BoundaryIU, trimap
from minifcn.metrics.phases import bilinear_ideal, phase_error, phase_share, phase_unevenness
from minifcn.models.decoders import corners
from minifcn.models.segnet import EncoderDecoder
from minifcn.tensor import Tensor

RADIUS = 2
"""Pixels; 2 % of the diagonal of a 64 x 64 scene, as the paper of the boundary IU takes."""
MARGIN = 8
"""Pixels at the border that checkerboards are not measured in: one stride of the encoder."""
GREY_SIZE, GREY_MARGIN = 144, 56
"""Pixels: an image of one colour, and what of it is left out, for its border reaches into it."""
ENOUGH = 50
"""Scenes to count ties in."""


@dataclass(frozen=True)
class HeldOut:
    """Scenes that nothing was trained on.

    Attributes:
        images: float32 (N, 3, H, W), normalised.
        truths: uint8 (N, H, W).
    """

    images: np.ndarray
    truths: np.ndarray

    @classmethod
    def draw(cls, dataset: Shapes) -> HeldOut:
        """Draw all scenes of a data set."""
        return cls(*read(dataset))

    def one_hot(self) -> np.ndarray:
        """Return the truth as perfect logits: 1 for the class of a pixel, else 0; (N, C, H, W)."""
        classes = np.arange(len(Shapes.classes))[:, None, None]
        return (self.truths[:, None] == classes).astype(np.float32)

    def baseline(self) -> float:
        """Return the mean IU of predicting the most frequent class everywhere."""
        matrix = ConfusionMatrix(len(Shapes.classes), VOID)
        matrix.update(self.truths, self.truths)
        return matrix.baseline_mean_iu

    def most_varied(self) -> int:
        """Return the first of the scenes that show most classes."""
        return int(np.argmax([len(np.unique(truth)) for truth in self.truths]))


@dataclass(frozen=True)
class Outcome:
    """The numbers of one network.

    `equal`, `start` and `trained` are its checkerboards Q for periods of 2 and 8 pixels, with `_u8`
    the unevenness U and with `_e8` the error E for a period of 8; `grey` is the `variation` inside
    a grey image, over that on the scenes; `ties` is the share of the first pooling's windows in
    which all pixels are 0, so that the switch means nothing.
    """

    mean_iu: float
    band_iu: float
    boundary_iu: float
    equal_2: float
    equal_8: float
    start_2: float
    start_8: float
    trained_2: float
    trained_8: float
    equal_u8: float
    start_u8: float
    trained_u8: float
    trained_e8: float
    grey: float
    ties: float
    iu_without_switches: float
    boundary_iu_without_switches: float
    parameters: int
    seconds: float


def mean(outcomes: Sequence[Outcome], name: str) -> float:
    """Average one number of the outcomes of several seeds."""
    return float(np.mean([getattr(outcome, name) for outcome in outcomes]))


def outcome(
    model: EncoderDecoder,
    held_out: HeldOut,
    equal: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    seconds: float,
) -> Outcome:
    """Put together the numbers of a trained network.

    equal, before, after: logits (N, C, H, W) on the held-out scenes with equal weights in the
    decoder, as drawn, and trained.
    """
    blind = logits(model, held_out.images, use_switches=False)
    states = {"equal": equal, "start": before, "trained": after}
    truths = held_out.truths
    return Outcome(
        mean_iu=mean_iu(truths, after),
        band_iu=mean_iu(trimap(truths, RADIUS, VOID), after),
        boundary_iu=boundary_iu(truths, after),
        **{
            f"{state}_{period}": checkerboard(y, period)
            for state, y in states.items()
            for period in (2, 8)
        },
        **{f"{state}_u8": unevenness(y, 8) for state, y in states.items()},
        trained_e8=error(after, 8),
        grey=grey_ripple(model) / variation(after),
        ties=ties(model, held_out.images),
        iu_without_switches=mean_iu(truths, blind),
        boundary_iu_without_switches=boundary_iu(truths, blind),
        parameters=sum(p.data.size for p in model.decoder.parameters()),
        seconds=seconds,
    )


def logits(
    model: EncoderDecoder, images: np.ndarray, use_switches: bool = True, batch_size: int = 25
) -> np.ndarray:
    """Return the scores (N, C, H, W) of images (N, 3, H, W), in multiples of the stride.

    Without switches, those of the poolings are replaced by ones to the upper left pixels; only
    'unpooling' notices.
    """
    parts = []
    with no_grad():
        for first in range(0, len(images), batch_size):
            x, switches = model.encode(Tensor(images[first : first + batch_size]))
            if not use_switches:
                switches = [corners(indices) for indices in switches]
            parts.append(model.score(model.decode(x, switches)).numpy())
    return np.concatenate(parts)


def mean_iu(truths: np.ndarray, logits: np.ndarray) -> float:
    """Return the mean IU of logits (N, C, H, W) for truths (N, H, W), VOID left out."""
    matrix = ConfusionMatrix(logits.shape[1], VOID)
    matrix.update(truths, logits.argmax(1))
    return matrix.mean_iu


def boundary_iu(truths: np.ndarray, logits: np.ndarray) -> float:
    """Return the mean boundary IU of logits (N, C, H, W) for truths (N, H, W)."""
    rims = BoundaryIU(logits.shape[1], RADIUS, VOID)
    rims.update(truths, logits.argmax(1))
    return rims.mean_iu


def checkerboard(logits: np.ndarray, period: int) -> float:
    """Return Q, the phase means' share of the variance, averaged over scenes and classes.

    Planes that are constant but for the margin, as the truth's of an absent class, have no Q.
    """
    return _mean_of_what_varies(phase_share, logits, period)


def unevenness(logits: np.ndarray, period: int) -> float:
    """Return U, the share of the phases' means and spreads, averaged likewise."""
    return _mean_of_what_varies(phase_unevenness, logits, period)


def error(logits: np.ndarray, period: int) -> float:
    """Return E, the same of what differs from period means resized bilinearly, likewise."""

    def own_error(y: np.ndarray, period: int, margin: int) -> np.ndarray:
        return phase_error(y, bilinear_ideal(y, period), period, margin)

    return _mean_of_what_varies(own_error, logits, period)


def _mean_of_what_varies(
    measure: Callable[[np.ndarray, int, int], np.ndarray], logits: np.ndarray, period: int
) -> float:
    inner = logits[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    varies = inner.max((-1, -2)) > inner.min((-1, -2))
    return float(measure(logits, period, MARGIN)[varies].mean())


def variation(logits: np.ndarray) -> float:
    """Return sqrt(mean over n and c of var over h and w of logits (N, C, H, W)).

    Each plane varies around its own mean, so that a class that scores higher everywhere adds
    nothing.
    """
    return float(np.sqrt(logits.astype(np.float64).var((-1, -2)).mean()))


def grey_ripple(model: EncoderDecoder) -> float:
    """Return the `variation` of the logits inside an image of one colour.

    Far from its border the encoder gives equal features everywhere; what varies was painted by the
    decoder. In every pooling all pixels tie, and the first wins; that is not left to rounding.
    """
    grey = np.zeros((1, 3, GREY_SIZE, GREY_SIZE), np.float32)
    inner = slice(GREY_MARGIN, -GREY_MARGIN)
    return variation(logits(model, grey, use_switches=False)[..., inner, inner])


def ties(model: EncoderDecoder, images: np.ndarray) -> float:
    """Return the share of 2 x 2 windows, at full size, in which relu left no pixel above 0."""
    with no_grad():
        features = model.encoder[0](Tensor(images[:ENOUGH])).numpy()
    n, c, h, w = features.shape
    return float((features.reshape(n, c, h // 2, 2, w // 2, 2).max((3, 5)) == 0).mean())


def set_equal(model: EncoderDecoder) -> None:
    """Set all weights of the decoder's kernels to one value; biases and BatchNorm stay."""
    for weight in model.decoder.parameters():
        if weight.ndim == 4:
            weight.data[...] = 1 / weight.data[0].size


def unpooled(model: EncoderDecoder, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what goes into the last unpooling, and what comes out with switches and without.

    image: (3, H, W). Returns one channel, (H/2, W/2), (H, W) and (H, W): the one that varies most
    where its switches mean something.
    """
    with no_grad():
        x, switches = model.encode(Tensor(image[None]))
        *stages, _ = model.decoder
        for stage, indices in zip(stages, reversed(switches), strict=False):
            x = stage(x, indices)
        first = F.max_pool2d(model.encoder[0](Tensor(image[None])), 2)
        planes = (x, F.max_unpool2d(x, switches[0], 2), F.max_unpool2d(x, corners(x), 2))
    assert isinstance(first, Tensor)  # for mypy
    channel = int((x.numpy()[0] * (first.numpy()[0] > 0)).std((1, 2)).argmax())
    features, stored, nails = (plane.numpy()[0, channel] for plane in planes)
    return features, stored, nails
