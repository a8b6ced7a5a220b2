"""Runs on pretrained backbones: how they start, what is trained, what travels with them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from installed import need
from small_runs import TINY, mask_of, results_of, rewrite, start, state_of

from minifcn.data import VOID, balanced_weights
from minifcn.data.images import write_image, write_mask
from minifcn.data.transforms import IMAGENET, Normalisation, resize_image
from minifcn.functional import cross_entropy, interpolate
from minifcn.models import backbones, pretrained
from minifcn.models.backbones import normalisation_of
from minifcn.models.pretrained import NETWORKS
from minifcn.runs.checkpoint import load_model
from minifcn.runs.config import Config
from minifcn.runs.data import open_scored
from minifcn.runs.report import evaluate_run
from minifcn.runs.run import Run
from minifcn.runs.steps import likeliest, predict, score
from minifcn.system.files import load_arrays, save_arrays
from minifcn.tensor import Tensor

NAME = "squeezenet1.1"


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file that stands for the package's: SqueezeNet with weights of its own."""
    model = NETWORKS[NAME].new()
    generator = np.random.default_rng(5)
    state = {
        name: array + 0.001 * generator.standard_normal(array.shape).astype(array.dtype)
        for name, array in model.state_dict().items()
    }
    known = backbones.PRETRAINED[NAME]
    read = lambda backbone, path: {name: state[name] for name in backbone.state_dict()}
    monkeypatch.setitem(backbones.PRETRAINED, NAME, known._replace(read=read))
    return state


def begin(folder, **choices):
    settings = {"widths": (), "depths": (), "iterations": 2, "evaluate_every": 2, "head_width": 4}
    return start(folder, **{"backbone": NAME, **settings, **choices})


def backbone_of(run):
    return {n: a for n, a in run.model.state_dict().items() if n.startswith("backbone.")}


# -- What is trained -----------------------------------------------------------------------------


def test_a_run_starts_with_the_trained_weights(tmp_path, weights):
    for name, array in backbone_of(begin(tmp_path / "run")).items():
        np.testing.assert_array_equal(array, weights[name.removeprefix("backbone.")])


def test_from_scratch_it_does_not(tmp_path, weights):
    run = begin(tmp_path / "run", pretrained=False)
    assert run.config.backbone_lr is None
    name = "fire2.squeeze1x1.weight"
    assert not np.array_equal(backbone_of(run)[f"backbone.{name}"], weights[name])


def test_a_frozen_backbone_stays_as_it_was(tmp_path, weights):
    run = begin(tmp_path / "run", freeze=True)
    before, head = backbone_of(run), run.model.score_fr.weight.numpy().copy()
    run.train()
    for name, array in backbone_of(run).items():
        np.testing.assert_array_equal(array, before[name])
    assert not np.array_equal(run.model.score_fr.weight.numpy(), head)
    assert not any(p.requires_grad for p in run.model.backbone.parameters())


def statistics_and_weights(run):
    found = backbone_of(run)
    running = {n: a for n, a in found.items() if "running" in n}
    return running, {n: a for n, a in found.items() if n.endswith("weight")}


def changed(before, after):
    return sum(not np.array_equal(array, after[name]) for name, array in before.items())


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_statistics_stay_while_the_weights_learn(tmp_path, frozen):
    run = start(
        tmp_path / "run", widths=(), depths=(), backbone="efficientnet-lite0", pretrained=False,
        iterations=1, head_width=4,
    )  # fmt: skip
    run.config = Config(**{**vars(run.config), "pretrained": True, "freeze_statistics": frozen})
    for layer in (run.model.score_fr, run.model.score_pool4, run.model.score_pool3):
        layer.weight.data[...] = 0.1  # at 0, nothing would go back below them
    running, own = statistics_and_weights(run)
    run.train()
    running_after, own_after = statistics_and_weights(run)
    assert (changed(running, running_after) == 0) == frozen
    assert changed(own, own_after) > 70


def test_statistics_that_are_not_there_cannot_be_frozen(tmp_path, weights):
    with pytest.raises(ValueError, match="--freeze-statistics is for .*; squeezenet1.1 has none"):
        begin(tmp_path / "run", freeze_statistics=True)
    assert not (tmp_path / "run").exists()


