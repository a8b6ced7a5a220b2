"""The experiment `features`, whole but tiny, and the parts that its tables are made of."""

from types import SimpleNamespace

import numpy as np
import pytest
from spies import spy

from minifcn import Tensor, no_grad
from minifcn.data import Shapes
from minifcn.experiments import features
from minifcn.experiments.experiment import Settings, Table
from minifcn.experiments.features import findings, patches, probes
from minifcn.experiments.scenes import UNSEEN_SEED, read, same_sized
from minifcn.models import FCN

TINY = features.Sizes(fit=8, score=8, cut=3, positions=200)


@pytest.fixture(scope="module")
def both_runs(tmp_path_factory):
    """The same tiny experiment twice."""
    return [
        features.run(Settings(tmp_path_factory.mktemp(name), (0,), 0.002), TINY) for name in "ab"
    ]


def test_two_runs_give_the_same(both_runs):
    first, second = both_runs
    assert first.tables == second.tables
    assert first.findings == second.findings
    assert len(first.pictures) == 3
    for own, other in zip(first.pictures, second.pictures, strict=True):
        assert own.read_bytes() == other.read_bytes()


def test_its_tables_name_what_was_measured(both_runs):
    tables = both_runs[0].tables
    assert list(tables) == ["probes", "units", "filters"]
    rows = tables["probes"].rows
    names = ["3x3 pixels", "stage 1", "stage 2", "stage 3", "stage 4", "stage 5"]
    assert [row["features"] for row in rows] == names
    assert [row["numbers"] for row in rows] == [27, 12, 24, 48, 64, 64]
    sizes = [3, 4, 10, 30, 70, 118]
    assert [row["sees"] for row in rows] == [f"{size}x{size}" for size in sizes]
    assert rows[0]["colour"] == rows[0]["colour, untrained"] > 0.9
    assert any(row["edge"] != row["edge, untrained"] for row in rows[1:])
    assert both_runs[0].text().count("\n- ") == len(both_runs[0].findings) == 6


# -- What reaches what ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spied(tmp_path_factory):
    """A run for seeds 5 and 8 that trains and draws nothing: the result, all that was asked, said.

    The network of the k-th seed, k = 1, 2, answers k to whatever is asked once `fit` had it, and
    its first filters are flat; a network that `fit` never had answers 0.
    """
    trained, asked, said = [], {}, []

    def answer(network):
        return float(next((k for k, own in enumerate(trained, 1) if own is network), 0))

    def flatten(model, batch, iterations):
        trained.append(model)
        model.backbone.stage1[0][0].weight.data[...] = 1

    answers = {
        (features, "fit"): flatten,
        (features, "Shapes"): Shapes,
        (features, "probe_scores"): lambda network, *_: np.full((3, 6), answer(network)),
        (features, "evaluate"): lambda network, _: SimpleNamespace(mean_iu=answer(network)),
        (patches, "likeness_of_units"): lambda network, _: np.full((5, 2), answer(network)),
        (patches, "cut_patches"): lambda network, _: answer(network),
        (features, "plot_filters"): lambda *_: None,
        (features, "plot_patches"): lambda *_: None,
        (features, "plot_probes"): lambda *_: None,
    }
    with pytest.MonkeyPatch.context() as patch:
        for (where, name), answering in answers.items():
            spy(patch, asked, where, name, answering)
        settings = Settings(tmp_path_factory.mktemp("spied"), (5, 8), 0.002, said.append)
        return features.run(settings, TINY), asked, said


def test_networks_probes_and_scores_have_their_own_scenes(spied):
    _, asked, _ = spied
    batches = [batch.__self__ for (_, batch, _), _ in asked["fit"]]
    assert [own.seed for own in batches] == [5, 8]
    learnt = [(own.dataset.split, own.dataset.seed) for own in batches]
    assert learnt == [("train", 5), ("train", 8)]
    to_fit, to_score, to_evaluate = held_out = [
        ("train", 8, UNSEEN_SEED),
        ("val", 8, UNSEEN_SEED),
        ("val", 8, 0),
    ]
    datasets = [own for _, own in asked["Shapes"]]
    assert [(own.split, own.seed) for own in datasets if len(own) > 8] == learnt
    drawn = [(own.split, own.length, own.seed) for own in datasets if len(own) == 8]
    assert drawn == [to_fit, to_score, to_evaluate, to_evaluate]
    assert len({*learnt, *((split, seed) for split, _, seed in held_out)}) == 5
    assert len(asked["probe_scores"]) == 4
    for (_, fitted, scored), _ in asked["probe_scores"]:
        for own, (split, length, seed) in ((fitted, to_fit), (scored, to_score)):
            images, masks = read(Shapes(split, length, seed=seed))
            np.testing.assert_array_equal(own.images, images)
            np.testing.assert_array_equal(own.masks, masks)


