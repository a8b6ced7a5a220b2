import numpy as np
import pytest

from minifcn.data import VOID, First, InMemory, Shapes, balanced_weights, open_dataset
from minifcn.data.balance import MOST_SAMPLES, class_counts


class Masks:
    """Samples of the masks given."""

    def __init__(self, *masks, classes=3):
        self.masks = [np.array(mask, np.uint8) for mask in masks]
        self.classes = tuple(map(str, range(classes)))
        self.palette = np.zeros((classes, 3), np.uint8)

    def __len__(self):
        return len(self.masks)

    def __getitem__(self, i):
        return np.zeros((*self.masks[i].shape, 3), np.uint8), self.masks[i].copy()

    def name(self, i):
        return str(i)


def test_weights_by_hand():
    data = Masks([[0, 0, 0, 1]], [[0, 0, 0, VOID]], classes=2)
    assert class_counts(data).tolist() == [6, 1]
    np.testing.assert_allclose(balanced_weights(data), [7 / (2 * 6), 7 / (2 * 1)])


def test_all_classes_count_alike_and_a_pixel_counts_1_in_the_mean():
    random = np.random.default_rng(0)
    masks = [random.choice([0, 1, 2, VOID], (6, 8), p=[0.6, 0.25, 0.05, 0.1]) for _ in range(5)]
    weights = balanced_weights(Masks(*masks))
    labels = np.concatenate([mask[mask != VOID] for mask in masks])
    sums = [weights[labels[labels == c]].sum() for c in range(3)]
    np.testing.assert_allclose(sums, len(labels) / 3)
    assert weights[labels].mean() == pytest.approx(1)


def test_a_class_that_never_occurs_weighs_nothing_and_changes_no_other():
    masks = [[0, 0, 2, 2, 2, 2]], [[2, 0, 0, 0, 0, 0]]
    weights = balanced_weights(Masks(*masks, classes=4))
    assert weights.dtype == np.float64
    np.testing.assert_allclose(weights, [12 / (2 * 7), 0, 12 / (2 * 5), 0])


def test_void_alone_is_refused():
    with pytest.raises(ValueError, match="dataset must have a pixel with a label; got masks"):
        balanced_weights(Masks([[VOID, VOID]]))


@pytest.fixture
def folder(save_image, save_mask, tmp_path):
    """Three masks to train on, of ids 0, 1 and 255, and one for validation."""
    for i, ids in enumerate(([0, 0, 0, 1], [1, 0, 0, 255], [0, 1, 1, 0], [1, 0, 0, 0])):
        part = "val" if i == 3 else "train"
        save_image(f"images/{part}/{i}.png", (4, 8))
        save_mask(f"masks/{part}/{i}.png", np.repeat([ids] * 4, 2, axis=1))
    return tmp_path


def test_masks_in_files_are_counted_as_they_are_there(folder, save_text):
    save_text("classes.txt", "ground\ntree\nwater\n")
    for size in (None, (2, 4), (3, 5)):
        data = open_dataset(str(folder), size=size)
        assert class_counts(data).tolist() == [56, 32, 0]
        np.testing.assert_allclose(balanced_weights(data), [88 / 112, 88 / 64, 0])


def test_masks_that_were_checked_are_not_read_again(folder, monkeypatch):
    from minifcn.data import files

    data = open_dataset(str(folder))
    data.dataset.check()
    monkeypatch.setattr(files, "read_raw_mask", None)
    assert class_counts(data).sum() > 0


def test_files_are_counted_to_the_same_as_the_samples_that_are_read(folder):
    data = open_dataset(str(folder))
    masks = [data[i][1] for i in range(len(data))]
    assert class_counts(data).tolist() == class_counts(Masks(*masks, classes=2)).tolist()
    assert (
        class_counts(First(data, 2)).tolist() == class_counts(Masks(*masks[:2], classes=2)).tolist()
    )


def test_of_what_is_drawn_without_end_the_first_samples_are_counted():
    few = Masks([[0, 1]], [[2, 2]])
    many = Masks(*[[[0, 1]]] * MOST_SAMPLES, [[2, 2]])
    assert class_counts(few).tolist() == [1, 1, 2]
    assert class_counts(many).tolist() == [MOST_SAMPLES, MOST_SAMPLES, 0]
    assert balanced_weights(InMemory(Shapes("train", 6, (24, 24)))).shape == (6,)
