"""The README is short, and its figures, and those of the pages, are those that the code has."""

import re
from pathlib import Path

import numpy as np
import pytest
from pages import PAGES, README, options_of

import minifcn
from minifcn import experiments, machine
from minifcn.experiments.checkerboard import layers, pictures, tables
from minifcn.experiments.skips.training import Plan

EXPERIMENTS, SPEED = PAGES["docs/EXPERIMENTS.md"], PAGES["docs/SPEED.md"]


def test_the_readme_is_short():
    assert len(README.split()) <= 1000


def test_the_two_commands_stand_in_the_readme_on_lines_of_their_own():
    lines = README.splitlines()
    assert "pip install -e . && minifcn train" in lines
    assert "pip install -e '.[test]' && pytest" in lines


@pytest.mark.parametrize("page", ["README.md", "docs/ARCHITECTURE.md"])
def test_the_maps_of_the_code_name_every_file_and_folder(page):
    """Of the package itself; each name of a map exists."""
    package = Path(minifcn.__file__).parent
    cells = re.findall(r"^\| (`[^|]*`) \|", PAGES[page], re.MULTILINE)
    named = {name.rstrip("/") for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    assert not {name for name in named if not (package / name).exists()}
    there = {path.name for path in package.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert there - {"__init__.py", "__main__.py", "__pycache__"} <= {
        name.split("/")[0] for name in named
    }


def test_the_changelog_has_this_version():
    versions = re.findall(r"^## \[(.*?)\]", PAGES["CHANGELOG.md"], re.MULTILINE)
    assert versions[:2] == ["Unreleased", minifcn.__version__]


# -- Figures -------------------------------------------------------------------------------------


def figures(text):
    return [float(figure) for figure in re.findall(r"\d*\.\d+", text)]


@pytest.mark.parametrize("network", ["FCN-32s", "FCN-16s", "FCN-8s"])
def test_the_means_of_the_skips_are_those_of_their_rows(network):
    (row,) = re.findall(rf"^\| {network} \|(.*)$", README, re.MULTILINE)
    seeds, mean, *classes = row.strip(" |").split("|")
    assert figures(mean) == [pytest.approx(np.mean(figures(seeds)), abs=0.001)]
    assert np.mean(figures(" ".join(classes))) == pytest.approx(figures(mean)[0], abs=0.005)
    assert (len(figures(seeds)), len(classes)) == (3, 6)


def test_the_picture_of_the_skips_was_trained_as_long_as_its_caption_says():
    (command,) = re.findall(r"`(minifcn experiment skips [^`]+)`", EXPERIMENTS)
    choices = options_of(command)
    scale = choices.budget / experiments.EXPERIMENTS["skips"].minutes
    iterations = 3 * experiments.Settings(Path(), scale=scale).iterations(Plan.third)
    (caption,) = re.findall(r"!\[([^]]*)\]\(skips.png\)", EXPERIMENTS)
    assert f"after {iterations:,} iterations" in caption
    assert f"{3 * Plan.third} iterations, too few" in EXPERIMENTS


def test_the_measures_of_checkerboards():
    layer = {k: layers.Upsampling("transposed", k) for k in (3, 4)}
    table = {
        (kind, k): tables.output_row(layer[k], kind, range(10))["Q"]
        for kind in ("positive", "Gaussian") for k in (3, 4)
    }  # fmt: skip
    image = np.repeat(layers.disc(18), layers.CHANNELS, axis=1)
    disc, gaussian = (
        {k: np.mean(pictures.typical_output(image, [layer[k]], kind, range(10))[1]) for k in (3, 4)}
        for kind in ("positive", "Gaussian")
    )
    words = " ".join(EXPERIMENTS.split())
    own, other = f"{table['positive', 4]:.2f}"[1:], f"{disc[4]:.2f}"[1:]
    assert f"is {own} on random features and {other} on the disc below" in words
    own, other = f"{table['positive', 3]:.2f}"[1:], f"{disc[3]:.2f}"[1:]
    assert f"against {own} and {other} with k=3" in words
    own, other = f"{table['Gaussian', 4]:.2f}"[1:], f"{table['Gaussian', 3]:.2f}"[1:]
    assert f"the two hardly differ: {own} against {other} on random features, " in words
    own, other = f"{gaussian[4]:.2f}"[1:], f"{gaussian[3]:.2f}"[1:]
    assert f" on random features, {own} against {other} on the disc." in words


def test_the_measures_of_resize_convolutions():
    """Of the ten seeds the highest U, and of three layers the mean Q."""
    layer = layers.Upsampling("nearest", 3)
    one = tables.output_row(layer, "Gaussian", range(10))
    three = tables.stack_row(layer, "Gaussian", 3, range(10))
    uneven = f"{one['highest U']:.4f}"[1:], f"{three['highest U']:.3f}"[1:]
    means = f"{one['Q']:.4f}"[1:], f"{three['Q']:.3f}"[1:]
    words = " ".join(EXPERIMENTS.split())
    assert f"a U of at most {uneven[0]} (one layer) and {uneven[1]} (three)" in words
    assert f"where their mean Q is {means[0]} and {means[1]};" in words
    transposed = tables.output_row(layers.Upsampling("transposed", 4), "Gaussian", range(10))
    assert f"with k=4 has a mean U of {transposed['U']:.2f}.".replace(" 0.", " .") in words
    rows = {(row["image"], row["resizing"]): row for row in tables.counterexample_table().rows[8:]}
    assert rows["ramp", "nearest"]["pixels"] == "1.00 0.00 1.00 0.00"
    q = [f"{rows[image, 'nearest']['Q']:.3f}" for image in ("ramp", "noise")]
    assert f"it is {q[0][:3]} for that ramp, and {q[1]} for that noise" in words


def test_variables_of_the_environment_are_those_that_doctor_knows():
    named = set(re.findall(r"\b(?:OPENBLAS|OMP|MKL|BLIS|GOTO|NPY)_\w+", SPEED))
    assert named
    assert named <= {*machine.OVERRIDES, *machine.THREAD_VARIABLES}