def test_backbone_and_head_have_rates_of_their_own(tmp_path, weights):
    run = begin(tmp_path / "run", lr=0.1, backbone_lr=0.001, warmup=0, iterations=1)
    before, bias = backbone_of(run), run.model.score_fr.bias.numpy().copy()
    for layer in (run.model.score_fr, run.model.score_pool4, run.model.score_pool3):
        layer.weight.data[...] = 0.1
    run.train()  # Adam's first step is the rate, whatever the gradient
    steps = [np.abs(array - before[name]).max() for name, array in backbone_of(run).items()]
    assert max(steps) == pytest.approx(0.001, rel=1e-3)
    assert np.abs(run.model.score_fr.bias.numpy() - bias).max() == pytest.approx(0.1, rel=1e-3)


def test_the_momentum_of_batch_norm_is_every_layers(tmp_path):
    run = start(tmp_path / "run", bn_momentum=0.25)
    found = {m.momentum for m in run.model.modules() if hasattr(m, "momentum")}
    assert found == {0.25}
    assert {m.momentum for m in start(tmp_path / "b").model.modules() if hasattr(m, "eps")} == {0.1}


# -- Going on, and what travels ------------------------------------------------------------------


def test_a_run_goes_on_bit_for_bit_without_the_package(tmp_path, weights, monkeypatch):
    whole = begin(tmp_path / "whole", iterations=4, jitter=0.0)
    whole.train()
    part = begin(tmp_path / "part", iterations=4)
    part._step(*part.batches.batch(0))
    part.iteration = 1
    part.log.append({"iteration": 1, "loss": whole.log[0]["loss"], "lr": whole.log[0]["lr"],
                     "mean_iu": None, "pixel_accuracy": None})  # fmt: skip
    part.save()
    (tmp_path / "part" / "log.csv").write_bytes(
        b"".join((tmp_path / "whole" / "log.csv").read_bytes().splitlines(keepends=True)[:2])
    )
    monkeypatch.setattr(pretrained, "locate", lambda source: pytest.fail("read again"))
    known = backbones.PRETRAINED[NAME]
    monkeypatch.setitem(
        backbones.PRETRAINED, NAME, known._replace(read=lambda *_: pytest.fail("read again"))
    )
    Run.resume(tmp_path / "part").train()
    assert state_of(tmp_path / "part") == state_of(tmp_path / "whole")
    load_model(tmp_path / "part")


def test_a_run_that_was_killed_before_its_first_checkpoint_is_still_pretrained(tmp_path, weights):
    folder = tmp_path / "run"
    begin(folder).keep(started=True)
    assert not (folder / "last.safetensors").exists()
    for name, array in backbone_of(Run.resume(folder)).items():
        np.testing.assert_array_equal(array, weights[name.removeprefix("backbone.")])


@pytest.mark.parametrize(("content", "what"), [(None, "a folder"), (b"text", "not readable")])
def test_a_file_that_has_no_weights_is_named_with_its_option(tmp_path, content, what):
    path = tmp_path / "weights"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ValueError, match=f"backbone_weights .* of {NAME}; got {path}: {what}"):
        begin(tmp_path / "run", backbone_weights=str(path))
    assert not (tmp_path / "run").exists()


