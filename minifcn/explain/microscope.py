"""A page on which the score of every pixel of an image can be taken apart: FCN-8s, 16s or 32s.

microscope.js looks numbers up, microscope_view.js draws; page/ has them. All numbers are computed
here, by the network, and embedded.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

import minifcn
from minifcn.data import VOID, Dataset
from minifcn.data.images import read_image
from minifcn.data.palettes import VOID_COLOUR
from minifcn.data.transforms import normalise, resize_image, resize_pair
from minifcn.explain.fields import Sight, path_field, path_sights
from minifcn.explain.page import fill, read_texts
from minifcn.models import FCN
from minifcn.models.blocks import padded
from minifcn.runs.checkpoint import load_model
from minifcn.runs.config import Config
from minifcn.runs.data import open_recorded
from minifcn.runs.run import Run
from minifcn.runs.steps import predict
from minifcn.tensor import Tensor, no_grad

SMALL = Config.make(
    "shapes", iterations=450, evaluate_every=450, checkpoint_every=450, device="cpu"
)
"""What is trained where no run was given."""

MOST_BYTES = 5_000_000
"""The most that a page has; the shares below see to it."""

_TERM_BYTES = 2 * 2**20
_COARSE_BYTES = 2**18  # of each path
_MOST_PIXELS = 128 * 128
_MOST_SIDE = 512  # of the pictures
_CHANNELS = 4  # that are shown of a layer
_LARGEST = 32_000  # int16 has 32,767
_SCENES = 16  # among which one is chosen

LAYERS = ("stage1", "stage2", "stage3", "stage4", "stage5", "fc7")
_STRIDES = (2, 4, 8, 16, 32, 32)


# -- The network, and what it looks at -------------------------------------------------------------


class Scene(NamedTuple):
    """What the network gets.

    image: uint8 (H, W, 3), of the network's size. truth: uint8 (H, W), or None. own: height and
    width before it was resized.
    """

    image: np.ndarray
    truth: np.ndarray | None
    name: str
    own: tuple[int, int]


class Subject(NamedTuple):
    """A network, the choices of its run, and a scene."""

    config: Config
    model: FCN
    scene: Scene


def subject_of(run: Path, image: Path | None = None, checkpoint: str = "best") -> Subject:
    """Load a run's network, and the image, or else a validation scene of the run's data.

    Raises:
        ValueError: the run or the image cannot be read, the run's data is not there, or its network
            is none that the page can show.
    """
    config, model = load_model(run, checkpoint)
    if config.backbone != "small" or config.model == "fcn4s":
        raise ValueError(
            f"{run} must be an FCN-32s, 16s or 8s on the small backbone, which the page shows stage"
            f" by stage; got {config.model} on {config.backbone}: see it by minifcn predict"
        )
    assert isinstance(model, FCN)
    return Subject(config, model, scene_of_file(image, config) if image else _scene(config, run))


def train_small(
    report: Callable[[dict[str, float | None]], None], scene: Scene | None = None
) -> Subject:
    """Train the network of `SMALL` in a temporary folder; `report` is as in `Run.train`."""
    with TemporaryDirectory(prefix="minifcn-") as folder:
        run = Run.start(SMALL, Path(folder) / "run", minifcn.__version__)
        run.train(report)
        config, model = load_model(run.folder)
        assert isinstance(model, FCN)
        return Subject(config, model, scene or _scene(config, run.folder))


def scene_of_file(path: Path, config: Config) -> Scene:
    """Read an image, and resize it as `minifcn predict` does.

    Raises:
        ValueError: it cannot be read.
    """
    image = read_image(path)
    return Scene(
        resize_image(image, config.size), None, path.name, (image.shape[0], image.shape[1])
    )


def _scene(config: Config, run: Path) -> Scene:
    """Of the first validation scenes, take the first with the most classes."""
    try:
        dataset = open_recorded(config, run).val
        scenes = [_seen(dataset, i, config) for i in range(min(_SCENES, len(dataset)))]
    except ValueError as error:
        raise ValueError(f"give an image by --image, for the run's data fails: {error}") from error
    return max(scenes, key=_count_classes)


def _seen(dataset: Dataset, i: int, config: Config) -> Scene:
    """A sample as the network sees it; masks that are scored at their own size may be large."""
    image, truth = dataset[i]
    return Scene(*resize_pair(image, truth, config.size), dataset.name(i), truth.shape)


def _count_classes(scene: Scene) -> int:
    return 0 if scene.truth is None else len(set(np.unique(scene.truth).tolist()) - {VOID})


# -- Numbers ---------------------------------------------------------------------------------------


def make_microscope(subject: Subject, trained: int | None = None) -> str:
    """Return the HTML of the page.

    Args:
        subject: the network and its scene.
        trained: for how many iterations the command itself trained the network, if it did.

    Raises:
        FloatingPointError: a score is not finite.
    """
    return fill(
        "microscope.html", ("microscope.js", "microscope_view.js"), numbers_of(subject, trained)
    )


def numbers_of(subject: Subject, trained: int | None = None) -> dict[str, Any]:
    """Return all that the page has to show, as JSON.

    Of images with many pixels, or many classes, the scores of every k-th row and column are kept
    (see `shown`), so that the page stays below `MOST_BYTES`.
    """
    config, model, scene = subject
    height, width = scene.image.shape[:2]
    prediction = predict(model, [scene.image])[0]
    x = Tensor(normalise(scene.image)[np.newaxis])
    with no_grad():
        terms = {path: term.numpy()[0] for path, term in model.score_terms(x).items()}
        coarse = {path: own.numpy()[0] for path, own in model.path_scores(padded(x, 32)).items()}
        layers = _layers(model, padded(x, 32))
    step = _step((height, width), 2 * len(terms) * len(config.classes), _TERM_BYTES)
    rows, columns = (range(step // 2, size, step) for size in (height, width))
    grid = np.ix_(rows, columns)
    decimals, counts = rounded_terms(
        np.stack([term[:, *grid] for term in terms.values()]), prediction[grid]
    )
    truth = scene.truth
    return {
        "version": minifcn.__version__,
        "texts": read_texts("microscope_texts.json"),
        "network": {"model": config.model, "data": Path(config.data).name, "trained": trained},
        "classes": [{"name": n, "colour": list(c)} for n, c in config.classes.items()],
        "image": {
            "name": scene.name,
            "own": list(scene.own),
            "height": height,
            "width": width,
            "picture": _picture(scene.image),
            "prediction": _picture(_coloured(prediction, config.palette), photo=False),
            "truth": None if truth is None else _picture(_coloured(truth, config.palette), False),
        },
        "shown": {"step": step, "rows": list(rows), "columns": list(columns)},
        "truth": None if truth is None else _base64(truth[grid]),
        "decimals": decimals,
        "terms": _base64(counts),
        "start": list(_start(counts)),
        "paths": [_path(model, name, own, rows, columns, scene) for name, own in coarse.items()],
        "layers": [
            _layer(*own, (height, width)) for own in zip(LAYERS, _STRIDES, layers, strict=True)
        ],
    }  # fmt: skip


def _layers(model: FCN, x: Tensor) -> list[np.ndarray]:
    """What comes out of each stage, and of fc7: (C, H / s, W / s)."""
    found = []
    for k in range(1, 6):
        x = getattr(model.backbone, f"stage{k}")(x)
        found.append(x)
    return [own.numpy()[0] for own in (*found, model.top(x))]


def rounded_terms(terms: np.ndarray, prediction: np.ndarray) -> tuple[int, np.ndarray]:
    """Round the terms of scores so that they add up exactly, and to the class that is predicted.

    Numbers are whole multiples of 10^-decimals, as many decimals as int16 can hold. The sum over
    the paths is the score, rounded; the last path takes what the rounding of the others leaves.
    Where that makes two classes equal, or the wrong one larger, the predicted class gets the least
    that makes it the first with the largest sum, as argmax chooses.

    Args:
        terms: (P, C, H, W).
        prediction: (H, W).

    Returns:
        decimals, and the multiples, int16 (P, C, H, W).
    """
    decimals, factor = _scale(terms)
    scaled = terms.astype(np.float64) * factor
    counts = np.rint(scaled)
    sums = np.rint(scaled.sum(0))
    ids = np.arange(terms.shape[1])[:, np.newaxis, np.newaxis]
    others = np.where(ids == prediction, -np.inf, sums + (ids < prediction))
    wanted = np.maximum(sums, others.max(0, initial=-np.inf))
    sums = np.where(ids == prediction, wanted, sums)
    counts[-1] = sums - counts[:-1].sum(0)
    return decimals, counts.astype("<i2")


def _scale(numbers: np.ndarray) -> tuple[int, float]:
    """How many decimals int16 can hold of these numbers, and 10 to that power."""
    largest = float(np.abs(numbers).max())
    decimals = min(math.floor(math.log10(_LARGEST / largest)), 9) if largest else 3
    return decimals, 10.0**decimals


def _step(size: tuple[int, int], each: int, most: int) -> int:
    """The least k so that every k-th row and column, of so many bytes each, are not too many."""
    step = 1
    while (pixels := math.ceil(size[0] / step) * math.ceil(size[1] / step)) and (
        pixels > _MOST_PIXELS or pixels * each > most
    ):
        step += 1
    return step


def _start(counts: np.ndarray) -> tuple[int, int]:
    """Where to begin: nearest to the middle, where the top alone would say another class.

    If there is such a pixel, one whose class is not the most frequent one.
    """
    height, width = counts.shape[2:]
    labels = counts.sum(0, dtype=np.int64).argmax(0)
    rare = labels != np.bincount(labels.ravel()).argmax()
    corrected = counts[0].argmax(0) != labels
    for chosen in (corrected & rare, corrected):
        places = np.argwhere(chosen)
        if len(places):
            away = ((places - (height // 2, width // 2)) ** 2).sum(1)
            row, column = places[away.argmin()].tolist()
            return row, column
    return height // 2, width // 2


# -- Maps ------------------------------------------------------------------------------------------


def _path(
    model: FCN, name: str, scores: np.ndarray, rows: range, columns: range, scene: Scene
) -> dict[str, Any]:
    """A path: its coarse scores (C, H / s, W / s), and what it sees from each pixel."""
    height, width = scene.image.shape[:2]
    field = path_field(model, name)
    kept, step = _kept(scores, field.stride, (height, width), 2 * len(scores), _COARSE_BYTES)
    decimals, factor = _scale(kept)
    sights = {
        axis: _spans(path_sights(model, name, size + -size % 32, places))
        for axis, size, places in (("rows", height, rows), ("columns", width, columns))
    }
    return {
        "name": name,
        "stride": field.stride,
        "size": field.size,
        **sights,
        "coarse": {
            "step": step,
            "height": kept.shape[1],
            "width": kept.shape[2],
            "decimals": decimals,
            "scores": _base64(np.rint(kept.astype(np.float64) * factor).astype("<i2")),
        },
    }


def _spans(sights: list[Sight]) -> list[list[int]]:
    """First and last cell, first and last pixel, of each."""
    return [[*sight.cells, *sight.pixels] for sight in sights]


def _layer(name: str, stride: int, values: np.ndarray, size: tuple[int, int]) -> dict[str, Any]:
    """A layer's channels with the largest variance, each from 0 (its lowest number) to 255."""
    kept, step = _kept(values, stride, size, _CHANNELS, _MOST_PIXELS * _CHANNELS)
    variances = kept.reshape(len(kept), -1).var(1)
    maps = []
    for channel in np.argsort(-variances, kind="stable")[:_CHANNELS].tolist():
        own = kept[channel].astype(np.float64)
        low, high = float(own.min()), float(own.max())
        shares = (own - low) / ((high - low) or 1)
        grey = np.rint(255 * shares).astype(np.uint8)
        maps.append({"channel": channel, "low": low, "high": high, "values": _base64(grey)})
    return {
        "name": name,
        "stride": stride,
        "step": step,
        "channels": len(values),
        "height": kept.shape[1],
        "width": kept.shape[2],
        "maps": maps,
    }


