"""The microscope's page: its numbers are the network's, its classes the prediction, at each pixel."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from small_runs import make_config

from minifcn.data.images import write_image
from minifcn.data.transforms import normalise, resize_pair
from minifcn.explain import microscope
from minifcn.explain.fields import path_field, path_sights, windows_of
from minifcn.explain.microscope import (
    LAYERS,
    MOST_BYTES,
    Scene,
    Subject,
    make_microscope,
    numbers_of,
    rounded_terms,
    subject_of,
)
from minifcn.plots.receptive_field import input_gradient, measured_box
from minifcn.runs.steps import predict
from minifcn.tensor import Tensor, no_grad

PAGE = Path(microscope.__file__).parent / "page"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


def network(model="fcn8s", classes=4, seed=0, **choices):
    """A small network whose scores are not 0, as they are at first, but around it on every path."""
    generator = np.random.default_rng(seed)
    names = {f"class {i}": (10 * i % 256, i % 256, 0) for i in range(classes)}
    config = make_config(model=model, classes=names, **choices)
    network = config.build_model(generator).eval()
    noise = Tensor(generator.standard_normal((1, 3, 64, 64)).astype(np.float32))
    for name, path in (("score_fr", "top"), ("score_pool4", "pool4"), ("score_pool3", "pool3")):
        if hasattr(network, name):
            layer = getattr(network, name)
            layer.weight.data[...] = generator.standard_normal(layer.weight.shape)
            with no_grad():
                layer.bias.data[...] = -network.path_scores(noise)[path].data.mean((0, 2, 3))
    return config, network


def subject(size=(40, 52), seed=0, truth=True, **choices):
    """Such a network, and a scene of noisy blocks."""
    config, model = network(seed=seed, size=size, **choices)
    generator = np.random.default_rng(seed + 1)
    rows, columns = (np.arange(length) // 12 for length in size)
    blocks = generator.integers(0, 2, (rows[-1] + 1, columns[-1] + 1, 3))[np.ix_(rows, columns)]
    image = (200 * blocks + generator.integers(0, 56, blocks.shape)).astype(np.uint8)
    labels = generator.integers(0, len(config.classes), size, np.uint8) if truth else None
    return Subject(config, model, Scene(image, labels, "scene", size))


def embedded(page):
    """The numbers of a page."""
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def array(text, kind="<i2"):
    """An array as the page has it."""
    return np.frombuffer(base64.b64decode(text), kind)


def terms_of(data):
    """The embedded terms (P, C, H, W), as numbers."""
    shown = data["shown"]
    shape = (len(data["paths"]), len(data["classes"]), len(shown["rows"]), len(shown["columns"]))
    return array(data["terms"]).reshape(shape) / 10.0 ** data["decimals"]


def places_of(data):
    """Which pixels of the network's are kept, to index with."""
    return np.ix_(data["shown"]["rows"], data["shown"]["columns"])


# -- Terms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "paths"),
    [
        ({"model": "fcn8s"}, ["top", "pool4", "pool3"]),
        ({"model": "fcn8s", "upsampling": "learned"}, ["top", "pool4", "pool3"]),
        ({"model": "fcn16s"}, ["top", "pool4"]),
        ({"model": "fcn32s"}, ["top"]),
    ],
)
def test_the_terms_are_the_networks_and_add_up_to_its_scores(choices, paths):
    own = subject(**choices)
    data = numbers_of(own)
    x = Tensor(normalise(own.scene.image)[np.newaxis])
    with no_grad():
        scores, terms = own.model(x).data[0], own.model.score_terms(x)
    assert [path["name"] for path in data["paths"]] == paths == list(terms)
    unit = 10.0 ** -data["decimals"]
    found = terms_of(data)
    assert np.abs(scores).max() > 1000 * unit  # three digits at least
    np.testing.assert_allclose(found.sum(0), scores, rtol=0, atol=1.01 * unit)
    for path, term in enumerate(terms.values()):
        np.testing.assert_allclose(found[path], term.data[0], rtol=0, atol=3 * unit)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("model", ["fcn8s", "fcn16s", "fcn32s"])