def test_a_fresh_start_without_the_package_leaves_nothing(tmp_path, monkeypatch):
    def missing(backbone, path):
        raise ValueError("the package is not installed")

    known = backbones.PRETRAINED[NAME]
    monkeypatch.setitem(backbones.PRETRAINED, NAME, known._replace(read=missing))
    with pytest.raises(ValueError, match="not installed"):
        begin(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_normalisation_travels_with_the_run(tmp_path, weights):
    folder = tmp_path / "run"
    run = begin(folder)
    assert run.config.normalisation == normalisation_of(NAME) != IMAGENET
    images, _ = run.batches.batch(0)
    i = run.batches.indices(0)[0]
    pixels = run.train_data[i][0]
    assert any(
        np.array_equal(images[0], run.config.normalisation(own))
        for own in (pixels, pixels[:, ::-1])
    )
    run.train()
    config, model = load_model(folder)
    assert config.normalisation == run.config.normalisation
    image = run.val_data[0][0]
    expected = predict(model, [image], normalisation_of(NAME))[0]
    np.testing.assert_array_equal(
        mask_of(model, image, config.size, config.normalisation), expected
    )
    other = json.loads((folder / "config.json").read_text())
    other["normalisation"] = {"scale": 255, "mean": [3, 3, 3], "std": [0.1] * 3, "order": "RGB"}
    scores = np.random.default_rng(0).standard_normal((6, 256, 1, 1)).astype(np.float32)
    rewrite(folder / "best.safetensors", {"score_pool3.weight": scores})
    before = evaluate_run(folder, run.val_data)
    (folder / "config.json").write_text(json.dumps(other))
    assert Config.load(folder / "config.json").normalisation.mean == (3, 3, 3)
    assert evaluate_run(folder, run.val_data)["pixel_accuracy"] != before["pixel_accuracy"]


def test_runs_from_before_have_other_names_and_still_load(tmp_path):
    """Their stages were not yet a backbone's, and their config had fewer choices."""
    folder = tmp_path / "run"
    start(folder).train()
    expected = results_of(folder)
    for name in ("last", "best"):
        arrays, metadata = load_arrays(folder / f"{name}.safetensors")
        old = {key.replace("backbone.stage", "stage"): array for key, array in arrays.items()}
        assert old.keys() != arrays.keys()
        metadata.pop("scored", None)  # ... and the best score was that at the run's size
        if name == "last":
            metadata["best_mean_iu"] = "0.9375"
        save_arrays(folder / f"{name}.safetensors", old, metadata)
    values = json.loads((folder / "config.json").read_text())
    kept = {"minifcn", "data", "root", "model", "size", "crop", "flip", "iterations", "batch_size",
            "lr", "warmup", "weight_decay", "widths", "depths", "head_width", "upsampling",
            "dropout", "seed", "device", "evaluate_every", "checkpoint_every",
            "classes"}  # fmt: skip
    old_config = {name: value for name, value in values.items() if name in kept}
    (folder / "config.json").write_text(json.dumps(old_config))
    config, model = load_model(folder)
    assert (config.backbone, config.normalisation) == ("small", IMAGENET)
    np.testing.assert_array_equal(
        model.state_dict()["backbone.stage1.0.0.weight"],
        load_arrays(folder / "best.safetensors")[0]["stage1.0.0.weight"],
    )
    resumed = Run.resume(folder)
    assert resumed.best_mean_iu == max(row["mean_iu"] or 0 for row in resumed.log)
    resumed.save()
    assert state_of(folder) == expected["last"]


# -- The masks' own size -------------------------------------------------------------------------


def test_the_likeliest_class_at_another_size_is_that_of_resized_scores():
    scores = np.random.default_rng(0).standard_normal((2, 5, 7, 9)).astype(np.float32)
    for shape in ((7, 9), (20, 31), (3, 4), (7, 30)):
        expected = interpolate(Tensor(scores), shape, mode="bilinear", align_corners=False)
        np.testing.assert_array_equal(likeliest(scores, shape), expected.data.argmax(1))


def test_the_first_of_equal_classes_wins():
    scores = np.zeros((1, 3, 2, 2), np.float32)
    assert not likeliest(scores, (2, 2)).any()
    assert not likeliest(scores, (5, 5)).any()


def write_folder(root, size):
    """Ten samples whose masks have lines of one pixel: resized, they would be lost."""
    generator = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for i in range(10):
        mask = np.zeros(size, np.uint8)
        mask[generator.integers(size[0])] = 1
        mask[0, 0] = VOID
        write_image(root / "images" / f"{i}.png", np.repeat(mask[..., None], 3, 2) % VOID * 200)
        write_mask(root / "masks" / f"{i}.png", mask, np.zeros((2, 3), np.uint8))
    (root / "classes.txt").write_text("ground\nline\n")


def test_masks_are_scored_at_their_own_size(tmp_path):
    write_folder(tmp_path / "data", (40, 60))
    folder = tmp_path / "run"
    run = start(folder, data=str(tmp_path / "data"), size=(16, 24), crop=None)
    run.train()
    dataset, _ = open_scored(run.config, folder)
    summary = evaluate_run(folder, dataset)
    assert summary["scored_at"] == {"40x60": 2}
    config, model = load_model(folder)
    right = counted = 0
    for image, truth in (dataset[i] for i in range(len(dataset))):
        assert truth.shape == (40, 60)
        scores = score(model, [resize_image(image, config.size)], config.normalisation)
        found = likeliest(scores, (40, 60))[0]
        right += ((found == truth) & (truth != VOID)).sum()
        counted += (truth != VOID).sum()
    assert counted == 2 * (40 * 60 - 1)
    assert summary["pixel_accuracy"] == right / counted
    assert run.log[-1]["pixel_accuracy"] == pytest.approx(
        evaluate_run(folder, dataset, "last")["pixel_accuracy"]
    )


# -- Choices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"backbone": "resnet"}, "backbone must be one of small, .*vgg16; got 'resnet'"),
        ({"freeze": True}, "--freeze needs a pretrained backbone, .*; got small"),
        ({"freeze_statistics": True}, "--freeze-statistics needs a pretrained backbone"),
        ({"backbone_weights": "x.pth"}, "--backbone-weights needs a pretrained backbone"),
        (
            {"backbone": NAME, "pretrained": False, "freeze": True},
            "leave --from-scratch out; got squeezenet1.1, trained",
        ),
        (
            {"backbone": NAME, "freeze": True, "backbone_lr": 1e-3},
            "--backbone-lr 0.001 is that of a backbone that learns, which --freeze forbids",
        ),
        ({"pretrained": True}, "backbone small cannot be pretrained"),
        ({"backbone_lr": 0.0}, "backbone_lr must be a positive number; got 0"),
        ({"bn_momentum": 1.5}, "bn_momentum must be from 0 to 1; got 1.5"),
        ({"label_smoothing": -0.1}, "label_smoothing must be from 0 to 1; got -0.1"),
        (
            {"scale": (2.0, 1.0)},
            r"scale must be two factors from 0.1 to 10, the smaller one first; got \(2.0, 1.0\)",
        ),
        ({"class_weights": "equal"}, "class_weights must be one of balanced; got 'equal'"),
        ({"class_weights": (1.0, -1.0)}, "class_weights must be at least 0"),
        ({"class_weights": (0.0, 0.0)}, "class_weights must be at least 0, and one above"),
        (
            {"class_weights": (1.0,), "classes": {"a": (0, 0, 0), "b": (1, 1, 1)}},
            r"class_weights must be 2 numbers, one a class; got \(1.0,\)",
        ),
        ({"label_smoothing": 1.0}, "label_smoothing must be below 1, or nothing is learnt"),
    ],
)
def test_choices_that_cannot_be_meant(choices, message):
    with pytest.raises(ValueError, match=message):
        Config.make(**choices)


