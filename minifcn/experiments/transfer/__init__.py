"""Experiment: what pretraining is worth. One network from scratch, frozen and fine-tuned.

The parts: the networks and their training (training); thirty photos, put together from cut-outs
(photos, cutouts); then tables, findings and pictures.

Sources: Long, Shelhamer and Darrell (2015), sections 4.1 and 4.3, for fine-tuning a classifier;
Yosinski et al. (2014), How transferable are features in deep neural networks?, for frozen layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minifcn.data import Dataset, First, InMemory, Shapes, open_dataset
from minifcn.experiments.experiment import Experiment, Result, Settings
from minifcn.experiments.transfer.cutouts import SOURCES, photograph
from minifcn.experiments.transfer.findings import conclude
from minifcn.experiments.transfer.photos import Photos, write
from minifcn.experiments.transfer.pictures import plot_curves
from minifcn.experiments.transfer.tables import (
    Curves,
    costs_table,
    counts_of,
    curves_table,
    mean_ius,
    photos_table,
)
from minifcn.experiments.transfer.tables import Photos as PhotoRuns
from minifcn.experiments.transfer.training import (
    BACKBONE,
    FINE_TUNED,
    FROM_SCRATCH,
    FROZEN,
    STARTS,
    Recipe,
    Run,
    train,
    train_curves,
)
from minifcn.models.pretrained import NETWORKS, locate
from minifcn.plots.skips import plot_strides
from minifcn.runs.steps import predict


@dataclass(frozen=True)
class Plan:
    """How much of everything.

    Attributes:
        counts: numbers of training images; those of CamVid, a quarter and a sixteenth of them.
        iterations, photo_iterations: of each network on the data, and on the photos.
        shapes, camvid: the size (H, W) of their images.
        scenes: how many of the validation split are scored, at most.
        photos: the size of the photos.
        rows: photos in the picture.
    """

    counts: tuple[int, ...] = (23, 92, 367)
    iterations: int = 240
    photo_iterations: int = 80
    shapes: tuple[int, int] = (96, 96)
    camvid: tuple[int, int] = (120, 160)
    scenes: int = 200
    photos: tuple[int, int] = (160, 224)
    rows: int = 4
    backbone: str = BACKBONE


def run(settings: Settings) -> Result:
    """Train all networks with each seed; compare them; draw the first seed's."""
    iterations = settings.iterations(Plan.iterations)
    photos = settings.iterations(Plan.photo_iterations)
    return run_plan(settings, Plan(iterations=iterations, photo_iterations=photos))


def run_plan(settings: Settings, plan: Plan) -> Result:
    """Do the whole experiment in a chosen size; write the photos into the folder `thirty`, too.

    Raises:
        ValueError: a package with weights or photographs is not installed, or settings.root is not
            CamVid's folder.
    """
    check_installed(plan.backbone)
    write(settings.out / "thirty", plan.photos)
    name, dataset, val, recipe = open_data(settings.root, plan)
    curves = [all_curves(settings, plan, dataset, val, recipe, seed) for seed in settings.seeds]
    held_out = InMemory(Photos("val", plan.photos))
    photo_recipe = recipe_for_photos(plan)
    photos = train_on_photos(settings, plan, held_out, photo_recipe)
    data = f"{len(val)} held-out images of {name}"
    tables = {
        "curves": curves_table(curves, data, recipe),
        "costs": costs_table(curves, recipe),
        "photos": photos_table(photos, held_out.classes, photo_recipe),
    }
    pictures = [
        draw_curves(settings.out / "transfer.png", curves, data),
        draw_photos(settings.out / "photos.png", photos, held_out, range(plan.rows)),
    ]
    return Result(tables, conclude(curves, photos), pictures)


def check_installed(backbone: str) -> None:
    """Raise ValueError, before any work, where a package with weights or photos is missing."""
    locate(NETWORKS[backbone].weights)
    for name in SOURCES:
        photograph(name)


def open_data(root: str | None, plan: Plan) -> tuple[str, Dataset, Dataset, Recipe]:
    """Return what to learn from and to be scored on: CamVid if its folder is given, or shapes.

    CamVid's images are seen small, and scored with their masks as they are.
    """
    if root is None:
        scenes = Shapes("train", max(plan.counts), plan.shapes)
        held_out = InMemory(Shapes("val", plan.scenes, plan.shapes))
        return "shapes", scenes, held_out, Recipe(plan.iterations)
    images = open_dataset("camvid", "train", root=root, size=plan.camvid)
    val = open_dataset("camvid", "val", root=root)
    crop = (4 * plan.camvid[0] // 5, 4 * plan.camvid[1] // 5)
    recipe = Recipe(plan.iterations, crop=crop, size=plan.camvid)
    name = f"CamVid, seen at {plan.camvid[0]}x{plan.camvid[1]}"
    return name, images, First(val, min(len(val), plan.scenes)), recipe


def recipe_for_photos(plan: Plan) -> Recipe:
    """Windows of four fifths of the photos, which makes 128x160 of 160x224, four at a time."""
    height, width = (max(32, int(0.8 * n) // 32 * 32) for n in plan.photos)
    return Recipe(plan.photo_iterations, batch_size=4, crop=(height, width))


def all_curves(
    settings: Settings, plan: Plan, dataset: Dataset, val: Dataset, recipe: Recipe, seed: int
) -> dict[tuple[str, int], Run]:
    """Train each network on each number of images with one seed, and say how far that is."""
    runs = {}
    for start, count, own in train_curves(dataset, val, plan.counts, recipe, seed, plan.backbone):
        runs[start, count] = own
        settings.say(
            f"seed {seed}, {start}, {count} images: mean IU {own.matrix.mean_iu:.3f}"
            f" after {own.seconds:.0f} s"
        )
    return runs


def train_on_photos(
    settings: Settings, plan: Plan, held_out: Dataset, recipe: Recipe
) -> dict[str, Run]:
    """Train the one network from its three starts on the twenty photos, with the first seed."""
    dataset, runs = InMemory(Photos("train", plan.photos)), {}
    for start in (FROM_SCRATCH, FROZEN, FINE_TUNED):
        own = train(start, dataset, held_out, recipe, settings.seeds[0], plan.backbone)
        settings.say(f"photos, {start}: mean IU {own.matrix.mean_iu:.3f}, {own.seconds:.0f} s")
        runs[start] = own
    return runs


def draw_curves(path: Path, curves: Curves, data: str) -> Path:
    """Draw mean IU against the number of images."""
    counts = counts_of(curves)
    lines = {start: {n: mean_ius(curves, start, n) for n in counts} for start in STARTS}
    plot_curves(path, lines, data)
    return path


def draw_photos(path: Path, runs: PhotoRuns, held_out: Dataset, scenes: Sequence[int]) -> Path:
    """Draw held-out photos: photo, truth, and what each network predicts."""
    images, truths = zip(*(held_out[i] for i in scenes), strict=True)
    masks = {"truth": list(truths)}
    for start, own in runs.items():
        masks[start] = list(predict(own.model, images, own.model.backbone.normalisation))
    plot_strides(path, images, masks, held_out.classes, held_out.palette)
    return path


EXPERIMENT = Experiment(
    "what pretraining is worth: from scratch, frozen and fine-tuned, on few and more images",
    run,
    minutes=12,
    takes_root=True,
)