def test_the_largest_sum_is_the_prediction_at_each_pixel(model, seed):
    own = subject(model=model, seed=seed, classes=6)
    found = terms_of(numbers_of(own))
    prediction = predict(own.model, [own.scene.image])[0]
    assert len(np.unique(prediction)) > 1
    sums = np.rint(found.sum(0) * 1e6)  # as whole numbers, for ties
    assert (sums.argmax(0) == prediction).all()


def test_equal_scores_are_the_first_class_as_in_the_network():
    terms = np.zeros((3, 4, 2, 2), np.float32)
    decimals, counts = rounded_terms(terms, np.zeros((2, 2), np.uint8))
    assert (decimals, counts.any()) == (3, False)


def test_rounding_does_not_change_the_class():
    """Scores that differ by less than the unit, in both orders, far below the largest number."""
    terms = np.zeros((2, 3, 1, 2), np.float32)
    terms[0, :, 0, 0] = [1, 1.00001, 30]
    terms[1, :, 0, 0] = [0, 0, -30]
    terms[0, :, 0, 1] = [1.00001, 1, 1]
    prediction = terms.sum(0).argmax(0)
    assert prediction.tolist() == [[1, 0]]
    decimals, counts = rounded_terms(terms, prediction)
    assert decimals == 3
    assert counts.sum(0)[:, 0, 0].tolist() == [1000, 1001, 0]
    assert counts.sum(0)[:, 0, 1].tolist() == [1000, 1000, 1000]


@pytest.mark.parametrize("largest", [1e-4, 0.9, 3.3, 31.9, 1e3, 1e6])
def test_rounded_terms_fit_whatever_their_size(largest):
    generator = np.random.default_rng(3)
    terms = generator.uniform(-largest, largest, (3, 5, 6, 7)).astype(np.float32)
    prediction = terms.sum(0).argmax(0)
    decimals, counts = rounded_terms(terms, prediction)
    np.testing.assert_allclose(counts / 10.0**decimals, terms, atol=3 * 10.0**-decimals)
    assert (counts.sum(0, dtype=int).argmax(0) == prediction).all()


# -- What a pixel sees ---------------------------------------------------------------------------


def test_the_receptive_fields_of_a_network_with_one_convolution_a_stage():
    _, model = network()
    assert path_field(model, "pool3") == (22, 8, -7)
    assert path_field(model, "pool4") == (46, 16, -15)
    assert path_field(model, "top") == (158, 32, -63)


def test_a_pixel_is_made_of_two_cells_along_an_axis_but_at_the_border():
    _, model = network()
    sights = path_sights(model, "pool3", 64, [0, 3, 4, 11, 12, 63])
    assert [sight.cells for sight in sights] == [(0, 0), (0, 0), (0, 1), (0, 1), (1, 2), (7, 7)]
    assert sights[2].pixels == (-7, 22)


@pytest.mark.parametrize("model", ["fcn8s", "fcn16s", "fcn32s"])
def test_a_term_depends_on_no_pixel_outside_of_what_its_path_sees(model):
    """Measured by a gradient, at corners and inside; and it reaches each border of the box."""
    config, own = network(model, size=(96, 160))
    images = np.random.default_rng(5).standard_normal((6, 3, 96, 160)).astype(np.float64)
    own = own.to(dtype=np.float64)
    for path in [one["name"] for one in numbers_of(subject(model=model))["paths"]]:
        for row, column in ((0, 0), (49, 83), (95, 4)):
            gradient = input_gradient(lambda x, p=path: own.score_terms(x)[p], images, (row, column))
            (down,), (across,) = (path_sights(own, path, n, [at]) for n, at in ((96, row), (160, column)))
            top, bottom = max(down.pixels[0], 0), min(down.pixels[1], 95)
            left, right = max(across.pixels[0], 0), min(across.pixels[1], 159)
            box = measured_box(gradient)
            assert top <= box.top
            assert left <= box.left
            assert box.top + box.height - 1 <= bottom
            assert box.left + box.width - 1 <= right
            if path == "pool3":
                assert box == (top, left, bottom - top + 1, right - left + 1)


