import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minifcn.data import VOID, Batches, First, InMemory, open_dataset
from minifcn.data.dataset import is_thread_safe
from minifcn.data.transforms import (
    MEAN_COLOUR,
    colour_jitter,
    denormalise,
    normalise,
    random_crop,
    random_flip,
)


class Numbered:
    """Sample i is filled with i."""

    def __init__(self, length, sizes=((4, 6),)):
        self.length, self.sizes = length, sizes
        self.classes = tuple(str(i) for i in range(length))
        self.palette = np.zeros((length, 3), np.uint8)
        self.reads = 0

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        self.reads += 1
        size = self.sizes[i % len(self.sizes)]
        return np.full((*size, 3), i, np.uint8), np.full(size, i, np.uint8)

    def name(self, i):
        return f"number {i}"


class Ramp(Numbered):
    """Every pixel differs, in the image and the mask alike."""

    def __getitem__(self, i):
        number = np.arange(24, dtype=np.uint8).reshape(4, 6)
        return np.stack([number] * 3, axis=2), number


class Meeting(Numbered):
    """No sample is given before 8 are asked for: all are read at a time."""

    def __init__(self, length):
        super().__init__(length)
        self.barrier = threading.Barrier(8, timeout=20)

    def __getitem__(self, i):
        self.barrier.wait()
        return super().__getitem__(i)


def test_shapes_types_and_values():
    images, labels = Batches(Numbered(10), 4).batch(0)
    assert images.shape == (4, 3, 4, 6)
    assert images.dtype == np.float32
    assert labels.shape == (4, 4, 6)
    assert labels.dtype == np.int64
    for image, label in zip(images, labels, strict=True):
        np.testing.assert_array_equal(denormalise(image)[..., 0], label)


def test_an_epoch_visits_every_sample_once_in_an_order_of_its_own():
    batches = Batches(Numbered(12), 4)
    epochs = [sum((batches.indices(3 * e + k) for k in range(3)), []) for e in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(12))
    assert epochs[0] != epochs[1] != list(range(12))


def test_batches_cross_the_border_of_epochs():
    batches = Batches(Numbered(5), 3)
    visited = sum((batches.indices(k) for k in range(5)), [])
    assert [sorted(visited[5 * e : 5 * e + 5]) for e in range(3)] == [[0, 1, 2, 3, 4]] * 3


def test_a_dataset_smaller_than_a_batch():
    indices = Batches(Numbered(2), 7).indices(1)
    assert len(indices) == 7
    assert set(indices) == {0, 1}


def test_any_iteration_is_a_function_of_the_seed_alone():
    options = {"crop": (3, 5), "flip": True, "seed": 5}
    straight = Batches(Ramp(7), 3, **options)
    straight_batches = [straight.batch(k) for k in range(9)]
    for k in (8, 2, 5):  # out of order, each from a fresh object
        images, labels = Batches(Ramp(7), 3, **options).batch(k)
        np.testing.assert_array_equal(images, straight_batches[k][0])
        np.testing.assert_array_equal(labels, straight_batches[k][1])


def test_without_scale_and_jitter_the_bits_are_those_of_crop_and_flip():
    batches = Batches(Ramp(7), 3, crop=(5, 5), flip=True, seed=5)
    images, labels = batches.batch(4)
    generator = np.random.default_rng([5, 5, 4])
    for n, i in enumerate(batches.indices(4)):
        crop = random_crop(*Ramp(7)[i], (5, 5), generator)
        image, mask = random_flip(*crop, generator)
        np.testing.assert_array_equal(images[n], normalise(image))
        np.testing.assert_array_equal(labels[n], mask)


AUGMENTED = {"crop": (5, 5), "flip": True, "scale": (0.5, 2.0), "jitter": 0.5, "seed": 5}


@pytest.mark.parametrize("left_out", [None, "flip", "jitter", "scale"])
def test_any_augmented_iteration_is_a_function_of_the_seed_alone(left_out):
    options = {name: value for name, value in AUGMENTED.items() if name != left_out}
    straight = Batches(Ramp(7), 3, **options)
    straight_batches = [straight.batch(k) for k in range(6)]
    for k in (5, 0, 3):
        images, labels = Batches(Ramp(7), 3, **options).batch(k)
        np.testing.assert_array_equal(images, straight_batches[k][0])
        np.testing.assert_array_equal(labels, straight_batches[k][1])
    assert len({labels.tobytes() for _, labels in straight_batches}) == 6


