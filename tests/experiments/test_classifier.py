"""The experiment `classifier`, whole but tiny, and the parts that its tables are made of."""

import numpy as np
import pytest
from spies import spy

from minifcn import Tensor
from minifcn.data import Batches, Shapes
from minifcn.data.shapes import CLASSES
from minifcn.experiments import classifier
from minifcn.experiments.classifier import comparison, findings, measures, tables, training
from minifcn.experiments.classifier.measures import chance, confusion, pointing
from minifcn.experiments.experiment import Settings, Table
from minifcn.experiments.scenes import UNSEEN_SEED, read
from minifcn.metrics import ConfusionMatrix
from minifcn.models.classifier import Classifier

TINY = training.Sizes(train=8, one=40, several=2)


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
    assert [row["network"] for row in rows[:5]] == [row["network"] for row in rows[5:]]
    assert len({row["scenes"] for row in rows}) == 2
    for row in rows:
        if row["network"] != "centre of the image":
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
    _, *others = training.scenes(TINY)
    rows = both_runs[0][0].tables["scores"].rows
    baselines = [row["mean IU"] for row in rows if row["network"] == "all background"]
    for own, baseline in zip(others, baselines, strict=True):
        matrix = ConfusionMatrix(len(CLASSES))
        matrix.update(own.masks, np.zeros_like(own.masks))
        assert baseline == pytest.approx(matrix.baseline_mean_iu)