def test_windows_know_transposed_convolutions():
    _, model = network()
    assert windows_of([model.upscore]) == [(16, 8, 4, 1, True)]


# -- Maps ----------------------------------------------------------------------------------------


def test_maps_have_the_size_of_the_image_and_the_channels_that_vary_most():
    own = subject(size=(40, 52))
    data = numbers_of(own)
    assert [layer["name"] for layer in data["layers"]] == list(LAYERS)
    sizes = [(layer["height"], layer["width"]) for layer in data["layers"]]
    assert sizes == [(20, 26), (10, 13), (5, 7), (3, 4), (2, 2), (2, 2)]
    first = data["layers"][0]
    x = Tensor(normalise(np.pad(own.scene.image, ((0, 24), (0, 12), (0, 0))))[np.newaxis])
    x.data[:, :, 40:] = x.data[:, :, :, 52:] = 0
    with no_grad():
        stage = own.model.stage1(x).data[0, :, :20, :26]
    variances = stage.reshape(len(stage), -1).var(1)
    chosen = [one["channel"] for one in first["maps"]]
    assert chosen == np.argsort(-variances).tolist()[:4]
    for one in first["maps"]:
        low, high = one["low"], one["high"]
        shown = low + array(one["values"], np.uint8).reshape(20, 26) / 255 * (high - low)
        np.testing.assert_allclose(shown, stage[one["channel"]], atol=(high - low) / 500)


def test_coarse_scores_are_those_before_upsampling():
    own = subject(size=(64, 96))
    data = numbers_of(own)
    with no_grad():
        scores = own.model.path_scores(Tensor(normalise(own.scene.image)[np.newaxis]))
    for path in data["paths"]:
        coarse, wanted = path["coarse"], scores[path["name"]].data[0]
        assert (coarse["height"], coarse["width"], coarse["step"]) == (*wanted.shape[1:], 1)
        found = array(coarse["scores"]).reshape(wanted.shape) / 10.0 ** coarse["decimals"]
        np.testing.assert_allclose(found, wanted, atol=0.51 * 10.0 ** -coarse["decimals"])


# -- Size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "classes"), [((180, 240), 11), ((250, 250), 40), ((96, 96), 250), ((1, 700), 3)]
)
def test_a_page_of_many_pixels_or_classes_keeps_its_size(size, classes):
    own = subject(size=size, classes=classes)
    page = make_microscope(own)
    assert len(page.encode()) <= MOST_BYTES
    data = embedded(page)
    sums = np.rint(terms_of(data).sum(0) * 1e6)
    assert (sums.argmax(0) == predict(own.model, [own.scene.image])[0][places_of(data)]).all()
    truth = array(data["truth"], np.uint8).reshape(sums.shape[1:])
    assert (truth == own.scene.truth[places_of(data)]).all()


def test_a_page_asks_for_nothing_and_no_name_ends_its_script():
    own = subject()
    own = own._replace(scene=own.scene._replace(name="<!--<script></script>"))
    page = make_microscope(own)
    assert embedded(page)["image"]["name"] == "<!--<script></script>"
    assert page.count("<script") == 2
    found = re.findall(r"https?://[^\"'`\s]+", page)
    assert set(found) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(src|href)=", page.split("<script")[0])


def test_every_text_is_in_english_and_korean_with_the_same_names():
    texts = json.loads((PAGE / "microscope_texts.json").read_text(encoding="utf-8"))
    for key, text in texts.items():
        assert set(text) == {"en", "ko"}, key
        names = [set(re.findall(r"\{\w+\}", line)) for line in text.values()]
        assert names[0] == names[1], key


def test_each_text_that_is_asked_for_is_there_and_used():
    texts = json.loads((PAGE / "microscope_texts.json").read_text(encoding="utf-8"))
    sources = [(PAGE / f"microscope{end}").read_text() for end in (".html", "_view.js")]
    asked = set(re.findall(r'(?:\btext\(|data-text=|heading\()"(\w+)"', "\n".join(sources)))
    assert asked <= set(texts)
    prefixes = ("picture_", "role_", "tag_", "facts_", "say_")
    assert {key for key in texts if not key.startswith(prefixes)} <= asked


