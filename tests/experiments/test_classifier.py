"""The experiment `classifier`, whole but tiny, and the parts that its tables are made of."""

import numpy as np
import pytest

from minifcn import Tensor
from minifcn.data import Shapes
from minifcn.data.shapes import CLASSES
from minifcn.experiments import classifier
from minifcn.experiments.experiment import Settings, Table
from minifcn.metrics import ConfusionMatrix

TINY = classifier.Sizes(train=8, one=40, several=2)


@pytest.fixture(scope="module")
def both_runs(tmp_path_factory):
    """The same tiny experiment twice: (result, settings) of each."""
    runs = []
    for name in "ab":
        settings = Settings(tmp_path_factory.mktemp(name), (0,), 0.002)
        runs.append((classifier.run(settings, TINY), settings))
    return runs


def test_two_runs_give_the_same(both_runs):
    (first, _), (second, _) = both_runs
    assert first.tables == second.tables
    assert first.findings == second.findings
    assert len(first.pictures) == 2
    for own, other in zip(first.pictures, second.pictures, strict=True):
        assert own.read_bytes() == other.read_bytes()
        assert own.name == other.name


def test_its_tables_compare_what_they_should(both_runs):
    result = both_runs[0][0]
    assert list(result.tables) == ["identity", "scores", "classes"]
    rows = result.tables["scores"].rows
    assert [row["network"] for row in rows[:4]] == [row["network"] for row in rows[4:]]
    assert len({row["scenes"] for row in rows}) == 2
    for row in rows:
        assert row["lowest"] <= row["mean IU"] <= row["highest"]
        if row["network"] != "all background":
            assert 0 <= row["hit"] <= row["within 8 px"] <= 1
    identity = result.tables["identity"].rows
    assert len(identity) == 6
    for row in identity:
        assert row["bias as it is"] < (1e-5 if row["precision"] == "float32" else 1e-12)
        assert row["bias left out"] > 1e-4
    assert [row["class"] for row in result.tables["classes"].rows] == list(CLASSES)
    assert result.text().count("\n- ") == len(result.findings)


def test_the_baseline_is_that_of_the_metrics(both_runs):
    _, *others = classifier.scenes(TINY)
    rows = both_runs[0][0].tables["scores"].rows
    baselines = [row["mean IU"] for row in rows if row["network"] == "all background"]
    for own, baseline in zip(others, baselines, strict=True):
        matrix = ConfusionMatrix(len(CLASSES))
        matrix.update(own.masks, np.zeros_like(own.masks))
        assert baseline == pytest.approx(matrix.baseline_mean_iu)


# -- The scenes ----------------------------------------------------------------------------------


def test_every_small_scene_has_one_object_and_larger_ones_have_several():
    train, one, several = classifier.scenes(TINY)
    for own in (train, one):
        assert all(len(np.unique(mask)) == 2 for mask in own.masks)
        assert own.images.shape[1:] == (3, 64, 64)
    assert len(np.unique(one.masks)) == 6
    assert several.images.shape == (2, 3, 192, 192)
    assert all(len(np.unique(mask)) > 2 for mask in several.masks)
    learnt_from = Shapes(size=(64, 64), design=classifier.ONE_OBJECT, seed=0)
    first = np.array([learnt_from[i][1] for i in range(8)])
    assert not any((mask == own).all() for mask in first for own in (*train.masks, *one.masks))


def test_the_classifier_learns_names_and_the_fcn_masks_of_the_same_scenes(monkeypatch):
    batches = []
    monkeypatch.setattr(classifier, "fit", lambda model, batch, n: batches.append((n, batch(3))))
    classifier.train(seed=1, iterations=7)
    (n, (images, names)), (m, (same_images, masks)) = batches
    assert n == m == 7
    np.testing.assert_array_equal(images, same_images)
    assert images.shape == (16, 3, 64, 64)
    assert [np.unique(mask).tolist() for mask in masks] == [[0, name + 1] for name in names]
    assert len(set(names)) > 2


# -- Measuring -----------------------------------------------------------------------------------


class Oracle:
    """Stands for both networks: its scores are 1 for the class that its images hold as pixels."""

    def __call__(self, x):
        return Tensor(np.eye(6)[x.data[:, 0].astype(int)].transpose(0, 3, 1, 2))

    def fully_convolutional(self):
        return self

    def at_image_size(self, x):
        return Tensor(self(x).data[:, 1:])


