import numpy as np
import pytest

from minifcn.data.shapes import (
    CLASSES,
    DISTANCES,
    Design,
    Shapes,
    draw_object,
    draw_scene,
    paint,
    rotated_window,
    smooth_field,
)


def test_sample_and_metadata():
    dataset = Shapes("train")
    image, mask = dataset[0]
    assert (image.shape, image.dtype) == ((96, 96, 3), np.uint8)
    assert (mask.shape, mask.dtype) == ((96, 96), np.uint8)
    assert len(dataset) == 100_000
    assert len(Shapes("val")) == len(Shapes("test")) == 200
    assert dataset.classes == ("background", "disc", "square", "ring", "cross", "line")
    assert dataset.palette.shape == (6, 3)
    assert len(np.unique(dataset.palette, axis=0)) == 6
    assert dataset.name(17) == "train-00017"


def test_a_scene_is_a_function_of_seed_split_and_index():
    for i in (0, 5, 99_999):
        first, second = Shapes("train", seed=3)[i], Shapes("train", seed=3)[i]
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])


def test_other_split_seed_or_index_is_another_scene():
    scenes = [Shapes(split, seed=seed) for split in ("train", "val", "test") for seed in (0, 1)]
    images = [dataset[i][0].tobytes() for dataset in scenes for i in range(10)]
    assert len(set(images)) == 60


def test_every_class_occurs_and_nothing_else():
    dataset = Shapes("val")
    counts = sum(np.bincount(dataset[i][1].ravel(), minlength=6) for i in range(60))
    assert len(counts) == len(CLASSES)
    assert (counts / counts.sum() > 0.005).all()
    assert 0.7 < counts[0] / counts.sum() < 0.9


def test_colour_tells_nothing_about_the_class():
    means = {kind: [] for kind in range(1, 6)}
    dataset = Shapes("train")
    for i in range(150):
        image, mask = dataset[i]
        for kind in set(np.unique(mask)) - {0}:
            means[int(kind)].append(image[mask == kind].mean(axis=0))
    averages = np.array([np.mean(colours, axis=0) for colours in means.values()])
    assert np.ptp(averages, axis=0).max() < 40  # a class's own colours vary by some 60


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (17, 31), (64, 128), (200, 150)])
def test_any_size(size):
    dataset = Shapes("val", 5, size)
    for i in range(5):
        image, mask = dataset[i]
        assert image.shape == (*size, 3)
        assert mask.shape == size
        assert mask.max() < len(CLASSES)


def test_objects_grow_with_the_scene():
    share = [
        np.mean([Shapes("val", 40, size)[i][1] > 0 for i in range(40)])
        for size in ((48, 48), (192, 192))
    ]
    np.testing.assert_allclose(share[0], share[1], atol=0.03)


def test_indices_behave_like_a_sequence():
    dataset = Shapes("val", 3)
    assert len(list(dataset)) == 3
    np.testing.assert_array_equal(dataset[-1][1], dataset[2][1])
    with pytest.raises(IndexError):
        dataset[3]
    with pytest.raises(IndexError):
        dataset.name(3)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="split must be one of train, val, test; got 'tset'"):
        Shapes("tset")
    with pytest.raises(ValueError, match="must not be negative; got -1 and 0"):
        Shapes("val", -1)
    with pytest.raises(ValueError, match="must not be negative; got 200 and -1"):
        Shapes("val", seed=-1)
    with pytest.raises(ValueError, match="two positive integers"):
        Shapes("val", size=(0, 96))


# -- How a scene is drawn ------------------------------------------------------------------------


def areas(kind, radius, stroke):
    """The area of a shape alone, by counting pixels."""
    v, u = np.mgrid[-40:41, -40:41] + 0.3
    return (DISTANCES[kind](u, v, radius, stroke) <= 0).sum()


@pytest.mark.parametrize(
    ("name", "area"),
    [
        ("disc", np.pi * 20**2),
        ("square", np.pi * 20**2),
        ("ring", np.pi * (20**2 - 15**2)),
        ("cross", 2 * 40 * 5 - 5**2),
        ("line", 40 * 5),
    ],
)
def test_shapes_have_their_areas(name, area):
    np.testing.assert_allclose(areas(CLASSES.index(name), 20, 5), area, rtol=0.06)


@pytest.mark.parametrize("kind", range(1, 6))
def test_distance_changes_by_one_a_pixel(kind):
    v, u = np.mgrid[-40:41, -40:41] + 0.25
    distance = DISTANCES[kind](u, v, 20, 5)
    for axis in (0, 1):
        assert np.abs(np.diff(distance, axis=axis)).max() <= 1 + 1e-9
    assert distance.min() < 0 < distance.max()


@pytest.mark.parametrize("angle", [0, 0.4, 1.2, 3])
def test_window_holds_the_whole_object(angle):
    for kind in range(1, 6):
        centre = [30.3, 29.8]
        window, u, v = rotated_window((60, 60), centre, angle, 1.5 * 12 + 1)
        distance = DISTANCES[kind](u, v, 12, 5)
        assert distance.shape == np.zeros((60, 60))[window].shape
        border = np.concatenate([distance[0], distance[-1], distance[:, 0], distance[:, -1]])
        assert (border > 0.5).all()


def test_rotation_turns_the_coordinates():
    window, u, v = rotated_window((9, 9), [4, 4], np.pi / 2, reach=4)
    y, x = np.mgrid[window] - 4
    np.testing.assert_allclose(u, y, atol=1e-12)
    np.testing.assert_allclose(v, -x, atol=1e-12)


def test_paint_blends_by_coverage_and_labels_by_half():
    image, mask = np.zeros((1, 5, 3)), np.zeros((1, 5), np.uint8)
    paint(image, mask, np.array([[-2, -0.25, 0, 0.25, 2]]), np.ones(3), 4)
    np.testing.assert_allclose(image[0, :, 0], [1, 0.75, 0.5, 0.25, 0])
    np.testing.assert_array_equal(mask, [[4, 4, 4, 0, 0]])


def test_the_number_of_objects_is_the_design():
    design = Design(objects=(1, 1), radius=(10, 10), noise=0)
    kinds = []
    for seed in range(30):
        _, mask = draw_scene((96, 96), design, np.random.default_rng(seed))
        kinds.append(set(np.unique(mask)) - {0})
    assert {len(kind) for kind in kinds} == {1}
    assert set.union(*kinds) == {1, 2, 3, 4, 5}


def test_the_scene_uses_the_design_it_is_given():
    empty = Shapes("val", design=Design(objects=(0, 0)))
    assert not empty[0][1].any()


def test_an_object_stands_out_from_the_background():
    contrasts = []
    for seed in range(40):
        image, mask = np.full((96, 96, 3), 0.5), np.zeros((96, 96), np.uint8)
        draw_object(image, mask, np.full(3, 0.5), Design(), np.random.default_rng(seed))
        inside = image[mask > 0]
        contrasts.append(np.linalg.norm(np.median(inside, axis=0) - 0.5))
    assert np.mean(contrasts) > 0.5  # the mean distance of a random colour is 0.48


def test_the_background_is_smooth_and_stays_in_its_range():
    field = smooth_field((96, 64), Design(), np.random.default_rng(0))
    assert field.shape == (96, 64, 3)
    assert np.abs(field).max() <= Design().variation
    assert max(np.abs(np.diff(field, axis=axis)).max() for axis in (0, 1)) < 0.05
    assert np.ptp(field) > 0.1