def _kept(
    values: np.ndarray, stride: int, size: tuple[int, int], each: int, most: int
) -> tuple[np.ndarray, int]:
    """Cut off the cells that lie on the padding; of very many, take every k-th. Return k, too."""
    height, width = (math.ceil(length / stride) for length in size)
    step = _step((height, width), each, most)
    return values[:, :height:step, :width:step], step


# -- Pictures and bytes ----------------------------------------------------------------------------


def _coloured(mask: np.ndarray, palette: np.ndarray) -> np.ndarray:
    colours = np.full((256, 3), VOID_COLOUR, np.uint8)
    colours[: len(palette)] = palette
    return colours[mask]


def _picture(image: np.ndarray, photo: bool = True) -> str:
    """An image as the address of its own data: a PNG, or, of a large photo, a JPEG."""
    from PIL import Image
    from PIL.Image import Resampling

    picture = Image.fromarray(image)
    if max(picture.size) > _MOST_SIDE:
        share = _MOST_SIDE / max(picture.size)
        size = [max(1, round(length * share)) for length in picture.size]
        way = Resampling.BILINEAR if photo else Resampling.NEAREST
        picture = picture.resize((size[0], size[1]), way)
    kind = "JPEG" if photo and max(picture.size) > 256 else "PNG"
    file = io.BytesIO()
    picture.save(file, kind, **({"quality": 88} if kind == "JPEG" else {"optimize": True}))
    return f"data:image/{kind.lower()};base64,{_text(file.getvalue())}"


def _base64(array: np.ndarray) -> str:
    return _text(np.ascontiguousarray(array).tobytes())


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