@pytest.mark.parametrize(
    "value",
    [3, {"scale": 1}, {"scale": "1", "mean": [0] * 3, "std": [1] * 3, "order": "RGB"},
     {"scale": 1, "mean": [0] * 2, "std": [1] * 3, "order": "RGB"},
     {"scale": 1, "mean": [0] * 3, "std": [1, 0, 1], "order": "RGB"},
     {"scale": 1, "mean": [0] * 3, "std": [1] * 3, "order": "GRB"},
     {"scale": 1, "mean": [0] * 3, "std": [1] * 3, "order": "RGB", "more": 1}],
)  # fmt: skip
def test_a_normalisation_that_cannot_be_meant(tmp_path, value):
    start(tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    values = json.loads(path.read_text())
    values["normalisation"] = value
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match="config.json: ") as caught:
        Config.load(path)
    assert "\n" not in str(caught.value)
    assert "__init__" not in str(caught.value)


def test_a_pretrained_backbone_has_a_recipe_of_its_own(tmp_path):
    config = Config.make("camvid", root=str(tmp_path), backbone="efficientnet-lite0")
    small = Config.make("camvid", root=str(tmp_path))
    assert config.pretrained
    assert (config.size, config.backbone_lr) == ((360, 480), config.lr / 10)
    assert config.size != small.size
    assert config.normalisation == Normalisation(1, (127,) * 3, (128,) * 3)
    scratch = Config.make(backbone="vgg16", pretrained=False)
    assert (scratch.pretrained, scratch.backbone_lr, scratch.widths) == (False, None, ())


@pytest.mark.parametrize("pretrained", [True, False])
def test_running_statistics_from_scratch_forget_where_they_started(pretrained):
    config = Config.make(backbone="efficientnet-lite0", pretrained=pretrained, by_heart=1)
    model = replace(config, classes={"a": (0, 0, 0)}).build_model(np.random.default_rng(0))
    left = (1 - model.backbone.bn0.momentum) ** config.evaluate_every
    assert pretrained or left < 0.01
    assert model.backbone.bn0.momentum == (0.01 if pretrained else 0.1)


def test_a_pretrained_backbone_keeps_its_part_of_another_rate():
    config = Config.make(backbone=NAME, lr=1e-4)
    assert config.backbone_lr == pytest.approx(1e-5)
    assert Config.make(backbone=NAME, lr=1e-4, backbone_lr=1e-3).backbone_lr == 1e-3
    assert Config.make(backbone=NAME, lr=1e-4, pretrained=False).backbone_lr is None
    assert Config.make(lr=1e-4).backbone_lr is None


