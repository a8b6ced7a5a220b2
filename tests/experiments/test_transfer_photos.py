"""Thirty photos: masks lie on their objects, splits share no ground, and folders can be read."""

from importlib import metadata

import numpy as np
import pytest
from installed import need

from minifcn.data import Folder
from minifcn.experiments.transfer import cutouts, photos
from minifcn.experiments.transfer.cutouts import CUTOUTS, GROUNDS, SOURCES, Cutout, Ground, cut_out
from minifcn.experiments.transfer.photos import (
    CLASSES,
    VIEWS,
    Photos,
    beyond_border,
    cast_shadow,
    compose,
    light,
    place,
    projection,
    write,
)

SIZE = (64, 96)


def random(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def plain(monkeypatch):
    """Photographs of one colour: red where a cat is, green for a cup, blue for a flower."""
    colours = {"chelsea": (200, 20, 20), "coffee": (20, 200, 20), "flower": (20, 20, 200)}

    def photograph(name):
        return np.full((450, 650, 3), colours.get(name, (60, 60, 60)), np.uint8)

    for module in (cutouts, photos):
        monkeypatch.setattr(module, "photograph", photograph)
    cut_out.cache_clear()
    yield
    cut_out.cache_clear()


# -- Cut-outs ------------------------------------------------------------------------------------


def test_a_cutout_is_opaque_inside_of_its_outline_alone(plain):
    square = Cutout("chelsea", (10, 20, 50, 20, 50, 60, 10, 60), edge=1)
    assert square.box == (10, 20, 50, 60)
    pixels = cut_out(square)
    assert pixels.shape == (41, 41, 4)
    assert (pixels[..., :3] == (200, 20, 20)).all()
    assert (pixels[4:-4, 4:-4, 3] == 255).all()
    assert 90 < pixels[0, 20, 3] < 220  # it fades at the edge
    triangle = cut_out(Cutout("chelsea", (0, 0, 40, 0, 0, 40), edge=1))
    assert (triangle[30:, 30:, 3] == 0).all()


def test_outlines_are_inside_of_their_photographs():
    sizes = {"chelsea": (451, 300), "coffee": (600, 400), "flower": (640, 427)}
    for cutout in CUTOUTS.values():
        left, top, right, bottom = cutout.box
        assert min(left, top) >= 0
        assert right < sizes[cutout.photo][0]
        assert bottom < sizes[cutout.photo][1]
        assert cutout.cut == (top == 0)


def test_the_splits_share_no_ground():
    by_photo = {}
    for split, grounds in GROUNDS.items():
        for ground in grounds:
            by_photo.setdefault(ground.photo, []).append((split, ground.box))
    shared = {name: own for name, own in by_photo.items() if len({s for s, _ in own}) > 1}
    assert list(shared) == ["china"]
    (_, left), (_, right) = shared["china"]
    assert left[2] <= right[0]


# -- Putting together ----------------------------------------------------------------------------


def test_masks_lie_on_their_objects(plain):
    """An object's pixels have its colour; those of the ground are grey."""
    for i in range(12):
        view = VIEWS["train" if i % 2 else "val"]
        image, mask = compose(SIZE, Ground("brick"), view, random(i))
        for label in np.unique(mask)[1:]:
            own = image[mask == label].astype(int)
            assert (own.argmax(1) == label - 1).mean() > 0.97
        ground = image[mask == 0].astype(int)
        assert (np.ptp(ground, 1) < 70).mean() > 0.95


def test_a_photo_is_a_function_of_seed_split_and_number(plain):
    first, again = Photos("train", SIZE), Photos("train", SIZE)
    for k in range(2):
        np.testing.assert_array_equal(first[3][k], again[3][k])
    others = [first[8], Photos("val", SIZE)[3], Photos("train", SIZE, seed=1)[3]]
    assert not any((first[3][0] == image).all() for image, _ in others)
    assert first.name(-1) == "train-19"
    assert [len(Photos(split, SIZE)) for split in ("train", "val")] == [20, 10]


def test_each_split_has_all_classes(plain):
    for split in ("train", "val"):
        dataset = Photos(split, SIZE)
        labels = np.stack([dataset[i][1] for i in range(len(dataset))])
        shares = np.bincount(labels.ravel(), minlength=4) / labels.size
        assert labels.shape == (len(dataset), *SIZE)
        assert (shares > 0.05).all()


@pytest.mark.parametrize("side", [0, 1, 2])
def test_the_cut_side_of_an_object_is_outside(side):
    generator = random(side)
    for _ in range(20):
        turn = (0, 90, -90)[side] + generator.uniform(-20, 20)
        matrix = projection((40, 30), 1.5, turn, generator.uniform(-0.3, 0.3, 2))
        x, y = beyond_border(matrix, 40, side, SIZE, (50, 30))
        ends = matrix @ np.array([[0, 40], [0, 0], [1, 1]])
        ends = ends[:2] / ends[2] + [[x], [y]]
        nearest = (ends[1].max(), SIZE[1] - ends[0].min(), ends[0].max())[side]
        assert nearest == pytest.approx(0, abs=1e-9)  # it just touches the border
        assert (x == 50) if side == 0 else (y == 30)  # along the border it stays where it was


def test_a_projection_turns_scales_and_tilts():
    def moved(matrix, x, y):
        found = matrix @ [x, y, 1]
        return found[:2] / found[2]

    flat = projection((40, 20), 2, 90, np.zeros(2))
    np.testing.assert_allclose(moved(flat, 20, 10), [0, 0], atol=1e-12)
    np.testing.assert_allclose(moved(flat, 40, 10), [0, 40], atol=1e-12)  # right goes down
    np.testing.assert_allclose(moved(flat, 20, 0), [20, 0], atol=1e-12)  # and up to the right
    tilted = projection((40, 20), 1, 0, np.array([0.25, 0]))
    np.testing.assert_allclose(moved(tilted, 40, 10), [20 / 1.25, 0])
    np.testing.assert_allclose(moved(tilted, 0, 10), [-20 / 0.75, 0])


def test_a_placed_object_has_its_size(plain):
    view = photos.View(turn=0, tilt=0, light=1, size=(0.5, 0.5))
    wide = Cutout("coffee", (0, 0, 199, 0, 199, 99, 0, 99), edge=0.1)
    most = max(place((200, 300), wide, view, random(i))[..., 3].sum() / 255 for i in range(8))
    assert most == pytest.approx(100 * 50, rel=0.05)  # half of the height wide, where it is whole


def test_shadows_only_take_light(plain):
    opaque = np.zeros((40, 60, 1), np.float32)
    opaque[10:20, 20:40] = 1
    left = cast_shadow(opaque, random())
    assert left.shape == (40, 60, 1)
    assert left.max() == 1
    assert 0.4 <= left.min() < 0.9


def test_light_is_between_its_bounds():
    drawn = np.stack([light(1.5, random(i)) for i in range(50)])
    assert drawn.max() <= 1.5**1.25 + 1e-6
    assert drawn.min() >= 1.5**-1.25 - 1e-6
    assert drawn.max() > 1.2 > 0.85 > drawn.min()
    assert (light(1.0, random()) == 1).all()


# -- Folders and errors --------------------------------------------------------------------------


def test_a_written_folder_is_read_as_it_was(plain, tmp_path):
    write(tmp_path, SIZE)
    for split in ("train", "val"):
        ours, read = Photos(split, SIZE), Folder(str(tmp_path), split)
        assert read.classes == CLASSES
        assert len(read) == len(ours)
        for i in (0, len(ours) - 1):
            np.testing.assert_array_equal(read[i][0], ours[i][0])
            np.testing.assert_array_equal(read[i][1], ours[i][1])


def test_wrong_choices(plain):
    with pytest.raises(ValueError, match="split must be one of train, val; got 'test'"):
        Photos("test")
    with pytest.raises(ValueError, match="seed must not be negative; got -1"):
        Photos(seed=-1)
    with pytest.raises(ValueError, match=r"size must be \(height, width\)"):
        Photos(size=(0, 5))
    with pytest.raises(IndexError):
        Photos()[20]


def test_without_the_packages(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    cutouts.photograph.cache_clear()
    with pytest.raises(ValueError, match=r"is not installed: pip install -e '\.\[pretrained\]'$"):
        Photos("train")


def test_held_out_photos_are_no_copies():
    """At the real photographs: no held-out photo looks like one to train with."""
    need(*SOURCES.values())
    cut_out.cache_clear()
    train, val = ([Photos(split, SIZE)[i][0] for i in range(n)] for split, n in
                  (("train", 20), ("val", 10)))  # fmt: skip
    alike = np.corrcoef([image.ravel().astype(float) for image in (*train, *val)])[:20, 20:]
    assert alike.max() < 0.8
