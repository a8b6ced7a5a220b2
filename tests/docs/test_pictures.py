"""The pictures of the pages show what the commands draw today."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minifcn.data import InMemory, Shapes
from minifcn.experiments import skips
from minifcn.experiments.checkerboard import pictures
from minifcn.plots import canvas, plot_predictions
from minifcn.plots.colours import WRONG
from minifcn.plots.skips import plot_strides

DOCS = Path(__file__).parents[2] / "docs"
SIZE = (96, 96)


def pixels_of(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.fixture
def same(monkeypatch, tmp_path):
    """Draw a picture and compare chosen panels with those of a file: the share of equal pixels."""
    figures, save = [], canvas._save

    def keep(figure, path):
        figures.append(figure)
        save(figure, path)

    monkeypatch.setattr(canvas, "_save", keep)

    def check(name, draw, chosen):
        draw(tmp_path / "drawn.png")
        drawn, shown = pixels_of(tmp_path / "drawn.png"), pixels_of(DOCS / name)
        assert drawn.shape == shown.shape
        for axes in filter(chosen, figures[-1].axes):
            box = axes.get_position()
            rows = slice(*((1 - np.array([box.y1, box.y0])) * len(drawn)).astype(int))
            columns = slice(*(np.array([box.x0, box.x1]) * drawn.shape[1]).astype(int))
            apart = np.abs(drawn[rows, columns] - shown[rows, columns]).max(axis=2)
            assert (apart <= 2).mean() > 0.99

    return check


def column_of(axes):
    return axes.get_subplotspec().colspan.start


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.png")), ids=lambda path: path.name)
def test_pictures_are_in_true_colours_and_not_too_large(path):
    with Image.open(path) as picture:
        assert picture.mode in ("RGB", "RGBA")
        assert picture.width <= 1280
    assert path.stat().st_size < 300_000


@pytest.mark.parametrize("name", ["predictions.png", "skips.png"])
def test_pictures_have_the_colours_of_the_classes(name):
    colours, counts = np.unique(pixels_of(DOCS / name).reshape(-1, 3), axis=0, return_counts=True)
    frequent = {tuple(colour) for colour in colours[counts > 0.002 * counts.sum()].tolist()}
    coloured = {colour for colour in frequent if len(set(colour)) > 1}
    classes = {tuple(colour) for colour in Shapes.palette[1:].tolist()}  # the background is black
    assert coloured - {WRONG} == classes
    assert (0, 0, 0) in frequent


def test_predictions_shows_the_scenes_that_training_draws(same):
    val = Shapes("val", size=SIZE)
    samples = [(image, truth, truth) for image, truth in (val[i * len(val) // 4] for i in range(4))]
    same(
        "predictions.png",
        lambda path: plot_predictions(path, samples, val.classes, val.palette),
        lambda axes: column_of(axes) < 2,
    )


def test_skips_shows_the_scenes_that_the_experiment_draws(same):
    val = InMemory(Shapes("val", 200, SIZE))
    images, truths = zip(*(val[i] for i in skips.busiest(val, 4)), strict=True)
    masks = dict.fromkeys(("truth", "FCN-32s", "FCN-16s, staged", "FCN-8s, staged"), truths)
    same(
        "skips.png",
        lambda path: plot_strides(path, images, masks, val.classes, val.palette),
        lambda axes: column_of(axes) < 2,
    )


def test_checkerboard_is_what_the_experiment_draws(same):
    same("checkerboard.png", lambda path: pictures.draw_outputs(path, range(10)), lambda axes: True)
    same("checkerboard_ramp.png", pictures.draw_counterexamples, lambda axes: True)