def test_scale_enlarges_and_shrinks_and_pads_with_void():
    batches = Batches(Ramp(1), 8, crop=(4, 6), scale=(0.5, 2.0))
    labels = np.concatenate([batches.batch(k)[1] for k in range(4)])
    distinct = [len(np.unique(label[label != VOID])) for label in labels]
    assert min(distinct) <= 8  # of 24 pixels: enlarged
    padded = (labels == VOID).any((1, 2))
    assert 4 < padded.sum() < 28
    assert (np.array(distinct)[padded] < 24).all()


def test_jitter_is_the_same_for_all_three_and_comes_before_the_padding():
    images, labels = Batches(Ramp(1), 1, crop=(8, 8), jitter=0.5, seed=3).batch(0)
    generator = np.random.default_rng([3, 5, 0])
    generator.integers(1), generator.integers(1)  # the place of the crop: there is but one
    expected = colour_jitter(Ramp(1)[0][0], generator, 0.5, 0.5, 0.5)
    found = denormalise(images[0])
    np.testing.assert_array_equal(found[2:6, 1:7], expected)
    assert (found[labels[0] == VOID] == MEAN_COLOUR).all()
    assert not np.array_equal(expected, Ramp(1)[0][0])


def test_jitter_needs_no_crop_and_keeps_the_labels():
    images, labels = Batches(Ramp(1), 2, jitter=0.5).batch(0)
    plain_images, plain_labels = Batches(Ramp(1), 2).batch(0)
    np.testing.assert_array_equal(labels, plain_labels)
    assert not np.array_equal(images, plain_images)


def test_images_are_normalised_as_told():
    halved = lambda image: (image.transpose(2, 0, 1) / 2).astype(np.float32)
    images, labels = Batches(Ramp(1), 1, normalise=halved).batch(0)
    np.testing.assert_array_equal(images[0, 0], labels[0] / 2)


def test_another_seed_another_order_and_other_crops():
    first, second = (Batches(Ramp(50), 8, crop=(2, 2), seed=seed) for seed in (0, 1))
    assert first.indices(0) != second.indices(0)
    assert not np.array_equal(first.batch(0)[1], second.batch(0)[1])


def test_augmentation_is_fresh_each_iteration_and_keeps_image_and_mask_aligned():
    batches = Batches(Ramp(1), 8, crop=(3, 4), flip=True)
    seen = set()
    for k in range(20):
        images, labels = batches.batch(k)
        for image, label in zip(images, labels, strict=True):
            np.testing.assert_array_equal(denormalise(image)[..., 1], label)
            seen.add(label.tobytes())
    assert len(seen) == 12  # 2 x 3 positions, each mirrored or not


def test_permutation_is_made_once_an_epoch(monkeypatch):
    made = []
    default_rng = np.random.default_rng

    def counting(seed):
        made.append(seed)
        return default_rng(seed)

    batches = Batches(Numbered(100), 10)
    monkeypatch.setattr(np.random, "default_rng", counting)
    for k in range(10):
        batches.indices(k)
    assert len(made) == 1


def test_a_crop_makes_samples_of_any_size_equal():
    _, labels = Batches(Numbered(6, sizes=((4, 6), (3, 9))), 6, crop=(4, 6)).batch(0)
    assert labels.shape == (6, 4, 6)
    assert (labels == VOID).any()


def test_samples_of_different_sizes_need_a_crop():
    batches = Batches(Numbered(6, sizes=((4, 6), (3, 9))), 6)
    expected = re.escape("equal sizes; got (3, 9) and (4, 6): give the dataset a size")
    with pytest.raises(ValueError, match=expected):
        batches.batch(0)


def test_all_void_batches_are_legal(save_image, save_mask, save_text, tmp_path):
    for i in range(5):
        save_image(f"images/{i}.png")
        save_mask(f"masks/{i}.png", VOID)
    save_text("classes.txt", "road\nsky\n")
    _, labels = Batches(open_dataset(str(tmp_path)), 2).batch(0)
    assert (labels == VOID).all()


