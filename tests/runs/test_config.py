import dataclasses
import json
import math

import numpy as np
import pytest

from minifcn.data import Shapes
from minifcn.runs.config import Config
from minifcn.runs.recipes import RECIPES
from minifcn.runs.values import MAX_PIXELS

CLASSES = {"ground": (1, 2, 3), "tree": (250, 0, 255)}


def save(path, **changes):
    """Write the config.json of a run, some of its values replaced."""
    values = json.loads(Config(classes=CLASSES).to_json("0.1.0")) | changes
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def test_a_config_from_before_own_kernels_is_read(tmp_path):
    path = save(tmp_path / "config.json")
    values = json.loads(path.read_text())
    for name in ("by_heart", "kernels", "mistake"):
        del values[name]
    path.write_text(json.dumps(values))
    assert Config.load(path) == Config(classes=CLASSES)
    del values["lr"]
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match="see lr"):
        Config.load(path)


# -- Recipes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", RECIPES)
def test_a_recipe_is_the_default_of_its_data(data):
    assert Config.make(data) == Config(**RECIPES[data])
    assert Config.make(data).data == data


def test_shapes_is_the_default_and_none_means_not_given():
    assert Config.make() == Config.make(None, lr=None, size=None) == Config()


def test_any_other_name_is_a_folder():
    config = Config.make("photos")
    assert config.data == "photos"
    assert config.crop is None
    assert config != Config(data="photos")


def test_choices_replace_the_recipe():
    config = Config.make("camvid", root="there", size=(64, 800), lr=0.5, model="fcn32s", seed=3)
    assert (config.root, config.size, config.lr, config.model, config.seed) == (
        ("there", (64, 800), 0.5, "fcn32s", 3)
    )
    assert config.widths == RECIPES["camvid"]["widths"]
    assert config.crop == (64, RECIPES["camvid"]["crop"][1])


def test_a_crop_fits_into_the_size():
    assert Config.make(size=(64, 80), crop=(64, 80)).crop == (64, 80)
    for crop in ((65, 80), (64, 81)):
        with pytest.raises(ValueError, match=r"^crop must fit into size \(64, 80\); got"):
            Config.make(size=(64, 80), crop=crop)


@pytest.mark.parametrize(("iterations", "every"), [(1, 50), (499, 50), (510, 51), (1000, 100)])
def test_ten_validations_unless_they_would_follow_too_closely(iterations, every):
    assert Config.make(iterations=iterations).evaluate_every == every
    assert Config.make(iterations=iterations, evaluate_every=7).evaluate_every == 7


# -- Saving and loading --------------------------------------------------------------------------


def test_round_trip(tmp_path):
    config = Config.make(
        "camvid", root="r", size=(33, 47), crop=(32, 32), lr=0.1 + 0.2, flip=False, dropout=0.25
    )
    config = dataclasses.replace(config, classes=CLASSES)
    path = tmp_path / "config.json"
    path.write_text(config.to_json("0.1.0"))
    assert Config.load(path) == config
    assert json.loads(path.read_text())["minifcn"] == "0.1.0"
    assert path.read_text().endswith("}\n")


def test_the_version_may_be_missing_and_a_whole_number_is_a_float(tmp_path):
    path = save(tmp_path / "config.json", lr=1)
    values = json.loads(path.read_text())
    del values["minifcn"]
    path.write_text(json.dumps(values))
    assert Config.load(path).lr == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "not valid JSON"),
        (b"[]", "must hold a JSON object; got list"),
        (b"7", "must hold a JSON object; got int"),
        (b"{}", "not the config of a run; see batch_size, checkpoint_every, classes"),
    ],
)
def test_a_file_that_is_no_config(tmp_path, text, message):
    path = tmp_path / "config.json"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=message) as caught:
        Config.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_config_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"is not the folder of a run"):
        Config.load(tmp_path / "config.json")
    with pytest.raises(ValueError, match="Is a directory"):
        Config.load(tmp_path)


def nested(depth):
    value = 1
    for _ in range(depth):
        value = {"classes": value}
    return value