def test_patches_are_cut_from_scenes_that_no_network_was_trained_on(spied):
    images, _ = read(Shapes("val", 3, (256, 256), design=same_sized(256, (28, 50))))
    calls = spied[1]["likeness_of_units"] + spied[1]["cut_patches"]
    assert len(calls) == 5
    for (_, scenes), _ in calls:
        np.testing.assert_array_equal(scenes.images, images)


def test_every_row_is_of_the_network_that_it_names(spied):
    result, asked, said = spied
    for row in result.tables["probes"].rows:
        for name in ("colour", "edge", "shape"):
            assert (row[name], row[f"{name}, untrained"]) == (1.5, 0)
    for row in result.tables["units"].rows:
        for name in ("same shape", "colour spread"):
            assert (row[name], row[f"{name}, untrained"]) == (1.5, 0)
    assert result.findings[0].startswith("colour: read best off stage 1 (1.500, best in 2 of 2")
    assert "for shapes at stage 1 by +1.500 (+1.000 to +2.000" in result.findings[3]
    after, before, _ = result.tables["filters"].rows
    assert (after["filters"], before["filters"]) == ("trained", "untrained")
    assert after["flat (colour)"] == pytest.approx(1)
    assert before["flat (colour)"] < 0.3
    assert [line[:27] for line in said] == [
        "seed 5: FCN-8s, mean IU 1.0",
        "seed 8: FCN-8s, mean IU 2.0",
    ]
    ((_, groups), _) = asked["plot_filters"][0]
    assert (groups["after training"] == 1).all()
    assert not (groups["before"] == 1).any()
    assert asked["plot_patches"][0][0][1] == 1
    for _, found, _ in asked["plot_probes"][0][0][2]:
        np.testing.assert_array_equal(found[:, :, 0], [[0, 1], [0, 2]])


@pytest.fixture(scope="module")
def network():
    return FCN(6, 8, generator=np.random.default_rng(0)).eval()


# -- Features ------------------------------------------------------------------------------------


def test_stage_maps_are_the_networks_own(network):
    images = np.random.default_rng(0).standard_normal((23, 3, 64, 64)).astype(np.float32)
    maps = patches.stage_maps(network, images)
    assert [m.shape for m in maps[3:]] == [(23, 64, 4, 4), (23, 64, 2, 2)]
    with no_grad():
        pool3 = network.backbone.feature_maps(Tensor(images[20:]))[8]
    np.testing.assert_allclose(maps[2][20:], pool3.data, rtol=1e-5, atol=1e-6)


def test_a_probe_sees_the_same_positions_at_every_stage(network, monkeypatch):
    drawn = features.draw_scenes("val", 4, 40)
    for asked, seen in zip(drawn.positions, features.seen_by_probes(network, drawn), strict=True):
        assert [own.shape[1] for own in seen] == [27, 12, 24, 48, 64, 64]
        assert {len(own) for own in seen} == {len(asked.targets)} == {40}
        np.testing.assert_allclose(seen[0], probes.raw_patches(drawn.images, asked))


def test_scenes_to_fit_and_to_score_differ():
    fitted, scored = features.scenes_to_probe(TINY)
    same = (fitted.images[:, None] == scored.images[None]).all((2, 3, 4))
    assert not same.any()