def test_an_id_that_is_no_class_is_named_with_its_file(save_image, save_mask, save_text, tmp_path):
    for i in range(5):
        save_image(f"images/{i}.png")
        save_mask(f"masks/{i}.png", 2)
    save_text("classes.txt", "road\nsky\n")
    with pytest.raises(ValueError, match=r"mask .*\d.png' has id 2; expected 0 to 1, or 255"):
        open_dataset(str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Numbered(0), 4), "dataset must have at least one sample"),
        ((Numbered(3), 0), "batch_size must be an integer of at least 1; got 0"),
        ((Numbered(3), 2.5), "batch_size must be an integer of at least 1; got 2.5"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Batches(*arguments)


def test_wrong_options():
    with pytest.raises(ValueError, match="seed must be an integer of at least 0; got -1"):
        Batches(Numbered(3), 2, seed=-1)
    with pytest.raises(ValueError, match="size must be .*two positive integers"):
        Batches(Numbered(3), 2, crop=(0, 5))
    with pytest.raises(ValueError, match=r"scale must be \(low, high\).*; got \(2, 1\)"):
        Batches(Numbered(3), 2, crop=(2, 2), scale=(2, 1))
    with pytest.raises(ValueError, match=r"scale needs a crop.*; got \(1, 2\) without one"):
        Batches(Numbered(3), 2, scale=(1, 2))
    with pytest.raises(ValueError, match="jitter must be a number from 0 to 1; got 2"):
        Batches(Numbered(3), 2, jitter=2)
    with pytest.raises(ValueError, match="iteration must be an integer of at least 0; got -1"):
        Batches(Numbered(3), 2).batch(-1)


# -- InMemory ------------------------------------------------------------------------------------


def test_in_memory_is_the_same_dataset_read_once():
    dataset = Numbered(3)
    kept = InMemory(dataset)
    for _ in range(2):
        for i in range(3):
            np.testing.assert_array_equal(kept[i][1], np.full((4, 6), i))
    assert dataset.reads == 3
    assert (len(kept), kept.classes, kept.name(2)) == (3, ("0", "1", "2"), "number 2")
    assert kept.palette is dataset.palette
    np.testing.assert_array_equal(kept[-1][1], kept[2][1])
    assert dataset.reads == 3


def test_in_memory_keeps_no_more_than_its_limit():
    dataset = Numbered(3)
    kept = InMemory(dataset, limit=2 * 4 * 6 * 4)  # two samples of 4 bytes a pixel
    for _ in range(2):
        for i in range(3):
            np.testing.assert_array_equal(kept[i][1], np.full((4, 6), i))
    assert dataset.reads == 4
    assert len(kept.kept) == 2


def test_in_memory_counts_a_sample_once_when_threads_read_it_at_a_time():
    kept = InMemory(Meeting(4), limit=6 * 4 * 6 * 4)  # six samples
    with ThreadPoolExecutor(8) as pool:
        samples = list(pool.map(kept.__getitem__, [0, 1, 2, 3] * 2))
    assert [int(mask[0, 0]) for _, mask in samples] == [0, 1, 2, 3] * 2
    assert (len(kept.kept), kept.free) == (4, 2 * 4 * 6 * 4)  # each counted once
    for i, sample in kept.kept.items():
        assert kept[i] is sample
    assert not any(array.flags.writeable for sample in samples for array in sample)


def test_whether_threads_may_read_is_what_the_dataset_says():
    shapes = open_dataset("shapes", "val", size=(8, 8))
    for dataset, expected in ((Numbered(3), False), (shapes, True)):
        assert is_thread_safe(dataset) == expected
        assert is_thread_safe(InMemory(dataset)) == is_thread_safe(First(dataset, 2)) == expected


def test_in_memory_samples_cannot_be_changed():
    image, mask = InMemory(Numbered(1))[0]
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        mask[0, 0] = 1


def test_in_memory_ends_like_a_sequence():
    with pytest.raises(IndexError):
        InMemory(Numbered(2))[2]


# -- First ---------------------------------------------------------------------------------------


def test_first_is_the_dataset_cut_short():
    whole = open_dataset("shapes", "val", size=(8, 8))
    first = First(whole, 3)
    assert len(first) == 3
    assert (first.classes, first.name(2)) == (whole.classes, whole.name(2))
    for one, other in zip(first[2], whole[2], strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(first[-1][1], whole[2][1])
    with pytest.raises(IndexError):
        first[3]
    assert set(Batches(first, 2).indices(7)) <= {0, 1, 2}


@pytest.mark.parametrize("count", [0, 201])
def test_first_has_at_least_one_and_at_most_all(count):
    with pytest.raises(ValueError, match=f"count must be from 1 to 200, the samples; got {count}"):
        First(open_dataset("shapes", "val", size=(8, 8)), count)