def test_what_knows_the_truth_is_found_to_be_right():
    masks = np.zeros((3, 6, 8), np.uint8)
    masks[0, 1:4, 2:5], masks[1, 5, 5], masks[2, :3], masks[2, 4:] = 1, 4, 5, 2
    scenes = classifier.Scenes("all", masks[:, None].astype(float), masks)
    trained = classifier.Trained(Oracle(), Oracle(), (0.0, 0.0))
    found = classifier.measure(trained, scenes, [scenes])
    *knowing, nothing = found
    assert [own.matrix.pixel_accuracy for own in knowing] == [1, 1, 1]
    assert nothing.matrix.pixel_accuracy == (masks == 0).mean()
    for own in knowing:
        assert own.pointing.tolist() == [[n, n, n] for n in (1, 1, 0, 1, 1)]


# -- The tables ----------------------------------------------------------------------------------


def measured(iu, hits, network="FCN-8s", scenes="small"):
    """What a seed found: of 100 pixels of each class, share `iu` right, the rest as class 0."""
    matrix = ConfusionMatrix(6)
    matrix.counts[...] = np.diag([100] + [int(100 * iu)] * 5)
    matrix.counts[1:, 0] = 100 - int(100 * iu)
    counts = None if hits is None else np.array([(10, hit, hit + 1) for hit in hits])
    return classifier.Measured(scenes, network, "masks", matrix, counts)


def test_scores_are_means_over_the_seeds():
    seeds = [
        [measured(0.2, [1, 2, 3, 4, 5]), measured(0, None, "all background")],
        [measured(0.6, [5, 5, 5, 5, 5]), measured(0, None, "all background")],
    ]
    table = classifier.scores_table(seeds, {"small": 0.07})
    fcn, nothing = table.rows
    means = [seed[0].matrix.mean_iu for seed in seeds]
    assert (fcn["lowest"], fcn["highest"]) == (means[0], means[1])
    assert fcn["mean IU"] == pytest.approx(np.mean(means))
    assert fcn["hit"] == pytest.approx((15 / 50 + 25 / 50) / 2)
    assert fcn["within 8 px"] == pytest.approx((20 / 50 + 30 / 50) / 2)
    assert nothing["hit"] is None
    assert "0.070" in table.note


def test_classes_have_their_own_hits_and_scores():
    name = "classifier, chosen threshold"
    seeds = [
        [measured(0.2, [1, 2, 3, 4, 5], name), measured(0.6, [0] * 5)],
        [measured(0.4, [1, 4, 3, 4, 7], name), measured(0.8, [0] * 5)],
    ]
    rows = classifier.classes_table(seeds, "small").rows
    assert rows[0]["hit"] is None
    assert [row["hit"] for row in rows[1:]] == pytest.approx([0.1, 0.3, 0.3, 0.4, 0.6])
    assert [row["within 8 px"] for row in rows[1:]] == pytest.approx([0.2, 0.4, 0.4, 0.5, 0.7])
    assert rows[1]["IU"] == pytest.approx(0.3)
    assert rows[1]["IU of FCN-8s"] == pytest.approx(0.7)


def scores(classifier_iu, fcn_iu):
    names = ("classifier, chosen threshold", "FCN-8s", "all background")
    return Table(
        "",
        [
            {"scenes": "small", "network": name, "mean IU": iu, "hit": 0.25}
            for name, iu in zip(names, (classifier_iu, fcn_iu, 0.16), strict=True)
        ],
    )


@pytest.mark.parametrize(
    ("classifier_iu", "fcn_iu", "expected"),
    [(0.36, 0.56, "50% of the way"), (0.12, 0.56, "-10% of the way"), (0.66, 0.56, "125% of the")],
)
def test_the_finding_says_how_far_names_get(classifier_iu, fcn_iu, expected):
    table = scores(classifier_iu, fcn_iu)
    assert expected in classifier._compared(table, "small")


@pytest.mark.parametrize("fcn_iu", [0.16, 0.1])
def test_there_is_no_way_to_an_fcn_that_learnt_nothing(fcn_iu):
    sentence = classifier._compared(scores(0.3, fcn_iu), "small")
    assert "of the way" not in sentence
    assert f"0.300; all background {0.16:.3f}, FCN-8s {fcn_iu:.3f}" in sentence