# -- The script ----------------------------------------------------------------------------------


def in_node(script, data, tmp_path):
    """Run a script in node, that has Microscope, data and scope; return what it prints, as JSON."""
    (tmp_path / "data.json").write_text(json.dumps(data), encoding="utf-8")
    head = (
        f"const Microscope = require({json.dumps(str(PAGE / 'microscope.js'))});"
        f"const data = require({json.dumps(str(tmp_path / 'data.json'))});"
        "const scope = Microscope.open(data);"
    )
    command = [NODE, "-e", f"{head} console.log(JSON.stringify((() => {{ {script} }})()));"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


ALL = """
  const found = [];
  for (let i = 0; i < scope.height; i++) for (let j = 0; j < scope.width; j++) {
    const now = scope.at(i, j);
    found.push([now.label, now.truth, now.scores, now.probabilities, now.leaders]);
  }
  return found;
"""


@needs_node
@pytest.mark.parametrize("model", ["fcn8s", "fcn32s"])
def test_the_script_finds_the_networks_numbers_at_each_pixel(model, tmp_path):
    own = subject(model=model, size=(40, 52))
    data = numbers_of(own)
    found = in_node(ALL, data, tmp_path)
    with no_grad():
        scores = own.model(Tensor(normalise(own.scene.image)[np.newaxis])).data[0]
    labels, truths, said, probabilities, leaders = zip(*found, strict=True)
    assert labels == tuple(predict(own.model, [own.scene.image])[0].ravel().tolist())
    assert truths == tuple(own.scene.truth.ravel().tolist())
    unit = 10.0 ** -data["decimals"]
    flat = scores.reshape(len(scores), -1).T
    np.testing.assert_allclose(said, flat, atol=1.01 * unit)
    powers = np.exp(flat - flat.max(1, keepdims=True))
    expected = powers / powers.sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, atol=3 * unit)
    assert all(line[-1] == label for line, label in zip(leaders, labels, strict=True))
    top = terms_of(data)[0].argmax(0).ravel()
    assert [line[0] for line in leaders] == top.tolist()


@needs_node
def test_the_script_draws_what_the_paths_see_and_add(tmp_path):
    own = subject(size=(64, 96))
    data = numbers_of(own)
    script = "return {box: scope.box(2, 30, 95), cells: scope.cells(0, 40, 70), whole: scope.box(0, 9, 9),"
    script += "sum: [...scope.added(null, 1)], pool3: [...scope.added(2, 1)], top: [...scope.coarse(0, 3)]};"
    found = in_node(script, data, tmp_path)
    (down,), (across,) = (path_sights(own.model, "pool3", n, [at]) for n, at in ((64, 30), (96, 95)))
    top, left = down.pixels[0], across.pixels[0]
    box = {"y": top, "x": left, "height": down.pixels[1] - top + 1, "width": 96 - left}
    assert {name: found["box"][name] for name in box} == box
    assert found["box"]["fullWidth"] == across.pixels[1] - left + 1
    assert not found["box"]["whole"]
    assert found["whole"]["whole"]
    assert found["cells"]["own"] == [1, 2]
    terms = terms_of(data)
    np.testing.assert_allclose(found["sum"], terms.sum(0)[1].ravel())
    np.testing.assert_allclose(found["pool3"], terms[2, 1].ravel())
    assert len(found["top"]) == 2 * 3


@needs_node
def test_the_state_goes_into_the_address_and_back(tmp_path):
    data = numbers_of(subject(size=(180, 240), classes=11))
    assert data["shown"]["step"] == 2
    script = """
      const state = {place: [20, 30], label: 3, pinned: true, language: "ko"};
      const hash = Microscope.toHash(state, scope);
      const wrong = ["", "#pixel=-1,x&class=99&lang=fr", "#pixel=99999,99999"];
      return [hash, Microscope.fromHash(hash, scope, data),
        ...wrong.map(one => Microscope.fromHash(one, scope, data))];
    """
    hash_, state, none, wrong, far = in_node(script, data, tmp_path)
    assert hash_ == "#pixel=41,61&class=3&pin=1&lang=ko"
    assert state == {"place": [20, 30], "label": 3, "pinned": True, "language": "ko"}
    plain = {"place": data["start"], "label": None, "pinned": False, "language": "en"}
    assert none == wrong == plain
    assert far["place"] == [89, 119]