def test_the_command_trains_on_a_backbone(cli, tmp_path):
    need(NETWORKS["efficientnet-lite0"].weights)
    settings = ["--size", "64x64", "--batch-size", "2", "--iterations", "1", "--device", "cpu"]
    out = ["--out", tmp_path / "run"]
    done = cli("train", "--backbone", "efficientnet-lite0", "--freeze", "--stride", "4", *settings,
               *out)  # fmt: skip
    assert done.code == 0, done.err
    assert "fcn4s on efficientnet-lite0 (pretrained and frozen) on shapes" in done.err
    assert "trained)" in done.err
    assert "by training the head alone; without --freeze the backbone learns, too" in done.err
    config = Config.load(tmp_path / "run" / "config.json")
    assert (config.model, config.freeze, config.pretrained) == ("fcn4s", True, True)


def test_two_ways_to_say_the_stride_must_agree(cli, tmp_path):
    done = cli("train", "--stride", "16", "--model", "fcn8s", "--out", tmp_path / "run")
    assert (done.code, done.out) == (2, "")
    assert "--stride 16 is --model fcn16s; got fcn8s" in done.err


# -- The loss, and what is done to samples -------------------------------------------------------


def test_balanced_class_weights_are_counted_once_and_recorded(tmp_path):
    folder = tmp_path / "run"
    run = start(folder, class_weights="balanced", label_smoothing=0.1)
    weights = run.config.class_weights
    np.testing.assert_allclose(weights, balanced_weights(run.train_data), rtol=1e-5)
    images, labels = run.batches.batch(0)
    scores = Tensor(np.random.default_rng(0).standard_normal((2, 6, 32, 32)).astype(np.float32))
    expected = cross_entropy(
        scores, labels, np.array(weights), ignore_index=VOID, label_smoothing=0.1
    )
    assert run.compute_loss(scores, Tensor(labels)).item() == expected.item()
    assert expected.item() != cross_entropy(scores, labels, ignore_index=VOID).item()
    assert Config.load(folder / "config.json").class_weights == weights
    resumed = Run.resume(folder)
    assert resumed.compute_loss(scores, Tensor(labels)).item() == expected.item()


def test_balanced_class_weights_are_said(cli, tmp_path):
    write_folder(tmp_path / "data", (40, 60))
    options = ("--data", tmp_path / "data", *TINY, "--class-weights", "balanced")
    done = cli("train", *options, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    weights = Config.load(tmp_path / "run" / "config.json").class_weights
    assert f"class weights: ground {weights[0]:.3g}, line {weights[1]:.3g}\n" in done.err
    assert weights[1] > 10 > weights[0]


def test_samples_are_scaled_and_jittered_and_a_run_goes_on_bit_for_bit(tmp_path):
    choices = {"scale": (0.5, 2.0), "jitter": 0.3, "crop": (24, 24), "iterations": 4}
    plain = start(tmp_path / "plain", crop=(24, 24)).batches.batch(0)[0]
    whole = start(tmp_path / "whole", **choices)
    assert not np.array_equal(whole.batches.batch(0)[0], plain)
    whole.train()
    part = start(tmp_path / "part", **choices)

    def stop(row):
        if row["iteration"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        part.train(stop)
    Run.resume(tmp_path / "part").train()
    assert results_of(tmp_path / "part") == results_of(tmp_path / "whole")


def test_scale_crops_to_the_size_where_nothing_is_cropped(tmp_path):
    assert Config.make(scale=(0.5, 2.0), size=(40, 50)).crop == (40, 50)


def test_a_crop_of_the_recipe_fits_into_a_smaller_size_with_scale_too():
    for choices in ({}, {"scale": (0.75, 1.5)}):
        config = Config.make("camvid", size=(100, 200), **choices)
        assert config.crop == (100, 192)


@pytest.mark.parametrize("text", ["2", "a-b", "1-", "2-1", "0-1"])
def test_what_is_no_range_of_scales(cli, tmp_path, text):
    done = cli("train", "--scale", text, "--out", tmp_path / "run")
    assert done.code == 2
    assert "scale" in done.err.splitlines()[-1]


def test_functions_of_a_course_know_only_the_small_backbone(cli, tmp_path):
    for option in (["--backbone", NAME], ["--class-weights", "balanced"]):
        done = cli("train", "--mistake", "dx.overwrite", *option, "--out", tmp_path / "run")
        assert (done.code, done.out) == (2, "")
        assert f"{option[0]} cannot go with --kernels or --mistake" in done.err


@pytest.mark.parametrize(
    "option", [("--stride", "4"), ("--from-scratch",), ("--seed", "0"), ("--freeze",)]
)
def test_a_run_that_is_taken_up_refuses_options_by_the_names_they_have(cli, tmp_path, option):
    start(tmp_path / "run")
    done = cli("train", "--resume", tmp_path / "run", *option)
    assert (done.code, done.out) == (2, "")
    assert done.err.rstrip().endswith(f"got {option[0]} too")