def test_the_untrained_network_is_the_trained_one_as_it_started(monkeypatch):
    trained = []
    monkeypatch.setattr(features, "fit", lambda model, batch, n: trained.append((n, batch(0))))
    networks = features.train(seed=3, iterations=5)
    ((n, (images, _)),) = trained
    assert (n, images.shape) == (5, (8, 3, 96, 96))
    for name, array in networks.trained.state_dict().items():
        np.testing.assert_array_equal(networks.untrained.state_dict()[name], array)
    networks.trained.backbone.stage1[0][0].weight.data += 1
    assert not networks.untrained.training
    difference = features.first_filters(networks.trained) - features.first_filters(
        networks.untrained
    )
    np.testing.assert_allclose(difference, 1, atol=1e-6)


# -- Units and filters ---------------------------------------------------------------------------


def answer_to(label, mask, field):
    """A map (h, w): 1 where the shape nearest to the middle of a receptive field is of a class."""
    answer = np.zeros((len(mask) // field.stride,) * 2, np.float32)
    cells = range(*patches.whole_cells(field, len(mask)))
    for i in cells:
        for j in cells:
            patch = patches.cut(mask, field, i, j)
            answer[i, j] = patches.nearest_shape(patch) == label
    return answer


def test_units_that_look_for_one_shape_are_found_alike(network, monkeypatch):
    """Put in place of a stage's maps: a unit for squares, and one for rings, in 8 scenes each."""
    scenes, field = patches.draw_large_scenes(12), patches.fields_of(network)[3]
    maps = np.zeros((12, 2, 16, 16), np.float32)
    for n, mask in enumerate(scenes.masks):
        maps[n, 0] = answer_to(2, mask, field) * (n < 8)
        maps[n, 1] = answer_to(3, mask, field) * (n >= 4)
    monkeypatch.setattr(patches, "fields_of", lambda _: [field])
    monkeypatch.setattr(patches, "stage_maps", lambda _, images: [maps])
    ((same, spread),) = patches.likeness_of_units(network, scenes)
    ((at_random, spread_at_random),) = patches.likeness_of_random_cells(network, scenes, 20)
    assert same == 1
    assert at_random < 0.7
    assert 0 < spread < 1
    assert 0 < spread_at_random < 1


def test_energies_of_pure_filters():
    flat, slope, grey = np.zeros((3, 1, 3, 3, 3))
    flat[0, 0] = 1  # red everywhere: 1/3 of it is grey
    slope[0, 1] = [[-1, 0, 1]] * 3
    grey[0, :, 1, 1] = 1  # one pixel: 1/9 flat, no slope
    np.testing.assert_allclose(features.filter_energies(flat), [1, 0, 1 / 3], atol=1e-12)
    np.testing.assert_allclose(features.filter_energies(slope), [0, 1, 1 / 3], atol=1e-12)
    np.testing.assert_allclose(features.filter_energies(slope.swapaxes(2, 3))[1], 1, atol=1e-12)
    np.testing.assert_allclose(features.filter_energies(grey), [1 / 9, 0, 1], atol=1e-12)
    both = features.filter_energies(np.concatenate([flat, 5 * slope]))
    np.testing.assert_allclose(both, [1 / 2, 1 / 2, 1 / 3], atol=1e-12)


def test_energies_of_random_filters_are_the_expected_ones():
    random = np.random.default_rng(0).standard_normal((20_000, 3, 3, 3))
    np.testing.assert_allclose(features.filter_energies(random), [1 / 9, 2 / 9, 1 / 3], atol=0.005)


# -- Tables and findings -------------------------------------------------------------------------


def scores(colour, edge, shape, untrained=0.0):
    """Scores (1, 2, 3, 6) whose trained ones are 1 at the given stages."""
    found = np.zeros((1, 2, 3, 6))
    found[0, 0] = untrained
    for probe, stage in enumerate((colour, edge, shape)):
        found[0, 1, probe, stage] = 1
    found[0, 1, :, 0] = 2  # raw pixels are no stage
    return found


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ([(1, 2, 5)], "holds in 1 of 1 seeds here: colours are early: in 1 of 1 (stage 1);"),
        ([(1, 2, 5), (2, 1, 4)], "holds in 2 of 2 seeds here: colours are early: in 2 of 2"),
        ([(1, 2, 5), (1, 3, 5)], "holds in 1 of 2 seeds here: colours are early: in 2 of 2"),
        ([(1, 3, 5), (3, 1, 5)], "holds in 0 of 2 seeds here: colours are early: in 1 of 2"),
        ([(1, 2, 3), (2, 3, 4), (1, 4, 1)], "meaning is late: in 1 of 3 (stage 3, 4, 1)."),
        ([(1, 2, 3), (2, 3, 4), (1, 4, 1)], "edges are early: in 1 of 3 (stage 2, 3, 4);"),
    ],
)
def test_the_verdict_is_that_of_every_seed(seeds, expected):
    sentence = findings.verdict(np.concatenate([scores(*stages) for stages in seeds]))
    assert expected in sentence


