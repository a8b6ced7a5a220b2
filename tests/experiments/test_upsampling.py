import dataclasses
import itertools
import json

import numpy as np
import pytest

from minifcn import Tensor
from minifcn import functional as F
from minifcn.data import Shapes
from minifcn.experiments import upsampling
from minifcn.experiments.experiment import Settings
from minifcn.experiments.scenes import read
from minifcn.experiments.upsampling import measures
from minifcn.experiments.upsampling.findings import conclude, overlap, spreads, switches, twins
from minifcn.experiments.upsampling.measures import HeldOut, Outcome
from minifcn.metrics.boundaries import BoundaryIU, trimap
from minifcn.metrics.phases import bilinear_ideal, phase_error, phase_share, phase_unevenness
from minifcn.models.decoders import DECODERS


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few and small scenes, and a small network."""
    monkeypatch.setattr(upsampling, "SCENES", 3)
    monkeypatch.setattr(upsampling, "SIZE", (32, 32))
    monkeypatch.setattr(upsampling, "WIDTHS", (4, 4, 4))
    monkeypatch.setattr(upsampling, "BATCH_SIZE", 2)


@pytest.fixture(scope="module")
def held_out():
    return HeldOut.draw(Shapes("val", 4, (32, 40)))


def randomised(decoder, seed=0):
    """A network whose BatchNorms shift, so that it answers a grey image, too."""
    model, generator = upsampling.make_model(decoder, seed), np.random.default_rng(seed)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1 and name.endswith("bias"):
            parameter.data[...] = generator.uniform(0.1, 1, parameter.shape)
    return model


def shift(model):
    """Change all weights, always in the same way."""
    generator = np.random.default_rng(9)
    for parameter in model.parameters():
        parameter.data += 0.3 * generator.standard_normal(parameter.shape, dtype=np.float32)


@pytest.fixture
def training(monkeypatch):
    """Shift the weights instead of training; lists (batches, weights, iterations, lr) of calls."""
    calls = []

    def fit(model, batch, iterations, lr):
        weights = {name: array.copy() for name, array in model.state_dict().items()}
        calls.append((batch.__self__, weights, iterations, lr))
        shift(model)

    monkeypatch.setattr(upsampling, "fit", fit)
    return calls


# -- The whole -----------------------------------------------------------------------------------


def without_seconds(result):
    tables = result.to_json()["tables"]
    rows = {name: [dict(row) for row in rows] for name, rows in tables.items()}
    for row in rows["decoders"]:
        assert row.pop("seconds") > 0
    return rows


def test_two_runs_agree_in_every_number_and_picture(tmp_path):
    results, said = [], []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        results.append(upsampling.run(Settings(folder, (0, 1), 0.005, said.append)))
    first, second = results
    assert without_seconds(first) == without_seconds(second)
    assert first.findings == second.findings
    assert [p.name for p in first.pictures] == [
        "upsampling-decoders.png",
        "upsampling-checkerboards.png",
        "upsampling-unevenness.png",
        "upsampling-unpool.png",
    ]
    for one, other in zip(first.pictures, second.pictures, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert len(said) == 2 * 2 * 8
    assert said[0].startswith("seed 0, fixed bilinear: mean IU 0.")
    json.dumps(first.to_json())
    rows = without_seconds(first)
    assert [row["decoder"] for row in rows["decoders"]] == list(upsampling.LABELS.values())
    assert len(rows["checkerboards"]) == 9
    assert "bed of nails" in first.text()


def test_run_trains_every_decoder_with_every_seed_and_measures_on_held_out_scenes(
    monkeypatch, training
):
    measured = []

    def measure(decoder, seed, held_out, settings, original=upsampling.train_and_measure):
        measured.append((decoder, seed, held_out))
        return original(decoder, seed, held_out, settings)

    monkeypatch.setattr(upsampling, "train_and_measure", measure)
    monkeypatch.setattr(upsampling, "draw", lambda *drawn: [])
    upsampling.run(Settings(None, (4, 7)))
    assert [(d, s) for d, s, _ in measured] == [(d, s) for s in (4, 7) for d in DECODERS]
    images, truths = read(Shapes("val", 3, (32, 32)))
    for _, _, scenes in measured:
        np.testing.assert_array_equal(scenes.images, images)
        np.testing.assert_array_equal(scenes.truths, truths)
    assert [batches.seed for batches, *_ in training] == [4] * 8 + [7] * 8


@pytest.mark.parametrize("seed", [0, 3])
def test_training_has_its_seed_its_batches_and_its_budget(held_out, training, seed):
    upsampling.train_and_measure("transposed_k3", seed, held_out, Settings(None, scale=0.5))
    ((batches, start, iterations, lr),) = training
    scenes = batches.dataset
    assert (batches.seed, batches.batch_size, batches.flip) == (seed, 2, True)
    assert (type(scenes), scenes.split, scenes.size, scenes.seed) == (Shapes, "train", (32, 32), 0)
    assert (iterations, lr) == (200, 1e-2)
    for name, array in upsampling.make_model("transposed_k3", seed).state_dict().items():
        np.testing.assert_array_equal(start[name], array)
    other = upsampling.make_model("transposed_k3", seed + 1).state_dict()
    assert not np.array_equal(start["score.weight"], other["score.weight"])


def test_every_number_of_an_outcome_is_of_its_own_network_and_scenes(held_out, training):
    """Recomputed from networks made here; all differ, so that none can stand for another."""
    images, truths = held_out.images, held_out.truths
    outcome, shown = upsampling.train_and_measure("unpooling", 3, held_out, Settings(None))
    even, model = (upsampling.make_model("unpooling", 3) for _ in range(2))
    measures.set_equal(even)
    equal, before = measures.logits(even, images), measures.logits(model, images)
    shift(model)
    after, blind = (measures.logits(model, images, use_switches=own) for own in (True, False))
    ripple = np.sqrt(np.mean([plane.var() for scene in after for plane in scene], dtype=float))
    expected = {
        "mean_iu": measures.mean_iu(truths, after),
        "band_iu": measures.mean_iu(trimap(truths, 2), after),
        "boundary_iu": measures.boundary_iu(truths, after),
        "equal_2": measures.checkerboard(equal, 2),
        "equal_8": measures.checkerboard(equal, 8),
        "start_2": measures.checkerboard(before, 2),
        "start_8": measures.checkerboard(before, 8),
        "trained_2": measures.checkerboard(after, 2),
        "trained_8": measures.checkerboard(after, 8),
        "equal_u8": measures.unevenness(equal, 8),
        "start_u8": measures.unevenness(before, 8),
        "trained_u8": measures.unevenness(after, 8),
        "trained_e8": measures.error(after, 8),
        "grey": measures.grey_ripple(model) / ripple,
        "ties": measures.ties(model, images),
        "iu_without_switches": measures.mean_iu(truths, blind),
        "boundary_iu_without_switches": measures.boundary_iu(truths, blind),
        "parameters": 3 * (4 * 4 * 3 * 3 + 4 + 4),
    }
    found = dataclasses.asdict(outcome)
    assert found.pop("seconds") > 0
    assert found == pytest.approx(expected, rel=1e-5)
    assert len({round(number, 4) for number in expected.values()}) == len(expected)
    np.testing.assert_array_equal(shown.before, before[held_out.most_varied()])
    np.testing.assert_array_equal(shown.after, after[held_out.most_varied()])


# -- The tables ----------------------------------------------------------------------------------


@pytest.fixture
def numbered():
    """Two seeds of every decoder, no two numbers alike."""
    numbers = itertools.count(1)
    names = [field.name for field in dataclasses.fields(Outcome)]
    return {
        d: [Outcome(**{name: next(numbers) / 256 for name in names}) for _ in range(2)]
        for d in DECODERS
    }


def averages(outcomes, **columns):
    """What a row must hold: the means over the seeds of the numbers named for its columns."""
    return {
        column: sum(getattr(outcome, name) for outcome in outcomes) / len(outcomes)
        for column, name in columns.items()
    }


def test_the_table_of_decoders_shows_each_number_in_its_column(numbered, held_out):
    table = upsampling.decoder_table(numbered, held_out)
    for row, (decoder, own) in zip(table.rows, numbered.items(), strict=True):
        assert row == {
            "decoder": upsampling.LABELS[decoder],
            "lowest": own[0].mean_iu,
            "highest": own[1].mean_iu,
            "parameters": own[0].parameters,
            **averages(
                own,
                **{
                    "mean IU": "mean_iu",
                    "band IU": "band_iu",
                    "boundary IU": "boundary_iu",
                    "Q trained": "trained_8",
                    "U trained": "trained_u8",
                    "seconds": "seconds",
                },
            ),
        }


def test_the_table_of_checkerboards_shows_each_number_in_its_column(numbered, held_out):
    *rows, truth = upsampling.checkerboard_table(numbered, held_out).rows
    states = ("equal", "start", "trained")
    columns = {f"{state} Q{period}": f"{state}_{period}" for state in states for period in (2, 8)}
    columns |= {f"{state} U8": f"{state}_u8" for state in states} | {"trained E8": "trained_e8"}
    for row, (decoder, own) in zip(rows, numbered.items(), strict=True):
        assert row == {
            "decoder": upsampling.LABELS[decoder],
            **averages(own, grey="grey", **columns),
        }
    for period in (2, 8):
        assert truth[f"trained Q{period}"] == measures.checkerboard(held_out.one_hot(), period)
    assert truth["trained U8"] == measures.unevenness(held_out.one_hot(), 8)
    assert truth["trained E8"] == measures.error(held_out.one_hot(), 8)
    assert truth["start U8"] is None


def test_the_table_of_switches_shows_each_number_in_its_column(numbered):
    rows = upsampling.switch_table(numbered).rows
    expected = [
        ("unpooling", "mean_iu", "boundary_iu"),
        ("unpooling", "iu_without_switches", "boundary_iu_without_switches"),
        ("bed_of_nails", "mean_iu", "boundary_iu"),
    ]
    for row, (decoder, over_all, of_rims) in zip(rows, expected, strict=True):
        columns = {"mean IU": over_all, "boundary IU": of_rims}
        assert row == {"unpooling": row["unpooling"], **averages(numbered[decoder], **columns)}


def test_every_decoder_has_a_label():
    assert list(upsampling.LABELS) == list(DECODERS)
    assert len(set(upsampling.LABELS.values())) == 8


# -- The measures --------------------------------------------------------------------------------


@pytest.mark.parametrize("decoder", DECODERS)
def test_logits_are_the_models(decoder, held_out):
    model = randomised(decoder)
    expected = model(Tensor(held_out.images)).data
    np.testing.assert_array_equal(measures.logits(model, held_out.images, batch_size=4), expected)
    blind = measures.logits(model, held_out.images, use_switches=False, batch_size=4)
    assert np.array_equal(blind, expected) == (decoder != "unpooling")


def test_without_switches_a_segnet_is_a_bed_of_nails(held_out):
    segnet, nails = randomised("unpooling"), randomised("bed_of_nails")
    nails.load_state_dict(segnet.state_dict())
    blind = measures.logits(segnet, held_out.images, use_switches=False)
    np.testing.assert_array_equal(blind, measures.logits(nails, held_out.images))


def test_checkerboard_is_the_mean_share_of_what_varies():
    y = np.random.default_rng(0).standard_normal((2, 3, 32, 32))
    y[1, 2] = 4
    y[1, 2, 0, 0] = 5  # at the border, which does not count
    planes = [y[0, 0], y[0, 1], y[0, 2], y[1, 0], y[1, 1]]
    for period in (2, 8):
        expected = np.mean([phase_share(plane, period, measures.MARGIN) for plane in planes])
        assert measures.checkerboard(y, period) == pytest.approx(expected, rel=1e-12)
        uneven = np.mean([phase_unevenness(p, period, measures.MARGIN) for p in planes])
        assert measures.unevenness(y, period) == pytest.approx(uneven, rel=1e-12)
        errors = [phase_error(p, bilinear_ideal(p, period), period, 8) for p in planes]
        assert measures.error(y, period) == pytest.approx(np.mean(errors), rel=1e-12)
    rows, columns = np.indices((32, 32))
    assert measures.checkerboard(((rows + columns) % 2)[None, None], 2) == pytest.approx(1)


def test_variation_is_the_root_mean_square_of_the_planes_own():
    y = np.array([[[[0, 2]], [[10, 10]]], [[[5, 11]], [[-3, -7]]]])
    assert measures.variation(y) == pytest.approx(np.sqrt((1 + 0 + 9 + 4) / 4))


def test_perfect_logits_have_perfect_scores(held_out):
    perfect = held_out.one_hot()
    assert measures.mean_iu(held_out.truths, perfect) == 1
    assert measures.boundary_iu(held_out.truths, perfect) == 1
    np.testing.assert_array_equal(perfect.argmax(1), held_out.truths)
    rims = BoundaryIU(6, measures.RADIUS)
    rims.update(held_out.truths, 0 * held_out.truths)
    background = np.zeros_like(perfect)
    assert measures.boundary_iu(held_out.truths, background) == rims.mean_iu
    assert measures.mean_iu(held_out.truths, background) == pytest.approx(held_out.baseline())


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_grey_image_shows_what_the_decoder_paints(decoder):
    """Resizing paints nothing, whatever the weights; the other decoders do, with random ones."""
    model = randomised(decoder)
    ripple = measures.grey_ripple(model)
    level = np.abs(measures.logits(model, np.zeros((1, 3, 144, 144), np.float32))).max()
    painters = {"transposed_k4", "transposed_k3", "unpooling", "bed_of_nails"}
    assert (ripple > 1e-2 * level) == (decoder in painters)
    assert (ripple < 1e-5 * level) == (decoder not in painters)


def test_with_equal_weights_only_uneven_overlap_paints():
    for decoder in ("transposed_k4", "transposed_k3"):
        model = randomised(decoder)
        measures.set_equal(model)
        kernels = [p.data for p in model.decoder.parameters() if p.ndim == 4]
        assert len(kernels) == 3
        assert all((kernel == kernel.flat[0]).all() for kernel in kernels)
        grey = measures.logits(model, np.zeros((1, 3, 144, 144), np.float32))[0, 0, 56:-56, 56:-56]
        assert (np.ptp(grey) > 0.1 * np.abs(grey).max()) == (decoder == "transposed_k3")


def test_ties_by_hand(held_out):
    model = randomised("unpooling")
    features = model.encoder[0](Tensor(held_out.images)).data
    assert features.shape == (4, 4, 32, 40)
    maxima = F.max_pool2d(Tensor(features), 2).data
    assert measures.ties(model, held_out.images) == pytest.approx((maxima == 0).mean())
    assert 0 < measures.ties(model, held_out.images) < 1


def test_unpooled_planes_have_the_same_values_in_other_places(held_out):
    model = randomised("unpooling")
    features, stored, nails = measures.unpooled(model, held_out.images[0])
    assert (features.shape, stored.shape, nails.shape) == ((16, 20), (32, 40), (32, 40))
    np.testing.assert_array_equal(nails[::2, ::2], features)
    assert np.count_nonzero(nails) == np.count_nonzero(features)
    windows = stored.reshape(16, 2, 20, 2).swapaxes(1, 2)
    np.testing.assert_array_equal(windows.sum((2, 3)), features)
    assert not np.array_equal(stored, nails)


def test_the_scene_shown_is_the_first_with_most_classes():
    truths = np.array([[[0, 1]], [[0, 0]], [[2, 1]]], np.uint8)
    for order, expected in (([0, 1, 2], 0), ([2, 1, 0], 0), ([1, 2, 0], 1)):
        assert HeldOut(np.zeros((3, 3, 1, 2)), truths[order]).most_varied() == expected


# -- The findings --------------------------------------------------------------------------------


def outcome(**numbers):
    fields = {field.name: 0.5 for field in dataclasses.fields(Outcome)}
    return Outcome(**{**fields, **numbers})


def outcomes(**numbers):
    """Two seeds of every decoder, all numbers 0.5, but those given as decoder=[{...}, {...}]."""
    return {
        decoder: [outcome(**own) for own in numbers.get(decoder, ({}, {}))] for decoder in DECODERS
    }


def test_overlap_counts_seeds():
    made = outcomes(
        transposed_k3=[{"start_8": 0.8}, {"start_8": 0.6}],
        transposed_k4=[{"start_8": 0.7}, {"start_8": 0.9}],
    )
    said = overlap(made, "start", upsampling.LABELS)
    assert said == (
        "Before training, Q of transposed k3 s2 is 0.700. Seeds in which it is larger than that of"
        " another: transposed k4 s2, random start (0.800) in 1 of 2; transposed k4 s2, bilinear"
        " start (0.500) in 2 of 2; nearest + convolution (0.500) in 2 of 2; bilinear + convolution"
        " (0.500) in 2 of 2."
    )


def test_twins_measure_chance():
    made = outcomes(
        transposed_k3=[{"mean_iu": 0.3}, {"mean_iu": 0.4}],
        bed_of_nails=[{"mean_iu": 0.35}, {"mean_iu": 0.1}],
    )
    assert "mean IU is 0.350 and 0.225, and 0.300 apart at most" in twins(made)


@pytest.mark.parametrize(
    ("with_switches", "verb", "wins"),
    [
        ((0.8, 0.4), "gains 0.100", 1),
        ((0.6, 0.6), "gains 0.100", 2),
        ((0.4, 0.4), "loses 0.100", 0),
    ],
)
@pytest.mark.parametrize(
    ("twin", "more"), [(0.55, "more than the 0.050"), (0.3, "no more than the 0.200")]
)
def test_switches_gain_or_lose(with_switches, verb, wins, twin, more):
    own = [{"mean_iu": iu, "iu_without_switches": 0.2, "ties": 0.25} for iu in with_switches]
    said = switches(outcomes(unpooling=own, transposed_k3=[{}, {"mean_iu": twin}]))
    assert said.startswith(f"Unpooling {verb} mean IU")
    assert f"ahead in {wins} of 2 seeds), {more} that chance" in said
    assert "instead has 0.200. 25% of" in said


def test_findings_follow_the_numbers(held_out):
    best = {"mean_iu": 0.9, "band_iu": 0.9, "boundary_iu": 0.9}
    said = conclude(outcomes(unpooling=[best, best]), held_out, upsampling.LABELS)
    assert said[0].startswith("Mean IU, best first: unpooling + convolution (SegNet) 0.900; fixed")
    assert said[1] == "Unpooling + convolution (SegNet) is best at the boundaries, too."
    split = outcomes(unpooling=[{"mean_iu": 0.9}] * 2, bilinear=[{"band_iu": 0.8}] * 2)
    assert (
        "within the band around the boundaries fixed bilinear"
        in conclude(split, held_out, upsampling.LABELS)[1]
    )
    quiet = outcomes(**{d: [{"trained_8": 0.0}] * 2 for d in DECODERS if d != "transposed_k3"})
    above = conclude(quiet, held_out, upsampling.LABELS)[5]
    assert above.endswith("above it: transposed k3 s2, random start (0.500).")


def test_spreads_are_told_with_the_means(held_out):
    quiet = {d: [{"trained_u8": 0.0, "trained_e8": 0.2}] * 2 for d in DECODERS}
    quiet["transposed_k4"] = [{"trained_u8": 0.8, "trained_e8": 0.5}] * 2
    quiet["bilinear"] = [{"trained_u8": 0.0, "trained_e8": 0.1}] * 2
    said = spreads(outcomes(**quiet), held_out, upsampling.LABELS)
    assert f"truth itself has {measures.unevenness(held_out.one_hot(), 8):.3f};" in said
    assert "above it: transposed k4 s2, random start (0.800)." in said
    assert said.endswith(
        "fixed bilinear has least (0.1000), transposed k4 s2, random start most (0.5000)."
    )


def test_the_numbers_beside_a_picture():
    made = outcome(mean_iu=0.25, start_8=0.1, trained_8=0.2, start_u8=0.3, trained_u8=0.4)
    assert upsampling.numbers(made) == ("mean IU 0.250\nQ 0.100, then 0.200\nU 0.300, then 0.400")


def test_the_pictures_show_each_measure_by_state_and_decoder(numbered):
    shown = upsampling.by_state(numbered, "u8")
    assert list(shown) == ["equal", "start", "trained"]
    for state, own in shown.items():
        assert own == {
            upsampling.LABELS[d]: [getattr(o, f"{state}_u8") for o in made]
            for d, made in numbered.items()
        }
