"""What a training run is made of: every choice, with a recipe of defaults for each data set."""

from __future__ import annotations

import dataclasses
import json
import os
import reprlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.backend import DEVICES
from minifcn.data import VOID, Dataset, folder_size, is_folder, open_dataset
from minifcn.models import FCN
from minifcn.system.files import read_json

MODELS = {"fcn32s": 32, "fcn16s": 16, "fcn8s": 8}
"""The stride of each model's finest scores."""

MAX_PIXELS = 2**26
"""The most pixels of a batch: 64 images of 1024x1024. A config may come from somebody else."""


_LATER = {"by_heart", "kernels", "mistake"}
"""Choices that older runs do not have in their config.json: they were trained by the defaults."""


@dataclass(frozen=True)
class Config:
    """All the choices of a run. What is not given comes from the data set's recipe (`make`).

    Attributes:
        data: shapes, camvid, or a folder.
        root: where camvid is.
        model: fcn32s, fcn16s or fcn8s.
        size: height and width that samples are resized to (or drawn in).
        crop: height and width of the random windows that are trained on; None for all.
        flip: whether to mirror half of the samples.
        by_heart: train on the first so many samples only, and score on these; None for all. A
            network that learns is soon right about them: a check, not a result.
        iterations, batch_size: how many steps, of how many samples.
        lr, warmup: the highest learning rate (Adam, then down a cosine), and after how many
            iterations it is reached.
        weight_decay: of Adam.
        widths, depths, head_width, upsampling, dropout: see models.FCN.
        seed: fixes initial weights, order, crops, flips and dropout.
        device: where to compute: auto (a GPU if one works), cpu or cuda.
        evaluate_every, checkpoint_every: in iterations.
        classes: the name of each class, and its colour (red, green, blue) in pictures; taken from
            the data when a run starts, so that a run can be used without its data.
        kernels: the folder of a course whose functions compute; None for minifcn's.
        mistake: the id of a known mistake that is made on purpose; None for none.
    """

    data: str = "shapes"
    root: str | None = None
    model: str = "fcn8s"
    size: tuple[int, int] = (96, 96)
    crop: tuple[int, int] | None = None
    flip: bool = True
    iterations: int = 1400
    batch_size: int = 8
    lr: float = 1e-2
    warmup: int = 20
    weight_decay: float = 0.0
    widths: tuple[int, ...] = (12, 24, 48, 64, 64)
    depths: tuple[int, ...] = (1, 1, 2, 2, 1)
    head_width: int = 96
    upsampling: str = "bilinear"
    dropout: float = 0.0
    seed: int = 0
    device: str = "auto"
    evaluate_every: int = 200
    checkpoint_every: int = 50
    classes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    by_heart: int | None = None
    kernels: str | None = None
    mistake: str | None = None

    def __post_init__(self) -> None:
        for own in dataclasses.fields(self):
            _check_type(own.name, getattr(self, own.name), str(own.type))
        for name in ("iterations", "batch_size", "evaluate_every", "checkpoint_every"):
            _check_least(name, getattr(self, name), 1)
        _check_least("by_heart", 1 if self.by_heart is None else self.by_heart, 1)
        for name in ("seed", "warmup", "weight_decay"):
            _check_least(name, getattr(self, name), 0)
        if not self.lr > 0:
            raise ValueError(f"lr must be a positive number; got {self.lr}")
        for name, known in (("model", tuple(MODELS)), ("device", DEVICES)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}; got {getattr(self, name)!r}"
                )
        for name in ("size", "crop"):
            if getattr(self, name) is not None:
                _check_pixels(name, getattr(self, name), self.batch_size)
        if self.crop and not (self.crop[0] <= self.size[0] and self.crop[1] <= self.size[1]):
            raise ValueError(f"crop must fit into size {self.size}; got {self.crop}")
        if len(self.classes) > VOID:
            raise ValueError(f"classes must be at most {VOID}; got {len(self.classes)}")

    @classmethod
    def make(cls, data: str | None = None, **choices: Any) -> Config:
        """Take the recipe for `data` (shapes by default), changed by the choices that are given.

        A folder is written with its whole path, so that a run does not depend on where it was
        started. The size for a folder of images has their aspect (see `data.folder_size`).
        """
        data = "shapes" if data is None else data
        recipe = RECIPES.get(data, FOLDER_RECIPE)
        given = {name: value for name, value in choices.items() if value is not None}
        if data == "camvid" and "root" in given and Path(given["root"]).is_dir():
            given["root"] = os.path.abspath(given["root"])
        if is_folder(data):
            data = os.path.abspath(data)
            if "size" not in given:
                given["size"] = folder_size(data, recipe.size[0] * recipe.size[1])
        if "by_heart" in given:
            given.setdefault("flip", False)
        if "iterations" in given:  # look at the validation scores ten times, in a long run
            given.setdefault("evaluate_every", max(50, given["iterations"] // 10))
        if "size" in given and recipe.crop:
            given.setdefault("crop", tuple(map(min, recipe.crop, given["size"])))
        return dataclasses.replace(recipe, data=data, **given)

    @classmethod
    def load(cls, path: Path) -> Config:
        """Read a run's config.json.

        Raises:
            ValueError: the file is missing, not JSON, or not a config.
        """
        if not path.exists():
            raise ValueError(f"{path.parent} is not the folder of a run: it has no {path.name}")
        values = read_json(path)
        if not isinstance(values, dict):
            raise ValueError(f"{path}: must hold a JSON object; got {type(values).__name__}")
        known = {own.name for own in dataclasses.fields(cls)}
        given = values.keys() - {"minifcn"} | _LATER
        if given != known:
            wrong = sorted(given ^ known)
            raise ValueError(f"{path}: not the config of a run; see {', '.join(wrong[:3])}")
        values.pop("minifcn", None)
        values["classes"] = _lists_as_tuples(values["classes"])
        try:
            config = cls(**_lists_as_tuples(values))
            _check_least("classes", len(config.classes), 1)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from error
        return config

    def to_json(self, version: str) -> str:
        """Return the text of config.json."""
        return json.dumps({"minifcn": version, **dataclasses.asdict(self)}, indent=2) + "\n"

    def open_dataset(self, split: str, **known: Any) -> Dataset:
        """Open a split of this run's data; `known` is what `data.open_dataset` may be told.

        Scenes of shapes do not depend on the run's seed.
        """
        return open_dataset(self.data, split, root=self.root, size=self.size, **known)

    def is_data(self, data: str) -> bool:
        """Whether `data` names this run's own data, a folder in whichever way it is written."""
        return data == self.data or (is_folder(data) and os.path.abspath(data) == self.data)

    def moved(self, data: str | None, root: str | None) -> Config:
        """The same choices for data that lies in another place now, if one is given.

        Raises ValueError for a place that such data cannot have.
        """
        if data is not None and ({data, self.data} & RECIPES.keys() or not is_folder(data)):
            raise ValueError(f"data of a run on {self.data!r} cannot have moved to {data!r}")
        if root is not None and self.data != "camvid":
            raise ValueError(f"root is camvid's folder; got root {root!r} with data {self.data!r}")
        place = Config.make(data or self.data, root=root or self.root, size=self.size)
        return dataclasses.replace(self, data=place.data, root=place.root)

    def with_classes_of(self, dataset: Dataset) -> Config:
        """Remember the data's classes; raise ValueError where others are remembered already."""
        colours = (tuple(map(int, colour)) for colour in dataset.palette)
        classes = dict(zip(dataset.classes, colours, strict=True))
        if self.classes and list(self.classes) != list(classes):
            raise ValueError(
                f"data must have the classes of the run, {', '.join(self.classes)};"
                f" got {', '.join(classes)}"
            )
        return dataclasses.replace(self, classes=classes)

    @property
    def palette(self) -> np.ndarray:
        """The colours of the classes, uint8 (number of classes, 3)."""
        return np.array(list(self.classes.values()), np.uint8)

    def build_model(self, generator: np.random.Generator) -> FCN:
        """Build this run's network with fresh weights."""
        return FCN(
            len(self.classes),
            MODELS[self.model],
            widths=self.widths,
            depths=self.depths,
            head_width=self.head_width,
            upsampling=self.upsampling,
            dropout=self.dropout,
            generator=generator,
        )


def _check_type(name: str, value: Any, annotation: str) -> None:
    """Raise unless `value`, perhaps from a JSON file, has the type that its field is given."""
    if not _matches(value, annotation):
        raise TypeError(f"{name} must be {annotation}; got {reprlib.repr(value)}")
    if annotation == "float" and not abs(value) <= sys.float_info.max:
        raise ValueError(f"{name} must be a finite number; got {reprlib.repr(value)}")


def _matches(value: Any, annotation: str) -> bool:
    if annotation.endswith(" | None"):
        return value is None or _matches(value, annotation.removesuffix(" | None"))
    if annotation.startswith("dict"):
        return isinstance(value, dict) and all(_is_colour(colour) for colour in value.values())
    if annotation.startswith("tuple"):
        whole = isinstance(value, tuple) and all(type(n) is int for n in value)
        return whole and ("..." in annotation or len(value) == 2)
    if annotation == "float":
        return type(value) in (int, float)
    return type(value).__name__ == annotation


def _is_colour(value: Any) -> bool:
    return (
        _matches(value, "tuple[int, ...]") and len(value) == 3 and all(0 <= n < 256 for n in value)
    )


def _lists_as_tuples(values: Any) -> Any:
    """JSON has lists where a config, and the classes in it, have tuples."""
    if not isinstance(values, dict):
        return values
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def _check_least(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ValueError(f"{name} must be at least {least}; got {value}")


def _check_pixels(name: str, size: tuple[int, int], batch_size: int) -> None:
    if min(size) < 1:
        raise ValueError(f"{name} must be at least 1x1; got {size}")
    if batch_size * size[0] * size[1] > MAX_PIXELS:
        raise ValueError(
            f"{name} must make at most {MAX_PIXELS} pixels a batch; got {size}, {batch_size} times"
        )


RECIPES = {
    "shapes": Config(),
    "camvid": Config(
        data="camvid",
        size=(180, 240),
        crop=(160, 192),
        iterations=1900,
        batch_size=8,
        lr=2e-3,
        widths=(32, 64, 96, 128, 128),
        head_width=256,
        evaluate_every=190,
    ),
}
FOLDER_RECIPE = dataclasses.replace(
    RECIPES["camvid"], size=(128, 128), crop=None, iterations=1000, evaluate_every=100
)
"""For a folder of your own: as many pixels suit a laptop; give the size that your objects need."""