def test_the_verdict_says_what_training_moved_and_how_far_seeds_differ():
    found = np.concatenate([scores(1, 2, 5, untrained=0.25), scores(1, 2, 5, untrained=0.75)])
    sentence = findings.verdict(found)
    assert "shapes at stage 5 by +0.500 (+0.250 to +0.750 over the seeds)" in sentence
    assert "colours at stage 5 by -0.500 (-0.750 to -0.250 over the seeds)" in sentence
    for name, stage in (("colours", 1), ("edges", 2), ("shapes", 5)):
        assert f"for {name} at stage {stage} by +0.500 (+0.250 to +0.750" in sentence


def test_the_stage_of_the_mean_says_how_many_seeds_agree():
    found = np.concatenate([scores(1, 2, 5), scores(1, 3, 4), scores(1, 2, 4)])
    sentence = findings._about(2, found[:, 1, 2], found[:, 0, 2])
    assert (
        "shape: read best off stage 4 (0.667, best in 2 of 3 seeds; off stage 5 0.333" in sentence
    )


def test_the_probes_table_holds_means_over_the_seeds(network):
    found = np.concatenate([scores(1, 2, 5), scores(2, 2, 5, untrained=0.5)])
    table = features.probes_table(network, found)
    stage1 = table.rows[1]
    assert (stage1["colour"], stage1["colour, untrained"]) == (0.5, 0.25)
    assert table.rows[5]["shape"] == 1
    assert "differ by at most 1.000" in table.note
    assert "edge 0.125, shape 0.200" in table.note
    assert "untrained: as drawn, BatchNorm passes values through" in table.note


def units(*rows):
    names = ["same shape", "same shape, untrained", "same shape, random"]
    names += ["colour spread", "colour spread, untrained", "colour spread, random"]
    return Table("", [{"units of": n, **dict(zip(names, v, strict=True))} for n, v in rows])


def test_the_findings_name_the_stages_where_likeness_grew_most():
    """By differences: the most alike are in stage 2, and so is the largest ratio of spreads."""
    sentence = findings._about_units(
        units(
            ("stage 1", (0.5, 0.3, 0.4, 0.2, 0.4, 0.2)),
            ("stage 2", (0.9, 0.8, 0.4, 0.01, 0.1, 0.3)),
        )
    )
    assert sentence == (
        "Compared with the untrained network, likeness in shape grew most in stage 1 (same shape"
        " 0.50; untrained 0.30, random 0.40), and likeness in colour grew most in stage 1 (colour"
        " spread 0.20; untrained 0.40, random 0.20)."
    )


def test_likeness_that_grew_nowhere_is_not_said_to_have_grown():
    table = units(
        ("stage 1", (0.3, 0.5, 0.4, 0.4, 0.2, 0.2)), ("stage 2", (0.3, 0.4, 0, 0.3, 0.2, 0))
    )
    sentence = findings._about_units(table)
    assert "in shape grew nowhere, came nearest to it in stage 2 (same shape 0.30;" in sentence
    assert "in colour grew nowhere, came nearest to it in stage 2 (colour spread 0.30;" in sentence


def test_the_units_table_keeps_trained_and_untrained_apart(network):
    found = np.arange(20, dtype=float).reshape(1, 2, 5, 2)
    rows = features.units_table(network, found, 100 + np.arange(10.0).reshape(5, 2)).rows
    assert rows[1]["same shape"] == 12
    assert rows[1]["same shape, untrained"] == 2
    assert rows[1]["colour spread"] == 13
    assert rows[1]["colour spread, random"] == 103
    assert [row["a cell is"] for row in rows] == ["2 px", "4 px", "8 px", "16 px", "32 px"]