# -- From a run, and by the command --------------------------------------------------------------


def test_the_command_shows_a_validation_scene_of_a_run(cli, finished, tmp_path):
    run, _ = finished
    out = tmp_path / "page.html"
    result = cli("explain", "fcn8s", run, "--out", out)
    assert (result.code, result.out) == (0, f"{out}\n")
    data = embedded(out.read_text(encoding="utf-8"))
    own = subject_of(run)
    sums = np.rint(terms_of(data).sum(0) * 1e9)
    assert (sums.argmax(0) == predict(own.model, [own.scene.image])[0]).all()
    assert data["image"]["name"].startswith("val-")
    assert data["truth"]
    assert data["network"]["trained"] is None


def test_the_command_resizes_an_image_as_predict_does(cli, finished, tmp_path):
    run, _ = finished
    image = np.random.default_rng(0).integers(0, 256, (50, 75, 3), np.uint8)
    write_image(tmp_path / "photo.png", image)
    out = tmp_path / "page.html"
    given = ("--image", tmp_path / "photo.png", "--checkpoint", "last", "--out", out)
    assert cli("explain", "fcn8s", run, *given).code == 0
    data = embedded(out.read_text(encoding="utf-8"))
    own = subject_of(run, tmp_path / "photo.png", "last")
    wanted, _ = resize_pair(image, np.zeros((50, 75), np.uint8), own.config.size)
    assert (own.scene.image == wanted).all()
    assert (data["image"]["own"], data["image"]["name"]) == ([50, 75], "photo.png")
    assert data["truth"] is data["image"]["truth"] is None


def test_without_a_run_a_small_network_is_trained(cli, tmp_path, monkeypatch):
    small = make_config(iterations=2, evaluate_every=2)
    monkeypatch.setattr(microscope, "SMALL", small)
    out = tmp_path / "page.html"
    result = cli("explain", "fcn8s", "--out", out)
    assert (result.code, result.out) == (0, f"{out}\n")
    assert "training a small fcn8s on shapes, 2 iterations" in result.err
    assert "iteration 2/2" in result.err
    assert embedded(out.read_text(encoding="utf-8"))["network"]["trained"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_what_cannot_be_shown_is_refused_in_a_line(refused, finished, tmp_path):
    run, _ = finished
    (tmp_path / "text.png").write_text("no image")
    assert "not the folder of a run" in refused("explain", "fcn8s", tmp_path)
    assert "cannot read" in refused("explain", "fcn8s", run, "--image", tmp_path / "text.png")
    assert "no such file" in refused("explain", "fcn8s", run, "--image", tmp_path / "none.png")
    assert "no such file" in refused("explain", "fcn8s", "--image", tmp_path / "none.png")
    assert "--out must be a file" in refused("explain", "fcn8s", run, "--out", tmp_path)
    missing = tmp_path / "none" / "page.html"
    assert "--out must lie in" in refused("explain", "fcn8s", run, "--out", missing)
    assert "conv2d takes no RUN" in refused("explain", "conv2d", run)
    assert "conv2d takes no --image" in refused("explain", "conv2d", "--image", "a.png")
    assert "all operations takes no --image" in refused("explain", "--image", "a.png")
    assert "without one" in refused("explain", "fcn8s", "--checkpoint", "last")
    assert [path.name for path in tmp_path.iterdir()] == ["text.png"]


def test_a_run_whose_data_is_gone_asks_for_an_image(refused, tmp_path):
    from small_runs import start

    run = start(tmp_path / "run")
    run.train()
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text()) | {"data": str(tmp_path / "gone")}
    path.write_text(json.dumps(config))
    out = tmp_path / "page.html"
    assert "give an image by --image" in refused("explain", "fcn8s", tmp_path / "run", "--out", out)
