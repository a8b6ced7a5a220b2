"""What is chosen for a data set, and for a backbone, where the user says nothing."""

from __future__ import annotations

from typing import Any

from minifcn.models.backbones import SMALL, normalisation_of

RECIPES: dict[str, dict[str, Any]] = {
    "shapes": {},  # a config as it is
    "camvid": {
        "data": "camvid",
        "size": (180, 240),
        "crop": (160, 192),
        "iterations": 1900,
        "batch_size": 8,
        "lr": 2e-3,
        "widths": (32, 64, 96, 128, 128),
        "head_width": 256,
        "evaluate_every": 190,
    },
}
FOLDER = RECIPES["camvid"] | {
    "size": (128, 128),
    "crop": None,
    "iterations": 1000,
    "evaluate_every": 100,
}
"""For a folder of your own: as many pixels suit a laptop; give the size that your objects need."""

LARGER: dict[str, dict[str, Any]] = {
    "shapes": {},
    "camvid": {
        "model": "fcn4s",
        "size": (360, 480),
        "crop": (320, 320),
        "batch_size": 4,
        "iterations": 1650,
        "evaluate_every": 165,
    },
}
LARGER_FOLDER = {"size": (224, 224), "batch_size": 4, "iterations": 300, "evaluate_every": 50}
"""What is else in these recipes with a backbone that was made for photographs."""


def recipe_for(data: str, backbone: str, pretrained: bool) -> dict[str, Any]:
    """Return the choices for a data set; with what a backbone wants, if that is not the small one.

    A pretrained backbone learns at a tenth of the head's rate: it knows something already. From
    scratch, running statistics move as PyTorch's do by default: by EfficientNet-Lite's own 0.01,
    six tenths of where they started would be left after 50 iterations.
    Raises ValueError if there is no such backbone.
    """
    recipe, normalisation = RECIPES.get(data, FOLDER), normalisation_of(backbone)
    if backbone == SMALL:
        return recipe
    return {
        **recipe,
        **LARGER.get(data, LARGER_FOLDER),
        "backbone": backbone,
        "pretrained": pretrained,
        "normalisation": normalisation,
        "widths": (),
        "depths": (),
        "head_width": 128,
        "lr": 5e-3,
        "backbone_lr": 5e-4 if pretrained else None,
        "bn_momentum": None if pretrained else 0.1,
        "warmup": 30,
    }
