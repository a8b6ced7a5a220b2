"""The microscope's page: its size, texts and script; from a run, by the command."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from looked_at import array, embedded, places_of, subject, terms_of
from small_runs import make_config, start

from minifcn.data.images import write_image, write_mask
from minifcn.data.transforms import normalise, resize_pair
from minifcn.explain import microscope
from minifcn.explain.fields import path_sights
from minifcn.explain.microscope import MOST_BYTES, make_microscope, numbers_of, subject_of
from minifcn.runs.steps import predict
from minifcn.tensor import Tensor, no_grad

PAGE = Path(microscope.__file__).parent / "page"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


# -- Size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "classes"), [((180, 240), 11), ((250, 250), 40), ((256, 200), 250), ((1, 700), 3)]
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
    script = """
      return {box: scope.box(2, 30, 95), whole: scope.box(0, 9, 9), cells: scope.cells(0, 40, 70),
        sum: [...scope.added(null, 1)], pool3: [...scope.added(2, 1)],
        top: [...scope.coarse(0, 3)]};
    """
    found = in_node(script, data, tmp_path)
    (down,), (across,) = (
        path_sights(own.model, "pool3", n, [at]) for n, at in ((64, 30), (96, 95))
    )
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


def test_the_scene_has_most_classes_where_the_network_sees_it(tmp_path):
    """One of two has two more classes, each of one pixel, which are lost when it is resized."""
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    halves, dots = np.zeros((2, 64, 64), np.uint8)
    halves[32:], dots[10, 10], dots[20, 20] = 1, 1, 2
    for i in range(10):
        write_image(tmp_path / f"data/images/{i}.png", np.zeros((64, 64, 3), np.uint8))
        mask = halves if i == 9 else dots
        write_mask(tmp_path / f"data/masks/{i}.png", mask, np.zeros((3, 3), np.uint8))
    start(tmp_path / "run", data=str(tmp_path / "data"), crop=None, iterations=1).train()
    scene = subject_of(tmp_path / "run").scene
    assert (scene.name, scene.truth.shape) == ("9", (32, 32))
    assert set(np.unique(scene.truth)) == {0, 1}


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
    run = start(tmp_path / "run")
    run.train()
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text()) | {"data": str(tmp_path / "gone")}
    path.write_text(json.dumps(config))
    out = tmp_path / "page.html"
    assert "give an image by --image" in refused("explain", "fcn8s", tmp_path / "run", "--out", out)