WRONG = [
    ("data", 5, "data must be str; got 5"),
    ("root", ["r"], "root must be str | None; got ('r',)"),
    ("model", "fcn2s", "model must be one of fcn32s, fcn16s, fcn8s, fcn4s; got 'fcn2s'"),
    ("model", None, "model must be str; got None"),
    ("device", "tpu", "device must be one of auto, cpu, cuda; got 'tpu'"),
    ("size", [96], "size must be tuple[int, int]; got (96,)"),
    ("size", [96, 96.0], "size must be tuple[int, int]; got (96, 96.0)"),
    ("size", [0, 96], "size must be at least 1x1; got (0, 96)"),
    ("size", [10**6, 10**6], f"size must make at most {MAX_PIXELS} pixels a batch"),
    ("crop", [-1, 4], "crop must be at least 1x1; got (-1, 4)"),
    ("crop", [10**9, 10**9], f"crop must make at most {MAX_PIXELS} pixels a batch"),
    ("flip", 1, "flip must be bool; got 1"),
    ("iterations", 0, "iterations must be at least 1; got 0"),
    ("iterations", True, "iterations must be int; got True"),
    ("iterations", 10.0, "iterations must be int; got 10.0"),
    ("batch_size", 0, "batch_size must be at least 1; got 0"),
    ("batch_size", 10**12, f"size must make at most {MAX_PIXELS} pixels a batch"),
    ("evaluate_every", -5, "evaluate_every must be at least 1; got -5"),
    ("checkpoint_every", 0, "checkpoint_every must be at least 1; got 0"),
    ("lr", 0, "lr must be a positive number; got 0"),
    ("lr", -1e-3, "lr must be a positive number; got -0.001"),
    ("lr", math.nan, "lr must be a finite number; got nan"),
    ("lr", math.inf, "lr must be a finite number; got inf"),
    ("lr", 10**400, "lr must be a finite number; got 1000"),
    ("lr", "0.1", "lr must be float; got '0.1'"),
    ("lr", False, "lr must be float; got False"),
    ("weight_decay", -1, "weight_decay must be at least 0; got -1"),
    ("weight_decay", math.inf, "weight_decay must be a finite number; got inf"),
    ("dropout", math.nan, "dropout must be a finite number; got nan"),
    ("warmup", -1, "warmup must be at least 0; got -1"),
    ("seed", -1, "seed must be at least 0; got -1"),
    ("widths", [1, 2, "3"], "widths must be tuple[int, ...]; got (1, 2, '3')"),
    ("widths", {"a": 1}, "widths must be tuple[int, ...]; got {'a': 1}"),
    ("classes", {}, "classes must be at least 1; got 0"),
    ("classes", ["a", "b"], "classes must be dict[str, tuple[int, ...]]; got ('a', 'b')"),
    ("classes", {"a": [1, 2]}, "classes must be dict[str, tuple[int, ...]]; got {'a': (1, 2)}"),
    ("classes", {"a": [1, 2, 256]}, "classes must be dict"),
    ("classes", {"a": [1, 2, -1]}, "classes must be dict"),
    ("classes", nested(900), "classes must be dict"),
    ("classes", {str(i): [0, 0, 0] for i in range(256)}, "classes must be at most 255; got 256"),
    ("unknown", 1, "not the config of a run; see unknown"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_a_wrong_value_is_named_in_one_short_line(tmp_path, name, value, message):
    path = save(tmp_path / "config.json", **{name: value})
    with pytest.raises(ValueError) as caught:
        Config.load(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_as_many_classes_as_ids_are_allowed(tmp_path):
    path = save(tmp_path / "config.json", classes={str(i): [0, 0, 0] for i in range(255)})
    assert len(Config.load(path).classes) == 255


# -- Data and model ------------------------------------------------------------------------------


def test_shapes_are_drawn_in_the_configs_size():
    config = Config.make(size=(40, 33), seed=9)
    dataset = config.open_dataset("val")
    assert dataset[0][1].shape == (40, 33)
    np.testing.assert_array_equal(dataset[0][0], Shapes("val", size=(40, 33), seed=0)[0][0])


def test_classes_come_from_the_data():
    dataset = Shapes("val")
    config = Config().with_classes_of(dataset)
    assert tuple(config.classes) == dataset.classes
    np.testing.assert_array_equal(config.palette, dataset.palette)
    assert config.palette.dtype == np.uint8
    assert config.with_classes_of(dataset) == config


def test_other_classes_than_the_runs_are_refused():
    with pytest.raises(ValueError, match="must have the classes of the run, ground, tree; got bac"):
        Config(classes=CLASSES).with_classes_of(Shapes("val"))


@pytest.mark.parametrize(("name", "stride"), [("fcn32s", 32), ("fcn8s", 8), ("fcn4s", 4)])
def test_build_model_passes_every_choice(name, stride):
    config = Config(
        model=name,
        widths=(2, 3, 4, 5, 6),
        depths=(1, 2, 1, 1, 1),
        head_width=7,
        upsampling="learned",
        dropout=0.25,
        classes=CLASSES,
    )
    model = config.build_model(np.random.default_rng(0))
    assert model.stride == stride
    assert model.score_fr.weight.shape == (2, 7, 1, 1)
    assert [len(getattr(model.backbone, f"stage{i}")) - 1 for i in range(1, 6)] == [1, 2, 1, 1, 1]
    assert model.backbone.stage5[0][0].weight.shape == (6, 5, 3, 3)
    assert (model.drop6.p, model.drop7.p) == (0.25, 0.25)
    assert stride == 32 or model.upscore2.weight.requires_grad