def test_the_centre_of_the_image_is_compared_with_but_segments_nothing(both_runs):
    _, *others = training.scenes(TINY)
    rows = both_runs[0][0].tables["scores"].rows
    rows = [row for row in rows if row["network"] == "centre of the image"]
    for row, own in zip(rows, others, strict=True):
        middle = own.masks[:, own.masks.shape[1] // 2, own.masks.shape[2] // 2]
        asked = sum(len(np.unique(mask[mask > 0])) for mask in own.masks)
        assert row["hit"] == pytest.approx((middle > 0).sum() / asked)
        assert row["learns from"] == "nothing"
        assert row["mean IU"] is row["lowest"] is row["highest"] is None
    assert 0 < rows[0]["hit"] < rows[0]["within 8 px"]


# -- What reaches what ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spied(tmp_path_factory):
    """A run for seeds 5 and 8 that trains and draws nothing: the result, and all that was asked.

    The thresholds are 1 for the first seed and 2 for the second.
    """
    asked, thresholds = {}, iter([1.0, 2.0])

    answers = {
        (training, "fit"): lambda model, batch, iterations: model.eval(),
        (classifier, "train"): training.train,
        (training, "Shapes"): Shapes,
        (tables, "Shapes"): Shapes,
        (comparison, "choose_threshold"): lambda maps, truth: next(thresholds),
        (comparison, "segment"): measures.segment,
        (classifier, "segment"): measures.segment,
        (classifier, "plot_localisation"): lambda *_: None,
        (classifier, "plot_class_maps"): lambda *_: None,
    }
    with pytest.MonkeyPatch.context() as patch:
        for (where, name), answering in answers.items():
            spy(patch, asked, where, name, answering)
        settings = Settings(tmp_path_factory.mktemp("spied"), (5, 8), 0.002)
        return classifier.run(settings, TINY), asked


def test_networks_threshold_and_scores_have_their_own_scenes(spied):
    _, asked = spied
    small, large = (64, 64), (192, 192)
    drawn = [(own.split, own.seed, own.size, len(own)) for _, own in asked["Shapes"]]
    held_out = [
        ("train", UNSEEN_SEED, small, 8),
        ("val", 0, small, 40),
        ("val", 0, large, 2),
    ]
    assert drawn[:3] == held_out
    learnt = [own[:3] for own in drawn[3:5]]
    assert learnt == [("train", 5, small), ("train", 8, small)]
    assert {own[0] for own in drawn[5:]} == {"val"}  # of the identity
    assert len({own[:2] for own in learnt + held_out[:2]}) == 4
    assert [seed for (seed, _), _ in asked["train"]] == [5, 8]
    for k, ((_, batch, _), _) in enumerate(asked["fit"]):  # a classifier and an FCN for each seed
        seed = (5, 8)[k // 2]
        dataset = Shapes(size=small, design=training.ONE_OBJECT, seed=seed)
        images, _ = Batches(dataset, 16, flip=True, seed=seed).batch(2)
        np.testing.assert_array_equal(batch(2)[0], images)


def test_each_seeds_threshold_is_chosen_once_with_scenes_that_nothing_else_sees(spied):
    _, asked = spied
    unseen = Shapes("train", 8, (64, 64), seed=UNSEEN_SEED, design=training.ONE_OBJECT)
    images, masks = read(unseen)
    assert len(asked["choose_threshold"]) == 2
    for ((maps, truth), _), (_, trained) in zip(
        asked["choose_threshold"], asked["train"], strict=True
    ):
        np.testing.assert_array_equal(truth, masks)
        network = trained.classifier.fully_convolutional().at_image_size
        np.testing.assert_array_equal(maps, training.scores_of(network, images))
    measured = [arguments[1:] for arguments, _ in asked["segment"]]
    assert measured[:8] == [(), (1.0,), (), (1.0,), (), (2.0,), (), (2.0,)]
    assert set(measured[8:]) == {(1.0,)}  # of the pictures, of the first seed


def test_every_row_is_of_the_network_that_it_names(spied):
    result, asked = spied
    _, *others = training.scenes(TINY)
    rows = iter(result.tables["scores"].rows)
    for own in others:
        found = []
        for (_, trained), threshold in zip(asked["train"], (1.0, 2.0), strict=True):
            network = trained.classifier.fully_convolutional().at_image_size
            maps = training.scores_of(network, own.images)
            scores = training.scores_of(trained.fcn, own.images)
            by_names = pointing(maps, own.masks, 8)
            found += [
                ("20 %", measures.segment(maps), by_names),
                ("threshold", measures.segment(maps, threshold), by_names),
                ("FCN-8s", scores.argmax(1), pointing(scores[:, 1:], own.masks, 8)),
            ]
        for first, second in zip(found[:3], found[3:], strict=True):
            row = next(rows)
            assert first[0] in row["network"]
            ious = [confusion(own.masks, one, 6).mean_iu for _, one, _ in (first, second)]
            assert row["mean IU"] == pytest.approx(np.mean(ious))
            asked_for, hit, near = (first[2] + second[2]).sum(0)
            assert (row["hit"], row["within 8 px"]) == (hit / asked_for, near / asked_for)
        assert [next(rows)["learns from"] for _ in range(2)] == ["nothing"] * 2


def test_the_accuracy_is_of_the_classifiers_on_the_small_scenes(spied):
    result, _ = spied
    _, one, _ = training.scenes(TINY)
    names = one.masks.max((1, 2)) - 1
    right = []
    for seed in (5, 8):
        own = Classifier(5, generator=np.random.default_rng(seed)).eval()
        right.append((training.scores_of(own, one.images).argmax(1) == names).mean())
    assert right[0] != 0.5
    assert f"names {np.mean(right):.1%} of the single objects right" in result.findings[1]


# -- The scenes ----------------------------------------------------------------------------------


def test_every_small_scene_has_one_object_and_larger_ones_have_several():
    train, one, several = training.scenes(TINY)
    for own in (train, one):
        assert all(len(np.unique(mask)) == 2 for mask in own.masks)
        assert own.images.shape[1:] == (3, 64, 64)
    assert len(np.unique(one.masks)) == 6
    assert several.images.shape == (2, 3, 192, 192)
    assert all(len(np.unique(mask)) > 2 for mask in several.masks)
    learnt_from = Shapes(size=(64, 64), design=training.ONE_OBJECT, seed=0)
    first = np.array([learnt_from[i][1] for i in range(8)])
    assert not any((mask == own).all() for mask in first for own in (*train.masks, *one.masks))


def test_the_classifier_learns_names_and_the_fcn_masks_of_the_same_scenes(monkeypatch):
    batches = []
    monkeypatch.setattr(training, "fit", lambda model, batch, n: batches.append((n, batch(3))))
    training.train(seed=1, iterations=7)
    (n, (images, names)), (m, (same_images, masks)) = batches
    assert n == m == 7
    np.testing.assert_array_equal(images, same_images)
    assert images.shape == (16, 3, 64, 64)
    assert [np.unique(mask).tolist() for mask in masks] == [[0, name + 1] for name in names]
    assert len(set(names)) > 2


def test_names_are_of_objects():
    masks = np.zeros((3, 4, 4), np.uint8)
    masks[:, 1, 2] = 5, 1, 3
    names = training.names_of(masks)
    assert (names.tolist(), names.dtype) == ([5, 1, 3], np.int64)
    for wrong in (0, 255):  # no object, or a pixel without a label
        masks[1, 1, 2] = wrong
        with pytest.raises(ValueError, match="masks must show an object each, 1 to 5; got"):
            training.names_of(masks)


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
    scenes = training.Scenes("all", masks[:, None].astype(float), masks)
    trained = training.Trained(Oracle(), Oracle(), (0.0, 0.0))
    threshold = comparison.threshold_for(trained.classifier, scenes)
    *knowing, nothing, centre = comparison.measure(trained, threshold, [scenes])
    assert [own.matrix.pixel_accuracy for own in knowing] == [1, 1, 1]
    assert nothing.matrix.pixel_accuracy == (masks == 0).mean()
    for own in knowing:
        assert own.pointing.tolist() == [[n, n, n] for n in (1, 1, 0, 1, 1)]
    assert centre.matrix is None
    assert centre.pointing.tolist() == [[1, 1, 1], [1, 0, 1], [0, 0, 0], [1, 0, 1], [1, 0, 1]]


def test_accuracy_is_the_share_of_right_names():
    masks = np.zeros((5, 4, 4), np.uint8)
    masks[:, 1, 2] = 5, 1, 3, 3, 2
    logits = np.eye(5)[[4, 0, 0, 2, 0]]  # the names are one less than the labels
    one = training.Scenes("one", logits, masks)
    assert comparison.accuracy(lambda x: x, one) == 3 / 5


# -- The tables ----------------------------------------------------------------------------------


def measured(iu, hits, network="FCN-8s", scenes="small"):
    """What a seed found: of 100 pixels of each class, share `iu` right, the rest as class 0."""
    matrix = ConfusionMatrix(6)
    matrix.counts[...] = np.diag([100] + [int(100 * iu)] * 5)
    matrix.counts[1:, 0] = 100 - int(100 * iu)
    counts = None if hits is None else np.array([(10, hit, hit + 1) for hit in hits])
    return comparison.Measured(scenes, network, "masks", matrix, counts)


def test_scores_are_means_over_the_seeds():
    masks = np.zeros((2, 20, 30), np.uint8)
    masks[:, 4, 5], masks[1, 9:, 7:] = 1, 3
    scenes = training.Scenes("small", masks, masks)
    seeds = [
        [measured(0.2, [1, 2, 3, 4, 5]), measured(0, None, "all background")],
        [measured(0.6, [5, 5, 5, 5, 5]), measured(0, None, "all background")],
    ]
    table = tables.scores_table(seeds, [scenes])
    fcn, nothing = table.rows
    means = [seed[0].matrix.mean_iu for seed in seeds]
    assert (fcn["lowest"], fcn["highest"]) == (means[0], means[1])
    assert fcn["mean IU"] == pytest.approx(np.mean(means))
    assert fcn["hit"] == pytest.approx((15 / 50 + 25 / 50) / 2)
    assert fcn["within 8 px"] == pytest.approx((20 / 50 + 30 / 50) / 2)
    assert nothing["hit"] is None
    expected = f"small: hit {chance(masks):.3f}, within 8 px {chance(masks, 8):.3f}."
    assert expected in table.note
    assert chance(masks) < 0.2 < 0.4 < chance(masks, 8)


def test_classes_have_their_own_hits_and_scores():
    name = "classifier, chosen threshold"
    seeds = [
        [measured(0.2, [1, 2, 3, 4, 5], name), measured(0.6, [0] * 5)],
        [measured(0.4, [1, 4, 3, 4, 7], name), measured(0.8, [0] * 5)],
    ]
    rows = tables.classes_table(seeds, "small").rows
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
    assert expected in findings._compared(table, "small")


@pytest.mark.parametrize("fcn_iu", [0.16, 0.1])
def test_there_is_no_way_to_an_fcn_that_learnt_nothing(fcn_iu):
    sentence = findings._compared(scores(0.3, fcn_iu), "small")
    assert "of the way" not in sentence
    assert f"0.300; all background {0.16:.3f}, FCN-8s {fcn_iu:.3f}" in sentence
