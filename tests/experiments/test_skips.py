"""The experiment on skips: its training, oracle, terms, tables and findings, and the whole."""

import dataclasses
from ast import literal_eval
from itertools import count

import numpy as np
import pytest

from minifcn import Tensor, nn
from minifcn.data import Shapes
from minifcn.experiments import skips
from minifcn.experiments.experiment import Settings
from minifcn.experiments.skips import findings, tables, training
from minifcn.experiments.skips.oracle import interpolation, oracle, rarity
from minifcn.experiments.skips.terms import (
    SUMS,
    Place,
    count_sums,
    places,
    score_terms,
    term_row,
)
from minifcn.experiments.skips.training import (
    FCN8,
    FCN16,
    FCN32,
    PATHS,
    POOL3,
    RESTARTED8,
    STAGED8,
    STAGED16,
    VARIANTS,
    Plan,
    Pool3Only,
    Run,
    grown,
    make,
    mean_ius,
    train_all,
)
from minifcn.metrics import ConfusionMatrix
from minifcn.models.fcn import FCN
from minifcn.runs.steps import evaluate, predict

TINY = Plan(third=1, size=32, scenes=6, batch_size=2, rows=2)
CLASSES = ("background", "disc", "ring")


def randomise(model, seed=1):
    generator = np.random.default_rng(seed)
    for name, parameter in model.named_parameters():
        if name.startswith("score"):
            parameter.data[...] = generator.standard_normal(parameter.shape)
    return model.eval()


