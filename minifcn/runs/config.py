"""What a training run is made of: every choice, with a recipe of defaults for each data set."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.backend import DEVICES
from minifcn.data import VOID, Dataset, folder_size, is_folder, open_dataset
from minifcn.data.transforms import IMAGENET, Normalisation
from minifcn.models import FCN
from minifcn.models.backbones import NAMES as BACKBONES
from minifcn.models.backbones import SMALL, build_backbone, load_pretrained
from minifcn.nn import BatchNorm2d
from minifcn.runs.recipes import RECIPES, recipe_for
from minifcn.runs.values import (
    check_class_weights,
    check_one_of,
    check_pixels,
    check_positive,
    check_range,
    check_type,
    from_json,
)
from minifcn.system.files import read_json

MODELS = {"fcn32s": 32, "fcn16s": 16, "fcn8s": 8, "fcn4s": 4}
"""The stride of each model's finest scores."""

_LATER = {
    "by_heart", "kernels", "mistake", "backbone", "pretrained", "backbone_weights", "backbone_lr",
    "freeze", "freeze_statistics", "bn_momentum", "normalisation", "scale", "jitter",
    "class_weights", "label_smoothing",
}  # fmt: skip
"""Choices that older runs do not have in their config.json: they were trained by the defaults."""


@dataclass(frozen=True)
class Config:
    """All the choices of a run. What is not given comes from the data set's recipe (`make`).

    Attributes:
        data: shapes, camvid, or a folder.
        root: where camvid is.
        model: fcn32s, fcn16s, fcn8s or fcn4s.
        size: height and width that samples are resized to (or drawn in).
        crop: height and width of the random windows that are trained on; None for all.
        flip: whether to mirror half of the samples.
        scale: between which factors samples are resized at random before that; None for not.
        jitter: how much brightness, contrast and saturation change at random; 0 for not.
        by_heart: train on the first so many samples only, and score on these; None for all. A
            network that learns is soon right about them: a check, not a result.
        iterations, batch_size: how many steps, of how many samples.
        lr, warmup: the highest learning rate (Adam, then down a cosine), and after how many
            iterations it is reached.
        backbone_lr: that of the backbone; None for the same.
        weight_decay: of Adam.
        class_weights: how much a pixel of each class counts in the loss, or 'balanced' until they
            have been counted; None for the same.
        label_smoothing: of the loss; see functional.cross_entropy.
        backbone: one of models.backbones.NAMES.
        pretrained: whether the backbone starts with what it has learnt from ImageNet.
        backbone_weights: a file with that; None for the installed package's.
        freeze: train the head only.
        freeze_statistics: leave the backbone's running statistics as they are, and use them.
        bn_momentum: how fast running statistics move; None for each layer's own.
        normalisation: how images become the network's input.
        widths, depths: of the small backbone; the others have their own, () here.
        head_width, upsampling, dropout: see models.FCN.
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
    backbone: str = SMALL
    pretrained: bool = False
    backbone_weights: str | None = None
    backbone_lr: float | None = None
    freeze: bool = False
    freeze_statistics: bool = False
    bn_momentum: float | None = None
    normalisation: Normalisation = IMAGENET
    scale: tuple[float, float] | None = None
    jitter: float = 0.0
    class_weights: tuple[float, ...] | str | None = None
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        for own in dataclasses.fields(self):
            check_type(own.name, getattr(self, own.name), str(own.type))
        for name in ("iterations", "batch_size", "evaluate_every", "checkpoint_every", "by_heart"):
            check_range(name, getattr(self, name), 1)
        for name in ("seed", "warmup", "weight_decay"):
            check_range(name, getattr(self, name), 0)
        for name in ("lr", "backbone_lr", "bn_momentum"):
            check_positive(name, getattr(self, name))
        for name in ("bn_momentum", "jitter", "label_smoothing"):
            check_range(name, getattr(self, name), 0, 1)
        check_one_of("model", self.model, tuple(MODELS))
        check_one_of("device", self.device, DEVICES)
        check_one_of("backbone", self.backbone, BACKBONES)
        for name in ("size", "crop"):
            check_pixels(name, getattr(self, name), self.batch_size)
        if self.crop and not (self.crop[0] <= self.size[0] and self.crop[1] <= self.size[1]):
            raise ValueError(f"crop must fit into size {self.size}; got {self.crop}")
        if self.scale and not 0.1 <= self.scale[0] <= self.scale[1] <= 10:
            raise ValueError(
                f"scale must be two factors from 0.1 to 10, the smaller one first; got {self.scale}"
            )
        if self.label_smoothing == 1:  # every class would be as right as any other
            raise ValueError("label_smoothing must be below 1, or nothing is learnt; got 1")
        if len(self.classes) > VOID:
            raise ValueError(f"classes must be at most {VOID}; got {len(self.classes)}")
        self._check_backbone()

    def _check_backbone(self) -> None:
        for name in ("freeze", "freeze_statistics", "backbone_weights"):
            if getattr(self, name) and not self.pretrained:
                option = "--" + name.replace("_", "-")
                small = self.backbone == SMALL
                how = (
                    ", as --backbone efficientnet-lite0" if small else "; leave --from-scratch out"
                )
                raise ValueError(
                    f"{option} needs a pretrained backbone{how}; got {self.backbone}, trained from"
                    " scratch"
                )
        if self.pretrained and self.backbone == SMALL:
            raise ValueError(f"backbone {SMALL} cannot be pretrained; choose another one")
        if isinstance(self.class_weights, str):
            check_one_of("class_weights", self.class_weights, ("balanced",))
        elif self.class_weights is not None:
            check_class_weights(self.class_weights, len(self.classes))

    @classmethod
    def make(cls, data: str | None = None, **choices: Any) -> Config:
        """Take the recipe for `data` (shapes by default), changed by the choices that are given.

        A folder is written with its whole path, so that a run does not depend on where it was
        started. The size for a folder of images has their aspect (see `data.folder_size`). A
        backbone other than the small one is pretrained, unless that is denied, and has a recipe of
        its own, in which it learns at a part of `lr`, whatever that is.

        Raises ValueError for a choice that is out of range, or would do nothing beside another.
        """
        data = "shapes" if data is None else data
        given = {name: value for name, value in choices.items() if value is not None}
        recipe = cls(
            **recipe_for(data, given.get("backbone", SMALL), given.get("pretrained", True))
        )
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
        if "scale" in given:
            given.setdefault("crop", recipe.crop or given.get("size", recipe.size))
        if given.get("freeze") and "backbone_lr" in given:
            raise ValueError(
                f"--backbone-lr {given['backbone_lr']} is that of a backbone that learns, which"
                " --freeze forbids: give one of them"
            )
        config = dataclasses.replace(recipe, data=data, **given)
        if recipe.backbone_lr and "lr" in given and "backbone_lr" not in given:
            part = recipe.backbone_lr / recipe.lr
            config = dataclasses.replace(config, backbone_lr=part * config.lr)
        return config

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
        try:
            config = cls(**from_json(values))
            check_range("classes", len(config.classes), 1)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from error
        return config

    def to_json(self, version: str) -> str:
        """Return the text of config.json."""
        return json.dumps({"minifcn": version, **dataclasses.asdict(self)}, indent=2) + "\n"

    def open_dataset(self, split: str, own_size: bool = False, **known: Any) -> Dataset:
        """Open a split of this run's data; `known` is what `data.open_dataset` may be told.

        Samples have this config's size, or the one that they have in their files. Scenes of shapes
        are drawn in this size, and do not depend on the run's seed.
        """
        size = None if own_size and self.data != "shapes" else self.size
        return open_dataset(self.data, split, root=self.root, size=size, **known)

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
        """Build this run's network with fresh weights; see `load_pretrained` for the others."""
        backbone = build_backbone(self.backbone, self.widths, self.depths, generator=generator)
        model = FCN(
            len(self.classes),
            MODELS[self.model],
            backbone=backbone,
            head_width=self.head_width,
            upsampling=self.upsampling,
            dropout=self.dropout,
            generator=generator,
        )
        for module in model.modules():
            if isinstance(module, BatchNorm2d) and self.bn_momentum is not None:
                module.momentum = self.bn_momentum
        return model

    def load_pretrained(self, model: FCN) -> None:
        """Give the backbone of a fresh network what it is to start with.

        Raises ValueError if that is not installed, or the file of weights is not what it should be.
        """
        if self.pretrained:
            path = Path(self.backbone_weights) if self.backbone_weights else None
            load_pretrained(model.backbone, self.backbone, path)