# -- The oracle ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_interpolation_is_the_upsampling_of_the_networks(stride):
    coarse = np.random.default_rng(0).standard_normal((2, 3, 64 // stride, 96 // stride))
    layer = nn.ConvTranspose2d(3, 3, 2 * stride, stride, stride // 2, bias=False)
    expected = layer.to(dtype=np.float64)(Tensor(coarse)).data
    ours = interpolation(64, stride) @ coarse @ interpolation(96, stride).T
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_interpolation_of_two_cells_by_hand():
    expected = [[0.75, 0], [0.75, 0.25], [0.25, 0.75], [0, 0.75]]
    assert interpolation(4, 2).tolist() == expected


def test_interpolation_wants_whole_cells():
    with pytest.raises(ValueError, match="length must be a multiple of the stride 8; got 12"):
        interpolation(12, 8)


def scenes(count):
    val = Shapes("val", count)
    return np.stack([val[i][1] for i in range(count)])


def loss_and_gradient(scores, truth, stride, weight):
    """The weighted cross-entropy, and its gradient to the coarse scores."""
    shifted = scores.astype(np.float64) - scores.max(1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True)
    one_hot = np.eye(scores.shape[1])[truth].transpose(0, 3, 1, 2)
    own = weight[truth] / weight[truth].sum()
    loss = -(own * np.log((p * one_hot).sum(1))).sum()
    back = interpolation(truth.shape[1], stride)
    return loss, back.T @ ((p - one_hot) * own[:, None]) @ back


@pytest.mark.parametrize("stride", [32, 16])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_oracle_is_near_the_minimum_of_the_loss(stride, weighted):
    """The loss is convex: where its gradient is 0, there is the minimum."""
    truth = scenes(3)
    weight = rarity(truth, 6) if weighted else None
    own = np.ones(6) if weight is None else weight
    near, _ = loss_and_gradient(oracle(truth, 6, stride, weight), truth, stride, own)
    scores = oracle(truth, 6, stride, weight, iterations=800)
    least, gradient = loss_and_gradient(scores, truth, stride, own)
    start, gradient_before = loss_and_gradient(np.zeros_like(scores), truth, stride, own)
    assert np.abs(gradient).max() < 0.01 * np.abs(gradient_before).max()
    assert least <= near <= 1.06 * least < 0.5 * start


def test_the_oracle_finds_what_the_stride_can_show():
    truth = np.zeros((1, 32, 32), np.int64)
    truth[:, :, 16:] = 1
    assert (oracle(truth, 3, 16).argmax(1) == truth).all()


def test_weights_make_the_rare_class_larger():
    truth = scenes(3)
    plain, weighted = (oracle(truth, 6, 32, w).argmax(1) for w in (None, rarity(truth, 6)))
    assert np.count_nonzero(weighted) > 1.2 * np.count_nonzero(plain) > 0


def test_rarity():
    truth = np.array([[0, 0, 0, 1]])
    np.testing.assert_allclose(rarity(truth, 3), [np.sqrt(4 / 3), 2, 2])


# -- Training ------------------------------------------------------------------------------------


@pytest.fixture
def fits(monkeypatch):
    """What was trained, without the training: stride, paths, and the batches in order."""
    calls = []

    def fit(model, batch, iterations):
        counted = PATHS[: (32, 16, 8).index(model.stride) + 1]
        counted = ("pool3",) if isinstance(model, Pool3Only) else counted
        calls.append((model.stride, counted, [batch(i) for i in range(iterations)]))
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data += 1

    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(training.Batches, "batch", lambda self, iteration: iteration)
    return calls


def test_every_network_sees_the_same_batches(fits, tmp_path):
    plan = dataclasses.replace(TINY, third=2)
    runs = dict(train_all(Settings(tmp_path), plan, 0, Shapes("val", 2, (32, 32))))
    first, middle, last, everything = [0, 1], [2, 3], [4, 5], list(range(6))
    top, two, three = ("top",), ("top", "pool4"), ("top", "pool4", "pool3")
    assert fits == [
        (32, top, first),  # shared by both that are staged
        (32, top, everything),
        (16, two, everything),
        (8, three, everything),
        (16, two, middle + last),
        (16, two, middle),
        (8, three, last),
        (8, three, first),
        (8, three, middle),
        (8, three, last),
        (8, ("pool3",), everything),
    ]
    assert tuple(runs) == VARIANTS
    assert [run.model.stride for run in runs.values()] == [32, 16, 8, 16, 8, 8, 8]


def test_both_staged_networks_go_on_from_the_same_weights(fits, tmp_path):
    """Each `fit` adds 1 here: what a network has from the start, it has 2 or 3 times."""
    runs = dict(train_all(Settings(tmp_path), TINY, 0, Shapes("val", 2, (32, 32))))
    for variant, fitted in ((STAGED16, 2), (STAGED8, 3)):
        start, end = make(variant, 0).state_dict(), runs[variant].model.state_dict()
        np.testing.assert_allclose(end["fc6.0.weight"], start["fc6.0.weight"] + fitted, rtol=1e-5)
        assert (end["score_pool4.weight"] == fitted - 1).all()
    assert (end["score_pool3.weight"] == 1).all()
    assert (end["upscore.weight"] == start["upscore.weight"]).all()


@pytest.mark.parametrize(("small", "large"), [(FCN32, FCN16), (FCN16, FCN8)])
def test_a_grown_network_starts_with_the_scores_of_the_smaller_one(small, large):
    before, x = randomise(make(small, 0)), Tensor(np.ones((1, 3, 64, 64), np.float32))
    state = before.state_dict()
    after = grown(before, make(large, 5)).eval()
    kept = after.path_scores(x)
    for path, scores in before.path_scores(x).items():
        np.testing.assert_array_equal(kept.pop(path).data, scores.data)
    (new,) = kept.values()
    assert (new.data == 0).all()
    parameter = next(after.parameters())
    parameter.data += 1  # must not reach the network that it came from
    assert all((state[name] == array).all() for name, array in before.state_dict().items())


def test_pool3_only_is_an_fcn8s_whose_other_scores_are_0():
    part, x = randomise(make(POOL3, 0)), Tensor(np.ones((1, 3, 40, 64), np.float32))
    whole = FCN(len(Shapes.classes), 8, generator=np.random.default_rng(0)).eval()
    state = part.state_dict()
    others = {
        name: 0 * a for name, a in state.items() if name.startswith(("score_fr", "score_pool4"))
    }
    whole.load_state_dict(state | others)
    np.testing.assert_allclose(part(x).data, whole(x).data, rtol=1e-6, atol=1e-7)
    assert part(x).data.std() > 0.01
    (part(x) ** 2).sum().backward()
    learning = {
        name.removeprefix("backbone.").split(".")[0]
        for name, p in part.named_parameters()
        if p.grad is not None
    }
    assert learning == {"stage1", "stage2", "stage3", "score_pool3"}


def test_networks_of_one_stride_start_equal():
    states = [make(variant, 3).state_dict() for variant in (FCN8, POOL3)]
    assert isinstance(make(POOL3, 3), Pool3Only)
    assert all((states[0][name] == other[name]).all() for other in states for name in states[0])


def test_a_seed_draws_weights_and_scenes(fits, tmp_path, monkeypatch):
    seen = []
    shapes = training.Shapes
    monkeypatch.setattr(training, "Shapes", lambda *a: seen.append(a) or shapes(*a))
    training.Shapes.classes = shapes.classes
    for seed in (0, 1):
        dict(train_all(Settings(tmp_path), TINY, seed, shapes("val", 1, (32, 32))))
    assert seen == [("train", 6, (32, 32), 0), ("train", 6, (32, 32), 1)]
    a, b = (make(FCN8, seed).state_dict()["fc6.0.weight"] for seed in (0, 1))
    assert not np.array_equal(a, b)


# -- Terms ---------------------------------------------------------------------------------------


def test_places_by_hand():
    truth = np.zeros((7, 12), np.int64)
    truth[1:6, 1:6] = 1  # a square, centre (3, 3)
    truth[3, 9] = 2
    assert places(truth, CLASSES, apart=4) == [
        Place("on the disc", 1, 3, 3),
        Place("beside the disc", 1, 3, 7),
        Place("on the ring", 2, 3, 9),
        Place("beside the ring", 2, 0, 6),
    ]


def brute_force_places(truth, apart):
    """The same, pixel by pixel."""
    pixels = list(np.ndindex(truth.shape))
    height, width = truth.shape
    around = [(i, j) for i in range(-1, height + 1) for j in range(-1, width + 1)]
    around = [p for p in around if p not in pixels]

    def squared(p, q):
        return (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2

    chosen = []
    for label in range(1, 3):
        own = [p for p in pixels if truth[p] == label]
        others = around + [p for p in pixels if truth[p] != label]
        centre = max(own, key=lambda p: min(squared(p, q) for q in others))
        ground = [p for p in pixels if truth[p] == 0 and squared(p, centre) >= apart**2]
        beside = min(ground, key=lambda p: squared(p, centre))
        chosen += [(label, *centre), (label, *beside)]
    return chosen


@pytest.mark.parametrize("seed", range(5))
def test_places_by_brute_force(seed):
    truth = np.random.default_rng(seed).choice(3, (7, 9), p=[0.3, 0.6, 0.1])
    assert [place[1:] for place in places(truth, CLASSES, 2)] == brute_force_places(truth, 2)


def test_places_where_there_is_one_class_or_no_background():
    assert places(np.zeros((3, 3), np.int64), CLASSES) == []
    assert places(np.ones((3, 3), np.int64), CLASSES) == [Place("on the disc", 1, 1, 1)]
    half = np.array([[1, 2]])
    assert [place.where for place in places(half, CLASSES)] == ["on the disc", "on the ring"]


def test_a_row_of_terms_by_hand():
    top, pool3 = np.zeros((3, 2, 2)), np.zeros((3, 2, 2))
    top[:, 1, 0], pool3[:, 1, 0] = (1, 2, 3), (4, -1, 0.5)
    truth = np.array([[0, 0], [1, 0]])
    row = term_row(Place("on it", 1, 1, 0), {"top": top, "pool3": pool3}, truth, CLASSES)
    assert row == {
        "pixel": "(1, 0)",
        "where": "on it",
        "truth": "disc",
        "predicted": "background",
        "score of": "disc",
        "top": 2,
        "pool3": -1,
        "score": 1,
        "lead": 1 - 5,
    }
    assert term_row(Place("", 0, 1, 0), {"a": top, "b": pool3}, truth, CLASSES)["lead"] == 5 - 3.5


def test_sums_are_counted_as_a_network_with_these_scores_alone_predicts():
    val, model = Shapes("val", 5, (32, 32)), randomise(make(FCN8, 0))
    matrices = dict(zip(SUMS, count_sums(model, val, batch_size=2), strict=True))
    whole = evaluate(model, val)
    np.testing.assert_array_equal(matrices["top", "pool4", "pool3"].counts, whole.counts)
    for name in ("score_fr", "score_pool4"):
        for parameter in getattr(model, name).parameters():
            parameter.data[...] = 0
    np.testing.assert_array_equal(matrices[("pool3",)].counts, evaluate(model, val).counts)
    assert (matrices[("pool3",)].counts != whole.counts).any()


def test_terms_in_the_table_add_up_to_the_score_of_the_prediction():
    val, model = Shapes("val", 3), randomise(make(FCN8, 0))
    table = tables.pixels_table(model, val, 1)
    image, truth = val[1]
    total = sum(score_terms(model, [image]).values())[0]
    assert table.rows
    for row in table.rows:
        at = literal_eval(row["pixel"])
        assert row["top"] + row["pool4"] + row["pool3"] == pytest.approx(row["score"], abs=1e-5)
        assert row["score"] == pytest.approx(total[(val.classes.index(row["score of"]), *at)])
        assert row["predicted"] == val.classes[total[(slice(None), *at)].argmax()]
        assert row["truth"] == val.classes[truth[at]]
        assert (row["lead"] > 0) == (row["predicted"] == row["score of"])


# -- Tables and findings -------------------------------------------------------------------------


def matrix_of(right):
    """60 pixels of background, all right, and 40 of a class, of which some are."""
    matrix = ConfusionMatrix(2)
    matrix.counts[...] = [[60, 0], [40 - right, right]]
    return matrix


RIGHT = {
    FCN32: 4,
    FCN16: 16,
    FCN8: 30,
    STAGED16: 20,
    STAGED8: 22,
    RESTARTED8: 21,
    POOL3: 12,
}


def fake_runs():
    """Two seeds; the second has 2 pixels more right."""
    models = {variant: make(variant, 0) for variant in (FCN32, FCN16, FCN8, POOL3)}
    models |= {STAGED16: models[FCN16], STAGED8: models[FCN8], RESTARTED8: models[FCN8]}
    return [
        {v: Run(models[v], matrix_of(RIGHT[v] + more), 1.0 + more) for v in VARIANTS}
        for more in (0, 2)
    ]


def iu(right):
    return (60 / (100 - right) + right / 40) / 2


ORACLES = {
    stride: {"plain": matrix_of(right), "weighted": matrix_of(right + 1)}
    for stride, right in ((32, 10), (16, 25), (8, 38))
}


def test_the_table_of_models_by_hand():
    table = tables.models_table((0, 7), Plan(third=150), fake_runs(), ORACLES)
    nothing, *rows = table.rows
    assert nothing["network"] == "all background"
    assert nothing["mean IU"] == nothing["seed 0"] == nothing["seed 7"] == pytest.approx(0.3)
    assert nothing["pixel accuracy"] == pytest.approx(0.6)
    assert [row["trained"] for row in rows] == [variant.training for variant in VARIANTS]
    for row, variant in zip(rows, VARIANTS, strict=True):
        right = RIGHT[variant]
        assert row["seed 0"] == pytest.approx(iu(right))
        assert row["seed 7"] == pytest.approx(iu(right + 2))
        assert row["mean IU"] == pytest.approx((iu(right) + iu(right + 2)) / 2)
        assert row["oracle"] == pytest.approx(iu({32: 10, 16: 25, 8: 38}[variant.stride]))
        assert row["pixel accuracy"] == pytest.approx((60 + right + 1) / 100)
        assert row["seconds"] == 2
    assert [row["adds up"] for row in rows[-2:]] == ["top + pool4 + pool3", "pool3"]
    assert table.title.startswith("Skips: 450 iterations of 8 scenes for each network, 200 val")


def test_the_other_tables_by_hand():
    classes = tables.classes_table(("background", "disc"), fake_runs(), ORACLES)
    eight = next(row for row in classes.rows if row["network"] == FCN8.name)
    assert eight["background"] == pytest.approx((60 / 70 + 60 / 68) / 2)
    assert eight["disc"] == pytest.approx((30 / 40 + 32 / 40) / 2)
    assert classes.rows[-1]["network"] == "oracle, stride 8"
    assert classes.rows[-1]["disc"] == pytest.approx(38 / 40)
    oracles = tables.oracles_table(ORACLES)
    assert [row["stride"] for row in oracles.rows] == [32, 16, 8]
    assert list(oracles.rows[0].values())[1:] == [pytest.approx(iu(10)), pytest.approx(iu(11))]
    counts = {FCN8: range(7), STAGED8: range(10, 17)}
    sums = tables.sums_table({v: [list(map(matrix_of, n))] * 2 for v, n in counts.items()})
    assert [row["sum of"] for row in sums.rows] == [" + ".join(paths) for paths in SUMS]
    for variant, own in counts.items():
        column = [row[f"mean IU, {variant.training}"] for row in sums.rows]
        assert column == [pytest.approx(iu(right)) for right in own]


def test_the_order_is_found_with_its_margins():
    runs = fake_runs()
    text = findings.order(runs, FCN32, FCN16, FCN8)
    a, b, c = ((iu(n) + iu(n + 2)) / 2 for n in (4, 16, 30))
    assert f"FCN-32s {a:.3f}, FCN-16s {b:.3f}, FCN-8s {c:.3f}" in text
    least = min(iu(16) - iu(4), iu(18) - iu(6))
    assert f"{b - a:+.3f} (least {least:+.3f})" in text
    assert "; both are at least 0.05" in text
    assert "; not both are at least 0.05" in findings.order(runs, FCN32, STAGED16, STAGED8)
    assert "; not both are at least 0.05" in findings.order(runs, FCN16, FCN8, POOL3)


@pytest.mark.parametrize(("margins", "found"), [((0.03, 0.09), "both"), ((0.01, 0.07), "not both")])
def test_the_margin_is_that_of_the_mean_of_the_seeds(margins, found, monkeypatch):
    ious = {FCN32: np.zeros(2), FCN16: np.array(margins), FCN8: np.ones(2)}
    monkeypatch.setattr(findings, "mean_ius", lambda runs, variant: ious[variant])
    assert f"; {found} are at least 0.05" in findings.order([], FCN32, FCN16, FCN8)


def test_a_comparison_says_above_or_below():
    runs = fake_runs()
    np.testing.assert_allclose(mean_ius(runs, POOL3), [iu(12), iu(14)])
    first, second = (iu(12) + iu(14)) / 2, (iu(30) + iu(32)) / 2
    text = findings.compared(runs, POOL3, FCN8)
    assert text.startswith(f"{first:.3f}, {second - first:.3f} below (by seed ")
    assert text.endswith(f"the {second:.3f}")
    assert " above (by seed +" in findings.compared(runs, FCN8, POOL3)


def test_the_findings_say_the_numbers():
    sums = {FCN8: [[matrix_of(right) for right in (3, 9, 6, 12, 21, 18, 30)]] * 2}
    terms = {"top": 1, "pool4": -2, "pool3": 4, "score": 3}
    pixel = {"where": "on it", "pixel": "(4, 5)", "score of": "disc", "predicted": "ring", **terms}
    text = "\n".join(findings.conclude(fake_runs(), ORACLES, sums, [pixel]))
    assert "on it at (4, 5): the score of disc is +3.00, +1.00 from top, -2.00 from pool4" in text
    assert f"FCN-8s, at once, has {iu(30):.3f} from top + pool4 + pool3" in text
    assert f"{iu(21):.3f} from top + pool3 (the best two terms)" in text
    assert f"{iu(9):.3f} from pool4 (the best one)" in text
    assert "goes from 0.650 to 0.910" in text
    assert "all background is right in 0.600" in text
    for network, better, worse in (
        ("FCN-16s", STAGED16, FCN16),
        ("FCN-8s", STAGED8, FCN8),
        ("no deeper layer,", POOL3, FCN8),
    ):
        assert f"{network} has {findings.compared(fake_runs(), better, worse)}" in text
    for better, worse in ((STAGED8, RESTARTED8), (POOL3, FCN32)):
        assert f"and {findings.difference(fake_runs(), better, worse)}" in text
    share = (iu(30) + iu(32)) / 2 / iu(38)
    assert f"FCN-8s reaches {share:.0%}" in text


# -- The whole -----------------------------------------------------------------------------------


def test_the_busiest_scenes_come_first():
    val = Shapes("val", 8, (32, 32))
    classes = [len(np.unique(val[i][1])) for i in range(8)]
    chosen = skips.busiest(val, 3)
    assert [classes[i] for i in chosen] == sorted(classes)[::-1][:3]
    assert chosen[0] == classes.index(max(classes))
    ties = [i for i in chosen if classes[i] == classes[chosen[-1]]]
    assert ties == sorted(ties)


def test_the_largest_stroke():
    masks = np.zeros((4, 5, 8), np.uint8)
    masks[0, :2], masks[0, 2, 2:4] = 1, 3  # a disc and a ring
    masks[1, 2, 2:5], masks[2, 2] = 5, 4  # a line, and a cross that touches the border
    masks[3, 1:4, 1:4] = 2  # a square
    val = Shapes("val", 4)
    val = type("Masks", (), {"classes": val.classes, "__getitem__": lambda s, i: (0, masks[i])})()
    assert skips.largest_stroke(val, [0, 1, 2, 3]) == (1, 5)
    assert skips.largest_stroke(val, [3, 2, 0]) == (0, 3)
    assert skips.largest_stroke(val, [3, 2]) == (2, 4)


def test_each_network_is_evaluated_itself(tmp_path, monkeypatch):
    seeds = count()
    monkeypatch.setattr(training, "fit", lambda model, *rest: randomise(model, next(seeds)))
    val = Shapes("val", 3, (64, 64))
    runs = dict(train_all(Settings(tmp_path), TINY, 0, val))
    for run in runs.values():
        np.testing.assert_array_equal(run.matrix.counts, evaluate(run.model, val).counts)
    assert len({run.matrix.counts.tobytes() for run in runs.values()}) == len(VARIANTS)


def test_what_is_drawn_and_counted_is_of_the_network_that_it_says(tmp_path, monkeypatch):
    """With networks that all predict something else."""
    trained, drawn = [], {}

    def fake(settings, plan, seed, val):
        for i, variant in enumerate(VARIANTS):
            model = randomise(make(variant, seed), 10 * seed + i)
            yield variant, Run(model, evaluate(model, val), 1.0)

    def keep(runs):
        trained.append(runs)
        return runs

    monkeypatch.setattr(skips, "train_all", lambda *a: keep(dict(fake(*a))).items())
    monkeypatch.setattr(skips, "plot_strides", lambda path, *a: drawn.setdefault("strides", a))
    monkeypatch.setattr(skips, "plot_contributions", lambda path, *a: drawn.setdefault("terms", a))
    plan = dataclasses.replace(TINY, size=64)
    result = skips.run_plan(Settings(tmp_path, (0, 1)), plan)
    val = Shapes("val", plan.scenes, (64, 64))
    for row, variant in zip(result.tables["models"].rows[1:], VARIANTS, strict=True):
        own = [evaluate(run[variant].model, val).mean_iu for run in trained]
        assert [row["seed 0"], row["seed 1"]] == own
    images, masks, *_ = drawn["strides"]
    for name, variant in (
        ("FCN-32s", FCN32),
        ("FCN-16s, staged", STAGED16),
        ("FCN-8s, staged", STAGED8),
    ):
        np.testing.assert_array_equal(masks[name], predict(trained[0][variant].model, images))
    for variant in (FCN8, STAGED8):
        counted = [[m.mean_iu for m in count_sums(run[variant].model, val)] for run in trained]
        found = [row[f"mean IU, {variant.training}"] for row in result.tables["sums"].rows]
        np.testing.assert_allclose(found, np.mean(counted, axis=0))
    terms = score_terms(trained[0][STAGED8].model, [drawn["terms"][0]])
    assert any((terms["pool3"][0, label] == drawn["terms"][2]["pool3"]).all() for label in range(6))
    truth = np.stack([val[i][1] for i in range(len(val))])
    for row in result.tables["oracles"].rows:
        for name, weight in (
            ("the networks' loss", None),
            ("rare classes count more", rarity(truth, 6)),
        ):
            matrix = ConfusionMatrix(6)
            matrix.update(truth, oracle(truth, 6, row["stride"], weight).argmax(1))
            assert row[f"mean IU, {name}"] == matrix.mean_iu


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The whole experiment, tiny, twice."""
    made = []
    for _ in range(2):
        lines = []
        settings = Settings(tmp_path_factory.mktemp("skips"), (0, 1, 2), 1.0, lines.append)
        made.append((skips.run_plan(settings, TINY), lines))
    return made


def without_seconds(result):
    return {
        name: [{k: v for k, v in row.items() if k != "seconds"} for row in table.rows]
        for name, table in result.tables.items()
    }


def test_two_runs_give_the_same(results):
    (first, _), (second, _) = results
    np.testing.assert_equal(without_seconds(first), without_seconds(second))
    assert first.findings == second.findings
    for a, b in zip(first.pictures, second.pictures, strict=True):
        assert a.name == b.name
        assert a.read_bytes() == b.read_bytes()


def test_the_result_is_whole(results):
    result, lines = results[0]
    assert list(result.tables) == ["models", "classes", "oracles", "sums", "pixels"]
    assert [path.name for path in result.pictures] == ["skips.png", "contributions.png"]
    assert len(lines) == 3 * len(VARIANTS)
    assert all(len(line) <= 120 for line in result.tables["models"].text().splitlines())


def test_the_budget_scales_the_iterations(monkeypatch, tmp_path):
    monkeypatch.setattr(skips, "run_plan", lambda settings, plan: plan)
    assert skips.run(Settings(tmp_path)) == Plan()
    assert skips.run(Settings(tmp_path, scale=0.1)).third == round(Plan.third / 10)
    assert skips.run(Settings(tmp_path, scale=1e-9)).third == 1
